"""Clips that are denoised together, and what they begin as: noise, a picture under noise, or a video.

Knows requests, schedulers and latents; knows no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.image import _sd_sampling as sampling
from pipelines.video import _footage as footage
from pipelines.video import _start as start
from pipelines.video import _windowed as windowed
from pipelines.video._script import Script
from studio.lazy import lazy
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """`numbers`: of the requests in their batch. `latents` (R, C, T, h, w): noise, or what is noised for step

    `begin`. `held`: a start picture that is kept to."""

    numbers: list[int]
    script: Script
    scheduler: Any
    latents: Tensor
    generators: list[torch.Generator]
    begin: int | None = None
    held: windowed.Held | None = None

    @classmethod
    def begun(
        cls,
        numbers: list[int],
        script: Script,
        scheduler: Any,
        noise: Tensor,
        generators: list[torch.Generator],
        clean: Tensor | None,
        request: RenderRequest,
    ) -> Take:
        """`noise` and `clean` (R, T, C, h, w), the latter of what the clips start from, if anything."""
        latents, begin, held = noise.transpose(1, 2), None, None
        if clean is not None:
            clean, params = clean.transpose(1, 2), request.params
            if "image" in start.inputs_of(request):
                shares = windowed.held_shares(clean.shape[2], params.loop)
                held = windowed.Held(clean[:, :, :1], shares)
            if params.strength < 1:
                latents, begin = sampling.begun(scheduler, clean, latents, params.strength)
        return cls(numbers, script, scheduler, latents, generators, begin, held)

    @property
    def steps(self) -> int:
        """How often the network is asked."""
        return len(self.scheduler.timesteps) - (self.begin or 0)


def alike(batch: Sequence[RenderRequest]) -> list[list[int]]:
    """Numbers of the requests, together those that begin in the same way."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, request in enumerate(batch):
        groups.setdefault(tuple(start.inputs_of(request)), []).append(number)
    return list(groups.values())


def started(vae: Any, requests: Sequence[RenderRequest], count: int, size: tuple[int, int]) -> Tensor | None:
    """(R, T, C, h, w) latents of the pictures or videos that the clips start from; None for none."""
    if not requests[0].inputs:
        return None
    return torch.stack([_start_of(vae, request, count, size) for request in requests])


def _start_of(vae: Any, request: RenderRequest, count: int, size: tuple[int, int]) -> Tensor:
    files, params = start.inputs_of(request), request.params
    if "video" in files:
        frames = start.frames_from(files["video"], count, params.fps, size, params.fit)
        return footage.encoded(vae, frames, size)
    picture = start.fitted(files["image"], size, params.fit)
    return footage.encoded(vae, [picture], size).expand(count, -1, -1, -1)
