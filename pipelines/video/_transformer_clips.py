"""Clips of models that denoise all frames as one sequence of tokens, through diffusers' own pipelines.

Knows requests, progress, previews and the order of the work; a family says which pipeline makes a request
and how its autoencoder is used. One clip is made after the other: a single one fills a device. A latent frame
has one feeling, the mean over the frames that it covers.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from PIL import Image

from pipelines import _diffusers_loading as loading
from pipelines import _placement as placement
from pipelines._guided_passes import Passes, Rows
from pipelines.video import _filming as filming
from pipelines.video import _start as start
from pipelines.video import _timing as timing
from pipelines.video._transformer_progress import Progress
from studio.artifacts import Clip
from studio.emotion import VAD
from studio.errors import InputError
from studio.lazy import lazy
from studio.ports import Artifact, OnStep, RowEmotion, SetEmotion
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

Frame = Any  # (H, W, 3) uint8
PREVIEW_LATENTS = 32  # longest side of the latents that a preview decodes


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a request comes to: `size` (width, height) in px, `count` frames, a mood a latent frame."""

    request: RenderRequest
    size: tuple[int, int]
    count: int
    moods: tuple[VAD, ...]
    steps: int  # that are really made

    @property
    def feeling(self) -> RowEmotion:
        """Of one row: a point where nothing changes, else a point a latent frame."""
        return self.moods[0] if len(set(self.moods)) == 1 else list(self.moods)

    @property
    def shown(self) -> int:
        """Frames that are kept: the last one of a loop is the first one again."""
        return max(1, self.count - 1) if self.request.params.loop else self.count

    def asked(self, guidance: float) -> dict[str, Any]:
        """What every pipeline is told, by diffusers' names."""
        return {
            "prompt": self.request.prompt,
            "negative_prompt": self.request.negative_prompt or None,
            "width": self.size[0],
            "height": self.size[1],
            "num_inference_steps": self.request.params.steps,
            "guidance_scale": guidance,
        }

    def picture(self, name: str) -> Image.Image:
        """An input picture at the size of the clip."""
        path = start.inputs_of(self.request)[name]
        return start.fitted(path, self.size, self.request.params.fit, f"inputs.{name}")

    def video(self) -> list[Image.Image]:
        """The frames that are drawn anew."""
        asked, path = self.request.params, start.inputs_of(self.request)["video"]
        frames = start.frames_from(path, self.count, asked.fps, self.size, asked.fit)
        return [Image.fromarray(frame) for frame in frames]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A diffusers pipeline, what it is asked, and the rows of each of its passes in a step."""

    pipe: Any
    arguments: Mapping[str, Any]
    turns: Sequence[Rows]


class TransformerClips(ABC):
    """A loaded model. It keeps nothing between renders, so a cancelled one leaves no trace."""

    family: ClassVar[loading.Family]
    frame_rule: ClassVar[timing.FrameRule]

    def __init__(self, pipe: Any, native: tuple[int, int] | None = None) -> None:
        self.pipe = pipe  # diffusers' own pipeline, as the model names it
        self._native = native

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Self:
        """A folder or a hub id, safetensors only. Raises ModelError, MemoryShortage and InputError."""
        found = loading.read_pipeline(model, device, dtype, cls.family, memory)
        return cls(loading.ready(found.pipe, found.device, found.memory))

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) in pixels that the model was trained at, or one of them."""
        return self._native or self._own_size()

    @property
    def modules(self) -> Mapping[str, Any]:
        """The networks by name, without those that this model was saved without."""
        parts = self.pipe.components.items()
        return {name: part for name, part in parts if isinstance(part, torch.nn.Module)}

    @property
    @abstractmethod
    def networks(self) -> list[Any]:
        """Those that denoise."""

    @property
    @abstractmethod
    def multiple(self) -> int:
        """Width and height must be multiples of so many pixels."""

    @abstractmethod
    def _own_size(self) -> tuple[int, int]:
        """(width, height) in pixels."""

    @abstractmethod
    def refuse(self, request: RenderRequest) -> None:
        """Raise InputError for what this model cannot do."""

    @abstractmethod
    def task(self, plan: Plan) -> Task:
        """How the plan is made, but for noise, output and callback."""

    @abstractmethod
    def latents(self, made: Any, plan: Plan) -> Tensor:
        """What the pipeline returned, or hands on between steps: (1, C, T, h, w)."""

    @abstractmethod
    def decoded(self, latents: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
        """Pixels (1, 3, frames, H, W) in [-1, 1], piece by piece."""

    @abstractmethod
    def details(self, plan: Plan) -> dict[str, Any]:
        """Settings that the model chose itself."""

    def plan(self, request: RenderRequest) -> Plan:
        """Raises InputError for what this model cannot do."""
        self.refuse(request)
        asked, size = request.params, self._size(request.params)
        for name, path in start.inputs_of(request).items():
            if name != "video":
                start.check_aspect(start.picture(path).size, size, asked.fit, f"inputs.{name}", path)
        count = timing.frames_of(asked.length_s, asked.fps, self.frame_rule)
        moods = timing.moods_of(request.curve, count, asked.fps)
        latent = timing.latent_moods(moods, self.frame_rule.step)
        return Plan(request, size, count, tuple(latent), steps_of(request))

    def _size(self, asked: Any) -> tuple[int, int]:
        width, height = asked.width or self.native_size[0], asked.height or self.native_size[1]
        for name, value in (("width", width), ("height", height)):
            if value % self.multiple:
                near = str(max(1, round(value / self.multiple)) * self.multiple)
                why = f"must be a multiple of {self.multiple} for this model, got {value}"
                raise InputError(name, value, why, near)
        return width, height

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Clip per request, made one after the other. Whatever `on_step` raises ends the render."""
        plans = [self.plan(request) for request in batch]  # all are checked before one is made
        progress = Progress(on_step, [(plan.steps, len(plan.moods)) for plan in plans])
        made: list[Clip] = []
        for plan in plans:
            made.append(self._made(plan, set_emotion, progress))
            progress.finish(made[-1])
        return list(made)

    def _made(self, plan: Plan, set_emotion: SetEmotion, progress: Progress) -> Clip:
        generator = torch.Generator().manual_seed(plan.request.seed)  # of the CPU: the same on every device
        try:
            with torch.no_grad():
                latents = self._denoised(plan, generator, set_emotion, progress)
                placement.rest(self.pipe)  # decoding needs the room
                frames = itertools.islice(self._frames(latents, generator), plan.shown)
                details = {"frames": plan.shown, **self.details(plan)}
                shown = progress.watched(frames, plan.shown)
                return filming.film(shown, plan.request, plan.request.params.fps, details)
        finally:
            placement.rest(self.pipe)

    def _denoised(self, plan: Plan, generator: Any, set_emotion: SetEmotion, progress: Progress) -> Tensor:
        task = self.task(plan)
        task.pipe.set_progress_bar_config(disable=True)
        passes = Passes(task.turns, set_emotion)
        with passes.over(self.networks):
            found = task.pipe(
                **task.arguments,
                generator=generator,
                output_type="latent",
                callback_on_step_end=partial(self._stepped, plan, passes, progress),
                callback_on_step_end_tensor_inputs=["latents"],
            )
        return self.latents(found.frames, plan)

    def _stepped(
        self, plan: Plan, passes: Passes, progress: Progress, pipe: Any, number: int, time: Any, tensors: Any
    ) -> dict[str, Any]:
        """Called by diffusers after each step."""
        after, entered = tensors["latents"], passes.entered
        guess = partial(_clean, pipe.scheduler, entered, after, int(pipe.scheduler.step_index))
        progress.step(self._look(plan, guess))
        return {}

    def _look(self, plan: Plan, guess: Any) -> Any:
        """The middle of the clip by now; None where decoding would send the network away."""
        return None if hasattr(self.pipe.vae, "_hf_hook") else partial(self._by_now, plan, guess)

    def _by_now(self, plan: Plan, guess: Any) -> Image.Image:
        with torch.no_grad():
            latents = self.latents(guess(), plan)
            middle = latents[:, :, latents.shape[2] // 2].float()
            shrink = PREVIEW_LATENTS / max(middle.shape[-2:])
            if shrink < 1:
                middle = torch.nn.functional.interpolate(middle, scale_factor=shrink, mode="area")
            pieces = self.decoded(middle.unsqueeze(2), torch.Generator().manual_seed(0))
            return Image.fromarray(_pixels(next(iter(pieces)))[0])

    def _frames(self, latents: Tensor, generator: Any) -> Iterator[Frame]:
        for piece in self.decoded(latents, generator):
            yield from _pixels(piece)


def steps_of(request: RenderRequest) -> int:
    """Steps that are made: of a video that is drawn anew, as in diffusers, the last share of them."""
    steps = int(request.params.steps)
    return int(steps * request.params.strength) if "video" in dict(request.inputs) else steps


def guided_by(request: RenderRequest, default: float) -> float:
    """What is asked for, else what the model does best with."""
    asked: float | None = request.params.guidance
    return default if asked is None else asked


def check(request: RenderRequest, rule: timing.FrameRule) -> None:
    """Raise InputError where fields and inputs do not fit each other."""
    filming.check(request, rule)
    asked, files = request.params, dict(request.inputs)
    if "video" in files and "last_image" in files:
        why = "a clip that is drawn anew ends as its video does; leave last_image out"
        raise InputError("inputs.last_image", files["last_image"], why)
    if "last_image" in files and "image" not in files:
        why = "an end picture needs a start picture too (inputs.image)"
        raise InputError("inputs.last_image", files["last_image"], why)
    if "video" in files and steps_of(request) < 1:
        near = f"{-(-100 // asked.steps) / 100:g}"
        why = f"{asked.strength:g} of {asked.steps} steps is not one step"
        raise InputError("strength", asked.strength, why, near)
    if request.negative_prompt and asked.guidance is not None and asked.guidance <= 1:
        why = f"is heard only with guidance above 1, got {request.negative_prompt!r}"
        raise InputError("negative_prompt", request.negative_prompt, why, "guidance=5")
    _check_loop(asked.loop, files)


def _check_loop(loop: bool, files: Mapping[str, str]) -> None:
    if loop and "image" not in files:
        raise InputError("loop", loop, "needs a start picture (inputs.image), which is then the end too")
    if loop and "last_image" in files:
        raise InputError("loop", loop, "ends where it starts; leave last_image out")


def _clean(scheduler: Any, before: Tensor, after: Tensor, index: int) -> Tensor:
    """What the latents are becoming: the scheduler's own guess, or where the last step pointed to.

    `index`: how many of the scheduler's noise shares are behind.
    """
    guesses = getattr(scheduler, "model_outputs", None)
    if guesses and guesses[-1] is not None:
        return guesses[-1]
    old, new = (float(scheduler.sigmas[place]) for place in (index - 1, index))
    channels, steps = after.shape[1:3]  # what is beside them is no latents: a start picture, another pass
    sample = before[-len(after) :, :channels, :steps].to(after)
    return after + (after - sample) * new / max(old - new, 1e-6)


def _pixels(piece: Tensor) -> np.ndarray[Any, Any]:
    """(1, 3, frames, H, W) in [-1, 1] -> (frames, H, W, 3) uint8."""
    shown = (piece[0].float() / 2 + 0.5).clamp(0, 1).permute(1, 2, 3, 0).cpu().numpy()
    return np.round(shown * 255).astype(np.uint8)
