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
_SECOND = "transformer_2"  # of models that divide the steps between two networks of one kind
_NOT_LOADED = ("safety_checker",)
_STEMS = ("diffusion_pytorch_model", "model")
_LONGEST_HEADER = 100_000_000
_DEFAULT_SIZE_PX = 1024
# Of models that make clips, whose configs name neither: (size in px, frames) by what a latent pixel covers.
_CLIPS = {8: ((832, 480), 81), 16: ((1280, 704), 121), 32: ((704, 480), 121)}


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
    def networks(self) -> list[Component]:
        """The backbone and, in a model that has two, the other one; one of them works at a time."""
        return [part for part in (self.backbone, self.components.get(_SECOND)) if part is not None]

    @property
    def decoder(self) -> Component | None:
        return self.components.get("vae")

    @property
    def scale(self) -> int:
        """Pixels of a picture along one latent pixel."""
        config = self._decoding
        if side := config.get("scale_factor_spatial") or config.get("spatial_compression_ratio"):
            return int(side)
        if halvings := config.get("spatio_temporal_scaling"):
            return int(config.get("patch_size") or 1) << list(halvings).count(True)
        widths = config.get("block_out_channels")
        return 2 ** (len(widths) - 1) if widths else 8

    @property
    def channels(self) -> int:
        config = self._decoding
        return int(config.get("latent_channels") or config.get("z_dim") or 4)

    @property
    def makes_clips(self) -> bool:
        return _activations.decodes_clips(self._decoding)

    @property
    def _decoding(self) -> Mapping[str, Any]:
        return self.decoder.config if self.decoder else {}

    @property
    def native_frames(self) -> int:
        """Frames that are made at once."""
        return self._usual_clip[1] if self.makes_clips else 1

    @property
    def _usual_clip(self) -> tuple[tuple[int, int], int]:
        return _CLIPS.get(self.scale, _CLIPS[8])

    @property
    def guides_in_turn(self) -> bool:
        """Whether the two passes of guidance come after each other, or are rows of one."""
        return self.makes_clips and not _activations.decodes_whole_clips(self._decoding)

    def latent_frames(self, frames: int) -> int:
        """Frames of latents for so many of a clip; one more where a picture goes in beside them."""
        if not self.makes_clips:
            return 1
        beside = 1 if self.backbone and "motion_encoder_size" in self.backbone.config else 0
        config = self._decoding
        halved = config.get("temperal_downsample") or config["spatio_temporal_scaling"]
        each = config.get("temporal_compression_ratio") or 1 << [bool(one) for one in halved].count(True)
        return (frames - 1) // int(each) + 1 + beside

    @property
    def native_px(self) -> tuple[int, int]:
        """(width, height) the model was trained at, as far as its backbone says; or a usual one."""
        size = self.backbone.config.get("sample_size") if self.backbone else None
        if not size:
            return self._usual_clip[0] if self.makes_clips else (_DEFAULT_SIZE_PX, _DEFAULT_SIZE_PX)
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
