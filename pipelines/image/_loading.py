"""Loading pictures' models: what pipelines._diffusers_loading reads, with the attention that is quickest.

Knows studio.json and attention kernels; knows no request and no emotion.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import _diffusers_loading as shared
from pipelines._diffusers_loading import Family as Family
from studio.errors import ModelError
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")


def load_pipeline(model: str, device: str, dtype: str, family: Family, memory: str = "auto") -> Any:
    """The diffusers pipeline of a folder or hub id, on its device, frozen.

    Raises ModelError (which names the right family for a model of another one) and InputError.
    """
    found = shared.read_pipeline(model, device, dtype, family, memory)
    return ready(found.pipe, found.device, found.memory)


def ready(pipe: Any, device: str, memory: str = "fast") -> Any:
    """The pipeline frozen on its device, with the attention that runs fastest there."""
    shared.ready(pipe, device, memory)
    if device.startswith("cuda") and memory == "fast" and "unet" in pipe.components:
        choose_attention(pipe.unet)
    return pipe


def recommended_guidance(model: str, default: float) -> float:
    """`guidance` of the folder's optional studio.json; `default` where nothing is said."""
    path = Path(model) / "studio.json"
    if not path.is_file():
        return default
    try:
        return float(json.loads(path.read_text("utf-8")).get("guidance", default))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"model: {str(path)!r} cannot be read: {error}") from None


def choose_attention(unet: Any) -> str:
    """Time PyTorch's attention and xformers', where installed, on this model; keep and name the faster."""
    if not diffusers.utils.is_xformers_available():
        return "torch"
    before = dict(unet.attn_processors)
    torch_seconds = _forward_seconds(unet)
    try:
        unet.enable_xformers_memory_efficient_attention()
        changed = any("XFormers" in type(one).__name__ for one in unet.attn_processors.values())
        if changed and _forward_seconds(unet) < torch_seconds:
            return "xformers"
    except (ImportError, NotImplementedError, RuntimeError, ValueError):
        pass  # built for another torch, or no kernel for this card: torch's attention works everywhere
    unet.set_attn_processor(before)
    return "torch"


def _forward_seconds(unet: Any, repeats: int = 5) -> float:
    inputs = sample_inputs(unet, rows=2)
    seconds = []
    with torch.no_grad():
        for _ in range(repeats):
            torch.cuda.synchronize()
            start = time.perf_counter()
            unet(**inputs)
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    return min(seconds)


def sample_inputs(unet: Any, rows: int) -> dict[str, Any]:
    """Zeros that a UNet runs on, at the size it was trained at."""
    config, kind = unet.config, {"device": unet.device, "dtype": unet.dtype}
    size = config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    inputs: dict[str, Any] = {
        "sample": torch.zeros(rows, config.in_channels, height, width, **kind),
        "timestep": torch.tensor(1, device=unet.device),
        "encoder_hidden_states": torch.zeros(rows, 77, config.cross_attention_dim, **kind),
    }
    if config.addition_embed_type == "text_time":  # SDXL: pooled text and six sizes
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        added = {"text_embeds": torch.zeros(rows, pooled, **kind), "time_ids": torch.zeros(rows, 6, **kind)}
        inputs["added_cond_kwargs"] = added
    return inputs
