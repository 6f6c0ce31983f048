"""A folder of pictures with a `metadata.jsonl` or `metadata.csv`: imagefolder's convention, plus an emotion.

    {"file_name": "0001.png", "text": "an old boat on a beach", "emotion": "0.6 calm + 0.4 sadness"}
    {"file_name": "b/02.jpg", "caption": "a crowd at night", "valence": 0.2, "arousal": 0.9, "dominance": 0.1}
    {"file_name": "b/03.jpg", "text": "a road in the rain", "label": "sadness", "taxonomy": "mikels"}

In a CSV these keys are the columns. `text` or `caption`; the emotion in the common grammar, as three
coordinates in [-1, 1], or as a label of a taxonomy (a line's own, else the option's). Everything else on a
line is kept among the attributes. Wrong lines are an error before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import InputError, PromptsFileError, StudioError, nearest
from studio.params import param
from training.data._metadata import (
    EMOTION_KEYS,
    emotion_in,
    lines,
    metadata_file,
    taxonomy_option,
    values_of,
)
from training.data._pictures import PictureDataset, Row

METADATA = ("metadata.jsonl", "metadata.csv")
_KNOWN = ("file_name", "text", "caption", *EMOTION_KEYS)


@dataclass(frozen=True)
class Dataset(PictureDataset):
    """Pictures of `root`. Raises InputError without metadata, PromptsFileError with every bad line of it."""

    root: str = param("", "folder with metadata.jsonl or metadata.csv")
    taxonomy: str = taxonomy_option()

    def read_rows(self) -> list[Row]:
        path = metadata_file(self.folder, self.root, METADATA)
        rows: list[Row] = []
        problems: list[tuple[int, str]] = []
        for number, line in lines(path):
            try:
                rows.append(_row(path.parent, self.taxonomy, values_of(line)))
            except StudioError as error:
                problems.append((number, str(error)))
        if problems:
            raise PromptsFileError(path, problems)
        if not rows:
            raise InputError("dataset.root", self.root, f"{path.name} has no lines")
        return rows


def _row(folder: Path, taxonomy: str, values: Mapping[str, Any]) -> Row:
    name, prompt = _text(values, ("file_name",)), _text(values, ("text", "caption"))
    emotion = emotion_in(values, taxonomy)
    rest = {key: value for key, value in values.items() if key not in _KNOWN}
    return Row(folder / name, prompt, emotion, rest)


def _text(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = next((values[name] for name in names if name in values), None)
    if not isinstance(found, str) or not found.strip():
        wrong = next((key for key in values if nearest(key, names) and key not in _KNOWN), None)
        hint = f" (found {wrong!r})" if wrong else ""
        raise InputError(names[0], found, f"needs text in {' or '.join(map(repr, names))}{hint}")
    return found.strip()
