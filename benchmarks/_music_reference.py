"""What real songs measure: POP909's held-out songs, kept beside the benchmark so that it needs no data set.

Also what two halves of the training songs differ by: closer than that to the held-out songs nothing can be
expected to come, and the index of what stands in the training songs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _music_copies as copies
from benchmarks import _music_measures as measures
from benchmarks._music_measures import Piece
from training import music_cues
from training._music_bars import Floats
from training.music_scale import Song, songs

FOLDER = Path(__file__).with_name("references")
FILE, INDEX = FOLDER / "music.json", FOLDER / "music_index.npz"
WINDOWS = (16, 32)  # bars
HALF = 8  # every eighth song makes a half: 102 songs are as many as are held out


def windows(song: Song, bars: int) -> list[Piece]:
    """The song's bars in a row, `bars` at a time, none twice."""
    found = []
    for number in np.unique(song.stretch):
        rows = song.tokens[song.stretch == number]
        found += [Piece(rows[i : i + bars], song.meter) for i in range(0, len(rows) - bars + 1, bars)]
    return found


def stretches(song: Song) -> list[Piece]:
    return [Piece(song.tokens[song.stretch == number], song.meter) for number in np.unique(song.stretch)]


@cache
def figures() -> Mapping[str, Any]:
    return dict(json.loads(FILE.read_text("utf-8")))


@cache
def index() -> copies.Copies:
    return copies.load(INDEX)


def make(folder: Path) -> None:
    """Measure the train and held_out.safetensors that training.embedded.music_set has made in `folder`."""
    held_out = list(songs(folder / "held_out.safetensors"))
    train = list(songs(folder / "train.safetensors"))
    known = copies.index(piece for song in train for piece in stretches(song))
    FOLDER.mkdir(exist_ok=True)
    copies.save(known, INDEX)
    found = {
        "made_by": "python -m benchmarks.music --reference runs/music",
        "songs": len({song.number for song in held_out}),
        "windows": {str(bars): _distribution(held_out, bars) for bars in WINDOWS},
        "halves_differ_by": _halves(train),
        "copies": copies.overlap([piece for song in held_out for piece in windows(song, 16)], known),
        **_felt(held_out),
        "main_cue_r_of_windows": _main_cues([piece for song in held_out for piece in windows(song, 16)]),
    }
    FILE.write_text(json.dumps(rounded(found), indent=1) + "\n", "utf-8")


def _distribution(held_out: list[Song], bars: int) -> dict[str, Any]:
    """Mean and deviation over windows, and the error of the mean: of songs, for windows of one are alike."""
    found = [[measures.of(piece) for piece in windows(song, bars)] for song in held_out]
    table: dict[str, Any] = {"count": sum(map(len, found))}
    for name in measures.MEASURES:
        values = np.array([each[name] for song in found for each in song])
        of_songs = np.array([np.nanmean([each[name] for each in song]) for song in found if song])
        error = np.nanstd(of_songs) / np.sqrt(len(of_songs))
        table[name] = {"mean": np.nanmean(values), "sd": np.nanstd(values), "error": error}
    return table


def _halves(train: list[Song]) -> dict[str, float]:
    """|one half / the other - 1| of every measure over windows of 16 bars."""
    one, other = (
        measures.mean([piece for song in train[first::HALF] for piece in windows(song, 16)])
        for first in (0, HALF // 2)
    )
    return {name: abs(one[name] / other[name] - 1) if other[name] else 0.0 for name in one}


def _felt(held_out: list[Song]) -> dict[str, Any]:
    """Cues and axes of the bars of held-out songs, and how they go together."""
    tempos = [music_cues.tempo_bpm(song.tokens) for song in held_out]
    both = list(zip(held_out, tempos, strict=True))
    found = [music_cues.cues(song.tokens, tempo, song.meter) for song, tempo in both]
    cues = {name: np.concatenate([each[name] for each in found]) for name in music_cues.CUES}
    axes = np.concatenate([music_cues.feelings(song.tokens, tempo, song.meter) for song, tempo in both])
    equal = [music_cues.feelings(song.tokens, tempo, song.meter, ("loudness",)) for song, tempo in both]
    names = list(music_cues.AXES)
    return {
        "cues": {name: {"mean": np.nanmean(v), "sd": np.nanstd(v)} for name, v in cues.items()},
        "axes": {name: {"mean": axes[:, i].mean(), "sd": axes[:, i].std()} for i, name in enumerate(names)},
        "axis_cue_r": {
            name: {cue: correlation(axes[:, i], values) for cue, values in cues.items()}
            for i, name in enumerate(names)
        },
        "axis_axis_r": {
            f"{names[i]}_{names[j]}": correlation(axes[:, i], axes[:, j]) for i, j in ((0, 1), (0, 2), (1, 2))
        },
        "without_loudness_r": {
            name: correlation(axes[:, i], np.concatenate(equal)[:, i]) for i, name in enumerate(names)
        },
    }


def _main_cues(pieces: list[Piece]) -> dict[str, float]:
    """How the mean of an axis over a window goes with that of its main cue: what to expect of a model."""
    axes, cues = [], []
    for piece in pieces:
        tempo = music_cues.tempo_bpm(piece.tokens)
        axes.append(music_cues.feelings(piece.tokens, tempo, piece.meter).mean(axis=0))
        found = music_cues.cues(piece.tokens, tempo, piece.meter)
        cues.append([found[cue].mean() for cue in music_cues.MAIN.values()])
    both = zip(music_cues.MAIN, np.array(axes).T, np.array(cues).T, strict=True)
    return {axis: correlation(felt, cue) for axis, felt, cue in both}


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's r where both are known; 0 where one of them never changes."""
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 2 or np.ptp(one[known]) == 0 or np.ptp(other[known]) == 0:
        return 0.0
    return float(np.corrcoef(one[known], other[known])[0, 1])


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return round(float(value), 4) if isinstance(value, float) else value
