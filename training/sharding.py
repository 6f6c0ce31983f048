"""The frozen base cut up among the processes of a run, so that together they hold it once.

What learns is a small adapter: it stays whole in every process, and its gradients are averaged as on several
plain processes. What fills the memory is the base, so that is what FSDP is applied to here, by PyTorch's
`fully_shard`: each block of the network is gathered when it runs and let go of afterwards. Every process must
then take part in every forward pass, those of validation included.

Knows Accelerate's config and networks; knows no adapter, no loss and no data.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import FullyShardedDataParallelPlugin
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, fully_shard
from torch.distributed.tensor import DTensor

from studio.errors import InputError, nearest

_FSDP, _DEEPSPEED = "ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"
_SAID_BY_RECIPE = "ACCELERATE_GRADIENT_ACCUMULATION_STEPS"  # DeepSpeed's launcher sets it
_REFUSED = {
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism_config",
}
_HIDDEN = (_FSDP, _DEEPSPEED, _SAID_BY_RECIPE)
_INSTEAD = "use FSDP with fsdp_version 2, or several plain processes"


@dataclass(frozen=True, slots=True)
class Plan:
    """What Accelerate's config says of the cutting. Without names and size blocks are the network's own."""

    reshard_after_forward: bool = True
    names: tuple[str, ...] = ()  # classes of blocks
    min_weights: int = 0  # of a block, where no class is named


@contextmanager
def asked() -> Iterator[bool]:
    """Whether Accelerate's config asks for FSDP; inside the block nobody else hears of it.

    Accelerate would shard the adapter and not the base, and transformers would load text encoders on the
    first process alone. Raises InputError for ways of sharding that are not done here.
    """
    for variable, name in _REFUSED.items():
        if _is_true(variable):
            raise InputError("distributed_type", name, f"{name} is not done here; {_INSTEAD}", "FSDP")
    if _is_true(_DEEPSPEED):
        _check_deepspeed()
    hidden = {name: os.environ.pop(name) for name in _HIDDEN if name in os.environ}
    try:
        yield hidden.get(_FSDP, "").lower() == "true"
    finally:
        os.environ.update(hidden)


def plan() -> Plan:
    """The plan of Accelerate's config, once the Accelerator is there. InputError for what it cannot be."""
    version = os.environ.get("FSDP_VERSION", "1")  # Accelerate's own default
    if version != "2":
        why = f"must be 2, got {version}: FSDP 1 cannot keep an adapter whole in what it cuts up"
        raise InputError("fsdp_version", version, why, "2")
    try:
        given = FullyShardedDataParallelPlugin()
    except ValueError as error:
        raise InputError("fsdp_config", None, str(error)) from error
    _refuse(isinstance(given.cpu_offload, CPUOffloadPolicy), "fsdp_offload_params", "use more processes")
    instead = "gradient_checkpointing = true in the recipe does it"
    _refuse(given.activation_checkpointing, "fsdp_activation_checkpointing", instead)
    _refuse(given.ignored_modules is not None, "fsdp_ignored_modules", "the whole base network is cut up")
    names = tuple(name.strip() for name in given.transformer_cls_names_to_wrap or ())
    return Plan(bool(given.reshard_after_forward), names, given.min_num_params or 0)


def shard(network: nn.Module, plan: Plan, accelerator: Accelerator) -> dict[str, int]:
    """Cut up a frozen network in place, block by block on its way to the device; all processes at once.

    Number types stay as they are loaded. Returns counts for the log: `weights` in all, `blocks` that are
    gathered one at a time, and the weights that each process holds. InputError for an unknown class of block.
    """
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    scalars = {weight for weight in network.parameters() if not weight.ndim}  # nothing to cut
    for weight in scalars:
        weight.data = weight.data.to(accelerator.device)
    whole, found = sum(weight.numel() for weight in network.parameters()), blocks(network, plan)
    for part in (*found, network):  # the last one takes what lies outside of blocks
        part.register_forward_hook(_without_views)
        keeps = None if part is network else plan.reshard_after_forward
        fully_shard(part, mesh=mesh, reshard_after_forward=keeps, ignored_params=scalars)
    held = torch.tensor([_held(network)], device=accelerator.device)
    shares = {f"process {rank}": count for rank, count in enumerate(accelerator.gather(held).tolist())}
    return {"weights": whole, "blocks": len(found), **shares}


def blocks(network: nn.Module, plan: Plan) -> list[nn.Module]:
    """The parts to gather one at a time, inner ones first.

    Those of the classes that the plan names; else those above its size; else of the classes that the model
    says are not to be split; else the members of its lists.
    """
    parts = [part for part in network.modules() if part is not network and _can_be_cut(part)][::-1]
    if plan.names:
        _check_names(plan.names, parts)
        return _of_classes(parts, plan.names)
    if plan.min_weights:
        return [part for part in parts if sum(w.numel() for w in part.parameters()) > plan.min_weights]
    own = _of_classes(parts, getattr(network, "_no_split_modules", None) or ())
    return own or [part for part in _listed(network) if _can_be_cut(part)]


def asked_of_all(accelerator: Accelerator, question: Callable[[], bool]) -> Callable[[], bool]:
    """A question that is answered yes as soon as one process says yes; all must put it together."""

    def any_says_yes() -> bool:
        says = torch.tensor(float(question()), device=accelerator.device)
        return float(accelerator.reduce(says, "sum")) > 0

    return any_says_yes


def _without_views(_part: nn.Module, _inputs: object, output: Any) -> Any:
    """Copies of views: changing one in place would take off it what FSDP has hooked there, unseen."""
    if isinstance(output, tuple):
        return tuple(_without_views(_part, _inputs, one) for one in output)
    return output.clone() if isinstance(output, Tensor) and output._is_view() else output


def _check_deepspeed() -> None:
    """Says that ZeRO below stage 3 is left out; InputError for stage 3, and where no stage is named."""
    if os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") not in ("0", "1", "2"):
        why = "DeepSpeed's ZeRO stage 3, or a file of its own that may ask for it, is not done here"
        raise InputError("distributed_type", "DEEPSPEED", f"{why}; {_INSTEAD}", "FSDP")
    if os.environ.get("RANK", "0") == "0":
        why = "what it shards is the optimizer's state of a small adapter"
        print(f"DeepSpeed is left out: {why}; these are several plain processes", file=sys.stderr)


def _is_true(variable: str) -> bool:
    return os.environ.get(variable, "").lower() == "true"


def _refuse(wrong: bool, field: str, instead: str) -> None:
    if wrong:
        raise InputError(field, True, f"is not done here; {instead}")


def _can_be_cut(part: nn.Module) -> bool:
    """It has weights, and is called as a whole, which a list is not."""
    return not isinstance(part, nn.ModuleList | nn.ModuleDict) and any(True for _ in part.parameters())


def _of_classes(parts: Sequence[nn.Module], names: Sequence[str]) -> list[nn.Module]:
    return [part for part in parts if type(part).__name__ in names]


def _check_names(names: Sequence[str], parts: Sequence[nn.Module]) -> None:
    known = {type(part).__name__ for part in parts}
    for name in names:
        if name not in known:
            why = f"the network has no {name!r}"
            field = "fsdp_transformer_layer_cls_to_wrap"
            raise InputError(field, name, why, nearest(name, known))


def _listed(module: nn.Module) -> Iterator[nn.Module]:
    """Members of the outermost lists."""
    for part in module.children():
        yield from part if isinstance(part, nn.ModuleList) else _listed(part)


def _held(network: nn.Module) -> int:
    parts = (weight.to_local() if isinstance(weight, DTensor) else weight for weight in network.parameters())
    return sum(part.numel() for part in parts)
