"""Performances that a run is judged by: lines spoken plainly, moved by a model, read by the muscles shown.

A feeling is read as the point whose face, by the table of action units, is nearest to the one shown: that is
how the performer was told to look, so it says how well a model has learnt it, not how people see it. Knows a
family by its `pipe`; knows no adapter and no recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait._motion_sampling import Line, Way
from pipelines.portrait._performer import perform
from pipelines.portrait._speech import speak
from studio import muscles
from studio.emotion import NEUTRAL, EmotionCurve
from studio.motion import INDEX, RATE_HZ, SHAPES, Motion
from studio.ports import OnStep, SetEmotion, Step
from studio.speech import Speech
from training.medium import Reading, Shot, unfelt

MUSCLES, NONE = "muscles", "none"
LINES = (
    "We were going to meet by the old bridge before noon.",
    "Nobody has opened that window for months.",
    "Put both of the boxes on the table, please.",
    "My father will probably arrive on the five o'clock bus.",
)
_TICKS = np.linspace(-1, 1, 9)
_SHARP = 0.15  # of the likeness of faces, in ARKit weights: how near counts as near
_ROW_PX = 3
_PAPER, _INK = np.array([244, 245, 248]), np.array([190, 60, 30])
# What words need says nothing of a feeling.
_SPOKEN = ("jaw", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthPress", "eyeLook", "tongue")
_FELT = np.array([not name.startswith(_SPOKEN) for name in SHAPES])


class Performed(NamedTuple):
    """What was said, and the motion that a model gave it."""

    speech: Speech
    motion: Motion


class Camera:
    """Has shots performed; a shot's prompt is what is said, by a voice without feeling."""

    def __init__(self, pipeline: Any, on_step: OnStep = lambda step: None) -> None:
        """`on_step` hears of every step; whatever it raises ends the performing."""
        self._pipeline, self._on_step = pipeline, on_step

    def take(self, shots: Sequence[Shot], set_emotion: SetEmotion | None = None) -> list[Performed]:
        feel = set_emotion or unfelt
        return [self._performed(shot, feel) for shot in shots]

    def _performed(self, shot: Shot, feel: SetEmotion) -> Performed:
        speech, sound = _said(shot.prompt)
        line = Line(sound, [shot.emotion] * len(sound))
        generator = torch.Generator().manual_seed(shot.seed)
        rows = self._pipeline.pipe(
            line, generator, Way(), feel, lambda done, total: self._on_step(Step(done, total))
        )
        return Performed(speech, channels.motion_of(rows))


class MuscleReader:
    """Feelings by the muscles shown; `keeps` is how lips move with the words, as the performer's do."""

    name = MUSCLES

    def read(self, made: Sequence[Performed], prompts: Sequence[str]) -> Reading:
        points = [_nearest(one.motion.weights.mean(axis=0)) for one in made]
        keeps = [_agreement(one) for one in made]
        return Reading(np.array(points), np.array(keeps))


def displaced(made: Sequence[Performed]) -> list[Performed]:
    """The same motions, each half its length late: what is left when lips no longer follow the words."""
    found = []
    for one in made:
        parts = (one.motion.weights, one.motion.head, one.motion.gaze)
        late = (np.roll(part, len(part) // 2, axis=0) for part in parts)
        found.append(Performed(one.speech, Motion(*late, one.motion.rate_hz)))
    return found


def strip(one: Performed) -> NDArray[np.uint8]:
    """(height, frames, 3): a row a shape, from white (0) to red (1)."""
    weights = one.motion.weights.T[..., None]
    picture = _PAPER * (1 - weights) + _INK * weights
    return np.repeat(picture, _ROW_PX, axis=0).astype(np.uint8)


@cache
def _said(text: str) -> tuple[Speech, hearing.Array]:
    speech = speak(text, EmotionCurve.constant(NEUTRAL))
    return speech, hearing.features(speech)


@cache
def _unfelt_opening(text: str) -> NDArray[np.float64]:
    speech, sound = _said(text)
    return _opening(perform(speech, [NEUTRAL] * len(sound), 0, rate_hz=RATE_HZ))


def _opening(motion: Motion) -> NDArray[np.float64]:
    return np.asarray(motion.column("jawOpen") - motion.column("mouthClose"), dtype=np.float64)


def _agreement(one: Performed) -> float:
    """Correlation of the mouth's opening with that of an unfelt performance by the rules; 0 if still."""
    opening = _opening(one.motion)
    if opening.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(opening, _unfelt_opening(one.speech.text))[0, 1])


@cache
def _faces() -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Points (n, 3) all over the cube, and what is felt in the face of each (n, shapes)."""
    points = np.stack(np.meshgrid(_TICKS, _TICKS, _TICKS), axis=-1).reshape(-1, 3)
    shapes = muscles.shapes_of(muscles.track(points.astype(np.float32)), lean=0.0)
    return points, shapes[:, _FELT]


def _nearest(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """The point whose face is most like the mean `weights` (52,); between several their mean."""
    points, faces = _faces()
    distance = np.linalg.norm(faces - _even(weights)[_FELT], axis=1)
    share = np.exp(-((distance - distance.min()) / _SHARP))
    return np.asarray(share @ points / share.sum())


def _even(weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Both sides as the stronger one: a leaning face feels no less."""
    other = [INDEX[_mirrored(name)] for name in SHAPES]
    return np.maximum(weights, weights[other])


def _mirrored(name: str) -> str:
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    return name.removesuffix("Right") + "Left" if name.endswith("Right") else name
