"""Where a MusER model comes from: a folder in diffusers' layout, or the hub. Safetensors only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline
from safetensors.numpy import load_file

from pipelines._loading import foreign_errors, quiet, torch_device, torch_dtype
from pipelines.music._form import Library
from pipelines.music._muser_network import MuserCodec, MuserPrior
from pipelines.music._muser_sampling import MuserPipeline
from studio.errors import ModelError

FORMS = "forms.safetensors"  # of the model's folder: bars -> (forms, 2, bars) uint8


def load(model: str, device: str, dtype: str) -> tuple[MuserPipeline, Library]:
    """The pipeline on its device, frozen, and its library of forms (empty where the folder has none).

    The autoencoder stays in float32: codes must be the same on every device. Raises ModelError, InputError.
    """
    device = torch_device(device)
    quiet()
    with foreign_errors(model):
        index = DiffusionPipeline.load_config(model)
        if index["_class_name"] != "MuserPipeline":
            why = f"is a {index['_class_name']}; music/muser takes a MuserPipeline"
            raise ModelError(f"model: {model!r} {why}")
        codec = MuserCodec.from_pretrained(
            model, subfolder="codec", use_safetensors=True, torch_dtype=torch.float32
        )
        prior = MuserPrior.from_pretrained(
            model, subfolder="transformer", use_safetensors=True, torch_dtype=torch_dtype(dtype, device)
        )
    return ready(MuserPipeline(codec, prior), device), _library(Path(model) / FORMS)


def toy(seed: int) -> MuserPipeline:
    """One narrow layer of random weights everywhere."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = MuserCodec(channels=16, layers=1, pitch_channels=16, pitch_layers=1, heads=2, width=4)
        return ready(MuserPipeline(codec, MuserPrior(channels=16, layers=1, heads=2)), "cpu")


def ready(pipe: MuserPipeline, device: str) -> MuserPipeline:
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    for part in (pipe.codec, pipe.transformer):
        part.eval().requires_grad_(False)
    return pipe


def _library(path: Path) -> Library:
    if not path.is_file():
        return {}
    return {int(name): np.asarray(forms) for name, forms in load_file(path).items()}
