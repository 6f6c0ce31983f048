"""Who composes the pieces of the music benchmark: `music/score`, through its entry in the catalogue.

The only place of the benchmark that knows how they are called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._music_measures import Piece
from pipelines.music import _performance as performance
from studio import catalog
from studio.emotion import VAD, Emotion, EmotionCurve
from studio.render import Studio
from studio.request import RenderRequest
from studio.score import Piece as Written
from training._music_bars import Floats

FAMILY = "music/score"


@dataclass(frozen=True)
class Composed:
    """`tempo_bpm` (bars,) as it is played; `written` is what a MIDI file holds, None of a baseline."""

    piece: Piece
    tempo_bpm: Floats
    written: Written | None = None


def request(seed: int, point: Sequence[float], bars: int, model: str, **more: object) -> RenderRequest:
    """One feeling for the whole piece. The model's default adapters are worn."""
    curve = EmotionCurve.constant(Emotion(VAD(*(float(x) for x in point))))
    title = {"prompt": f"seed {seed}", "pipeline": FAMILY, "model": model}
    return RenderRequest.parse({**title, "seed": seed, "emotion": curve, "bars": bars, **more})


@cache
def _pipeline(model: str) -> Any:
    return catalog.load("pipeline", FAMILY).Pipeline.load(catalog.find_model(model), "cpu", "auto")


@cache
def _adapter(name: str) -> Any:
    kind = str(catalog.adapter_card(name)["kind"])
    return catalog.load("adapter kind", kind).Adapter.load(catalog.find_adapter(name))


def compose(asked: RenderRequest) -> Composed:
    """The grid of one request, and what would be played."""
    pipeline = _pipeline(asked.model)
    use = asked.adapters[0] if asked.adapters else None
    worn = nullcontext(_unfelt) if use is None else _adapter(use.name).applied(pipeline.modules, use.strength)
    with worn as set_emotion:
        grid, manner = pipeline.compose(asked, set_emotion, lambda step: None)
    tempos = performance.tempos_bpm(grid.tokens, manner.emotions, manner.tempo_bpm)
    return Composed(Piece(grid.tokens, grid.meter), tempos, performance.perform(grid, manner))


def save(seed: int, folder: Path, of: Callable[[int], RenderRequest]) -> None:
    """Compose the request of a seed and write its files."""
    list(_studio().render([of(seed)], folder))


@cache
def _studio() -> Studio:
    return Studio()


def _unfelt(moods: object) -> None:
    """Nobody wears an adapter that would want to know."""


def seconds(composers: Sequence[Callable[[int], object]], first_seed: int, turns: int) -> list[float]:
    """Of one piece alone by each, in turns, models warm: medians over seeds."""
    taken: list[list[float]] = [[] for _ in composers]
    for turn in range(1 + turns):
        for compose_one, found in zip(composers, taken, strict=True):
            start = time.perf_counter()
            compose_one(first_seed + turn)
            found.append(time.perf_counter() - start)
    return [float(np.median(found[1:])) for found in taken]  # the first of each was to warm up
