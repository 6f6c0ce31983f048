"""Still images with FLUX.1 (dev and schnell), through diffusers' own pipeline, models and scheduler.

Latents go to the network as tokens of 2x2, each with its place; T5 says what the picture shows and CLIP gives
one pooled vector. `dev` was distilled with guidance as an input, so it needs one pass; `schnell` takes none.
Classifier-free guidance, with a negative prompt, is possible with both and off unless asked for. The rest is
`_flow`. This file knows no adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.image import _flow_toys as flow_toys
from pipelines.image import _loading as loading
from pipelines.image import _rows as rows
from pipelines.image import _toys as toys
from pipelines.image._flow import PATCH, FlowPipeline, Texts
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

DEFAULT_MODEL = "black-forest-labs/FLUX.1-schnell"
FAMILY = loading.Family(
    "image/flux",
    "FLUX.1",
    ("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline"),
    half="bfloat16",
    guidance=3.5,
)
_TRAINING_GUIDANCE = 1.0  # the plain prediction, which is what the flow's target is
_STEPS = {True: 28, False: 4}  # with the guidance input (dev) and without (schnell)
_T5_TOKENS = {True: 512, False: 256}


@dataclass(frozen=True, slots=True)
class Params:
    """What a person may set for a picture."""

    steps: int | None = param(
        None, "denoising steps; empty is 28, or 4 for schnell", min=1, max=150, advanced=False
    )
    guidance: float | None = param(
        None,
        "guidance that the model was taught; empty is the model's own, schnell has none",
        min=0,
        max=30,
        step=0.5,
    )
    true_guidance: float = param(
        1.0, "classifier-free guidance away from the negative prompt; 1 is none", min=1, max=30, step=0.5
    )
    width: int | None = param(None, "width; empty is the model's own", min=64, max=2048, step=16, unit="px")
    height: int | None = param(None, "height; empty is the model's own", min=64, max=2048, step=16, unit="px")


def check(request: RenderRequest) -> None:
    """What only this family can refuse. Raises EmotionError for seconds, InputError for an unheard prompt."""
    rows.refuse_seconds(request)
    if request.negative_prompt and request.params.true_guidance <= 1:
        why = f"is heard only with true_guidance above 1, got {request.negative_prompt!r}"
        raise InputError("negative_prompt", request.negative_prompt, why, "true_guidance=3")


class Pipeline(FlowPipeline):
    """A loaded FLUX.1. Its training tensors: `latents`, `text` (R, L, C) and `pooled` (R, P)."""

    family = FAMILY

    @classmethod
    def tiny(cls, seed: int, guidance_embeds: bool = True) -> Pipeline:
        """64 px, random weights, in memory: for tests and for work on the user interface."""
        with toys.drawn_from(seed):
            return cls(loading.ready(_tiny(guidance_embeds), "cpu"), FAMILY.guidance)

    @property
    def _takes_guidance(self) -> bool:
        return bool(self._network.config.guidance_embeds)

    def contrast(self, params: Params) -> float:
        return params.true_guidance

    def step_count(self, params: Params) -> int:
        return params.steps or _STEPS[self._takes_guidance]

    def details(self, params: Params) -> dict[str, Any]:
        taught = {"guidance": self._guidance(params)} if self._takes_guidance else {}
        return {"steps": self.step_count(params), **taught}

    def _guidance(self, params: Params | None) -> float:
        return _TRAINING_GUIDANCE if params is None else super()._guidance(params)

    @property
    def reader(self) -> tuple[Any, int]:
        t5 = self.pipe.tokenizer_2
        return t5, min(_T5_TOKENS[self._takes_guidance], t5.model_max_length)

    def encode(self, prompts: list[str]) -> Texts:
        text, pooled, _ = self.pipe.encode_prompt(
            prompts, prompts, device=self._device, max_sequence_length=self.reader[1]
        )
        return {"text": text, "pooled": pooled}

    def velocity(self, noisy: Tensor, sigmas: Tensor, texts: Texts, params: Params | None) -> Tensor:
        height, width = noisy.shape[-2:]
        kind = self._network.dtype  # walks through every layer, each time it is asked
        made = self._network(
            packed(noisy).to(kind),
            encoder_hidden_states=texts["text"].to(kind),
            pooled_projections=texts["pooled"].to(kind),
            timestep=sigmas,
            guidance=self._guidance_rows(sigmas, params),
            img_ids=_places(height // PATCH, width // PATCH).to(noisy.device),
            txt_ids=torch.zeros(texts["text"].shape[1], 3, device=noisy.device),
            return_dict=False,
        )[0]
        return unpacked(made, height, width)

    def _guidance_rows(self, sigmas: Tensor, params: Params | None) -> Tensor | None:
        if self._takes_guidance:
            return torch.full_like(sigmas, self._guidance(params))
        if params is not None and params.guidance is not None:
            why = f"this model was taught without guidance, got {params.guidance}; leave it empty"
            raise InputError("guidance", params.guidance, why, "true_guidance")
        return None


def packed(latents: Tensor) -> Tensor:
    """(R, C, h, w) -> (R, h/2 * w/2, 4C): one token for every 2x2, channels first inside it."""
    count, channels, height, width = latents.shape
    grid = latents.view(count, channels, height // PATCH, PATCH, width // PATCH, PATCH)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(count, -1, channels * PATCH * PATCH)


def unpacked(tokens: Tensor, height: int, width: int) -> Tensor:
    """What `packed` undoes; `height` and `width` in latents."""
    count, channels = len(tokens), tokens.shape[-1] // PATCH**2
    grid = tokens.view(count, height // PATCH, width // PATCH, channels, PATCH, PATCH)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, height, width)


def _places(height: int, width: int) -> Tensor:
    """(height * width, 3): 0, row and column of every token."""
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([torch.zeros_like(down), down, across], dim=-1).reshape(-1, 3).float()


def _tiny(guidance_embeds: bool) -> Any:
    clip, t5 = toys.byte_tokenizer(), flow_toys.t5_tokenizer(48)
    network = diffusers.FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=guidance_embeds,
        axes_dims_rope=(4, 6, 6),
    )
    return diffusers.FluxPipeline(
        transformer=flow_toys.lively(network),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
            shift=3.0 if guidance_embeds else 1.0, use_dynamic_shifting=guidance_embeds
        ),
        vae=toys.autoencoder(shift_factor=0.1159, scaling_factor=0.3611, **flow_toys.VAE),
        text_encoder=toys.clip_text_encoder(clip),
        tokenizer=clip,
        text_encoder_2=flow_toys.t5_encoder(t5, 32),
        tokenizer_2=t5,
    )
