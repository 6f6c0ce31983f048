"""Wan models of toy size, one of each kind: the real classes with random weights, no files, no network."""

from __future__ import annotations

from typing import Any

from pipelines import _toys as toys
from pipelines import _wan_toys as wan_toys
from studio.lazy import lazy

diffusers = lazy("diffusers")

SIZE_PX = (64, 48)
_TEXT_TOKENS = 512  # the network counts on so many
_WIDTH, _PICTURE_PX, _PICTURE_TOKENS, _LATENTS = 16, 28, 5, 16
_BOUNDARY = 0.875  # of the noise: where the second network takes over in A14B's text-to-video


def from_text(seed: int, two: bool = False) -> Any:
    """Wan 2.1 text to video; with `two` networks Wan 2.2 A14B."""
    with toys.drawn_from(seed):
        more = {"transformer_2": _network(), "boundary_ratio": _BOUNDARY} if two else {}
        return diffusers.WanPipeline(**_parts(), transformer=_network(), **more)


def from_picture(seed: int, two: bool = False, pairs: bool = False) -> Any:
    """Wan 2.1 picture to video, with `pairs` from first to last frame; with `two` Wan 2.2 A14B."""
    beside = {"in_channels": 2 * _LATENTS + 4}
    with toys.drawn_from(seed):
        if two:
            more = {"transformer_2": _network(**beside), "boundary_ratio": _BOUNDARY}
            return diffusers.WanImageToVideoPipeline(**_parts(), transformer=_network(**beside), **more)
        sees = {"image_dim": _WIDTH, "added_kv_proj_dim": 24}
        sees |= {"pos_embed_seq_len": 2 * _PICTURE_TOKENS} if pairs else {}
        eyes = {"image_encoder": wan_toys.image_encoder(_WIDTH, _PICTURE_PX)}
        eyes["image_processor"] = wan_toys.image_processor(_PICTURE_PX)
        return diffusers.WanImageToVideoPipeline(**_parts(), transformer=_network(**beside, **sees), **eyes)


def from_either(seed: int) -> Any:
    """Wan 2.2 TI2V: another autoencoder, of a sixteenth of the size, and a time for each token."""
    with toys.drawn_from(seed):
        return diffusers.WanPipeline(
            **{**_parts(), "vae": wan_toys.large_autoencoder()},
            transformer=_network(),
            expand_timesteps=True,
        )


def _parts() -> dict[str, Any]:
    tokenizer = toys.t5_tokenizer(_TEXT_TOKENS)
    return {
        "tokenizer": tokenizer,
        "text_encoder": wan_toys.umt5_encoder(tokenizer, _WIDTH),
        "vae": wan_toys.autoencoder(),
        "scheduler": wan_toys.scheduler(shift=3.0),
    }


def _network(**details: Any) -> Any:
    network = diffusers.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        text_dim=_WIDTH,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=128,
        out_channels=_LATENTS,
        **details,
    )
    return toys.lively(network)
