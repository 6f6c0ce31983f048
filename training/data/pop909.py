"""POP909 (Wang et al., ISMIR 2020): 909 piano arrangements of pop songs, without any words on feeling.

    root/001/001.mid  beat_midi.txt  chord_midi.txt  key_audio.txt      one folder a song (see _pop909_files)

What a bar feels like is measured, by the musical cues of training.music_cues; nobody was asked. A song's bars
of its rarer meter are left out. MIT licence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from studio.emotion import VAD
from studio.errors import InputError
from studio.params import param
from training import music_cues
from training.data import _pop909_files as files
from training.data._music import MusicDataset, Row, Song, made_song
from training.data._tables import no_layout


@dataclass(frozen=True)
class Dataset(MusicDataset):
    """`attributes`: `bars` (VAD of each bar) and `song` (its number)."""

    root: str = param("", "folder with 001/001.mid and the annotations beside it")
    split: str = param(
        "train", "test: the songs that the embedded models never saw", choices=("train", "test", "all")
    )
    windows: int = param(4, "windows of each file, evenly spread from its start to its end", min=1, max=64)

    def read_rows(self) -> list[Row]:
        names = files.songs(self.folder)
        if not names:
            raise no_layout(self.root, "001", "001/001.mid, 002/002.mid, ...")
        held_out = files.held_out(names)
        chosen = {"train": sorted(set(names) - set(held_out)), "test": held_out, "all": names}[self.split]
        if not chosen:
            raise InputError("dataset.split", self.split, f"{len(names)} songs are too few for a test", "all")
        return [self._row(name) for name in chosen]

    def song(self, row: Row) -> Song:
        return _song(row.midi)

    def feelings(self, row: Row, song: Song, at: slice) -> list[VAD]:
        """Of the whole song at once: what is fast or loud is so beside the bars around."""
        return list(_feelings(row.midi)[at])

    def _row(self, name: str) -> Row:
        folder = self.folder / name
        besides = tuple(folder / file for file in ("beat_midi.txt", "chord_midi.txt", "key_audio.txt"))
        return Row(folder / f"{name}.mid", f"song {name}", None, {"song": name}, besides=besides)


@lru_cache(maxsize=16)
def _song(path: Path) -> Song:
    """The bars of a song's commonest meter. InputError where it has none."""
    found = files.read(path.parent.parent, path.stem)
    counts = {
        meter: sum(len(one.grid) for one in found if one.grid.meter == meter) for meter in fields.METERS
    }
    meter = max(counts, key=lambda name: counts[name])
    same = [one for one in found if one.grid.meter == meter]
    if not same:
        raise InputError(
            "midi", str(path), f"{str(path)!r} has no stretch of {files.SHORTEST} bars in one meter"
        )
    tokens = np.concatenate([one.grid.tokens for one in same])
    breaks = np.cumsum([len(one.grid) for one in same])[:-1].tolist()
    count = np.arange(len(tokens), dtype=np.float64)
    tempi_bpm = music_cues.tempo_bpm(tokens)
    whole = (same[0].starts_song, same[-1].ends_song)
    places = (count.astype(np.int64) + 1, count, count + 1)  # seconds are not asked for
    return made_song(grid.Grid(tokens, meter), tempi_bpm, breaks, places, whole)


@lru_cache(maxsize=16)
def _feelings(path: Path) -> tuple[VAD, ...]:
    song = _song(path)
    meter = list(fields.METERS)[int(song.facts[0, 0])]
    points = music_cues.feelings(song.tokens, song.tempi_bpm, meter)
    return tuple(VAD.clamped(*map(float, point)) for point in points)
