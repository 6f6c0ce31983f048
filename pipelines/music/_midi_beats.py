"""Where the beats of played notes lie, and which of them begin a bar.

Beats: dynamic programming over (time, period), as in Ellis's beat tracker (J. New Music Research 36:1, 2007)
but with a period that may drift, and with every onset explained once by where it falls between two beats.
Set on some of POP909's songs, so quarters of about 55 to 130 a minute are what it hears most readily. On 31
others, without their tempo map, its F-measure at 70 ms is 0.86 on the mean and 0.98 on the median; 0.93 on
the mean if half and double the tempo count (benchmarks/midi_in.py). It knows duple subdivision only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRAME_S = 0.02
PERIODS_S = np.geomspace(60 / 200, 60 / 40, 60)  # of a beat
_BLUR_S = 0.025  # how far from its place an onset of a player may be
_GAIN = {0.0: 1.0, 0.5: 0.5, 0.25: 0.05, 0.75: 0.05}  # of an onset at this share of a beat; elsewhere a loss
_LOSS = 0.7
_BEAT_COST = 0.35  # of a beat, in mean onsets a second: otherwise more beats would always explain more
_DRIFT = 60.0  # cost of a squared change of the logarithm of the period from beat to beat
_USUAL_S, _SPREAD = 60 / 88, 0.35  # log-normal prior of the period
_PRIOR = 0.6
_REACH = 2  # periods that the next beat may differ by


def beats(notes: Array) -> Array:
    """Times in seconds of the beats, in order, from before the first onset to past the last one.

    `notes` (N, 4): start_s, end_s, pitch, velocity; N > 0.
    """
    first = notes[:, 0].min()
    strength = _strength(notes, first)
    frames = np.rint(PERIODS_S / FRAME_S).astype(np.int64)
    gains = np.stack([_explained(strength, int(period)) for period in frames], axis=1)
    cost = _BEAT_COST * strength.sum() / (len(strength) * FRAME_S)
    prior = (np.log(PERIODS_S / _USUAL_S) / _SPREAD) ** 2 / 2
    gains -= cost * (1 + _PRIOR * prior * PERIODS_S)
    found = _path(gains, frames) * FRAME_S + first - frames.max() * FRAME_S
    return _extended(found, notes[:, 0].min(), notes[:, 1].max())


def _strength(notes: Array, first: float) -> Array:
    """Onset strength of each frame; the longest period of silence before the first and after the last."""
    pad = int(np.rint(PERIODS_S / FRAME_S).max())
    place = (notes[:, 0] - first) / FRAME_S
    weight = notes[:, 3] / 64 * (1 + 1.0 * (notes[:, 2] < 48) + 0.5 * (notes[:, 2] < 60))
    weight *= np.clip(notes[:, 1] - notes[:, 0], 0.1, 1.0) ** 0.5
    whole = np.floor(place).astype(np.int64)
    share = place - whole
    size = int(whole.max()) + 2 + 2 * pad
    strength = np.bincount(whole + pad, weight * (1 - share), minlength=size)
    strength += np.bincount(whole + 1 + pad, weight * share, minlength=size)
    return np.minimum(strength, 4 * strength[strength > 0].mean())  # one loud chord must not outweigh all


def _explained(strength: Array, period: int) -> Array:
    """(frames,) what the onsets since the beat one period ago say for a beat here."""
    share = np.arange(1, period + 1) / period
    kernel = np.full(period, -_LOSS)
    for place, gain in {**_GAIN, 1.0: _GAIN[0.0]}.items():
        distance_s = np.abs(share - place) * period * FRAME_S
        kernel += (gain + _LOSS) * np.exp(-0.5 * (distance_s / _BLUR_S) ** 2)
    kernel = np.minimum(kernel, 1.0)
    # of frame t: the sum over k = 1..period of strength[t - period + k] * kernel[k]
    return np.convolve(strength, kernel[::-1])[: len(strength)]


def _path(gains: Array, frames: NDArray[np.int64]) -> Array:
    """Frames of the best row of beats."""
    count, periods = gains.shape
    steps = np.arange(-_REACH, _REACH + 1)
    sources = np.clip(np.arange(periods)[:, None] + steps, 0, periods - 1)
    change = np.log(PERIODS_S[sources] / PERIODS_S[:, None])
    drift = _DRIFT * change**2 * np.mean(np.abs(gains))
    best = np.zeros((count, periods))
    origin = np.zeros((count, periods), dtype=np.int64)
    rows = np.arange(periods)
    start = int(frames.max())
    for frame in range(start, count):
        values = best[(frame - frames)[:, None], sources] - drift
        chosen = values.argmax(axis=1)
        best[frame] = values[rows, chosen] + gains[frame]
        origin[frame] = sources[rows, chosen]
    return _followed(best, origin, frames, start)


def _followed(best: Array, origin: NDArray[np.int64], frames: NDArray[np.int64], start: int) -> Array:
    ends = best[-start:]
    frame, period = np.unravel_index(int(ends.argmax()), ends.shape)
    at, index = len(best) - start + int(frame), int(period)
    found = [at]
    while at >= start:
        before = at - int(frames[index])
        index = int(origin[at, index])
        found.append(before)
        at = before
    return np.array(found[::-1], dtype=np.float64)


def _extended(found: Array, first: float, last: float) -> Array:
    """Beats at the same distance before and after, so that every note lies between two; no more of them."""
    head, tail = float(np.diff(found[:2])[0]), float(np.diff(found[-2:])[0])
    before = np.arange(found[0] - head, first - head, -head)[::-1]
    after = np.arange(found[-1] + tail, last + tail, tail)
    row = np.concatenate([before, found, after])
    begin = max(int(np.searchsorted(row, first + 0.05, side="right")) - 1, 0)
    return row[begin:]
