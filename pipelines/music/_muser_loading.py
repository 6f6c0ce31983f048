"""Where a MusER model comes from: a folder in diffusers' layout, or the hub. Safetensors only."""

from __future__ import annotations

import torch

from pipelines._loading import foreign_errors, quiet, torch_device, torch_dtype
from pipelines.music._form import Library
from pipelines.music._loading import check_class, library, ready
from pipelines.music._muser_network import MuserCodec, MuserPrior
from pipelines.music._muser_sampling import MuserPipeline


def load(model: str, device: str, dtype: str) -> tuple[MuserPipeline, Library]:
    """The pipeline on its device, frozen, and its library of forms.

    The autoencoder stays in float32: codes must be the same on every device. Raises ModelError, InputError.
    """
    device = torch_device(device)
    quiet()
    with foreign_errors(model):
        check_class(model, MuserPipeline, "music/muser")
        codec = MuserCodec.from_pretrained(
            model, subfolder="codec", use_safetensors=True, torch_dtype=torch.float32
        )
        prior = MuserPrior.from_pretrained(
            model, subfolder="transformer", use_safetensors=True, torch_dtype=torch_dtype(dtype, device)
        )
    return ready(MuserPipeline(codec, prior), device), library(model)


def toy(seed: int) -> MuserPipeline:
    """One narrow layer of random weights everywhere."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = MuserCodec(channels=16, layers=1, pitch_channels=16, pitch_layers=1, heads=2, width=4)
        return ready(MuserPipeline(codec, MuserPrior(channels=16, layers=1, heads=2)), "cpu")
