"""Still images with Stable Diffusion XL, through diffusers' own pipeline, models and schedulers.

Two text encoders side by side, and a UNet that is also told a pooled text and how its picture was cut: true
size, corner of the crop, size of the crop (Podell et al. 2023, arXiv 2307.01952). The base model paints
alone, without the refiner. Adapters reach it through `modules`; this file knows no adapter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.image import _loading as loading
from pipelines.image import _pictures as pictures
from pipelines.image import _rows as rows
from pipelines.image import _toys as toys
from pipelines.image import _unet_pipeline as unet_pipeline
from pipelines.image._pipeline import Texts
from studio.lazy import lazy
from studio.pictures import upright
from studio.ports import Example

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")

DEFAULT_MODEL = "stabilityai/stable-diffusion-xl-base-1.0"
FAMILY = loading.Family(
    "image/sdxl",
    "Stable Diffusion XL",
    ("StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline"),
    upcasts_vae=True,
    options={"add_watermarker": False},
)

Params = unet_pipeline.Params
check = rows.refuse_seconds


class Pipeline(unet_pipeline.UNetPipeline):
    """A loaded Stable Diffusion XL: two CLIP text encoders, a UNet, an autoencoder."""

    family = FAMILY

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """64 px, random weights, in memory: for tests and for work on the user interface."""
        with toys.drawn_from(seed):
            return cls(loading.ready(_tiny(), "cpu"), FAMILY.guidance)

    def prepare(self, examples: Sequence[Example], size: tuple[int, int] | None = None) -> Texts:
        """`latents` (R, C, h, w), `text` (R, L, C), `pooled` (R, P), `time_ids` (R, 6) in px, on the CPU.

        Media and `size` as in every picture family; the time ids are those of the true picture and crop.
        """
        size = size or self.native_size
        opened = [dataclasses.replace(example, media=upright(example.media)) for example in examples]
        framings = [pictures.framing(example.media.size, size) for example in opened]
        return {**super().prepare(opened, size), "time_ids": torch.tensor(framings)}

    def encode(self, prompts: list[str]) -> Texts:
        """`text` (R, L, C) of both encoders, `pooled` (R, P) of the second; zeros for an empty prompt

        where the model was trained so."""
        made = self.pipe.encode_prompt(prompts, device=self._device, do_classifier_free_guidance=False)
        text, pooled = made[0], made[2]
        if self.pipe.config.force_zeros_for_empty_prompt:
            empty = torch.tensor([not prompt for prompt in prompts], device=text.device)
            text, pooled = text.masked_fill(empty[:, None, None], 0), pooled.masked_fill(empty[:, None], 0)
        return {"text": text, "pooled": pooled}

    def _told(self, tensors: Mapping[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        """`time_ids` (R, 6) of whole pictures of just that size, unless the true ones are known."""
        if "time_ids" in tensors:  # asking where the work is done walks the layers, in each training step
            return {}
        framings = [pictures.framing(size, size)] * len(tensors["text"])
        return {"time_ids": torch.tensor(framings, device=self._device)}

    def _conditions(self, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        added = {"text_embeds": tensors["pooled"], "time_ids": tensors["time_ids"]}
        return {"encoder_hidden_states": tensors["text"], "added_cond_kwargs": added}


def _tiny() -> Any:
    tokenizers = [toys.byte_tokenizer() for _ in range(2)]
    return diffusers.StableDiffusionXLPipeline(
        vae=toys.autoencoder(),
        text_encoder=toys.clip_text_encoder(tokenizers[0]),
        text_encoder_2=toys.clip_text_encoder(tokenizers[1], projection_dim=24),
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        unet=_tiny_unet(pooled=24),
        scheduler=diffusers.EulerDiscreteScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            steps_offset=1,
            timestep_spacing="leading",
        ),
        add_watermarker=False,
    )


def _tiny_unet(pooled: int, sizes: int = 8) -> Any:
    return diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        cross_attention_dim=64,  # both text encoders side by side
        addition_embed_type="text_time",
        addition_time_embed_dim=sizes,
        projection_class_embeddings_input_dim=pooled + 6 * sizes,
        norm_num_groups=8,
    )
