"""A MIDI file as plain numbers: notes in seconds with their track, time signatures, tempo map.

Reads with pretty_midi, whose parser is Python: a damaged file ends in an exception, never in a crash. Pedals
are not read: a note lasts as long as its key is down. Knows the format; it knows no grid.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.errors import InputError
from studio.lazy import lazy

pretty_midi = lazy("pretty_midi")
mido_meta = lazy("mido.midifiles.meta")

Array = NDArray[np.float64]

_BROKEN = (OSError, EOFError, ValueError, IndexError, KeyError, ArithmeticError, struct.error)
_FINEST = 64  # denominator of a time signature: nobody writes a shorter beat
LONGEST_S = 3600.0  # a damaged tempo or time would else make millions of bars


@dataclass(frozen=True, slots=True)
class Timeline:
    """Quarters against seconds, piecewise linear through knots (K,), going on straight beyond both ends."""

    quarters: Array
    seconds: Array

    def quarter(self, seconds: Array) -> Array:
        return _through(seconds, self.seconds, self.quarters)

    def second(self, quarters: Array) -> Array:
        return _through(quarters, self.quarters, self.seconds)


@dataclass(frozen=True, slots=True)
class Signature:
    """A time signature from `start` quarters on."""

    start: float
    numerator: int
    denominator: int

    @property
    def text(self) -> str:
        return f"{self.numerator}/{self.denominator}"

    @property
    def quarters(self) -> float:
        return self.numerator * 4 / self.denominator


@dataclass(frozen=True, slots=True)
class MidiFile:
    """`notes` (N, 5): start_s, end_s, pitch, velocity, index of its track in `tracks`; N > 0, no drums."""

    notes: Array
    tracks: tuple[str, ...]
    drum_notes: int
    timeline: Timeline
    signatures: tuple[Signature, ...]


def read(path: Path) -> MidiFile:
    """Raises InputError, one line: no such file, not a MIDI file, damaged, without notes, endless."""
    midi = _opened(path)
    with _readable(path):
        timeline = _timeline(midi)
        signatures = _signatures(midi, timeline)
    sounding = [track for track in midi.instruments if track.notes and not track.is_drum]
    drums = sum(len(track.notes) for track in midi.instruments if track.is_drum)
    rows = [
        (note.start, note.end, note.pitch, note.velocity, index)
        for index, track in enumerate(sounding)
        for note in track.notes
        if note.velocity > 0
    ]
    if not rows:
        what = f"has no notes but {drums} of drums" if drums else "has no notes"
        raise InputError("midi", str(path), f"{str(path)!r} {what}")
    notes = np.array(sorted(rows), dtype=np.float64)
    if notes[:, 1].max() > LONGEST_S:
        why = f"{str(path)!r} lasts {notes[:, 1].max() / 60:.0f} minutes; at most {LONGEST_S / 60:g} are read"
        raise InputError("midi", str(path), why)
    names = tuple(track.name.strip() or f"track {index + 1}" for index, track in enumerate(sounding))
    return MidiFile(notes, names, drums, timeline, signatures)


def _opened(path: Path) -> Any:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError("midi", str(path), f"{str(path)!r} {what}")
    if path.stat().st_size == 0:
        raise InputError("midi", str(path), f"{str(path)!r} is empty (0 bytes)")
    with _readable(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tempo marks in odd tracks, which are read all the same
        return pretty_midi.PrettyMIDI(str(path))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What a damaged file makes a parser raise, as one line."""
    try:
        yield
    except (*_BROKEN, mido_meta.KeySignatureError) as error:
        said = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise InputError("midi", str(path), f"{str(path)!r} is no readable MIDI file: {said}") from None


def _timeline(midi: Any) -> Timeline:
    starts_s, tempi_bpm = midi.get_tempo_changes()
    lengths_s = np.append(np.diff(starts_s), 60.0)
    seconds = np.append(starts_s, starts_s[-1] + 60.0)
    quarters = np.concatenate([[0.0], np.cumsum(lengths_s * tempi_bpm / 60)])
    return Timeline(quarters, seconds)


def _signatures(midi: Any, timeline: Timeline) -> tuple[Signature, ...]:
    """In order, from 0 on; 4/4 where the file says nothing, as the format's standard has it."""
    found = [
        Signature(float(timeline.quarter(np.array(change.time))), change.numerator, change.denominator)
        for change in sorted(midi.time_signature_changes, key=lambda change: change.time)
    ]
    if not found or found[0].start > 1e-6:
        found.insert(0, Signature(0.0, 4, 4))
    if any(change.denominator > _FINEST for change in midi.time_signature_changes):
        raise ValueError(f"a time signature whose beat is shorter than 1/{_FINEST}")
    later = [one.start for one in found[1:]] + [np.inf]
    return tuple(one for one, end in zip(found, later, strict=True) if end - one.start > 1e-6)


def _through(x: Array, xs: Array, ys: Array) -> Array:
    """np.interp that goes on straight beyond the first and the last knot."""
    found = np.interp(x, xs, ys)
    head = (ys[1] - ys[0]) / (xs[1] - xs[0])
    tail = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
    found = np.where(x < xs[0], ys[0] + (x - xs[0]) * head, found)
    return np.where(x > xs[-1], ys[-1] + (x - xs[-1]) * tail, found)
