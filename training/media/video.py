"""Clips in training: cut to a size and a length, filmed short, read frame by frame by what knows pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from studio.ports import OnStep
from training import filmed, frame_buckets, pictures, readers
from training.config import Recipe
from training.medium import Fit, Reader, Reading, Words, other_prompts

_SHEET_HZ = 8.0  # of clips that are kept beside a grid, whatever the family's rate: to be looked at


class Medium:
    """See training.medium.Medium."""

    words = Words(
        one="clip",
        many="clips",
        kept="prompt",
        lost="a clip of another prompt",
        loss="Mean squared error of the predicted noise (or its like)",
    )
    prompts = pictures.PROMPTS

    def fit(self, recipe: Recipe, pipeline: Any) -> Fit:
        return frame_buckets.fit(recipe, pipeline.native_size, pipeline.frame_rule)

    def camera(self, pipeline: Any, rows: int, on_step: OnStep) -> filmed.Camera:
        return filmed.Camera(pipeline, rows, on_step)

    def sheet(
        self,
        made: Sequence[Any],
        across: Sequence[str],
        down: Sequence[str],
        title: str,
        axes: tuple[str, str],
    ) -> Image.Image:
        """A row of frames for each clip."""
        strips = [filmed.strip(one) for one in made]
        return pictures.sheet(strips, across, down, title, axes, filmed.SHOWN * filmed.SHOWN_PX)

    def files(self, made: Sequence[Any], names: Sequence[str]) -> dict[str, bytes]:
        """Each as a clip: a row of frames does not move."""
        return {f"{name}.mp4": filmed.mp4(one, _SHEET_HZ) for name, one in zip(names, made, strict=True)}

    def reader(self, name: str, model: str, device: Any = "cpu") -> Reader | None:
        """One of pictures, on every frame."""
        found = readers.named(name or readers.default_name(model), device)
        return filmed.FilmReader(found) if found else None

    def lost(self, reader: Reader, made: Any, prompts: Sequence[str]) -> Reading:
        """What is found in bare clips of other clips' prompts."""
        return reader.read(made, other_prompts(prompts))
