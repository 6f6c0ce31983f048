"""Acting with the trained model: what `portrait/talker` and `portrait/rig` share. Knows no picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pipelines.portrait import _acting as acting
from studio.lazy import lazy
from studio.motion import Motion
from studio.params import param
from studio.ports import Example, OnStep, RowEmotion, SetEmotion, Step
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pipelines.portrait import _hearing as hearing
    from pipelines.portrait import _motion_channels as channels
    from pipelines.portrait import _motion_loading as loading
    from pipelines.portrait import _motion_sampling as sampling
    from pipelines.portrait import _motion_training as lessons
else:
    torch = lazy("torch")
    channels = lazy("pipelines.portrait._motion_channels")
    hearing = lazy("pipelines.portrait._hearing")
    loading = lazy("pipelines.portrait._motion_loading")
    lessons = lazy("pipelines.portrait._motion_training")
    sampling = lazy("pipelines.portrait._motion_sampling")

DEFAULT_MODEL = "motion-tiny"
CLASSES = ("MotionDiffusionPipeline",)  # what model_index.json calls such a model


@dataclass(frozen=True)
class ModelParams:
    """How the model acts: 0 is not at all, 1 as learnt, more is emphasised."""

    emphasis: float = param(1.0, "how strongly the face follows the feeling", min=0, max=3, step=0.1)
    articulation: float = param(1.0, "how strongly the lips follow the speech", min=0, max=2, step=0.1)
    brow: float = param(1.0, "the feeling in the brows", min=0, max=2, step=0.1)
    eye: float = param(1.0, "the feeling around the eyes", min=0, max=2, step=0.1)
    mouth: float = param(1.0, "the feeling around the mouth", min=0, max=2, step=0.1)
    freedom: float = param(1.3, "how far takes differ", min=0, max=3, step=0.1)
    steps: int = param(6, "denoising steps", min=1, max=20)


class ModelActor(acting.Actor):
    """A loaded motion model."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Self:
        """A folder or a hub id, safetensors only. Raises ModelError. Small enough to fit everywhere."""
        return cls(loading.load(model, device, dtype))

    @classmethod
    def tiny(cls, seed: int) -> Self:
        """Random weights at toy size, in memory."""
        return cls(loading.toy(seed))

    @property
    def modules(self) -> Mapping[str, Any]:
        return {"transformer": self.pipe.transformer}

    def act(
        self, line: acting.Line, request: RenderRequest, set_emotion: SetEmotion, on_step: OnStep
    ) -> Motion:
        """Deterministic in the request's seed."""
        asked = request.params
        sound = hearing.features(line.speech)
        shapes = acting.held_shapes(line.units)
        held = channels.locked(shapes, len(sound)) if shapes else None
        rows = self.pipe(
            sampling.Line(sound, line.moods, held),
            torch.Generator().manual_seed(request.seed),
            self._way(asked),
            set_emotion,
            lambda done, total: on_step(Step(done, total)),
        )
        return channels.motion_of(rows)

    def _way(self, asked: Any) -> sampling.Way:
        scales = (asked.articulation, asked.emphasis, asked.brow, asked.eye, asked.mouth)
        return sampling.Way(asked.steps, *scales, freedom=asked.freedom)

    def prepare(self, examples: Sequence[Example], size: Any = None) -> dict[str, Tensor]:
        """Windows of performances as tensors, rows first: see _motion_training. Media are its windows."""
        return lessons.prepare(examples)

    def loss(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[RowEmotion],
        set_emotion: SetEmotion,
        generator: torch.Generator,
    ) -> Tensor:
        """How far guessed performances are from those shown."""
        return lessons.loss(self.pipe, tensors, emotions, set_emotion, generator)
