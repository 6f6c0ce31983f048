"""What every layer of a model is called in files of other tools. Knows names and rows; reads no file.

diffusers names layers after its own classes. kohya's sd-scripts (and ComfyUI with it) name them after the
code that a model was published with: SDXL after its sgm UNet, SD3 and Flux after their own transformers,
where one matrix holds q, k and v together; SD 1 and 2 after diffusers.
Source: the layer names in the published models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapters._model_layers import NETWORKS as DENOISERS

if TYPE_CHECKING:
    from torch import nn

FAMILIES = {"sd": "Stable Diffusion 1/2", "sdxl": "SDXL", "sd3": "Stable Diffusion 3", "flux": "Flux"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a layer's output rows lie in the published model: `rows` (first, last) of `name`, or all of it.

    `is_swapped`: the two halves (scale and shift) stand in the opposite order.
    """

    name: str
    rows: tuple[int, int] | None = None
    is_swapped: bool = False


def family_of(modules: Mapping[str, nn.Module]) -> str | None:
    """`sd`, `sdxl`, `sd3` or `flux`; None for another model, whose published names nobody here knows."""
    unet, transformer = modules.get("unet"), modules.get("transformer")
    if unet is not None:
        return "sdxl" if getattr(unet.config, "addition_embed_type", None) == "text_time" else "sd"
    kinds = {"SD3Transformer2DModel": "sd3", "FluxTransformer2DModel": "flux"}
    return kinds.get(type(transformer).__name__)


def text_prefix(component: str, family: str | None) -> str:
    """kohya's prefix of a text encoder: Flux' second one is T5, which is number 3 everywhere."""
    number = component.removeprefix("text_encoder").removeprefix("_") or "1"
    if family == "sd":
        return "lora_te"
    return "lora_te3" if family == "flux" and number == "2" else f"lora_te{number}"


def places(modules: Mapping[str, nn.Module], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Place]:
    """Layer `<component>.<path>` -> its place in the published model; a layer without one is left out.

    `shapes`: of the weights (out, in, ...) of every layer that may be asked for.
    """
    family = family_of(modules)
    found: dict[str, Place] = {}
    for layer in shapes:
        component, _, path = layer.partition(".")
        if component not in DENOISERS:
            found[layer] = Place(_with_text_model(path))
            continue
        name = _name(family, path, modules[component])
        if name is not None:
            found[layer] = Place(name, is_swapped=_is_swapped(path, modules[component]))
    return _with_rows(found, shapes)


def _with_text_model(path: str) -> str:
    """CLIP's layers lay under `text_model` when the convention was made; newer classes leave it out."""
    is_clip = path.startswith(("encoder.layers.", "embeddings."))
    return f"text_model.{path}" if is_clip else path


def _name(family: str | None, path: str, network: Any) -> str | None:
    if family == "sdxl":
        return _sgm_name(path, network)
    if family in ("sd3", "flux"):
        return _transformer_name(path, _SD3 if family == "sd3" else _FLUX)
    return path if family == "sd" else None


def _is_swapped(path: str, network: Any) -> bool:
    """diffusers' AdaLayerNormContinuous has scale before shift, the published models have it after."""
    if not path.endswith(".linear"):
        return False
    return type(network.get_submodule(path.removesuffix(".linear"))).__name__ == "AdaLayerNormContinuous"


def _with_rows(found: dict[str, Place], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Place]:
    """Layers that share a matrix get their rows, in the order q, k, v, mlp."""
    groups: dict[tuple[str, str], list[str]] = {}
    for layer, place in found.items():
        groups.setdefault((layer.partition(".")[0], place.name), []).append(layer)
    placed = dict(found)
    for group in (each for each in groups.values() if len(each) > 1):
        start = 0
        for layer in sorted(group, key=_part_order):
            end = start + shapes[layer][0]
            placed[layer] = Place(found[layer].name, (start, end))
            start = end
    return placed


def _part_order(layer: str) -> int:
    parts = ("to_q", "add_q_proj"), ("to_k", "add_k_proj"), ("to_v", "add_v_proj"), ("proj_mlp",)
    return next(number for number, names in enumerate(parts) if layer.endswith(names))


_SGM_FIXED = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_SGM_RESNET = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_BLOCK = re.compile(
    r"(down|mid|up)_blocks?\.(?:(\d+)\.)?(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)"
)


def _sgm_name(path: str, unet: Any) -> str | None:
    """SDXL counts its blocks through: every resnet and every resampling is one."""
    if path in _SGM_FIXED:
        return _SGM_FIXED[path]
    match = _BLOCK.fullmatch(path)
    if match is None:
        return None
    side, block, kind, number, rest = match[1], int(match[2] or 0), match[3], int(match[4]), match[5]
    rest = _SGM_RESNET.get(rest, rest) if kind == "resnets" else rest
    if side == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * number}.{rest}"
    layers = unet.config.layers_per_block
    first = block * (layers + 1) + (1 if side == "down" else 0)
    if kind == "downsamplers":
        return f"input_blocks.{first + layers}.0.op"
    if kind == "upsamplers":
        after = 2 if hasattr(unet.up_blocks[block], "attentions") else 1
        return f"output_blocks.{first + layers}.{after}.conv"
    blocks = "input_blocks" if side == "down" else "output_blocks"
    return f"{blocks}.{first + number}.{int(kind == 'attentions')}.{rest}"


_FLUX_WIDTH = 3072
_Rules = tuple[tuple[str, str], ...]
_FLUX: _Rules = (
    (r"transformer_blocks\.(\d+)\.attn\.to_[qkv]", r"double_blocks.\1.img_attn.qkv"),
    (r"transformer_blocks\.(\d+)\.attn\.add_[qkv]_proj", r"double_blocks.\1.txt_attn.qkv"),
    (r"transformer_blocks\.(\d+)\.attn\.to_out\.0", r"double_blocks.\1.img_attn.proj"),
    (r"transformer_blocks\.(\d+)\.attn\.to_add_out", r"double_blocks.\1.txt_attn.proj"),
    (r"transformer_blocks\.(\d+)\.ff\.net\.0\.proj", r"double_blocks.\1.img_mlp.0"),
    (r"transformer_blocks\.(\d+)\.ff\.net\.2", r"double_blocks.\1.img_mlp.2"),
    (r"transformer_blocks\.(\d+)\.ff_context\.net\.0\.proj", r"double_blocks.\1.txt_mlp.0"),
    (r"transformer_blocks\.(\d+)\.ff_context\.net\.2", r"double_blocks.\1.txt_mlp.2"),
    (r"transformer_blocks\.(\d+)\.norm1\.linear", r"double_blocks.\1.img_mod.lin"),
    (r"transformer_blocks\.(\d+)\.norm1_context\.linear", r"double_blocks.\1.txt_mod.lin"),
    (r"single_transformer_blocks\.(\d+)\.(?:attn\.to_[qkv]|proj_mlp)", r"single_blocks.\1.linear1"),
    (r"single_transformer_blocks\.(\d+)\.proj_out", r"single_blocks.\1.linear2"),
    (r"single_transformer_blocks\.(\d+)\.norm\.linear", r"single_blocks.\1.modulation.lin"),
    (r"x_embedder", "img_in"),
    (r"context_embedder", "txt_in"),
    (r"time_text_embed\.timestep_embedder\.linear_1", "time_in.in_layer"),
    (r"time_text_embed\.timestep_embedder\.linear_2", "time_in.out_layer"),
    (r"time_text_embed\.guidance_embedder\.linear_1", "guidance_in.in_layer"),
    (r"time_text_embed\.guidance_embedder\.linear_2", "guidance_in.out_layer"),
    (r"time_text_embed\.text_embedder\.linear_1", "vector_in.in_layer"),
    (r"time_text_embed\.text_embedder\.linear_2", "vector_in.out_layer"),
    (r"norm_out\.linear", "final_layer.adaLN_modulation.1"),
    (r"proj_out", "final_layer.linear"),
)
_SD3: _Rules = (
    (r"transformer_blocks\.(\d+)\.(attn2?)\.to_[qkv]", r"joint_blocks.\1.x_block.\2.qkv"),
    (r"transformer_blocks\.(\d+)\.attn\.add_[qkv]_proj", r"joint_blocks.\1.context_block.attn.qkv"),
    (r"transformer_blocks\.(\d+)\.(attn2?)\.to_out\.0", r"joint_blocks.\1.x_block.\2.proj"),
    (r"transformer_blocks\.(\d+)\.attn\.to_add_out", r"joint_blocks.\1.context_block.attn.proj"),
    (r"transformer_blocks\.(\d+)\.ff\.net\.0\.proj", r"joint_blocks.\1.x_block.mlp.fc1"),
    (r"transformer_blocks\.(\d+)\.ff\.net\.2", r"joint_blocks.\1.x_block.mlp.fc2"),
    (r"transformer_blocks\.(\d+)\.ff_context\.net\.0\.proj", r"joint_blocks.\1.context_block.mlp.fc1"),
    (r"transformer_blocks\.(\d+)\.ff_context\.net\.2", r"joint_blocks.\1.context_block.mlp.fc2"),
    (r"transformer_blocks\.(\d+)\.norm1\.linear", r"joint_blocks.\1.x_block.adaLN_modulation.1"),
    (
        r"transformer_blocks\.(\d+)\.norm1_context\.linear",
        r"joint_blocks.\1.context_block.adaLN_modulation.1",
    ),
    (r"context_embedder", "context_embedder"),
    (r"pos_embed\.proj", "x_embedder.proj"),
    (r"time_text_embed\.timestep_embedder\.linear_1", "t_embedder.mlp.0"),
    (r"time_text_embed\.timestep_embedder\.linear_2", "t_embedder.mlp.2"),
    (r"time_text_embed\.text_embedder\.linear_1", "y_embedder.mlp.0"),
    (r"time_text_embed\.text_embedder\.linear_2", "y_embedder.mlp.2"),
    (r"norm_out\.linear", "final_layer.adaLN_modulation.1"),
    (r"proj_out", "final_layer.linear"),
)


def _transformer_name(path: str, rules: _Rules) -> str | None:
    for pattern, name in rules:
        if match := re.fullmatch(pattern, path):
            return match.expand(name)
    return None


def diffusers_ignores(family: str, layer: str, modules: Mapping[str, nn.Module]) -> bool:
    """Whether diffusers 0.42 does nothing with kohya's name of this layer (measured; tests repeat it)."""
    component, _, path = layer.partition(".")
    if family == "sd3":
        return True  # it reads no kohya file of this family at all
    if component not in DENOISERS:
        read = ("text_encoder",) if family == "flux" else ("text_encoder", "text_encoder_2")
        return component not in read
    if family == "flux":
        config = modules["transformer"].config
        if config.num_attention_heads * config.attention_head_dim != _FLUX_WIDTH:
            return True  # the rows of its matrices are written into diffusers' reader
        return not path.startswith(("transformer_blocks.", "single_transformer_blocks."))
    if family == "sd":
        return path.startswith(("add_embedding.", "class_embedding.")) or ".add_" in path
    upsampler = re.match(r"up_blocks\.(\d+)\.upsamplers", path)
    return bool(upsampler) and not hasattr(modules["unet"].up_blocks[int(upsampler[1])], "attentions")


_MARKS = (
    ("flux", r"double_blocks|single_blocks|single_transformer_blocks"),
    ("sd3", r"joint_blocks"),
    ("sdxl", r"input_blocks|output_blocks|label_emb|add_embedding|transformer_blocks_[2-9]"),
    ("sd", r"down_blocks|up_blocks|mid_block"),
)


def family_of_names(names: Iterator[str]) -> str | None:
    """The family that a file's layer names point to, the most telling mark first."""
    text = "\n".join(names).replace(".", "_")
    return next((family for family, mark in _MARKS if re.search(mark, text)), None)
