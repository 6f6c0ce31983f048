"""From a feeling to motion: how fast, how far and how smoothly things move at one moment of a film.

Arousal sets tempo and amplitude, valence smoothness and rise, dominance the scale of the gesture (large and
sweeping, or small). Sources: Pollick et al. 2001 (speed of arm movements tells arousal), Wallbott 1998
(expansive gestures and dynamics of joy and anger), Camurri et al. 2003 (fluid against jerky dance).
Phases are integrated over the frames, so that a change of mood changes the pace and never makes a jump.
It knows nothing of scenes; `moving` turns moments into pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sin, tanh

import numpy as np

Vad = tuple[float, float, float]
_RISE_PX = 7.0  # as far as the whole view may rise or sink, in 1/128 of the side


class Tape:
    """Random numbers that are drawn once and then replayed in every frame.

    A longer array begins like a shorter one, and ranges only scale what is on the tape; so counts and ranges
    may follow the mood without reshuffling anything. It answers to the methods of `numpy.random.Generator`
    that the painter calls.
    """

    def __init__(self, words: tuple[int, ...]) -> None:
        self._words, self._next = words, 0
        self._drawn: dict[tuple[str, int], np.ndarray] = {}
        self.memory: np.ndarray | None = None  # what the strokes laid with this tape have followed so far

    def rewound(self) -> "Tape":
        """The same tape at its beginning."""
        self._next = 0
        return self

    def _draw(self, kind: str, size: int | tuple[int, ...] | None) -> np.ndarray | float:
        shape = (size,) if isinstance(size, int) else (size or ())
        count = int(np.prod(shape)) if shape else 1
        key, self._next = (kind, self._next), self._next + 1
        if key not in self._drawn or len(self._drawn[key]) < count:
            rng = np.random.default_rng((*self._words, key[1]))
            length = 1 if not shape else max(1024, 2 * count)
            self._drawn[key] = rng.random(length) if kind == "flat" else rng.standard_normal(length)
        drawn = self._drawn[key]
        return drawn[:count].reshape(shape) if shape else float(drawn[0])

    def random(self, size: int | None = None) -> np.ndarray | float:
        """Evenly in [0, 1)."""
        return self._draw("flat", size)

    def uniform(self, low: float, high: float, size: int | tuple[int, ...] | None = None):  # type: ignore[no-untyped-def]
        """Evenly in [low, high)."""
        return low + (high - low) * self._draw("flat", size)

    def standard_normal(self, size: int | tuple[int, ...] | None = None):  # type: ignore[no-untyped-def]
        """Normal with deviation 1."""
        return self._draw("bell", size)

    def normal(self, mean: float, deviation: float, size: int | tuple[int, ...] | None = None):  # type: ignore[no-untyped-def]
        """Normal around `mean`."""
        return mean + deviation * self._draw("bell", size)

    def integers(self, count: int) -> int:
        """A whole number below `count`."""
        return int(self._draw("flat", None) * count)

    def choice(self, options: Sequence[float]) -> float:
        """One of the options."""
        return options[self.integers(len(options))]


class Tapes:
    """The tapes of one film, by key."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tapes: dict[tuple[int, ...], Tape] = {}

    def of(self, *key: int) -> Tape:
        """The tape of `key`, at its beginning."""
        if key not in self._tapes:
            self._tapes[key] = Tape((self._seed, len(key), *key))
        return self._tapes[key].rewound()


@dataclass(frozen=True, slots=True)
class Moment:
    """What moves how at one moment. `STILL`, the default everywhere, moves nothing."""

    phase: float = 0.0  # radians, integrated from the tempo
    travel: float = 0.0  # turns times reach, integrated: how far steady motion has come
    reach: float = 0.0  # amplitude; 1 is plain
    jerk: float = 0.0  # 0 smooth .. 1 trembling and halting
    rise: float = 0.0  # by how much the view has risen, in 1/128 of the side
    tapes: Tapes | None = None

    @property
    def moves(self) -> bool:
        """Whether this belongs to a film."""
        return self.tapes is not None

    def wave(self, rate: float = 1.0, offset: float = 0.0) -> float:
        """An oscillation in about [-1, 1]: a sine when smooth, halting and trembling when jerky."""
        angle = rate * self.phase + offset
        if self.jerk <= 0.0:
            return sin(angle)
        halting = 0.66 * sin(angle + 0.7 * sin(2 * angle))
        tremble = 0.20 * sin(3.1 * angle + 1.7 * offset) + 0.12 * sin(4.7 * angle + 2.9 * offset + 1.0)
        return (1 - self.jerk) * sin(angle) + self.jerk * (halting + tremble)

    def sway(self, amount: float, rate: float = 1.0, offset: float = 0.0) -> float:
        """`amount` times the oscillation and the mood's reach; 0 when nothing moves."""
        return amount * self.reach * self.wave(rate, offset) if self.moves else 0.0

    def carried(self, place: float, low: float, high: float, per_turn: float) -> float:
        """A place that steady motion carries on, and around from `high` to `low`."""
        if not self.moves:
            return place
        return low + (place + per_turn * self.travel - low) % (high - low)

    def flow(self, per_turn: float) -> float:
        """How far steady motion has carried something that has no end; 0 when nothing moves."""
        return per_turn * self.travel

    @property
    def offset(self) -> tuple[float, float]:
        """By how much the camera carries the picture to the right and down, in 1/128 of the side."""
        if not self.moves:
            return 0.0, 0.0
        return self.sway(2.4, 1.0, 0.3), self.sway(1.7, 1.0, 1.9) - self.rise

    def blink(self, offset: float = 0.0) -> float:
        """How far lids are open, 1 nearly always and 0 for an instant once in about two turns."""
        if not self.moves:
            return 1.0
        part = (0.42 * self.phase / (2 * pi) + offset) % 1.0
        return min(1.0, abs(part - 0.5) / 0.07)


STILL = Moment()


def _tempo_hz(vad: Vad) -> float:
    return (0.05 + 0.95 * (0.5 + 0.5 * vad[1])) * 2 ** (-0.4 * vad[2])


def _reach(vad: Vad) -> float:
    return (0.40 + 1.2 * (0.5 + 0.5 * vad[1])) * 2 ** (0.6 * vad[2])


def moments(
    moods: Sequence[Vad], fps: float, seed: int, gains: Sequence[float] | None = None, ahead: float = 0.0
) -> list[Moment]:
    """One moment per mood; the same moods, rate, seed and gains (factors on reach) give the same motion."""
    tapes = Tapes(seed)
    phase, travel, rise = 2 * pi * tapes.of(0).random() + ahead, 0.0, 0.0
    found = []
    for vad, gain in zip(moods, gains or [1.0] * len(moods), strict=True):
        tempo, reach = _tempo_hz(vad), gain * _reach(vad)
        jerk = (0.5 - 0.5 * vad[0]) ** 1.3
        found.append(Moment(phase, travel, reach, jerk, _RISE_PX * tanh(rise / _RISE_PX), tapes))
        phase += 2 * pi * tempo / fps
        travel += tempo * reach / fps
        rise += 5.0 * vad[0] * tempo * reach / fps
    return found
