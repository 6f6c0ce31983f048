"""Tiny clips whose frames can be told from each other: grey, six steps brighter each frame."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from studio.video_files import Frame, record

STEP, CYCLE = 6, 36


def clip(path: Path, length_s: float = 2.0, rate_hz: float = 16, size: tuple[int, int] = (48, 32)) -> Path:
    """`size`: width and height in px. The left quarter is red."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_content(length_s, rate_hz, size))
    return path


@cache
def _content(length_s: float, rate_hz: float, size: tuple[int, int]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.mp4"
        record(_frames(round(length_s * rate_hz), *size), rate_hz, made)
        return made.read_bytes()


def number(frame: Frame) -> int:
    """Which frame of its clip it is, up to CYCLE."""
    return round((float(frame[:, -8:].mean()) - 40) / STEP)


def _frames(count: int, width: int, height: int) -> Iterator[Frame]:
    for index in range(count):
        frame = np.full((height, width, 3), 40 + STEP * (index % CYCLE), np.uint8)
        frame[:, : width // 4] = (200, 30, 30)
        yield frame
