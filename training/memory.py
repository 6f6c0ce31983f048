"""Whether a run will fit into the memory of its device, asked before the model is loaded.

Knows the recipe's settings that change memory; what a model needs is studio.preflight's to say. A device that
cannot be asked for its free memory, a model whose files are not here yet, and one that makes no pictures, of
which preflight knows nothing, are not checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from adapters import gates
from studio import catalog, preflight
from studio.preflight import Estimate, MemoryShortage, Training, Work, in_gb
from training import buckets
from training.config import Recipe


def check(recipe: Recipe, device: torch.device, processes: int = 1, free: int | None = None) -> None:
    """Raise MemoryShortage when the run needs more than `free` bytes (asked of a CUDA device when None).

    Its message names the smallest change of the recipe that fits; the first ones leave the result as it is.
    """
    if free is None and device.type == "cuda":
        free = int(torch.cuda.mem_get_info(device)[0]) - preflight.RESERVE_BYTES
    model = preflight.read(catalog.find_model(recipe.model)) if free is not None else None
    if model is None or free is None or model.decoder is None:
        return
    found = estimate(model, recipe, processes)
    if found.needs["fast"] <= free:
        return
    sizes = f"weights {in_gb(sum(found.weights.values()))}, activations {in_gb(found.activations)}"
    need = f"{in_gb(found.needs['fast'])} ({sizes}, adapter {in_gb(found.adapter)}) for {found.assumed}"
    why = f"needs about {need} at a time, but {in_gb(free)} are free on {device}"
    raise MemoryShortage(f"training: {recipe.model!r} {why}; {_remedy(model, recipe, processes, free)}")


def estimate(model: preflight.Model, recipe: Recipe, processes: int = 1) -> Estimate:
    """Memory of one process of a run."""
    config = recipe.adapter.config
    basis = gates.basis(config.basis, config.labels)
    learns = preflight.adapter_parameters(model, config.targets, basis.ranks(config.rank), len(basis.terms))
    rows = max(1, recipe.batch_size // (recipe.gradient_accumulation * processes)) * _passes(recipe)
    size = max(buckets.sizes(recipe, model.native_px), key=lambda one: one[0] * one[1])
    work = Work(rows, size, recipe.dtype)
    return preflight.estimate(
        model, work, Training(learns, recipe.gradient_checkpointing, bool(recipe.ema_decay))
    )


def _passes(recipe: Recipe) -> int:
    """How often a row is in a step's graph: a slider has it at both ends, and there again with its anchor."""
    if not recipe.slider:
        return 1
    return 4 if recipe.slider.has_anchor else 2


def _remedy(model: preflight.Model, recipe: Recipe, processes: int, free: int) -> str:
    least = 0
    for changed in _leaner(recipe, processes):
        least = estimate(model, changed, processes).needs["fast"]
        if least <= free:
            return f"{_named(recipe, changed)} needs about {in_gb(least)}"
    lean = f"with {_named(recipe, changed)} it still needs {in_gb(least)}"
    return f"{lean}: take a smaller resolution_px, a smaller adapter.rank or a device with more memory"


def _leaner(recipe: Recipe, processes: int) -> Iterator[Recipe]:
    """Recipes of falling need: recomputing and smaller micro-batches first, half precision last."""
    largest = recipe.batch_size // processes
    counts = range(recipe.gradient_accumulation, largest + 1)
    parts = [count for count in counts if recipe.batch_size % (count * processes) == 0]
    half = "bf16" if recipe.mixed_precision == "no" else recipe.mixed_precision
    for precision in dict.fromkeys((recipe.mixed_precision, half)):
        for checkpointing in dict.fromkeys((recipe.gradient_checkpointing, True)):
            for count in parts if checkpointing else parts[:1]:
                changes = {"gradient_checkpointing": checkpointing, "gradient_accumulation": count}
                yield replace(recipe, mixed_precision=precision, **changes)


def _named(recipe: Recipe, changed: Recipe) -> str:
    """`gradient_checkpointing=true gradient_accumulation=4`, as the command line takes it."""
    fields = ("gradient_checkpointing", "gradient_accumulation", "mixed_precision")
    words = {name: str(getattr(changed, name)) for name in fields}
    words["gradient_checkpointing"] = words["gradient_checkpointing"].lower()
    return " ".join(
        f"{name}={words[name]}" for name in fields if getattr(changed, name) != getattr(recipe, name)
    )
