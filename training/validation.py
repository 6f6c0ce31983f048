"""What a run shows of itself while it goes: a grid over the plane of feelings, and control figures.

    <run>/grids/step-00000500.png      valence to the right, arousal upwards, one prompt, one seed; of a
                                       slider its axis to the right, one prompt a row
                step-00000500/         where a picture does not say all: each place of the grid as a file
    log.jsonl                          control_valence_r and the like, with what chance would give beside them

Seeds, prompts and feelings are the same at every step, so one validation compares with the next. Rendering
draws from generators of its own and leaves those of the training alone. Knows media and readers by their
contracts; the losses on held-out examples are the loop's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from studio.emotion import VAD
from studio.emotion.vad import AXES
from studio.errors import InputError
from studio.ports import SetEmotion
from studio.storage import write_atomically
from studio.training_files import GRIDS, step_name
from training import control, medium
from training.config import Recipe
from training.medium import Reader, Shot
from training.pictures import read_prompts, save_png

TICKS = (-0.8, -0.4, 0.0, 0.4, 0.8)  # of both axes of the grid
_SEED = 20_011  # first seed of the pictures here; any number, but always the same


class Validator:
    """Renders a fixed set of pictures at each call; how many is the recipe's `validation_pictures`."""

    def __init__(self, recipe: Recipe, pipeline: Any, reader: Reader | None, writes: bool = True) -> None:
        """InputError for a file of prompts that cannot be used. `writes`: the grids are kept."""
        self._folder, self.reader, self._writes = Path(recipe.output) / GRIDS, reader, writes
        self._medium = medium.of(recipe.pipeline)
        self._camera = self._medium.camera(pipeline, rows_of(recipe), lambda step: None)
        self._prompts = prompts_of(recipe)
        self._axis = recipe.slider.axis if recipe.slider else ""
        labels = getattr(recipe.adapter.config, "labels", None) or {}
        self._labels = labels if len(labels) > 1 else {}  # one alone cannot be taken for another
        means = [VAD(*mean) for mean, _ in self._labels.values()]
        self._shots = shots(self._prompts, recipe.validation_pictures, self._axis, means)

    @classmethod
    def of(cls, recipe: Recipe, pipeline: Any, writes: bool = True) -> Validator | None:
        """The validator of a recipe; None for one that asks for no pictures. Raises StudioError.

        The reader stays in the CPU's memory: that of an accelerator belongs to the training.
        """
        if not recipe.validate_every or not recipe.validation_pictures:
            return None
        reader = medium.of(recipe.pipeline).reader(recipe.reader, recipe.model)
        return cls(recipe, pipeline, reader, writes)

    def show(self, step: int, set_emotion: SetEmotion) -> dict[str, float]:
        """Save the grid of this step; returns figures for the log, `picture_seconds` what all this took.

        The caller sees to it that the adapter is worn, its averaged weights are in and gradients are off.
        """
        began = time.perf_counter()
        self._draw_grid(step, set_emotion)
        figures = (
            self._control(set_emotion) if self.reader and len(self._shots) >= control.MIN_SAMPLES else {}
        )
        return figures | {"picture_seconds": round(time.perf_counter() - began, 1)}

    def _draw_grid(self, step: int, set_emotion: SetEmotion) -> None:
        first = self._prompts[0]
        across = [f"{tick:+.1f}" if tick else "0" for tick in TICKS]
        if self._axis:  # a slider leaves the rest of the plane as it is
            prompts = self._prompts[: len(TICKS)]
            asked = [Shot(text, _SEED, VAD(**{self._axis: tick})) for text in prompts for tick in TICKS]
            down, title = [str(number + 1) for number in range(len(prompts))], f"step {step}"
            axes = (self._axis, "prompt")
        else:
            asked = [
                Shot(first, _SEED, VAD(valence, arousal)) for arousal in TICKS[::-1] for valence in TICKS
            ]
            down, title, axes = across[::-1], f"step {step}: {first}", ("valence", "arousal")
        made = self._camera.take(asked, set_emotion)
        if self._writes:
            name = step_name(step)
            save_png(self._medium.sheet(made, across, down, title, axes), self._folder / f"{name}.png")
            places = [f"{axes[0]}_{x}_{axes[1]}_{y}" for y in down for x in across]
            for file, data in self._medium.files(made, places).items():
                write_atomically(self._folder / name / file, partial(_put, data))

    def _control(self, set_emotion: SetEmotion) -> dict[str, float]:
        assert self.reader
        said = [shot.prompt for shot in self._shots]
        reading = self.reader.read(self._camera.take(self._shots, set_emotion), said)
        asked = np.array([shot.emotion.as_tuple() for shot in self._shots])
        figures = control.of_points(asked, reading.points).figures()
        if self._labels:
            named = [self._nearest_labels(points) for points in (asked, reading.points)]
            figures |= control.of_labels(*named).figures()
        if reading.motion is not None:  # of a clip, excitement is to be seen in how it moves, too
            figures["control_motion_arousal_r"] = control.pearson(asked[:, 1], reading.motion)
        return figures | {"control_prompt": float(reading.keeps.mean())}

    def _nearest_labels(self, points: NDArray[np.float64]) -> list[str]:
        """The label whose mean is nearest to each of the points (N, 3)."""
        words, means = list(self._labels), np.array([mean for mean, _ in self._labels.values()])
        distances = np.linalg.norm(points[:, None] - means, axis=-1)
        return [words[index] for index in distances.argmin(1)]


def shots(prompts: Sequence[str], count: int, axis: str = "", means: Sequence[VAD] = ()) -> list[Shot]:
    """`count` different pictures to ask for: prompts in turn, feelings spread over the whole cube.

    With an `axis`, a slider's, they are spread along it; with `means`, a basis of labels, these come in turn,
    each with another prompt in every round.
    """
    if means:
        rounds = [(index, index // len(means)) for index in range(count)]
        turns = [prompts[(index + lap) % len(prompts)] for index, lap in rounds]
        return [Shot(text, _SEED + i, means[i % len(means)]) for i, text in enumerate(turns)]
    points = spread_points(count) * [not axis or axis == one for one in AXES]
    turns = [prompts[index % len(prompts)] for index in range(count)]
    return [Shot(text, _SEED + i, VAD(*points[i].tolist())) for i, text in enumerate(turns)]


def spread_points(count: int) -> NDArray[np.float64]:
    """(count, 3) in [-1, 1], even on every axis, axes independent: a Latin hypercube (McKay et al., 1979)."""
    rng = np.random.default_rng(_SEED)
    even = (np.arange(count) + 0.5) / max(count, 1) * 2 - 1
    return np.stack([rng.permutation(even) for _ in range(3)], axis=1)


def _put(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def prompts_of(recipe: Recipe) -> tuple[str, ...]:
    """The different prompts that a recipe's pictures show; without a file those of the medium. InputError for
    a file that is unreadable or has fewer than two."""
    path = recipe.validation_prompts
    if not path:
        return medium.of(recipe.pipeline).prompts
    found = tuple(dict.fromkeys(read_prompts(path, "validation_prompts")))
    if len(found) < 2:  # keeping a prompt is measured against the others
        raise InputError("validation_prompts", path, f"{path!r} needs at least 2 prompts, has {len(found)}")
    return found


def rows_of(recipe: Recipe) -> int:
    """Pictures rendered together: as many as the training holds in memory anyway."""
    return max(1, recipe.batch_size // recipe.gradient_accumulation)
