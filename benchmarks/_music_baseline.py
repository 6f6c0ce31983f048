"""The autoregressive baseline of the music benchmark: the same NEUTRAL measures, and how long it takes.

Its weights are no part of the product, so its figures are kept in references/music_baseline.json, made by
`python -m benchmarks.music --baseline FOLDER`. Its time is measured there in turns with `music/score`:
a busy machine slows both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import _music_copies as copies
from benchmarks import _music_makers as makers
from benchmarks import _music_measures as measures
from benchmarks import _music_reference as reference
from benchmarks._music_measures import Piece
from training.embedded import music_ar
from training.embedded._fit import load_average

FILE = reference.FOLDER / "music_baseline.json"
SEED = 7_000_003
TURNS = 9
BATCH = 10  # pieces written side by side; each is the same as alone


def make(folder: Path, pieces: int, bars: int, ours: Sequence[Callable[[int], object]]) -> None:
    """Compose with the training of `folder` and keep the figures.

    `ours`: what composes with music/score, unfelt and felt, given a seed."""
    net = music_ar.new(0)
    load_average(net, folder)
    net.eval()
    made = []
    for first in range(0, pieces, BATCH):
        made += music_ar.compose(net, bars, SEED + first, BATCH)
    found = [Piece(tokens) for tokens in made]
    theirs = partial(music_ar.compose, net, bars)
    taken_s, *ours_s = makers.seconds([theirs, *ours], SEED, TURNS)
    figures = {
        "made_by": "python -m benchmarks.music --baseline FOLDER",
        "pieces": pieces,
        "bars": bars,
        "measures": measures.mean(found),
        "copies": copies.overlap(found, reference.index()),
        "errors": measures.error(found),
        "seconds": taken_s,
        "seconds_of_ours": ours_s,
    }
    FILE.write_text(json.dumps(reference.rounded(figures), indent=1) + "\n", "utf-8")


def figures() -> Mapping[str, Any]:
    """What was kept; empty where no baseline has been measured."""
    return json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
