"""EMOPIA (Hung et al., ISMIR 2021): piano clips transcribed from pop covers, in four quadrants.

    root/midis/Q1_<video>_<segment>.mid     the quadrant is in the name; also in midi/ or beside the lists
    root/label.csv                          ID, 4Q, annotator
    root/split/train_clip.csv  val_clip.csv  test_clip.csv      a column clip_name
    root/metadata/<video>.json              an object; its "title" is the prompt

`metadata` is read where it is there; its layout is an assumption. Version 2.2 withdrew seven clips: what a
list names and the folder has not is an error of that example alone. Clips are performances, so their beats
are estimated. The data is for non-commercial use (CC BY-NC-SA 4.0): weights trained on it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio.errors import InputError
from studio.params import param
from training.data._labels import emotion_of
from training.data._music import MusicDataset, Row, midi_files
from training.data._tables import collect, csv_rows, no_layout, read_json

TAXONOMY = "russell"
SPLITS = ("train", "val", "test")
_NAME = re.compile(r"(?P<label>[^_]+)_(?P<video>.+)_(?P<segment>\d+)", re.ASCII)
_FOLDERS = ("midis", "midi", ".")


@dataclass(frozen=True)
class Dataset(MusicDataset):
    """`attributes`: `label` (Q1 .. Q4), `video`, `segment`, and `annotator` where label.csv says who."""

    root: str = param("", "folder with midis/, label.csv and split/")
    split: str = param("all", "which part; all: every clip of the folder", choices=("all", *SPLITS))

    def read_rows(self) -> list[Row]:
        """Raises InputError for a clip of an unknown quadrant, or one that label.csv puts into another."""
        clips = self._clips
        labels = _labels(self.folder / "label.csv")
        make = partial(_row, self.folder, clips, labels)
        if self.split == "all":
            return collect(clips, enumerate(sorted(path.stem for path in midi_files(clips)), 1), make, "clip")
        path = self.folder / "split" / f"{self.split}_clip.csv"
        if not path.is_file():
            raise no_layout(self.root, f"split/{path.name}", "midis/, label.csv and split/")
        return collect(path, _listed(path), make, "line")

    @property
    def _clips(self) -> Path:
        for name in _FOLDERS:
            if (self.folder / name).is_dir() and any((self.folder / name).glob("*_*_*.mid")):
                return self.folder / name
        raise no_layout(self.root, "midis", "midis/Q1_<video>_<segment>.mid")


def _listed(path: Path) -> list[tuple[int, str]]:
    rows = []
    for number, row in csv_rows(path):
        name = row.get("clip_name", "")
        if not name:
            why = f"{path.name} line {number}: no clip_name (columns {', '.join(row)})"
            raise InputError("dataset.root", str(path), why)
        rows.append((number, name.removesuffix(".mid")))
    return rows


def _labels(path: Path) -> dict[str, Mapping[str, str]]:
    if not path.is_file():
        return {}
    return {row.get("ID", "").removesuffix(".mid"): row for _, row in csv_rows(path)}


def _row(root: Path, clips: Path, labels: Mapping[str, Mapping[str, str]], name: str) -> Row:
    found = _NAME.fullmatch(name)
    if not found:
        raise InputError("clip", name, f"{name!r} is not <quadrant>_<video>_<segment>", "Q1_<video>_0")
    label, said = found["label"], labels.get(name, {})
    emotion = emotion_of(label, TAXONOMY)
    quadrant = said.get("4Q", label)
    if quadrant.removeprefix("Q") != label.removeprefix("Q"):
        raise InputError("4Q", quadrant, f"label.csv puts {name!r} into {quadrant!r}", label)
    attributes: dict[str, Any] = {
        "label": label,
        "video": found["video"],
        "segment": int(found["segment"]),
    }
    if "annotator" in said:
        attributes["annotator"] = said["annotator"]
    about = root / "metadata" / f"{found['video']}.json"
    return Row(clips / f"{name}.mid", _title(about) or name, emotion, attributes, besides=(about,))


def _title(path: Path) -> str:
    if not path.is_file():
        return ""
    found = read_json(path)
    title = found.get("title", "") if isinstance(found, dict) else ""
    return " ".join(str(title).split())
