"""LTX-Video of toy size: the real classes with random weights, no files, no network."""

from __future__ import annotations

from typing import Any

from pipelines import _toys as toys
from studio.lazy import lazy

diffusers = lazy("diffusers")

SIZE_PX = (96, 64)
_TEXT_TOKENS, _WIDTH, _LATENTS = 128, 16, 16


def tiny(seed: int, keyed: bool = True) -> Any:
    """Of version 0.9.5; without `keyed` of the first one, which takes a start picture alone."""
    kind = diffusers.LTXConditionPipeline if keyed else diffusers.LTXPipeline
    with toys.drawn_from(seed):
        tokenizer = toys.t5_tokenizer(_TEXT_TOKENS)
        return kind(
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
                use_dynamic_shifting=not keyed,
                base_shift=0.95,
                max_shift=2.05,
                base_image_seq_len=1024,
                shift_terminal=None if keyed else 0.1,
            ),
            vae=_autoencoder(keyed),
            text_encoder=toys.t5_encoder(tokenizer, _WIDTH),
            tokenizer=tokenizer,
            transformer=toys.lively(_network()),
        )


def _network() -> Any:
    return diffusers.LTXVideoTransformer3DModel(
        in_channels=_LATENTS,
        out_channels=_LATENTS,
        num_attention_heads=2,
        attention_head_dim=12,
        cross_attention_dim=24,
        num_layers=2,
        caption_channels=_WIDTH,
    )


def _autoencoder(keyed: bool) -> Any:
    """A 32nd of the picture's size, an eighth of the frames after the first; newer ones know a time."""
    widths = (8, 8, 8, 8)
    return diffusers.AutoencoderKLLTXVideo(
        latent_channels=_LATENTS,
        block_out_channels=widths,
        decoder_block_out_channels=widths,
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        timestep_conditioning=keyed,
    )
