"""What frames say of motion, flicker and asked feelings. Knows pixels and numbers, no model.

Nothing is smoothed: a frame's feeling is what the reader says of that frame alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Frames = NDArray[np.uint8]  # (T, H, W, 3)
Flows = list[tuple[Any, Any]]  # of every two neighbours, (H, W, 2) pixels: forward, and back

STILL = 0.5 / 255  # added to motion before its logarithm: half a rounding step, which nobody sees
_NEAR = (0.01, 0.5)  # Sundaram et al.: a share of the squared flows, and squared pixels
_LEAST = 1e-9


def difference(frames: Frames) -> Floats:
    """(T-1,) mean absolute difference of neighbours, in [0, 1]; VBench's temporal flickering (Huang et al.,
    CVPR 2024, arXiv 2311.17982) is one minus its mean."""
    found = [np.abs(later.astype(np.int16) - now).mean() / 255 for now, later in pairwise(frames)]
    return np.array(found, np.float64)


def motion_energy(frames: Frames) -> Floats:
    """(T-1,) the same when a change of light is taken out: of every channel the gain and offset that bring a
    frame nearest to the next one. A feeling that turns changes brightness and colours of frames in which
    nothing moves."""
    found = [np.abs(later - _relit(now, later)).mean() / 255 for now, later in pairwise(frames)]
    return np.array(found, np.float64)


def _relit(frame: NDArray[np.uint8], like: NDArray[np.uint8]) -> Floats:
    """`frame` (H, W, 3) with the light of `like`, by least squares in each channel."""
    x, y = (part.reshape(-1, 3).astype(np.float64) for part in (frame, like))
    apart = x - x.mean(axis=0)
    gain = (apart * (y - y.mean(axis=0))).sum(axis=0) / np.maximum((apart**2).sum(axis=0), _LEAST)
    return np.asarray(apart * gain + y.mean(axis=0)).reshape(frame.shape)


def flicker(frames: Frames) -> Floats:
    """(T-2,) mean absolute second difference over time of what stays in sight, in [0, 1].

    Both neighbours of a frame are warped onto it along its flows, as in the warping error of Lai et al. (ECCV
    2018, arXiv 1808.00449); that is a first difference, in which a slow change of light counts, which is
    asked for here: a second difference is 0 for it. Left out is what flow cannot follow (forward and backward
    flow disagree, Sundaram et al., ECCV 2010) and what leaves the picture. What moves without being shifted,
    as water or painted marks do, no flow can take away: there it grows with motion itself.
    """
    found, left = _flows(frames), []
    for index in range(1, len(frames) - 1):
        after, from_after = found[index]
        from_before, before = found[index - 1]
        earlier, is_before = _warped(frames[index - 1], before, from_before)
        later, is_after = _warped(frames[index + 1], after, from_after)
        seen = is_before & is_after
        second = np.abs(earlier + later - 2 * frames[index].astype(np.float32)).mean(axis=2) / 255
        left.append(float(second[seen].mean()) if seen.any() else float(second.mean()))
    return np.array(left, np.float64)


def pearson(asked: Any, found: Any) -> float:
    """Correlation; 0 where one of the two does not change: what cannot be read was not shown."""
    one, other = (np.asarray(values, np.float64) for values in (asked, found))
    if len(one) < 2 or one.std() < _LEAST or other.std() < _LEAST:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def partial(asked: Any, found: Any, control: Any) -> float:
    """Correlation of what is left of two series when a straight line over `control` is taken from both."""
    basis = np.stack([np.asarray(control, np.float64), np.ones(len(control))], axis=1)
    left = []
    for values in (asked, found):
        series = np.asarray(values, np.float64)
        left.append(series - basis @ np.linalg.lstsq(basis, series, rcond=None)[0])
    return pearson(*left)


def mean_r(pairs: Sequence[tuple[Any, Any]]) -> float:
    """Plain mean of the correlations of many pairs of series. Fisher's mean is larger, and among values near
    1 the more so: this one does not flatter."""
    return float(np.mean([pearson(*pair) for pair in pairs])) if pairs else float("nan")


def over(motion: Floats, base: float) -> Floats:
    """log of motion over the mean motion of a base clip: scenes differ many times more than feelings do, and
    tempo is felt as a ratio."""
    return np.asarray(np.log((motion + STILL) / (base + STILL)), np.float64)


def segments(values: Floats, length: int) -> Floats:
    """(S, ...) means of consecutive stretches of `length`; a rest of less than half of one is left out."""
    starts = range(0, len(values), max(1, length))
    parts = [values[start : start + length] for start in starts]
    kept = [part for part in parts if 2 * len(part) >= length] or parts[:1]
    return np.stack([part.mean(axis=0) for part in kept])


def between(moods: Floats) -> Floats:
    """(T-1, ...) what is asked between neighbours, where motion is measured."""
    return np.asarray((moods[1:] + moods[:-1]) / 2)


def change(moods: Floats) -> Floats:
    """(T-1,) how far the asked feeling goes from frame to frame, all axes: its look goes along."""
    return np.asarray(np.abs(np.diff(moods, axis=0)).sum(axis=1))


def _flows(frames: Frames) -> Flows:
    """Dense optical flow (DIS, Kroeger et al., ECCV 2016) between neighbours, T-1 of them."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    return [(_flow().calc(now, later, None), _flow().calc(later, now, None)) for now, later in pairwise(grey)]


@cache
def _flow() -> Any:
    """At full resolution: clips here are small, and half of their pixels is little."""
    made = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    made.setFinestScale(0)
    return made


def _warped(frame: NDArray[np.uint8], there: Any, back: Any) -> tuple[Any, NDArray[np.bool_]]:
    """A neighbour as seen from the frame that flow `there` starts in, and where that can be trusted."""
    height, width = frame.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = columns + there[..., 0], rows + there[..., 1]
    seen = cv2.remap(frame.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    returned = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    apart = ((there + returned) ** 2).sum(axis=2)
    most = _NEAR[0] * ((there**2).sum(axis=2) + (returned**2).sum(axis=2)) + _NEAR[1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return seen, inside & (apart <= most)
