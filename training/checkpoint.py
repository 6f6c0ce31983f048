"""Checkpoints of a training run: complete, atomic, safetensors and JSON only.

    <run>/checkpoints/step-00000500/tensors.safetensors   weights, moving average, optimiser state
                                    state.json            step, recipe, data, everything that is no tensor

A folder under its final name is whole: it is written under a temporary name, flushed to the disk and renamed.
Knows files and tensors; knows no model and no loop.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from studio.errors import ModelError, StorageError
from studio.training_files import CHECKPOINT, step_name

FORMAT = 1
_TENSORS, _STATE = "tensors.safetensors", "state.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything a run goes on from. `tensors` by flat name; `values` is JSON; `recipe` the weight fields."""

    step: int
    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]
    recipe: Mapping[str, Any]
    data: str  # key of the prepared examples, base model included


def save(folder: Path, checkpoint: Checkpoint, keep_last: int) -> Path:
    """Write into `folder`, then drop all but the newest `keep_last`. StorageError keeps them all."""
    final = folder / step_name(checkpoint.step)
    if final.exists():  # a run is deterministic: that step of it is already there
        return final
    temporary = folder / f".{final.name}.tmp-{os.getpid()}"
    try:
        _clear_leftovers(folder)
        temporary.mkdir(parents=True)
        _write(temporary, checkpoint)
        os.replace(temporary, final)
        _flush(folder)
    except (OSError, safetensors.SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        newest = latest(folder)
        kept = f"{newest} is kept" if newest else "there is none yet"
        raise StorageError(f"checkpoint: cannot write {str(final)!r}: {error}; {kept}") from error
    for old in _folders(folder)[:-keep_last]:
        _drop(old)
    return final


def _drop(old: Path) -> None:
    """Remove a checkpoint; half of one never stands under its name. One that is in use stays for now."""
    going = old.with_name(f".{old.name}.tmp-{os.getpid()}")
    with contextlib.suppress(OSError):
        os.replace(old, going)
        shutil.rmtree(going, ignore_errors=True)


def latest(folder: Path) -> Path | None:
    """The folder of the newest checkpoint, or None."""
    found = _folders(folder)
    return found[-1] if found else None


def load(path: Path, recipe: Mapping[str, Any], data: str) -> Checkpoint:
    """The checkpoint in `path`. ModelError when another recipe or data made it, StorageError when damaged."""
    try:
        state = json.loads((path / _STATE).read_text("utf-8"))
        _same_run(path, state, recipe, data)
        tensors = load_file(path / _TENSORS)
        return Checkpoint(state["step"], tensors, state["values"], state["recipe"], state["data"])
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        why = f"checkpoint: {str(path)!r} is damaged ({error}); delete it to go on from the one before"
        raise StorageError(why) from error


def flatten_optimizer(state: Mapping[str, Any], names: list[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The `state_dict` of a torch optimiser as flat tensors `optimizer/<parameter>/<key>` and JSON values."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, values in state["state"].items():
        for key, value in values.items():
            place = tensors if isinstance(value, Tensor) else numbers
            place[f"optimizer/{names[index]}/{key}"] = value
    groups = [{key: group[key] for key in group if key != "params"} for group in state["param_groups"]]
    return tensors, {"numbers": numbers, "groups": groups}


def unflatten_optimizer(
    tensors: Mapping[str, Tensor], values: Mapping[str, Any], names: list[str]
) -> dict[str, Any]:
    """What `flatten_optimizer` took apart, for `load_state_dict`; one parameter group."""
    state: dict[int, dict[str, Any]] = {}
    flat = {name: value for name, value in tensors.items() if name.startswith("optimizer/")}
    index_of = {name: index for index, name in enumerate(names)}
    for path, value in {**flat, **values["numbers"]}.items():
        name, _, key = path.removeprefix("optimizer/").rpartition("/")
        state.setdefault(index_of[name], {})[key] = value
    (group,) = values["groups"]
    return {"state": state, "param_groups": [{**group, "params": list(range(len(names)))}]}


def _same_run(path: Path, state: Mapping[str, Any], recipe: Mapping[str, Any], data: str) -> None:
    there, run = state["recipe"], path.parent.parent
    way_out = f"choose another output folder, or delete {str(run)!r} to start again"
    different = sorted(name for name in {*there, *recipe} if there.get(name) != recipe.get(name))
    if different:
        pairs = ((name, there.get(name), recipe.get(name)) for name in different)
        said = ", ".join(f"{name} is {old!r} there and {new!r} here" for name, old, new in pairs)
        raise ModelError(f"checkpoint: {str(path)!r} was made by another recipe: {said}; {way_out}")
    if state["data"] != data:
        why = "was trained on other data or another base model"
        raise ModelError(f"checkpoint: {str(path)!r} {why}; {way_out}")


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    state = {
        "format": FORMAT,
        "step": checkpoint.step,
        "recipe": dict(checkpoint.recipe),
        "data": checkpoint.data,
        "values": dict(checkpoint.values),
    }
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    save_file(whole, folder / _TENSORS)
    (folder / _STATE).write_text(json.dumps(state, indent=1), "utf-8")
    for path in (folder / _TENSORS, folder / _STATE, folder):
        _flush(path)


def _flush(path: Path) -> None:
    """Through to the disk: a rename must not overtake the bytes it names. Windows opens no folders."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear_leftovers(folder: Path) -> None:
    for path in folder.glob(".step-*.tmp-*"):
        shutil.rmtree(path, ignore_errors=True)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if CHECKPOINT.fullmatch(path.name))
