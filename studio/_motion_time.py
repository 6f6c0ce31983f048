"""Frames that recorders stamped with times, as frames at an even rate. Knows no file format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from studio.motion import Array

Times = npt.NDArray[np.float64]

# What cameras and editors run at; a measured rate this near to one of them is that one.
RATES_HZ = (24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60, 90, 100, 120)
_NEAR = 0.0005  # the app's clocks are that good; 29.97 is twice as far from 30
_UNEVEN = 0.3  # of a step: more than that and frames are missing
_DRIFT = 0.5  # of a step: more than that and the sound would be seen to run away


def rate_of(times_s: Times, otherwise_hz: float) -> float:
    """Frames a second of times that rise; `otherwise_hz` where there are too few to tell."""
    if len(times_s) < 2:
        return otherwise_hz
    steps = np.diff(times_s)
    mean_s = (times_s[-1] - times_s[0]) / len(steps)
    even = times_s[0] + mean_s * np.arange(len(times_s))
    is_even = float(np.abs(times_s - even).max()) <= _UNEVEN * mean_s
    rate = 1 / (mean_s if is_even else float(np.median(steps)))
    near = _NEAR if is_even else 0.02  # the middle of few steps is a rough measure
    nice = min(RATES_HZ, key=lambda known: abs(known - rate) / known)
    return float(nice) if abs(nice - rate) <= near * nice else round(rate, 4)


def evened(times_s: Times, rate_hz: float, parts: Sequence[Array]) -> list[Array]:
    """Rows of each part (frames, n) at 0, 1/rate, ...: as they are where their times fit, else linear
    between the two beside."""
    now = times_s - times_s[0]
    if float(np.abs(now - np.arange(len(now)) / rate_hz).max()) <= _DRIFT / rate_hz:
        return list(parts)
    then = np.arange(round(now[-1] * rate_hz) + 1) / rate_hz
    return [
        np.stack([np.interp(then, now, column) for column in part.T], axis=1).astype(np.float32)
        for part in parts
    ]
