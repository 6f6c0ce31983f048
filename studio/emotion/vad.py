"""The value every medium is steered by: a point in valence, arousal, dominance (PAD with other names).

Valence: unpleasant -1 .. pleasant 1. Arousal: asleep -1 .. frantic 1. Dominance: overpowered -1 .. in
control 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import SupportsFloat

from studio.errors import EmotionError

AXES = ("valence", "arousal", "dominance")
ROUNDING = 1e-6  # how far shares may be from summing to 1


@dataclass(frozen=True, slots=True)
class VAD:
    """Three finite numbers in [-1, 1]; the origin is NEUTRAL. Raises EmotionError outside that."""

    valence: float = 0.0
    arousal: float = 0.0
    dominance: float = 0.0

    def __post_init__(self) -> None:
        for axis in AXES:
            object.__setattr__(self, axis, _checked(axis, getattr(self, axis)))

    @classmethod
    def clamped(cls, valence: float, arousal: float, dominance: float) -> VAD:
        """The nearest point of the cube; for computed numbers, never for what a person wrote."""
        return cls(*(min(1.0, max(-1.0, value)) for value in (valence, arousal, dominance)))

    @property
    def intensity(self) -> float:
        """Distance from neutral, 0 .. sqrt(3)."""
        return math.hypot(*self.as_tuple())

    @property
    def reach(self) -> float:
        """The largest factor `scaled` takes: the boundary of the cube, seen from neutral; inf at neutral."""
        largest = max(abs(value) for value in self.as_tuple())
        if not largest:
            return math.inf
        reach = 1.0 / largest
        return reach if reach * largest <= 1.0 else math.nextafter(reach, 0.0)

    def as_tuple(self) -> tuple[float, float, float]:
        return (self.valence, self.arousal, self.dominance)

    def scaled(self, factor: float) -> VAD:
        """The same feeling, stronger or weaker: 0 is neutral, 1 unchanged. EmotionError past the cube."""
        return VAD(*(value * factor for value in self.as_tuple()))

    def mixed(self, other: VAD, share: float) -> VAD:
        """The straight line from self (share 0) to other (share 1). EmotionError for another share."""
        if not 0.0 <= share <= 1.0:
            raise EmotionError("share", share, f"share must be in [0, 1], got {share!r}", _near(share, 0.0))
        pairs = zip(self.as_tuple(), other.as_tuple(), strict=True)
        return VAD(*(_between(start, end, share) for start, end in pairs))

    def distance(self, other: VAD) -> float:
        """Euclidean, 0 .. 2 * sqrt(3)."""
        return math.dist(self.as_tuple(), other.as_tuple())


@dataclass(frozen=True, slots=True)
class Emotion:
    """A point and the words it came from.

    `weights`: (label, share) pairs, shares above 0 that sum to 1; for a point written in numbers, what the
    lexicon infers from it. `text`: the canonical text, which parses back to an equal value; made here when
    empty. Equality looks at point and text: the weights follow from them.
    """

    vad: VAD
    weights: tuple[tuple[str, float], ...] = field(default=(), compare=False)
    text: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.vad, VAD):
            raise EmotionError("vad", self.vad, f"vad must be a VAD, got {self.vad!r}")
        if self.weights and abs(math.fsum(share for _, share in self.weights) - 1.0) > ROUNDING:
            raise EmotionError("weights", self.weights, f"weights must sum to 1, got {self.weights!r}")
        for label, share in self.weights:
            if not share > 0.0:
                raise EmotionError("weights", share, f"weight of {label!r} must be above 0, got {share!r}")
        if not self.text:
            object.__setattr__(self, "text", axes_text(self.vad))


def axes_text(vad: VAD) -> str:
    """`v=0.7 a=-0.2 d=0.1`: the text of a point, exact to the last bit."""
    return f"v={number(vad.valence)} a={number(vad.arousal)} d={number(vad.dominance)}"


def number(value: float) -> str:
    """The shortest text that reads back to the same float: `0.6`, `1`, `1e-05`."""
    return repr(float(value)).removesuffix(".0")


def _checked(axis: str, given: object) -> float:
    if isinstance(given, (str, bytes, bool)) or not isinstance(given, SupportsFloat):
        raise EmotionError(axis, given, f"{axis} must be a number in [-1, 1], got {given!r}")
    value = float(given)
    if not -1.0 <= value <= 1.0:
        raise EmotionError(axis, value, f"{axis} must be in [-1, 1], got {value!r}", _near(value, -1.0))
    return value + 0.0  # -0.0 becomes 0.0: equal values have one text


def _near(value: float, low: float) -> str:
    """The right value nearest to one outside [low, 1]; NaN has none, 0 is as good as any."""
    return "0" if math.isnan(value) else number(min(1.0, max(low, value)))


def _between(start: float, end: float, share: float) -> float:
    value = (1.0 - share) * start + share * end
    return min(max(start, end), max(min(start, end), value))  # rounding must not leave the interval


NEUTRAL = VAD()
