"""The layers of a model that an adapter may touch: chosen, named, measured. Knows no LoRA and no emotion."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.errors import InputError, ModelError
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")
transformers = lazy("transformers")

NETWORKS = ("unet", "transformer")  # what denoises: a model has one of them, or two of a kind
TWINS = {"transformer": "transformer_2"}  # networks that share the steps of one model: both wear the same
_OWN = re.compile(
    r"pipelines(\.\w+)+", re.ASCII
)  # where networks of this house are, as model_index.json says
_COMPONENTS = (*NETWORKS, "text_encoder", "text_encoder_2", "text_encoder_3")
Shape = tuple[int, ...]

# What to adapt in a diffusers UNet: regular expressions on full module names. `time_emb_proj` sees one vector
# per row, not one per pixel: gating it lets a feeling shift every feature map at almost no cost. The first
# convolution of each block reaches line and composition; with all convolutions and attention ("deep") the
# adapter costs more than a fifth of the network.
_CROSS = r".*\.attn2\.(to_k|to_v)"
_ATTENTION = r".*\.attn[12]\.(to_q|to_k|to_v|to_out\.0)"
_CHEAP = r".*\.time_emb_proj|conv_in|conv_out"
_ENTRIES = r".*\.resnets\.\d+\.conv1"
_CONVOLUTIONS = r".*\.resnets\.\d+\.conv[12]|.*\.(down|up)samplers\.0\.conv"
# In a diffusion transformer the layers that turn the time into scales and shifts (`norm1.linear`,
# `adaLN_modulation`) see one vector per row. Never the embedders: some run all rows as one sequence.
_MODULATION = r".*\.norm1?(_context)?\.linear|.*\.adaLN_modulation\.\d"
_TOKENS_CROSS = r".*\.(attn2?|attention)\.(to_k|to_v|add_k_proj|add_v_proj)"
_TOKENS = r".*\.(attn[12]?|attention)\.(to_q|to_k|to_v|to_out(\.0)?|add_[qkv]_proj|to_add_out)"
_FEED_FORWARD = r".*\.(ffn?(_context)?\.net\.(0\.proj|2)|feed_forward\.w[123]|ff_in|ff_out|proj_mlp|proj_out)"
PRESETS: dict[str, dict[str, str]] = {
    "light": {"unet": f"{_CROSS}|{_CHEAP}", "transformer": f"{_TOKENS_CROSS}|{_MODULATION}"},
    "attention": {"unet": f"{_ATTENTION}|{_CHEAP}", "transformer": _TOKENS},
    "standard": {"unet": f"{_CROSS}|{_CHEAP}|{_ENTRIES}", "transformer": f"{_TOKENS}|{_MODULATION}"},
    "deep": {
        "unet": f"{_ATTENTION}|{_CHEAP}|{_CONVOLUTIONS}",
        "transformer": f"{_TOKENS}|{_MODULATION}|{_FEED_FORWARD}",
    },
}


def matching(modules: Mapping[str, nn.Module], targets: Mapping[str, str]) -> dict[str, Any]:
    """Linear and convolution layers that `targets` choose, by full name `<component>.<layer>`, sorted."""
    found: dict[str, Any] = {}
    has_network = any(name in modules for name in NETWORKS if name in targets)
    for component, pattern in targets.items():
        if component not in modules:
            if has_network and component in NETWORKS:
                continue  # a preset names both kinds; a model has one
            raise ModelError(f"adapter: the model has no {component!r}, only {', '.join(modules)}")
        try:
            chosen = re.compile(pattern)
        except (re.error, TypeError) as error:
            raise InputError("targets", pattern, f"{pattern!r} is no regular expression: {error}") from None
        for name, module in modules[component].named_modules():
            plain = re.sub(r"(^|\.)base_layer(?=\.|$)", "", name)  # as named without adapters around it
            if chosen.fullmatch(plain) and isinstance(module, _adaptable()):
                found[f"{component}.{plain}"] = module
    if not found:
        raise ModelError(f"adapter: no layer of {', '.join(modules)} matches {dict(targets)}")
    return dict(sorted(found.items()))


def places(modules: Mapping[str, nn.Module], targets: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Layer -> where it is put: at its own place and, where the model has a second network of its kind that

    `targets` do not name, at the same place there. Raises ModelError for a second network of another make.
    """
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in matching(modules, targets)}
    for component, twin in TWINS.items():
        if component not in targets or component not in modules or twin in targets or twin not in modules:
            continue
        for name in matching(modules, {twin: targets[component]}):
            own = f"{component}.{name.partition('.')[2]}"
            if own not in found:
                raise ModelError(f"adapter: {twin} has a layer {name!r} that {component} has not")
            found[own] = (own, name)
    return found


def shapes(modules: Mapping[str, nn.Module]) -> dict[str, Shape]:
    """Weight shapes of every layer that can be adapted, by full name `<component>.<layer>`."""
    return {
        f"{component}.{name}": tuple(module.weight.shape)
        for component, network in modules.items()
        for name, module in network.named_modules()
        if isinstance(module, _adaptable())
    }


def _adaptable() -> tuple[type, ...]:
    return torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d


def factor_shapes(weight: Shape, ranks: int) -> tuple[Shape, Shape]:
    """Shapes of A and B for a weight (out, in, *kernel)."""
    return (ranks, *weight[1:]), (weight[0], ranks, *[1] * (len(weight) - 2))


def skeleton(model: str) -> dict[str, nn.Module]:
    """The denoiser and text encoders of a folder or hub id, on the meta device. Raises ModelError."""
    try:
        index = diffusers.DiffusionPipeline.load_config(model)
        found = {name: entry for name in _COMPONENTS if (entry := index.get(name)) and all(entry)}
        with torch.device("meta"):
            return {name: _component(model, name, *entry) for name, entry in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"model: the layers of {model!r} cannot be read: {reason}") from error


def _component(model: str, name: str, library: str, kind: str) -> Any:
    if library == "diffusers" or _OWN.fullmatch(library):
        network = getattr(diffusers if library == "diffusers" else lazy(library), kind)
        if not issubclass(network, diffusers.ModelMixin):
            raise TypeError(f"{library}.{kind} is no network")
        return network.from_config(network.load_config(model, subfolder=name))
    network = getattr(transformers, kind)
    return network(network.config_class.from_pretrained(model, subfolder=name))


def fingerprint(shapes: Mapping[str, Shape]) -> str:
    lines = "\n".join(f"{name}:{shape_text(shape)}" for name, shape in sorted(shapes.items()))
    return hashlib.blake2b(lines.encode(), digest_size=6).hexdigest()


def shape_text(shape: Shape | None) -> str:
    return "x".join(map(str, shape)) if shape else "absent"


def model_name(modules: Mapping[str, nn.Module]) -> str:
    """What the loaded model calls itself, or the classes of its modules."""
    for module in modules.values():
        path = getattr(getattr(module, "config", None), "_name_or_path", "") or ""
        if path:
            return str(path)
    return ", ".join(type(module).__name__ for module in modules.values())
