"""Progress of clips that are made one after the other, and how each looks by now. Knows no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from studio.artifacts import Clip
from studio.ports import OnStep, Step

Look = Callable[[], Image.Image]
_EMPTY = "grey"  # a clip that is not begun
_LEAST_PX = 16


class Progress:
    """Of a batch. `units`: of each clip how many steps and latent frames it takes, told one by one.

    A preview has a picture of every row: of finished clips a frame, of those to come nothing yet.
    """

    def __init__(self, on_step: OnStep, units: Sequence[tuple[int, int]]) -> None:
        self._on_step, self._units = on_step, list(units)
        self._done, self._total = 0, sum(map(sum, units))
        self._finished: list[Image.Image] = []

    def step(self, look: Look | None) -> None:
        """One more unit; whatever `on_step` raises comes out."""
        self._done += 1
        preview = None if look is None else lambda: self._pictures(look())
        self._on_step(Step(self._done, self._total, preview))

    def watched(self, frames: Iterable[Any], count: int) -> Iterator[Any]:
        """`count` frames (H, W, 3) as they come, with a unit for each latent frame's share of them."""
        units, shown = self._units[len(self._finished)][1], 0
        for number, frame in enumerate(frames, start=1):
            yield frame
            if -(-units * number // count) > shown:
                shown += 1
                self.step(lambda frame=frame: Image.fromarray(np.array(frame)))  # type: ignore[misc]

    def finish(self, clip: Clip) -> None:
        """The clip that was worked on is whole."""
        stills = clip.recording.stills
        self._finished.append(stills[len(stills) // 2].picture)

    def _pictures(self, now: Image.Image) -> list[Image.Image]:
        waiting = len(self._units) - len(self._finished) - 1
        size = (max(now.width, _LEAST_PX), max(now.height, _LEAST_PX))
        return [*self._finished, now, *(Image.new("RGB", size, _EMPTY) for _ in range(waiting))]
