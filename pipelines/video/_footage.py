"""Between clips and latents: frames into the autoencoder and out of it, one after the other, and previews.

Memory does not grow with a clip's length, but for its latents. Knows a picture autoencoder; knows no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.image import _pictures as pictures
from pipelines.video import _start as start
from studio.errors import InputError
from studio.lazy import lazy
from studio.ports import OnStep, Step

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

_AT_ONCE = 8  # frames that are encoded together
FRAMES_A_STEP = 8  # of progress, in decoding


def encoded(vae: Any, frames: Any, size: tuple[int, int]) -> Tensor:
    """(T, C, h, w) latents on the CPU, of pictures or arrays (T, H, W, 3) brought to `size`."""
    starts = range(0, len(frames), _AT_ONCE)
    return torch.cat([pictures.encode(vae, list(frames[at : at + _AT_ONCE]), size) for at in starts])


def decoded(vae: Any, latents: Tensor) -> Iterator[NDArray[np.uint8]]:
    """Frames (H, W, 3) of latents (C, T, h, w), each made when it is asked for."""
    for index in range(latents.shape[1]):
        row = pictures.unscaled(vae, latents[:, index : index + 1].transpose(0, 1).to(vae.dtype))
        made = vae.decode(row, return_dict=False)[0][0].float()
        pixels = (made * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
        yield np.ascontiguousarray(pixels.permute(1, 2, 0).cpu().numpy())


def clip_frames(media: Any, size: tuple[int, int], count: int, rate_hz: float) -> Any:
    """Frames of an example: of a path `count` at `rate_hz`, of an array all. InputError for anything else."""
    if isinstance(media, np.ndarray):
        frames = media[None] if media.ndim == 3 else media
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
            why = f"must be (frames, height, width, 3) of uint8, got {media.shape} of {media.dtype}"
            raise InputError("media", media.shape, why)
        return frames
    return start.frames_from(media, count, rate_hz, size, "crop")


@dataclass(frozen=True, slots=True, eq=False)
class _Decoder:
    vae: Any
    image_processor: Any


class Progress:
    """Counts what is done of a render; `clean` gives latents (R, C, T, h, w) as they look by now."""

    def __init__(self, pipe: Any, on_step: OnStep, total: int) -> None:
        self._decoder = _Decoder(pipe.vae, pipe.video_processor)
        self._on_step, self._done, self._total = on_step, 0, total
        self.clean: Callable[[], Tensor] | None = None

    def tick(self) -> None:
        """One more is done. Raises what the listener raises."""
        self._done += 1
        self._on_step(Step(self._done, self._total, self._preview))

    def tick_frames(self, done: int, count: int) -> None:
        if done % FRAMES_A_STEP == 0 or done == count:
            self.tick()

    def _preview(self) -> list[Image.Image]:
        """The first and the middle frame of each row, side by side."""
        assert self.clean is not None
        latents = self.clean()
        pair = latents[:, :, [0, latents.shape[2] // 2]].transpose(1, 2).flatten(0, 1)
        made = pictures.preview(self._decoder, lambda: pair)
        return [_beside(one, other) for one, other in zip(made[::2], made[1::2], strict=True)]


def _beside(one: Image.Image, other: Image.Image) -> Image.Image:
    both = Image.new("RGB", (one.width + other.width, one.height))
    both.paste(one, (0, 0))
    both.paste(other, (one.width, 0))
    return both
