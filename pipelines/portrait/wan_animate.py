"""A portrait that talks as if it had been filmed: `portrait/wan_animate`.

The same line and curve as the other portrait families. The rules of `portrait/performer` act, our renderer
moves the picture, and that clip drives Wan2.2 Animate through diffusers' own pipeline, which draws the person
anew. Needs a GPU. What the model is told of a performance is in `_wan_pose`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import _diffusers_loading as loading
from pipelines.portrait import _acting as acting
from pipelines.portrait import _filming as filming
from pipelines.portrait._rule_acting import RuleActor
from studio.errors import InputError
from studio.lazy import lazy
from studio.params import param
from studio.ports import Artifact, OnStep, SetEmotion
from studio.request import RenderRequest

if TYPE_CHECKING:
    from pipelines.portrait import _wan_animate_toys as toys
    from pipelines.portrait import _wan_filming as wan_filming
else:
    toys = lazy("pipelines.portrait._wan_animate_toys")
    wan_filming = lazy("pipelines.portrait._wan_filming")


DEFAULT_MODEL = "Wan-AI/Wan2.2-Animate-14B-Diffusers"
FAMILY = loading.Family(
    "portrait/wan_animate", "Wan2.2 Animate", ("WanAnimatePipeline",), half="bfloat16", exact=("vae",)
)
CLASSES = FAMILY.classes
INPUTS = ("image", "audio")
PROMPT_IS_TITLE = True
timeline, faces = acting.timeline, filming.faces  # what a page asks for (studio.ports.Spoken)
WITHOUT_ADAPTER = ""  # the feeling needs none
LONGEST_S = 30.0  # all frames of a clip are held in memory at once
_ACTED, _MADE = 0.01, 0.99  # of the whole, when the line is acted and when the frames are there


@dataclass(frozen=True)
class Params(filming.FilmParams, acting.LineParams):
    """What a person chooses. 640 px square is the area of 832x480, 960 that of 1280x720: what was learnt."""

    size_px: int = param(640, "width and height of the clip", min=64, max=960, step=16, unit="px")
    fps: int = param(30, "frames a second; the model learnt 30", choices=(24, 25, 30), unit="Hz")
    scene: str = param("A person is talking.", "the clip in words: light, place, style", advanced=False)
    steps: int = param(20, "denoising steps", min=1, max=100)
    guidance: float = param(
        1.0, "emphasis of scene and face; above 1 takes twice the time", min=1, max=10, step=0.5
    )
    segment: int = param(77, "frames that are made at once; the model learnt 77", min=5, max=121, step=4)
    carried: int = param(1, "last frames of a segment that the next one starts from", choices=(1, 5))


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other."""
    acting.check(request)
    asked = request.params
    if request.negative_prompt and asked.guidance <= 1:
        why = f"is heard only with guidance above 1, got {request.negative_prompt!r}"
        raise InputError("negative_prompt", request.negative_prompt, why, "guidance=2")
    if asked.segment <= 2 * asked.carried:  # which diffusers' count of segments relies on
        why = f"must be more than twice the {asked.carried} frames carried, got {asked.segment}"
        raise InputError("segment", asked.segment, why, "77")


class Pipeline(RuleActor):
    """A loaded Wan2.2 Animate, with the rules as its actor."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe  # diffusers' own pipeline

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Pipeline:
        """A folder or a hub id, safetensors only; the autoencoder stays in float32. Raises ModelError."""
        found = loading.read_pipeline(model, device, dtype, FAMILY, memory)
        return cls(loading.ready(found.pipe, found.device, found.memory))

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """Random weights at toy size, in memory: for tests and for work on the user interface."""
        return cls(loading.ready(toys.tiny(seed), "cpu"))

    @property
    def modules(self) -> Mapping[str, Any]:
        return {"transformer": self.pipe.transformer}

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Clip per request, made one after the other. Whatever `on_step` raises ends the render."""
        made: list[Artifact] = []
        for row, request in enumerate(batch):
            watch = acting.among(on_step, row, len(batch))
            face = filming.scene_of(request)  # first: a picture without a face is told before anybody acts
            take = self.take(request, set_emotion, acting.shared(watch, 0.0, _ACTED))
            _check_length(take.line.speech.length_s, request)
            making = acting.shared(watch, _ACTED, _MADE)
            scene = wan_filming.Filmed(self.pipe, face, request, take.line.moods, set_emotion, making)
            made.append(filming.film(take, scene, request, acting.shared(watch, _MADE, 1.0)))
        return made


def _check_length(length_s: float, request: RenderRequest) -> None:
    if length_s > LONGEST_S:
        field = "inputs.audio" if "audio" in dict(request.inputs) else "say"
        why = f"takes {length_s:.1f} s; a clip of this family has at most {LONGEST_S:g}: make several"
        raise InputError(field, f"{length_s:.1f} s", why)
