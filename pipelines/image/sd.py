"""Still images with Stable Diffusion 1.x and 2.x, through diffusers' own pipeline, models and schedulers.

Batch first: every row has its own prompt, seed and emotion, and none sees its neighbours. Adapters reach the
model through `modules` and the emotions through `set_emotion`; this file knows no adapter. On a still picture
an emotion curve runs over the denoising: early steps lay out the scene, late ones colour and line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from pipelines.image import _sd_models as models
from pipelines.image import _sd_sampling as sampling
from studio.artifacts import Picture
from studio.emotion import NEUTRAL, VAD
from studio.errors import EmotionError, InputError
from studio.lazy import lazy
from studio.params import param
from studio.ports import Artifact, Example, OnStep, RowEmotion, SetEmotion, Step
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

diffusers, training_utils = lazy("diffusers"), lazy("diffusers.training_utils")

DEFAULT_MODEL = "emotion-tiny"
_PREVIEW_LATENTS = 32  # longest side of the latents a preview decodes: 256 px, quick on a CPU too


@dataclass(frozen=True, slots=True)
class Params:
    """What a person may set for a picture."""

    steps: int = param(20, "denoising steps: more is finer and slower", min=1, max=150, advanced=False)
    guidance: float | None = param(
        None, "pull towards prompt and emotion; 1 is none, empty is the model's own", min=0, max=30, step=0.5
    )
    width: int | None = param(None, "width; empty is the model's own", min=64, max=2048, step=8, unit="px")
    height: int | None = param(None, "height; empty is the model's own", min=64, max=2048, step=8, unit="px")
    scheduler: str = param("dpm++ 2m", "sampling method", choices=sampling.SCHEDULERS)


def check(request: RenderRequest) -> None:
    """What only this family can refuse. Raises EmotionError: a still picture has no seconds."""
    if request.curve.unit == "seconds" and not request.curve.is_constant:
        text = request.curve.text
        why = f"a still picture has no seconds, got {text!r}; place the keys by progress"
        raise EmotionError("emotion", text, why, "fear@0%, relief@100%")


class Pipeline:
    """A loaded model. It keeps nothing between renders, so a cancelled one leaves no trace."""

    def __init__(self, pipe: Any, guidance: float = models.DEFAULT_GUIDANCE) -> None:
        self.pipe = pipe  # diffusers' StableDiffusionPipeline
        self.guidance = guidance  # what this model does best with

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto") -> Pipeline:
        """A folder or a hub id (HF_HUB_OFFLINE is honoured), safetensors only. Raises ModelError."""
        return cls(models.load(model, device, dtype), models.recommended_guidance(model))

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """64 px, random weights, in memory: for tests and for work on the user interface."""
        return cls(models.ready(models.tiny(seed), "cpu"))

    @property
    def modules(self) -> Mapping[str, Any]:
        return {"unet": self.pipe.unet, "vae": self.pipe.vae, "text_encoder": self.pipe.text_encoder}

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) in pixels that the model was trained at."""
        latents = self.pipe.unet.config.sample_size
        height, width = (latents, latents) if isinstance(latents, int) else latents
        return width * self.pipe.vae_scale_factor, height * self.pipe.vae_scale_factor

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Picture per request; all share their Params. Whatever `on_step` raises ends the render."""
        with torch.no_grad():
            latents = self._denoise(batch, set_emotion, on_step)
            details = {"guidance": self._guidance(batch[0].params)}
            return [Picture(image, details) for image in self._decode(latents)]

    def _guidance(self, params: Params) -> float:
        return self.guidance if params.guidance is None else params.guidance

    def _denoise(self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep) -> Tensor:
        params: Params = batch[0].params
        guidance = self._guidance(params)
        scheduler = sampling.make_scheduler(params.scheduler, self.pipe.scheduler)
        scheduler.set_timesteps(params.steps, device=self.pipe.device)
        noise, generators = sampling.row_noise(
            [request.seed for request in batch], self._latent_shape(params)
        )
        text = self._encode(batch, guided=guidance > 1)
        denoiser = sampling.Denoiser(self.pipe.unet, scheduler, text, guidance)
        latents = noise.to(text)
        steps = denoiser.run(latents, generators, _feeler(batch, set_emotion, guided=guidance > 1))
        for done, (denoised, clean) in enumerate(steps, start=1):
            latents = denoised
            on_step(Step(done, len(scheduler.timesteps), partial(self._preview, clean)))
        return latents

    def _latent_shape(self, params: Params) -> tuple[int, int, int]:
        width, height = params.width or self.native_size[0], params.height or self.native_size[1]
        factor = self.pipe.vae_scale_factor
        for name, value in (("width", width), ("height", height)):
            if value % factor:
                near = str(round(value / factor) * factor)
                raise InputError(
                    name, value, f"must be a multiple of {factor} for this model, got {value}", near
                )
        return self.pipe.unet.config.in_channels, height // factor, width // factor

    def _encode(self, batch: Sequence[RenderRequest], guided: bool) -> Tensor:
        """(R, L, C) of text features, or (2R, L, C) with the negative prompts first."""
        prompts, negative = [one.prompt for one in batch], [one.negative_prompt for one in batch]
        wanted, unwanted = self.pipe.encode_prompt(prompts, self.pipe.device, 1, guided, negative)
        return torch.cat([unwanted, wanted]) if guided else wanted

    def _decode(self, latents: Tensor) -> list[Image.Image]:
        vae = self.pipe.vae
        pixels = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
        return list(self.pipe.image_processor.postprocess(pixels.float(), output_type="pil"))

    def _preview(self, clean: Callable[[], Tensor]) -> list[Image.Image]:
        """One small picture a row of what the latents are becoming."""
        with torch.no_grad():
            latents = clean()
            shrink = _PREVIEW_LATENTS / max(latents.shape[-2:])
            if shrink < 1:
                latents = torch.nn.functional.interpolate(latents, scale_factor=shrink, mode="area")
            return self._decode(latents)

    def prepare(self, examples: Sequence[Example], size: tuple[int, int] | None = None) -> dict[str, Tensor]:
        """The frozen part of training, worth caching: `latents` (R, C, h, w), `text` (R, L, C) on the CPU.

        Media are paths, PIL images or uint8 arrays (H, W, 3), cropped and resized to `size` (width, height)
        in pixels, by default the model's own.
        """
        vae = self.pipe.vae
        with torch.no_grad():
            pixels = torch.stack([_pixels(example.media, size or self.native_size) for example in examples])
            encoded = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
        latents = (encoded * vae.config.scaling_factor).cpu()
        return {"latents": latents, **self.prepare_text([example.prompt for example in examples])}

    def prepare_text(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """The share of `prepare` that captions alone make: `text` (R, L, C) on the CPU."""
        with torch.no_grad():
            text, _ = self.pipe.encode_prompt(list(prompts), self.pipe.device, 1, False)
        return {"text": text.cpu()}

    def predict(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[VAD],
        set_emotion: SetEmotion,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Noise the rows and let the network look: what it made, what the schedule wants (both R, C, h, w),

        timesteps (R,). `generator` (CPU) draws noise and timesteps: the same one sees the same noise.
        """
        scheduler, unet = self._noise_schedule, self.pipe.unet
        latents, text = (tensors[name].to(unet.device, unet.dtype) for name in ("latents", "text"))
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        last = scheduler.config.num_train_timesteps
        timesteps = torch.randint(0, last, (len(latents),), generator=generator).to(unet.device)
        set_emotion(list(emotions))
        noisy = scheduler.add_noise(latents, noise, timesteps)
        made = unet(noisy, timesteps, encoder_hidden_states=text, return_dict=False)[0]
        return made, _target(scheduler, latents, noise, timesteps), timesteps

    def loss(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[VAD],
        set_emotion: SetEmotion,
        generator: torch.Generator,
        snr_gamma: float | None = None,
    ) -> Tensor:
        """Scalar mean squared error of `predict`; `snr_gamma`, usually 5, weighs timesteps by min-SNR."""
        made, wanted, timesteps = self.predict(tensors, emotions, set_emotion, generator)
        per_row: Tensor = (made.float() - wanted.float()).square().flatten(1).mean(dim=1)
        return (per_row * _snr_weights(self._noise_schedule, timesteps, snr_gamma)).mean()

    @property
    def _noise_schedule(self) -> Any:
        """Training noise is DDPM's for every model here; a sampler may know only the steps it visits."""
        return diffusers.DDPMScheduler.from_config(self.pipe.scheduler.config)


def _feeler(batch: Sequence[RenderRequest], set_emotion: SetEmotion, guided: bool) -> Callable[[float], None]:
    """Sets the rows' emotions for a progress; once only when none of them changes."""
    unguided: list[RowEmotion] = [NEUTRAL] * len(batch) if guided else []
    curves = [request.curve for request in batch]
    constant = all(curve.is_constant for curve in curves)

    def feel(progress: float) -> None:
        if progress == 0 or not constant:  # 1.0: the seconds of a constant curve do not matter
            set_emotion([*unguided, *(curve.at(progress, 1.0) for curve in curves)])

    return feel


def _target(scheduler: Any, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    kind = scheduler.config.prediction_type
    if kind == "v_prediction":
        velocity: Tensor = scheduler.get_velocity(latents, noise, timesteps)
        return velocity
    return latents if kind == "sample" else noise


def _snr_weights(scheduler: Any, timesteps: Tensor, gamma: float | None) -> Tensor:
    if gamma is None:
        return torch.ones(len(timesteps), device=timesteps.device)
    snr: Tensor = training_utils.compute_snr(scheduler, timesteps).clamp(min=1e-8)
    capped = snr.clamp(max=gamma)
    kind = scheduler.config.prediction_type
    if kind == "sample":
        return capped
    return capped / (snr + 1) if kind == "v_prediction" else capped / snr


def _pixels(media: Any, size: tuple[int, int]) -> Tensor:
    """(3, height, width) in [-1, 1]."""
    image = Image.fromarray(media) if isinstance(media, np.ndarray) else media
    if not isinstance(image, Image.Image):
        with Image.open(media) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    fitted = ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1).float() / 127.5 - 1
