"""What sounds in the bars of a token grid, as flat arrays: onsets with lengths, and all that holds on.

Used by the musical cues and by the benchmark's measures, so that both mean the same by a note. Knows token
grids; it knows no feeling and no file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid

BEAT = 4  # sixteenths of a quarter, in every meter
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Onsets:
    """Notes of a piece, arrays (N,) ordered by time and pitch: `cell` counts sixteenths from the start,

    `length` is in sixteenths, `velocity` is the middle of its level, 1..127, `melody` says which part."""

    bar: Numbers
    cell: Numbers
    pitch: Numbers
    length: Numbers
    velocity: Floats
    melody: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.bar)

    def part(self, chosen: NDArray[np.bool_]) -> Onsets:
        return Onsets(*(getattr(self, name)[chosen] for name in Onsets.__slots__))


def onsets(tokens: NDArray[np.integer], meter: str = "4/4") -> Onsets:
    """All notes of tokens (bars, WIDTH)."""
    parts = [_part(tokens, name, fields.METERS[meter]) for name in ("melody", "voices")]
    joined = Onsets(*(np.concatenate([getattr(p, n) for p in parts]) for n in Onsets.__slots__))
    order = np.lexsort((joined.pitch, joined.cell))
    return Onsets(*(getattr(joined, name)[order] for name in Onsets.__slots__))


def _part(tokens: NDArray[np.integer], name: str, cells: int) -> Onsets:
    pitches = grid.field(tokens, name)[:, :cells]
    bar, place, voice = np.nonzero(pitches)
    length = grid.field(tokens, f"{name}_length")[bar, place, voice].astype(np.int64)
    levels = grid.field(tokens, "velocity")[bar, place // BEAT, 0 if name == "melody" else 1]
    sixteenths = np.array([*fields.LENGTHS, 1])  # an onset whose length was never written is short
    return Onsets(
        bar,
        bar * cells + place,
        pitches[bar, place, voice].astype(np.int64) + fields.LOWEST - 1,
        sixteenths[length],
        fields.velocity_of(levels),
        np.full(len(bar), name == "melody"),
    )


def sounding(notes: Onsets, cells: int) -> NDArray[np.bool_]:
    """(cells, keys of a piano): what sounds in each sixteenth; notes end with the piece."""
    changes = np.zeros((cells + 1, fields.HIGHEST - fields.LOWEST + 1), dtype=np.int64)
    key = notes.pitch - fields.LOWEST
    np.add.at(changes, (notes.cell, key), 1)
    np.add.at(changes, (np.minimum(notes.cell + notes.length, cells), key), -1)
    return np.cumsum(changes[:-1], axis=0) > 0


def pitch_classes(sounds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(cells, keys) -> (cells, 12)."""
    found = np.zeros((len(sounds), 12), dtype=bool)
    for pitch_class in range(12):
        found[:, pitch_class] = sounds[:, (pitch_class - fields.LOWEST) % 12 :: 12].any(axis=1)
    return found


def moments(notes: Onsets) -> Numbers:
    """Sixteenths at which a note begins, in order, each once."""
    return np.unique(notes.cell)


def bar_sum(values: Floats | Numbers, bar: Numbers, bars: int) -> Floats:
    return np.bincount(bar, values, minlength=bars).astype(np.float64)


def bar_mean(values: Floats | Numbers, bar: Numbers, bars: int) -> Floats:
    """(bars,) mean of what lies in each bar; a bar without takes the last one before it that has some, at

    the beginning the first. NaN throughout where no bar has any."""
    count = np.bincount(bar, minlength=bars)
    mean = bar_sum(values, bar, bars) / np.maximum(count, 1)
    if not len(bar):
        return np.full(bars, np.nan)
    last = np.maximum.accumulate(np.where(count > 0, np.arange(bars), -1))
    return mean[np.where(last < 0, int(np.flatnonzero(count)[0]), last)]


def chord_table() -> NDArray[np.bool_]:
    """(CHORDS, 12): the pitch classes of every chord class; none of class 0."""
    table = np.zeros((fields.CHORDS, 12), dtype=bool)
    for chord in range(fields.CHORDS):
        table[chord, list(fields.chord_tones(chord))] = True
    return table


def in_chord(notes: Onsets, tokens: NDArray[np.integer], meter: str = "4/4") -> NDArray[np.bool_]:
    """(N,) whether each note is a tone of the chord of its half bar; under no chord every note is."""
    chord = chords_under(notes, tokens, meter)
    return chord_table()[chord, notes.pitch % 12] | (chord == 0)


def chords_under(notes: Onsets, tokens: NDArray[np.integer], meter: str = "4/4") -> Numbers:
    """(N,) chord class of the half bar in which each note begins."""
    cells = fields.METERS[meter]
    half = (notes.cell % cells) * 2 // cells
    return grid.field(tokens, "chord")[notes.bar, half, 0].astype(np.int64)


def near(values: Floats, kernel: tuple[float, ...] = (1, 2, 3, 2, 1)) -> Floats:
    """Weighted mean over neighbouring bars (bars, ...); at both ends over those that are there."""
    weights = np.asarray(kernel, dtype=np.float64)
    reach = len(weights) // 2
    padding = [(reach, reach)] + [(0, 0)] * (values.ndim - 1)
    padded = np.pad(values, padding)
    there = np.pad(np.ones(len(values)), reach)
    total = sum(weight * padded[i : i + len(values)] for i, weight in enumerate(weights))
    count = sum(weight * there[i : i + len(values)] for i, weight in enumerate(weights))
    return np.asarray(total / np.reshape(count, (-1,) + (1,) * (values.ndim - 1)))
