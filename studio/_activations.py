"""How many numbers a network holds at once beside its weights, from the sizes in its config.json.

Counts elements (multiply by bytes per element) of one row. Knows the two shapes of backbone there are, a UNet
of resnets and transformers over levels, and a transformer over patches; a config that is neither gives None.

The factors were fitted to peaks of tensor memory, counted allocation by allocation on networks with the
published configurations of Stable Diffusion 1.5, SDXL, SD3-medium and FLUX.1-dev at 512 and 1024 px, one and
four rows, bfloat16, with an emotion LoRA in float32 for training: every estimate is within a factor 1.4 of
the count (tests/studio/test_preflight.py holds the counts). Those for clips were counted on networks without
data (PyTorch's meta device) with the configurations of Wan 2.1, Wan2.2 Animate and TI2V, and of LTX-Video's
decoder. Not in it: convolution workspaces and what an allocator rounds up; attention is PyTorch's own, which
keeps no matrix of tokens by tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TEXT_TOKENS = 512  # beside the picture's own in a transformer over patches

# In tensors of a layer's width: what a forward pass holds at its widest moment ...
_RESNET_HOLDS, _ATTENTION_HOLDS = 3.5, 20.0
_BLOCK_HOLDS, _SINGLE_BLOCK_HOLDS = 12.0, 17.0
# ... and what the backward pass needs kept. A LoRA keeps its inputs in float32.
_RESNET_KEEPS, _ATTENTION_KEEPS, _TRANSFORMER_KEEPS = 5.0, 22.0, 4.0
_BLOCK_KEEPS, _BLOCK_AGAIN = 20.0, 30.0
_AUTOCAST_NORMS = 1.7  # on a resnet's share: autocast's norms work, and keep, in float32
_CHECKPOINT_AGAIN = 2.0  # kept by the block that is run again, and its gradients
_DECODER_HOLDS = 3.0
_CLIP_DECODER_HOLDS = 52.0  # four frames at once, and for each convolution the last frames of the step before
_RESIDUAL_DECODER_HOLDS = 1.62  # times as much, where blocks have a second way around them
_WHOLE_CLIP_DECODER_HOLDS = 34.4  # a pixel of every frame: all are decoded at once


@dataclass(frozen=True, slots=True)
class Elements:
    """Numbers that one row needs in a backbone: to render, to train, to train with checkpointing."""

    render: float
    train: float
    checkpointed: float


@dataclass(frozen=True, slots=True)
class _Layer:
    """A resnet (depth 0) or a transformer of `depth` blocks; `area` in latent pixels."""

    takes: int
    gives: int
    area: float
    depth: int = 0

    @property
    def held(self) -> float:
        widest = _ATTENTION_HOLDS * self.gives if self.depth else _RESNET_HOLDS * self.takes
        return widest * self.area

    @property
    def kept(self) -> float:
        if self.depth:
            return (_ATTENTION_KEEPS * self.depth + _TRANSFORMER_KEEPS) * self.gives * self.area
        return _RESNET_KEEPS * (self.takes + self.gives) * self.area

    @property
    def border(self) -> float:
        """What stays when the layer is checkpointed."""
        blocks = self.depth + 2 if self.depth else 1
        return blocks * self.takes * self.area

    @property
    def again(self) -> float:
        """What comes back while one checkpointed block is run again."""
        return self.kept / max(1, self.depth) * _CHECKPOINT_AGAIN


def backbone(
    config: Mapping[str, Any],
    latents: tuple[int, int],
    channels: int,
    autocast: bool = False,
    latent_frames: int = 1,
) -> Elements | None:
    """Elements of one row for latents (width, height) of `channels`; None for a config of another kind.

    `autocast`: trained in half precision. `latent_frames`: of a clip.
    """
    if "block_out_channels" in config and "down_block_types" in config:
        return _unet(config, latents[0] * latents[1], autocast)
    width, depth = _transformer_shape(config)
    if not width or not depth:
        return None
    return _transformer(config, latent_frames * tokens(config, latents, channels), width, depth)


def decoder(config: Mapping[str, Any], pixels: int, frames: int = 1) -> float:
    """Elements for decoding one picture of so many pixels: the last block widens, then shrinks to RGB.

    Of a clip the frames themselves count too, twice while the newest are appended.
    """
    if decodes_whole_clips(config):
        return _WHOLE_CLIP_DECODER_HOLDS * frames * pixels
    if decodes_clips(config):
        width = int(config.get("decoder_base_dim") or config.get("base_dim") or 96)
        holds = _CLIP_DECODER_HOLDS * (_RESIDUAL_DECODER_HOLDS if config.get("is_residual") else 1)
        return (holds * width / int(config.get("patch_size") or 1) ** 2 + 2 * 3 * frames) * pixels
    widths = config.get("block_out_channels") or [config.get("base_dim") or 128]
    return _DECODER_HOLDS * int(widths[min(1, len(widths) - 1)]) * pixels


def decodes_clips(config: Mapping[str, Any]) -> bool:
    """Whether an autoencoder's config is one for moving pictures."""
    return "temperal_downsample" in config or decodes_whole_clips(config)  # the spelling is diffusers'


def decodes_whole_clips(config: Mapping[str, Any]) -> bool:
    """Whether it is one that works on all frames together, as LTX-Video's does, and not on some at a time."""
    return "spatio_temporal_scaling" in config


def tokens(config: Mapping[str, Any], latents: tuple[int, int], channels: int) -> float:
    """Tokens of a picture in a transformer: its patches are cut by the network or packed before it."""
    patch = config.get("all_patch_size") or config.get("patch_size") or 1
    side = int(patch if isinstance(patch, int) else patch[-1])  # of a clip: (frames, height, width)
    packed = (config.get("in_channels") or channels) / channels
    return latents[0] * latents[1] / max(side**2, packed)


def _transformer_shape(config: Mapping[str, Any]) -> tuple[int, int]:
    heads, size = config.get("num_attention_heads") or 0, config.get("attention_head_dim") or 0
    width = config.get("dim") or (heads * size if isinstance(heads, int) and isinstance(size, int) else 0)
    names = ("num_layers", "num_single_layers", "n_layers", "n_refiner_layers")
    return int(width), sum(int(config.get(name) or 0) for name in names)


def _transformer(config: Mapping[str, Any], picture: float, width: int, depth: int) -> Elements:
    unit = (picture + TEXT_TOKENS) * width
    holds = _SINGLE_BLOCK_HOLDS if config.get("num_single_layers") else _BLOCK_HOLDS
    return Elements(holds * unit, _BLOCK_KEEPS * depth * unit, (depth + _BLOCK_AGAIN) * unit)


def _unet(config: Mapping[str, Any], area: int, autocast: bool) -> Elements:
    widths = [int(width) for width in config["block_out_channels"]]
    counts = _per_level(config.get("layers_per_block", 2), len(widths))
    layers = [*_down(config, widths, counts, area), *_middle(config, widths, area)]
    layers += _up(config, widths, counts, area)
    rendered = _skips(widths, counts, area) + max(layer.held for layer in layers)
    trained = sum(layer.kept * (_AUTOCAST_NORMS if autocast and not layer.depth else 1) for layer in layers)
    checkpointed = sum(layer.border for layer in layers) + max(layer.again for layer in layers)
    return Elements(rendered, trained, checkpointed)


def _per_level(value: Any, levels: int) -> list[int]:
    """One number a level; a list of lists (one number a block) by its largest."""
    values = list(value) if isinstance(value, Sequence) else [value] * levels
    return [max(one) if isinstance(one, Sequence) else int(one) for one in values]


def _depths(config: Mapping[str, Any], kinds: str) -> list[int]:
    """Transformer blocks after each resnet of a level, from the finest; 0 where there is no attention."""
    types = [str(kind) for kind in config[kinds]]
    types = types[::-1] if kinds.startswith("up") else types
    depths = _per_level(config.get("transformer_layers_per_block", 1), len(types))
    return [depth if "Attn" in kind else 0 for depth, kind in zip(depths, types, strict=True)]


def _pair(takes: int, gives: int, area: float, depth: int) -> Iterator[_Layer]:
    yield _Layer(takes, gives, area)
    if depth:
        yield _Layer(gives, gives, area, depth)


def _down(
    config: Mapping[str, Any], widths: Sequence[int], counts: Sequence[int], area: float
) -> Iterator[_Layer]:
    for level, depth in enumerate(_depths(config, "down_block_types")):
        takes = widths[max(0, level - 1)]
        for _ in range(counts[level]):
            yield from _pair(takes, widths[level], area / 4**level, depth)
            takes = widths[level]


def _middle(config: Mapping[str, Any], widths: Sequence[int], area: float) -> Iterator[_Layer]:
    width, level = widths[-1], len(widths) - 1
    depth = _per_level(config.get("transformer_layers_per_block", 1), len(widths))[-1]
    yield from _pair(width, width, area / 4**level, depth)
    yield _Layer(width, width, area / 4**level)


def _up(
    config: Mapping[str, Any], widths: Sequence[int], counts: Sequence[int], area: float
) -> Iterator[_Layer]:
    depths = _depths(config, "up_block_types")
    takes = widths[-1]
    for level in reversed(range(len(widths))):
        for number in range(counts[level] + 1):
            skip = widths[max(0, level - 1)] if number == counts[level] else widths[level]
            yield from _pair(takes + skip, widths[level], area / 4**level, depths[level])
            takes = widths[level]


def _skips(widths: Sequence[int], counts: Sequence[int], area: float) -> float:
    """What the way down leaves for the way up."""
    total = widths[0] * area
    for level, (width, count) in enumerate(zip(widths, counts, strict=True)):
        total += width * count * area / 4**level
        if level < len(widths) - 1:
            total += width * area / 4 ** (level + 1)
    return total
