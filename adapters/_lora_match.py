"""The tensors of a LoRA file, brought to the layers of a model. Knows keys and shapes; opens no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters import _lora_keys as keys
from adapters import _lora_names as names
from adapters import _model_layers as layers
from adapters._lora_metadata import Alphas
from studio.errors import ModelError
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
else:
    torch = lazy("torch")

_SHOWN = 3  # keys that a message lists
Slot = tuple[str, names.Place | None]  # a layer, and where its rows lie if not named by diffusers


@dataclass(frozen=True, slots=True)
class File:
    path: Path
    tensors: Mapping[str, Tensor]
    alphas: Alphas


@dataclass(frozen=True, slots=True)
class Matched:
    lora: dict[str, tuple[Tensor, Tensor]]
    dialect: str
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    """The tensors of one name in a file."""

    parts: dict[str, Tensor] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)


def matched(file: File, modules: Mapping[str, nn.Module]) -> Matched:
    """Every tensor at its layer, scaled by alpha / rank. Raises ModelError when one finds none."""
    groups, dialect, strange = _groups(file.tensors)
    shapes = layers.shapes(modules)
    index = _index(modules, shapes)
    family = names.family_of(modules)
    found = {name: slots for name in groups if (slots := _slots(name, index, family))}
    lost = strange + [key for name, group in groups.items() if name not in found for key in group.keys]
    if lost or not groups:
        raise ModelError(_lost_message(file, dialect, lost, groups, modules))
    lora: dict[str, tuple[Tensor, Tensor]] = {}
    silent = 0
    for name, slots in found.items():
        a, b, said = _scaled(file, groups[name], slots[0][0])
        silent += not said
        for layer, place in slots:
            lora[layer] = _fitted(file.path, layer, _part(a, b, place), shapes[layer])
    notes = ("it states no alpha: taken as alpha = rank",) if silent == len(found) else ()
    if 0 < silent < len(found):
        notes = (f"{silent} of {len(found)} layers state no alpha: taken as alpha = rank",)
    return Matched(dict(sorted(lora.items())), dialect, notes)


def _groups(tensors: Mapping[str, Tensor]) -> tuple[dict[tuple[str, str], _Group], str, list[str]]:
    """Tensors by (component, flat name), the file's dialect, and keys of no LoRA."""
    groups: dict[tuple[str, str], _Group] = {}
    dialects: list[str] = []
    strange = []
    for text, tensor in tensors.items():
        key = keys.parse(text)
        if key is None:
            strange.append(text)
            continue
        group = groups.setdefault((key.component, key.layer), _Group())
        group.parts[key.part] = tensor
        group.keys.append(text)
        dialects += [key.dialect] if key.dialect else []
    usual = max(sorted(set(dialects)), key=dialects.count) if dialects else "unknown"
    return groups, usual, strange


def _index(
    modules: Mapping[str, nn.Module], shapes: Mapping[str, tuple[int, ...]]
) -> dict[tuple[str, str], list[Slot]]:
    """(component, flat name) -> the layers that the name stands for, in every spelling."""
    index: dict[tuple[str, str], list[Slot]] = {}
    for layer, place in names.places(modules, shapes).items():
        index.setdefault((layer.partition(".")[0], _flat(place.name)), []).append((layer, place))
    for layer in shapes:
        component, _, path = layer.partition(".")
        index[component, _flat(path)] = [(layer, None)]  # diffusers' own names come first
    return index


def _flat(path: str) -> str:
    return path.replace(".", "_")


def _slots(
    name: tuple[str, str], index: Mapping[tuple[str, str], list[Slot]], family: str | None
) -> list[Slot] | None:
    component, layer = name
    choices: Sequence[str] = (component,)
    if component == "denoiser":
        choices = names.DENOISERS
    elif component.startswith("text:"):
        texts = ("text_encoder", "text_encoder_2", "text_encoder_3")
        number = component.removeprefix("text:")
        prefixes = (f"lora_te{number}", *(("lora_te",) if number == "1" else ()))
        choices = [one for one in texts if names.text_prefix(one, family) in prefixes]
    spellings = (layer, layer.removeprefix("text_model_"), layer.removeprefix("unet_"))
    return next((index[one, way] for one in choices for way in spellings if (one, way) in index), None)


def _scaled(file: File, group: _Group, layer: str) -> tuple[Tensor, Tensor, bool]:
    """A, B times alpha / rank, and whether the file says its alpha."""
    if "A" not in group.parts or "B" not in group.parts:
        raise ModelError(f"{file.path}: {group.keys[0]!r} is alone: a LoRA layer is a pair of matrices")
    a, b = group.parts["A"].float(), group.parts["B"].float()
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ModelError(f"{file.path}: {group.keys[0]!r} holds values that are no numbers")
    if a.ndim < 2 or b.ndim < 2 or b.shape[1] != len(a):
        raise ModelError(f"{file.path}: {group.keys[0]!r}: {_shape(a)} and {_shape(b)} are no pair")
    alpha = group.parts.get("alpha")
    scale = file.alphas.scale(layer, len(a)) if alpha is None else float(alpha) / len(a)
    return a, b if scale is None else b * scale, scale is not None


def _part(a: Tensor, b: Tensor, place: names.Place | None) -> tuple[Tensor, Tensor]:
    """A layer's own share of a matrix: its rows of B, and of A what these rows use."""
    if place is None:
        return a, b
    if place.is_swapped:
        b = torch.cat(list(b.chunk(2))[::-1])
    if place.rows is None:
        return a, b
    own = b[slice(*place.rows)]
    used = own.flatten(2).abs().sum(dim=(0, 2)) > 0 if own.ndim > 2 else own.abs().sum(dim=0) > 0
    used[0] |= not used.any()
    return a[used], own[:, used]


def _fitted(
    path: Path, layer: str, pair: tuple[Tensor, Tensor], weight: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """The pair in the layer's own shape: some tools write 1x1 convolutions as matrices, or the other way."""
    wanted = layers.factor_shapes(weight, len(pair[0]))
    fits = all(_bare(tuple(t.shape)) == _bare(shape) for t, shape in zip(pair, wanted, strict=True))
    if not fits:
        a, b = pair
        made_for = f"{b.shape[0]}x{_shape(a[0])}"
        here = layers.shape_text(weight)
        raise ModelError(f"{path}: made for another model: {layer!r} is {made_for} there and {here} here")
    a, b = (tensor.reshape(shape).contiguous() for tensor, shape in zip(pair, wanted, strict=True))
    return a, b


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:2], *(size for size in shape[2:] if size != 1))


def _shape(tensor: Tensor) -> str:
    return layers.shape_text(tuple(tensor.shape))


def _lost_message(
    file: File,
    dialect: str,
    lost: Sequence[str],
    groups: Iterable[tuple[str, str]],
    modules: Mapping[str, Any],
) -> str:
    total = len(file.tensors)
    shown = ", ".join(repr(key) for key in lost[:_SHOWN]) or "it is empty"
    more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    family = names.family_of_names(layer for _, layer in groups)
    theirs = names.FAMILIES.get(family or "", "an unknown family")
    ours = names.FAMILIES.get(names.family_of(modules) or "", layers.model_name(modules))
    count = "none" if len(lost) >= total else f"only {total - len(lost)}"
    return (
        f"{file.path}: {count} of its {total} keys fit this model ({ours}): {shown}{more}; "
        f"it looks like {dialect} for {theirs}"
    )
