"""Where the parts of a diffusers pipeline lie: all on the device, or on the CPU until they are needed.

Asks the device for its free memory and compares it with studio.preflight; the moving itself is diffusers' and
accelerate's. On a CPU there is nothing to place. Knows no family; of media it knows that a clip is decoded
when all of it is denoised.

"fast": everything on the device. "offload": one part at a time. "sequential": one layer at a time, slowest;
where clips are made, the next one is fetched meanwhile.
"fp8": like fast, the backbone's weights stored in 8 bits and computed with in the pipeline's number type; the
only one that changes pictures, so "auto" never takes it. "fits" is "auto" without offloading.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from studio import preflight
from studio.errors import InputError, ModelError, nearest
from studio.lazy import lazy
from studio.settings import MEMORY

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

log = logging.getLogger("studio")
UNDECIDED = ("auto", "fits")


def free_bytes(device: str) -> int | None:
    """Free memory of an accelerator; None where there is none or it cannot be asked."""
    if not device.startswith("cuda"):
        return None
    torch.cuda.empty_cache()  # what torch holds on to without using it is free for us
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    return max(0, int(free) - preflight.RESERVE_BYTES)


def decide(
    model: str, device: str, dtype: torch.dtype, memory: str, free: int | None = None, rows: int = 1
) -> str:
    """The way to place `model` that `memory` asks for; "auto" and "fits" become one where that is known.

    `free`: bytes, asked of the device when None. `rows`: pictures that are made at once. Weights are known to
    the byte, what a step holds besides is estimated: a way that a person named is refused only when its
    weights alone do not fit. Raises MemoryShortage, and InputError for an unknown word.
    """
    if memory not in (*MEMORY, *UNDECIDED):
        raise InputError(
            "memory", memory, f"{memory!r} is not one of {', '.join(MEMORY)}", nearest(memory, MEMORY)
        )
    free = free_bytes(device) if free is None else free
    if device == "cpu" or free is None:
        return "fast" if memory in UNDECIDED else memory
    found = preflight.read(model)
    if found is None:  # a hub id that loading will download
        return memory
    work = preflight.Work(rows=rows, dtype=str(dtype).removeprefix("torch."))
    if memory in UNDECIDED:
        return _chosen(found, work, free, fits=memory == "fits")
    preflight.check_weights(found, work, memory, free)
    return memory


def _chosen(found: preflight.Model, work: preflight.Work, free: int, fits: bool) -> str:
    place = preflight.choose(found, work, free)
    if place == "fast":
        return place
    needs = preflight.estimate(found, work).needs
    sizes = f"{preflight.in_gb(needs['fast'])} do not fit into {preflight.in_gb(free)}"
    if fits:
        raise preflight.MemoryShortage(f"model: {found.name!r}: {sizes} of free memory")
    log.info("memory: about %s; using %r, which needs %s", sizes, place, preflight.in_gb(needs[place]))
    return place


def place(pipe: Any, device: str, memory: str) -> None:
    """Put a pipeline that lies on the CPU where it will run. `memory`: what `decide` said."""
    if device == "cpu" or memory in ("fast", *UNDECIDED):
        pipe.to(device)
    elif memory == "offload":
        pipe.enable_model_cpu_offload(device=device)
        _keep_beside_decoder(pipe)
    elif memory == "sequential":
        layer_by_layer(pipe, device)
    else:
        store_in_fp8(pipe)
        pipe.to(device)


def rest(pipe: Any) -> None:
    """Send the parts of an offloaded pipeline back to the CPU; any other stays as it is."""
    pipe.maybe_free_model_hooks()
    _keep_beside_decoder(pipe)


def layer_by_layer(pipe: Any, device: str) -> None:
    """Layers come to the device when they are needed; for clips by diffusers' group offloading, which fetches

    the next one while one computes (on CUDA), with the small parts on the device throughout."""
    if not makes_clips(pipe):
        pipe.enable_sequential_cpu_offload(device=device)
        return
    stay = [name for name in preflight.STAYING if name in pipe.components]
    on_cuda = device.startswith("cuda")
    pipe.enable_group_offload(
        torch.device(device), offload_type="leaf_level", use_stream=on_cuda, exclude_modules=stay
    )


def makes_clips(pipe: Any) -> bool:
    """Whether what is decoded moves."""
    return preflight.decodes_clips(pipe.vae.config)


def _keep_beside_decoder(pipe: Any) -> None:
    """A preview decodes between two steps: diffusers would send the network away for it, and back again.

    A clip is decoded when its network has done its work; then it needs the room.
    """
    hook = getattr(pipe.vae, "_hf_hook", None)
    if not makes_clips(pipe) and hasattr(hook, "prev_module_hook"):
        hook.prev_module_hook = None


def store_in_fp8(pipe: Any) -> None:
    """Keep the networks' weights in float8_e4m3fn between uses, norms and embeddings as they are."""
    named = (pipe.components.get(name) for name in ("transformer", "transformer_2", "unet"))
    for network in (one for one in named if one is not None):
        if not hasattr(network, "enable_layerwise_casting"):
            raise ModelError(f"memory: 'fp8' does nothing for a {type(network).__name__}; use 'offload'")
        network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=network.dtype)
