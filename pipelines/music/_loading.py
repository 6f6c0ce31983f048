"""Where a composer comes from: a folder in diffusers' layout, or the hub. Safetensors only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from safetensors.numpy import load_file

from pipelines._loading import foreign_errors, quiet, torch_device, torch_dtype
from pipelines.music._form import Library
from pipelines.music._network import MusicTransformer
from pipelines.music._sampling import AbsorbingScheduler, MusicDiffusionPipeline
from studio.errors import ModelError

FORMS = "forms.safetensors"  # of the model's folder: bars -> (forms, 2, bars) uint8


def load(model: str, device: str, dtype: str) -> tuple[MusicDiffusionPipeline, Library]:
    """The pipeline on its device, frozen, and its library of forms (empty where the folder has none).

    Raises ModelError and InputError.
    """
    device = torch_device(device)
    quiet()
    with foreign_errors(model):
        index = DiffusionPipeline.load_config(model)
        if index["_class_name"] != "MusicDiffusionPipeline":
            why = f"is a {index['_class_name']}; music/score takes a MusicDiffusionPipeline"
            raise ModelError(f"model: {model!r} {why}")
        parts: dict[str, Any] = {
            "transformer": MusicTransformer.from_pretrained(
                model, subfolder="transformer", use_safetensors=True, torch_dtype=torch_dtype(dtype, device)
            ),
            "scheduler": AbsorbingScheduler.from_pretrained(model, subfolder="scheduler"),
        }
    pipe = ready(MusicDiffusionPipeline(**parts), device)
    pipe.halves = dtype == "auto" and device == "cpu" and _is_faster_in_bfloat16()
    return pipe, _library(Path(model) / FORMS)


def toy(seed: int) -> MusicDiffusionPipeline:
    """Two narrow layers of random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ready(MusicDiffusionPipeline(MusicTransformer(32, 2, 2), AbsorbingScheduler()), "cpu")


def ready(pipe: MusicDiffusionPipeline, device: str) -> MusicDiffusionPipeline:
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    pipe.transformer.eval().requires_grad_(False)
    return pipe


def _is_faster_in_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 by itself; others emulate it, slowly."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _library(path: Path) -> Library:
    if not path.is_file():
        return {}
    return {int(name): np.asarray(forms) for name, forms in load_file(path).items()}
