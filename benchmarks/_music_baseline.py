"""The autoregressive baseline of the music benchmark: the same NEUTRAL measures, and how long it takes.

Its weights are no part of the product, so its figures are kept in references/music_baseline.json, made by
`python -m benchmarks.music --baseline FOLDER`; its time is then measured beside that of `music/score`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _music_copies as copies
from benchmarks import _music_measures as measures
from benchmarks import _music_reference as reference
from benchmarks._music_measures import Piece
from training.embedded import music_ar
from training.embedded._fit import load_average

FILE = reference.FOLDER / "music_baseline.json"
SEED = 7_000_003
BATCH = 10  # pieces written side by side; each is the same as alone


def make(folder: Path, pieces: int, bars: int, ours_s: float) -> None:
    """Compose with the training of `folder` and keep the figures. `ours_s`: of music/score, unfelt."""
    net = music_ar.new(0)
    load_average(net, folder)
    net.eval()
    made = []
    for first in range(0, pieces, BATCH):
        made += music_ar.compose(net, bars, SEED + first, BATCH)
    found = [Piece(tokens) for tokens in made]
    taken_s = _seconds(net, bars)
    figures = {
        "made_by": "python -m benchmarks.music --baseline FOLDER",
        "pieces": pieces,
        "bars": bars,
        "measures": measures.mean(found),
        "copies": copies.overlap(found, reference.index()),
        "seconds": taken_s,
        "speedup": taken_s / ours_s,
    }
    FILE.write_text(json.dumps(reference.rounded(figures), indent=1) + "\n", "utf-8")


def _seconds(net: Any, bars: int, times: int = 6) -> float:
    """One piece alone, model warm: median over seeds, those that music/score is timed with."""
    music_ar.compose(net, bars, SEED)
    found = []
    for seed in range(times):
        start = time.perf_counter()
        music_ar.compose(net, bars, SEED + seed)
        found.append(time.perf_counter() - start)
    return float(np.median(found))


def figures() -> Mapping[str, Any]:
    """What was kept; empty where no baseline has been measured."""
    return json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
