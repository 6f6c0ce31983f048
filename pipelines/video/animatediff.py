"""Clips with a picture model and a motion adapter, as AnimateDiff does (Guo et al. 2023, arXiv 2307.04725).

The base is `emotion-tiny` or any Stable Diffusion 1.5 model, the motion `video-tiny` or any adapter in
diffusers' layout. A clip longer than the adapter's window is made of windows that overlap (`_windows`), so
its length is limited by time alone. Every frame has the feeling that the curve has in its middle. Inputs:

"image": the clip starts from a picture. All frames begin as the picture under noise, as much as `strength`
says; while they are denoised the first is held to it, the next ones less and less (`_windowed.Held`).
"video": the frames of a clip are drawn anew, `strength` says how far.

Adapters reach the network through `modules`, feelings through `set_emotion`: for each row a list of one VAD
per frame of the window that runs. This file knows no adapter of feelings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines import _diffusers_loading as shared
from pipelines import _placement as placement
from pipelines.image import _loading as loading
from pipelines.image import _pictures as pictures
from pipelines.image import _sd_sampling as sampling
from pipelines.image import _unet_pipeline as unet_pipeline
from pipelines.image._pipeline import Texts
from pipelines.video import _filming as filming
from pipelines.video import _footage as footage
from pipelines.video import _motion_adapter as motion_adapter
from pipelines.video import _takes as takes
from pipelines.video import _timing as timing
from pipelines.video import _windowed as windowed
from pipelines.video._script import Script
from pipelines.video._windows import Window, windows_of
from studio.emotion import VAD
from studio.errors import InputError, ModelError
from studio.lazy import lazy
from studio.params import param
from studio.ports import Artifact, Example, OnStep, RowEmotion, SetEmotion
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pipelines.video import _animatediff_toys as toys
else:
    torch = lazy("torch")
    toys = lazy("pipelines.video._animatediff_toys")

diffusers, attention = lazy("diffusers"), lazy("torch.nn.attention")

DEFAULT_MODEL = "emotion-tiny"
INPUTS = ("image", "video")
PROMPT_TRAVEL = True
FAMILY = shared.Family(
    "video/animatediff",
    "Stable Diffusion 1.x and 2.x",
    ("AnimateDiffPipeline", "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"),
    as_named=True,
    rows=16,
)
LONGEST = timing.FrameRule(1, 36_000)  # ten minutes at 60 Hz: memory holds the latents, not the frames


@dataclass(frozen=True)
class Params(filming.ClipParams):
    """What a person may set for a clip."""

    steps: int = param(16, "denoising steps: more is finer and slower", min=1, max=150, advanced=False)
    strength: float = param(
        0.75, "how much of a start picture or video is drawn anew; 1 is all", min=0.05, max=1, step=0.05
    )
    scheduler: str = param("dpm++ 2m", "sampling method", choices=sampling.SCHEDULERS)
    motion: str = param("", "motion adapter: a name, a folder or a hub id; empty is the model's own")
    window: int | None = param(None, "frames seen at once; empty is the motion adapter's own", min=2, max=128)
    overlap: int = param(4, "frames that neighbouring windows share", min=1, max=32)


def check(request: RenderRequest) -> None:
    """Raise InputError or ModelError where fields, inputs and the motion adapter do not fit each other."""
    filming.check(request, LONGEST)
    asked = request.params
    if asked.window and asked.overlap > asked.window // 2:
        why = f"must be at most half of the window of {asked.window}, got {asked.overlap}"
        raise InputError("overlap", asked.overlap, why, str(asked.window // 2))
    if asked.motion:
        motion_adapter.check_base(asked.motion, request.model)


def weights(request: RenderRequest) -> tuple[str, ...]:
    """Folders or hub ids, besides the model's, that decide what comes out."""
    named = request.params.motion or motion_adapter.usual(request.model)
    return () if named == motion_adapter.WITHIN else (motion_adapter.find(named),)


class Pipeline(unet_pipeline.UNetPipeline):
    """A loaded Stable Diffusion 1.x or 2.x whose network moves."""

    family = FAMILY

    def __init__(
        self,
        pipe: Any,
        guidance: float,
        model: str = "",
        motion: str = motion_adapter.WITHIN,
        place: tuple[str, str] = ("cpu", "fast"),
        window: int = 16,
    ) -> None:
        """`pipe`: diffusers' AnimateDiffPipeline, not placed yet; `motion`: the adapter where none is named;

        WITHIN is that in the network, which sees `window` frames at once; `place`: device and memory."""
        super().__init__(pipe, guidance)
        self._model, self._place, self._usual = model, place, motion
        self._still_scheduler = pipe.scheduler
        self._own = motion_adapter.Manner(motion_adapter.WITHIN, window)
        self._within = pipe.unet if motion == motion_adapter.WITHIN else None  # it is in no other file
        self._worn: motion_adapter.Manner | None = None
        if motion == motion_adapter.WITHIN:
            self._worn = self._own
            shared.ready(pipe, *place)

    @property
    def pipe(self) -> Any:
        """diffusers' pipeline, whose network moves: with the usual adapter, as in training, where nobody has

        named another. That one may be far away, or made for another base, and is not asked for before."""
        if self._worn is None:
            self._wear(self._usual)
        return self._parts

    @pipe.setter
    def pipe(self, parts: Any) -> None:
        self._parts = parts

    @property
    def _manner(self) -> motion_adapter.Manner:
        return self._worn or self._wear(self._usual)

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Pipeline:
        """A folder or a hub id, safetensors only; motion comes when it is needed. A folder of diffusers'

        AnimateDiffPipeline has its own. Raises ModelError."""
        found = shared.read_pipeline(model, device, dtype, FAMILY, memory)
        if why := cls._unfit(found.pipe):
            raise ModelError(f"model: {model!r} {why}; {FAMILY.name} takes plain text-to-image models")
        guidance, place = (
            loading.recommended_guidance(model, FAMILY.guidance),
            (found.device, found.memory),
        )
        moves = isinstance(found.pipe, diffusers.AnimateDiffPipeline)
        pipe = found.pipe if moves else motion_adapter.moving(found.pipe)
        return cls(pipe, guidance, model, motion_adapter.usual(model), place)

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """64 px, random weights, in memory: for tests and for work on the user interface."""
        return cls(toys.tiny(seed), FAMILY.guidance, window=8)

    @property
    def frame_rule(self) -> timing.FrameRule:
        """How many frames are learnt from at once."""
        return timing.FrameRule(1, int(self.pipe.unet.config.motion_max_seq_length))

    def dress(self, request: RenderRequest) -> None:
        """Put on the motion adapter that a request names; before any adapter of feelings is put on."""
        wanted = request.params.motion or self._usual
        if self._worn is None or wanted != self._worn.name:
            self._wear(wanted)

    def _wear(self, name: str) -> motion_adapter.Manner:
        network = self._parts.unet.to("cpu")
        if name == motion_adapter.WITHIN:
            made, manner = self._within, self._own
        else:
            made, manner = motion_adapter.dressed(network, name, self._model), motion_adapter.manner(name)
        scheduler = motion_adapter.scheduler(self._still_scheduler, manner)
        self._parts.register_modules(unet=made, scheduler=scheduler)
        shared.ready(self._parts, *self._place)
        self._worn = manner
        return manner

    def encode(self, prompts: list[str]) -> Texts:
        """`text` (R, L, C)."""
        return {"text": self.pipe.encode_prompt(prompts, self._device, 1, False)[0]}

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Clip per request; all share their Params. Whatever `on_step` raises ends the render."""
        self.dress(batch[0])
        asked: Params = batch[0].params
        count = timing.frames_of(asked.length_s, asked.fps, LONGEST)
        windows = self._windows(asked, count)
        made: dict[int, Artifact] = {}
        try:
            with torch.no_grad():
                parts = [self._take(batch, numbers, count) for numbers in takes.alike(batch)]
                shown = len(batch) * -(-count // footage.FRAMES_A_STEP)
                total = sum(take.steps for take in parts) * len(windows) + shown
                progress = footage.Progress(self.pipe, on_step, total)
                for take in parts:
                    guidance = self._guidance(asked)
                    latents = self._denoised(take, windows, guidance, set_emotion, progress)
                    placement.rest(self.pipe)  # decoding needs the room
                    for number, row in zip(take.numbers, latents, strict=True):
                        made[number] = self._filmed(batch[number], row, progress, self.details(asked))
        finally:
            placement.rest(self.pipe)
        return [made[number] for number in range(len(batch))]

    def details(self, params: Any) -> dict[str, Any]:
        """Settings that the model and its motion chose, for the clip's provenance."""
        return {
            "guidance": self._guidance(params),
            "motion": self._manner.name,
            "window": self._window(params),
            "frames": timing.frames_of(params.length_s, params.fps, LONGEST),
        }

    def _window(self, params: Params) -> int:
        most = int(self.pipe.unet.config.motion_max_seq_length)
        if params.window and params.window > most:
            why = f"must be at most {most} with motion adapter {self._manner.name!r}, got {params.window}"
            raise InputError("window", params.window, why, str(most))
        return min(params.window or self._manner.window, most)

    def _windows(self, params: Params, count: int) -> list[Window]:
        size = self._window(params)
        return windows_of(count, size, min(params.overlap, size // 2), params.loop)

    def _take(self, batch: Sequence[RenderRequest], numbers: list[int], count: int) -> takes.Take:
        requests = [batch[number] for number in numbers]
        params: Params = batch[0].params
        said = self._said(requests, self._guidance(params) > 1)["text"]
        keyed = [self.encode(list(one.told))["text"] if one.told else None for one in requests]
        script = Script(requests, count, params.fps, said, keyed)
        size = pictures.chosen_size(params, self.native_size, self.pipe.vae_scale_factor)
        shape = (count, *self._latent_shape(size))
        noise, generators = self._manner.noise.of_seeds([request.seed for request in requests], shape)
        scheduler = sampling.make_scheduler(params.scheduler, self.pipe.scheduler)
        scheduler.set_timesteps(params.steps, device=self._device)
        found = takes.started(self.pipe.vae, requests, count, size)
        clean = None if found is None else found.to(said)
        return takes.Take.begun(numbers, script, scheduler, noise.to(said), generators, clean, requests[0])

    def _denoised(
        self,
        take: takes.Take,
        windows: Sequence[Window],
        guidance: float,
        set_emotion: SetEmotion,
        progress: footage.Progress,
    ) -> Tensor:
        """(R, C, T, h, w)."""
        network = windowed.Windowed(self.pipe.unet, windows, take.script, set_emotion, progress.tick)
        if take.held:
            network.hold(take.held, take.scheduler, take.steps)
        text = {"encoder_hidden_states": take.script.said}
        denoiser = sampling.Denoiser(network, take.scheduler, text, guidance)
        latents = take.latents
        progress.clean = lambda: take.latents
        for denoised, clean in denoiser.run(latents, take.generators, lambda _: None, take.begin):
            latents, progress.clean = denoised, clean
        progress.clean = lambda: latents
        return latents

    def _filmed(
        self, request: RenderRequest, latents: Tensor, progress: footage.Progress, details: dict[str, Any]
    ) -> Artifact:
        """A Clip of latents (C, T, h, w), decoded while it is encoded."""
        count = latents.shape[1]
        frames = footage.decoded(self.pipe.vae, latents)
        watch = partial(progress.tick_frames, count=count)
        return filming.film(frames, request, request.params.fps, details, watch)

    def prepare(self, examples: Sequence[Example], size: tuple[int, int] | None = None) -> Texts:
        """The frozen part of training, worth caching: `latents` (R, T, C, h, w) and `prepare_text`, on the

        CPU. Media are uint8 arrays (T, H, W, 3), all of one length, or videos, of which the first window at
        the motion adapter's own rate is taken; cropped and resized to `size` (width, height) in pixels.
        """
        size, how = size or self.native_size, self._manner
        with torch.no_grad():
            clips = [
                footage.clip_frames(example.media, size, how.window, how.rate_hz) for example in examples
            ]
            latents = torch.stack([footage.encoded(self.pipe.vae, frames, size) for frames in clips])
        return {"latents": latents, **self.prepare_text([example.prompt for example in examples])}

    def _noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return self._manner.noise.drawn(shape, generator)

    def _error(self, missed: Tensor) -> Tensor:
        return self._manner.noise.missed(missed)

    def _felt(self, emotions: Sequence[RowEmotion], latents: Tensor) -> list[RowEmotion]:
        """One VAD per frame; a row that has one for all of them has it in each."""
        count = latents.shape[1]
        return [[one] * count if isinstance(one, VAD) else list(one) for one in emotions]

    def _run(self, noisy: Tensor, timesteps: Tensor, conditions: Mapping[str, Any]) -> Tensor:
        text = conditions["encoder_hidden_states"].repeat_interleave(noisy.shape[1], dim=0)
        rows = noisy.transpose(1, 2)
        with _attention(noisy.device.type):
            made: Tensor = self.pipe.unet(rows, timesteps, encoder_hidden_states=text, return_dict=False)[0]
        return made.transpose(1, 2)


def _attention(device: str) -> AbstractContextManager[None]:
    """On a CPU torch's fused attention takes most of a training step: it is slow backwards, and a clip has a

    short sequence for every place."""
    if device != "cpu":
        return nullcontext()
    plain: AbstractContextManager[None] = attention.sdpa_kernel(attention.SDPBackend.MATH)
    return plain
