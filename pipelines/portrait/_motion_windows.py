"""What the motion network sees at a time: how many frames it hears around, and windows to learn from.

Numpy alone, so that data sets can be listed without a network's library.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.portrait._hearing import Array

REACH = 3  # frames to each side that one layer of the ear hears
EARS = 4
MARGIN = REACH * EARS  # frames of speech that are needed before and after those of the motion
WINDOW = 120  # frames: 4 s
CARRIED = 12  # of them known from the window before


@dataclass(frozen=True, slots=True)
class Window:
    """T frames of a take: `sound` (T + 2 * MARGIN, WIDTH) of _hearing, `motion` (T, COUNT) of

    _motion_channels; `first`: whether the line begins with it."""

    sound: Array
    motion: Array
    first: bool

    def __len__(self) -> int:
        return len(self.motion)
