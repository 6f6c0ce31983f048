"""A pipeline and an adapter at the real ports, without torch, with an embedded model folder to go with them.

The painter knows seeds only; an adapter lets valence into the red channel. Memory holds `Pipeline.room` rows.
`install` puts all of it where the catalogue looks.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from studio import catalog
from studio.artifacts import Picture
from studio.emotion import VAD
from studio.params import param
from studio.ports import OnStep, SetEmotion, Step
from studio.request import RenderRequest

NAME, DEFAULT_MODEL = "image/sketch", "sketch-model"
INPUTS = ("photo",)


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


@dataclass(frozen=True, slots=True)
class Params:
    steps: int = param(4, "strokes", min=1, max=150)
    guidance: float = param(5.0, "pull", min=0, max=30)
    scheduler: str = param("euler a", "brush", choices=("euler a", "ddim"))
    width: int = param(8, "width", min=8, max=64, step=8, unit="px")
    fine: bool = param(False, "fine strokes")


class Painter:
    """The one module: `warmth` of each row is what an adapter adds."""

    warmth: Callable[[int], int] = staticmethod(lambda row: 0)


class Pipeline:
    loaded: ClassVar[list[tuple[str, str, str]]] = []
    batches: ClassVar[list[int]] = []
    room = 100

    def __init__(self) -> None:
        self.modules: Mapping[str, Any] = {"painter": Painter()}

    @classmethod
    def load(cls, model: str, device: str, dtype: str, memory: str = "auto") -> Pipeline:
        if (Path(model) / "broken.txt").exists():
            raise OSError("weights are torn")
        cls.loaded.append((Path(model).name, device, dtype))
        return cls()

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Picture]:
        Pipeline.batches.append(len(batch))
        if len(batch) > self.room:
            raise OutOfMemoryError("no room")
        set_emotion([request.curve.at(0.5) for request in batch])
        steps = batch[0].params.steps
        for done in range(1, steps + 1):
            on_step(Step(done, steps))
        return [Picture(self._paint(row, request)) for row, request in enumerate(batch)]

    def _paint(self, row: int, request: RenderRequest) -> Image.Image:
        red = 128 + self.modules["painter"].warmth(row)
        return Image.new("RGB", (request.params.width, 8), (red, request.seed % 256, 0))


class Adapter:
    @classmethod
    def load(cls, path: Path) -> Adapter:
        return cls()

    @contextlib.contextmanager
    def applied(self, modules: Mapping[str, Any], strength: float = 1.0) -> Iterator[SetEmotion]:
        painter, rows = modules["painter"], list[VAD]()
        before = painter.warmth

        def set_emotion(given: Sequence[Any]) -> None:
            rows[:] = given

        painter.warmth = lambda row: before(row) + round(50 * strength * rows[row].valence)
        try:
            yield set_emotion
        finally:
            painter.warmth = before


def install(patch: pytest.MonkeyPatch, assets: Path) -> None:
    """Make the catalogue find pipeline `image/sketch`, model `sketch-model`, adapters `warm` and `cold`."""
    here, load, names = sys.modules[__name__], catalog.load, catalog.names
    mine = {"pipeline": NAME, "adapter kind": "sketch_adapter"}
    patch.setattr(catalog, "load", lambda kind, name: here if mine.get(kind) == name else load(kind, name))
    patch.setattr(
        catalog, "names", lambda kind: sorted([*names(kind), *([mine[kind]] if kind in mine else [])])
    )
    patch.setattr(catalog, "ASSETS", assets)
    for attribute in ("loaded", "batches"):
        patch.setattr(Pipeline, attribute, [])
    add_model(assets, DEFAULT_MODEL)
    add_adapter(assets, "warm", default=True, strength_range=[0, 1.5])
    add_adapter(assets, "cold", default=False)


def add_model(assets: Path, name: str) -> Path:
    folder = assets / "models" / name
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "Sketch"}))
    (folder / "weights.safetensors").write_bytes(name.encode())
    return folder


def add_adapter(assets: Path, name: str, **card: Any) -> Path:
    folder = assets / "adapters" / name
    folder.mkdir(parents=True)
    whole = {"kind": "sketch_adapter", "base_model": DEFAULT_MODEL, **card}
    (folder / "adapter.json").write_text(json.dumps(whole))
    (folder / "adapter.safetensors").write_bytes(name.encode())
    return folder


def request(**values: Any) -> RenderRequest:
    return RenderRequest.parse({"pipeline": NAME, "prompt": "a harbour at dusk", "seed": 7, **values})
