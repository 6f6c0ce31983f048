"""Facial motion for other tools, acted by the motion model: `portrait/rig`.

The same acting as portrait/talker, without a picture: ARKit weights, head and gaze as files for engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.portrait import _acting as acting
from pipelines.portrait import _model_acting as model_acting
from studio import motion_files
from studio.params import param
from studio.performance import Performance
from studio.ports import Artifact, OnStep, SetEmotion
from studio.request import RenderRequest

DEFAULT_MODEL = model_acting.DEFAULT_MODEL
CLASSES = model_acting.CLASSES
INPUTS = ("audio",)
PROMPT_IS_TITLE = True
timeline, voices = acting.timeline, acting.voices  # what a page asks for: studio.ports.Spoken
WITHOUT_ADAPTER = "moves only the voice"


@dataclass(frozen=True)
class Params(model_acting.ModelParams, acting.LineParams):
    """What a person chooses."""

    format: str = param("gltf", "of the main file", choices=tuple(motion_files.FORMATS), advanced=False)
    fps: int = param(30, "frames a second", choices=(24, 25, 30, 50, 60), unit="Hz")


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other."""
    acting.check(request)


class Pipeline(model_acting.ModelActor):
    """A loaded actor."""

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Performance per request. Whatever `on_step` raises ends the render."""
        made: list[Artifact] = []
        for row, request in enumerate(batch):
            take = self.take(request, set_emotion, acting.among(on_step, row, len(batch)))
            motion = take.motion.at_rate(float(request.params.fps))
            line = take.line
            made.append(
                Performance(
                    motion, line.speech, request.params.format, details=take.details, notes=line.notes
                )
            )
        return made
