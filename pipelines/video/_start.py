"""What a clip starts from: a picture, or the frames of another clip, brought to its size and rate.

Knows files and sizes; knows no model.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from studio import video_files
from studio.errors import InputError
from studio.pictures import UNREADABLE, upright

FITS = ("crop", "pad", "error")
Size = tuple[int, int]  # (width, height) in pixels

_SAME = 0.02  # aspects that differ by less are the same: sizes are rounded to what a model takes
_BLUR = 1 / 16  # of the shorter side: bars of a padded picture are its own colours, not its shapes


def fitted(path: Path | str, size: Size, how: str, field: str = "inputs.image") -> Image.Image:
    """RGB of `size` from a picture of any size. `how`, where its aspect is another: "crop" around the middle,
    "pad" with its own blurred edges, or "error". Raises InputError of `field`, also for what is no picture.
    """
    return _fit(picture(path, field), size, how, field, path)


def picture(path: Path | str, field: str = "inputs.image") -> Image.Image:
    """An upright RGB picture. Raises InputError of `field`."""
    try:
        return upright(path)
    except UNREADABLE as error:
        raise InputError(field, path, f"{Path(path).name} is no picture that can be read") from error


def frames_from(path: Path | str, count: int, fps: float, size: Size, how: str) -> NDArray[np.uint8]:
    """(T, H, W, 3): `count` frames of a video at `fps`, each the one that is shown in its middle; `how` as in
    `fitted`. Raises InputError for a file without moving pictures, and for one that is too short."""
    info = video_files.probe(path)
    places = [int((index + 0.5) / fps * info.rate_hz) for index in range(count)]
    kept: list[NDArray[np.uint8]] = []
    for index, frame in enumerate(video_files.read_frames(path)):
        while len(kept) < count and places[len(kept)] == index:
            kept.append(np.asarray(_fit(Image.fromarray(frame), size, how, "inputs.video", path)))
        if len(kept) == count:
            break
    missing = count - len(kept)
    if missing > 1:
        near = math.floor(len(kept) / fps * 100) / 100
        why = (
            f"{Path(path).name} ends after {info.length_s:.2f} s, before the {count / fps:.2f} s of the clip"
        )
        raise InputError("inputs.video", path, f"{why}; length_s={near:g} fits")
    return np.stack([*kept, *kept[-1:] * missing])  # the last of a length that does not come out even


def check_aspect(whole: Size, size: Size, how: str, field: str, path: Path | str) -> None:
    """Raise InputError where `how` is "error" and a picture of `whole` has not the aspect of `size`."""
    if how == "error" and not _alike(whole, size):
        own, asked = (f"{width}x{height}" for width, height in (whole, size))
        raise InputError(field, path, f"is {own} px, the clip {asked}; fit=crop or fit=pad brings it there")


def _fit(image: Image.Image, size: Size, how: str, field: str, path: Path | str) -> Image.Image:
    check_aspect(image.size, size, how, field, path)
    if how == "pad" and not _alike(image.size, size):
        return _padded(image, size)
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def _padded(image: Image.Image, size: Size) -> Image.Image:
    inner = ImageOps.contain(image, size, Image.Resampling.LANCZOS)
    whole = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    whole = whole.filter(ImageFilter.GaussianBlur(min(size) * _BLUR))
    whole.paste(inner, ((size[0] - inner.width) // 2, (size[1] - inner.height) // 2))
    return whole


def _alike(one: Size, other: Size) -> bool:
    return abs(math.log((one[0] * other[1]) / (one[1] * other[0]))) < _SAME


def inputs_of(request: Any) -> dict[str, str]:
    """The files of a request by name."""
    return dict(request.inputs)
