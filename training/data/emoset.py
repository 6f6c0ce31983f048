"""EmoSet-118K (Yang et al., ICCV 2023): photographs of Mikels' eight emotions with attributes, no captions.

    root/train.json  val.json  test.json              lists of [emotion, id, "image/...", "annotation/..."]
    root/image/<emotion>/<emotion>_NNNNN.jpg
    root/annotation/<emotion>/<emotion>_NNNNN.json    scene, object, human_action, ...; any may be absent

A caption is made of the annotation, unless a text file lies beside the picture. An annotation is read with
its picture, not before: there are 118,102 of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio.errors import InputError
from studio.params import param
from studio.ports import Example
from training.data._labels import caption_beside, caption_file, chosen, emotion_of, plain_words
from training.data._pictures import PictureDataset, Row
from training.data._tables import collect, no_layout, read_json, read_records

TAXONOMY = "mikels"
SPLITS = ("train", "val", "test")
PARTS = ("object", "scene", "human_action", "facial_expression", "brightness", "colorfulness")


@dataclass(frozen=True)
class Dataset(PictureDataset):
    """One split, or all. `attributes`: the label, the image id and everything the annotation says."""

    root: str = param("", "folder with train.json, val.json, test.json, image/ and annotation/")
    split: str = param("train", "which part", choices=(*SPLITS, "all"))
    parts: str = param(
        "object, scene, human_action", f"what a caption is made of, in order: {', '.join(PARTS)}"
    )
    fallback: str = param("a photo", "caption where the annotation has none of the parts; empty: an error")

    def read_rows(self) -> list[Row]:
        chosen("parts", self.parts, PARTS)  # a wrong option is an error now, not with the first picture
        splits = SPLITS if self.split == "all" else (self.split,)
        rows: list[Row] = []
        for path in (self.folder / f"{split}.json" for split in splits):
            if not path.is_file():
                expected = ", ".join(f"{split}.json" for split in splits)
                raise no_layout(self.root, path.name, f"{expected} beside image/ and annotation/")
            records = enumerate(read_records(path), 1)
            rows += collect(path, records, partial(_row, self.folder), "record")
        return rows

    def example(self, row: Row) -> Example:
        """A row with its picture and its annotation; InputError where either cannot be read."""
        known = _annotation(row)
        prompt = caption_beside(row.picture) or _caption(known, self._parts) or self.fallback.strip()
        if not prompt:
            why = f"{str(row.picture)!r}: none of {self.parts} is annotated and there is no fallback"
            raise InputError("dataset.fallback", self.fallback, why, "a photo")
        attributes = {**known, **row.attributes}
        return super().example(dataclasses.replace(row, prompt=prompt, attributes=attributes))

    @property
    def _parts(self) -> tuple[str, ...]:
        return chosen("parts", self.parts, PARTS)


def _row(root: Path, record: Any) -> Row:
    if not isinstance(record, list) or len(record) < 3 or not all(isinstance(one, str) for one in record):
        raise InputError("record", record, 'expected [emotion, image id, "image/...", "annotation/..."]')
    label, identity, picture, *rest = record
    path = root / picture.replace("\\", "/")
    besides = (*(root / name.replace("\\", "/") for name in rest[:1]), caption_file(path))
    return Row(path, "", emotion_of(label, TAXONOMY), {"label": label, "image_id": identity}, besides=besides)


def _annotation(row: Row) -> Mapping[str, Any]:
    """What is annotated, or nothing where the record names no annotation."""
    if len(row.besides) < 2:
        return {}
    found = read_json(row.besides[0])
    if not isinstance(found, dict):
        path = str(row.besides[0])
        raise InputError("annotation", path, f"{path!r} must hold an object {{ ... }}")
    return found


def _caption(known: Mapping[str, Any], parts: tuple[str, ...]) -> str:
    return ", ".join(text for part in parts if (text := _words(part, known.get(part))))


def _words(part: str, value: Any) -> str:
    """An attribute as words; the steps of brightness and colourfulness run from 0 to 1."""
    if isinstance(value, list):
        return ", ".join(word for one in value if (word := _words(part, one)))
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        return _degree(part, float(value)) if part in ("brightness", "colorfulness") else ""
    return plain_words(str(value))


def _degree(part: str, value: float) -> str:
    low, high = ("dark", "bright") if part == "brightness" else ("muted colours", "vivid colours")
    return low if value < 0.35 else high if value > 0.65 else ""
