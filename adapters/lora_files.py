"""Ordinary LoRA files that travel between tools: written and read in the dialects of diffusers, PEFT, kohya.

A LoRA here is layer name `<component>.<layer>` -> (A, B): A (r, in, ...), B (out, r, ...), scaled so that the
layer gains B A and nothing else; files written here say alpha = rank, so that a reader that drops alpha is
right too. Only safetensors. This file knows LoRAs; it knows no emotion and no adapter kind.

Where a path has no ending, the dialect `peft` writes a folder as PEFT itself does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from adapters import _lora_keys as keys
from adapters import _lora_metadata as meta
from adapters import _lora_names as names
from adapters import _model_layers as layers
from adapters._lora_match import File, matched
from studio.errors import InputError, ModelError, StorageError, nearest
from studio.lazy import lazy
from studio.storage import NameTakenError, write_atomically

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
else:
    torch = lazy("torch")

safetensors = lazy("safetensors")
safetensors_torch = lazy("safetensors.torch")

DIALECTS = ("diffusers", "kohya", "peft")
SUFFIX = ".safetensors"
PEFT_WEIGHTS, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
_COMPONENTS = ("unet.", "transformer.", "text_encoder.", "text_encoder_2.", "text_encoder_3.")
Lora = dict[str, "tuple[Tensor, Tensor]"]


@dataclass(frozen=True, slots=True)
class LoraFile:
    """What a file holds. `dialect` as in `_lora_keys`; `notes`: what a person should know about it."""

    lora: Lora
    dialect: str
    metadata: Mapping[str, str]
    notes: tuple[str, ...]


def check_target(path: Path, dialect: str, replace: bool = False) -> None:
    """Raise InputError or StorageError for what `write` would refuse, before any work."""
    if dialect not in DIALECTS:
        why = f"{dialect!r} is not one of {', '.join(DIALECTS)}"
        raise InputError("format", dialect, why, nearest(dialect, DIALECTS))
    if path.suffix != SUFFIX and not _is_folder(path, dialect):
        raise InputError("output", path, f"{str(path)!r} must end in {SUFFIX}", str(path.with_suffix(SUFFIX)))
    taken = path / PEFT_CONFIG if path.is_dir() and _is_folder(path, dialect) else path
    if taken.exists() and not replace:
        raise NameTakenError(f"{taken}: is there already; --force writes over it")


def _is_folder(path: Path, dialect: str) -> bool:
    return dialect == "peft" and not path.suffix


def write(
    path: Path,
    lora: Lora,
    dialect: str,
    about: Mapping[str, Any],
    modules: Mapping[str, nn.Module] | None = None,
    replace: bool = False,
) -> tuple[str, ...]:
    """Write a LoRA atomically; returns notes. `modules`: the model it is for, which kohya's names need.

    `about`: plain values for the metadata (adapter, revision, base_model, emotion, vad, strength).
    Raises InputError, StorageError, ModelError for layers that the dialect has no name for.
    """
    check_target(path, dialect, replace)
    if strange := [layer for layer in lora if not layer.startswith(_COMPONENTS)]:
        raise ModelError(f"format: no tool loads LoRA into {strange[0]!r}")
    family = names.family_of(modules) if modules else None
    tensors, notes = _kohya(lora, modules, family) if dialect == "kohya" else (_dotted(lora, dialect), ())
    metadata = _metadata(path.stem, lora, dialect, about, modules)
    if _is_folder(path, dialect):
        _write_peft_folder(path, lora, metadata, str(about.get("base_model", "")), replace)
    else:
        _put(path, _bytes(tensors, metadata), replace)
    zero = all(not b.any() for _, b in lora.values())
    return (*notes, *(("all weights are zero: the file has no effect",) if zero else ()))


def _write_peft_folder(
    path: Path, lora: Lora, metadata: Mapping[str, str], base_model: str, replace: bool
) -> None:
    """What `PeftModel.from_pretrained` reads; the configuration last, so a folder with one is whole."""
    configs = meta.lora_configs({name: len(a) for name, (a, _) in lora.items()})
    if len(configs) > 1:
        raise ModelError(f"format: a PEFT folder is of one network, not {' and '.join(configs)}; name a file")
    ((component, config),) = configs.items()
    tensors = {
        f"base_model.model.{key.removeprefix(f'{component}.')}": tensor
        for key, tensor in _dotted(lora, "peft").items()
    }
    _put(path / PEFT_WEIGHTS, _bytes(tensors, metadata), True)
    _put(path / PEFT_CONFIG, meta.for_peft(config, base_model).encode(), replace)


def _put(path: Path, data: bytes, replace: bool) -> None:
    def put(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, put, replace)


def _bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file whose metadata are sorted: safetensors' own writer shuffles them with every call."""
    plain = safetensors_torch.save(dict(tensors))
    end = 8 + int.from_bytes(plain[:8], "little")
    digest = hashlib.sha256(plain[end:]).hexdigest()  # equal weights, whatever is said about them
    said = {**metadata, "modelspec.hash_sha256": f"0x{digest}", "sshs_model_hash": digest}
    entries = {"__metadata__": dict(sorted(said.items())), **json.loads(plain[8:end])}
    header = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # so that the tensors behind it are aligned
    return len(header).to_bytes(8, "little") + header + plain[end:]


def _dotted(lora: Lora, dialect: str) -> dict[str, Tensor]:
    """diffusers' own names: UNets still use the old `lora.down`; transformers, PEFT's."""
    found = {}
    for layer, (a, b) in lora.items():
        down, up = "lora_A", "lora_B"
        if dialect == "diffusers" and layer.startswith("unet."):
            down, up = "lora.down", "lora.up"
        elif dialect == "diffusers" and layer.startswith("text_encoder"):
            down, up = "lora_linear_layer.down", "lora_linear_layer.up"
        found[f"{layer}.{down}.weight"], found[f"{layer}.{up}.weight"] = a.contiguous(), b.contiguous()
    return found


def _kohya(
    lora: Lora, modules: Mapping[str, nn.Module] | None, family: str | None
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    if modules is None or family is None:
        known = ", ".join(names.FAMILIES.values())
        why = f"kohya's names are known for {known}, and need the base model"
        raise ModelError(f"format: {why}; name it with --model, or use --format diffusers")
    shapes = layers.shapes(modules)
    places = names.places(modules, shapes)
    if unnamed := [layer for layer in lora if layer not in places]:
        more = f" and {len(unnamed) - 1} more" if len(unnamed) > 1 else ""
        raise ModelError(f"format: kohya has no name for {unnamed[0]!r}{more}; use --format diffusers")
    groups: dict[str, list[str]] = {}
    for layer in sorted(lora, key=lambda one: places[one].rows or (0, 0)):
        groups.setdefault(_kohya_key(layer, places[layer], family), []).append(layer)
    tensors: dict[str, Tensor] = {}
    for key in sorted(groups):
        a, b = _joined(groups[key], lora, places, shapes)
        tensors[f"{key}.lora_down.weight"], tensors[f"{key}.lora_up.weight"] = a, b
        tensors[f"{key}.alpha"] = torch.tensor(float(len(a)))
    return tensors, _unread_note(lora, modules, family)


def _kohya_key(layer: str, place: names.Place, family: str) -> str:
    component = layer.partition(".")[0]
    prefix = "lora_unet" if component in names.DENOISERS else names.text_prefix(component, family)
    return f"{prefix}_{place.name.replace('.', '_')}"


def _joined(
    group: Sequence[str],
    lora: Lora,
    places: Mapping[str, names.Place],
    shapes: Mapping[str, tuple[int, ...]],
) -> tuple[Tensor, Tensor]:
    """One pair for all layers of a matrix: their A under each other, their B as blocks on a diagonal."""
    pairs = [lora[layer] for layer in group]
    if places[group[0]].rows is None:
        a, b = pairs[0]
        return a.contiguous(), (_swapped(b) if places[group[0]].is_swapped else b).contiguous()
    name, component = places[group[0]].name, group[0].partition(".")[0]
    of_matrix = [
        one for one, place in places.items() if place.name == name and one.startswith(f"{component}.")
    ]
    b = torch.zeros(sum(shapes[one][0] for one in of_matrix), sum(len(a) for a, _ in pairs))
    column = 0
    for layer, (a, own) in zip(group, pairs, strict=True):
        first, last = places[layer].rows or (0, 0)
        b[first:last, column : column + len(a)] = own
        column += len(a)
    return torch.cat([a for a, _ in pairs]), b


def _swapped(b: Tensor) -> Tensor:
    return torch.cat(list(b.chunk(2))[::-1])


def _unread_note(lora: Lora, modules: Mapping[str, nn.Module], family: str) -> tuple[str, ...]:
    unread = [layer for layer in lora if names.diffusers_ignores(family, layer, modules)]
    if not unread:
        return ()
    count = (
        "none" if len(unread) == len(lora) else f"not all ({len(unread)} of {len(lora)}, first {unread[0]!r})"
    )
    return (f"kohya: diffusers reads {count} of these layers; for diffusers use --format diffusers",)


def _metadata(
    title: str,
    lora: Lora,
    dialect: str,
    about: Mapping[str, Any],
    modules: Mapping[str, nn.Module] | None,
) -> dict[str, str]:
    family = names.family_of(modules) if modules else None
    if family == "sd" and modules and modules["unet"].config.cross_attention_dim == 1024:
        family = "sd2"
    is_kohya = dialect == "kohya"
    found = meta.described(about, family, is_kohya, title)
    if is_kohya and family:
        ranks = max(len(a) for a, _ in lora.values())
        return found | meta.kohya(about, family, ranks, any(a.ndim > 2 for a, _ in lora.values()), title)
    # diffusers takes alpha either from here or from tensors, and stops when a file has both
    configs = meta.lora_configs({name: len(a) for name, (a, _) in lora.items()})
    return found | {meta.DIFFUSERS: meta.for_diffusers(configs)}


def read(path: Path, modules: Mapping[str, nn.Module]) -> LoraFile:
    """The LoRA in a file, by the layer names of `modules`. Every key must find its layer.

    Raises ModelError for pickles, DoRA, LoHa and LoKr, damaged files, keys without a layer in this model
    (naming the dialect and the family they are of) and weights of other shapes.
    """
    tensors, metadata = _tensors(path)
    keys.refuse_other_kinds(list(tensors), str(path))
    found = matched(File(path, tensors, meta.Alphas(path, metadata)), modules)
    return LoraFile(found.lora, found.dialect, metadata, found.notes)


def denoising(file: LoraFile) -> LoraFile:
    """The file without the layers of text encoders, with a note on them. ModelError when nothing is left."""
    kept = {name: pair for name, pair in file.lora.items() if name.partition(".")[0] in names.DENOISERS}
    left_out = len(file.lora) - len(kept)
    if not kept:
        raise ModelError("adapter: the file only changes text encoders, where no feeling is set")
    note = (f"{left_out} text encoder layers left out: feelings act where the model denoises",)
    return LoraFile(kept, file.dialect, file.metadata, file.notes + (note if left_out else ()))


def _tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if path.suffix.lower() in (".pt", ".pth", ".bin", ".ckpt", ".pkl"):
        why = "is a pickle, which can run code when it is opened"
        raise ModelError(f"{path}: {why}; ask its maker for, or convert it to, a {SUFFIX} file")
    if path.suffix != SUFFIX:
        raise ModelError(f"{path}: only {SUFFIX} files are read")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            names_inside = list(file.keys())
            return {key: file.get_tensor(key) for key in names_inside}, dict(file.metadata() or {})
    except FileNotFoundError:
        raise StorageError(f"{path}: there is no such file") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except safetensors.SafetensorError as error:
        raise ModelError(f"{path}: is damaged: {error}") from None
