"""What the files of a model folder say of it without being loaded: names and shapes of tensors, configs.

Only the headers of .safetensors files are read: 8 bytes of length, then JSON, then data that is not needed
(https://huggingface.co/docs/safetensors). Knows diffusers' folder layout; knows no family.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from studio import _activations, catalog
from studio.errors import ModelError
from studio.lazy import lazy

hub = lazy("huggingface_hub")

_BACKBONES = ("transformer", "unet")
_NOT_LOADED = ("safety_checker",)
_STEMS = ("diffusion_pytorch_model", "model")
_LONGEST_HEADER = 100_000_000
_DEFAULT_SIZE_PX = 1024
_CLIP_PX, _CLIP_FRAMES = (832, 480), 81  # of models that make clips, whose configs name no size


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a model: its config and the shapes of its tensors, by name."""

    name: str
    config: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def parameters(self) -> int:
        return sum(map(math.prod, self.shapes.values()))

    @property
    def largest(self) -> int:
        """Parameters of the largest tensor: what sequential offload has on the device at once."""
        return max(map(math.prod, self.shapes.values()))

    @property
    def in_matrices(self) -> int:
        """Parameters that layerwise casting takes: nearly all."""
        return sum(math.prod(shape) for shape in self.shapes.values() if len(shape) > 1)


@dataclass(frozen=True)
class Model:
    """A model's parts, read from a folder."""

    name: str
    components: Mapping[str, Component] = field(repr=False)

    @cached_property
    def backbone(self) -> Component | None:
        return next((self.components[name] for name in _BACKBONES if name in self.components), None)

    @property
    def decoder(self) -> Component | None:
        return self.components.get("vae")

    @property
    def scale(self) -> int:
        """Pixels of a picture along one latent pixel."""
        widths = self.decoder.config.get("block_out_channels") if self.decoder else None
        return 2 ** (len(widths) - 1) if widths else 8

    @property
    def channels(self) -> int:
        config = self.decoder.config if self.decoder else {}
        return int(config.get("latent_channels") or config.get("z_dim") or 4)

    @property
    def makes_clips(self) -> bool:
        return self.decoder is not None and _activations.decodes_clips(self.decoder.config)

    @property
    def native_frames(self) -> int:
        """Frames that are made at once."""
        return _CLIP_FRAMES if self.makes_clips else 1

    def latent_frames(self, frames: int) -> int:
        """Frames of latents for so many of a clip; one more where a picture goes in beside them."""
        if not self.makes_clips or self.decoder is None:
            return 1
        beside = 1 if self.backbone and "motion_encoder_size" in self.backbone.config else 0
        halvings = [bool(halved) for halved in self.decoder.config["temperal_downsample"]].count(True)
        return (frames - 1) // (1 << halvings) + 1 + beside

    @property
    def native_px(self) -> tuple[int, int]:
        """(width, height) the model was trained at, as far as its backbone says; or a usual one."""
        size = self.backbone.config.get("sample_size") if self.backbone else None
        if not size:
            return _CLIP_PX if self.makes_clips else (_DEFAULT_SIZE_PX, _DEFAULT_SIZE_PX)
        height, width = size if isinstance(size, list) else (size, size)
        return int(width) * self.scale, int(height) * self.scale


def read(model: str) -> Model | None:
    """The parts of a folder, or of a hub id that was downloaded before; None where files are missing.

    Raises ModelError for a file that is damaged.
    """
    folder = Path(model) if Path(model).is_dir() else _downloaded(model)
    if folder is None or not (folder / "model_index.json").is_file():
        return None
    index = _json(folder / "model_index.json")
    parts: dict[str, Component] = {}
    for name in sorted(index):
        value = index[name]
        if name in _NOT_LOADED or not isinstance(value, list) or not value[-1]:
            continue
        config = _config(folder / name)
        if config is None:  # a scheduler, a tokenizer
            continue
        files = _weight_files(folder / name)
        if not files:
            return None
        parts[name] = Component(name, config, {k: v for file in files for k, v in _header(file).items()})
    return Model(model, parts)


def _downloaded(model: str) -> Path | None:
    found = hub.try_to_load_from_cache(model, "model_index.json") if catalog.HUB_ID.fullmatch(model) else None
    return Path(found).parent if isinstance(found, str) else None


def _config(folder: Path) -> dict[str, Any] | None:
    return _json(folder / "config.json") if (folder / "config.json").is_file() else None


def _weight_files(folder: Path) -> list[Path]:
    """The files that are loaded: of an index, or the one; of the fp16 variant where there are no others."""
    for variant in ("", ".fp16"):
        for stem in _STEMS:
            index = folder / f"{stem}.safetensors.index{variant}.json"
            if index.is_file():
                files = sorted({folder / name for name in _json(index).get("weight_map", {}).values()})
                return files if all(file.is_file() for file in files) else []
            if (folder / f"{stem}{variant}.safetensors").is_file():
                return [folder / f"{stem}{variant}.safetensors"]
    return []


def _header(path: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the tensors of a file."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LONGEST_HEADER:
                raise ValueError("its header has no sensible length")
            header = json.loads(file.read(length))
        return {name: tuple(map(int, one["shape"])) for name, one in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"model: {str(path)!r} is damaged: {error}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"model: {str(path)!r} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"model: {str(path)!r} holds no JSON object")
    return found
