"""An emotion over time: keyframes over progress 0..1 or over seconds. A constant is a curve of one key."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.emotion.lexicon import lexicon
from studio.emotion.vad import NEUTRAL, VAD, Emotion, axes_text, number
from studio.errors import EmotionError, nearest

UNITS = ("progress", "seconds")
FIELDS = ("at", "unit", "v", "a", "d", "text")  # of a key in JSON
AGREEMENT = 1e-6  # how far the numbers of a key may be from its text


@dataclass(frozen=True, slots=True)
class Key:
    """An emotion at a place: progress in [0, 1], or seconds from 0; the curve has the unit."""

    at: float
    emotion: Emotion

    def __post_init__(self) -> None:
        if not 0.0 <= self.at < math.inf:
            raise EmotionError("at", self.at, f"a key must be at 0 or later, got {self.at!r}", "0")
        object.__setattr__(self, "at", float(self.at) + 0.0)


@dataclass(frozen=True, slots=True)
class EmotionCurve:
    """Keys in order, at different places; linear in VAD between them, constant before and after.

    Raises EmotionError for no keys, an unknown unit, keys out of order, or progress above 1.
    """

    keys: tuple[Key, ...]
    unit: str = "progress"

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(self.keys))
        if not self.keys:
            raise EmotionError("keys", self.keys, "a curve needs at least one key", "neutral")
        if self.unit not in UNITS:
            why = f"unit must be one of {', '.join(UNITS)}, got {self.unit!r}"
            raise EmotionError("unit", self.unit, why, nearest(str(self.unit), UNITS))
        for before, after in zip(self.keys, self.keys[1:], strict=False):
            if after.at <= before.at:
                why = f"keys must be in order and apart, got {number(after.at)} after {number(before.at)}"
                raise EmotionError("keys", after.at, why)
        if self.unit == "progress" and self.keys[-1].at > 1.0:
            at = self.keys[-1].at
            raise EmotionError("at", at, f"progress must be in [0, 1], got {number(at)}", "1")

    @classmethod
    def constant(cls, emotion: Emotion | VAD) -> EmotionCurve:
        """The same emotion from start to end."""
        return cls((Key(0.0, emotion if isinstance(emotion, Emotion) else Emotion(emotion)),))

    @property
    def is_constant(self) -> bool:
        """Whether every place has the same point."""
        return all(key.emotion.vad == self.keys[0].emotion.vad for key in self.keys)

    @property
    def is_neutral(self) -> bool:
        """Whether every place is NEUTRAL: an adapter has nothing to do."""
        return all(key.emotion.vad == NEUTRAL for key in self.keys)

    @property
    def text(self) -> str:
        """Canonical text; `parse_curve` reads it back to an equal curve."""
        if len(self.keys) == 1 and self.keys[0].at == 0.0 and self.unit == "progress":
            return self.keys[0].emotion.text
        return ", ".join(f"{key.emotion.text}@{place(key.at, self.unit)}" for key in self.keys)

    def at(self, progress: float, length_s: float | None = None) -> VAD:
        """The point at progress in [0, 1]. A curve in seconds needs the length, in seconds above 0."""
        if not 0.0 <= progress <= 1.0:
            raise EmotionError("progress", progress, f"progress must be in [0, 1], got {progress!r}")
        where = progress if self.unit == "progress" else progress * self._length(length_s)
        after = bisect_right(self.keys, where, key=lambda key: key.at)
        if after in (0, len(self.keys)):
            return self.keys[min(after, len(self.keys) - 1)].emotion.vad
        start, end = self.keys[after - 1], self.keys[after]
        return start.emotion.vad.mixed(end.emotion.vad, (where - start.at) / (end.at - start.at))

    def sample(self, count: int, length_s: float | None = None) -> list[VAD]:
        """`count` (1 or more) points, evenly spaced: the first at the start, the last at the end."""
        if count < 1:
            raise EmotionError("count", count, f"count must be 1 or more, got {count!r}", "1")
        return [self.at(index / max(count - 1, 1), length_s) for index in range(count)]

    def keys_past(self, length_s: float) -> tuple[Key, ...]:
        """Keys in seconds that lie beyond the end; none for a curve in progress."""
        length = self._length(length_s)
        return tuple(key for key in self.keys if key.at > length) if self.unit == "seconds" else ()

    def to_json(self) -> list[dict[str, Any]]:
        """One {at, unit, v, a, d, text} per key: what an editor draws and `from_json` reads back."""
        return [
            {"at": key.at, "unit": self.unit}
            | dict(zip("vad", key.emotion.vad.as_tuple(), strict=True))
            | {"text": key.emotion.text}
            for key in self.keys
        ]

    @classmethod
    def from_json(cls, entries: Sequence[Mapping[str, Any]]) -> EmotionCurve:
        """Keys with `at` and `text`, or `at` and any of v, a, d (0 if missing); with both they must agree.

        `unit` is "progress" if missing. Raises EmotionError, which names the number of the key.
        """
        if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Sequence):
            raise EmotionError("keys", entries, f"expected a list of keys, got {type(entries).__name__}")
        keys = tuple(_key(number_, entry) for number_, entry in enumerate(entries, start=1))
        units = {str(entry.get("unit", "progress")) for entry in entries}
        if len(units) > 1:
            raise EmotionError("unit", sorted(units), "progress and seconds cannot be mixed in one curve")
        return cls(keys, units.pop() if units else "progress")

    def _length(self, length_s: float | None) -> float:
        if length_s is None:
            raise EmotionError("length_s", None, "a curve in seconds needs the length of what is made")
        if not 0.0 < length_s < math.inf:
            raise EmotionError("length_s", length_s, f"length must be above 0 s, got {length_s!r}")
        return float(length_s)


def place(at: float, unit: str) -> str:
    """`50%` or `4s`; a progress that no short percentage hits exactly is written as it is."""
    if unit == "seconds":
        return f"{number(at)}s"
    percent = f"{at * 100.0:.10g}"
    return f"{percent}%" if float(percent) / 100.0 == at else number(at)


def _key(index: int, entry: Any) -> Key:
    from studio.emotion.grammar import parse_emotion  # the grammar makes curves, so it imports this file

    if not isinstance(entry, Mapping) or "at" not in entry:
        raise EmotionError("keys", entry, f"key {index} must be an object with 'at', got {entry!r}")
    for name in entry:
        if name not in FIELDS:
            raise EmotionError(
                "keys", name, f"key {index} has an unknown field {name!r}", nearest(str(name), FIELDS)
            )
    at = entry["at"]
    if isinstance(at, bool) or not isinstance(at, (int, float)):
        raise EmotionError("at", at, f"'at' of key {index} must be a number, got {at!r}")
    point = VAD(*(entry.get(axis, 0.0) for axis in "vad")) if any(axis in entry for axis in "vad") else None
    text = str(entry.get("text", "")).strip()
    if not text:
        return Key(at, lexicon().emotion(point or NEUTRAL))
    emotion = parse_emotion(text)
    if point is not None and point.distance(emotion.vad) > AGREEMENT:
        why = f"key {index} says {text!r}, which is {axes_text(emotion.vad)}, and also {axes_text(point)}"
        raise EmotionError("keys", text, why)
    return Key(at, emotion)
