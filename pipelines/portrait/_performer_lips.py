"""Lips and jaw of speech: a shape for each viseme, blended by dominance, closed where lips must meet.

Blending: Cohen & Massaro 1993, "Modeling coarticulation in synthetic visual speech". A segment's dominance is
D = a exp(-theta t^c), t seconds from the segment; a shape is the mean of the targets weighted by dominance,
for jaw and lip opening, rounding and spreading apart. Spans of influence: JALI (Edwards et al. 2016), 120 ms
around a phone, 160 ms where the lips do most. Knows no emotion but how much a speaker articulates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.portrait import _performer_sound as sound
from pipelines.portrait._performer_time import Array, Clock, eased, smooth
from studio.motion import INDEX, SHAPES
from studio.speech import CLOSED, DENTAL, VISEMES, VOWELS, Speech

CHANNELS = ("jaw", "lower", "upper", "stretch", "smile", "funnel", "pucker")
GROUPS = ("open", "round", "spread")
GROUP_OF = (0, 0, 0, 2, 2, 1, 1)
# Weights of CHANNELS, then dominance of GROUPS: restrained targets of a natural speaker. The lips of p, b, m,
# f and v meet by `contact`, so these need not rule the opening of their neighbours as well.
_TABLE = {
    "SIL": ((0, 0, 0, 0, 0, 0, 0), (1.4, 1, 1)),
    "PP": ((0.03, 0, 0, 0, 0, 0, 0.04), (2.5, 0.7, 0.8)),
    "FF": ((0.06, 0, 0.1, 0.03, 0, 0, 0), (2, 0.6, 0.8)),
    "TH": ((0.07, 0.06, 0.03, 0, 0, 0, 0), (1.4, 0.4, 0.5)),
    "DD": ((0.07, 0.07, 0.03, 0.05, 0, 0, 0), (0.9, 0.3, 0.4)),
    "LL": ((0.09, 0.07, 0.03, 0.03, 0, 0, 0), (0.7, 0.3, 0.4)),
    "SS": ((0.035, 0.07, 0.05, 0.1, 0.04, 0, 0), (1.3, 0.4, 0.8)),
    "SH": ((0.05, 0.06, 0.06, 0, 0, 0.2, 0.12), (1.1, 2, 1)),
    "RR": ((0.06, 0.04, 0, 0, 0, 0.12, 0.14), (0.7, 1.4, 0.8)),
    "KK": ((0.1, 0.06, 0.02, 0, 0, 0, 0), (0.6, 0.3, 0.3)),
    "HH": ((0.08, 0.05, 0, 0, 0, 0, 0), (0.15, 0.15, 0.15)),
    "JJ": ((0.05, 0.05, 0, 0.12, 0.06, 0, 0), (0.7, 0.5, 1.3)),
    "WW": ((0.04, 0, 0, 0, 0, 0.14, 0.36), (1.6, 3, 1.6)),
    "AA": ((0.2, 0.16, 0.05, 0.04, 0, 0, 0), (1, 1, 1)),
    "EE": ((0.12, 0.12, 0.05, 0.14, 0.07, 0, 0), (1, 1, 1)),
    "IH": ((0.07, 0.08, 0.04, 0.18, 0.1, 0, 0), (1, 1, 1.1)),
    "YI": ((0.08, 0.07, 0.02, 0.07, 0, 0, 0), (1, 1, 1)),
    "OO": ((0.13, 0.06, 0, 0, 0, 0.34, 0.14), (1, 1.3, 1)),
    "UU": ((0.06, 0, 0, 0, 0, 0.2, 0.38), (1, 1.5, 1)),
    "ER": ((0.08, 0.04, 0, 0, 0, 0.14, 0.12), (1, 1.1, 1)),
    "AX": ((0.09, 0.07, 0.02, 0, 0, 0, 0), (0.7, 0.7, 0.7)),
}
# The table is of quiet talk. Before a camera it is scaled, vowels most: half way to the tables of avatars.
_VOWEL_SCALE = (3.3, 2.0, 1.7, 1.4, 1.1, 1.4, 1.35)
_CONSONANT_SCALE = (1.8, 1.4, 1.5, 1.4, 1.1, 1.4, 1.35)
_TARGETS = np.array([
    np.multiply(_TABLE[name][0], _VOWEL_SCALE if name in VOWELS else _CONSONANT_SCALE) for name in VISEMES
])  # fmt: skip
_DOMINANCE = np.array([_TABLE[name][1] for name in VISEMES], dtype=float)
_LIP_HEAVY = ("OO", "UU", "WW", "SH", "SS", "JJ", "PP", "FF")
_REST = VISEMES.index("SIL")
_THETA, _THETA_LIPS = np.log(12) / 0.12, np.log(12) / 0.16  # a twelfth of the dominance is left
_CORE = (0.2, 0.75)  # the part of a phone that is at its peak
_REACH_S = 0.3
_GAP_S = 0.04  # a shorter stretch without phones is no rest
_SEALED_JAW = 0.06


@dataclass(frozen=True, slots=True, eq=False)
class Mouth:
    """`shapes` (frames, 52) of speech alone; per frame in [0, 1]: `sealed` (p, b, m), `bitten` (f, v),
    `rounded`, and `speaking`, 0 in silence.
    """

    shapes: Array
    sealed: Array
    bitten: Array
    rounded: Array
    speaking: Array


def mouth(speech: Speech, clock: Clock, effort: Array, rng: np.random.Generator) -> Mouth:
    """What the mouth does to say it. `effort` (frames,): 1 is plain, more opens and moves it farther."""
    levels = sound.levels_db(speech.samples, speech.rate_hz, clock)
    if any(phone.viseme != "SIL" for phone in speech.phones):
        spoken = _Spoken.of(speech)
        gate = spoken.gate(clock) * sound.heard(levels, clock)
        channels = spoken.blended(clock, spoken.sizes(speech, rng))
        sealed, bitten = (spoken.contact(clock, viseme) for viseme in (CLOSED, DENTAL))
    else:
        gate = sound.heard(levels, clock)
        channels, sealed = _guessed(speech, clock)
        bitten = np.zeros(clock.frames)
    channels *= gate[:, None]
    channels[:, :3] *= effort[:, None]
    channels[:, 3:] *= (0.5 + 0.5 * effort)[:, None]
    return _mouth(channels, sealed * gate, bitten * gate, gate)


def close(shapes: Array, sealed: Array, bitten: Array) -> None:
    """Makes lips meet where they must, whatever else (a feeling) opened them. Changes `shapes`."""
    jaw = INDEX["jawOpen"]
    for name in ("mouthLowerDown", "mouthUpperUp"):
        for side in ("Left", "Right"):
            shapes[:, INDEX[name + side]] *= 1.0 - np.maximum(sealed, bitten if "Lower" in name else 0.0)
    held = np.maximum(sealed, bitten)
    limit = np.where(sealed >= bitten, _SEALED_JAW, 0.12)
    shapes[:, jaw] += held * (np.minimum(shapes[:, jaw], limit) - shapes[:, jaw])
    for name in ("mouthFunnel", "mouthShrugUpper"):
        shapes[:, INDEX[name]] *= 1.0 - 0.7 * sealed
    shapes[:, INDEX["mouthClose"]] = np.minimum(sealed, 1.0) * shapes[:, jaw]


def lip_gap(shapes: npt.NDArray[np.floating]) -> Array:
    """(frames,) how far the lips are apart, 0 closed; about 0.5 for a spoken "ah". `shapes`: (frames, 52)."""
    sides = [INDEX[name + side] for name in ("mouthLowerDown", "mouthUpperUp") for side in ("Left", "Right")]
    gap = np.maximum(shapes[:, INDEX["jawOpen"]] - shapes[:, INDEX["mouthClose"]], 0.0)
    return np.asarray(gap + 0.25 * shapes[:, sides].sum(axis=1), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Spoken:
    """Phones and the rests between them as arrays."""

    viseme: npt.NDArray[np.int64]
    start_s: Array
    end_s: Array
    stressed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, speech: Speech) -> _Spoken:
        rows = []
        at = 0.0
        for phone in (*speech.phones, None):
            start = phone.start_s if phone else speech.length_s
            if start - at > _GAP_S:
                rows.append((_REST, at, start, False))
            if phone:
                rows.append((VISEMES.index(phone.viseme), phone.start_s, phone.end_s, phone.stressed))
                at = max(at, phone.end_s)
        viseme, start, end, stressed = (np.array(column) for column in zip(*rows, strict=True))
        return cls(viseme, start.astype(float), end.astype(float), stressed)

    def gate(self, clock: Clock) -> Array:
        """(frames,) 1 from shortly before a phone to shortly after it, 0 in rests."""
        said = self.viseme != _REST
        rise = np.full(said.sum(), 0.14)
        return clock.plateaus(self.start_s[said] - 0.06, self.end_s[said] + 0.06, rise, rise)

    def sizes(self, speech: Speech, rng: np.random.Generator) -> Array:
        """(phones,) factor on the opening: loud and stressed vowels are wider, and no two are quite alike."""
        levels = sound.span_levels_db(speech.samples, speech.rate_hz, self.start_s, self.end_s)
        vowel = np.isin(self.viseme, [VISEMES.index(name) for name in VOWELS])
        middle = np.median(levels[vowel]) if vowel.any() else 0.0
        loud = np.clip(1.0 + 0.03 * (levels - middle), 0.75, 1.3)
        stress = np.where(self.stressed, 1.18, 0.95)
        return np.where(vowel, loud * stress, 1.0) * np.clip(rng.normal(1.0, 0.07, len(vowel)), 0.8, 1.2)

    def blended(self, clock: Clock, sizes: Array) -> Array:
        """(frames, CHANNELS) targets by dominance."""
        length = self.end_s - self.start_s
        rest = self.viseme == _REST
        first = self.start_s + np.where(rest, 0.03, _CORE[0] * length)
        last = np.maximum(self.end_s - np.where(rest, 0.03, (1 - _CORE[1]) * length), first)
        span, frame = clock.cells(first - _REACH_S, last + _REACH_S)
        away = np.maximum(np.maximum(first[span] - clock.times[frame], clock.times[frame] - last[span]), 0.0)
        heavy = np.isin(self.viseme, [VISEMES.index(name) for name in _LIP_HEAVY])
        fall = np.exp(-np.where(heavy, _THETA_LIPS, _THETA)[span] * away)
        targets = _TARGETS[self.viseme] * np.where(np.arange(7) < 3, sizes[:, None], 1.0)
        weights = [fall * _DOMINANCE[self.viseme[span], group] for group in range(len(GROUPS))]
        totals = [np.bincount(frame, weights=one, minlength=clock.frames) + 1e-9 for one in weights]
        columns = (
            np.bincount(frame, weights=weights[group] * targets[span, channel], minlength=clock.frames)
            / totals[group]
            for channel, group in enumerate(GROUP_OF)
        )
        return smooth(np.stack(list(columns), axis=1), 0.02 * clock.rate_hz)

    def contact(self, clock: Clock, viseme: str) -> Array:
        """(frames,) 1 while the lips (or lip and teeth) of `viseme` must touch, eased on both sides."""
        which = np.flatnonzero(self.viseme == VISEMES.index(viseme))
        length = self.end_s - self.start_s
        middle = self.start_s[which] + 0.48 * length[which]
        half = np.maximum(0.22 * length[which], 0.52 / clock.rate_hz)  # one frame falls into it at any rate
        around = np.pad(length, 1, mode="edge")
        rise, fall = (np.clip(0.6 * around[which + step], 0.045, 0.1) for step in (0, 2))
        return clock.plateaus(middle - half, middle + half, rise, fall)


def _mouth(channels: Array, sealed: Array, bitten: Array, gate: Array) -> Mouth:
    shapes = np.zeros((len(channels), len(SHAPES)))
    jaw, lower, upper, stretch, smile, funnel, pucker = channels.T
    both = {
        "mouthLowerDown": lower,
        "mouthUpperUp": np.maximum(upper, 0.16 * bitten),
        "mouthStretch": stretch,
    }
    both |= {"mouthSmile": smile, "mouthPress": 0.3 * sealed}
    one = {"jawOpen": jaw, "mouthFunnel": funnel, "mouthPucker": pucker}
    one |= {"mouthRollLower": 0.4 * bitten + 0.15 * sealed, "mouthRollUpper": 0.1 * sealed}
    for name, values in both.items():
        for side in ("Left", "Right"):
            shapes[:, INDEX[name + side]] = values
    for name, values in one.items():
        shapes[:, INDEX[name]] = values
    close(shapes, sealed, bitten)
    return Mouth(shapes, sealed, bitten, eased((funnel + pucker) / 0.5), gate)


def _guessed(speech: Speech, clock: Clock) -> tuple[Array, Array]:
    """(frames, CHANNELS) and how sealed, for a voice without phones."""
    guess = sound.guessed(speech.samples, speech.rate_hz, clock)
    open_, spread = guess["open"], guess["spread"] * (1.0 - guess["round"])
    columns = (0.42 * open_, 0.24 * open_, 0.07 * open_, 0.2 * spread, 0.08 * spread)
    return np.stack([*columns, 0.35 * guess["round"], 0.3 * guess["round"]], axis=1), guess["sealed"]
