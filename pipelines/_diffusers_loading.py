"""Where a diffusers pipeline of any family comes from: a folder or the hub, safetensors only.

Knows files, the hub's errors, number types and places; knows no request, no emotion and no medium.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines import _placement as placement
from pipelines._loading import foreign_errors, quiet, torch_device, torch_dtype
from studio import catalog
from studio.errors import ModelError
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")


@dataclass(frozen=True, slots=True)
class Family:
    """What a family takes; its file offers one as `FAMILY`.

    `classes`: names that a model_index.json may give, the first of which is built; with `as_named` the one
    that it gives, as parts of one are no parts of another. `half`: what dtype `auto` means on
    an accelerator. `upcasts_vae`: float16 overflows in autoencoders whose config does not deny it.
    `exact`: parts that stay in float32 whatever the number type is. `guidance`: for models that name none in
    a studio.json. `rows`: pictures that are made at once, as the frames of a window are. `options`: for
    diffusers' from_pretrained.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    half: str = "float16"  # bfloat16 where float16 overflows
    upcasts_vae: bool = False
    exact: tuple[str, ...] = ()
    guidance: float = 5.0
    as_named: bool = False
    rows: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A diffusers pipeline on the CPU, with the device that it is for and how it will lie there."""

    pipe: Any
    device: str
    memory: str


def read_pipeline(model: str, device: str, dtype: str, family: Family, memory: str = "auto") -> Read:
    """The diffusers pipeline of a folder or hub id.

    Raises ModelError (which names the right family for a model of another one), MemoryShortage (before
    anything is read, where the model is here already) and InputError.
    """
    device = torch_device(device)
    number_type = torch_dtype(dtype, device, family.half)
    quiet()
    with foreign_errors(model):
        index = diffusers.DiffusionPipeline.load_config(model)
        _check_family(model, index["_class_name"], family)
        memory = placement.decide(model, device, number_type, memory, rows=family.rows)
        kind = getattr(diffusers, index["_class_name"] if family.as_named else family.classes[0])
        dtypes = {"default": number_type, **dict.fromkeys(family.exact, torch.float32)}
        wanted = dtypes if family.exact else number_type
        pipe = from_safetensors(kind, model, dtype=wanted, **{**_left_out(index), **family.options})
    if family.upcasts_vae and number_type == torch.float16 and pipe.vae.config.force_upcast:
        pipe.vae.to(torch.float32)  # before it is placed: an offloaded part keeps its number type
    if memory in placement.UNDECIDED:  # its files were not here before
        memory = placement.decide(model, device, number_type, memory, rows=family.rows)
    return Read(pipe, device, memory)


def ready(pipe: Any, device: str, memory: str = "fast") -> Any:
    """The pipeline frozen on its device."""
    placement.place(pipe, device, memory)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    pipe.vae.enable_slicing()  # decodes row by row: memory does not grow with the batch
    return pipe


def from_safetensors(kind: Any, model: str, **options: Any) -> Any:
    """A pipeline or network from safetensors, those in half precision (`.fp16.`) if there are no others."""
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
