"""What adapters of clip models learn from: latents and captions, noised by flow matching.

R rows, T latent frames. Clips of one batch have the same size and count of frames: they come in buckets.
Knows media and emotions of rows; how latents are made and what a network is asked, a family says.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from pipelines import _flow_loss as flow_loss
from pipelines import _prompts as prompts_read
from pipelines.video import _timing as timing
from studio import video_files
from studio.emotion import VAD
from studio.errors import InputError
from studio.lazy import lazy
from studio.pictures import upright
from studio.ports import Example, RowEmotion, SetEmotion

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

Given = dict[str, "Tensor"]  # what the network hears besides: rows first
PICTURES = frozenset(Image.registered_extensions()) - {".gif", ".mpg", ".mpeg"}  # the others may move


class ClipTraining:
    """The share of a family that training needs, see studio.ports.TrainablePipeline."""

    pipe: Any
    frame_rule: timing.FrameRule  # how many frames are learnt from at once
    native_size: tuple[int, int]

    @abstractmethod
    def encode_text(self, prompts: list[str]) -> dict[str, Tensor]:
        """What the network is told of prompts, rows first."""

    @abstractmethod
    def encode_clips(self, pixels: Tensor) -> dict[str, Tensor]:
        """`latents` (R, C, T, h, w) as the network sees them, and what stands beside them, on the CPU."""

    @abstractmethod
    def velocities(
        self,
        noisy: Tensor,
        sigmas: Tensor,
        given: dict[str, Tensor],
        feelings: list[RowEmotion],
        feel: SetEmotion,
    ) -> Tensor:
        """Noise minus clip for noisy latents, `sigmas` (R,); tells the network what the rows feel."""

    @abstractmethod
    def shift_of(self, latents: Tensor) -> float:
        """By how much times lean towards noise at this size; 1 is not at all."""

    def settled(self, sigmas: Tensor) -> Tensor:
        """Noise shares (R,) that one network makes together, of those that were drawn."""
        return sigmas

    @property
    @abstractmethod
    def reader(self) -> tuple[Any, int]:
        """The tokenizer and how many tokens of a prompt are read."""

    def prepare(self, examples: Sequence[Example], size: tuple[int, int] | None = None) -> dict[str, Tensor]:
        """The frozen part of training, worth caching, on the CPU.

        Media are video files, pictures, or uint8 arrays (frames, H, W, 3) or (H, W, 3), cropped and resized
        to `size` (width, height) in px, by default the model's own, and cut to a count of frames that it
        makes. Raises InputError for clips of different counts.
        """
        chosen, step = size or self.native_size, self.frame_rule.step
        rows = [_pixels(example.media, chosen, step) for example in examples]
        counts = sorted({row.shape[1] for row in rows})
        if len(counts) > 1:
            raise InputError(
                "frames", counts, f"clips of one batch have different counts of frames: {counts}"
            )
        made = self.encode_clips(torch.stack(rows))
        return {**made, **self.prepare_text([example.prompt for example in examples])}

    def prepare_text(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """The share of `prepare` that captions alone make, rows first, on the CPU."""
        with torch.no_grad():
            return {name: tensor.cpu() for name, tensor in self.encode_text(list(prompts)).items()}

    def unread(self, prompts: Sequence[str]) -> list[str]:
        """The end of each prompt that the text encoder does not read; "" where all is."""
        return prompts_read.unread(prompts, *self.reader)

    def predict(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[RowEmotion],
        set_emotion: SetEmotion,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Noise the rows and let the network look: the velocity it made, the true one (both R, C, T, h, w),

        timesteps (R,), 0 to 1000. `emotions`: of each row a point, or one a frame, or one a latent frame.
        `generator` (CPU) draws noise and times: the same one sees the same noise.
        """
        given = {name: tensor.to(self.pipe.transformer.device) for name, tensor in tensors.items()}
        latents = given.pop("latents").float()
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        drawn = flow_loss.drawn_sigmas(len(latents), self.shift_of(latents), generator)
        sigmas = self.settled(drawn).to(latents)
        feelings = [_by_latent(one, latents.shape[2], self.frame_rule.step) for one in emotions]
        noisy = flow_loss.noised(latents, noise, sigmas)
        made = self.velocities(noisy, sigmas, given, feelings, set_emotion)
        return made, noise - latents, sigmas * self.pipe.scheduler.config.num_train_timesteps

    def loss(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[RowEmotion],
        set_emotion: SetEmotion,
        generator: torch.Generator,
        snr_gamma: float | None = None,
    ) -> Tensor:
        """Scalar mean squared error of `predict`. InputError for `snr_gamma`: no such weight here."""
        return flow_loss.squared_error(self.predict(tensors, emotions, set_emotion, generator), snr_gamma)


def _by_latent(feeling: RowEmotion, latents: int, step: int) -> RowEmotion:
    """One point a latent frame of one point a frame."""
    if isinstance(feeling, VAD) or len(feeling) == latents:
        return feeling
    found = timing.latent_moods(feeling[: 1 + step * (latents - 1)], step)
    if len(found) != latents:
        why = f"{len(feeling)} points for a clip of {1 + step * (latents - 1)} frames"
        raise InputError("emotion", len(feeling), why)
    return found


def _pixels(media: Any, size: tuple[int, int], step: int) -> Tensor:
    """(3, frames, H, W) in [-1, 1]; the end that makes no whole latent frame is left out."""
    frames = [np.asarray(ImageOps.fit(one, size, Image.Resampling.LANCZOS)) for one in _pictures(media)]
    kept = frames[: 1 + (len(frames) - 1) // step * step]
    return torch.from_numpy(np.stack(kept)).permute(3, 0, 1, 2).float() / 127.5 - 1


def _pictures(media: Any) -> list[Image.Image]:
    if isinstance(media, np.ndarray):
        return [Image.fromarray(frame) for frame in (media if media.ndim == 4 else media[None])]
    if isinstance(media, (str, Path)) and Path(media).suffix.lower() not in PICTURES:
        return [Image.fromarray(frame) for frame in video_files.read_frames(media)]
    return [upright(media)]
