"""Where the composer of music/score comes from: a diffusers folder or the hub. Safetensors only."""

from __future__ import annotations

import torch

from pipelines._loading import foreign_errors, quiet, torch_device, torch_dtype
from pipelines.music._form import Library
from pipelines.music._loading import check_class, library, ready
from pipelines.music._network import MusicTransformer
from pipelines.music._sampling import AbsorbingScheduler, MusicDiffusionPipeline


def load(model: str, device: str, dtype: str) -> tuple[MusicDiffusionPipeline, Library]:
    """The pipeline on its device, frozen, and its library of forms. Raises ModelError and InputError."""
    device = torch_device(device)
    quiet()
    with foreign_errors(model):
        check_class(model, MusicDiffusionPipeline, "music/score")
        transformer = MusicTransformer.from_pretrained(
            model, subfolder="transformer", use_safetensors=True, torch_dtype=torch_dtype(dtype, device)
        )
        scheduler = AbsorbingScheduler.from_pretrained(model, subfolder="scheduler")
    pipe = ready(MusicDiffusionPipeline(transformer, scheduler), device)
    if dtype == "auto" and device == "cpu" and _is_faster_in_bfloat16():
        transformer.halve()  # exactly what the file holds
    return pipe, library(model)


def toy(seed: int) -> MusicDiffusionPipeline:
    """Two narrow layers of random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ready(MusicDiffusionPipeline(MusicTransformer(32, 2, 2), AbsorbingScheduler()), "cpu")


def _is_faster_in_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 by itself; others emulate it, slowly."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
