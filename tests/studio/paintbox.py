"""A small pipeline at the real port, without torch: it paints a square whose colour follows seed and emotion.

Words in a prompt make it misbehave, each in the way that a test needs.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from studio import catalog
from studio.artifacts import Picture
from studio.params import param
from studio.ports import OnStep, Step
from studio.request import RenderRequest

NAME, DEFAULT_MODEL = "image/paintbox", "test/paintbox"


@dataclass(frozen=True, slots=True)
class Params:
    steps: int = param(2, "strokes", min=1, max=1000)
    guidance: float = param(5.0, "how closely the prompt is followed", min=0, max=30)
    width: int = param(16, "width", min=8, max=64, step=8, unit="px")
    height: int = param(16, "height", min=8, max=64, step=8, unit="px")
    scheduler: str = param("euler", "brush", choices=("euler", "euler_a", "dpmpp_2m"))


class Pipeline:
    calls: ClassVar[list[list[str]]] = []  # the prompts of every batch, for tests in this process
    on_render: ClassVar[Callable[[Sequence[RenderRequest]], None] | None] = None
    step_s = 0.0

    @classmethod
    def load(cls, model: str, device: str, dtype: str, memory: str = "auto") -> Pipeline:
        return cls()

    @property
    def modules(self) -> Mapping[str, Any]:
        return {}

    def render(self, batch: Sequence[RenderRequest], set_emotion: Any, on_step: OnStep) -> list[Picture]:
        Pipeline.calls.append([request.prompt for request in batch])
        if Pipeline.on_render:
            Pipeline.on_render(batch)
        for request in batch:
            misbehave(request.prompt)
        pictures = [paint(request) for request in batch]
        steps = batch[0].params.steps
        for done in range(1, steps + 1):
            time.sleep(self.step_s)
            on_step(Step(done, steps, lambda: pictures))
        return [Picture(picture) for picture in pictures]


def misbehave(prompt: str) -> None:
    if "boom" in prompt:
        raise RuntimeError("the paint exploded")
    if "sink" in prompt:
        os._exit(9)


def paint(request: RenderRequest) -> Image.Image:
    vad = request.curve.at(0.5)
    shade = random.Random(request.seed).randrange(40)
    colour = (int(128 + 80 * vad.valence), int(128 + 80 * vad.arousal), int(128 + 60 * vad.dominance) + shade)
    return Image.new("RGB", (request.params.width, request.params.height), colour)


def load(real: Callable[[str, str], Any], kind: str, name: str) -> Any:
    """What `catalog.load` is replaced by: the paintbox by its name, everything else as ever."""
    return sys.modules[__name__] if (kind, name) == ("pipeline", NAME) else real(kind, name)


def install() -> None:
    """Register the paintbox for the life of a process of its own."""
    catalog.load = partial(load, catalog.load)  # type: ignore[assignment]


def main(path: str, out: str, step_s: float) -> None:
    """Run a batch as the command line would; the tests kill this process."""
    from studio.batch import BatchOptions, run_batch

    install()
    Pipeline.step_s = step_s
    summary = run_batch(path, out, options=BatchOptions({"pipeline": NAME}))
    Path(out, "summary.txt").write_text(f"{summary.done} {summary.rendered} {summary.failed}")


if __name__ == "__main__":
    sys.modules["tests.studio.paintbox"] = sys.modules[__name__]
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
