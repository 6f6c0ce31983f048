"""An emotion curve laid over the bars of a piece: what each bar feels, when feelings turn, how fast it goes.

A curve over progress counts bars; one in seconds needs to know how long every bar lasts, which its feelings
decide in turn: both are found together. Knows curves and tempo; it knows no notes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _performance as performance
from studio.emotion import VAD, EmotionCurve

NOMINAL_BPM = 76.0  # of NEUTRAL where a curve in seconds is to be laid out and no tempo is asked for
_ROUNDS = 12  # each halves what is off, or better: a feeling moves the tempo by half an octave at most


@dataclass(frozen=True, slots=True)
class Course:
    """`moods`: one a bar; `turns`: see Piece.emotions; `tempo_bpm`: mean, None: as it will be written."""

    moods: tuple[VAD, ...]
    turns: tuple[tuple[int, str], ...]
    tempo_bpm: float | None


def of(curve: EmotionCurve, bars: int, bar_quarters: float, tempo_bpm: float | None) -> Course:
    """`tempo_bpm` None: nobody asked for one."""
    even = np.linspace(0, 1, bars + 1)
    if curve.unit != "seconds" or curve.is_constant:
        return Course(_felt(curve, even, 1.0), _turns(curve, even), tempo_bpm)
    bpm = tempo_bpm or NOMINAL_BPM
    edges_s = even * bars * bar_quarters * 60 / bpm
    for _ in range(_ROUNDS):
        moods = _felt(curve, edges_s / edges_s[-1], float(edges_s[-1]))
        if tempo_bpm is None:
            bpm = NOMINAL_BPM * 2 ** float(np.mean([performance.octaves(mood) for mood in moods]))
        tempi = performance.felt_bpm(moods, bpm)
        edges_s = np.append(0.0, np.cumsum(bar_quarters * 60 / tempi))
    return Course(moods, _turns(curve, edges_s), bpm)


def _felt(curve: EmotionCurve, edges: NDArray[np.float64], length_s: float) -> tuple[VAD, ...]:
    """From the middle of each bar; `edges` (bars + 1,): progress at which they begin, and the end."""
    return tuple(curve.at(float(place), length_s) for place in (edges[:-1] + edges[1:]) / 2)


def _turns(curve: EmotionCurve, edges: NDArray[np.float64]) -> tuple[tuple[int, str], ...]:
    """Where a key of the curve lies, by bar, and its words; `edges` in the curve's unit. Keys after the end
    are left out."""
    last = len(edges) - 2
    if len(curve.keys) == 1:
        return ((0, curve.keys[0].emotion.text),)
    inside = [key for key in curve.keys if key.at <= edges[-1]]
    bars = np.searchsorted(edges, [key.at + 1e-9 for key in inside], side="right") - 1
    found = {min(int(bar), last): key.emotion.text for bar, key in zip(bars, inside, strict=True)}
    return tuple(sorted(found.items()))
