"""The bar/sixteenth grid that the music models write on: which fields a bar has, and how many tokens each.

A bar is one row of WIDTH tokens, field after field in sampling order. Every field has `per_bar` moments of
`voices` tokens. Pitches are semitones above LOWEST plus one; 0 is no onset. Lengths and loudness stand in
fields of their own, so that rhythm, pitch, length and velocity can be held or exchanged one by one. Knows
numbers only: no file format and no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

CELLS = 16  # sixteenths of the longest bar; a 6/8 bar leaves its last four empty
POSITIONS = 8  # two sixteenths are one position of the network
VOICES = 5  # accompaniment onsets in one sixteenth, from low to high: 99% of POP909's
LOWEST, HIGHEST = 21, 108  # a piano's keys
PITCHES = HIGHEST - LOWEST + 2  # with "no onset"
LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # in sixteenths; one class more for "no onset"
QUALITIES = {  # of chords: semitones above the root
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
}
CHORDS = 1 + 12 * len(QUALITIES)  # 0: none
LOUDNESS_LEVELS = 12
BINS = 8  # of every field that sums a bar up
WHITE_KEYS = (0, 2, 4, 5, 7, 9, 11)  # every grid is in their signature
METERS = {"4/4": 16, "6/8": 12}  # sixteenths of a bar
METER_NAMES = tuple(METERS)  # a network knows them by number
PLACES = 4  # of a bar in its piece: first, second, third or fourth, later; from the start and from the end
LIKENESSES = (0.35, 0.6, 0.9)  # shares of equal notes from which a bar counts as akin, similar, the same


@dataclass(frozen=True, slots=True)
class Field:
    """`start`: its first token in a bar. Tokens lie as (per_bar, voices)."""

    name: str
    classes: int
    per_bar: int
    voices: int
    start: int

    @property
    def size(self) -> int:
        return self.per_bar * self.voices

    @property
    def tokens(self) -> slice:
        return slice(self.start, self.start + self.size)


def _table() -> dict[str, Field]:
    shapes = {
        "mode": (2, 1, 1),  # 0 major, 1 minor
        "tempo": (BINS, 1, 1),
        "activity": (BINS, 1, 1),  # moments of a bar at which the accompaniment begins a note
        "melody_activity": (BINS, 1, 1),
        "register": (BINS, 1, 1),
        "melody_register": (BINS, 1, 1),
        "loudness": (BINS, 1, 1),
        "chord": (CHORDS, 2, 1),
        "melody": (PITCHES, CELLS, 1),
        "voices": (PITCHES, CELLS, VOICES),
        "melody_length": (len(LENGTHS) + 1, CELLS, 1),
        "voices_length": (len(LENGTHS) + 1, CELLS, VOICES),
        "velocity": (LOUDNESS_LEVELS, 4, 2),  # of melody and accompaniment
    }
    table, start = {}, 0
    for name, (classes, per_bar, voices) in shapes.items():
        table[name] = Field(name, classes, per_bar, voices, start)
        start += per_bar * voices
    return table


FIELDS = _table()
WIDTH = sum(field.size for field in FIELDS.values())
PLAN = ("mode", "tempo", "activity", "melody_activity", "register", "melody_register", "loudness")
# What is written together, in this order: what a later stage writes depends on all before it.
STAGES = (PLAN, ("chord",), ("melody",), ("voices",), ("melody_length", "voices_length", "velocity"))
NO_LENGTH = len(LENGTHS)  # the class of a cell without an onset


def velocity_of(level: NDArray[np.integer]) -> NDArray[np.float64]:
    """MIDI velocity in the middle of each class of loudness."""
    return (level + 0.5) * 128 / LOUDNESS_LEVELS


def classes() -> NDArray[np.int64]:
    """(WIDTH,) number of classes of every token; the number itself means "not written yet"."""
    return np.concatenate([np.full(field.size, field.classes) for field in FIELDS.values()])


def layout() -> NDArray[np.int64]:
    """(POSITIONS, columns): the tokens a position of the network sees; coarse ones by several."""
    rows = []
    for position in range(POSITIONS):
        row: list[int] = []
        for field in FIELDS.values():
            share = max(1, field.per_bar // POSITIONS)
            first = position * field.per_bar // POSITIONS
            moments = range(first, first + share)
            row += [field.start + m * field.voices + v for m in moments for v in range(field.voices)]
        rows.append(row)
    return np.array(rows)


def length_class(length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nearest class of lengths in sixteenths, by ratio."""
    wanted = np.log(np.maximum(np.asarray(length), 1))[..., None]
    return np.abs(wanted - np.log(LENGTHS)).argmin(axis=-1)


@cache
def outside_key(name: str) -> NDArray[np.bool_]:
    """(classes,) of a field: pitches, and chords with tones, outside the white keys; none of other fields."""
    field = FIELDS[name]
    outside = np.zeros(field.classes, dtype=bool)
    if name in ("melody", "voices"):
        outside[1:] = ~np.isin(np.arange(LOWEST, HIGHEST + 1) % 12, WHITE_KEYS)
    if name == "chord":
        outside[:] = [not set(chord_tones(chord)) <= set(WHITE_KEYS) for chord in range(CHORDS)]
    return outside


def chord_tones(chord: int) -> tuple[int, ...]:
    """Pitch classes of a chord class; none for 0."""
    if chord == 0:
        return ()
    root, quality = divmod(chord - 1, len(QUALITIES))
    return tuple((root + step) % 12 for step in list(QUALITIES.values())[quality])
