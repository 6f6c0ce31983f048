"""Which bar of a new piece repeats which: forms of real songs, drawn by seed.

A library holds, for some lengths, sequences of (how many bars back, how alike) that were measured on the
training songs. A model without one (toys) takes the plain form AABA. Knows bars; it knows no notes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.music._fields import LIKENESSES

Form = tuple[NDArray[np.int64], NDArray[np.int64]]  # lag and likeness class, (bars,) each
Library = Mapping[int, NDArray[np.uint8]]  # bars -> (forms, 2, bars)


def draw(bars: int, library: Library, generator: np.random.Generator) -> Form:
    """A form of `bars` bars: the beginning of one that is long enough, or several in a row."""
    parts: list[NDArray[np.int64]] = []
    missing = bars
    while missing > 0:
        part = _one(missing, library, generator)
        parts.append(part)
        missing -= part.shape[1]
    lag, likeness = np.concatenate(parts, axis=1)
    return _from_originals(lag, likeness), likeness


def _from_originals(lag: NDArray[np.int64], likeness: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lags to the bar that a repeated one is the same as: what is far down a chain would be written late."""
    found = lag.copy()
    for bar in np.flatnonzero(lag):
        source = bar - found[bar]
        if likeness[source] == len(LIKENESSES):
            found[bar] += found[source]
    return found


def _one(bars: int, library: Library, generator: np.random.Generator) -> NDArray[np.int64]:
    if not library:
        return _plain(bars)
    lengths = sorted(library)
    length = next((length for length in lengths if length >= bars), lengths[-1])
    forms = library[length]
    return forms[generator.integers(len(forms)), :, :bars].astype(np.int64)


def _plain(bars: int) -> NDArray[np.int64]:
    """Four-bar phrases A A B A."""
    place = np.arange(bars) % 16
    lag = np.select([(place >= 4) & (place < 8), place >= 12], [4, 12], 0)
    return np.stack([lag, (lag > 0) * (len(LIKENESSES) - 1)])
