"""How a long clip is made of short ones: windows of frames that overlap, and what each counts for.

Plain numbers; knows no model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Window:
    """`frames`: indices of a clip's frames, in the order in which the model sees them. `weights`: the share

    of each in what becomes of its frame; the shares of all windows that see a frame add up to 1."""

    frames: tuple[int, ...]
    weights: tuple[float, ...]


def windows_of(count: int, size: int, overlap: int, loop: bool = False) -> list[Window]:
    """Windows of `size` frames, all equally long, that cover `count` and share `overlap` or more with their
    neighbours, faded into each other in straight lines. With `loop` they go on past the last frame at the
    first one, so that the end leads to the start."""
    if count <= 2 or (count <= size and not loop):
        return [Window(tuple(range(count)), (1.0,) * count)]
    size = min(size, count)
    starts = _around(count, size, overlap) if loop else _along(count, size, overlap)
    steps = _steps(starts, count, loop)
    raw = [_faded(size, size - before, size - after) for before, after in steps]
    frames = [tuple((start + place) % count for place in range(size)) for start in starts]
    total = [0.0] * count
    for seen, shares in zip(frames, raw, strict=True):
        for frame, share in zip(seen, shares, strict=True):
            total[frame] += share
    return [
        Window(seen, tuple(share / total[frame] for frame, share in zip(seen, shares, strict=True)))
        for seen, shares in zip(frames, raw, strict=True)
    ]


def _along(count: int, size: int, overlap: int) -> list[int]:
    """As few starts as will do, evenly spread."""
    more = math.ceil((count - size) / (size - overlap))
    return [round(index * (count - size) / more) for index in range(more + 1)]


def _around(count: int, size: int, overlap: int) -> list[int]:
    windows = max(2, math.ceil(count / (size - overlap)))
    return [round(index * count / windows) for index in range(windows)]


def _steps(starts: Sequence[int], count: int, loop: bool) -> list[tuple[float, float]]:
    """How far the windows before and after each begin from it; infinitely far where there is none."""
    gaps: list[float] = [after - before for before, after in pairwise(starts)]
    ends: list[float] = [count - starts[-1] + starts[0] if loop else math.inf]
    return list(zip(ends + gaps, gaps + ends, strict=True))


def _faded(size: int, before: float, after: float) -> list[float]:
    """Weights that rise over the `before` frames shared with one neighbour, and fall over `after` others."""

    def rise(place: int, shared: float) -> float:
        return min(1.0, (place + 1) / (shared + 1)) if shared > 0 else 1.0

    return [min(rise(place, before), rise(size - 1 - place, after)) for place in range(size)]
