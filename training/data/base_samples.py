"""Pictures that a base model renders itself, without any feeling: what a slider's words are shown on.

They are rendered once and kept as PNG files; a slider needs no pictures of anybody then. Knows pipelines by
their contract, through the catalogue.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from studio import catalog
from studio.emotion import NEUTRAL, Emotion
from studio.errors import InputError
from studio.params import param
from studio.ports import Example
from training.data._pictures import open_picture
from training.pictures import Camera, Shot, read_prompts, save_png

ROWS = 8  # rendered together

HAS_FEELINGS = False  # for sliders, whose words say what to feel


@dataclass(frozen=True)
class Dataset:
    """`count` neutral pictures (H, W, 3) uint8 of the model's own size; prompts in turn, each seed once."""

    pipeline: str = param("image/sd", "model family, a file of pipelines/")
    model: str = param("emotion-tiny", "embedded name, folder, hub id, or tiny:SEED for random toy weights")
    device: str = param("cpu", "where they are rendered", choices=("cpu", "cuda", "mps"))
    count: int = param(64, "pictures", min=1, max=1_000_000)
    seed: int = param(0, "seed of the first picture", min=0, max=2**31 - 1)
    prompts: str = param("", "text file, a prompt a line; empty is a short list")
    folder: str = param("outputs/training/base-samples", "where the pictures are kept, by their content")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        """The picture of that index; it is rendered with its neighbours when it is not kept yet."""
        if not 0 <= index < self.count:
            raise IndexError(f"example {index} of {self.count}")
        path = self._path(index)
        if not path.is_file():
            self._render(index - index % ROWS)
        attributes = {"seed": self.seed + index, "file": str(path)}
        return Example(open_picture(path), self._prompt(index), Emotion(NEUTRAL), attributes)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(self.count))

    @property
    def description(self) -> dict[str, Any]:
        """What determines the pictures: the model to the byte, prompts and seeds. Renders nothing."""
        return {"dataset": "base_samples", "count": self.count, **self._origin}

    @cached_property
    def _origin(self) -> dict[str, Any]:
        tiny = self.model.startswith(catalog.TINY)
        model = self.model if tiny else catalog.revision(catalog.find_model(self.model))
        prompts = list(self._prompts)
        return {"pipeline": self.pipeline, "model": model, "seed": self.seed, "prompts": prompts}

    @cached_property
    def _prompts(self) -> tuple[str, ...]:
        found = read_prompts(self.prompts, "dataset.prompts")
        if not found:
            raise InputError("dataset.prompts", self.prompts, f"{self.prompts!r} has no lines")
        return found

    def _prompt(self, index: int) -> str:
        return self._prompts[index % len(self._prompts)]

    def _path(self, index: int) -> Path:
        text = json.dumps(self._origin, sort_keys=True)
        name = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        return Path(self.folder) / name / f"{index:06d}.png"

    def _render(self, start: int) -> None:
        """The pictures of one group; always the same groups, so that a picture never depends on who asks."""
        indices = range(start, min(start + ROWS, self.count))
        shots = [Shot(self._prompt(index), self.seed + index) for index in indices]
        for index, picture in zip(indices, self._camera.take(shots), strict=True):
            save_png(Image.fromarray(picture), self._path(index))

    @cached_property
    def _camera(self) -> Camera:
        return Camera(_loaded(self.pipeline, self.model, self.device), ROWS)


def _loaded(name: str, model: str, device: str) -> Any:
    family = catalog.load("pipeline", name).Pipeline
    seed = catalog.tiny_seed(model, "dataset.model")
    return family.load(catalog.find_model(model), device, "auto") if seed is None else family.tiny(seed)
