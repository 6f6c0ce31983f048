"""A piece of music as people write it down: parts of notes on beats, bars with meter, tempo and feeling.

Beats are quarters, counted from the start. Knows no file format, no model and no sound.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from studio.emotion import NEUTRAL, VAD
from studio.errors import InputError, nearest

LEAST_BPM, MOST_BPM = 10, 400  # quarters a minute of a bar
METERS = {"4/4": 4.0, "3/4": 3.0, "2/4": 2.0, "6/8": 3.0}  # length of a bar in quarters
_TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in _TONICS)


@dataclass(frozen=True, slots=True)
class Note:
    """Start and length in beats, MIDI pitch 0..127, velocity 1..127."""

    start_beats: float
    length_beats: float
    pitch: int
    velocity: int

    def __post_init__(self) -> None:
        if not (self.start_beats >= 0 and self.length_beats > 0):
            where = (self.start_beats, self.length_beats)
            raise InputError("note", where, f"must start at 0 or later and last, got {where}")
        if not (0 <= self.pitch <= 127 and 1 <= self.velocity <= 127):
            sound = (self.pitch, self.velocity)
            raise InputError("note", sound, f"pitch must be 0..127 and velocity 1..127, got {sound}")


@dataclass(frozen=True, slots=True)
class Part:
    """One named track. `program`: General MIDI instrument 0..127."""

    name: str
    program: int
    notes: tuple[Note, ...]
    pedal: tuple[tuple[float, float], ...] = ()  # (down, up) in beats, in order


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: tempo in quarters a minute, what it should feel like, chord names one per equal share."""

    meter: str
    tempo_bpm: float
    emotion: VAD = NEUTRAL
    chords: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.meter not in METERS:
            why = f"{self.meter!r} is not one of {', '.join(METERS)}"
            raise InputError("meter", self.meter, why, nearest(self.meter, METERS))
        if not LEAST_BPM <= self.tempo_bpm <= MOST_BPM:
            raise InputError(
                "tempo_bpm",
                self.tempo_bpm,
                f"must be in [{LEAST_BPM}, {MOST_BPM}], got {self.tempo_bpm}",
                "100",
            )

    @property
    def length_beats(self) -> float:
        return METERS[self.meter]


@dataclass(frozen=True)
class Piece:
    """`key` is a word of KEYS. `emotions`: (bar index, text) where the asked feeling turns, for markers.

    `notation`: the piece in the composer's own words, which its files carry along."""

    bars: tuple[Bar, ...]
    parts: tuple[Part, ...]
    key: str = "C major"
    title: str = ""
    emotions: tuple[tuple[int, str], ...] = field(default=())
    notation: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.bars:
            raise InputError("bars", self.bars, "a piece needs at least one bar")
        if self.key not in KEYS:
            raise InputError("key", self.key, f"{self.key!r} is no key", nearest(self.key, KEYS))

    @property
    def notes(self) -> Iterator[Note]:
        """All notes, part by part."""
        return (note for part in self.parts for note in part.notes)

    @cached_property
    def bar_starts(self) -> tuple[float, ...]:
        """In beats, one more than there are bars: the last is the end."""
        starts = [0.0]
        for bar in self.bars:
            starts.append(starts[-1] + bar.length_beats)
        return tuple(starts)

    @cached_property
    def _bar_seconds(self) -> tuple[float, ...]:
        seconds = [0.0]
        for bar in self.bars:
            seconds.append(seconds[-1] + bar.length_beats * 60 / bar.tempo_bpm)
        return tuple(seconds)

    @property
    def length_s(self) -> float:
        return self._bar_seconds[-1]

    def seconds(self, beats: float) -> float:
        """When a beat sounds; beyond the last bar its tempo goes on."""
        bar = min(max(bisect_right(self.bar_starts, beats) - 1, 0), len(self.bars) - 1)
        since = beats - self.bar_starts[bar]
        return self._bar_seconds[bar] + since * 60 / self.bars[bar].tempo_bpm
