"""Which key and which chords notes on a grid suggest: what a MIDI file rarely says itself.

Keys: the tone profiles of Albrecht and Shanahan (Music Perception 31:1, 2013) as probabilities of pitch
classes, bar by bar, with a price for every change of key (Temperley, Music and Probability, 2007); those of
Krumhansl and Kessler (1982) found the signature of 95% of POP909's bars, these of 99%. Chords: templates
weighed by length and bass, half bar by half bar, among those of the grid. Weights were set on some of
POP909's songs; on 31 others it agrees with the annotators in the signature of 99.9% of bars, in the mode of
88%, in the root of 92% of half bars, and in root and quality of 77% (benchmarks/midi_in.py). Knows numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music._grid import Notes

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_MAJOR = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
_MINOR = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
_MINOR_LEAN = (
    0.1  # added to the minor profile's logarithms: pop in minor is closer to its major than scores are
)
_KEY_CHANGE = 80.0  # price, in the units of a bar's log-likelihood
_RELATIVE_CHANGE = 60.0  # of mode within the same signature
_CHORD_CHANGE = 0.15  # price from half bar to half bar, in shares of the half bar's sound
_FOREIGN = 0.5  # weight of sound outside a chord, against sound inside it
_MISSING = 0.35  # of a chord's tones that do not sound
_BASS = 0.2  # for the root in the bass, by its share of the time
_BASS_TONE = 0.1
_RARE = {"maj": 0.0, "min": 0.0, "dim": 0.12, "aug": 0.2, "sus2": 0.14, "sus4": 0.1}
_RARE |= {"7": 0.25, "maj7": 0.35, "min7": 0.35}
_SILENT = 0.5  # sixteenths of sound in a half bar below which it has no chord


@dataclass(frozen=True, slots=True)
class Keys:
    """Of each bar: `shift` (bars,) semitones -5..6 that bring it into the signature of C, `modes` 0 or 1."""

    shift: Whole
    modes: Whole

    @property
    def names(self) -> tuple[str, ...]:
        """Words of studio.score.KEYS."""
        tonics = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
        return tuple(
            f"{tonics[(9 * mode - shift) % 12]} {('major', 'minor')[mode]}"
            for shift, mode in zip(self.shift, self.modes, strict=True)
        )


def keys(notes: Notes, bars: int, cells: int) -> Keys:
    """The best row of keys; `cells` sixteenths are a bar."""
    sound = _sound(notes, bars, cells)
    profiles = _profiles()
    price = np.full((24, 24), _KEY_CHANGE)
    signature = np.concatenate([np.arange(12), (np.arange(12) + 3) % 12])
    price[signature[:, None] == signature] = _RELATIVE_CHANGE
    np.fill_diagonal(price, 0)
    row = _best_row(sound @ profiles.T, price)
    major = signature[row]
    return Keys((5 - major) % 12 - 5, (row >= 12).astype(np.int64))


def chords(notes: Notes, keys: Keys, cells: int) -> Whole:
    """(bars, 2): classes of half bars in the signature of C; `notes` as they are, not transposed."""
    bars = len(keys.shift)
    shift = np.repeat(keys.shift, 2)
    sound = _rolled(_sound(notes, bars * 2, cells // 2), shift)
    bass = _rolled(_bass(notes, bars * 2, cells // 2), shift)
    scores = _fits(sound, bass)
    price = np.full((fields.CHORDS, fields.CHORDS), _CHORD_CHANGE)
    np.fill_diagonal(price, 0)
    return _best_row(scores, price).reshape(bars, 2)


def _sound(notes: Notes, spans: int, cells: int) -> Array:
    """(spans, 12) sixteenths for which each pitch class sounds, long notes weighed by the root of theirs."""
    found = np.zeros((spans, 12))
    for start, length, pitch in zip(notes.start, notes.length, notes.pitch, strict=True):
        for span in range(max(0, start // cells), min(spans, -(-(start + length) // cells))):
            overlap = min(start + length, (span + 1) * cells) - max(start, span * cells)
            found[span, pitch % 12] += overlap**0.5
    return found


def _bass(notes: Notes, spans: int, cells: int) -> Array:
    """(spans, 12) share of the time for which each pitch class is the lowest one sounding."""
    lowest = np.full(spans * cells, 128)
    for start, length, pitch in zip(notes.start, notes.length, notes.pitch, strict=True):
        at = slice(max(start, 0), max(start + length, 0))
        lowest[at] = np.minimum(lowest[at], pitch)
    sounding = lowest < 128
    span = np.arange(len(lowest))[sounding] // cells
    found = np.bincount(span * 12 + lowest[sounding] % 12, minlength=spans * 12).reshape(spans, 12)
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1)


def _profiles() -> Array:
    """(24, 12) log-probabilities of pitch classes in C major .. B major, C minor .. B minor."""
    found = np.log([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
    found[12:] += _MINOR_LEAN
    return found


def _rolled(values: Array, shift: Whole) -> Array:
    return values[np.arange(len(values))[:, None], (np.arange(12) - shift[:, None]) % 12]


def _fits(sound: Array, bass: Array) -> Array:
    """(spans, CHORDS) how well each chord explains what sounds."""
    total = sound.sum(axis=1, keepdims=True)
    share = sound / np.maximum(total, 1e-9)
    scores = np.full((len(sound), fields.CHORDS), -1.0)
    for chord in range(1, fields.CHORDS):
        tones = list(fields.chord_tones(chord))
        inside = share[:, tones]
        covered = inside.sum(axis=1)
        missing = np.clip(1 - 8 * inside, 0, 1).mean(axis=1)
        score = covered - _FOREIGN * (1 - covered) - _MISSING * missing
        score += _BASS * bass[:, tones[0]] + _BASS_TONE * bass[:, tones].sum(axis=1)
        quality = list(fields.QUALITIES)[(chord - 1) % len(fields.QUALITIES)]
        scores[:, chord] = score - _RARE[quality]
    scores[total[:, 0] < _SILENT] = -1.0
    scores[total[:, 0] < _SILENT, 0] = 1.0
    return scores


def _best_row(scores: Array, price: Array) -> Whole:
    """Viterbi: the row of states with the most score after the price of its changes."""
    best = scores[0].copy()
    origins = np.zeros(scores.shape, dtype=np.int64)
    for moment in range(1, len(scores)):
        values = best[:, None] - price
        origins[moment] = values.argmax(axis=0)
        best = values.max(axis=0) + scores[moment]
    row = [int(best.argmax())]
    for moment in range(len(scores) - 1, 0, -1):
        row.append(int(origins[moment, row[-1]]))
    return np.array(row[::-1])
