"""Head of a performance: nods on stress, a slow sway, a posture for the feeling, breath. Knows no mouth."""

from __future__ import annotations

import numpy as np

from pipelines.portrait._performer_time import Array, Clock, eased, follow, wander

_SWAY_DEG = (1.5, 2.6, 1.5)  # pitch, yaw, roll; twice the deviation
_SWAY_UNITS = (0.03, 0.012, 0.02)  # x, y, z in distances between the outer corners of the eyes
_SWAY_S = 3.4
_NOD_DEG = (0.8, 2.6)
_NOD_SHARE = 0.55  # of the stressed syllables
_TALK = 0.55  # what is left of the sway in silence
_BREATH_HZ, _BREATH_UNITS, _BREATH_DEG = 0.23, 0.008, 0.35


def head(clock: Clock, points: Array, stresses_s: Array, speaking: Array, rng: np.random.Generator) -> Array:
    """(frames, 6) in degrees and eye distances, as `Motion.head`; moves more the more aroused."""
    lively = follow(1.0 + 0.55 * points[:, 1:2], clock, np.array([0.8]), np.array([0.8]))
    talking = follow(_TALK + (1 - _TALK) * speaking[:, None], clock, np.array([0.6]), np.array([0.9]))
    sway = wander(rng, clock.times, _SWAY_S, 6) * np.array([*_SWAY_DEG, *_SWAY_UNITS])
    drift = wander(rng, clock.times, 9.0, 3) * np.array([0.6, 1.8, 1.0])
    found = sway * lively * talking
    found[:, :3] += drift
    found[:, 0] -= _nods(clock, stresses_s, lively[:, 0], rng)
    found += _posture(clock, points, rng) + _breath(clock, points, rng)
    return found


def _nods(clock: Clock, stresses_s: Array, lively: Array, rng: np.random.Generator) -> Array:
    """(frames,) degrees down: some stressed syllables get a nod, its lowest point on the syllable."""
    count = len(stresses_s)
    chosen = rng.random(count) < _NOD_SHARE
    late = stresses_s + rng.uniform(-0.03, 0.06, count)
    size = rng.uniform(*_NOD_DEG, count) * lively[clock.frame_at(late)]
    return clock.bumps(late, rng.uniform(0.4, 0.65, count), size * chosen)


def _posture(clock: Clock, points: Array, rng: np.random.Generator) -> Array:
    """(frames, 6): dominance lifts the chin, gloom without energy lowers it, fear draws back, cheer leans in.

    Anger lowers the forehead towards whom it is meant for. To which side a head tilts, the seed says.
    """
    valence, arousal, dominance = points.T
    gloom, cheer = np.clip(-valence, 0, 1), np.clip(valence, 0, 1)
    calm, strong, weak = np.clip(0.4 - arousal, 0, 1), np.clip(dominance, 0, 1), np.clip(-dominance, 0, 1)
    side = rng.choice((-1.0, 1.0)) * rng.uniform(0.5, 1.0)
    anger = gloom * np.clip(arousal - 0.35, 0, 1) * eased(dominance / 0.2)
    wanted = np.zeros((clock.frames, 6))
    wanted[:, 0] = 5.0 * dominance - 8.0 * gloom * calm - 22.0 * anger
    wanted[:, 1] = side * 2.5 * gloom * weak
    wanted[:, 2] = side * (3.0 * cheer * weak + 2.5 * gloom * calm + 1.2 * cheer)
    fear = gloom * weak * np.clip(arousal, 0, 1)
    wanted[:, 5] = 0.05 * cheer * np.clip(arousal, 0, 1) + 0.25 * anger * strong - 0.3 * fear
    rise = np.full(6, 0.6)
    return follow(wanted, clock, rise, rise)


def _breath(clock: Clock, points: Array, rng: np.random.Generator) -> Array:
    rate = _BREATH_HZ * rng.uniform(0.85, 1.15) * (1.0 + 0.5 * np.clip(points[:, 1], -0.5, 1.0))
    phase = 2 * np.pi * (np.cumsum(rate) / clock.rate_hz + rng.random())
    wave = np.sin(phase) * (1.0 + 0.5 * np.clip(points[:, 1], 0, 1))
    found = np.zeros((clock.frames, 6))
    found[:, 0], found[:, 4] = _BREATH_DEG * wave, _BREATH_UNITS * wave
    return found
