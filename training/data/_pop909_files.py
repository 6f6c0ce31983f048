"""What POP909 has on disk (Wang et al. 2020), song by song, as notes on a bar grid.

    <root>/001/001.mid               tracks MELODY, BRIDGE, PIANO
               beat_midi.txt         time_s, half-bar mark, bar mark of every beat
               chord_midi.txt        start_s, end_s, chord such as "F#:min7" or "N"
               key_audio.txt         start_s, end_s, key such as "Gb:maj"

Its beats lie as the annotators heard them: quarters in fours, eighths in sixes. Bars of other lengths are
left out and divide a song into stretches. Knows the files; it knows no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pretty_midi
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music._grid import Frame, Grid, Notes, encode
from studio.errors import InputError

MELODY, ACCOMPANIMENT = ("MELODY",), ("BRIDGE", "PIANO")
METERS = {4: ("4/4", 4), 6: ("6/8", 2)}  # beats of a bar: meter, sixteenths of a beat
SHORTEST = 4  # bars of a stretch
_ROOTS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIMPLER = {"maj6": "maj", "min6": "min", "minmaj7": "min", "hdim7": "dim", "dim7": "dim", "sus4(b7)": "sus4"}
_SCALE = np.isin(np.arange(12), fields.WHITE_KEYS)
_TRUST = 0.05  # a signature that fits this share of the sound better than the annotated one replaces it


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bars of one meter in a row. `starts_song`, `ends_song`: whether they are the first, the last ones."""

    grid: Grid
    starts_song: bool
    ends_song: bool


@dataclass(frozen=True, slots=True)
class _Song:
    melody: NDArray[np.float64]  # (N, 4): start_s, end_s, pitch, velocity
    accompaniment: NDArray[np.float64]
    beats_s: NDArray[np.float64]
    bars: NDArray[np.int64]  # of beats: those that begin a bar
    chords: list[tuple[float, float, str]]
    keys: list[tuple[float, float, str]]


def songs(root: Path) -> list[str]:
    """Names of the songs under `root`, in order."""
    return sorted(
        path.parent.name for path in root.glob("[0-9][0-9][0-9]/*.mid") if path.stem == path.parent.name
    )


def held_out(names: list[str]) -> list[str]:
    """Of all songs in order those that the embedded models never saw."""
    return names[4::10]


def read(root: Path, name: str) -> list[Stretch]:
    """The stretches of one song, in the key signature of C. Raises InputError for a file that is broken."""
    try:
        song = _song(root / name, name)
    except (OSError, ValueError, EOFError, IndexError, KeyError) as error:
        raise InputError("dataset", name, f"song {name} cannot be read: {error}") from error
    return _stretches(song)


def _song(folder: Path, name: str) -> _Song:
    midi = pretty_midi.PrettyMIDI(str(folder / f"{name}.mid"))
    beats = np.loadtxt(folder / "beat_midi.txt", ndmin=2)
    return _Song(
        _notes(midi, MELODY),
        _notes(midi, ACCOMPANIMENT),
        beats[:, 0],
        np.flatnonzero(beats[:, 2] == 1),
        _spans(folder / "chord_midi.txt"),
        _spans(folder / "key_audio.txt"),
    )


def _notes(midi: pretty_midi.PrettyMIDI, tracks: tuple[str, ...]) -> NDArray[np.float64]:
    rows = [
        (note.start, note.end, note.pitch, note.velocity)
        for track in midi.instruments
        if track.name.strip().upper() in tracks
        for note in track.notes
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _spans(path: Path) -> list[tuple[float, float, str]]:
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(float(start), float(end), name) for start, end, name in lines]


def _stretches(song: _Song) -> list[Stretch]:
    found = []
    lengths = np.diff(song.bars)
    first = 0
    for index in range(1, len(lengths) + 1):
        if index < len(lengths) and lengths[index] == lengths[first]:
            continue
        if int(lengths[first]) in METERS and index - first >= SHORTEST:
            found.append(_stretch(song, first, index))
        first = index
    return found


def _stretch(song: _Song, first: int, last: int) -> Stretch:
    beats = song.beats_s[song.bars[first] : song.bars[last] + 1]
    meter, per_beat = METERS[int(song.bars[first + 1] - song.bars[first])]
    cells_s = np.interp(np.arange((len(beats) - 1) * per_beat + 1), np.arange(len(beats)) * per_beat, beats)
    shifts, modes = _keys(song, cells_s, fields.METERS[meter])
    chords = _chords(song, cells_s, fields.METERS[meter], shifts)
    melody, accompaniment = (
        _on_grid(part, cells_s, fields.METERS[meter], shifts) for part in (song.melody, song.accompaniment)
    )
    tempo_bpm = np.full(len(chords), 15 / np.median(np.diff(cells_s)))
    grid = encode(melody, accompaniment, Frame(chords, modes, tempo_bpm, meter))
    return Stretch(grid, first == 0, last == len(song.bars) - 1)


def _on_grid(
    notes: NDArray[np.float64], cells_s: NDArray[np.float64], per_bar: int, shifts: NDArray[np.int64]
) -> Notes:
    numbers = np.arange(len(cells_s))
    start = np.rint(np.interp(notes[:, 0], cells_s, numbers, left=-1, right=-1)).astype(np.int64)
    end = np.rint(np.interp(notes[:, 1], cells_s, numbers)).astype(np.int64)
    inside = (start >= 0) & (start < len(cells_s) - 1)
    bar = np.clip(start // per_bar, 0, len(shifts) - 1)
    pitch = notes[:, 2].astype(np.int64) + shifts[bar]
    parts = (start, np.maximum(end - start, 1), pitch, notes[:, 3].astype(np.int64))
    return Notes(*(part[inside] for part in parts))


def _keys(
    song: _Song, cells_s: NDArray[np.float64], per_bar: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each bar the semitones (-5..6) that bring it into the signature of C, and whether it is minor."""
    middles = (cells_s[:-1:per_bar] + cells_s[per_bar::per_bar]) / 2
    shifts = np.zeros(len(middles), dtype=np.int64)
    modes = np.zeros(len(middles), dtype=np.int64)
    for start, end, name in song.keys:
        root, mode = name.split(":")
        major = (_root(root) + (3 if mode.startswith("min") else 0)) % 12
        major = _better_fit(song, start, end, major)
        begin = 0 if start == song.keys[0][0] else int(np.searchsorted(middles, start))
        shifts[begin:] = (5 - major) % 12 - 5  # what is nearer, down or up
        modes[begin:] = mode.startswith("min")
    return shifts, modes


def _better_fit(song: _Song, start: float, end: float, major: int) -> int:
    """The annotated signature, or the one that fits what sounds clearly better: annotators erred at times."""
    notes = np.concatenate([song.melody, song.accompaniment])
    notes = notes[(notes[:, 0] >= start - 0.1) & (notes[:, 0] < end)]
    sound = np.bincount(notes[:, 2].astype(np.int64) % 12, notes[:, 1] - notes[:, 0], minlength=12)
    if sound.sum() == 0:
        return major
    fits = np.array([(np.roll(_SCALE, tonic) * sound).sum() for tonic in range(12)]) / sound.sum()
    best = int(fits.argmax())
    return best if fits[best] > fits[major] + _TRUST else major


def _chords(
    song: _Song, cells_s: NDArray[np.float64], per_bar: int, shifts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(bars, 2): the chord that holds at most of each half bar."""
    starts = np.array([span[0] for span in song.chords])
    eighths = cells_s[:-1].reshape(-1, 2, per_bar // 2) + 1e-3
    which = np.clip(np.searchsorted(starts, eighths, side="right") - 1, 0, len(starts) - 1)
    chords = np.zeros(which.shape[:2], dtype=np.int64)
    for bar, half in np.ndindex(chords.shape):
        chords[bar, half] = _chord(
            song.chords[int(np.bincount(which[bar, half]).argmax())][2], int(shifts[bar])
        )
    return chords


def _root(name: str) -> int:
    """Pitch class of a name such as "F#" or "Bb"."""
    return (_ROOTS[name[0]] + name.count("#") - name[1:].count("b")) % 12


def _chord(name: str, shift: int) -> int:
    """Class of a chord such as "F#:min7/b7"; the bass note is heard in the voices, so it is not kept."""
    if ":" not in name:
        return 0
    root, quality = name.split("/")[0].split(":")
    quality = _SIMPLER.get(quality, quality)
    return 1 + (_root(root) + shift) % 12 * len(fields.QUALITIES) + list(fields.QUALITIES).index(quality)
