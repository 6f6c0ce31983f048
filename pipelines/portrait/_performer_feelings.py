"""What a feeling does to a face that may be talking: action units over time, and who owns the mouth.

Brows, lids and cheeks belong to the feeling. Jaw and width of the mouth belong to speech; its corners to the
feeling, but held while the lips are closed and limited while they are round. Lips that a feeling presses or
parts give way to what is said: an angry talker bares the teeth instead. Knows no phones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.portrait._performer_lips import Mouth
from pipelines.portrait._performer_time import Array, Clock, bridged, follow, smooth, wander
from studio import muscles
from studio.motion import INDEX

_CORNERS = (12, 14, 15)
_WIDTH = (20, 18, 22)
_PARTING = (10, 16, 25)
_JAW = (26, 27)
_PRESSING = (17, 23, 24, 28)
_RISE_S = {"brow": 0.32, "eye": 0.28, "nose": 0.35, "mouth": 0.45}
_FALL_S = {"brow": 0.6, "eye": 0.5, "nose": 0.6, "mouth": 0.8}
_ONSET = 0.75  # what is there of a feeling in the first frame; the rest comes up at once
_OPEN_JAW = 0.3  # jaw that counts as an open mouth
_BREATH_S = 0.6  # a shorter pause is still talk: the mouth does not go back to the feeling
_STEADY_S = 0.07  # corners and pressing do not follow every sound


def intensities(clock: Clock, points: Array, speaking: Array, rng: np.random.Generator) -> Array:
    """(frames, units) what the feelings `points` (frames, 3) ask for, with onset and offset, and alive.

    A held expression is never quite still: it varies by a tenth, the mouth's part only while somebody speaks.
    """
    asked = muscles.track(points.astype(np.float32)).astype(np.float64)
    regions = [unit.region for unit in muscles.units().values()]
    rise, fall = (np.array([table[region] for region in regions]) for table in (_RISE_S, _FALL_S))
    padded = np.concatenate([asked[:1] * _ONSET, asked])
    shown = follow(padded, Clock(clock.frames + 1, clock.rate_hz), rise, fall)[1:]
    talk_s = np.cumsum(speaking) / clock.rate_hz
    mouth = np.array([region == "mouth" for region in regions])
    slow, spoken = wander(rng, clock.times, 3.0, 1), wander(rng, talk_s, 2.2, 1)
    alive = np.where(mouth, spoken, slow)
    return np.clip(shown * (0.95 + 0.1 * alive), 0.0, 1.0)


def flashes(clock: Clock, stresses_s: Array, points: Array, rng: np.random.Generator) -> Array:
    """(frames,) brows that rise with some of the stressed syllables, more the more aroused."""
    chosen = rng.random(len(stresses_s)) < 0.3
    size, width = rng.uniform(0.1, 0.3, len(stresses_s)), rng.uniform(0.35, 0.6, len(stresses_s))
    arousal = points[clock.frame_at(stresses_s), 1]
    return clock.bumps(stresses_s, width, size * chosen * (1.0 + 0.5 * arousal))


def with_flashes(shown: Array, raised: Array) -> Array:
    """Intensities with brows raised by `raised` (frames,): drawn-down brows stay down."""
    free = raised * (1.0 - 0.85 * _column(shown, 4))
    for number, share in ((1, 0.7), (2, 1.0)):
        column = _place(number)
        shown[:, column] = np.clip(shown[:, column] + share * free * (1.0 - shown[:, column]), 0.0, 1.0)
    return shown


def locked(shown: Array, units: Mapping[int, float] | None) -> Array:
    """Intensities with the units that a person dialled: they stay where they were put."""
    for number, value in muscles.checked(units or {}).items():
        shown[:, _place(number)] = value
    return shown


def ruled(clock: Clock, shown: Array, mouth: Mouth) -> Array:
    """(frames, units) intensities as far as speech lets the mouth show them."""
    steady = _STEADY_S * clock.rate_hz
    talk = smooth(bridged(mouth.speaking, round(_BREATH_S / 2 * clock.rate_hz)), 1.4 * steady)
    open_ = np.clip(mouth.shapes[:, INDEX["jawOpen"]] / _OPEN_JAW, 0.0, 1.0)
    open_ = smooth(np.maximum(open_, 0.45 * talk), steady)
    held = np.maximum(mouth.sealed, mouth.bitten)
    factors = {
        _CORNERS: smooth((1.0 - 0.15 * mouth.sealed) * (1.0 - 0.6 * mouth.rounded), steady),
        _WIDTH: (1.0 - 0.45 * talk) * (1.0 - 0.6 * mouth.rounded) * (1.0 - 0.5 * held),
        _PARTING: (1.0 - 0.5 * talk) * (1.0 - 0.4 * mouth.rounded) * (1.0 - held),
        _JAW: (1.0 - 0.75 * talk) * (1.0 - held),
        _PRESSING: 1.0 - 0.9 * open_,
    }
    pressed = np.clip(_column(shown, 23) + _column(shown, 24), 0.0, 1.0) * _column(shown, 4)
    found = shown.copy()
    for numbers, factor in factors.items():
        for number in numbers:
            found[:, _place(number)] *= factor
    bared = pressed * open_ * factors[_PARTING]
    for number, share in ((10, 0.6), (16, 0.75), (20, 0.3)):
        column = _place(number)
        found[:, column] = np.clip(found[:, column] + share * bared, 0.0, 1.0)
    return found


def added(mouth: Mouth, shown: Array, lean: float) -> Array:
    """(frames, 52) speech and feeling together; where both move a shape, the second takes what is left."""
    felt = muscles.shapes_of(shown.astype(np.float32), lean).astype(np.float64)
    said = mouth.shapes.copy()
    for side in ("Left", "Right"):  # a spread vowel does not smile where the corners are drawn down
        frown = felt[:, INDEX[f"mouthFrown{side}"]]
        said[:, INDEX[f"mouthSmile{side}"]] *= 1.0 - np.clip(2.0 * frown, 0.0, 1.0)
    return said + felt * (1.0 - said)


def _place(number: int) -> int:
    return list(muscles.units()).index(number)


def _column(shown: Array, number: int) -> Array:
    return shown[:, _place(number)]
