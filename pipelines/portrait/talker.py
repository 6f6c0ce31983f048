"""A portrait that talks, acted by the motion model: `portrait/talker`.

Words or a recording and an emotion curve in, an MP4 with sound out. A diffusion model over 52 blend shapes,
head and gaze acts; adapters reach it through `modules`, with one emotion a frame; the portrait is a picture
with landmarks, warped.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.portrait import _acting as acting
from pipelines.portrait import _filming as filming
from pipelines.portrait import _model_acting as model_acting
from studio.request import RenderRequest

DEFAULT_MODEL = model_acting.DEFAULT_MODEL
CLASSES = model_acting.CLASSES
INPUTS = ("image", "audio")
PROMPT_IS_TITLE = True
# What a page asks for: studio.ports.Spoken.
timeline, voices, faces = acting.timeline, acting.voices, filming.faces
WITHOUT_ADAPTER = "moves only the voice"  # whose prosody is a rule, and no model's


@dataclass(frozen=True)
class Params(model_acting.ModelParams, filming.FilmParams, acting.LineParams):
    """What a person chooses."""


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other."""
    acting.check(request)


class Pipeline(model_acting.ModelActor, filming.Filming):
    """A loaded actor with a camera before it."""
