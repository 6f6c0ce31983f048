"""Still images with Z-Image (Turbo and Base, Apache-2.0), through diffusers' own pipeline and scheduler.

A chat model reads the prompt, and text and picture run through one stream of tokens, so captions of different
lengths make rows of different lengths: the network takes lists and pads and masks them itself. Its clock runs
from noise (0) to picture (1) and its answer points the same way, against the house's. Guidance is in the
house's count, where 1 is none: one more than diffusers' guidance_scale for this family. The rest is `_flow`.
This file knows no adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.image import _flow_toys as flow_toys
from pipelines.image import _loading as loading
from pipelines.image import _rows as rows
from pipelines.image import _toys as toys
from pipelines.image._flow import FlowPipeline, Texts
from studio.errors import InputError
from studio.lazy import lazy
from studio.params import param
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")

DEFAULT_MODEL = "Tongyi-MAI/Z-Image-Turbo"
FAMILY = loading.Family(
    "image/zimage",
    "Z-Image",
    ("ZImagePipeline", "ZImageImg2ImgPipeline"),
    half="bfloat16",
    guidance=1.0,  # Turbo was distilled to need none
)
_PROMPT_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Params:
    """What a person may set for a picture."""

    steps: int = param(
        9, "denoising steps; 9 is for Turbo, Base needs 28 to 50", min=1, max=150, advanced=False
    )
    guidance: float | None = param(
        None,
        "pull towards prompt and emotion; 1 is none (Turbo), Base likes 4 to 6, empty is the model's own",
        min=0,
        max=30,
        step=0.5,
    )
    width: int | None = param(None, "width; empty is the model's own", min=64, max=2048, step=16, unit="px")
    height: int | None = param(None, "height; empty is the model's own", min=64, max=2048, step=16, unit="px")


def check(request: RenderRequest) -> None:
    """What only this family can refuse. Raises EmotionError for seconds, InputError for an unheard prompt."""
    rows.refuse_seconds(request)
    if request.negative_prompt and (request.params.guidance or 0) <= 1:
        why = f"is heard only with guidance above 1, got {request.negative_prompt!r}"
        raise InputError("negative_prompt", request.negative_prompt, why, "guidance=4")


class Pipeline(FlowPipeline):
    """A loaded Z-Image. Its training tensors: `latents`, `text` (R, L, C), zeros after its `length` (R,)."""

    family = FAMILY

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """64 px, random weights, in memory: for tests and for work on the user interface."""
        with toys.drawn_from(seed):
            return cls(loading.ready(_tiny(), "cpu"), guidance=4.0)

    @property
    def _length(self) -> int:
        return min(_PROMPT_TOKENS, self.pipe.tokenizer.model_max_length)

    @property
    def reader(self) -> tuple[Any, int]:
        """Without the words of the chat around a prompt, which are read too."""
        chat = self.pipe.tokenizer.apply_chat_template(
            [{"role": "user", "content": ""}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=True,
        )
        return self.pipe.tokenizer, self._length - len(self.pipe.tokenizer(chat)["input_ids"])

    def encode(self, prompts: list[str]) -> Texts:
        length = self._length
        read, _ = self.pipe.encode_prompt(
            list(prompts),  # which it overwrites
            device=self._device,
            do_classifier_free_guidance=False,
            max_sequence_length=length,
        )
        text = torch.zeros(len(read), length, read[0].shape[-1]).to(read[0])
        for row, said in zip(text, read, strict=True):
            row[: len(said)] = said
        return {"text": text, "length": torch.tensor([len(said) for said in read])}

    def velocity(self, noisy: Tensor, sigmas: Tensor, texts: Texts, params: Params | None) -> Tensor:
        kind = self._network.dtype
        lengths = texts["length"].tolist()
        said = [row[:length] for row, length in zip(texts["text"].to(kind), lengths, strict=True)]
        pictures = list(noisy.to(kind).unsqueeze(2).unbind())  # the network also knows frames
        made = self._network(pictures, 1 - sigmas, said, return_dict=False)[0]
        return -torch.stack(made).squeeze(2)


def _tiny() -> Any:
    reader = flow_toys.chat_tokenizer(96)
    return diffusers.ZImagePipeline(
        transformer=diffusers.ZImageTransformer2DModel(
            in_channels=4,
            dim=32,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=32,
            axes_dims=[4, 6, 6],
            axes_lens=[512, 128, 128],
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=toys.autoencoder(shift_factor=0.1159, scaling_factor=0.3611, **flow_toys.VAE),
        text_encoder=flow_toys.qwen3_reader(reader, 32),
        tokenizer=reader,
    )
