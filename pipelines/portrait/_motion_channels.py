"""What the motion network writes: 44 shapes, head and gaze in one row a frame, and which of them do what.

The eight eyeLook shapes follow from the gaze, so no network writes them. Knows Motion; knows no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from studio.errors import InputError, nearest
from studio.motion import GAZE, HEAD, INDEX, RATE_HZ, SHAPES, Motion

Array = npt.NDArray[np.float32]

WRITTEN = tuple(name for name in SHAPES if not name.startswith("eyeLook"))
CHANNELS = (*WRITTEN, *(f"head.{name}" for name in HEAD), *(f"gaze.{name}" for name in GAZE))
COUNT = len(CHANNELS)
WEIGHTS = slice(0, len(WRITTEN))
POSE = slice(len(WRITTEN), len(WRITTEN) + len(HEAD))
LOOK = slice(POSE.stop, COUNT)
_SHAPES = [INDEX[name] for name in WRITTEN]
_REGIONS = {
    **{"brow": ("brow",), "eye": ("eye", "gaze"), "head": ("head",)},
    "mouth": ("jaw", "mouth", "tongue", "cheek", "nose"),
}


def at(*names: str) -> list[int]:
    """The places of channels."""
    return [CHANNELS.index(name) for name in names]


def region(name: str) -> npt.NDArray[np.bool_]:
    """(COUNT,) which channels are the "brow", the "eye" (gaze too), the "head" or the "mouth" (all below the
    eyes)."""
    return np.array([channel.startswith(_REGIONS[name]) for channel in CHANNELS])


LIPS = np.array([channel.startswith(("jaw", "mouth", "tongue")) for channel in CHANNELS])
LIDS = np.array([channel.startswith("eyeBlink") for channel in CHANNELS])


def rows_of(motion: Motion) -> Array:
    """(frames, COUNT) float32."""
    return np.concatenate([written(motion.weights), motion.head, motion.gaze], axis=1)


def written(shapes: npt.NDArray[np.floating]) -> Array:
    """Of weights (frames, 52) those that the network writes."""
    return np.asarray(shapes[:, _SHAPES], dtype=np.float32)


def motion_of(rows: Array, rate_hz: float = RATE_HZ) -> Motion:
    """Back again; weights are clamped to [0, 1]."""
    weights = np.zeros((len(rows), len(SHAPES)), dtype=np.float32)
    weights[:, _SHAPES] = rows[:, WEIGHTS]
    return Motion(weights, rows[:, POSE], rows[:, LOOK], rate_hz)


def locked(held: Mapping[str, float | Sequence[float]], frames: int) -> Array:
    """(frames, COUNT): the weight of each shape that is held, NaN where nothing is.

    `held`: shape -> weight in [0, 1], one for all frames or one a frame. Raises InputError.
    """
    made = np.full((frames, COUNT), np.nan, dtype=np.float32)
    for name, weight in held.items():
        if name not in WRITTEN:
            why = f"{name!r} is no shape that can be held"
            raise InputError("locks", name, why, nearest(name, WRITTEN))
        weights = np.asarray(weight, dtype=np.float32)
        if weights.shape not in {(), (frames,)} or not ((weights >= 0) & (weights <= 1)).all():
            why = f"{name!r} takes one weight in [0, 1], or one for each of {frames} frames"
            raise InputError("locks", name, why)
        made[:, WRITTEN.index(name)] = weights
    return made
