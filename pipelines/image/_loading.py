"""Where a model of any picture family comes from: a folder or the hub, safetensors only.

Knows files, the hub's errors, number types and attention kernels; knows no request and no emotion.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines._loading import foreign_errors, quiet, torch_device, torch_dtype
from pipelines.image import _placement as placement
from studio import catalog
from studio.errors import ModelError
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")
safetensors = lazy("safetensors")
transformers = lazy("transformers")


@dataclass(frozen=True, slots=True)
class Family:
    """What a family takes; its file offers one as `FAMILY`.

    `classes`: names that a model_index.json may give, the first of which is built. `half`: what dtype `auto`
    means on an accelerator. `upcasts_vae`: float16 overflows in autoencoders whose config does not deny it.
    `guidance`: for models that name none in a studio.json. `options`: for diffusers' from_pretrained.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    half: str = "float16"  # bfloat16 where float16 overflows
    upcasts_vae: bool = False
    guidance: float = 5.0
    options: Mapping[str, Any] = field(default_factory=dict)


def load_pipeline(model: str, device: str, dtype: str, family: Family, memory: str = "auto") -> Any:
    """The diffusers pipeline of a folder or hub id, on its device, frozen.

    Raises ModelError (which names the right family for a model of another one) and InputError.
    """
    device = torch_device(device)
    number_type = torch_dtype(dtype, device, family.half)
    quiet()
    with foreign_errors(model):
        index = diffusers.DiffusionPipeline.load_config(model)
        _check_family(model, index["_class_name"], family)
        memory = placement.decide(model, device, number_type, memory)
        kind = getattr(diffusers, family.classes[0])
        pipe = _read(kind, model, dtype=number_type, **{**_left_out(index), **family.options})
    if family.upcasts_vae and number_type == torch.float16 and pipe.vae.config.force_upcast:
        pipe.vae.to(torch.float32)  # before it is placed: an offloaded part keeps its number type
    if memory in placement.UNDECIDED:  # its files were not here before
        memory = placement.decide(model, device, number_type, memory)
    return ready(pipe, device, memory)


def _read(kind: Any, model: str, **options: Any) -> Any:
    """The pipeline from its safetensors, those in half precision (`.fp16.`) where a model has no others."""
    try:
        return kind.from_pretrained(model, use_safetensors=True, **options)
    except OSError as error:
        if "no file named" not in str(error).lower():
            raise
        return kind.from_pretrained(model, use_safetensors=True, variant="fp16", **options)


def _left_out(index: dict[str, Any]) -> dict[str, None]:
    """Parts that a model was saved without, such as SD3's T5: from_pretrained wants to hear it again."""
    return {name: None for name, entry in index.items() if entry in ([None, None], (None, None))}


def _check_family(model: str, name: str, family: Family) -> None:
    if name in family.classes:
        return
    modules = (catalog.load("pipeline", other) for other in catalog.names("pipeline"))
    families = (getattr(module, "FAMILY", None) for module in modules)
    right = [other.name for other in families if other and name in other.classes]
    hint = f"; use {right[0]}" if right else ""
    raise ModelError(f"model: {model!r} is a {name}; {family.name} takes {family.title}{hint}")


def ready(pipe: Any, device: str, memory: str = "fast") -> Any:
    """The pipeline frozen on its device, with the attention that runs fastest there."""
    placement.place(pipe, device, memory)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    pipe.vae.enable_slicing()  # decodes row by row: memory does not grow with the batch
    if device.startswith("cuda") and memory == "fast" and "unet" in pipe.components:
        choose_attention(pipe.unet)
    return pipe


def recommended_guidance(model: str, default: float) -> float:
    """`guidance` of the folder's optional studio.json; `default` where nothing is said."""
    path = Path(model) / "studio.json"
    if not path.is_file():
        return default
    try:
        return float(json.loads(path.read_text("utf-8")).get("guidance", default))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"model: {str(path)!r} cannot be read: {error}") from None


def choose_attention(unet: Any) -> str:
    """Time PyTorch's attention and xformers', where installed, on this model; keep and name the faster."""
    if not diffusers.utils.is_xformers_available():
        return "torch"
    before = dict(unet.attn_processors)
    torch_seconds = _forward_seconds(unet)
    try:
        unet.enable_xformers_memory_efficient_attention()
        changed = any("XFormers" in type(one).__name__ for one in unet.attn_processors.values())
        if changed and _forward_seconds(unet) < torch_seconds:
            return "xformers"
    except (ImportError, NotImplementedError, RuntimeError, ValueError):
        pass  # built for another torch, or no kernel for this card: torch's attention works everywhere
    unet.set_attn_processor(before)
    return "torch"


def _forward_seconds(unet: Any, repeats: int = 5) -> float:
    inputs = sample_inputs(unet, rows=2)
    seconds = []
    with torch.no_grad():
        for _ in range(repeats):
            torch.cuda.synchronize()
            start = time.perf_counter()
            unet(**inputs)
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    return min(seconds)


def sample_inputs(unet: Any, rows: int) -> dict[str, Any]:
    """Zeros that a UNet runs on, at the size it was trained at."""
    config, kind = unet.config, {"device": unet.device, "dtype": unet.dtype}
    size = config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    inputs: dict[str, Any] = {
        "sample": torch.zeros(rows, config.in_channels, height, width, **kind),
        "timestep": torch.tensor(1, device=unet.device),
        "encoder_hidden_states": torch.zeros(rows, 77, config.cross_attention_dim, **kind),
    }
    if config.addition_embed_type == "text_time":  # SDXL: pooled text and six sizes
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        added = {"text_embeds": torch.zeros(rows, pooled, **kind), "time_ids": torch.zeros(rows, 6, **kind)}
        inputs["added_cond_kwargs"] = added
    return inputs
