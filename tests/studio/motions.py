"""Motions for tests: everything moves, nothing at random that a failure could not be found again with."""

from __future__ import annotations

import numpy as np

from studio.motion import INDEX, SHAPES, Motion

OPPOSITES = (
    *(("jawLeft", "jawRight"), ("mouthLeft", "mouthRight")),
    *((f"eyeBlink{side}", f"eyeWide{side}") for side in ("Left", "Right")),
)


def moving(frames: int = 60, rate_hz: float = 30.0, seed: int = 0) -> Motion:
    """Smooth, every column another; never both of two opposites."""
    chance = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / rate_hz
    phases = chance.uniform(0, 2 * np.pi, (3, 60))

    def waves(count: int, row: int) -> np.ndarray:
        return np.sin(time * chance.uniform(2, 6, count) + phases[row, :count])

    weights = 0.5 + 0.5 * waves(len(SHAPES), 0)
    for one, other in OPPOSITES:
        weights[:, INDEX[other]] = 0
        weights[frames // 2 :, INDEX[one]] = 0
        weights[frames // 2 + 1 :, INDEX[other]] = 0.7
    return Motion(weights, waves(6, 1) * [20, 30, 15, 0.5, 0.3, 0.4], waves(2, 2) * [25, 15], rate_hz)


def single(**weights: float) -> Motion:
    """One frame with some shapes; `yaw`, `pitch`, `roll` of the head, `look` and `look_up` in degrees."""
    head = [[weights.pop(name, 0.0) for name in ("pitch", "yaw", "roll")] + [0.0, 0.0, 0.0]]
    gaze = [[weights.pop("look", 0.0), weights.pop("look_up", 0.0)]]
    row = np.zeros((1, len(SHAPES)))
    for name, value in weights.items():
        row[0, INDEX[name]] = value
    return Motion(row, np.array(head), np.array(gaze))
