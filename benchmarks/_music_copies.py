"""How much of a piece stands in the training songs: an index of their bars, melodic turns and passages.

All grids share one key signature, and melodies are compared by interval and rhythm, so a transposed copy is
found as well. The index holds 32-bit hashes only, sorted; a chance hit of one is below 1 in 10,000.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks._music_measures import Piece
from pipelines.music import _fields as fields
from pipelines.music import _grid as grid

TURN = 12  # notes of a melodic turn
PASSAGE = 8  # bars
LEAST = 16  # notes of a passage: fewer are no melody
Hashes = NDArray[np.uint32]


class Copies(NamedTuple):
    """Hashes of bars, of melodic turns of TURN notes and of the melodies of PASSAGE bars in a row."""

    bars: Hashes
    turns: Hashes
    passages: Hashes


def hashes(piece: Piece) -> Copies:
    """Of a piece whose bars follow each other. `bars`: all onsets of each bar that has any."""
    onsets = [grid.field(piece.tokens, name).reshape(len(piece), -1) for name in ("melody", "voices")]
    rows = np.concatenate(onsets, axis=1).astype(np.int64)
    return Copies(_hashed(rows[(rows > 0).any(axis=1)]), *_melodic(piece))


def _melodic(piece: Piece) -> tuple[Hashes, Hashes]:
    melody = piece.notes.part(piece.notes.melody)
    # One number a step: its interval, and the sixteenths it takes (a rest of over a bar is a bar).
    steps = np.diff(melody.pitch) * 64 + np.minimum(np.diff(melody.cell), 16)
    turns = np.lib.stride_tricks.sliding_window_view(steps, TURN - 1) if len(steps) >= TURN - 1 else []
    passages = []
    cells = fields.METERS[piece.meter]
    for bar in range(len(piece) - PASSAGE + 1):
        first, last = np.searchsorted(melody.bar, (bar, bar + PASSAGE))
        if last - first >= LEAST:
            begins = melody.cell[first] - bar * cells
            passages.append(_hashed(np.array([[begins, *steps[first : last - 1]]]))[0])
    return _hashed(np.asarray(turns).reshape(-1, TURN - 1)), np.array(passages, dtype=np.uint32)


def _hashed(rows: NDArray[np.int64]) -> Hashes:
    """(N,) from (N, numbers): FNV-1a over the columns in 64 bits, folded to 32."""
    mixed = np.full(len(rows), 14695981039346656037, dtype=np.uint64)
    columns = np.asarray(rows, dtype=np.int64).astype(np.uint64).T
    mixed = reduce(lambda value, column: (value ^ column) * np.uint64(1099511628211), columns, mixed)
    return np.asarray((mixed ^ (mixed >> np.uint64(32))) & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def index(pieces: Iterable[Piece]) -> Copies:
    """Everything that stands in `pieces`, each hash once, sorted."""
    found = [hashes(piece) for piece in pieces]
    return Copies(*(np.unique(np.concatenate(part)) for part in zip(*found, strict=True)))


def save(known: Copies, file: Path) -> None:
    np.savez_compressed(file, **known._asdict())


def load(file: Path) -> Copies:
    with np.load(file) as parts:
        return Copies(*(parts[name] for name in Copies._fields))


def overlap(pieces: Iterable[Piece], known: Copies) -> dict[str, float]:
    """Share of bars, melodic turns and passages of `pieces` that stand in `known`; 0 where there are none."""
    found = [hashes(piece) for piece in pieces]
    shares = {}
    for name in Copies._fields:
        mine = np.concatenate([getattr(each, name) for each in found])
        shares[name] = float(np.isin(mine, getattr(known, name)).mean()) if len(mine) else 0.0
    return shares
