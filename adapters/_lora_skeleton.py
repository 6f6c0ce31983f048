"""A model's layers without its weights: enough to name and measure them, in milliseconds and no memory.

Knows diffusers folders and hub ids; loads configurations only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.errors import ModelError
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")
transformers = lazy("transformers")

_COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3")


def skeleton(model: str) -> dict[str, nn.Module]:
    """The denoiser and text encoders of a folder or hub id, on the meta device. Raises ModelError."""
    try:
        index = diffusers.DiffusionPipeline.load_config(model)
        found = {name: entry for name in _COMPONENTS if (entry := index.get(name)) and all(entry)}
        with torch.device("meta"):
            return {name: _component(model, name, *entry) for name, entry in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"model: the layers of {model!r} cannot be read: {reason}") from error


def _component(model: str, name: str, library: str, kind: str) -> Any:
    if library == "diffusers":
        network = getattr(diffusers, kind)
        return network.from_config(network.load_config(model, subfolder=name))
    network = getattr(transformers, kind)
    return network(network.config_class.from_pretrained(model, subfolder=name))
