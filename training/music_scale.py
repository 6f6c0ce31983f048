"""Compare cues with POP909: writes the means and deviations that `training/music_cues.py` measures against.

python -m training.music_scale runs/music/train.safetensors
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from pipelines.music import _fields as fields
from training import music_cues
from training._music_bars import Floats

TINY = 1e-9  # a cue that deviates by less never changes, and says nothing
CENTRAL, WITHIN = 0.95, 0.8  # this share of all bars lies within this distance of NEUTRAL


class Song(NamedTuple):
    """All bars (bars, WIDTH) of one meter of one song; `stretch` (bars,): bars in a row have one number."""

    number: int
    tokens: NDArray[np.int16]
    meter: str
    stretch: NDArray[np.int64]


def songs(file: Path) -> Iterator[Song]:
    """The songs of a file that `training.embedded.music_set` made."""
    rows = load_file(file)
    numbers, meters, left = rows["song"].astype(np.int64), rows["bars"][:, 0], rows["left"]
    edges = np.flatnonzero(np.diff(numbers) | np.diff(meters)) + 1
    # Bars of a stretch count down to 1; the next one is where the count does not go on.
    stretch = np.concatenate([[0], np.cumsum(np.diff(left) != -1)])
    for piece in np.split(np.arange(len(numbers)), edges):
        meter = tuple(fields.METERS)[meters[piece[0]]]
        yield Song(int(numbers[piece[0]]), rows["tokens"][piece], meter, stretch[piece])


def scale(chosen: list[Song]) -> dict[str, dict[str, list[float]]]:
    """Mean and deviation of every cue over all bars, then of every axis."""
    found = [music_cues.cues(s.tokens, music_cues.tempo_bpm(s.tokens), s.meter) for s in chosen]
    of_cues = {}
    for name in music_cues.CUES:
        values = np.concatenate([music_cues.compared(name, each[name]) for each in found])
        deviation = float(np.nanstd(values))
        of_cues[name] = [float(np.nanmean(values)), deviation if deviation > TINY else 1.0]
    raw = np.concatenate([music_cues.sums(music_cues.standard(each, of_cues)) for each in found])
    return {"cues": of_cues, "axes": _axes(raw)}


def _axes(raw: Floats) -> dict[str, list[float]]:
    mean = raw.mean(axis=0)
    reach = np.quantile(np.abs(raw - mean), CENTRAL, axis=0) / np.arctanh(WITHIN)
    return {axis: [float(mean[i]), float(reach[i])] for i, axis in enumerate(music_cues.AXES)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="training songs made by training.embedded.music_set")
    chosen = list(songs(parser.parse_args().file))
    made = scale(chosen)
    count = len({song.number for song in chosen})
    facts = {
        "made_by": "python -m training.music_scale runs/music/train.safetensors",
        "from": f"POP909, {count} training songs, mean and deviation over bars",
    }
    rounded = {
        part: {name: [round(value, 4) for value in pair] for name, pair in table.items()}
        for part, table in made.items()
    }
    music_cues.SCALE.write_text(json.dumps(facts | rounded, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
