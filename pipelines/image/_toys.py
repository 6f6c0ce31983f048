"""Parts of toy models, made in code: a tokenizer without files, a CLIP text encoder, an autoencoder.

The classes are the real ones, only small and with random weights. Knows no family.
"""

from __future__ import annotations

from typing import Any

from pipelines._toys import drawn_from as drawn_from
from studio.lazy import lazy

diffusers = lazy("diffusers")
tokenizers = lazy("tokenizers")
transformers = lazy("transformers")


def byte_tokenizer() -> Any:
    """CLIP's tokenizer with the 256 bytes as its vocabulary and no merges."""
    printable = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = [*printable, *(f"{byte}</w>" for byte in printable), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def clip_text_encoder(tokenizer: Any, hidden_size: int = 32, projection_dim: int | None = None) -> Any:
    """CLIP's text model; with `projection_dim` the one that also gives a pooled, projected vector."""
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **({"projection_dim": projection_dim} if projection_dim else {}),
    )
    kind = transformers.CLIPTextModelWithProjection if projection_dim else transformers.CLIPTextModel
    return kind(config)


def ddim(beta_schedule: str) -> Any:
    """DDIM as Stable Diffusion has it; its noise is "scaled_linear", AnimateDiff's "linear"."""
    return diffusers.DDIMScheduler(
        beta_schedule=beta_schedule,
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",  # said, or another sampler would take its own default
    )


def autoencoder(channels: int = 4, **config: Any) -> Any:
    """AutoencoderKL with `channels` latents at an eighth of the picture's size."""
    return diffusers.AutoencoderKL(
        latent_channels=channels,
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        sample_size=64,
        **config,
    )
