"""EMOTIC (Kosti et al., 2017 and 2019): people in their surroundings, rated and put into 26 categories.

Ratings are 1..10 in valence, arousal and dominance. One example is one person. Three layouts are read:

    root/Annotations/Annotations.mat   root/emotic/<folder>/<file>    the original; needs scipy
    root/emotic_pre/train.csv          root/emotic/<folder>/<file>    lists in cells, one person a line
    root/annots_arrs/annot_arrs_train.csv   root/img_arrs/*.npy       a column per category

There are no captions, so a template makes them. The data is for non-commercial research.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio.emotion import VAD, Emotion
from studio.errors import InputError
from studio.params import param
from training.data import _emotic_files as files
from training.data._emotic_files import SPLITS, Person
from training.data._labels import emotion_of, filled, vad_of
from training.data._pictures import PictureDataset, Row
from training.data._tables import collect, no_layout

TAXONOMY = "emotic"
SCALE = (1.0, 10.0)  # the ratings' ends, -1 and 1 here
_EXPECTED = (
    "Annotations/Annotations.mat or emotic_pre/train.csv (with emotic/<folder>/<file>), or "
    "annots_arrs/annot_arrs_train.csv (with img_arrs/)"
)


@dataclass(frozen=True)
class Dataset(PictureDataset):
    """`attributes`: `label` (the first category), `categories`, `gender`, `age`, `ratings` as they were."""

    root: str = param("", "folder with Annotations/, emotic_pre/ or annots_arrs/")
    split: str = param("train", "which part", choices=(*SPLITS, "all"))
    cut: str = param("person", "the person's box, or the whole picture", choices=("person", "whole"))
    feeling: str = param(
        "ratings",
        "the point: a person's ratings, or the mean of the categories' points",
        choices=("ratings", "categories"),
    )
    template: str = param(
        "a photo of a person", "caption, with {age} (adult, teenager, kid) and {gender}; empty is an error"
    )

    def read_rows(self) -> list[Row]:
        """Persons without ratings, or without a category where these are asked for, are left out."""
        splits = SPLITS if self.split == "all" else (self.split,)
        found = files.find(self.folder, splits)
        if not found:
            raise no_layout(self.root, "EMOTIC annotations", _EXPECTED)
        rows: list[Row] = []
        for path, unit, persons in found:
            made = collect(path, self._usable(persons), partial(self._row, path), unit)
            rows += made
        return rows

    def _usable(self, persons: Iterator[tuple[int, Person]]) -> Iterator[tuple[int, Person]]:
        for number, person in persons:
            if person.categories if self.feeling == "categories" else person.ratings:
                yield number, person

    def _row(self, annotations: Path, person: Person) -> Row:
        values = {"age": person.age.lower(), "gender": person.gender.lower()}
        prompt = filled("template", self.template, values)
        if not prompt:
            raise InputError("dataset.template", self.template, "would make an empty caption", "a photo")
        whole = self.cut == "whole"
        picture = person.picture if whole or person.crop is None else person.crop
        box = None if whole or person.crop is not None else person.box
        return Row(picture, prompt, self._emotion(person), _about(person), box, besides=(annotations,))

    def _emotion(self, person: Person) -> Emotion:
        points = [emotion_of(word, TAXONOMY) for word in person.categories]  # also checks their names
        if self.feeling == "ratings":
            return Emotion(vad_of(person.ratings, *SCALE))
        axes = zip(*(one.vad.as_tuple() for one in points), strict=True)
        share = 1 / len(points)
        weights = tuple((word, share) for one in points for word, _ in one.weights)
        return Emotion(VAD(*(sum(axis) * share for axis in axes)), weights)


def _about(person: Person) -> Mapping[str, Any]:
    known = {
        "label": next(iter(person.categories), ""),
        "categories": list(person.categories),
        "gender": person.gender,
        "age": person.age,
        "ratings": list(person.ratings),
    }
    return {key: value for key, value in known.items() if value}
