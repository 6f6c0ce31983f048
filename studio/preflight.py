"""How much memory a model needs, before a byte of its weights is loaded.

Weights come from the headers of the files (studio._model_files) and are exact; what a step holds beside them
is estimated from the configs (studio._activations). On the embedded model, measured on a CPU with torch's
profiler, the estimate was 0.79 to 0.90 of the peak for one to eight rows of 128 px and for one of 256 px,
1.14 of it for training steps of four rows, 1.25 with gradient checkpointing. Knows no torch, no device and no
family; the number of free bytes is the caller's to ask for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from studio import _activations
from studio._activations import decodes_clips as decodes_clips
from studio._model_files import Model as Model
from studio._model_files import read as read
from studio.errors import ModelError

GB = 1e9
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
RESERVE_BYTES = 400_000_000  # of free memory: convolution workspaces and what an allocator rounds up
PLACES = ("fast", "offload", "sequential")  # what "auto" chooses from: the quickest first, none alters a bit
STAYING = ("vae", "image_encoder")  # small parts that "sequential" keeps on the device where clips are made
_ADAMW = 4 * 4  # weight, gradient and two moments in float32


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done. `rows`: pictures at once, in training those of one micro-batch on one device."""

    rows: int = 1
    size_px: tuple[int, int] | None = None  # (width, height); None is the model's own
    dtype: str = "float16"
    guided: bool = True  # two rows each, where the model does not take guidance as an input or makes clips
    frames: int | None = None  # of a clip, those that are made at once; None is the model's own


@dataclass(frozen=True, slots=True)
class Training:
    """What a training step needs besides. `adapter_parameters`: numbers that learn."""

    adapter_parameters: int
    checkpointing: bool = False
    averaged: bool = False  # a moving average of the weights is kept


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes: `weights` of each part, `activations` at the widest moment, `adapter` with its optimizer state,

    and `needs`, the whole for each way of placing the parts ("fast" alone in training)."""

    weights: Mapping[str, int]
    activations: int
    adapter: int
    needs: Mapping[str, int]
    assumed: str  # "1 picture of 512x512 px in float16"


def estimate(model: Model, work: Work, training: Training | None = None) -> Estimate:
    """What `work` needs, in rendering or in `training`. See the module for what it rests on."""
    size, frames = work.size_px or model.native_px, work.frames or model.native_frames
    bytes_each = BYTES[work.dtype]
    weights = {name: part.parameters * bytes_each for name, part in model.components.items()}
    decoding = _decoding(model, size, frames, work.dtype)
    width, height = (max(1, side // model.scale) for side in size)
    autocast = training is not None and bytes_each < 4
    config, through = _backbone_config(model), model.latent_frames(frames)
    held = _activations.backbone(config, (width, height), model.channels, autocast, through)
    if held is None:  # a backbone of an unknown kind: its weights, at least, are certain
        held = _activations.Elements(0, 0, 0)
    one_pass = config.get("guidance_embeds") or model.guides_in_turn
    passes = 2 if work.guided and not one_pass else 1
    denoising = round(held.render * work.rows * passes * bytes_each)
    if training is not None:
        return _trained(model, work, training, weights, held, max(denoising, decoding))
    needs = _needs(model, weights, bytes_each, denoising, decoding)
    return Estimate(weights, max(denoising, decoding), 0, needs, _assumed(work, size, frames))


def adapter_parameters(model: Model, targets: Mapping[str, str], ranks: int, terms: int) -> int:
    """Numbers of a gated LoRA on the layers that `targets` name; `ranks` in all, `terms` of the basis."""
    count = 0
    for component, pattern in targets.items():
        part = model.components.get(component)
        for name, shape in part.shapes.items() if part else ():
            if len(shape) > 1 and name.endswith(".weight") and re.fullmatch(pattern, name[: -len(".weight")]):
                count += ranks * (math.prod(shape[1:]) + shape[0] + terms)
    return count


def in_gb(count: float) -> str:
    """`11.9 GB`; `38 MB` below a tenth of one."""
    return f"{count / GB:.1f} GB" if count >= GB / 10 else f"{max(1, round(count / 1e6))} MB"


def choose(model: Model, work: Work, free: int) -> str:
    """The quickest of PLACES that fits into `free` bytes. Raises MemoryShortage with what would fit."""
    found = estimate(model, work)
    for place in PLACES:
        if found.needs[place] <= free:
            return place
    others = ", ".join(f"{place} {in_gb(found.needs[place])}" for place in PLACES[1:])
    why = (
        f"needs about {in_gb(found.needs['fast'])} for {found.assumed} ({others}), "
        f"but {in_gb(free)} are free on the device; {_remedy(model, work, free)}"
    )
    raise MemoryShortage(f"model: {model.name!r} {why}")


def check_weights(model: Model, work: Work, place: str, free: int) -> None:
    """Raise MemoryShortage when already the weights that `place` has on the device are too many for it."""
    found = estimate(model, work)
    needed = found.needs[place] - found.activations
    if needed > free:
        why = (
            f"its weights alone need {in_gb(needed)} with {place!r}, but {in_gb(free)} are free on the device"
        )
        raise MemoryShortage(f"model: {model.name!r}: {why}; {_remedy(model, work, free)}")


class MemoryShortage(ModelError):
    """A model that the device has no memory for; found before loading."""


def _remedy(model: Model, work: Work, free: int) -> str:
    """The setting nearest to what was asked that fits."""
    dtypes = (work.dtype, "bfloat16") if work.dtype == "float32" else (work.dtype,)
    for dtype in dtypes:
        for side in range(max(work.size_px or model.native_px), 0, -64):
            smaller = replace(work, size_px=(side, side), dtype=dtype)
            needs = estimate(model, smaller).needs
            place = next((one for one in PLACES if needs[one] <= free), None)
            if place and side >= 64:
                return _settings(work, smaller, place, needs[place], model)
    return "use a device with more memory, or EMOTION_STUDIO_DEVICE=cpu"


def _settings(work: Work, fits: Work, place: str, needed: int, model: Model) -> str:
    named = [f"EMOTION_STUDIO_MEMORY={place}"]
    if fits.dtype != work.dtype:
        named.append(f"EMOTION_STUDIO_DTYPE={fits.dtype}")
    if fits.size_px is not None and fits.size_px[0] < max(work.size_px or model.native_px):
        size = "a size of {}x{} px" if model.makes_clips else "width={} and height={}"
        named.append(size.format(*fits.size_px))
    return f"{', '.join(named)} needs about {in_gb(needed)}"


def _needs(
    model: Model, weights: Mapping[str, int], bytes_each: int, denoising: int, decoding: int
) -> dict[str, int]:
    networks, decoder = model.networks, model.decoder
    own = max((weights[part.name] for part in networks), default=0)  # of two, one is there at a time
    decoder_weights = weights[decoder.name] if decoder else 0
    others = [count for name, count in weights.items() if name not in {part.name for part in networks}]
    held = max(denoising, decoding)
    whole = sum(weights.values())
    saved = sum(part.in_matrices for part in networks) * (bytes_each - 1)
    # previews of pictures decode between steps, so the decoder stays beside the backbone
    offload = max([*others, own + decoder_weights + denoising, decoder_weights + decoding])
    largest = max((part.largest for part in model.components.values()), default=0) * bytes_each
    if model.makes_clips:
        largest += sum(weights.get(name, 0) for name in STAYING)
    return {
        "fast": whole + held,
        "fp8": whole - saved + held,
        "offload": min(offload, whole + held),
        "sequential": min(largest + held, whole + held),
    }


def _trained(
    model: Model,
    work: Work,
    training: Training,
    weights: Mapping[str, int],
    held: _activations.Elements,
    drawing: int,
) -> Estimate:
    """All parts prepare the data; then the backbone learns alone, and its validation pictures need all."""
    elements = held.checkpointed if training.checkpointing else held.train
    activations = round(elements * work.rows * BYTES[work.dtype])
    adapter = training.adapter_parameters * (_ADAMW + (4 if training.averaged else 0))
    own = sum(weights[part.name] for part in model.networks)
    whole = max(sum(weights.values()) + adapter + drawing, own + adapter + activations)
    how = " with gradient checkpointing" if training.checkpointing else ""
    assumed = _assumed(work, work.size_px or model.native_px, work.frames or model.native_frames) + how
    return Estimate(weights, max(activations, drawing), adapter, {"fast": whole}, assumed)


def _decoding(model: Model, size: tuple[int, int], frames: int, dtype: str) -> int:
    """Bytes for decoding, which goes row by row.

    Of the models with several text encoders some run their decoder in float32 where float16 overflows; those
    that make clips frame by frame do.
    """
    if model.decoder is None:
        return 0
    upcast = model.decoder.config.get("force_upcast") and "text_encoder_2" in model.components
    elements = _activations.decoder(model.decoder.config, size[0] * size[1], frames)
    exact = model.guides_in_turn or (upcast and dtype == "float16")
    return round(elements * (4 if exact else BYTES[dtype]))


def _backbone_config(model: Model) -> Mapping[str, Any]:
    return model.backbone.config if model.backbone else {}


def _assumed(work: Work, size: tuple[int, int], frames: int) -> str:
    rows = f"{work.rows} {'picture' if frames == 1 else 'clip'}{'s' if work.rows != 1 else ''}"
    length = "" if frames == 1 else f"{frames} frames of "
    return f"{rows} of {length}{size[0]}x{size[1]} px in {work.dtype}"
