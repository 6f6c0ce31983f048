"""A person's MIDI file as a bar grid, with what is needed to go back and what had to be given up.

Beats are the file's own where its notes lie on them, else they are estimated; key and chords are estimated
from the notes, whatever the file says. Knows no network.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music import _midi_bars, _midi_beats, _midi_file, _midi_harmony, _midi_melody
from pipelines.music import _notation as notation
from pipelines.music._grid import Frame, Grid, Notes, encode, field
from pipelines.music._midi_bars import Bars
from pipelines.music._midi_file import MidiFile, Signature, Timeline
from pipelines.music._midi_harmony import Keys
from pipelines.music._performance import key_name
from studio import midi_files
from studio.emotion import VAD
from studio.errors import InputError
from studio.score import LEAST_BPM, MOST_BPM

Array = NDArray[np.float64]

_ON_GRID = 0.35  # least mean cosine of onsets' places between grid lines; 1 on them, 0 anywhere
_ANYWHERE = Signature(0.0, 1, 4)  # bars of four quarters may begin with any sixteenth
_ENOUGH = 12  # onsets below which beats cannot be estimated, so that the tempo map is trusted
_SMOOTH = 5  # bars whose median tempo a bar is said to have


@dataclass(frozen=True, slots=True)
class Imported:
    """A piece on the grid. Arrays are of its bars.

    `tempo_bpm`: of the whole piece, None: as the grid has it. `shifts`: semitones (-5..6) that were added to
    bring a bar into the signature of C. `keys`: words of studio.score.KEYS. `tempi_bpm`: quarters a minute.
    `numbers`: as the file counts its bars, from 1 on. `start_s`, `end_s`: where a bar lies in the file.
    `breaks`: indices of bars before which music was left out. `melody`: the track that the melody came from,
    "" where it is the highest line of all. `bars_estimated`: the file does not say where its bars are.
    `notes`: what was left out or assumed, in plain words. `emotions`, `turns`: as of a Manner, for a piece
    that was written here.
    """

    grid: Grid
    tempo_bpm: float | None
    shifts: NDArray[np.int64]
    keys: tuple[str, ...]
    tempi_bpm: Array
    numbers: NDArray[np.int64]
    start_s: Array
    end_s: Array
    breaks: tuple[int, ...]
    melody: str
    parts: tuple[str, ...]
    bars_estimated: bool
    notes: tuple[str, ...]
    emotions: tuple[VAD, ...] = ()
    turns: tuple[tuple[int, str], ...] = ()

    def __len__(self) -> int:
        return len(self.grid)

    @property
    def key(self) -> str:
        """That of most bars."""
        return Counter(self.keys).most_common(1)[0][0]

    @property
    def shift(self) -> int:
        """Semitones (-6..5) from the signature of C to that of most bars: what brings the grid back."""
        return -Counter(self.shifts.tolist()).most_common(1)[0][0]

    @property
    def played_bpm(self) -> Array:
        """(bars,) quarters a minute, bar by bar."""
        return np.asarray(15 * fields.METERS[self.grid.meter] / (self.end_s - self.start_s))


def read(path: Path | str) -> Imported:
    """Raises InputError, one line, for a file that is no MIDI file, has no notes, or fits no meter."""
    midi = _midi_file.read(Path(path))
    if own := notation.from_text(midi_files.notation_of(Path(path))):
        return _ours(own, midi)
    timeline, signatures, said = _beats(midi)
    timed = _in_quarters(midi, timeline)
    bars = _midi_bars.lay(signatures, timed, str(path))
    notes, inside = _midi_bars.on_grid(bars, timed), _midi_bars.inside(bars, timed)
    leads, name = _melody(midi, notes, inside)
    keys = _midi_harmony.keys(notes, len(bars.starts), bars.cells)
    tempo_bpm, edges_s = _tempo(bars, timeline)
    grid = _encoded(notes, leads, keys, bars, tempo_bpm)
    if not _count_grid(grid):
        raise InputError("midi", str(path), f"{str(path)!r} has no notes that a piano has")
    said += (
        bars.notes + _changes(keys) + _losses(midi, int((~inside).sum()), _count(notes) - _count_grid(grid))
    )
    return Imported(
        grid,
        float(np.clip(np.median(tempo_bpm), LEAST_BPM, MOST_BPM)),
        keys.shift,
        keys.names,
        tempo_bpm,
        bars.numbers,
        *edges_s,
        bars.breaks,
        name,
        midi.tracks,
        signatures is not midi.signatures,
        said,
    )


def _ours(own: notation.Notation, midi: MidiFile) -> Imported:
    """A piece that was written here, exactly as it was written."""
    count, cells = len(own.grid), fields.METERS[own.grid.meter]
    bars = Bars(np.arange(count) * cells / 4, np.arange(1, count + 1), own.grid.meter, (), ())
    tempi_bpm, edges_s = _tempo(bars, midi.timeline)
    key = key_name(own.grid, own.shift)
    return Imported(
        own.grid,
        own.tempo_bpm,
        -np.array(own.modulations or (own.shift,) * count),
        (key,) * count,
        tempi_bpm,
        bars.numbers,
        *edges_s,
        (),
        "Melody" if "Melody" in midi.tracks else "",
        midi.tracks,
        False,
        (),
        own.emotions,
        own.turns,
    )


def _beats(midi: MidiFile) -> tuple[Timeline, tuple[Signature, ...], tuple[str, ...]]:
    """The file's own beats and signatures where its notes lie on them, or beside them at a fixed distance;

    else estimated ones. Without a signature that counts, bars begin wherever they fit best.
    """
    onsets = np.unique(midi.notes[:, 0])
    quarters = midi.timeline.quarter(onsets)
    turn = complex(np.exp(8j * np.pi * quarters).mean())  # once around is a sixteenth
    triple = float(np.cos(6 * np.pi * quarters).mean())
    if max(turn.real, triple) >= _ON_GRID or len(onsets) < _ENOUGH:
        moved = (
            ("triplets were moved to the nearest sixteenths",) if triple > max(turn.real, _ON_GRID) else ()
        )
        return midi.timeline, midi.signatures, moved
    if abs(turn) >= _ON_GRID:
        aside = float(np.angle(turn)) / (8 * np.pi)
        shifted = Timeline(midi.timeline.quarters - aside, midi.timeline.seconds)
        said = "bars estimated: the file's notes lie beside its beats; the meter is taken to be 4/4"
        return shifted, (_ANYWHERE,), (said,)
    beats_s = _midi_beats.beats(midi.notes[:, :4])
    timeline = Timeline(np.arange(len(beats_s), dtype=np.float64), beats_s)
    said = "beats estimated: the file's tempo map does not fit its notes; the meter is taken to be 4/4"
    return timeline, (_ANYWHERE,), (said,)


def _in_quarters(midi: MidiFile, timeline: Timeline) -> Array:
    """(N, 4): start and end in quarters, pitch, velocity."""
    start, end = timeline.quarter(midi.notes[:, 0]), timeline.quarter(midi.notes[:, 1])
    return np.column_stack([start, end, midi.notes[:, 2:4]])


def _melody(midi: MidiFile, notes: Notes, inside: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], str]:
    """Which of `notes` are the melody, and the name of its track."""
    track = _midi_melody.named(midi.tracks)
    own = midi.notes[inside, 4] == track
    if track is None or not own.any() or len(midi.tracks) == 1:
        return _midi_melody.skyline(notes), ""
    return _midi_melody.highest(notes, own), midi.tracks[track]


def _tempo(bars: Bars, timeline: Timeline) -> tuple[Array, tuple[Array, Array]]:
    start_s = timeline.second(bars.starts)
    end_s = timeline.second(bars.starts + bars.quarters)
    own = 60 * bars.quarters / (end_s - start_s)
    around = np.pad(own, _SMOOTH // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, _SMOOTH)
    return np.median(windows, axis=1), (start_s, end_s)


def _encoded(notes: Notes, leads: NDArray[np.bool_], keys: Keys, bars: Bars, tempo_bpm: Array) -> Grid:
    chords = _midi_harmony.chords(notes, keys, bars.cells)
    pitch = notes.pitch + keys.shift[notes.start // bars.cells]
    parts = [
        Notes(notes.start[own], notes.length[own], pitch[own], notes.velocity[own]) for own in (leads, ~leads)
    ]
    return encode(parts[0], parts[1], Frame(chords, keys.modes, tempo_bpm, bars.meter))


def _count(notes: Notes) -> int:
    """Onsets, a pitch once a sixteenth."""
    return len(np.unique(notes.start * 128 + notes.pitch))


def _count_grid(grid: Grid) -> int:
    return sum(int((field(grid.tokens, name) > 0).sum()) for name in ("melody", "voices"))


def _changes(keys: Keys) -> tuple[str, ...]:
    changes = int((np.diff(keys.shift) != 0).sum())
    return (f"the key signature changes {changes} time{'s' * (changes > 1)}",) if changes else ()


def _losses(midi: MidiFile, outside: int, crowded: int) -> tuple[str, ...]:
    losses = (
        (midi.drum_notes, "drum note", "left out"),
        (outside, "note", "outside these bars left out"),
        (crowded, "note", f"left out: more than {fields.VOICES} at once, or no keys of a piano"),
    )
    return tuple(f"{count} {what}{'s' * (count > 1)} {why}" for count, what, why in losses if count > 0)
