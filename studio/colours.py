"""The colours of a clip or picture in three figures, as EmoVid defines its attributes.

Hue is the direction of the sum of all hues as unit vectors, colourfulness the mean saturation, brightness the
mean value, over the pixels of every 20th frame in HSV (Qiu et al., "EmoVid", AAAI 2026, arXiv 2511.11002).
The paper does not say what the hue of a grey pixel is; here, as in colorsys and OpenCV, it is 0, red, and it
counts. Knows pixels; what they mean for a feeling it does not: there, too, these explain under 1 % of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.video_files import Frame, read_frames

Values = NDArray[np.floating[Any]]

EVERY = 20  # frames: 0, 20, 40, ...
_BLOCK = 1 << 15  # pixels
_NAMES = ((15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (200, "cyan"), (260, "blue"),
          (290, "violet"), (345, "pink"), (361, "red"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Colours:
    """`hue`: whole degrees, 0 (red) to 360 (red again, as rounding has it); `colourfulness`, `brightness`: in
    [0, 1], in tenths."""

    hue: int
    colourfulness: float
    brightness: float

    @property
    def text(self) -> str:
        """For people: `brightness 0.6, colourfulness 0.3, hue 212 (blue)`."""
        name = next(name for end, name in _NAMES if self.hue < end)
        return (
            f"brightness {self.brightness:g}, colourfulness {self.colourfulness:g}, hue {self.hue} ({name})"
        )


def of_frames(frames: Iterable[Frame]) -> Colours:
    """Of every 20th of the frames, uint8 (H, W, 3). Raises ValueError for none."""
    sums = np.zeros(5)  # of cosine, sine, saturation, value; number of pixels
    for frame in itertools.islice(frames, 0, None, EVERY):
        sums += _sums(frame)
    if not sums[4]:
        raise ValueError("no frames, no colours")
    cosine, sine, saturation, value = sums[:4] / sums[4]
    # what is left of hues that cancel each other is rounding, and would point anywhere
    degrees = math.degrees(math.atan2(sine, cosine)) if math.hypot(sine, cosine) > 1e-6 else 0.0
    return Colours(round((degrees + 360) % 360), round(float(saturation), 1), round(float(value), 1))


def of_clip(path: Path | str) -> Colours:
    """Of a video file. Raises InputError as `video_files.read_frames` does."""
    return of_frames(read_frames(path))


def hsv(pixels: NDArray[np.uint8]) -> tuple[Values, Values, Values]:
    """Of pixels (..., 3): hue in radians [0, 2 pi), saturation and value in [0, 1]; 0 where there is none."""
    red, green, blue = (pixels[..., channel].astype(np.float32) for channel in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    span = value - np.minimum(np.minimum(red, green), blue)
    safe = np.maximum(span, 1.0)  # of whole numbers
    sextant = np.where(value == red, (green - blue) / safe, (blue - red) / safe + 2)
    sextant = np.where((value == blue) & (value != red) & (value != green), (red - green) / safe + 4, sextant)
    hue = np.where(sextant < 0, sextant + 6, sextant) * np.float32(math.pi / 3)
    return hue, span / np.maximum(value, 1.0), value / 255


def _sums(frame: Frame) -> NDArray[np.float64]:
    """Block by block: what a processor keeps at hand is twice as fast as a whole frame."""
    pixels = frame.reshape(-1, 3)
    sums = np.zeros(5)
    for start in range(0, len(pixels), _BLOCK):
        hue, saturation, value = hsv(pixels[start : start + _BLOCK])
        parts = (np.cos(hue), np.sin(hue), saturation, value)
        sums += [*(part.sum(dtype=np.float64) for part in parts), hue.size]
    return sums
