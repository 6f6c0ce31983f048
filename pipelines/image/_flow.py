"""What flow-matching picture families share: the straight path from picture to noise, walked both ways.

A picture x and noise n are joined by x_s = (1 - s) x + s n, s from 0 to 1, and the network names the
velocity n - x (Esser et al. 2024, arXiv 2403.03206, the paper of Stable Diffusion 3). A family says how its
text encoders are asked and how its network is called. Knows latents, times, guidance and per-row emotions;
knows no tokenizer, no particular network and no adapter.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines import _flow_loss as flow_loss
from pipelines.image import _pictures as pictures
from pipelines.image import _rows as rows
from pipelines.image._pipeline import PicturePipeline, Texts
from studio.emotion import VAD
from studio.lazy import lazy
from studio.ports import OnStep, SetEmotion, Step
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")

PATCH = 2  # latents that one token covers, each way, in all families here


class FlowPipeline(PicturePipeline):
    """A loaded model whose network names velocities."""

    @abstractmethod
    def velocity(self, noisy: Tensor, sigmas: Tensor, texts: Texts, params: Any | None) -> Tensor:
        """Noise minus picture for noisy latents (R, C, h, w), sigmas (R,); `params` is None in training."""

    def contrast(self, params: Any) -> float:
        """The scale of classifier-free guidance; 1 is none, and then one pass is enough."""
        return self._guidance(params)

    def details(self, params: Any) -> dict[str, Any]:
        """Settings that the model chose itself, for the picture's provenance."""
        return {"guidance": self.contrast(params)}

    def step_count(self, params: Any) -> int:
        return int(params.steps)

    def start_sigmas(self, steps: int) -> list[float] | None:
        """Noise shares before the scheduler's own shift; None leaves them to the scheduler."""
        return [float(sigma) for sigma in np.linspace(1.0, 1 / steps, steps)]

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) in pixels that the model was trained at."""
        side = int(self.pipe.vae.config.sample_size)
        return side, side

    def _denoise(self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep) -> Tensor:
        params = batch[0].params
        guided = self.contrast(params) > 1
        shape = self._latent_shape(params)
        scheduler = self._scheduler(self.step_count(params), shape)
        noise, generators = rows.row_noise([request.seed for request in batch], shape)
        texts = self._said(batch, guided)
        feel = rows.feeler(batch, set_emotion, guided)
        latents, total = noise.to(self._device), len(scheduler.timesteps)  # float32: steps add up
        for number, time in enumerate(scheduler.timesteps):
            feel(number / max(1, total - 1))
            made = self._guided(latents, time / scheduler.config.num_train_timesteps, texts, params)
            clean = partial(_clean, latents, made, scheduler.sigmas[number])
            latents = scheduler.step(made, time, latents, generator=generators, return_dict=False)[0]
            on_step(Step(number + 1, total, partial(pictures.preview, self.pipe, clean)))
        return latents

    def _scheduler(self, steps: int, shape: tuple[int, int, int]) -> Any:
        """A fresh scheduler with the model's own shift of time, set to `steps`."""
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler.from_config(self.pipe.scheduler.config)
        sigmas, mu = self.start_sigmas(steps), _dynamic_shift(scheduler, shape)
        scheduler.set_timesteps(steps, device=self._device, sigmas=sigmas, mu=mu)
        scheduler.set_begin_index(0)  # or each step would look its place up
        return scheduler

    def _latent_shape(self, params: Any) -> tuple[int, int, int]:
        factor = self.pipe.vae_scale_factor
        width, height = pictures.chosen_size(params, self.native_size, factor * PATCH)
        return self.pipe.vae.config.latent_channels, height // factor, width // factor

    def _guided(self, latents: Tensor, sigma: Tensor, texts: Texts, params: Any) -> Tensor:
        scale = self.contrast(params)
        passes = 2 if scale > 1 else 1
        noisy = torch.cat([latents] * passes)
        made = self.velocity(noisy, sigma.expand(len(noisy)), texts, params).float()
        if passes == 1:
            return made
        unguided, guided = made.chunk(2)
        return unguided + scale * (guided - unguided)

    @property
    def _network(self) -> Any:
        return self.pipe.transformer

    def predict(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[VAD],
        set_emotion: SetEmotion,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Noise the rows and let the network look: the velocity it made, the true one (both R, C, h, w),

        timesteps (R,), 0 to 1000. `generator` (CPU) draws noise and times: the same one sees the same noise.
        """
        texts = {name: tensor.to(self._network.device) for name, tensor in tensors.items()}
        latents = texts.pop("latents").float()
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        shift = _shift(self.pipe.scheduler, latents.shape)
        sigmas = flow_loss.drawn_sigmas(len(latents), shift, generator).to(latents)
        set_emotion(list(emotions))
        made = self.velocity(flow_loss.noised(latents, noise, sigmas), sigmas, texts, None)
        return made, noise - latents, sigmas * self.pipe.scheduler.config.num_train_timesteps

    def loss(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[VAD],
        set_emotion: SetEmotion,
        generator: torch.Generator,
        snr_gamma: float | None = None,
    ) -> Tensor:
        """Scalar mean squared error of `predict`. InputError for `snr_gamma`: no such weight here."""
        found = self.predict(tensors, emotions, set_emotion, generator)
        return flow_loss.squared_error(found, snr_gamma)


def _clean(latents: Tensor, velocity: Tensor, sigma: Tensor) -> Tensor:
    return latents - sigma * velocity


def _dynamic_shift(scheduler: Any, shape: Sequence[int]) -> float | None:
    """The `mu` that grows with the number of image tokens, between two sizes; None for a fixed shift."""
    config = scheduler.config
    if not config.use_dynamic_shifting:
        return None
    tokens = (shape[-2] // PATCH) * (shape[-1] // PATCH)
    span = config.max_image_seq_len - config.base_image_seq_len
    share = (tokens - config.base_image_seq_len) / span
    return float(config.base_shift + share * (config.max_shift - config.base_shift))


def _shift(scheduler: Any, shape: Sequence[int]) -> float:
    """By how much times lean towards noise; 1 is not at all."""
    mu = _dynamic_shift(scheduler, shape)
    if mu is None:
        return float(scheduler.shift)
    return math.exp(mu) if scheduler.config.time_shift_type == "exponential" else mu
