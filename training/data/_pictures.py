"""What every data set of picture files shares: rows, opening and cutting pictures.

Knows pictures on a disk. Knows no layout: which files there are and what they feel like is each data set's
own matter.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from studio.emotion import Emotion
from studio.errors import InputError
from studio.params import param
from studio.pictures import UNREADABLE, upright
from studio.ports import Example
from training.data._files import FileDataset

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
MIN_SIDE_PX = 32

Box = tuple[float, float, float, float]  # left, top, right, bottom in px of the upright picture


@dataclass(frozen=True, slots=True)
class Row:
    """One example before its picture is opened. `besides`: other files that it was made of."""

    picture: Path
    prompt: str
    emotion: Emotion
    attributes: Mapping[str, Any] = field(default_factory=dict)
    box: Box | None = None
    besides: tuple[Path, ...] = ()


@dataclass(frozen=True)
class PictureDataset(FileDataset[Row]):
    """Pictures under `root`: uint8 RGB, (size_px, size_px, 3) cut around the middle, or (H, W, 3) uncut.

    A subclass says in `read_rows` which ones; wrong annotations are errors there, before anything runs, and a
    picture that is missing or broken is an InputError of its example alone.
    """

    size_px: int = param(
        512,
        "side a picture is cut and scaled to; 0 leaves it whole, for aspect-ratio buckets",
        min=0,
        max=2048,
        step=8,
        unit="px",
    )

    def __post_init__(self) -> None:
        if 0 < self.size_px < MIN_SIDE_PX:
            why = f"must be 0 (whole pictures) or at least {MIN_SIDE_PX}, got {self.size_px}"
            raise InputError("dataset.size_px", self.size_px, why, str(MIN_SIDE_PX))

    def said(self, row: Row) -> tuple[Any, ...]:
        return (row.prompt, row.emotion.text, sorted(row.attributes.items()), row.box)

    def files(self, row: Row) -> Sequence[Path]:
        return (row.picture, *row.besides)

    def __getitem__(self, index: int) -> Example:
        """The example of that row. InputError names a file that is missing or cannot be read."""
        return self.example(self._rows[index])

    def example(self, row: Row) -> Example:
        """A row with its picture opened."""
        picture = open_picture(row.picture, self.size_px, row.box)
        return Example(picture, row.prompt, row.emotion, row.attributes)


def open_picture(path: Path, size_px: int = 0, box: Box | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB, upright; only `box` of it; with `size_px` cut square around the middle.

    `.npy` files hold such an array themselves. Raises InputError naming the file.
    """
    try:
        picture = _opened(path)
        if box:
            picture = _cropped(picture, box)
        if size_px:
            picture = ImageOps.fit(picture, (size_px, size_px), Image.Resampling.LANCZOS)
        return np.asarray(picture, dtype=np.uint8)
    except UNREADABLE as error:
        why = f"cannot read picture {str(path)!r}: {error}"
        raise InputError("file_name", str(path), why) from None


def pictures_in(folder: Path) -> list[Path]:
    """All picture files under a folder, sorted; what begins with a dot is left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if not _hidden(path.relative_to(folder)))


def _opened(path: Path) -> Image.Image:
    if path.suffix.lower() == ".npy":
        return upright(np.load(path, allow_pickle=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # odd tags beside pixels that can be read
        return upright(path)


def _cropped(picture: Image.Image, box: Box) -> Image.Image:
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(picture.width, round(box[2])), min(picture.height, round(box[3]))
    if right <= left or bottom <= top:
        raise ValueError(f"box {box} is empty in a picture of {picture.width} x {picture.height} px")
    return picture.crop((left, top, right, bottom))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
