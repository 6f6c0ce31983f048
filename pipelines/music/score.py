"""Symbolic music, composed bar by bar: `music/score`.

A discrete diffusion over a grid of bars and sixteenths: first a plan, then chords, melody, accompaniment,
lengths and loudness, each given all before it. Every bar has its own emotion; adapters reach the network
through `modules`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.music import _commission as commission
from pipelines.music import _composer as composer
from pipelines.music import _performance as performance
from pipelines.music._grid import Grid
from studio.errors import InputError
from studio.lazy import lazy
from studio.params import param
from studio.ports import Example, OnStep, RowEmotion, SetEmotion, Step
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pipelines.music import _loss as music_loss
    from pipelines.music import _score_loading as loading
else:
    torch = lazy("torch")
    loading = lazy("pipelines.music._score_loading")
    music_loss = lazy("pipelines.music._loss")

DEFAULT_MODEL = "music-tiny"
CLASSES = ("MusicDiffusionPipeline",)  # what model_index.json calls such a model
INPUTS = composer.INPUTS
PROMPT_IS_TITLE = True
WITHOUT_ADAPTER = "moves only tempo, touch and tension"  # which are rules, and no model's


@dataclass(frozen=True, slots=True)
class Params(composer.Params):
    """With a `midi` input the piece is that one, changed as the fields say."""

    bars: int = param(16, "length, or how many to go on for", min=1, max=composer.MAX_BARS, advanced=False)
    top_p: float = param(0.92, "share of likely choices that is drawn from", min=0.05, max=1, step=0.01)
    go_on: bool = param(False, "continue the midi input instead of changing it", of="midi")
    change_bars: str = param(
        "", "bars of the midi input to compose anew, such as 5-8, 13; empty: all", unit="bars", of="midi"
    )
    change_part: str = param(
        "all", "part of the midi input to compose anew", choices=commission.PARTS, of="midi"
    )
    strength: float = param(
        1.0, "share of the midi input that may change", min=0, max=1, step=0.05, of="midi"
    )


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other."""
    composer.check(request)
    params = request.params
    for name, value in {"go_on": params.go_on, "change_bars": params.change_bars}.items():
        if value and "midi" not in dict(request.inputs):
            raise InputError(name, value, "needs a piece to work on: inputs.midi")
    for name, usual in {"keep": "", "change_bars": "", "change_part": "all", "strength": 1.0}.items():
        if params.go_on and getattr(params, name) != usual:
            why = "go_on adds bars and changes none of the piece; leave one of the two out"
            raise InputError(name, getattr(params, name), why, str(usual))


class Pipeline(composer.Composer):
    """A loaded composer."""

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Pipeline:
        """A folder or a hub id, safetensors only. Raises ModelError. Small enough to fit everywhere."""
        return cls(*loading.load(model, device, dtype))

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """Random weights at toy size, in memory."""
        return cls(loading.toy(seed), {})

    def compose(
        self, request: RenderRequest, set_emotion: SetEmotion, on_step: OnStep
    ) -> tuple[Grid, performance.Manner]:
        """The grid of one request, and how it is to be played. Raises InputError for unusable files."""
        asked = commission.of(request, self.library)
        way = composer.way(request.params, asked.moods)
        self.pipe(
            asked.draft,
            torch.Generator().manual_seed(request.seed),
            way,
            composer.felt_bars(asked.moods, way, set_emotion),
            lambda done, total: on_step(Step(done, total)),
        )
        return asked.finished()

    def prepare(self, examples: Sequence[Example], size: Any = None) -> dict[str, Tensor]:
        """Windows of songs as tensors, rows first: see _loss.masked. Media are training.data windows."""
        return composer.stacked(examples)

    def loss(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[RowEmotion],
        set_emotion: SetEmotion,
        generator: torch.Generator,
    ) -> Tensor:
        """How wrong masked tokens are filled in."""
        inputs, truth, weight = music_loss.masked(tensors, generator)
        set_emotion(list(emotions))
        return music_loss.loss(self.pipe.transformer(*inputs), truth, weight)
