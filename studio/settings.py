"""Settings of this installation, read once from the environment. Every one has a working default."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import InputError, nearest

PREFIX = "EMOTION_STUDIO_"
DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")
MEMORY = ("auto", "fast", "fp8", "offload", "sequential")
_RANGES = {"port": (1, 65535), "batch_size": (1, 1024), "models_in_memory": (1, 64)}


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variable of a field: EMOTION_STUDIO_ + its name in capitals."""

    outputs: Path = Path("outputs")
    device: str = "auto"  # "cpu", "cuda", "mps", or "auto": the best that is there
    dtype: str = "auto"  # "float32", "bfloat16", "float16", or "auto": what the device does well
    host: str = "127.0.0.1"
    port: int = 7860
    batch_size: int = 8  # rows rendered together
    models_in_memory: int = 2
    memory: str = "auto"  # how a model is placed on an accelerator: see docs/images.md
    face_model: str = ""  # file of MediaPipe's face landmarker; empty: the cache, then a download

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                near = str(min(max(value, low), high))
                raise InputError(name, value, f"must be in [{low}, {high}], got {value}", near)
        if self.dtype not in DTYPES:
            _refuse_word("dtype", self.dtype, DTYPES)
        if self.memory not in MEMORY:
            _refuse_word("memory", self.memory, MEMORY)
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            _refuse_word("device", self.device, DEVICES)

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings that the environment names; the rest as they are. Raises InputError."""
        given = {name: os.environ.get(PREFIX + name.upper()) for name in cls.__slots__}
        return cls(**{name: _typed(name, text) for name, text in given.items() if text})


def _typed(name: str, text: str) -> Any:
    if name == "outputs":
        return Path(text)
    if name not in _RANGES:
        return text.strip()
    try:
        return int(text)
    except ValueError:
        why = f"expected a whole number, got {text!r}"
        raise InputError(PREFIX + name.upper(), text, why) from None


def _refuse_word(name: str, value: str, choices: tuple[str, ...]) -> None:
    why = f"{value!r} is not one of {', '.join(choices)}"
    raise InputError(name, value, why, nearest(value, choices))
