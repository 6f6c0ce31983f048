"""A piece as a bar grid: notes on sixteenths to tokens and back, and which earlier bar each bar repeats.

Everything here is in the key signature of C major and A minor; whoever comes with notes or leaves with them
transposes. Knows numbers only: no file format and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music._fields import CELLS, FIELDS, LIKENESSES, WIDTH

Tokens = NDArray[np.int16]  # (bars, WIDTH)
REACH = 64  # bars that a bar may repeat another from
# Edges of the bins that sum a bar up, from POP909's own distribution (about an eighth of its bars in each).
EDGES = {
    "tempo": (61, 65, 68, 72, 80, 92, 110),  # quarters a minute
    "activity": (4, 6, 7, 8, 9, 11, 14),
    "melody_activity": (1, 2, 4, 5, 6, 7, 9),
    "register": (54, 56.5, 58.5, 60.5, 62, 64.5, 67),
    "melody_register": (62, 67, 70, 72, 74, 76, 80),
    "loudness": (60, 68, 73, 78, 83, 89, 98),
}


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes of one part, arrays (N,): first sixteenth counted from the start, length in sixteenths, MIDI

    pitch, velocity 1..127."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True, slots=True)
class Grid:
    """`tokens` (bars, WIDTH), all written. `meter`: a word of fields.METERS."""

    tokens: Tokens
    meter: str = "4/4"

    def __len__(self) -> int:
        return len(self.tokens)


def field(tokens: NDArray[np.integer], name: str) -> NDArray[np.integer]:
    """View (..., per_bar, voices) of one field of tokens (..., WIDTH)."""
    spec = FIELDS[name]
    return tokens[..., spec.tokens].reshape(*tokens.shape[:-1], spec.per_bar, spec.voices)


@dataclass(frozen=True, slots=True)
class Frame:
    """What bars hold besides notes.

    `chords` (bars, 2) classes of half bars; `modes` (bars,) 0 major, 1 minor; `tempo_bpm` (bars,) quarters
    a minute; `meter` a word of fields.METERS.
    """

    chords: NDArray[np.int64]
    modes: NDArray[np.int64]
    tempo_bpm: NDArray[np.float64]
    meter: str = "4/4"


def encode(melody: Notes, accompaniment: Notes, frame: Frame) -> Grid:
    """All fields of a piece. Notes outside its bars are left out."""
    bars, cells = len(frame.chords), fields.METERS[frame.meter]
    tokens = np.zeros((bars, WIDTH), dtype=np.int16)
    _write(tokens, "melody", melody, cells)
    _write(tokens, "voices", accompaniment, cells)
    tokens[:, FIELDS["chord"].tokens] = frame.chords
    tokens[:, FIELDS["mode"].start] = frame.modes
    loudness = _velocities(tokens, (melody, accompaniment), cells)
    _sum_up(tokens, {"tempo": frame.tempo_bpm, "loudness": loudness})
    return Grid(tokens, frame.meter)


def _write(tokens: Tokens, name: str, notes: Notes, cells: int) -> None:
    """Onsets from low to high into the voices of their sixteenth, with their lengths."""
    spec = FIELDS[name]
    pitches = np.zeros((len(tokens), CELLS, spec.voices), dtype=np.int16)
    lengths = np.full_like(pitches, fields.NO_LENGTH)
    classes = fields.length_class(notes.length) if len(notes) else notes.length
    for cell, chosen in _simultaneous(notes, spec.voices):
        bar, place = divmod(cell, cells)
        if 0 <= bar < len(tokens):
            count = len(chosen)
            pitches[bar, place, :count] = notes.pitch[chosen] - fields.LOWEST + 1
            lengths[bar, place, :count] = classes[chosen]
    tokens[:, spec.tokens] = pitches.reshape(len(tokens), -1)
    tokens[:, FIELDS[f"{name}_length"].tokens] = lengths.reshape(len(tokens), -1)


def _simultaneous(notes: Notes, voices: int) -> list[tuple[int, list[int]]]:
    """Of each sixteenth the notes that are kept, low to high: the highest one of a melody; of a chord the

    lowest and the highest and as many as fit of those next to the top."""
    found: dict[int, dict[int, int]] = {}
    for index in range(len(notes)):
        if fields.LOWEST <= notes.pitch[index] <= fields.HIGHEST:
            at = found.setdefault(int(notes.start[index]), {})
            pitch = int(notes.pitch[index])
            if pitch not in at or notes.length[index] > notes.length[at[pitch]]:
                at[pitch] = index
    kept = []
    for cell, at in found.items():
        ordered = [at[pitch] for pitch in sorted(at)]
        if len(ordered) > voices:
            ordered = ordered[:1] * (voices > 1) + ordered[len(ordered) - voices + (voices > 1) :]
        kept.append((cell, ordered))
    return kept


def _velocities(tokens: Tokens, parts: Sequence[Notes], cells: int) -> NDArray[np.float64]:
    """Write mean velocities of four-sixteenth groups (silent ones take the last before them); returns each

    bar's mean velocity (bars,), 0 where it has no note."""
    bars = len(tokens)
    levels = np.zeros((bars * 4, 2))
    total, count = np.zeros(bars), np.zeros(bars)
    for part, notes in enumerate(parts):
        bar, place = np.divmod(notes.start, cells)
        inside = (bar >= 0) & (bar < bars)
        group = (bar * 4 + place // 4)[inside]
        sums = np.bincount(group, notes.velocity[inside], minlength=bars * 4)
        numbers = np.bincount(group, minlength=bars * 4)
        levels[:, part] = _carried(sums / np.maximum(numbers, 1), numbers > 0)
        total += np.bincount(bar[inside], notes.velocity[inside], minlength=bars)
        count += np.bincount(bar[inside], minlength=bars)
    classes = np.clip(levels / 128 * fields.LOUDNESS_LEVELS, 0, fields.LOUDNESS_LEVELS - 1).astype(np.int16)
    tokens[:, FIELDS["velocity"].tokens] = classes.reshape(bars, -1)
    return total / np.maximum(count, 1)


def _carried(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Unknown values take the last known one before them, at the beginning the first; 64 where none is."""
    if not known.any():
        return np.full_like(values, 64.0)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    return values[np.where(last < 0, np.flatnonzero(known)[0], last)]


def _sum_up(tokens: Tokens, known: dict[str, NDArray[np.float64]]) -> None:
    for name, values in (measures(tokens) | known).items():
        tokens[:, FIELDS[name].start] = np.digitize(values, EDGES[name])


def measures(tokens: Tokens) -> dict[str, NDArray[np.float64]]:
    """Moments with an onset and mean MIDI pitch, of both parts, (bars,) each, by the name of their field."""
    found: dict[str, NDArray[np.float64]] = {}
    for prefix, name in (("", "voices"), ("melody_", "melody")):
        pitches = field(tokens, name).astype(np.float64)
        sounding = pitches > 0
        count = np.maximum(sounding.sum(axis=(1, 2)), 1)
        mean = ((pitches + fields.LOWEST - 1) * sounding).sum(axis=(1, 2)) / count
        found[f"{prefix}activity"] = sounding.any(axis=2).sum(axis=1).astype(np.float64)
        found[f"{prefix}register"] = _carried(mean, sounding.any(axis=(1, 2)))
    return found


def likeness(one: Tokens, other: Tokens) -> NDArray[np.float64]:
    """Dice coefficient, 0..1, of the onsets (part, sixteenth, pitch) of bars (..., WIDTH), pairwise."""
    shared, sizes = 0.0, 0.0
    for name in ("melody", "voices"):
        a, b = field(one, name), field(other, name)
        same = (a[..., :, None] == b[..., None, :]) & (a[..., :, None] > 0)
        shared = shared + same.sum(axis=(-3, -2, -1))
        sizes = sizes + (a > 0).sum(axis=(-2, -1)) + (b > 0).sum(axis=(-2, -1))
    return 2 * shared / np.maximum(sizes, 1)


def facts(meter: str, likeness: NDArray[np.int64], opens: bool, closes: bool) -> NDArray[np.int64]:
    """(bars, 4) as networks take them: meter, likeness to the repeated bar, place from start and from end.

    `opens`, `closes`: whether the piece begins with the first bar and ends with the last.
    """
    count, far = len(likeness), fields.PLACES - 1
    start, end = np.full(count, far), np.full(count, far)
    near = np.arange(fields.PLACES)[:count]
    if opens:
        start[: len(near)] = near
    if closes:
        end[::-1][: len(near)] = near
    return np.stack([np.full(count, fields.METER_NAMES.index(meter)), likeness, start, end], axis=1)


def repeats(tokens: Tokens) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each bar how many bars back the one lies that it repeats best (the earliest of equals), and its

    likeness class, both 0 where there is none."""
    lags = np.zeros(len(tokens), dtype=np.int64)
    classes = np.zeros(len(tokens), dtype=np.int64)
    for bar in range(1, len(tokens)):
        first = max(0, bar - REACH)
        shares = likeness(tokens[first:bar], tokens[bar][None])
        best = int(np.argmax(shares > shares.max() - 0.02))
        classes[bar] = np.digitize(shares[best], LIKENESSES)
        if classes[bar]:
            lags[bar] = bar - first - best
    return lags, classes
