"""In which order a stage writes its tokens: what depends on each other is never written at the same moment.

Inside a bar strong sixteenths come before weak ones, a chord's lowest note before its others, and a bar that
repeats another after that one; different bars are written side by side, but for the plan, which begins with
the first. Knows the grid; it knows no network.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipelines.music._fields import CELLS, FIELDS, PLAN, STAGES

# Every moment is a pass of the network. Sixteenths by strength: weak ones rarely begin a note, and share one.
CELL_ORDER = ((0, 8), (4, 12), (2, 6, 10, 14), tuple(range(1, CELLS, 2)))
CHORD_ORDER = ((0, 4), (2, 6), (1, 3, 5, 7))  # half bars of a group of four bars
# By how many moments repeats may lengthen a stage: where repeats of repeats would come later still, they are
# written together with those. Of notes only the weakest sixteenths are left by then.
LONGER = 1
VOICE_DELAY = (0, 1, 2, 3, 3)  # the fifth voice, which is rare, beside the fourth


@cache
def moments(name: str) -> NDArray[np.int64]:
    """(tokens of the field in a bar,) the moment at which each is written, from 0 on."""
    field = FIELDS[name]
    if name in ("melody", "voices"):
        of_cell = np.empty(CELLS, dtype=np.int64)
        for moment, cells in enumerate(CELL_ORDER):
            of_cell[list(cells)] = moment
        return (of_cell[:, None] + np.array(VOICE_DELAY[: field.voices])).ravel()
    if name in PLAN:
        return np.array([0 if name in ("mode", "tempo") else 1])
    return np.zeros(field.size, dtype=np.int64)


def schedule(stage: int, lag: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Of each field of a stage the moment of every token (bars, tokens).

    `lag` (bars,): how many bars back the bar lies that each repeats, 0 where none.
    """
    found = {}
    for name in STAGES[stage]:
        at = np.tile(moments(name), (len(lag), 1)) + _of_bars(name, len(lag))
        last = at.max() + LONGER
        for bar in np.flatnonzero(lag):
            at[bar] = np.maximum(at[bar], np.minimum(at[bar - lag[bar]] + 1, last))
        found[name] = at
    return found


def _of_bars(name: str, count: int) -> NDArray[np.int64]:
    """(bars, 1) or (bars, tokens): what each bar's own turn adds to a field's moments."""
    bars = np.arange(count)
    if name in PLAN:
        return (bars > 0).astype(np.int64)[:, None]
    if name == "chord":
        turn = {half: moment for moment, halves in enumerate(CHORD_ORDER) for half in halves}
        return np.array([[turn[(2 * bar + half) % len(turn)] for half in range(2)] for bar in bars])
    return np.zeros((count, 1), dtype=np.int64)
