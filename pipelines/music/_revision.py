"""What stays of a piece of which some bars are composed anew: their feelings, their tempo, their markers.

Knows a piece that was read, and which of its bars are open. It knows no network and no request.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.music import _performance as performance
from pipelines.music._elements import Bars
from pipelines.music._midi_in import Imported
from studio.emotion import NEUTRAL, VAD
from studio.score import LEAST_BPM, MOST_BPM

Turns = tuple[tuple[int, str], ...]
NEUTRAL_TEXT = "neutral"  # of a piece that nobody said anything about


def emotions(source: Imported) -> tuple[VAD, ...]:
    """One a bar: what a piece of ours was made for; somebody's own is taken as it is, without a feeling."""
    return source.emotions or (NEUTRAL,) * len(source)


def moods(source: Imported, asked: Sequence[VAD], opened: Bars) -> tuple[VAD, ...]:
    """One a bar: what is asked for in those that are open, in others what it was."""
    return tuple(
        new if is_open else old for new, old, is_open in zip(asked, emotions(source), opened, strict=True)
    )


def tempi_bpm(source: Imported, felt: Sequence[VAD]) -> tuple[float, ...]:
    """One a bar: the file's, moved as far as the bar now feels otherwise than it did."""
    was, now = (np.array([performance.octaves(mood) for mood in some]) for some in (emotions(source), felt))
    found = np.clip(source.played_bpm * 2 ** (now - was), LEAST_BPM, MOST_BPM)
    return tuple(float(tempo) for tempo in found)


def turns(source: Imported, asked: Turns, opened: Bars) -> Turns:
    """Markers: those asked for inside the open bars, the file's outside, its last one again after them."""
    if opened.all():
        return asked
    before = source.turns or ((0, NEUTRAL_TEXT),)
    found, last = [], ""
    for bar, is_open in enumerate(opened):
        text = _at(asked if is_open else before, bar)
        if text != last:
            found.append((bar, text))
        last = text
    return tuple(found)


def _at(turns: Turns, bar: int) -> str:
    """The words that hold at a bar: those of the last turn up to it, else of the first."""
    return next((text for start, text in reversed(turns) if start <= bar), turns[0][1])
