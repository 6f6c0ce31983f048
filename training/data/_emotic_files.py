"""EMOTIC's annotation files, the original and two conversions in use, as persons. Knows no feelings."""

from __future__ import annotations

import ast
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.emotion import lexicon
from studio.errors import InputError
from studio.lazy import lazy
from training.data._pictures import Box
from training.data._tables import csv_rows

scipy_io = lazy("scipy.io")
_DAMAGED = (OSError, ValueError, TypeError, NotImplementedError, zlib.error)

SPLITS = ("train", "val", "test")
CATEGORIES = tuple(label.word for label in lexicon().labels("emotic"))

Found = tuple[Path, str, Iterator[tuple[int, "Person"]]]  # file, what a number counts, numbered persons


@dataclass(frozen=True, slots=True)
class Person:
    """One annotated person. `ratings`: valence, arousal, dominance as written; empty where nobody rated."""

    picture: Path
    box: Box | None
    crop: Path | None  # a file that holds the box already
    categories: tuple[str, ...]
    ratings: tuple[Any, ...]
    gender: str = ""
    age: str = ""


def find(root: Path, splits: Sequence[str]) -> list[Found]:
    """The annotations of the first layout that is there, one entry per split; empty where there is none."""
    mat = next((path for path in sorted(root.glob("Annotations/**/*.mat")) if path.is_file()), None)
    if mat is None and (root / "Annotations.mat").is_file():
        mat = root / "Annotations.mat"
    if mat is not None:
        return [(mat, f"{split} person", _of_mat(root, mat, split)) for split in splits]
    found: list[Found] = []
    for split in splits:
        lists, columns = (
            root / "emotic_pre" / f"{split}.csv",
            root / "annots_arrs" / f"annot_arrs_{split}.csv",
        )
        if lists.is_file():
            found.append((lists, "line", _of_lists(root, lists)))
        elif columns.is_file():
            found.append((columns, "line", _of_columns(root, columns)))
    return found


def _of_lists(root: Path, path: Path) -> Iterator[tuple[int, Person]]:
    """Cells that hold Python lists: `BBox`, `Categorical_Labels`, `Continuous_Labels`."""
    for number, row in csv_rows(path):
        where = f"{path.name} line {number}"
        picture = root / "emotic" / _cell(row, "Folder", where) / _cell(row, "Filename", where)
        box = _box(_list(row, "BBox", where), where)
        categories = tuple(map(str, _list(row, "Categorical_Labels", where)))
        ratings = _rated(_list(row, "Continuous_Labels", where))
        person = Person(picture, box, None, categories, ratings, row.get("Gender", ""), row.get("Age", ""))
        yield number, person


def _of_columns(root: Path, path: Path) -> Iterator[tuple[int, Person]]:
    """A column per category; the whole picture in `Arr_name`, the person in `Crop_name`."""
    for number, row in csv_rows(path):
        where = f"{path.name} line {number}"
        picture = root / "img_arrs" / _cell(row, "Arr_name", where)
        crop = root / "img_arrs" / row["Crop_name"] if "Crop_name" in row else None
        categories = tuple(name for name in CATEGORIES if row.get(name, "0") in ("1", "1.0", "True"))
        ratings = _rated([row.get(axis) for axis in ("Valence", "Arousal", "Dominance")])
        yield (
            number,
            Person(picture, None, crop, categories, ratings, row.get("Gender", ""), row.get("Age", "")),
        )


def _of_mat(root: Path, path: Path, split: str) -> Iterator[tuple[int, Person]]:
    try:
        pictures = scipy_io.loadmat(path, simplify_cells=True, variable_names=[split]).get(split, [])
    except ImportError:
        why = f"{str(path)!r} needs scipy: python -m pip install scipy"
        raise InputError("dataset.root", str(path), why) from None
    except (*_DAMAGED, scipy_io.matlab.MatReadError) as error:
        raise InputError("dataset.root", str(path), f"cannot read {str(path)!r}: {error}") from None
    number = 0
    for picture in _many(pictures):
        if not isinstance(picture, Mapping) or not {"folder", "filename", "person"} <= picture.keys():
            why = f"{str(path)!r}: {split} has entries without folder, filename or person"
            raise InputError("dataset.root", str(path), why)
        file = root / "emotic" / str(picture["folder"]) / str(picture["filename"])
        for person in _many(picture["person"]):
            number += 1
            yield number, _mat_person(file, person, f"{path.name} {split} person {number}")


def _mat_person(picture: Path, person: Mapping[str, Any], where: str) -> Person:
    """`val` and `test` have several annotators, and what they agreed on under `combined_...`."""
    categories = person.get("combined_categories")
    if categories is None:
        found = _many(person.get("annotations_categories"))
        categories = found[0].get("categories") if found and isinstance(found[0], Mapping) else None
    continuous = _many(person.get("combined_continuous", person.get("annotations_continuous")))
    rated = continuous[0] if continuous and isinstance(continuous[0], Mapping) else {}
    return Person(
        picture,
        _box(_many(person.get("body_bbox")), where),
        None,
        tuple(str(word) for word in _many(categories)),
        _rated([rated.get(axis) for axis in ("valence", "arousal", "dominance")]),
        str(person.get("gender", "")),
        str(person.get("age", "")),
    )


def _many(value: Any) -> list[Any]:
    """MATLAB makes one element of a list that has one, and an empty array of none."""
    if value is None:
        return []
    if isinstance(value, np.ndarray):
        return list(value.ravel())
    return list(value) if isinstance(value, list | tuple) else [value]


def _rated(values: Sequence[Any]) -> tuple[Any, ...]:
    """Ratings as they were written, or nothing where one is missing."""
    missing = len(values) != 3 or any(value is None or _is_nan(value) for value in values)
    return (
        () if missing else tuple(value.item() if isinstance(value, np.generic) else value for value in values)
    )


def _is_nan(value: Any) -> bool:
    return str(value).strip().lower() == "nan" or (isinstance(value, float) and math.isnan(value))


def _box(values: Sequence[Any], where: str) -> Box:
    try:
        left, top, right, bottom = (float(value) for value in values)
    except (TypeError, ValueError):
        raise InputError("box", values, f"{where}: needs four numbers, got {list(values)!r}") from None
    return left, top, right, bottom


def _cell(row: Mapping[str, str], name: str, where: str) -> str:
    if name not in row:
        raise InputError(name, None, f"{where}: needs a column {name!r}; there are {', '.join(row)}")
    return row[name]


def _list(row: Mapping[str, str], name: str, where: str) -> list[Any]:
    text = _cell(row, name, where).replace("nan", "None")
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        found = None
    if not isinstance(found, list):
        raise InputError(name, text, f"{where}: {name} must be a list [ ... ], got {text!r}")
    return found
