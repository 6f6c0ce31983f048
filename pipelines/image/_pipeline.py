"""What all picture families have in common: loading, rendering, reading prompts, training tensors.

Knows diffusers' pipelines and their parts. How a picture is denoised is for `_unet_pipeline` and `_flow` to
say, what the network hears of a prompt for each family. Knows no adapter: feelings come by `set_emotion`.
On a still picture a curve runs over the denoising: early steps lay out the scene, late ones colour and line.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pipelines import _placement as placement
from pipelines import _prompts as prompts_read
from pipelines.image import _loading as loading
from pipelines.image import _pictures as pictures
from studio.artifacts import Picture
from studio.errors import ModelError
from studio.lazy import lazy
from studio.ports import Artifact, Example, OnStep, SetEmotion
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

Texts = dict[str, "Tensor"]  # what the text encoders say, rows first


class PicturePipeline(ABC):
    """A loaded model. It keeps nothing between renders, so a cancelled one leaves no trace."""

    family: ClassVar[loading.Family]

    def __init__(self, pipe: Any, guidance: float) -> None:
        self.pipe = pipe  # diffusers' own pipeline
        self.guidance = guidance  # what this model does best with

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Self:
        """A folder or a hub id (HF_HUB_OFFLINE is honoured), safetensors only. Raises ModelError."""
        pipe = loading.load_pipeline(model, device, dtype, cls.family, memory)
        if why := cls._unfit(pipe):
            raise ModelError(f"model: {model!r} {why}; {cls.family.name} takes plain text-to-image models")
        return cls(pipe, loading.recommended_guidance(model, cls.family.guidance))

    @classmethod
    def _unfit(cls, pipe: Any) -> str | None:
        """Why a model cannot be drawn with that has a right class name; None where it can."""
        return None

    def _guidance(self, params: Any) -> float:
        """What is asked for, else what this model does best with."""
        asked: float | None = params.guidance
        return self.guidance if asked is None else asked

    @property
    @abstractmethod
    def native_size(self) -> tuple[int, int]:
        """(width, height) in pixels that the model was trained at."""

    @abstractmethod
    def encode(self, prompts: list[str]) -> Texts:
        """What the network is told of prompts: tensors (R, ...) whose shapes do not depend on the prompts."""

    @abstractmethod
    def details(self, params: Any) -> dict[str, Any]:
        """Settings that the model chose itself, for the picture's provenance."""

    @abstractmethod
    def _denoise(self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep) -> Tensor:
        """Latents (R, C, h, w), as the network made them."""

    @property
    def modules(self) -> Mapping[str, Any]:
        """The networks by name, without those that this model was saved or loaded without."""
        parts = self.pipe.components.items()
        return {name: part for name, part in parts if isinstance(part, torch.nn.Module)}

    @property
    def _device(self) -> torch.device:
        """Where the work is done; the weights may wait elsewhere until they are needed."""
        device: torch.device = self.pipe._execution_device
        return device

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Picture per request; all share their Params. Whatever `on_step` raises ends the render."""
        try:
            with torch.no_grad():
                latents = self._denoise(batch, set_emotion, on_step)
                placement.rest(self.pipe)  # decoding needs the room
                details = self.details(batch[0].params)
                return [Picture(image, details) for image in pictures.decode(self.pipe, latents)]
        finally:
            placement.rest(self.pipe)

    @property
    def reader(self) -> tuple[Any, int]:
        """The tokenizer of the text encoder that reads most of a prompt, and how many tokens it reads."""
        return self.pipe.tokenizer, self.pipe.tokenizer.model_max_length

    def unread(self, prompts: Sequence[str]) -> list[str]:
        """The end of each prompt that no text encoder reads, as its tokenizer spells it; "" where all is."""
        return prompts_read.unread(prompts, *self.reader)

    def _said(self, batch: Sequence[RenderRequest], guided: bool) -> Texts:
        """What the prompts say; with guidance the negative prompts come first, as many rows again."""
        wanted = self.encode([request.prompt for request in batch])
        if not guided:
            return wanted
        unwanted = self.encode([request.negative_prompt for request in batch])
        return {name: torch.cat([unwanted[name], said]) for name, said in wanted.items()}

    def prepare(self, examples: Sequence[Example], size: tuple[int, int] | None = None) -> Texts:
        """The frozen part of training, worth caching: `latents` (R, C, h, w) and `prepare_text`, on the CPU.

        Media are paths, PIL images or uint8 arrays (H, W, 3), cropped and resized to `size` (width, height)
        in pixels, by default the model's own.
        """
        media = [example.media for example in examples]
        latents = pictures.encode(self.pipe.vae, media, size or self.native_size)
        return {"latents": latents, **self.prepare_text([example.prompt for example in examples])}

    def prepare_text(self, prompts: Sequence[str]) -> Texts:
        """The share of `prepare` that captions alone make, rows first, on the CPU."""
        with torch.no_grad():
            return {name: tensor.cpu() for name, tensor in self.encode(list(prompts)).items()}
