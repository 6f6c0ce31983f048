"""The denoising loop of UNet models: schedulers, guidance, the clean-image estimate.

Knows tensors and schedulers; knows no request, no file and no adapter.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")

_SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "dpm++ 2m": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": False},
    ),
    "dpm++ 2m karras": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True},
    ),
    "unipc": ("UniPCMultistepScheduler", {}),
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
}
SCHEDULERS = (*_SCHEDULERS, "model")


def make_scheduler(name: str, model_scheduler: Any) -> Any:
    """A fresh scheduler with the model's noise schedule; "model" is the kind the model came with."""
    if name == "model":
        return type(model_scheduler).from_config(model_scheduler.config)
    class_name, changes = _SCHEDULERS[name]
    return getattr(diffusers, class_name).from_config(model_scheduler.config, **changes)


@dataclass(frozen=True, slots=True)
class Denoiser:
    """A UNet with its scheduler and what it is told besides latents and timestep: named arguments with

    `encoder_hidden_states` (R, L, C), or (2R, L, C) with the unguided half first, and all others likewise.
    """

    unet: Any
    scheduler: Any
    conditions: Mapping[str, Any]
    guidance: float

    def run(
        self,
        noise: Tensor,
        generators: list[torch.Generator],
        feel: Callable[[float], None],
        begin: int | None = None,
    ) -> Iterator[tuple[Tensor, Callable[[], Tensor]]]:
        """Yield latents (R, C, h, w) after each step, with a function that estimates the clean latents.

        `feel(progress)` is called before each forward pass, progress from 0 to 1. With `begin`, the number of
        the first step (see `begun`), `noise` are latents that are noised for it.
        """
        latents = noise * self.scheduler.init_noise_sigma if begin is None else noise
        extra = self._noise_source(generators)
        timesteps = self.scheduler.timesteps[begin or 0 :]
        for number, timestep in enumerate(timesteps):
            feel(number / max(1, len(timesteps) - 1))
            scaled = self.scheduler.scale_model_input(latents, timestep)
            predicted = self._predict(scaled, timestep)
            latents = self.scheduler.step(predicted, timestep, latents, return_dict=False, **extra)[0]
            yield latents, partial(self._clean, scaled, predicted, timestep)

    def _predict(self, scaled: Tensor, timestep: Tensor) -> Tensor:
        halves = len(self.conditions["encoder_hidden_states"]) // len(scaled)
        rows = torch.cat([scaled] * halves)
        predicted = self.unet(rows, timestep, **self.conditions, return_dict=False)[0]
        if halves == 1:
            return predicted
        unguided, guided = predicted.chunk(2)
        return unguided + self.guidance * (guided - unguided)

    def _noise_source(self, generators: list[torch.Generator]) -> dict[str, Any]:
        takes = "generator" in inspect.signature(self.scheduler.step).parameters
        return {"generator": generators} if takes else {}

    def _clean(self, scaled: Tensor, predicted: Tensor, timestep: Tensor) -> Tensor:
        """Clean latents that a prediction implies; `scaled` has unit variance with every scheduler."""
        share = self.scheduler.alphas_cumprod[int(timestep.round().clamp(min=0))].to(scaled)
        signal, noise = share.sqrt(), (1 - share).sqrt()
        clean: Tensor = predicted
        kind = self.scheduler.config.prediction_type
        if kind == "v_prediction":
            clean = signal * scaled - noise * predicted
        elif kind == "epsilon":
            clean = (scaled - noise * predicted) / signal.clamp(min=1e-3)
        return clean


def leading_to(clean: Tensor, scheduler: Any, scaled: Tensor, timestep: Tensor) -> Tensor:
    """The prediction that implies these clean latents: `Denoiser`'s estimate of them, the other way round."""
    share = scheduler.alphas_cumprod[int(timestep.round().clamp(min=0))].to(scaled)
    signal, noise = share.sqrt(), (1 - share).sqrt().clamp(min=1e-3)
    kind = scheduler.config.prediction_type
    if kind == "v_prediction":
        return (signal * scaled - clean) / noise
    return clean if kind == "sample" else (scaled - signal * clean) / noise


def begun(scheduler: Any, latents: Tensor, noise: Tensor, strength: float) -> tuple[Tensor, int]:
    """Clean latents (R, ...) noised so far that the last `strength` (0 to 1) of the steps draws them anew,

    and the number of the first of these steps. The scheduler is set to begin there."""
    steps = scheduler.num_inference_steps
    begin = (steps - max(1, min(steps, round(steps * strength)))) * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    first = scheduler.timesteps[begin : begin + 1].expand(len(latents))
    return scheduler.add_noise(latents, noise, first), begin
