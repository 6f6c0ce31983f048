"""What families with a noise-predicting UNet have in common: denoising, predictions, loss.

A family says which text its UNet reads (`encode`), what else it is told (`_told`), and under which names
(`_conditions`). Knows no tokenizer and no adapter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from pipelines.image import _pictures as pictures
from pipelines.image import _rows as rows
from pipelines.image import _sd_sampling as sampling
from pipelines.image._pipeline import PicturePipeline
from studio.lazy import lazy
from studio.params import param
from studio.ports import OnStep, RowEmotion, SetEmotion, Step
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

diffusers, training_utils = lazy("diffusers"), lazy("diffusers.training_utils")


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


class UNetPipeline(PicturePipeline):
    """A loaded model whose network is a UNet that names noise."""

    @classmethod
    def _unfit(cls, pipe: Any) -> str | None:
        if pipe.text_encoder is None:
            return "is a refiner"
        if not hasattr(pipe.scheduler, "alphas_cumprod"):
            return f"has the schedule of {type(pipe.scheduler).__name__}, not one of DDPM's kind"
        if pipe.unet.config.time_cond_proj_dim is not None:
            return "was distilled to take its guidance as an input (LCM)"
        takes, gives = pipe.unet.config.in_channels, pipe.vae.config.latent_channels
        return f"takes {takes} channels, not {gives}: it edits pictures" if takes != gives else None

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) in pixels that the model was trained at."""
        latents = self.pipe.unet.config.sample_size
        height, width = (latents, latents) if isinstance(latents, int) else latents
        return width * self.pipe.vae_scale_factor, height * self.pipe.vae_scale_factor

    def _told(self, tensors: Mapping[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        """What else the UNet is told of pictures of `size` (width, height) whose `tensors` do not say it."""
        return {}

    def _conditions(self, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        """Named arguments of the UNet, from the tensors of `encode` and `_told`."""
        return {"encoder_hidden_states": tensors["text"]}

    def details(self, params: Params) -> dict[str, Any]:
        return {"guidance": self._guidance(params)}

    def _denoise(self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep) -> Tensor:
        params: Params = batch[0].params
        guided = self._guidance(params) > 1
        size = pictures.chosen_size(params, self.native_size, self.pipe.vae_scale_factor)
        scheduler = sampling.make_scheduler(params.scheduler, self.pipe.scheduler)
        scheduler.set_timesteps(params.steps, device=self._device)
        noise, generators = rows.row_noise([request.seed for request in batch], self._latent_shape(size))
        text = self._said(batch, guided)
        conditions = self._conditions({**text, **self._told(text, size)})
        denoiser = sampling.Denoiser(self.pipe.unet, scheduler, conditions, self._guidance(params))
        latents = noise.to(text["text"])
        steps = denoiser.run(latents, generators, rows.feeler(batch, set_emotion, guided))
        for done, (denoised, clean) in enumerate(steps, start=1):
            latents = denoised
            preview = partial(pictures.preview, self.pipe, clean)
            on_step(Step(done, len(scheduler.timesteps), preview))
        return latents

    def _latent_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        width, height = (pixels // self.pipe.vae_scale_factor for pixels in size)
        return self.pipe.unet.config.in_channels, height, width

    def _size_of(self, latents: Tensor) -> tuple[int, int]:
        factor = self.pipe.vae_scale_factor
        return latents.shape[-1] * factor, latents.shape[-2] * factor

    def predict(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[RowEmotion],
        set_emotion: SetEmotion,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Noise the rows and let the network look: what it made, what the schedule wants (both R, C, h, w),

        timesteps (R,). `generator` (CPU) draws noise and timesteps: the same one sees the same noise.
        """
        scheduler = self._noise_schedule
        weight = next(
            self.pipe.unet.parameters()
        )  # `unet.device` walks through every layer, each time it is asked
        latents = _like(tensors["latents"], weight)
        told = {**tensors, **self._told(tensors, self._size_of(latents))}
        given = {name: _like(tensor, weight) for name, tensor in told.items()}
        noise = self._noise(latents.shape, generator).to(latents)
        last = scheduler.config.num_train_timesteps
        timesteps = torch.randint(0, last, (len(latents),), generator=generator).to(weight.device)
        set_emotion(self._felt(emotions, latents))
        noisy = scheduler.add_noise(latents, noise, timesteps)
        made = self._run(noisy, timesteps, self._conditions(given))
        return made, _target(scheduler, latents, noise, timesteps), timesteps

    def _noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """Noise as the network learns to take it away."""
        return torch.randn(shape, generator=generator)

    def _felt(self, emotions: Sequence[RowEmotion], latents: Tensor) -> list[RowEmotion]:
        """The emotions as the network's layers are told of them."""
        return list(emotions)

    def _run(self, noisy: Tensor, timesteps: Tensor, conditions: Mapping[str, Any]) -> Tensor:
        """What the network makes of noisy rows, in their shape."""
        made: Tensor = self.pipe.unet(noisy, timesteps, **conditions, return_dict=False)[0]
        return made

    def loss(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[RowEmotion],
        set_emotion: SetEmotion,
        generator: torch.Generator,
        snr_gamma: float | None = None,
    ) -> Tensor:
        """Scalar mean squared error of `predict`; `snr_gamma`, usually 5, weighs timesteps by min-SNR

        (Hang et al. 2023, arXiv 2303.09556)."""
        made, wanted, timesteps = self.predict(tensors, emotions, set_emotion, generator)
        per_row = self._error(made.float() - wanted.float())
        return (per_row * _snr_weights(self._noise_schedule, timesteps, snr_gamma)).mean()

    def _error(self, missed: Tensor) -> Tensor:
        """(R,) of what is missed of each row."""
        return missed.square().flatten(1).mean(dim=1)

    @property
    def _noise_schedule(self) -> Any:
        """Training noise is DDPM's for every model here; a sampler may know only the steps it visits."""
        return _noise_schedule_of(self.pipe.scheduler)


@lru_cache(maxsize=4)  # of the last samplers: made anew, it would cost a toy model a thirtieth of each step
def _noise_schedule_of(sampler: Any) -> Any:
    return diffusers.DDPMScheduler.from_config(sampler.config)


def _like(tensor: Tensor, weight: Tensor) -> Tensor:
    """On the weight's device and, unless it holds whole numbers, in its number type."""
    return tensor.to(weight.device, weight.dtype if tensor.is_floating_point() else None)


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
