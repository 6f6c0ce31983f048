"""What pieces are like, measured on token grids: notes, harmony and phrasing.

`of` measures one piece; every figure is defined in MEASURES. A piece is compared with real windows of the
same length, for likeness to earlier bars grows with the number of bars. Knows token grids and the musical
cues; it knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from training import _music_bars as bars_of
from training._music_bars import Onsets

Tokens = NDArray[np.integer]
RAISED = (6, 8)  # F# and G#, which melodic and harmonic A minor have


@dataclass(frozen=True)
class Piece:
    """`tokens` (bars, WIDTH), all written."""

    tokens: Tokens
    meter: str = "4/4"

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def notes(self) -> Onsets:
        return bars_of.onsets(self.tokens, self.meter)

    @property
    def cells(self) -> int:
        return len(self) * fields.METERS[self.meter]


def of(piece: Piece) -> dict[str, float]:
    """All MEASURES of one piece; NaN where it has nothing to measure, such as intervals without a melody."""
    return {name: float(measure(piece)) for name, measure in MEASURES.items()}


def mean(pieces: Sequence[Piece]) -> dict[str, float]:
    """Mean of each measure over pieces that have it."""
    return {name: float(np.nanmean(found)) for name, found in _table(pieces).items()}


def error(pieces: Sequence[Piece]) -> dict[str, float]:
    """Standard error of each of those means."""
    return {
        name: float(np.nanstd(found) / np.sqrt(np.isfinite(found).sum()))
        for name, found in _table(pieces).items()
    }


def _table(pieces: Sequence[Piece]) -> dict[str, NDArray[np.float64]]:
    """(P,) of each measure."""
    found = [of(piece) for piece in pieces]
    return {name: np.array([each[name] for each in found]) for name in MEASURES}


def pitch_class_entropy(piece: Piece) -> float:
    """Bits of the distribution of all onsets over the 12 pitch classes, 0..3.58."""
    share = np.bincount(piece.notes.pitch % 12, minlength=12) / max(len(piece.notes), 1)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) if len(share) else np.nan


def polyphony(piece: Piece) -> float:
    """Mean number of keys that sound in the sixteenths in which any sounds."""
    sounding = bars_of.sounding(piece.notes, piece.cells).sum(axis=1)
    return float(sounding[sounding > 0].mean()) if sounding.any() else np.nan


def notes_per_bar(piece: Piece) -> float:
    """Onsets of melody and accompaniment over bars."""
    return len(piece.notes) / len(piece)


def self_similarity(piece: Piece) -> float:
    """Mean likeness (_grid.likeness: Dice of onsets) of each bar and the one after it; silent ones 0."""
    if len(piece) < 2:
        return np.nan
    return float(grid.likeness(piece.tokens[:-1], piece.tokens[1:]).mean())


def earlier_bar_similarity(piece: Piece) -> float:
    """Mean over all bars but the first of the likeness to the earlier bar of the piece that is most alike."""
    best = [grid.likeness(piece.tokens[:bar], piece.tokens[bar][None]).max() for bar in range(1, len(piece))]
    return float(np.mean(best)) if best else np.nan


def in_key(piece: Piece) -> float:
    """Share of onsets in the scale, or in the sounding chord where that is a secondary chord.

    The scale has A minor's raised sixth and seventh in bars whose mode is minor. Secondary chords lead to a
    degree of the scale: major and seventh chords from a fifth above it, diminished ones from a semitone
    below.
    """
    notes = piece.notes
    pitch = notes.pitch % 12
    minor = grid.field(piece.tokens, "mode")[notes.bar, 0, 0] == 1
    chord = bars_of.chords_under(notes, piece.tokens, piece.meter)
    of_chord = bars_of.chord_table()[chord, pitch] & _secondary()[chord]
    fits = np.isin(pitch, fields.WHITE_KEYS) | (minor & np.isin(pitch, RAISED)) | of_chord
    return float(fits.mean()) if len(fits) else np.nan


def _secondary() -> NDArray[np.bool_]:
    """(CHORDS,) whether a chord class leads to a degree of the scale."""
    steps = {"maj": 5, "7": 5, "dim": 1}  # semitones from its root up to where it leads
    found = np.zeros(fields.CHORDS, dtype=bool)
    for chord in range(1, fields.CHORDS):
        root, quality = divmod(chord - 1, len(fields.QUALITIES))
        step = steps.get(list(fields.QUALITIES)[quality])
        found[chord] = step is not None and (root + step) % 12 in fields.WHITE_KEYS
    return found


def empty_bar_rate(piece: Piece) -> float:
    """Share of bars in which no note begins."""
    return 1 - len(np.unique(piece.notes.bar)) / len(piece)


def melody_interval(piece: Piece) -> float:
    """Mean size in semitones of the steps between melody notes that begin at most a bar apart."""
    melody = piece.notes.part(piece.notes.melody)
    joined = np.diff(melody.cell) <= fields.METERS[piece.meter]
    return float(np.abs(np.diff(melody.pitch))[joined].mean()) if joined.any() else np.nan


def melody_moves(piece: Piece) -> float:
    """Share of those steps that are seconds (1 or 2 semitones)."""
    melody = piece.notes.part(piece.notes.melody)
    joined = np.diff(melody.cell) <= fields.METERS[piece.meter]
    step = np.abs(np.diff(melody.pitch))[joined]
    return float(((step == 1) | (step == 2)).mean()) if len(step) else np.nan


def chord_changes(piece: Piece) -> float:
    """Half bars whose chord differs from that of the half bar before, a bar; at most 2."""
    chords = grid.field(piece.tokens, "chord").ravel()
    return float(2 * (chords[1:] != chords[:-1]).mean())


def chord_tone_share(piece: Piece) -> float:
    """Share of the accompaniment's onsets that are tones of the chord of their half bar, if it has one."""
    notes = piece.notes.part(~piece.notes.melody)
    under = bars_of.chords_under(notes, piece.tokens, piece.meter) > 0
    fits = bars_of.in_chord(notes, piece.tokens, piece.meter)[under]
    return float(fits.mean()) if len(fits) else np.nan


MEASURES: dict[str, Callable[[Piece], float]] = {
    measure.__name__: measure
    for measure in (
        pitch_class_entropy,
        polyphony,
        notes_per_bar,
        self_similarity,
        earlier_bar_similarity,
        in_key,
        empty_bar_rate,
        melody_interval,
        melody_moves,
        chord_changes,
        chord_tone_share,
    )
}
