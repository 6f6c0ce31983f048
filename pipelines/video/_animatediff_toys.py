"""AnimateDiff at toy size, with random weights; made in code, no file is read. Knows no request."""

from __future__ import annotations

from typing import Any

from pipelines.image import _toys as toys
from studio.lazy import lazy

diffusers = lazy("diffusers")


def tiny(seed: int) -> Any:
    """64 px; 16 frames at most at once."""
    with toys.drawn_from(seed):
        tokenizer = toys.byte_tokenizer()
        return diffusers.AnimateDiffPipeline(
            vae=toys.autoencoder(),
            text_encoder=toys.clip_text_encoder(tokenizer),
            tokenizer=tokenizer,
            unet=_unet(),
            motion_adapter=None,
            scheduler=toys.ddim("linear"),
        )


def _unet() -> Any:
    return diffusers.UNetMotionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
        up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion"),
        cross_attention_dim=32,
        num_attention_heads=2,
        norm_num_groups=8,
        motion_num_attention_heads=2,
        motion_max_seq_length=16,
    )
