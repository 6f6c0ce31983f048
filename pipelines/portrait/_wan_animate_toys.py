"""A Wan-Animate of toy size: the real classes with random weights, no files, no network."""

from __future__ import annotations

from typing import Any

from pipelines import _toys as toys
from pipelines import _wan_toys as wan_toys
from studio.lazy import lazy

diffusers = lazy("diffusers")

_TEXT_TOKENS = 512  # the network counts on so many
_WIDTH, _FACE_PX, _PICTURE_PX = 16, 16, 28


def tiny(seed: int) -> Any:
    """The whole pipeline; faces are 16 px."""
    with toys.drawn_from(seed):
        tokenizer = toys.t5_tokenizer(_TEXT_TOKENS)
        return diffusers.WanAnimatePipeline(
            tokenizer=tokenizer,
            text_encoder=wan_toys.umt5_encoder(tokenizer, _WIDTH),
            vae=wan_toys.autoencoder(),
            scheduler=wan_toys.scheduler(shift=5.0),
            image_processor=wan_toys.image_processor(_PICTURE_PX),
            image_encoder=wan_toys.image_encoder(_WIDTH, _PICTURE_PX),
            transformer=toys.lively(_transformer()),
        )


def _transformer() -> Any:
    return diffusers.WanAnimateTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        text_dim=_WIDTH,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        image_dim=_WIDTH,
        added_kv_proj_dim=24,
        rope_max_seq_len=128,
        motion_encoder_channel_sizes={"4": 8, "8": 8, "16": 8},
        motion_encoder_size=_FACE_PX,
        motion_style_dim=8,
        motion_dim=4,
        motion_encoder_dim=16,
        face_encoder_hidden_dim=16,
        face_encoder_num_heads=2,
        inject_face_latents_blocks=2,
    )
