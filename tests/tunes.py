"""Small tunes as MIDI files, written with pretty_midi: a melody over chords, in any key, meter and tempo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pretty_midi

CHORDS = ((0, 4, 7), (7, 11, 14), (9, 12, 16), (5, 9, 12))  # I V vi IV, a bar each
STEPS = (0, 2, 1, 2, 1, 1, 2, 2)  # of the melody: which tone of the chord, an eighth each

Row = tuple[float, float, int, int]  # start and end in quarters, pitch, velocity
Clock = Callable[[float], float]  # quarters to seconds


def steady(tempo_bpm: float = 96.0, late_s: float = 0.0) -> Clock:
    return lambda quarter: quarter * 60 / tempo_bpm + late_s


def swaying(tempo_bpm: float = 76.0, share: float = 0.12, period: float = 16.0) -> Clock:
    """A player's tempo, that goes up and down by `share` within `period` quarters."""

    def clock(quarter: float) -> float:
        turn = 2 * np.pi / period
        return float((quarter + share / turn * (1 - np.cos(turn * quarter))) * 60 / tempo_bpm)

    return clock


def melody(bars: int, tonic: int = 60, quarters: float = 4.0) -> list[Row]:
    """Eighths; every fourth bar holds one note."""
    rows = []
    for bar in range(bars):
        root, at = CHORDS[bar % 4][0], bar * quarters
        if bar % 4 == 3:
            rows.append((at, at + quarters, tonic + 12 + root, 92))
            continue
        for index in range(int(quarters * 2)):
            pitch = tonic + 12 + CHORDS[bar % 4][STEPS[index % 8]] % 12
            rows.append((at + index / 2, at + index / 2 + 0.45, pitch, 92 - index))
    return rows


def chords(bars: int, tonic: int = 60, quarters: float = 4.0) -> list[Row]:
    """A bass note and the chord at the start of a bar, the chord again in its middle."""
    rows = []
    for bar in range(bars):
        at, tones = bar * quarters, CHORDS[bar % 4]
        rows.append((at, at + quarters - 0.1, tonic - 24 + tones[0] % 12, 70))
        for half in (0.0, quarters / 2):
            rows += [(at + half, at + half + quarters / 2 - 0.1, tonic - 12 + tone, 60) for tone in tones]
    return rows


def write(
    path: Path,
    tracks: Sequence[tuple[str, Sequence[Row]]],
    clock: Clock | None = None,
    tempo_bpm: float = 96.0,
    signatures: Sequence[tuple[float, int, int]] = ((0.0, 4, 4),),
    drums: int = 0,
) -> Path:
    """`signatures`: (quarter, numerator, denominator). `tempo_bpm` stands in the file, `clock` is played."""
    at = clock or steady(tempo_bpm)
    midi = pretty_midi.PrettyMIDI(initial_tempo=tempo_bpm)
    for quarter, numerator, denominator in signatures:
        midi.time_signature_changes.append(
            pretty_midi.TimeSignature(numerator, denominator, quarter * 60 / tempo_bpm)
        )
    for name, rows in tracks:
        track = pretty_midi.Instrument(0, name=name)
        track.notes += [pretty_midi.Note(velocity, pitch, at(a), at(b)) for a, b, pitch, velocity in rows]
        midi.instruments.append(track)
    if drums:
        kit = pretty_midi.Instrument(0, is_drum=True, name="Drums")
        kit.notes += [pretty_midi.Note(90, 36, at(index), at(index) + 0.1) for index in range(drums)]
        midi.instruments.append(kit)
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.write(str(path))
    return path


def tune(path: Path, bars: int = 8, tonic: int = 60, **options: object) -> Path:
    """Two tracks, MELODY and PIANO, of `bars` bars of 4/4."""
    tracks = (("MELODY", melody(bars, tonic)), ("PIANO", chords(bars, tonic)))
    return write(path, tracks, **options)  # type: ignore[arg-type]
