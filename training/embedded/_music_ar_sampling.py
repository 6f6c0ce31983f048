"""Pieces written event by event with the autoregressive network: always legal, always of the asked length.

A bar ends at the latest when its last sixteenth is full, so that every piece ends; of a piece in which
nothing has sounded yet the last bar cannot end. Beyond the trained length the last bars are read anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.music import _fields as fields
from pipelines.music._grid import Tokens
from training.embedded import _music_events as events
from training.embedded._music_ar_net import Cache, Chain, MusicEventTransformer, causal
from training.embedded._music_events import AT, BAR, CHORDS, LEVELS, PARTS, START, Ints

CONTEXT = 512  # events that the network was trained to see at once
KEPT = 384  # of them those that are read anew when that many are full
MOST = fields.VOICES  # notes of the accompaniment in one sixteenth


@dataclass(frozen=True, slots=True)
class Taste:
    """(temperature, top-p) of what comes next, of pitches, chords, what sums a bar up, and the rest."""

    what: tuple[float, float] = (1.0, 0.98)
    pitch: tuple[float, float] = (1.0, 0.95)
    harmony: tuple[float, float] = (1.0, 0.95)
    plan: tuple[float, float] = (1.0, 0.98)
    other: tuple[float, float] = (1.0, 0.95)

    def of(self, name: str) -> tuple[float, float]:
        if name in ("what", "pitch"):
            return self.what if name == "what" else self.pitch
        if name in events.HARMONY:
            return self.harmony
        return self.plan if name in fields.PLAN else self.other


@dataclass(slots=True)
class Piece:
    """A piece as far as it is written; `rows` are its events after START. `plan`: see `compose`."""

    bars: int
    meter: int
    generator: np.random.Generator
    plan: Ints | None = None
    rows: list[Ints] = field(default_factory=list)
    cells: list[int] = field(default_factory=list)
    bar_at: list[int] = field(default_factory=list)  # places in `rows` of every BAR
    last: int = -1  # what the last note of this bar was
    pitch: int = 0  # its pitch, from 1 on, and how many notes its sixteenth has
    together: int = 0
    sounded: bool = False
    done: bool = False
    levels: dict[tuple[int, int], int] = field(default_factory=dict)  # of (group, part) of this bar

    def next(self) -> int | None:
        """What must come next; None where it is a choice."""
        if not self.rows:
            return BAR
        return CHORDS if self.rows[-1][AT["what"]] == BAR + 1 else None

    def allowed(self) -> NDArray[np.bool_]:
        """(BAR + 1,) what may come next."""
        may = np.arange(BAR + 1) > self.last
        if self.last >= 0:
            may[self.last] = (
                self.last % len(PARTS) == 1 and self.together < MOST and self.pitch < fields.PITCHES - 1
            )
        may[list(fields.METERS.values())[self.meter] * len(PARTS) : BAR] = False
        may[BAR] = self.sounded or len(self.bar_at) < self.bars
        return may

    def begun(self, what: int) -> Ints:
        """A row of which only the known columns are filled."""
        row = np.zeros(len(events.COLUMNS), dtype=np.int64)
        row[AT["what"]] = what + 1
        if what == BAR:
            number = len(self.bar_at)
            places = (self.meter, number, self.bars - 1 - number)
            limits = (len(fields.METERS), fields.PLACES, fields.PLACES)
            for name, value, limit in zip(events.GIVEN, places, limits, strict=True):
                row[AT[name]] = min(value, limit - 1) + 1
        elif what < BAR:
            harmony = self.rows[self.bar_at[-1] + 1]
            half = what // len(PARTS) >= events.HALVES[self.meter]
            row[AT["chord"]] = harmony[AT[events.HARMONY[int(half)]]]
        return row

    def forced(self, what: int, name: str) -> int | None:
        """The class of a column that is no choice."""
        if name == "velocity":
            return self.levels.get((what // len(PARTS) // LEVELS, what % len(PARTS)))
        if self.plan is not None and name in fields.PLAN:
            asked = int(self.plan[len(self.bar_at), fields.PLAN.index(name)])
            return asked if asked >= 0 else None
        return None

    def lowest(self, what: int) -> int:
        """Lowest class that the pitch of a note may have."""
        return self.pitch if what == self.last else 0

    def add(self, row: Ints) -> None:
        what = int(row[AT["what"]]) - 1
        cell = what // len(PARTS) if what < BAR else 0
        if what == BAR:
            self.bar_at.append(len(self.rows))
            self.last, self.levels = -1, {}
        elif what < BAR:
            self.together = self.together + 1 if what == self.last else 1
            self.last, self.pitch, self.sounded = what, int(row[AT["pitch"]]), True
            self.levels[cell // LEVELS, what % len(PARTS)] = int(row[AT["velocity"]]) - 1
        self.rows.append(row)
        self.cells.append((len(self.bar_at) - 1) * fields.CELLS + cell)

    def recent(self, most: int) -> tuple[list[Ints], list[int]]:
        """START and whole last bars, at most `most` events in all, and their sixteenths."""
        first = next((at for at in self.bar_at if len(self.rows) - at < most), len(self.rows))
        start = np.zeros(len(events.COLUMNS), dtype=np.int64)
        start[AT["what"]] = START + 1
        cell = self.cells[first] if first < len(self.cells) else 0
        return [start, *self.rows[first:]], [cell, *self.cells[first:]]


class Reader:
    """Feeds the pieces to the network, with what it has computed kept as long as there is room."""

    def __init__(self, net: MusicEventTransformer, pieces: list[Piece], context: int, kept: int) -> None:
        self.net, self.pieces, self.context, self.kept = net, pieces, context, kept
        self.states = self._anew(context)

    def step(self) -> Tensor:
        """States (R, C) after the last event of every piece."""
        if self.cache.count == self.context:
            self.states = self._anew(self.kept)
            return self.states
        rows = torch.from_numpy(np.stack([piece.rows[-1] for piece in self.pieces]))[:, None]
        cells = torch.tensor([[piece.cells[-1]] for piece in self.pieces])
        padding = self.padding[..., : self.cache.count + 1] if self.padded else None
        self.states = self.net(rows, cells, padding, self.cache)[:, -1]
        return self.states

    def _anew(self, most: int) -> Tensor:
        found = [piece.recent(most) for piece in self.pieces]
        length = max(len(rows) for rows, _ in found)
        rows = np.zeros((len(found), length, len(events.COLUMNS)), dtype=np.int64)
        cells = np.zeros((len(found), length), dtype=np.int64)
        self.padding = torch.zeros(len(found), 1, 1, self.context)
        for index, (mine, places) in enumerate(found):
            rows[index, length - len(mine) :], cells[index, length - len(mine) :] = mine, places
            self.padding[index, ..., : length - len(mine)] = -torch.inf
        self.padded = bool(self.padding.any())
        self.cache = Cache(self.net, len(found), self.context)
        hidden = causal(length) + self.padding[..., :length]
        hidden.diagonal(dim1=-2, dim2=-1).zero_()  # padding sees itself: a row of -inf has no softmax
        return self.net(torch.from_numpy(rows), torch.from_numpy(cells), hidden, self.cache)[:, -1]


def compose(
    net: MusicEventTransformer,
    bars: int,
    seed: int,
    batch: int = 1,
    *,
    meter: str = "4/4",
    plan: NDArray[np.integer] | None = None,
    taste: Taste | None = None,
) -> list[Tokens]:
    """`batch` pieces, each tokens (bars, WIDTH) of C major / A minor; piece n is the one of seed + n.

    `plan` (bars, 7): classes of fields.PLAN that are asked for, -1 where the network may choose. `taste`: as
    the network's own, where None.
    """
    made = write(net, bars, seed, batch, meter=meter, plan=plan, taste=taste)
    return [events.to_tokens(np.stack(piece.rows)) for piece in made]


@torch.inference_mode()
def write(
    net: MusicEventTransformer,
    bars: int,
    seed: int,
    batch: int,
    *,
    meter: str = "4/4",
    plan: NDArray[np.integer] | None = None,
    taste: Taste | None = None,
    context: int = CONTEXT,
    kept: int = KEPT,
) -> list[Piece]:
    """As `compose`, as events."""
    if bars < 1 or batch < 1:
        raise ValueError(f"bars {bars} and batch {batch} must be at least 1")
    number, asked = list(fields.METERS).index(meter), None if plan is None else np.asarray(plan, np.int64)
    pieces = [Piece(bars, number, np.random.default_rng(seed + row), asked) for row in range(batch)]
    net.eval()
    reader = Reader(net, pieces, context, kept)
    states = reader.states
    while True:
        _write_events(net, pieces, states, taste or net.taste or Taste())
        if all(piece.done for piece in pieces):
            return pieces
        states = reader.step()


def _write_events(net: MusicEventTransformer, pieces: list[Piece], states: Tensor, taste: Taste) -> None:
    """One event to every piece that is not done."""
    kinds: dict[str, list[tuple[int, int]]] = {name: [] for name in net.chains}
    open_rows = [row for row, piece in enumerate(pieces) if not piece.done]
    chosen = _what(net, [pieces[row] for row in open_rows], states[open_rows], taste)
    for row, what in zip(open_rows, chosen, strict=True):
        if what == BAR and len(pieces[row].bar_at) == pieces[row].bars:
            pieces[row].done = True
        else:
            kinds["note" if what < BAR else "bar" if what == BAR else "chords"].append((row, what))
    for name, rows in kinds.items():
        if rows:
            begun = [(pieces[row], what) for row, what in rows]
            _write_chain(net.chains[name], begun, states[[row for row, _ in rows]], taste)


def _what(net: MusicEventTransformer, pieces: list[Piece], states: Tensor, taste: Taste) -> list[int]:
    free = [index for index, piece in enumerate(pieces) if piece.next() is None]
    found = [piece.next() or 0 for piece in pieces]
    if free:
        may = np.stack([pieces[index].allowed() for index in free])
        logits = net.writers["what"](states[free]).numpy()
        values = _draw(np.where(may, logits, -np.inf), taste.of("what"), [pieces[i] for i in free])
        for index, value in zip(free, values, strict=True):
            found[index] = int(value)
    return found


def _write_chain(chain: Chain, begun: list[tuple[Piece, int]], states: Tensor, taste: Taste) -> None:
    """The columns of events of one kind, one after the other."""
    pieces = [piece for piece, _ in begun]
    rows = np.stack([piece.begun(what) for piece, what in begun])
    state = chain.begin(states, torch.from_numpy(rows))
    for column in chain.names:
        values = [piece.forced(what, column) for piece, what in begun]
        free = [index for index, value in enumerate(values) if value is None]
        if free:
            logits = chain.logits(state[free], column).numpy()
            if column == "pitch":
                lowest = np.array([begun[index][0].lowest(begun[index][1]) for index in free])
                logits = np.where(np.arange(logits.shape[1]) >= lowest[:, None], logits, -np.inf)
            drawn = _draw(logits, taste.of(column), [pieces[index] for index in free])
            for index, value in zip(free, drawn, strict=True):
                values[index] = int(value)
        rows[:, AT[column]] = np.array(values) + 1
        state = chain.after(state, column, torch.from_numpy(rows[:, AT[column]]))
    for piece, row in zip(pieces, rows, strict=True):
        piece.add(row)


def _draw(logits: NDArray[np.float32], taste: tuple[float, float], pieces: list[Piece]) -> Ints:
    """One class of each row (N, classes): of the likeliest that reach top-p, by the dice of each piece."""
    temperature, top_p = taste
    order = np.argsort(-logits, axis=1, kind="stable")
    sorted_logits = np.take_along_axis(logits, order, axis=1).astype(np.float64)
    share = np.exp((sorted_logits - sorted_logits[:, :1]) / temperature)
    total = np.cumsum(share / share.sum(axis=1, keepdims=True), axis=1)
    count = 1 + (total < top_p).sum(axis=1).clip(max=logits.shape[1] - 1)
    reach = np.take_along_axis(total, count[:, None] - 1, axis=1)
    dice = np.array([piece.generator.random() for piece in pieces])
    place = (total < dice[:, None] * reach).sum(axis=1)
    return np.take_along_axis(order, place[:, None], axis=1)[:, 0]
