"""Which bars of a MIDI file fit the grid, and where their notes fall on it.

Bars of four quarters (4/4, 2/2; 2/4 and 1/4 in groups) and of six eighths (6/8; 3/8 in pairs; 12/8 in halves)
fit. One grid has one meter: bars of any other are left out and named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music._fields import CELLS
from pipelines.music._grid import Notes
from pipelines.music._midi_file import Signature
from studio.errors import InputError

Array = NDArray[np.float64]

_GROUPED = {  # length in quarters and denominator of a bar: the meter it is read as, bars of the file to one
    (4.0, 2): ("4/4", 1.0),
    (4.0, 4): ("4/4", 1.0),
    (4.0, 8): ("4/4", 1.0),
    (2.0, 4): ("4/4", 2.0),
    (2.0, 2): ("4/4", 2.0),
    (1.0, 4): ("4/4", 4.0),
    (3.0, 8): ("6/8", 1.0),
    (1.5, 8): ("6/8", 2.0),
    (6.0, 8): ("6/8", 0.5),
}
MOST_BARS = 2048
# How POP909's low notes, all its notes (by the root of their length) and its changes of harmony from one
# quarter to the next spread over the sixteenths of a bar of 4/4, in thousandths.
_BASS = (274, 42, 88, 15, 57, 24, 42, 12, 208, 37, 67, 20, 48, 26, 30, 10)
_ONSETS = (213, 23, 56, 29, 103, 26, 54, 29, 170, 21, 49, 30, 97, 27, 49, 24)
_CHANGE = (138, 76, 46, 27, 28, 37, 64, 81, 92, 51, 34, 28, 34, 52, 91, 119)
_WEIGHTS = (1.0, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Bars:
    """`starts` (bars,) in quarters, in order. `numbers` (bars,): as the file counts its bars, from 1 on.

    `breaks`: indices of bars before which music was left out."""

    starts: Array
    numbers: NDArray[np.int64]
    meter: str
    breaks: tuple[int, ...]
    notes: tuple[str, ...]  # what a person should know

    @property
    def cells(self) -> int:
        return fields.METERS[self.meter]

    @property
    def quarters(self) -> float:
        """Length of a bar."""
        return self.cells / 4


def lay(signatures: Sequence[Signature], notes: Array, path: str) -> Bars:
    """The bars from the first to the last note. `notes` (N, 4): start, end in quarters, pitch, velocity.

    Raises InputError where no bar has a meter of the grid, or where there are too many bars.
    """
    last = notes[:, 0].max() + 0.15
    ends = [one.start for one in signatures[1:]] + [max(last, signatures[-1].start)]
    sections = [
        (one, end) for one, end in zip(signatures, ends, strict=True) if _heard(notes, one.start, end)
    ]
    meter = _commonest(sections)
    if meter is None:
        others = ", ".join(sorted({one.text for one, _ in sections}))
        why = f"{path!r} is in {others}; music can be read in 4/4 and 6/8 (also 2/4, 2/2, 3/8, 12/8)"
        raise InputError("midi", path, why)
    if sum(end - one.start for one, end in sections) * 4 / fields.METERS[meter] > MOST_BARS:
        raise InputError("midi", path, f"{path!r} is too long; at most {MOST_BARS} bars are read")
    found: list[Array] = []
    numbers: list[NDArray[np.int64]] = []
    said: list[str] = []
    count = 0  # bars of the file so far
    for one, end in sections:
        kind, group = _kind(one)
        unit = 4.0 if one.text == "1/4" else one.quarters
        if kind == meter:
            found.append(_section(one, end, group, meter, notes))
            since = np.floor((found[-1] - found[-1][0]) / unit + 1e-6).astype(np.int64)
            numbers.append(since + count + 1)
            said += [f"{one.text} is read as {meter}"] if one.text not in (meter, "2/2", "1/4") else []
        else:
            said.append(_left_out(one, end, count + 1))
        count += int(np.ceil((end - one.start) / unit - 1e-3))
    return _trimmed(found, np.concatenate(numbers), meter, notes, tuple(dict.fromkeys(said)))


def _kind(signature: Signature) -> tuple[str | None, float]:
    return _GROUPED.get((signature.quarters, signature.denominator), (None, 1.0))


def _heard(notes: Array, start: float, end: float) -> bool:
    return bool(((notes[:, 0] >= start - 0.1) & (notes[:, 0] < end)).any())


def _commonest(sections: Sequence[tuple[Signature, float]]) -> str | None:
    length: Counter[str] = Counter()
    for one, end in sections:
        if kind := _kind(one)[0]:
            length[kind] += round((end - one.start) * 4)
    return length.most_common(1)[0][0] if length else None


def _section(one: Signature, end: float, group: float, meter: str, notes: Array) -> Array:
    """Starts of the bars of one time signature; the file's first may begin before it, with a rest."""
    whole = fields.METERS[meter] / 4
    first = one.start
    if group > 1 and meter == "4/4":
        within = notes[(notes[:, 0] >= one.start - 0.1) & (notes[:, 0] < end)]
        first = downbeat(within, one.start, 8 if group == 2 else 1)
        first -= whole * (one.start == 0 and first > 0)
    return np.arange(first, end - 1e-3, whole)


def downbeat(notes: Array, start: float, step: int) -> float:
    """The quarter at which the first whole bar of 4/4 begins: `start` or some steps (in sixteenths) later.

    Where low notes, onsets and changes of harmony lie most as they do in POP909's bars. It finds the right
    quarter almost always; the first of a bar for about seven songs in ten, else mostly the third.
    """
    cell = np.maximum(np.rint((notes[:, 0] - start) * 4).astype(np.int64), 0)
    length = np.clip((notes[:, 1] - notes[:, 0]) * 4, 1, 8)
    low = notes[:, 2] <= np.floor(np.quantile(notes[:, 2], 0.25))
    found = (
        _spread(cell[low], length[low] ** 0.5),
        _spread(cell, length**0.5),
        _spread(*_changes(cell, length, notes[:, 2].astype(np.int64) % 12)),
    )
    scores = [
        sum(
            weight * float(np.roll(own, -phase) @ np.log(np.array(usual) / 1000))
            for own, usual, weight in zip(found, (_BASS, _ONSETS, _CHANGE), _WEIGHTS, strict=True)
        )
        for phase in range(0, CELLS, step)
    ]
    return start + int(np.argmax(scores)) * step / 4


def _spread(cell: NDArray[np.int64], weight: Array) -> Array:
    """(CELLS,) shares of a weight by its place in sixteen sixteenths."""
    found = np.bincount(cell % CELLS, weight, minlength=CELLS)
    return found / max(found.sum(), 1e-9)


def _changes(cell: NDArray[np.int64], length: Array, pitch_class: NDArray[np.int64]) -> tuple[Any, Any]:
    """Of every sixteenth how unlike the pitch classes are that begin in the quarters before and after it."""
    count = int(cell.max()) + 1
    begun = np.zeros((count + 8, 12))
    np.add.at(begun, (cell + 4, pitch_class), length)
    total = np.vstack([np.zeros(12), np.cumsum(begun, axis=0)])
    before, after = total[4 : count + 4] - total[:count], total[8 : count + 8] - total[4 : count + 4]
    sizes = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    alike = (before * after).sum(axis=1) / np.maximum(sizes, 1e-9)
    return np.arange(count), np.where(sizes > 0, 1 - alike, 0)


def _left_out(one: Signature, end: float, number: int) -> str:
    """Such as "bars 5 to 8 are 3/4: left out"."""
    last = number + max(1, round((end - one.start) / one.quarters)) - 1
    which = f"bar {number} is" if last == number else f"bars {number} to {last} are"
    return f"{which} {one.text}: left out"


def _trimmed(
    sections: Sequence[Array],
    numbers: NDArray[np.int64],
    meter: str,
    notes: Array,
    said: tuple[str, ...],
) -> Bars:
    """Without the silent bars before the first note and after the last one."""
    starts, whole = np.concatenate(sections), fields.METERS[meter] / 4
    breaks = np.cumsum([len(section) for section in sections])[:-1]
    joined = np.isclose(starts[breaks] - starts[breaks - 1], whole)
    bar, _, kept = _places(starts, whole, notes[:, 0])
    first, last = int(bar[kept].min()), int(bar[kept].max())
    if first:
        said += (f"{first} silent bar{'s' * (first > 1)} at the beginning left out",)
    gaps = tuple(int(at) - first for at in breaks[~joined] if first < at <= last)
    return Bars(starts[first : last + 1], numbers[first : last + 1], meter, gaps, said)


def _places(
    starts: Array, whole: float, quarters: Array
) -> tuple[NDArray[np.int64], Array, NDArray[np.bool_]]:
    """Bar of each moment, quarters since that bar began, and whether it lies inside the bar."""
    near = quarters + 0.125  # half a sixteenth: what comes just before a bar belongs to it
    bar = np.searchsorted(starts, near, side="right") - 1
    since = near - starts[np.maximum(bar, 0)]
    return np.maximum(bar, 0), since, (bar >= 0) & (since < whole)


def inside(bars: Bars, notes: Array) -> NDArray[np.bool_]:
    """(N,) which notes (N, 4) in quarters begin in one of the bars."""
    return _places(bars.starts, bars.quarters, notes[:, 0])[2]


def on_grid(bars: Bars, notes: Array) -> Notes:
    """Those of the notes (N, 4) in quarters that begin in `bars`, on their sixteenths."""
    bar, since, kept = _places(bars.starts, bars.quarters, notes[:, 0])
    cell = np.minimum((since * 4).astype(np.int64), bars.cells - 1)
    length = np.maximum(np.rint((notes[:, 1] - notes[:, 0]) * 4).astype(np.int64), 1)
    parts = (bar * bars.cells + cell, length, notes[:, 2].astype(np.int64), notes[:, 3].astype(np.int64))
    return Notes(*(part[kept] for part in parts))
