"""Still images with Stable Diffusion 1.x and 2.x, through diffusers' own pipeline, models and schedulers.

Batch first: every row has its own prompt, seed and emotion, and none sees its neighbours. Adapters reach the
model through `modules` and the emotions through `set_emotion`; this file knows no adapter.
"""

from __future__ import annotations

from typing import Any

from pipelines.image import _loading as loading
from pipelines.image import _rows as rows
from pipelines.image import _toys as toys
from pipelines.image import _unet_pipeline as unet_pipeline
from pipelines.image._pipeline import Texts
from studio.lazy import lazy

diffusers = lazy("diffusers")

DEFAULT_MODEL = "emotion-tiny"
FAMILY = loading.Family(
    "image/sd",
    "Stable Diffusion 1.x and 2.x",
    ("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"),
    options={"safety_checker": None, "requires_safety_checker": False},
)

Params = unet_pipeline.Params
check = rows.refuse_seconds


class Pipeline(unet_pipeline.UNetPipeline):
    """A loaded Stable Diffusion 1.x or 2.x: one CLIP text encoder, a UNet, an autoencoder."""

    family = FAMILY

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """64 px, random weights, in memory: for tests and for work on the user interface."""
        with toys.drawn_from(seed):
            return cls(loading.ready(_tiny(), "cpu"), FAMILY.guidance)

    def encode(self, prompts: list[str]) -> Texts:
        """`text` (R, L, C)."""
        return {"text": self.pipe.encode_prompt(prompts, self._device, 1, False)[0]}


def _tiny() -> Any:
    tokenizer = toys.byte_tokenizer()
    return diffusers.StableDiffusionPipeline(
        vae=toys.autoencoder(),
        text_encoder=toys.clip_text_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=_tiny_unet(),
        scheduler=toys.ddim("scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _tiny_unet() -> Any:
    return diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
        norm_num_groups=8,
    )
