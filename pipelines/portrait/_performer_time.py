"""Time for a performance: frames, bumps, noise that wanders, and values that follow others. Knows no face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Clock:
    """`frames` frames at `rate_hz`; frame i is at i / rate_hz seconds."""

    frames: int
    rate_hz: float

    @cached_property
    def times(self) -> Array:
        """(frames,) seconds."""
        return np.arange(self.frames) / self.rate_hz

    @property
    def length_s(self) -> float:
        return self.frames / self.rate_hz

    def frame_at(self, times_s: Array) -> Index:
        """(n,) the frames that moments fall into; those outside get the first or the last."""
        return np.clip(times_s * self.rate_hz, 0, self.frames - 1).astype(np.int64)

    def cells(self, starts_s: Array, ends_s: Array) -> tuple[Index, Index]:
        """Which frames lie in which spans: (span, frame) of every pair, frames past the ends left out."""
        first = np.clip(np.ceil(starts_s * self.rate_hz - 1e-9), 0, self.frames).astype(np.int64)
        after = np.clip(np.floor(ends_s * self.rate_hz + 1e-9) + 1, 0, self.frames).astype(np.int64)
        counts = np.maximum(after - first, 0)
        span = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return span, np.repeat(first, counts) + within

    def bumps(self, centres_s: Array, widths_s: Array, heights: Array) -> Array:
        """(frames,) the sum of raised cosines, each `widths_s` long in all."""
        span, frame = self.cells(centres_s - widths_s / 2, centres_s + widths_s / 2)
        turn = (self.times[frame] - centres_s[span]) / widths_s[span]
        values = heights[span] * (0.5 + 0.5 * np.cos(2 * np.pi * turn))
        return np.bincount(frame, weights=values, minlength=self.frames)

    def plateaus(self, starts_s: Array, ends_s: Array, rises_s: Array, falls_s: Array) -> Array:
        """(frames,) the highest of spans: 1 from start to end, eased rises before and falls after."""
        span, frame = self.cells(starts_s - rises_s, ends_s + falls_s)
        time = self.times[frame]
        before = (starts_s[span] - time) / np.maximum(rises_s[span], 1e-6)
        behind = (time - ends_s[span]) / np.maximum(falls_s[span], 1e-6)
        found = np.zeros(self.frames)
        np.maximum.at(found, frame, eased(1.0 - np.maximum(before, behind)))
        return found


def eased(share: Array) -> Array:
    """0 up to 0, 1 from 1, without a corner in between."""
    share = np.clip(share, 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share))


def smooth(values: Array, sigma: float) -> Array:
    """Columns under a Gaussian of `sigma` frames; the ends are held."""
    if sigma < 0.05 or not len(values):
        return values
    reach = max(1, round(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    held = np.pad(values, [(reach, reach), *[(0, 0)] * (values.ndim - 1)], mode="edge")
    kernel /= kernel.sum()
    if values.ndim == 1:
        return np.convolve(held, kernel, "valid")
    return np.stack([np.convolve(column, kernel, "valid") for column in held.T], axis=1)


def bridged(values: Array, frames: int) -> Array:
    """(n,) the same with dips of up to 2 * `frames` frames filled: a greyscale closing."""
    if frames < 1:
        return values
    size = 2 * frames + 1
    windows = np.lib.stride_tricks.sliding_window_view
    high = windows(np.pad(values, 2 * frames, mode="edge"), size).max(axis=1)
    return np.asarray(windows(high, size).min(axis=1))


def wander(rng: np.random.Generator, clock_s: Array, period_s: float, columns: int) -> Array:
    """(len(clock_s), columns) noise of deviation about 0.5 that turns about once in `period_s`.

    `clock_s` may run at any speed and may stand still, then the noise does.
    """
    where = clock_s / (period_s / 2)
    knots = rng.uniform(-1.0, 1.0, (int(where.max(initial=0.0)) + 4, columns))
    whole = where.astype(np.int64)
    share = (where - whole)[:, None]
    # A cubic B-spline: twice differentiable, so that a head moved by it never jerks.
    blend = (
        (1 - share) ** 3,
        3 * share**3 - 6 * share**2 + 4,
        -3 * share**3 + 3 * share**2 + 3 * share + 1,
        share**3,
    )
    parts = (part * knots[whole + step] for step, part in enumerate(blend))
    return np.asarray(sum(parts) / 6 * 1.4)


def follow(targets: Array, clock: Clock, rise_s: Array, fall_s: Array) -> Array:
    """(frames, n) values that go after `targets`, up within about `rise_s` (n,) seconds, down in `fall_s`.

    Two equal steps behind each other: it starts and arrives gently. Begins at the first target.
    """
    if not len(targets):
        return targets
    up, down = (1.0 - np.exp(-4.0 / (seconds * clock.rate_hz)) for seconds in (rise_s, fall_s))
    found = np.empty_like(targets)
    middle = last = targets[0]
    for frame, target in enumerate(targets):
        middle = middle + (target - middle) * np.where(target > middle, up, down)
        last = last + (middle - last) * np.where(middle > last, up, down)
        found[frame] = last
    return found
