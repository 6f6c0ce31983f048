"""What training has to know of a medium: how examples are fitted together, and how what is made is judged.

A medium is a file of `training/media/`, found by the first word of a recipe's pipeline: `music/score` has
the medium `music`. Everything else in training is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio import catalog
from studio.emotion import NEUTRAL, VAD
from studio.errors import InputError, ModelError, nearest
from studio.ports import Example, OnStep, SetEmotion
from training.config import Recipe

# What rows of one tensor have in common: (width, height) in pixels, of clips with (, frames); (bars,).
Size = tuple[int, ...]
Fit = Callable[[Example], tuple[Example, Size]]


@dataclass(frozen=True, slots=True)
class Shot:
    """One thing to make: a picture, a piece, a clip."""

    prompt: str
    seed: int
    emotion: VAD = NEUTRAL


@dataclass(frozen=True, slots=True)
class Words:
    """How reports speak of a medium. `kept`: what too strong an adapter loses, of `lost` nothing is left."""

    one: str
    many: str
    kept: str
    lost: str
    loss: str  # what the training minimises


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. `points` (N, 3): valence, arousal, dominance, about [-1, 1]; `keeps` (N,): how much of

    what must not be lost each one keeps, on the reader's own scale; to be compared, never taken by itself.
    `motion` (N,) of what moves: how much it does."""

    points: NDArray[np.float64]
    keeps: NDArray[np.float64]
    motion: NDArray[np.float64] | None = None


class Reader(Protocol):
    """Reads what a camera took. `name` stands in reports."""

    name: str

    def read(self, made: Any, prompts: Sequence[str]) -> Reading:
        """What was made, and the prompt of each."""
        ...


class Camera(Protocol):
    """Has shots made by a pipeline, at fixed settings."""

    def take(self, shots: Sequence[Shot], set_emotion: SetEmotion | None = None) -> Any:
        """A sequence, one for each shot; without `set_emotion` the model is bare."""
        ...


class Medium(Protocol):
    """`prompts`: what is asked for when nobody says anything else, two different ones at least."""

    words: Words
    prompts: tuple[str, ...]

    def fit(self, recipe: Recipe, pipeline: Any) -> Fit:
        """What gives each example its size, and cuts it to that where need be. Raises InputError for a recipe

        that asks for sizes the model cannot do; the function itself for a broken example."""
        ...

    def camera(self, pipeline: Any, rows: int, on_step: OnStep) -> Camera: ...

    def sheet(
        self,
        made: Sequence[Any],
        across: Sequence[str],
        down: Sequence[str],
        title: str,
        axes: tuple[str, str],
    ) -> Image.Image:
        """What was made in rows, top left first. Raises ValueError when there is not one for every place."""
        ...

    def files(self, made: Sequence[Any], names: Sequence[str]) -> dict[str, bytes]:
        """What a sheet cannot hold, such as sound: file name -> content."""
        ...

    def reader(self, name: str, model: str, device: Any = "cpu") -> Reader | None:
        """The reader of that name; "" is the one that knows the model's world. None is none. ModelError."""
        ...

    def lost(self, reader: Reader, made: Any, prompts: Sequence[str]) -> Reading:
        """The reading of something that has lost all that is to be kept: the other end of its scale."""
        ...


def of(pipeline: str) -> Medium:
    """The medium of a pipeline's name. Raises NotFoundError."""
    medium: Medium = catalog.load("medium", pipeline.partition("/")[0]).Medium()
    return medium


def wants_reader(name: str, known: tuple[str, str], what: str) -> bool:
    """Whether a recipe's `reader` is the first of `known` (or ""), not the second, which is none.

    `what` it cannot read otherwise. Raises ModelError for another name.
    """
    if name and name not in known:
        near = nearest(name, known)
        raise ModelError(f"reader: {name!r} reads no {what}; {near!r} would be the nearest of {known}")
    return name != known[1]


def by_steps(example: Example, count: int, unit: str) -> tuple[Example, Size]:
    """Windows of equal length go together. Raises InputError where feelings are not one for each step."""
    felt = example.attributes.get("bars")
    if felt is not None and len(felt) != count:
        raise InputError(unit, len(felt), f"{len(felt)} feelings for {count} {unit}", str(count))
    return example, (count,)


def unfelt(_rows: Sequence[Any]) -> None:
    """The feeling of a model that wears nothing."""


def other_prompts(said: Sequence[str]) -> list[str]:
    """For every shot the prompt of another one: the next different one, the last one's is the first."""
    different = list(dict.fromkeys(said))
    return [different[(different.index(prompt) + 1) % len(different)] for prompt in said]
