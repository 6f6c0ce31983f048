"""What loading a model takes in any medium: device, number type, the hub's errors in our words.

Knows libraries and their errors; knows no family, no request and no emotion.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import InputError, ModelError, nearest
from studio.lazy import lazy
from studio.settings import DEVICES, DTYPES

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")
safetensors = lazy("safetensors")
transformers = lazy("transformers")


def torch_device(device: str) -> str:
    """`auto`: the best accelerator that is there. Raises InputError for a device that is not."""
    if device == "auto":
        has_metal = torch.backends.mps.is_available()
        return "cuda" if torch.cuda.is_available() else "mps" if has_metal else "cpu"
    kind = device.partition(":")[0]
    if kind not in DEVICES:
        raise InputError(
            "device", device, f"{device!r} is not one of {', '.join(DEVICES)}", nearest(kind, DEVICES)
        )
    if (kind == "cuda" and not torch.cuda.is_available()) or (
        kind == "mps" and not torch.backends.mps.is_available()
    ):
        raise InputError("device", device, f"{device!r} is not available here", "auto")
    return device


def torch_dtype(dtype: str, device: str, half: str = "float16") -> torch.dtype:
    """`auto`: `half` on an accelerator; float32 on a CPU, where a batch must not change a row."""
    if dtype not in DTYPES:
        raise InputError(
            "dtype", dtype, f"{dtype!r} is not one of {', '.join(DTYPES)}", nearest(dtype, DTYPES)
        )
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else half
    return getattr(torch, dtype)


@contextmanager
def foreign_errors(model: str) -> Iterator[None]:
    """The one place where the hub's and diffusers' loading errors become ours."""
    try:
        with warnings.catch_warnings():  # what diffusers passes to a newer hub client is not ours to mend
            warnings.filterwarnings("ignore", ".*local_dir_use_symlinks", UserWarning)
            yield
    except _foreign() as error:
        raise ModelError(f"model: {model!r} {_reason(model, error)}") from error


def _foreign() -> tuple[type[Exception], ...]:
    """Asked for only when something went wrong: naming the last one imports its library."""
    known = (OSError, ValueError, TypeError, AttributeError, KeyError, RuntimeError)
    return (*known, safetensors.SafetensorError)


def _reason(model: str, error: BaseException) -> str:
    causes = []
    link: BaseException | None = error
    while link is not None:
        causes.append(f"{type(link).__name__}: {link}")
        link = link.__cause__ or link.__context__
    text = "\n".join(causes)
    if "GatedRepo" in text:
        return "asks you to accept its terms on the hub first, then log in with 'hf auth login'"
    if "RepositoryNotFound" in text or "404" in text:
        return "is neither a folder here nor a public model on the hub"
    if "safetensors" in text and "no file named" in text.lower():
        return "lacks .safetensors weights; other formats are not loaded"
    if not Path(model).is_dir() and ("LocalEntryNotFound" in text or "Offline" in text or "onnect" in text):
        offline = os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "TRUE", "YES", "ON"}
        why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
        return f"is not on this machine yet, and {why}"
    return f"cannot be loaded: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def quiet() -> None:
    """These libraries print what is not for our users: bars, image processors that are never used, a missing

    file where a variant of it is there, a prompt that is too long (`unread` knows what of it)."""
    transformers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.set_verbosity(logging.CRITICAL)
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()
