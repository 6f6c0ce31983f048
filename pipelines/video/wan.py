"""Clips with Wan 2.1 and 2.2 (Apache-2.0), through diffusers' own pipelines: `video/wan`.

From text, from a start picture, between two pictures, from another clip; which of them, the model says. Of
Wan 2.2 A14B's two networks one makes the first, noisy steps and the other the rest: both are adapted and both
are told what is felt. Latent frames cover four frames each. Needs a GPU. This file knows no adapter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import _diffusers_loading as loading
from pipelines import _guided_passes as passes
from pipelines.video import _filming as filming
from pipelines.video import _transformer_clips as clips
from pipelines.video import _wan_models as models
from pipelines.video._timing import FrameRule
from pipelines.video._wan_training import WanTraining
from studio.errors import InputError
from studio.lazy import lazy
from studio.params import param
from studio.request import RenderRequest

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.video import _wan_toys as toys
    from pipelines.video import _wan_vae as wan_vae
else:
    toys, wan_vae = lazy("pipelines.video._wan_toys"), lazy("pipelines.video._wan_vae")

DEFAULT_MODEL = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
FAMILY = loading.Family(
    "video/wan",
    "Wan 2.1 and 2.2",
    ("WanPipeline", "WanImageToVideoPipeline", "WanVideoToVideoPipeline"),
    half="bfloat16",
    exact=("vae",),
    as_named=True,
)
CLASSES = FAMILY.classes
INPUTS = ("image", "last_image", "video")
RULE = FrameRule(step=4, most=121)  # of what the models learnt 81 frames, TI2V-5B 121


@dataclass(frozen=True)
class Params(filming.ClipParams):
    """What a person chooses."""

    fps: int = param(16, "frames a second; the models learnt 16, TI2V-5B 24", min=1, max=60, unit="Hz")
    steps: int = param(40, "denoising steps; few are enough for distilled models", min=1, max=100)
    width: int | None = param(None, "width; empty is the model's own", min=64, max=1920, step=16, unit="px")
    height: int | None = param(None, "height; empty is the model's own", min=64, max=1920, step=16, unit="px")
    guidance_2: float | None = param(
        None, "guidance of A14B's second network; empty is as the first", min=0, max=30, step=0.5
    )
    shift: float | None = param(
        None, "lean of the steps towards noise; empty is 3 for 480p and 5 above", min=1, max=20, step=0.5
    )


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other; the model itself refuses more."""
    clips.check(request, RULE)
    second = request.params.guidance_2
    if second is not None and "video" in dict(request.inputs):
        why = "a clip that is drawn anew has one guidance for both networks; leave it out, or set guidance"
        raise InputError("guidance_2", second, why)


class Pipeline(WanTraining, clips.TransformerClips):
    """A loaded Wan."""

    family, frame_rule = FAMILY, RULE

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """Random weights at toy size, in memory: for tests and for work on the user interface."""
        return cls(loading.ready(toys.from_text(seed), "cpu"), toys.SIZE_PX)

    @property
    def traits(self) -> models.Traits:
        return models.traits(self.pipe)

    @property
    def networks(self) -> list[Any]:
        second = self.pipe.components.get("transformer_2")
        return [self.pipe.transformer, *([second] if second is not None else [])]

    @property
    def multiple(self) -> int:
        return self.traits.multiple

    def _own_size(self) -> tuple[int, int]:
        return self.traits.size

    def refuse(self, request: RenderRequest) -> None:
        """Raise InputError for what this model cannot do."""
        can, files = self.traits, dict(request.inputs)
        if can.needs_image and "image" not in files:
            why = "this model starts from a picture; name one, or take a text-to-video model"
            raise InputError("inputs.image", None, why, DEFAULT_MODEL)
        for name, able, other in (
            ("video", can.takes_video, DEFAULT_MODEL),
            ("image", can.takes_image, "Wan-AI/Wan2.2-TI2V-5B-Diffusers"),
            ("last_image", can.takes_last_image, "Wan-AI/Wan2.2-I2V-A14B-Diffusers"),
        ):
            if name in files and not able:
                raise InputError(f"inputs.{name}", files[name], "this model takes none; another does", other)
        _check_ends(request, can)
        if request.params.guidance_2 is not None and not can.two:
            why = "this model has one network; leave it out"
            raise InputError("guidance_2", request.params.guidance_2, why)

    def task(self, plan: clips.Plan) -> clips.Task:
        asked, files = plan.request.params, dict(plan.request.inputs)
        build, inputs = models.from_text, {"num_frames": plan.count, **self._second_guidance(plan)}
        if "video" in files:
            build, inputs = models.from_video, {"video": plan.video(), "strength": asked.strength}
        elif "image" in files:
            build, inputs = models.from_picture, {**inputs, **_pictures(plan)}
        scale = self._guidance(plan)
        arguments = {**plan.asked(scale), **inputs}
        turns = passes.one_after_the_other(plan.feeling, guided=scale > 1)
        return clips.Task(build(self.pipe, self._shift(plan)), arguments, turns)

    def latents(self, made: Tensor, plan: clips.Plan) -> Tensor:
        return made

    def decoded(self, latents: Tensor, generator: Any) -> Iterator[Tensor]:
        return wan_vae.decoded(self.pipe.vae, latents)

    def details(self, plan: clips.Plan) -> dict[str, Any]:
        second = self._second_guidance(plan)
        named = {"guidance_2": second["guidance_scale_2"]} if second else {}
        return {"guidance": self._guidance(plan), **named, "shift": self._shift(plan)}

    def _guidance(self, plan: clips.Plan) -> float:
        return clips.guided_by(plan.request, self.traits.guidance[0])

    def _second_guidance(self, plan: clips.Plan) -> dict[str, float]:
        """Of two networks: what is asked, else that of the first where it is asked, else the model's own.

        None for a clip that is drawn anew: diffusers' pipeline of those has one for both."""
        if not self.traits.two or "video" in dict(plan.request.inputs):
            return {}
        asked = plan.request.params
        own = self.traits.guidance[1] if asked.guidance is None else asked.guidance
        return {"guidance_scale_2": own if asked.guidance_2 is None else asked.guidance_2}

    def _shift(self, plan: clips.Plan) -> float:
        asked: float | None = plan.request.params.shift
        return models.shift_for(plan.size) if asked is None else asked


def _pictures(plan: clips.Plan) -> dict[str, Any]:
    """Start and end; a loop ends where it starts."""
    first, files = plan.picture("image"), dict(plan.request.inputs)
    if plan.request.params.loop:
        return {"image": first, "last_image": first}
    return {"image": first, **({"last_image": plan.picture("last_image")} if "last_image" in files else {})}


def _check_ends(request: RenderRequest, can: models.Traits) -> None:
    loop, ends = request.params.loop, "last_image" in dict(request.inputs)
    if loop and not can.takes_last_image:
        why = "this model takes no end picture, which a loop needs; another does"
        raise InputError("loop", loop, why, "Wan-AI/Wan2.2-I2V-A14B-Diffusers")
    if can.needs_last_image and not (ends or loop):
        why = "this model goes from a start picture to an end picture; name one, or loop"
        raise InputError("inputs.last_image", None, why)
