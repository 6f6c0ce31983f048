"""Recordings of Live Link Face: a folder of CSV files, each with its sound or its video beside it.

    take_1.csv  take_1.wav                 any sound, or the .mov that the app records with it

What a take feels like stands in a `metadata.csv` or `metadata.jsonl`:

    file_name,text,emotion                 the emotion in the common grammar, or as valence, arousal and
    take_1.csv,I thought you left.,fear    dominance, or as a label of a taxonomy

or, where there is none, in its name: with the option `taxonomy`, "S1_angry_03.csv" is angry. Any other motion
file that the studio reads may stand in for the CSV. Everything else on a line is kept among the attributes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio.emotion import Emotion
from studio.errors import InputError
from studio.params import param
from training.data._labels import emotion_of, plain_words
from training.data._metadata import (
    EMOTION_KEYS,
    emotion_in,
    lines,
    metadata_file,
    taxonomy_option,
    values_of,
)
from training.data._motion import MotionDataset, Row, needs_sound
from training.data._tables import collect, no_layout

METADATA = ("metadata.csv", "metadata.jsonl")
_KNOWN = ("file_name", "text", "language", *EMOTION_KEYS)


@dataclass(frozen=True)
class Dataset(MotionDataset):
    """Takes of `root`. `prompt`: the text of a line, else nothing, for a file's name was never said."""

    root: str = param("", "folder of CSV files with their sound, and perhaps metadata.csv")
    taxonomy: str = taxonomy_option()

    def read_rows(self) -> list[Row]:
        """Raises InputError without takes, and with every line or name whose feeling cannot be told."""
        if any((self.folder / name).is_file() for name in METADATA):
            path = metadata_file(self.folder, self.root, METADATA)
            return collect(path, lines(path), partial(_line, path.parent, self.taxonomy), "line")
        takes = sorted(path for path in self.folder.rglob("*.csv") if _is_shown(path, self.folder))
        if not takes:
            raise no_layout(
                self.root, METADATA[0], f"{' or '.join(METADATA)}, or CSV files with feelings in their names"
            )
        if not self.taxonomy:
            why = "without metadata.csv the feelings are read from file names: choose the option `taxonomy`"
            raise InputError("dataset.taxonomy", "", why)
        return collect(self.folder, enumerate(takes, 1), partial(_named, self.taxonomy), "file")


def _line(folder: Path, taxonomy: str, said: Any) -> Row:
    values = values_of(said)
    name = str(values.get("file_name", "")).strip()
    if not name:
        raise InputError("file_name", name, "needs the name of a motion file")
    rest = {key: value for key, value in values.items() if key not in _KNOWN}
    text = " ".join(str(values.get("text", "")).split())
    path = folder / name
    emotion = emotion_in(values, taxonomy)
    return Row(path, needs_sound(path), text, emotion, rest, language=str(values.get("language", "")))


def _named(taxonomy: str, path: Path) -> Row:
    """A take whose name holds one word of the taxonomy."""
    found = {}
    for word in re.split(r"[\W_\d]+", path.stem):
        try:
            found[word.lower()] = emotion_of(word, taxonomy)
        except InputError:
            continue
    points = {emotion.vad: emotion for emotion in found.values()}
    if len(points) != 1:
        heard = f"says {' and '.join(found)}" if found else "says no feeling"
        raise InputError("file", path.name, f"{path.name!r} {heard} of taxonomy {taxonomy!r}; it needs one")
    emotion: Emotion = next(iter(points.values()))
    return Row(path, needs_sound(path), "", emotion, {"label": plain_words(next(iter(found)))})


def _is_shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)
