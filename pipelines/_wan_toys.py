"""Parts of toy models that all Wan families have: umT5, the causal video autoencoder, the scheduler.

The classes are the real ones, only small and with random weights. Knows no family.
"""

from __future__ import annotations

from typing import Any

from studio.lazy import lazy

diffusers = lazy("diffusers")
transformers = lazy("transformers")


def umt5_encoder(tokenizer: Any, width: int) -> Any:
    config = transformers.UMT5Config(
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=8,
        d_ff=2 * width,
        num_layers=1,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
    )
    return transformers.UMT5EncoderModel(config)


def autoencoder() -> Any:
    """Wan 2.1's: 16 latents, an eighth of the picture's size, a quarter of the frames after the first."""
    return diffusers.AutoencoderKLWan(base_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1)


def scheduler(shift: float) -> Any:
    return diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift
    )


def large_autoencoder() -> Any:
    """Wan 2.2's of the TI2V model: a sixteenth of the picture's size, by patches of two pixels."""
    return diffusers.AutoencoderKLWan(
        base_dim=4,
        decoder_base_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
    )


def image_encoder(width: int, picture_px: int) -> Any:
    """CLIP's, of 14 px patches."""
    config = transformers.CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=picture_px,
        patch_size=14,
    )
    return transformers.CLIPVisionModel(config)


def image_processor(picture_px: int) -> Any:
    side = {"height": picture_px, "width": picture_px}
    return transformers.CLIPImageProcessor(size={"shortest_edge": picture_px}, crop_size=side)
