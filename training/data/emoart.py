"""EmoArt-130k and EmoArt-5k (2025): paintings of many styles with descriptions and one of twelve emotions.

    root/annotation.json   (or Annotation.json)  a list of records
    root/Images/<Style>/<file>   (or root/<Style>/<file>), as the archives unpack

A record's `image_path` is written with backslashes. What it says lies in nested sections whose names are not
all certain, so a key is found by its last name, wherever it stands; what is not used is kept as an attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from studio.errors import InputError
from studio.params import param
from training.data._labels import caption_beside, caption_file, chosen, emotion_of
from training.data._pictures import PictureDataset, Row
from training.data._tables import collect, no_layout, read_records

TAXONOMY = "emoart"
ANNOTATIONS = ("annotation.json", "Annotation.json")
# Parts of a caption, and how the key of each begins.
PARTS = {
    "description": "description",
    "brushstroke": "brushstroke",
    "color": "color",
    "composition": "composition",
    "light": "light",
    "line": "line",
    "impact": "emotional_impact",
}
_LABEL = "dominant_emotion"


@dataclass(frozen=True)
class Dataset(PictureDataset):
    """`attributes`: label, style, and every other key of the record by its last name."""

    root: str = param("", "folder with annotation.json and the unpacked pictures")
    parts: str = param(
        "style, description", f"what a caption is made of, in order: style, {', '.join(PARTS)}"
    )
    fallback: str = param("", "caption where a record has none of the parts; empty: an error")

    def read_rows(self) -> list[Row]:
        path = next((path for name in ANNOTATIONS if (path := self.folder / name).is_file()), None)
        if path is None:
            raise no_layout(self.root, ANNOTATIONS[0], "annotation.json or Annotation.json beside Images/")
        parts = chosen("parts", self.parts, ("style", *PARTS))
        read = partial(_row, self.folder, parts, self.fallback.strip())
        return collect(path, enumerate(read_records(path), 1), read, "record")


def _row(root: Path, parts: tuple[str, ...], fallback: str, record: Any) -> Row:
    if not isinstance(record, dict):
        raise InputError("record", record, "expected an object { ... }")
    known = _by_last_name(record)
    written, label = (_needed(known, key) for key in ("image_path", _LABEL))
    picture, style = _picture(root, written), PurePosixPath(written.replace("\\", "/")).parent.name
    known["style"] = known.get("style") or style.replace("_", " ")
    prompt = caption_beside(picture) or _caption(known, parts) or fallback
    if not prompt:
        why = f"none of {', '.join(parts)} is in the record of {written!r} and there is no fallback"
        raise InputError("caption", written, why)
    rest = {key: value for key, value in known.items() if key not in ("image_path", _LABEL)}
    attributes = {**rest, "label": label}
    return Row(picture, prompt, emotion_of(label, TAXONOMY), attributes, besides=(caption_file(picture),))


def _by_last_name(values: Mapping[str, Any]) -> dict[str, Any]:
    """All values of nested sections under their own name; of two with one name, the outer wins."""
    plain = {str(key): value for key, value in values.items() if not isinstance(value, Mapping)}
    for value in values.values():
        if isinstance(value, Mapping):
            plain = _by_last_name(value) | plain
    return plain


def _needed(known: Mapping[str, Any], key: str) -> str:
    found = known.get(key)
    if not isinstance(found, str) or not found.strip():
        raise InputError(key, found, f"needs text, got {found!r}")
    return found.strip()


def _picture(root: Path, written: str) -> Path:
    """The file of a path with backslashes; the folder Images may be missing on the disk."""
    path = PurePosixPath(written.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise InputError("image_path", written, f"must lie inside the data set, got {written!r}")
    short = root / PurePosixPath(*path.parts[1:])
    return short if len(path.parts) > 1 and short.is_file() else root / path


def _caption(known: Mapping[str, Any], parts: tuple[str, ...]) -> str:
    texts = [_text(known, part).rstrip(".") for part in parts]
    return ". ".join(text for text in texts if text)


def _text(known: Mapping[str, Any], part: str) -> str:
    start = PARTS.get(part, part)
    value = next((value for key, value in known.items() if key.lower().startswith(start)), "")
    words = ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    return " ".join(words.split())
