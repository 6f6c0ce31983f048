"""Bars of the grid as a sequence of events, for a network that writes them one after the other, and back.

A bar is the event BAR (what sums it up), the event CHORDS (both half bars), then its notes: sixteenth by
sixteenth, the melody before the accompaniment, low to high. A note is one event of several columns (compound
words, Hsiao et al. 2021). What is lost on the way: the velocity of groups of four sixteenths in which a part
is silent; on the way back they take the last one before, as the grid's own encoder has it, so that a whole
piece loses nothing. Knows numbers only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from pipelines.music._fields import CELLS, FIELDS, PLACES

Ints = NDArray[np.int64]
PARTS = ("melody", "voices")
# What an event is: a note of (sixteenth, part), else one of these.
BAR = CELLS * len(PARTS)
CHORDS, START = BAR + 1, BAR + 2  # START stands before the first bar that is seen
# The columns of an event and their classes; 0 is "not of this kind of event", values stand one higher.
COLUMNS = {
    "what": START + 1,
    "pitch": fields.PITCHES - 1,
    "length": len(fields.LENGTHS),
    "velocity": fields.LOUDNESS_LEVELS,
    **{name: FIELDS[name].classes for name in fields.PLAN},
    "chord": fields.CHORDS,  # of the first half; of a note, the one that it sounds in
    "chord_2": fields.CHORDS,
    "meter": len(fields.METERS),
    "start": PLACES,
    "end": PLACES,
}
AT = {name: column for column, name in enumerate(COLUMNS)}
GIVEN = ("meter", "start", "end")  # facts of a BAR that nobody writes
NOTE = ("pitch", "length", "velocity")
HARMONY = ("chord", "chord_2")
LEVELS = 4  # groups of sixteenths with a velocity of their own
HALVES = np.array([cells // 2 for cells in fields.METERS.values()])  # sixteenth of the second chord


class Events(NamedTuple):
    """`rows` (N, columns); `cell` (N,): sixteenths from the first bar, bars counted as 16.

    `loud` (N,): whether the velocity is the first of its group and part; `bar` (B + 1,): events before each
    bar, then all.
    """

    rows: Ints
    cell: Ints
    loud: NDArray[np.bool_]
    bar: Ints


def to_events(tokens: NDArray[np.integer], bars: NDArray[np.integer]) -> Events:
    """`tokens` (B, WIDTH), `bars` (B, 4): meter, likeness (unused), place from the start and from the end."""
    count = len(tokens)
    notes, order = _notes(tokens, bars[:, 0])
    heads = np.zeros((2 * count, len(COLUMNS)), dtype=np.int64)
    heads[0::2, AT["what"]], heads[1::2, AT["what"]] = BAR + 1, CHORDS + 1
    for name in fields.PLAN:
        heads[0::2, AT[name]] = tokens[:, FIELDS[name].start] + 1
    for name, column in zip(GIVEN, (0, 2, 3), strict=True):
        heads[0::2, AT[name]] = bars[:, column] + 1
    heads[1::2, [AT[name] for name in HARMONY]] = tokens[:, FIELDS["chord"].tokens] + 1
    bar_of = np.concatenate([np.repeat(np.arange(count), 2), order // CELLS])
    sorting = np.argsort(bar_of, kind="stable")  # heads stand before notes already
    cell = np.concatenate([np.repeat(np.arange(count) * CELLS, 2), order])[sorting]
    rows = np.concatenate([heads, notes])[sorting]
    sizes = np.bincount(bar_of, minlength=count)
    return Events(rows, cell, _loud(rows, cell), np.concatenate([[0], np.cumsum(sizes)]))


def _notes(tokens: NDArray[np.integer], meter: NDArray[np.integer]) -> tuple[Ints, Ints]:
    """Rows of all notes in order, and their sixteenths from the first bar."""
    found, places = [], []
    for part, name in enumerate(PARTS):
        pitch = grid.field(tokens, name)
        bar, cell, voice = np.nonzero(pitch)
        rows = np.zeros((len(bar), len(COLUMNS)), dtype=np.int64)
        rows[:, AT["what"]] = cell * len(PARTS) + part + 1
        rows[:, AT["pitch"]] = pitch[bar, cell, voice]
        rows[:, AT["length"]] = grid.field(tokens, f"{name}_length")[bar, cell, voice] + 1
        rows[:, AT["velocity"]] = grid.field(tokens, "velocity")[bar, cell // LEVELS, part] + 1
        half = (cell >= HALVES[meter[bar]]).astype(np.int64)
        rows[:, AT["chord"]] = grid.field(tokens, "chord")[bar, half, 0] + 1
        found.append(rows)
        places.append(bar * CELLS + cell)
    rows, cells = np.concatenate(found), np.concatenate(places)
    sorting = np.lexsort((rows[:, AT["pitch"]], rows[:, AT["what"]], cells))
    return rows[sorting], cells[sorting]


def _loud(rows: Ints, cell: Ints) -> NDArray[np.bool_]:
    """Of each event whether it is the first note of its part in its group of sixteenths."""
    note = np.flatnonzero(rows[:, AT["pitch"]])
    group = cell[note] // LEVELS * len(PARTS) + (rows[note, AT["what"]] - 1) % len(PARTS)
    first = np.zeros(len(rows), dtype=bool)
    first[note[np.unique(group, return_index=True)[1]]] = True
    return first


def to_tokens(rows: Ints) -> grid.Tokens:
    """(N, columns) events, a BAR first and CHORDS after every BAR, to tokens (bars, WIDTH)."""
    bar = np.cumsum(rows[:, AT["what"]] == BAR + 1) - 1
    tokens = np.zeros((int(bar[-1]) + 1, fields.WIDTH), dtype=np.int16)
    heads = rows[rows[:, AT["what"]] == BAR + 1]
    for name in fields.PLAN:
        tokens[:, FIELDS[name].start] = heads[:, AT[name]] - 1
    harmony = rows[rows[:, AT["what"]] == CHORDS + 1]
    tokens[:, FIELDS["chord"].tokens] = harmony[:, [AT[name] for name in HARMONY]] - 1
    levels = np.full((len(tokens) * LEVELS, len(PARTS)), -1)
    for part, name in enumerate(PARTS):
        mine = (rows[:, AT["pitch"]] > 0) & ((rows[:, AT["what"]] - 1) % len(PARTS) == part)
        _write(tokens, name, bar[mine], rows[mine])
        group = bar[mine] * LEVELS + (rows[mine, AT["what"]] - 1) // len(PARTS) // LEVELS
        levels[group[::-1], part] = rows[mine, AT["velocity"]][::-1] - 1  # the first note of a group says it
        levels[:, part] = _carried(levels[:, part])
    tokens[:, FIELDS["velocity"].tokens] = levels.reshape(len(tokens), -1)
    return tokens


def _write(tokens: grid.Tokens, name: str, bar: Ints, rows: Ints) -> None:
    """Notes of one part, in order, into the voices of their sixteenths."""
    moment = bar * CELLS + (rows[:, AT["what"]] - 1) // len(PARTS)
    _, first, which = np.unique(moment, return_index=True, return_inverse=True)
    voice = np.arange(len(moment)) - first[which]
    for target, column, nothing, shift in (
        (name, "pitch", 0, 0),
        (f"{name}_length", "length", fields.NO_LENGTH, -1),
    ):
        values = np.full((len(tokens) * CELLS, FIELDS[name].voices), nothing)
        values[moment, voice] = rows[:, AT[column]] + shift
        tokens[:, FIELDS[target].tokens] = values.reshape(len(tokens), -1)


def _carried(levels: Ints) -> Ints:
    """-1 takes the last level before it, at the beginning the first; the middle where there is none."""
    known = levels >= 0
    if not known.any():
        return np.full_like(levels, fields.LOUDNESS_LEVELS // 2)
    last = np.maximum.accumulate(np.where(known, np.arange(len(levels)), -1))
    return levels[np.where(last < 0, np.flatnonzero(known)[0], last)]
