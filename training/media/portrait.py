"""Portraits in training: windows of motion, short performances as strips of shapes, read by their muscles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from studio.ports import Example, OnStep
from training import performances
from training.config import Recipe
from training.medium import Fit, Reader, Reading, Size, Words, by_steps, wants_reader
from training.pictures import sheet


class Medium:
    """See training.medium.Medium."""

    words = Words(
        one="performance",
        many="performances",
        kept="lip movement",
        lost="the same movements under other words",
        loss="Smooth L1 of motion, velocity and acceleration, in standard deviations",
    )
    prompts = performances.LINES  # what is said

    def fit(self, recipe: Recipe, pipeline: Any) -> Fit:
        return _by_frames

    def camera(self, pipeline: Any, rows: int, on_step: OnStep) -> performances.Camera:
        return performances.Camera(pipeline, on_step)

    def sheet(
        self,
        made: Sequence[Any],
        across: Sequence[str],
        down: Sequence[str],
        title: str,
        axes: tuple[str, str],
    ) -> Image.Image:
        return sheet([performances.strip(one) for one in made], across, down, title, axes)

    def files(self, made: Sequence[Any], names: Sequence[str]) -> dict[str, bytes]:
        """None: a strip says all."""
        return {}

    def reader(self, name: str, model: str, device: Any = "cpu") -> Reader | None:
        """`muscles`, which knows every model, or `none`."""
        wanted = wants_reader(name, (performances.MUSCLES, performances.NONE), "faces")
        return performances.MuscleReader() if wanted else None

    def lost(self, reader: Reader, made: Any, prompts: Sequence[str]) -> Reading:
        return reader.read(performances.displaced(made), prompts)


def _by_frames(example: Example) -> tuple[Example, Size]:
    return by_steps(example, len(example.media), "frames")
