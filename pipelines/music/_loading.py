"""What composers of any family need to be loaded: their class, their forms, a quiet frozen pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
from diffusers import DiffusionPipeline
from safetensors.numpy import load_file

from pipelines.music._form import Library
from studio.errors import ModelError

P = TypeVar("P", bound=DiffusionPipeline)
FORMS = "forms.safetensors"  # of the model's folder: bars -> (forms, 2, bars) uint8


def check_class(model: str, expected: type[DiffusionPipeline], family: str) -> None:
    """Raise ModelError where the folder or hub id holds another kind of pipeline."""
    found = DiffusionPipeline.load_config(model)["_class_name"]
    if found != expected.__name__:
        raise ModelError(f"model: {model!r} is a {found}; {family} takes a {expected.__name__}")


def ready(pipe: P, device: str) -> P:
    """On its device, frozen, without a progress bar of its own."""
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if hasattr(part, "requires_grad_"):  # a scheduler has none
            part.eval().requires_grad_(False)
    return pipe


def library(model: str) -> Library:
    """The model's forms of songs; empty where its folder has none."""
    path = Path(model) / FORMS
    if not path.is_file():
        return {}
    return {int(name): np.asarray(forms) for name, forms in load_file(path).items()}
