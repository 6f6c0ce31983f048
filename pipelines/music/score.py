"""Symbolic music, composed bar by bar: `music/score`.

A discrete diffusion over a grid of bars and sixteenths: first a plan, then chords, melody, accompaniment,
lengths and loudness, each given all before it. Every bar has its own emotion; adapters reach the network
through `modules`. Rows are composed one after the other, so that none depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.music import _commission as commission
from pipelines.music import _form as form
from pipelines.music import _performance as performance
from pipelines.music._fields import METERS
from pipelines.music._grid import Grid
from studio import audio_files, instruments
from studio.artifacts import Score
from studio.emotion import NEUTRAL, VAD
from studio.lazy import lazy
from studio.params import param
from studio.ports import Artifact, Example, OnStep, RowEmotion, SetEmotion, Step
from studio.request import RenderRequest
from studio.score import KEYS
from studio.sound import LUFS, SoundOptions

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pipelines.music import _loading as loading
    from pipelines.music import _loss as music_loss
    from pipelines.music import _sampling as sampling
else:
    torch = lazy("torch")
    loading = lazy("pipelines.music._loading")
    music_loss = lazy("pipelines.music._loss")
    sampling = lazy("pipelines.music._sampling")

DEFAULT_MODEL = "music-tiny"
CLASSES = ("MusicDiffusionPipeline",)  # what model_index.json calls such a model
INPUTS = ("midi", "donor", "soundfont")
PROMPT_IS_TITLE = True
WITHOUT_ADAPTER = "moves only tempo, touch and tension"  # which are rules, and no model's
MAX_BARS = 256


@dataclass(frozen=True, slots=True)
class Params:
    """What a person chooses. With a `midi` input the piece is that one, changed as the fields say."""

    bars: int = param(16, "length, or how many to go on for", min=1, max=MAX_BARS, advanced=False)
    meter: str = param("4/4", "of a new piece", choices=tuple(METERS), advanced=False)
    key: str = param("auto", "of a new piece", choices=("auto", *KEYS), advanced=False)
    tempo_bpm: float | None = param(
        None, "mean, in quarters; open: as the feeling wants", min=30, max=240, unit="bpm", advanced=False
    )
    instruments: str = param("auto", "who plays", choices=instruments.names(), advanced=False)
    format: str = param("wav", "of the sound beside the MIDI file", choices=audio_files.FORMATS)
    lufs: float = param(LUFS, "integrated loudness of the sound", min=-40, max=-8, step=0.5, unit="LUFS")
    emphasis: float = param(1.0, "how strongly the feeling is followed", min=0, max=4, step=0.1)
    temperature: float = param(1.0, "how freely notes are drawn", min=0.1, max=2.0, step=0.05)
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
    keep: str = param("", "elements of the midi input to keep", of="midi", several=commission.ELEMENTS)
    take: str = param("", "elements to take from the donor input", of="donor", several=commission.ELEMENTS)


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other."""
    commission.check(request)


class Pipeline:
    """A loaded composer."""

    def __init__(self, pipe: Any, library: form.Library) -> None:
        self.pipe = pipe
        self.library = library

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Pipeline:
        """A folder or a hub id, safetensors only. Raises ModelError. Small enough to fit everywhere."""
        return cls(*loading.load(model, device, dtype))

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """Random weights at toy size, in memory."""
        return cls(loading.toy(seed), {})

    @property
    def modules(self) -> Mapping[str, Any]:
        return {"transformer": self.pipe.transformer}

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Score per request; all share their Params. Whatever `on_step` raises ends the render."""
        made: list[Artifact] = []
        for row, request in enumerate(batch):
            written, manner = self.compose(request, set_emotion, _share(on_step, row, len(batch)))
            made.append(Score(performance.perform(written, manner), _sound(request)))
        return made

    def compose(
        self, request: RenderRequest, set_emotion: SetEmotion, on_step: OnStep
    ) -> tuple[Grid, performance.Manner]:
        """The grid of one request, and how it is to be played."""
        asked = commission.of(request, self.library)
        generator = torch.Generator().manual_seed(request.seed)
        moods, emphasis = asked.moods, request.params.emphasis
        guided = emphasis != 1 and any(mood != NEUTRAL for mood in moods)

        def before_bars(bars: slice | None) -> None:
            felt = NEUTRAL if bars is None else _row(moods[bars])
            set_emotion([NEUTRAL, felt] if guided else [felt])

        self.pipe(
            asked.draft,
            generator,
            sampling.Way(request.params.temperature, request.params.top_p, emphasis if guided else None),
            before_bars,
            lambda done, total: on_step(Step(done, total)),
        )
        return asked.finished(request)

    def prepare(self, examples: Sequence[Example], size: Any = None) -> dict[str, Tensor]:
        """Windows of songs as tensors, rows first: see _loss.masked. Media are training.data windows."""
        names = ("tokens", "repeated", "lag", "facts")
        return {
            name: torch.stack([torch.as_tensor(getattr(example.media, name)) for example in examples])
            for name in names
        }

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


def _sound(request: RenderRequest) -> SoundOptions:
    asked = request.params
    return SoundOptions(
        asked.format, asked.instruments, dict(request.inputs).get("soundfont", ""), asked.lufs
    )


def _row(moods: Sequence[VAD]) -> RowEmotion:
    return moods[0] if len(set(moods)) == 1 else tuple(moods)


def _share(on_step: OnStep, row: int, rows: int) -> OnStep:
    """Progress of one row of `rows` as progress of all."""

    def report(step: Step) -> None:
        on_step(Step(row * step.total + step.done, rows * step.total))

    return report
