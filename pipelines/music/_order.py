"""In which order a stage writes its tokens: what depends on each other is never written at the same moment.

Inside a bar strong sixteenths come before weak ones, a chord's lowest note before its others, and a bar that
repeats another after that one; different bars are written side by side. Knows the grid; it knows no network.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipelines.music._fields import CELLS, FIELDS, STAGES

# Sixteenths by strength; weak ones rarely begin a note of a melody, so that several share a moment.
CELL_ORDER = ((0,), (8,), (4, 12), (2, 10), (6, 14), (1, 9), (5, 13), (3, 11), (7, 15))
CHORD_ORDER = (0, 4, 2, 6, 1, 3, 5, 7)  # half bars of a group of four bars
VOICE_DELAY = (0, 1, 1, 2, 2)
REPEAT_DELAY = 1  # moments that a repeating bar waits for the one it repeats


@cache
def moments(name: str) -> NDArray[np.int64]:
    """(tokens of the field in a bar,) the moment at which each is written, from 0 on."""
    field = FIELDS[name]
    if name in ("melody", "voices"):
        of_cell = np.empty(CELLS, dtype=np.int64)
        for moment, cells in enumerate(CELL_ORDER):
            of_cell[list(cells)] = moment
        return (of_cell[:, None] + np.array(VOICE_DELAY[: field.voices])).ravel()
    if name in STAGES[0]:
        return np.array([STAGES[0].index(name) // 2])
    if name == "chord":
        return np.array([0, 1])
    return np.zeros(field.size, dtype=np.int64)


def schedule(stage: int, depth: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Of each field of a stage the moment of every token (bars, tokens).

    `depth` (bars,): through how many bars of this piece each one repeats back to an original.
    """
    bars = np.arange(len(depth))
    delay = depth * REPEAT_DELAY
    found = {}
    for name in STAGES[stage]:
        if name == "chord":
            half = (bars[:, None] * 2 + np.arange(2)) % len(CHORD_ORDER)
            found[name] = np.argsort(CHORD_ORDER)[half] + delay[:, None]
        else:
            found[name] = moments(name)[None] + delay[:, None]
    return found
