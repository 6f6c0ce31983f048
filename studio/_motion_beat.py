"""Motion as the JSON files of the BEAT data set: 51 shapes in the order of the alphabet, 60 frames a second.

There is no tongueOut and no place for the head; where the eyes look is in the eyeLook shapes. `rotation` is
empty in public files and is left so. Our own record of origin stands under `emotion_studio`, which other
readers pass over. Knows no data set and no model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from studio._motion_time import evened, rate_of
from studio.errors import InputError, nearest
from studio.motion import HEAD, INDEX, SHAPES, Array, Motion, gaze_of

NAMES = tuple(sorted(name for name in SHAPES if name != "tongueOut"))
RATE_HZ = 60.0
RECORD = "emotion_studio"


def write(motion: Motion, record: Mapping[str, Any] | None = None) -> bytes:
    """At 60 frames a second, whatever the motion's own rate is."""
    motion = motion.at_rate(RATE_HZ)
    weights = motion.weights[:, [INDEX[name] for name in NAMES]]
    frames = [
        {"weights": [float(f"{value:.6f}") for value in row], "time": round(at / RATE_HZ, 6), "rotation": []}
        for at, row in enumerate(weights.tolist())
    ]
    content = {"names": list(NAMES), "frames": frames, **({RECORD: dict(record)} if record else {})}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def read(content: bytes, name: str = "beat.json") -> Motion:
    """Names in any order, more of them too; frames without times are 1/60 s long. InputError names
    the frame."""
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(name, "", f"is no JSON: {error}") from None
    if not (isinstance(found, dict) and _is_list(found, "names") and _is_list(found, "frames")):
        raise InputError(name, "", "is no BEAT file: it needs lists 'names' and 'frames'")
    names, frames = [str(one) for one in found["names"]], found["frames"]
    for wanted in NAMES:
        if wanted not in names:
            raise InputError(name, wanted, f"names has no {wanted!r}", nearest(wanted, names))
    if not frames:
        raise InputError(name, "", "has no frames")
    values = np.array([_weights(frame, len(names), at, name) for at, frame in enumerate(frames)])
    weights = np.zeros((len(values), len(SHAPES)), np.float32)
    for shape in SHAPES:
        if shape in names:
            weights[:, INDEX[shape]] = values[:, names.index(shape)]
    rate, weights = _timed(frames, weights, name)
    head = np.zeros((len(weights), len(HEAD)), np.float32)
    return Motion(weights, head, gaze_of(weights.clip(0, 1)), rate)


def _is_list(found: Mapping[str, Any], key: str) -> bool:
    return isinstance(found.get(key), list)


def _weights(frame: Any, count: int, at: int, name: str) -> list[float]:
    values = frame.get("weights") if isinstance(frame, dict) else None
    if not isinstance(values, list) or len(values) != count:
        got = f"{len(values)}" if isinstance(values, list) else "none"
        raise InputError(name, at, f"frame {at} needs {count} weights, one for each name, got {got}")
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(name, at, f"frame {at}, weight {index}: expected a number, got {value!r}")
    return values


def _timed(frames: list[Any], weights: Array, name: str) -> tuple[float, Array]:
    stamps = [frame.get("time") for frame in frames]
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in stamps):
        return RATE_HZ, weights
    times = np.array(stamps, dtype=np.float64)
    for at in range(1, len(times)):
        if times[at] <= times[at - 1]:
            raise InputError(name, at, f"frame {at}: its time {stamps[at]} is not after the one before it")
    rate = rate_of(times, RATE_HZ)
    return rate, evened(times, rate, [weights])[0]
