"""A picture file as pixels, refused early when it cannot be a portrait. Knows files, no face."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from studio.errors import InputError
from studio.pictures import UNREADABLE

Pixels = npt.NDArray[np.uint8]

FIELD = "inputs.image"
SMALLEST_PX, LARGEST_PX = 64, 8192


def read_picture(path: Path) -> Pixels:
    """(H, W, 3) uint8 RGB, turned as the camera says, transparency on white.

    Raises InputError (field `inputs.image`) for no file, no picture, a side under 64 or over 8192 px; the
    size is read before the pixels are.
    """
    try:
        if not path.is_file():
            raise InputError(FIELD, path, f"there is no file {str(path)[:200]}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # check_size is stricter
            with Image.open(path) as opened:
                check_size(*opened.size)
                turned = ImageOps.exif_transpose(opened)
                picture = _on_white(turned) if _is_clear(turned) else turned.convert("RGB")
    except InputError:
        raise
    except UNREADABLE as error:
        why = f"{path.name[:200]} cannot be read as a picture ({error})"
        raise InputError(FIELD, path, why) from error
    return np.asarray(picture, dtype=np.uint8)


def check_size(width_px: int, height_px: int) -> None:
    """Raise InputError unless both sides are in 64..8192 px."""
    size = f"{width_px} x {height_px} px"
    if min(width_px, height_px) < SMALLEST_PX:
        raise InputError(FIELD, size, f"a picture of {size} is too small; at least {SMALLEST_PX} a side")
    if max(width_px, height_px) > LARGEST_PX:
        raise InputError(FIELD, size, f"a picture of {size} is too large; at most {LARGEST_PX} a side")


def _is_clear(picture: Image.Image) -> bool:
    return picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info


def _on_white(picture: Image.Image) -> Image.Image:
    clear = picture.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(white, clear).convert("RGB")
