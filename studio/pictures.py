"""A picture as pixels, however it is handed over. Knows files and arrays; cuts and scales nothing."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageOps

# What decoders raise for a file that is missing, cut short or damaged.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def upright(media: Any) -> Image.Image:
    """RGB of a path, a PIL image or a uint8 array (H, W, 3); a file's turned as its camera says.

    Raises one of UNREADABLE.
    """
    if isinstance(media, np.ndarray):
        return Image.fromarray(media).convert("RGB")
    if isinstance(media, Image.Image):
        return media.convert("RGB")
    with Image.open(media) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")
