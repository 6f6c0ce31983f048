"""Blinks and looks put over a performance: what a network of few steps draws too softly.

A blink is over in six frames and comes when it likes: what is likely at any moment is an open eye, and a look
jumps from place to place. So both come from the rules of _performer_eyes, in place of the network's; how far
lids hang and eyes are wide or narrow with a feeling stays the network's. Numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait import _performer_eyes as eyes
from pipelines.portrait._hearing import Array
from pipelines.portrait._performer_time import Clock
from studio.emotion import VAD
from studio.motion import LOOK_DEG, RATE_HZ

BLINK_FRAMES = 15  # what lasts less than half of that is no lid that hangs
PAUSE_FRAMES = 4
_LIDS = channels.at("eyeBlinkLeft", "eyeBlinkRight")
_WIDE = channels.at("eyeWideLeft", "eyeWideRight")
_PITCH = channels.CHANNELS.index("gaze.pitch")


def with_eyes(rows: Array, sound: Array, moods: Sequence[VAD], seed: int) -> Array:
    """`rows` (frames, COUNT) with blinks and looks of that seed; `sound` as _hearing has it. A copy."""
    clock = Clock(len(rows), RATE_HZ)
    points = np.array([mood.as_tuple() for mood in moods])
    for_blinks, for_looks = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
    quiet = hearing.silent(sound)
    made = _without_blinks(rows)
    motion = channels.motion_of(made)
    looking = eyes.gaze(clock, points, motion.head.astype(float), for_looks)
    open_ = eyes.blinks(clock, points, _pauses(quiet), 1 - quiet, for_blinks)
    shapes = motion.weights.astype(float)
    eyes.lids(shapes, open_, looking)
    made[:, channels.WEIGHTS] = channels.written(shapes)
    made[:, channels.LOOK] = looking
    return made


def _without_blinks(rows: Array) -> Array:
    """Lids as they hang for a while, less what they follow the network's own gaze."""
    made = np.array(rows, dtype=np.float32)
    room = BLINK_FRAMES // 2
    around = np.pad(made[:, _LIDS], ((room, room), (0, 0)), mode="edge")
    hang = np.median(np.lib.stride_tricks.sliding_window_view(around, BLINK_FRAMES, axis=0), axis=-1)
    down, up = (np.clip(sign * made[:, _PITCH] / LOOK_DEG, 0, 1)[:, None] for sign in (-1, 1))
    made[:, _LIDS] = np.maximum(hang - eyes.LID_FOLLOWS * down, 0)
    made[:, _WIDE] = np.maximum(made[:, _WIDE] - eyes.WIDE_FOLLOWS * up, 0)
    return made


def _pauses(quiet: Array) -> np.ndarray:
    """Seconds at which pauses begin: where people like to blink."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet > 0.6, [0]]).astype(int))).reshape(-1, 2)
    return np.array([start / RATE_HZ + 0.06 for start, end in edges if start and end - start >= PAUSE_FRAMES])
