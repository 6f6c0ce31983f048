"""What every data set of music files shares: windows of bars.

A file is read when one of its windows is asked for. Knows the bar grid; it knows no layout and no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _grid as grid
from pipelines.music import _midi_in as midi_in
from studio.emotion import VAD, Emotion
from studio.errors import InputError
from studio.params import param
from studio.ports import Example
from training.data._files import FileDataset

SUFFIXES = frozenset({".mid", ".midi"})
LENGTHS = (4, 8, 16)  # bars of a window; a shorter file gives the longest of these that it has
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """B bars in a row, as the music networks take them.

    `tokens` (B, WIDTH); `repeated` (B, WIDTH) the bars that they repeat, themselves where they repeat none;
    `lag` (B,) how many bars back those lie, 0 for none; `facts` (B, 4): meter, likeness to the repeated bar,
    place from the start and from the end of the piece (see _grid.facts).
    """

    tokens: grid.Tokens
    repeated: grid.Tokens
    lag: Whole
    facts: Whole

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class Song:
    """All bars of a piece. `breaks`: indices of bars that do not follow the one before them in the piece.

    `numbers`: how the file counts its bars; `start_s`, `end_s`: where they lie in it.
    """

    tokens: grid.Tokens
    lag: Whole
    facts: Whole
    tempi_bpm: NDArray[np.float64]
    breaks: tuple[int, ...]
    numbers: Whole
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.tokens)

    def starts(self, bars: int) -> Whole:
        """First bars of all windows of `bars` bars that go over no break."""
        breaks = np.array(self.breaks, dtype=np.int64)
        first = np.arange(len(self) - bars + 1)
        after = np.searchsorted(breaks, first, side="right")
        before = np.searchsorted(breaks, first + bars, side="left")
        return first[after == before]

    def window(self, at: slice) -> Window:
        index = np.arange(at.start, at.stop)
        lag = self.lag[index]
        return Window(self.tokens[index], self.tokens[index - lag], lag, self.facts[index])


@dataclass(frozen=True, slots=True)
class Row:
    """One file before it is read. `emotion`: of all its bars; None where `feelings` of the data set tells."""

    midi: Path
    prompt: str
    emotion: Emotion | None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    curve: tuple[tuple[float, VAD], ...] = ()  # feelings from a place on; what places are is the data set's
    besides: tuple[Path, ...] = ()


@dataclass(frozen=True)
class MusicDataset(FileDataset[Row]):
    """Windows of the MIDI files under `root`; `media` of an example is a Window, `prompt` the piece's title.

    Where bars differ, the attribute `bars` holds the VAD of each and `emotion` their mean. A subclass says in
    `read_rows` which files; wrong annotations are errors there, before anything runs, and a file that is
    missing, broken or in another meter is an InputError of its examples alone.
    """

    MEDIUM: ClassVar[str] = "music"
    bars: int = param(16, "length of a window; shorter files give 8 or 4 bars", choices=LENGTHS, unit="bars")
    windows: int = param(2, "windows of each file, evenly spread from its start to its end", min=1, max=64)

    def said(self, row: Row) -> tuple[Any, ...]:
        emotion = row.emotion.text if row.emotion else ""
        return (row.prompt, emotion, sorted(row.attributes.items()), row.curve)

    def files(self, row: Row) -> Sequence[Path]:
        return (row.midi, *row.besides)

    def feelings(self, row: Row, song: Song, at: slice) -> Sequence[VAD]:
        """One for each bar of a window, for rows without an `emotion`."""
        raise NotImplementedError

    def song(self, row: Row) -> Song:
        """The piece of a row. InputError names a file that cannot be read."""
        return read_song(row.midi)

    def __len__(self) -> int:
        return len(self._rows) * self.windows

    def __getitem__(self, index: int) -> Example:
        """A window of a file. InputError where the file is missing, broken, too short or in another meter."""
        if not 0 <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        row = self._rows[index // self.windows]
        song = self.song(row)
        at = _place(song, self.bars, index % self.windows, self.windows, row.midi)
        attributes = {**row.attributes, "file": row.midi.name, "first_bar": int(song.numbers[at.start])}
        if row.emotion is not None:
            return Example(song.window(at), row.prompt, row.emotion, attributes)
        bars = tuple(self.feelings(row, song, at))
        return Example(song.window(at), row.prompt, Emotion(mean(bars)), {**attributes, "bars": bars})


def midi_files(folder: Path) -> list[Path]:
    """All MIDI files under a folder, sorted; what begins with a dot is left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(
        path for path in found if not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )


@lru_cache(maxsize=16)  # the windows of a file are asked for one after the other
def read_song(path: Path) -> Song:
    """Raises InputError for a file that is missing or no music that the grid can hold."""
    found = midi_in.read(path)
    return made_song(
        found.grid, found.tempi_bpm, found.breaks, (found.numbers, found.start_s, found.end_s), (True, True)
    )


def made_song(
    piece: grid.Grid,
    tempi_bpm: NDArray[np.float64],
    breaks: Sequence[int],
    places: tuple[Whole, NDArray[np.float64], NDArray[np.float64]],
    whole: tuple[bool, bool],
) -> Song:
    """`places`: number, start and end in seconds of each bar. `whole`: has the piece its start, its end."""
    lag, likeness = grid.repeats(piece.tokens)
    facts = grid.facts(piece.meter, likeness, *whole)
    return Song(piece.tokens, lag, facts, tempi_bpm, tuple(breaks), *places)


def _place(song: Song, most: int, index: int, count: int, path: Path) -> slice:
    """The bars of window `index` of `count`: the first at the start, the last at the end."""
    for bars in sorted((length for length in LENGTHS if length <= most), reverse=True):
        if len(starts := song.starts(bars)):
            share = index / (count - 1) if count > 1 else 0.0
            first = int(starts[round(share * (len(starts) - 1))])
            return slice(first, first + bars)
    why = f"{str(path)!r} has {len(song)} bars; a window needs {LENGTHS[0]} in a row"
    raise InputError("midi", str(path), why)


def mean(bars: Sequence[VAD]) -> VAD:
    """The point in the middle of several."""
    return VAD.clamped(*(float(value) for value in np.mean([one.as_tuple() for one in bars], axis=0)))


def stepped(curve: Sequence[tuple[float, VAD]], places: Sequence[float]) -> list[VAD]:
    """Of each place the feeling that began last before or at it; the first one before all."""
    begins = [place for place, _ in curve]
    at = np.maximum(np.searchsorted(begins, np.asarray(places) + 1e-6, side="right") - 1, 0)
    return [curve[index][1] for index in at]
