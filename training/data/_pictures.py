"""What every data set of picture files shares: rows, opening and cutting pictures, a digest of the files.

Knows pictures on a disk. Knows no layout: which files there are and what they feel like is each data set's
own matter.
"""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from studio.emotion import Emotion
from studio.errors import InputError
from studio.params import param
from studio.pictures import UNREADABLE, upright
from studio.ports import Example

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
class PictureDataset:
    """Pictures under `root`: uint8 RGB, (size_px, size_px, 3) cut around the middle, or (H, W, 3) uncut.

    A subclass says in `read_rows` which ones; wrong annotations are errors there, before anything runs, and a
    picture that is missing or broken is an InputError of its example alone.
    """

    root: str = param("", "folder of the data set")
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

    def read_rows(self) -> Sequence[Row]:
        """All rows, in an order that never changes. InputError for another layout or bad annotations."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        """The example of that row. InputError names a file that is missing or cannot be read."""
        return self.example(self._rows[index])

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    def example(self, row: Row) -> Example:
        """A row with its picture opened."""
        picture = open_picture(row.picture, self.size_px, row.box)
        return Example(picture, row.prompt, row.emotion, row.attributes)

    @property
    def description(self) -> dict[str, Any]:
        """What determines the examples: options, rows, and size and time of every file. Opens no picture."""
        options = {
            one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "root"
        }
        name = type(self).__module__.rpartition(".")[2]
        return {"dataset": name, **options, "count": len(self), "content": self._digest()}

    @property
    def folder(self) -> Path:
        """`root`, which must be a folder."""
        if not self.root:
            raise InputError("dataset.root", self.root, "needs the data set's folder")
        folder = Path(self.root).expanduser()
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "does not exist"
            raise InputError("dataset.root", self.root, f"{self.root!r} {what}")
        return folder

    @cached_property
    def _rows(self) -> tuple[Row, ...]:
        rows = tuple(self.read_rows())
        if not rows:
            raise InputError("dataset.root", self.root, f"no usable examples in {self.root!r}")
        return rows

    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for row in self._rows:
            said = (row.prompt, row.emotion.text, sorted(row.attributes.items()), row.box)
            files = [(_under(self.root, path), _stamp(path)) for path in (row.picture, *row.besides)]
            digest.update(repr((said, files)).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


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


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _under(root: str, path: Path) -> str:
    """The path inside the data set, so that a moved folder keeps its digest."""
    try:
        return path.relative_to(Path(root).expanduser()).as_posix()
    except ValueError:
        return path.as_posix()
