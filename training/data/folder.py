"""A folder of pictures with a `metadata.jsonl`: the imagefolder convention, plus an emotion per line.

    {"file_name": "0001.png", "text": "an old boat on a beach", "emotion": "0.6 calm + 0.4 sadness"}
    {"file_name": "b/02.jpg", "caption": "a crowd at night", "valence": 0.2, "arousal": 0.9, "dominance": 0.1}

`text` or `caption`; `emotion` in the common grammar, or the three coordinates in [-1, 1]. Wrong lines are an
error before anything runs; a picture that is missing or broken is an InputError of its example: a reader can
count it and go on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from studio.emotion import VAD, Emotion, parse_emotion
from studio.errors import InputError, PromptsFileError, StudioError, nearest
from studio.params import param
from studio.ports import Example

METADATA = "metadata.jsonl"
_AXES = ("valence", "arousal", "dominance")
_KNOWN = ("file_name", "text", "caption", "emotion", *_AXES)


@dataclass(frozen=True, slots=True)
class _Row:
    file_name: str
    prompt: str
    emotion: Emotion
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Dataset:
    """Pictures of `root`, cut square around their middle: (size_px, size_px, 3) uint8 RGB.

    Raises InputError without a metadata.jsonl and PromptsFileError with every bad line of it.
    """

    root: str = param("", "folder with metadata.jsonl")
    size_px: int = param(512, "side a picture is cut and scaled to", min=32, max=2048, step=8, unit="px")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        """The example of that line. InputError names a picture that is missing or cannot be read."""
        row = self._rows[index]
        return Example(self._picture(row.file_name), row.prompt, row.emotion, row.attributes)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    @property
    def description(self) -> dict[str, Any]:
        """What determines the examples: the lines, and size and time of every picture."""
        digest = hashlib.blake2b(self._metadata.read_bytes(), digest_size=16)
        for row in self._rows:
            path = Path(self.root) / row.file_name
            stat = path.stat() if path.is_file() else None
            digest.update(f"{row.file_name}:{stat and (stat.st_size, stat.st_mtime_ns)}".encode())
        content = digest.hexdigest()
        return {"dataset": "folder", "size_px": self.size_px, "count": len(self), "content": content}

    @property
    def _metadata(self) -> Path:
        return Path(self.root) / METADATA

    def _lines(self) -> list[str]:
        """Lines end at line feeds only: captions may hold any other separator."""
        try:
            return self._metadata.read_text("utf-8-sig").split("\n")
        except UnicodeDecodeError as error:
            why = f"{str(self._metadata)!r} is not UTF-8 text (byte {error.start})"
            raise InputError("dataset.root", self.root, why) from None

    @cached_property
    def _rows(self) -> tuple[_Row, ...]:
        if not self.root or not self._metadata.is_file():
            raise InputError("dataset.root", self.root, f"no {METADATA} in folder {self.root!r}")
        rows: list[_Row] = []
        problems: list[tuple[int, str]] = []
        for number, line in enumerate(self._lines(), 1):
            if not line.strip():
                continue
            try:
                rows.append(_read_row(line))
            except StudioError as error:
                problems.append((number, str(error)))
        if problems:
            raise PromptsFileError(self._metadata, problems)
        if not rows:
            raise InputError("dataset.root", self.root, f"{METADATA} has no lines")
        return tuple(rows)

    def _picture(self, file_name: str) -> np.ndarray:
        path = Path(self.root) / file_name
        try:
            with Image.open(path) as opened:
                upright = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError("file_name", str(path), f"cannot read picture {str(path)!r}: {error}") from None
        side = (self.size_px, self.size_px)
        return np.asarray(ImageOps.fit(upright, side, Image.Resampling.LANCZOS), dtype=np.uint8)


def _read_row(line: str) -> _Row:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise InputError("line", line, f"not JSON: {error}") from None
    if not isinstance(values, dict):
        raise InputError("line", line, "expected an object { ... }")
    name, prompt = _text(values, ("file_name",)), _text(values, ("text", "caption"))
    rest = {key: value for key, value in values.items() if key not in _KNOWN}
    return _Row(name, prompt, _emotion(values), rest)


def _text(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = next((values[name] for name in names if name in values), None)
    if not isinstance(found, str) or not found.strip():
        wrong = next((key for key in values if nearest(key, names) and key not in _KNOWN), None)
        hint = f" (found {wrong!r})" if wrong else ""
        raise InputError(names[0], found, f"needs text in {' or '.join(map(repr, names))}{hint}")
    return found.strip()


def _emotion(values: Mapping[str, Any]) -> Emotion:
    given = [axis for axis in _AXES if axis in values]
    if "emotion" in values and given:
        raise InputError("emotion", values["emotion"], f"give either emotion or {', '.join(_AXES)}, not both")
    if "emotion" in values:
        return parse_emotion(str(values["emotion"]))
    if len(given) < len(_AXES):
        missing = [axis for axis in _AXES if axis not in values]
        why = f"needs emotion, or valence, arousal and dominance (no {', '.join(missing)})"
        raise InputError("emotion", None, why)
    for axis in _AXES:
        if isinstance(values[axis], bool) or not isinstance(values[axis], int | float):
            raise InputError(axis, values[axis], f"expected a number, got {values[axis]!r}")
    return Emotion(VAD(*(float(values[axis]) for axis in _AXES)))
