"""Frames that can be told from each other, a sound, and a pipeline `video/sketch` that makes such clips."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import pytest

from studio import catalog
from studio.artifacts import Clip
from studio.params import param
from studio.ports import OnStep, SetEmotion, Step
from studio.recording import recorded
from studio.request import RenderRequest
from studio.video_files import Frame
from tests.studio import sketch

NAME, DEFAULT_MODEL = "video/sketch", sketch.DEFAULT_MODEL
INPUTS = ("image", "voice_over", "steps")
RATE_HZ, SOUND_HZ = 25, 16_000


def frames(count: int, width: int = 64, height: int = 48, first: int = 0) -> Iterator[Frame]:
    """Grey that grows brighter by four a frame, with a red bar."""
    for index in range(first, first + count):
        frame = np.full((height, width, 3), 40 + 4 * index % 200, np.uint8)
        frame[:, : width // 4] = (200, 30, 30)
        yield frame


def tone(length_s: float, hertz: float = 440.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    times = np.arange(round(length_s * SOUND_HZ)) / SOUND_HZ
    return (0.3 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Params:
    steps: int = param(10, "frames", min=1, max=500)


class Pipeline:
    def __init__(self) -> None:
        self.modules: dict[str, Any] = {"painter": sketch.Painter()}

    @classmethod
    def load(cls, model: str, device: str, dtype: str, memory: str = "auto") -> Pipeline:
        return cls()

    def render(self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep) -> list[Clip]:
        set_emotion([request.curve.at(0.5, request.params.steps / RATE_HZ) for request in batch])
        return [self._made(request, on_step) for request in batch]

    def _made(self, request: RenderRequest, on_step: OnStep) -> Clip:
        count = request.params.steps
        sound = tone(count / RATE_HZ), SOUND_HZ
        made = recorded(frames(count), RATE_HZ, sound, lambda done: on_step(Step(done, count)))
        notes = partial(_write, b"frame,weight\n0,0.5\n")
        return Clip(made, request.curve, ((".csv", notes),), {"voice": "en-gb"})


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def install(patch: pytest.MonkeyPatch, folder: Any) -> None:
    """Make the catalogue find `video/sketch` with `sketch-model`."""
    sketch.install(patch, folder / "assets")
    here, load, names = sys.modules[__name__], catalog.load, catalog.names
    mine = ("pipeline", NAME)
    patch.setattr(catalog, "load", lambda kind, name: here if (kind, name) == mine else load(kind, name))
    patch.setattr(catalog, "names", lambda kind: [*names(kind), *([NAME] if kind == "pipeline" else [])])
