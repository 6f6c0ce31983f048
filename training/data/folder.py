"""A folder of pictures with a `metadata.jsonl` or `metadata.csv`: imagefolder's convention, plus an emotion.

    {"file_name": "0001.png", "text": "an old boat on a beach", "emotion": "0.6 calm + 0.4 sadness"}
    {"file_name": "b/02.jpg", "caption": "a crowd at night", "valence": 0.2, "arousal": 0.9, "dominance": 0.1}
    {"file_name": "b/03.jpg", "text": "a road in the rain", "label": "sadness", "taxonomy": "mikels"}

In a CSV these keys are the columns. `text` or `caption`; the emotion in the common grammar, as three
coordinates in [-1, 1], or as a label of a taxonomy (a line's own, else the option's). Everything else on a
line is kept among the attributes. Wrong lines are an error before anything runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio.emotion import Emotion, parse_emotion
from studio.emotion.vad import AXES
from studio.errors import InputError, PromptsFileError, StudioError, nearest
from studio.params import param
from training.data._labels import TAXONOMIES, emotion_of, vad_of
from training.data._pictures import PictureDataset, Row
from training.data._tables import csv_rows, jsonl_rows, no_layout

METADATA = ("metadata.jsonl", "metadata.csv")
_KNOWN = ("file_name", "text", "caption", "emotion", *AXES)


@dataclass(frozen=True)
class Dataset(PictureDataset):
    """Pictures of `root`. Raises InputError without metadata, PromptsFileError with every bad line of it."""

    root: str = param("", "folder with metadata.jsonl or metadata.csv")
    taxonomy: str = param(
        "",
        "taxonomy of labels on lines that name none; empty: every label needs one",
        choices=("", *TAXONOMIES),
    )

    def read_rows(self) -> list[Row]:
        path = self._metadata()
        rows: list[Row] = []
        problems: list[tuple[int, str]] = []
        read = partial(_row, path.parent, self.taxonomy)
        for number, line in csv_rows(path) if path.suffix == ".csv" else jsonl_rows(path):
            try:
                rows.append(read(line if isinstance(line, dict) else _object(line)))
            except StudioError as error:
                problems.append((number, str(error)))
        if problems:
            raise PromptsFileError(path, problems)
        if not rows:
            raise InputError("dataset.root", self.root, f"{path.name} has no lines")
        return rows

    def _metadata(self) -> Path:
        found = [path for name in METADATA if (path := self.folder / name).is_file()]
        if not found:
            raise no_layout(self.root, METADATA[0], " or ".join(METADATA))
        if len(found) > 1:
            why = f"{' and '.join(METADATA)} are both in {self.root!r}; keep one of them"
            raise InputError("dataset.root", self.root, why)
        return found[0]


def _object(line: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError("line", line, f"not JSON: {error}") from None
    if not isinstance(values, dict):
        raise InputError("line", line, "expected an object { ... }")
    return values


def _row(folder: Path, taxonomy: str, values: Mapping[str, Any]) -> Row:
    name, prompt = _text(values, ("file_name",)), _text(values, ("text", "caption"))
    emotion = _emotion(values, taxonomy)
    rest = {key: value for key, value in values.items() if key not in _KNOWN}
    return Row(folder / name, prompt, emotion, rest)


def _text(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = next((values[name] for name in names if name in values), None)
    if not isinstance(found, str) or not found.strip():
        wrong = next((key for key in values if nearest(key, names) and key not in _KNOWN), None)
        hint = f" (found {wrong!r})" if wrong else ""
        raise InputError(names[0], found, f"needs text in {' or '.join(map(repr, names))}{hint}")
    return found.strip()


def _emotion(values: Mapping[str, Any], taxonomy: str) -> Emotion:
    """From whichever of the three ways a line uses. A label may stand beside an exact emotion: it is kept."""
    axes = [axis for axis in AXES if axis in values]
    if "emotion" in values and axes:
        raise InputError("emotion", values["emotion"], f"give either emotion or {', '.join(AXES)}, not both")
    if "emotion" in values:
        return parse_emotion(str(values["emotion"]))
    if not axes and "label" in values:
        return _of_label(str(values["label"]), str(values.get("taxonomy", taxonomy)))
    if len(axes) < len(AXES):
        missing = [axis for axis in AXES if axis not in values]
        why = f"needs emotion, label, or valence, arousal and dominance (no {', '.join(missing)})"
        raise InputError("emotion", None, why)
    return Emotion(vad_of([values[axis] for axis in AXES]))


def _of_label(label: str, taxonomy: str) -> Emotion:
    if not taxonomy:
        why = f"label {label!r} needs a taxonomy: on its line, or as the data set's option `taxonomy`"
        raise InputError("taxonomy", "", why)
    return emotion_of(label, taxonomy)
