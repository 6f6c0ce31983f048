"""EmoVid (Qiu et al., AAAI 2026, arXiv 2511.11002): clips of animation, film, stickers with an emotion each.

The authors hand the data out on request, for academic and non-commercial use alone, and no list of its files
is published; what the paper says is in it decides. So two layouts are read:

    annotations.csv (or .json, .jsonl)      a table, one clip a line: file, one of Mikels' eight emotions
    video,type,emotion,caption,brightness,colorfulness,hue              and, if they are there, the others
    film/0001.mp4,film,fear,A man runs through a corridor.,0.2,0.4,212

    film/fear/0001.mp4, with 0001.txt          or folders, whose names say type and emotion, with captions in
    awe/0002.gif                               text files beside the clips

Columns go by the names in `COLUMNS`. Clips that people found no specific emotion in are left out, or stand
for neutral. Labels have no coordinates of their own: their points are the lexicon's, by Mikels' words.
Brightness, colourfulness and hue are the paper's (studio.colours), taken from the table or computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from studio import colours
from studio.emotion import NEUTRAL, Emotion, EmotionCurve, lexicon
from studio.errors import InputError
from studio.params import param
from studio.ports import Example
from training.data._clips import ClipDataset, Row, clips_in
from training.data._labels import caption_beside, caption_file, chosen, emotion_of, plain_words
from training.data._metadata import lines, values_of
from training.data._tables import collect, no_layout, read_records

TAXONOMY = "mikels"
_SPELLINGS = {
    "animation": ("animations",),
    "film": ("films", "movie", "movies"),
    "sticker": ("stickers", "emoji"),
}
TYPES = {word: name for name, others in _SPELLINGS.items() for word in (name, *others)}
NO_EMOTION = frozenset({"", "none", "neutral", "no specific emotion", "no emotion"})
COLUMNS = {
    "clip": ("video", "video_path", "file_name", "filename", "file", "path", "clip"),
    "label": ("emotion", "label", "emotion_label"),
    "caption": ("caption", "text", "prompt"),
    "type": ("type", "category", "domain"),
    "brightness": ("brightness",),
    "colourfulness": ("colorfulness", "colourfulness"),
    "hue": ("hue",),
}
ATTRIBUTES = ("brightness", "colourfulness", "hue")
_OTHERS = ("metadata.csv", "metadata.jsonl")  # the names of the data set `clips`


@dataclass(frozen=True)
class Dataset(ClipDataset):
    """Clips of `root`. `prompt`: the caption, else the file's name as words."""

    root: str = param("", "folder of EmoVid, or of one of its types")
    table: str = param("", "the annotations, a file in the folder; empty: the only .csv, .json or .jsonl")
    types: str = param("", "only these, with commas: animation, film, sticker; empty: all")
    unlabelled: str = param("leave out", "clips without a specific emotion", choices=("leave out", "neutral"))
    measure: bool = param(
        False,
        "compute brightness, colourfulness and hue where the table has none, which reads every clip whole",
    )

    def read_rows(self) -> list[Row]:
        """Raises InputError for neither layout, several tables, with every bad line."""
        wanted = chosen("types", self.types, tuple(_SPELLINGS))
        if table := self._table():
            make = partial(_of_table, self.folder)
            rows = collect(table, _lines(table), make, "line")
        else:
            rows = list(_of_folders(self.folder))
            if not rows:
                expected = "annotations.csv, or folders named by emotions, such as film/fear/0001.mp4"
                raise no_layout(self.root, "annotations.csv", expected)
        rows = [row for row in rows if not wanted or row.attributes.get("type") in wanted]
        return [row for row in rows if self.unlabelled == "neutral" or row.attributes["label"]]

    def __getitem__(self, index: int) -> Example:
        example = super().__getitem__(index)
        if not self.measure or all(name in example.attributes for name in ATTRIBUTES):
            return example
        seen = colours.of_clip(self._rows[index // self.windows].clip)
        measured = {name: getattr(seen, name) for name in ATTRIBUTES}
        return replace(example, attributes={**measured, **example.attributes})

    def _table(self) -> Path | None:
        if self.table:
            path = self.folder / self.table
            if not path.is_file():
                raise InputError("dataset.table", self.table, f"no {self.table!r} in {self.root!r}")
            return path
        found = [path for path in self.folder.iterdir() if path.suffix in {".csv", ".json", ".jsonl"}]
        found = sorted(path for path in found if path.name not in _OTHERS)
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            why = f"{self.root!r} has {names}; name one with the option `table`"
            raise InputError("dataset.root", self.root, why)
        return found[0] if found else None


def _lines(table: Path) -> Iterator[tuple[int, Any]]:
    return iter(enumerate(read_records(table), 1)) if table.suffix == ".json" else lines(table)


def _of_table(folder: Path, said: Any) -> Row:
    values = {str(key).strip().lower(): value for key, value in values_of(said).items()}
    found = {
        name: next((values.pop(key) for key in keys if key in values), None) for name, keys in COLUMNS.items()
    }
    name = str(found["clip"] or "").strip()
    if not name:
        raise InputError("clip", name, f"needs a file under one of {', '.join(COLUMNS['clip'])}")
    label = str(found["label"] or "").strip().lower()
    told = {one: found[one] for one in ATTRIBUTES if found[one] not in (None, "")}
    attributes = {**values, **{one: _number(one, value) for one, value in told.items()}}
    kind = str(found["type"] or "").strip() or _type(Path(name).parts[:-1])
    caption = " ".join(str(found["caption"] or "").split())
    return _row(folder / name, label, kind, caption, attributes)


def _of_folders(folder: Path) -> Iterator[Row]:
    """Clips in a folder whose name is one of Mikels' words; others are no part of it."""
    known = {label.word for label in lexicon().labels(TAXONOMY)} | NO_EMOTION
    for clip in clips_in(folder):
        parts = clip.relative_to(folder).parts[:-1]
        label = next((part for part in map(str.lower, reversed(parts)) if part in known), None)
        if label is not None:
            yield _row(clip, label, _type(parts), caption_beside(clip), {})


def _type(folders: Sequence[str]) -> str:
    return next((part for part in folders if part.lower() in TYPES), "")


def _row(clip: Path, label: str, kind: str, caption: str, attributes: Mapping[str, Any]) -> Row:
    told = "" if label in NO_EMOTION else label
    emotion = emotion_of(told, TAXONOMY) if told else Emotion(NEUTRAL)
    facts = {**attributes, "label": told}
    if kind:
        facts["type"] = TYPES.get(kind.lower(), kind.lower())
    besides = () if caption else (caption_file(clip),)
    return Row(clip, caption or plain_words(clip.stem), EmotionCurve.constant(emotion), facts, besides)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(name, value, f"expected a number, got {value!r}") from None
