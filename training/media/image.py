"""Pictures in training: cut to a size, rendered on sheets, read by networks that know pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PIL import Image

from studio.ports import OnStep
from training import buckets, pictures, readers
from training.config import Recipe
from training.medium import Fit, Reader, Reading, Words, other_prompts


class Medium:
    """See training.medium.Medium."""

    words = Words(
        one="picture",
        many="pictures",
        kept="prompt",
        lost="a picture of another prompt",
        loss="Mean squared error of the predicted noise (or its like)",
    )
    prompts = pictures.PROMPTS

    def fit(self, recipe: Recipe, pipeline: Any) -> Fit:
        return partial(buckets.cut, among=buckets.sizes(recipe, pipeline.native_size))

    def camera(self, pipeline: Any, rows: int, on_step: OnStep) -> pictures.Camera:
        return pictures.Camera(pipeline, rows, on_step)

    def sheet(
        self,
        made: Sequence[Any],
        across: Sequence[str],
        down: Sequence[str],
        title: str,
        axes: tuple[str, str],
    ) -> Image.Image:
        return pictures.sheet(made, across, down, title, axes)

    def files(self, made: Sequence[Any], names: Sequence[str]) -> dict[str, bytes]:
        return {}

    def reader(self, name: str, model: str, device: Any = "cpu") -> Reader | None:
        return readers.named(name or readers.default_name(model), device)

    def lost(self, reader: Reader, made: Any, prompts: Sequence[str]) -> Reading:
        """What is found in bare pictures of other pictures' prompts."""
        return reader.read(made, other_prompts(prompts))
