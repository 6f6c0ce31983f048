"""Clips with LTX-Video, through diffusers' own pipelines: `video/ltx`.

From text, from a start picture; since version 0.9.5 also between two pictures and from another clip. Latent
frames cover eight frames each. Needs a GPU. This file knows no adapter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines import _diffusers_loading as loading
from pipelines import _guided_passes as passes
from pipelines.video import _filming as filming
from pipelines.video import _ltx_models as models
from pipelines.video import _transformer_clips as clips
from pipelines.video._ltx_training import LtxTraining
from pipelines.video._timing import FrameRule
from studio.emotion import VAD
from studio.errors import InputError
from studio.lazy import lazy
from studio.params import param
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pipelines.video import _ltx_toys as toys
else:
    torch, toys = lazy("torch"), lazy("pipelines.video._ltx_toys")

DEFAULT_MODEL = "Lightricks/LTX-Video-0.9.5"
FAMILY = loading.Family(
    "video/ltx",
    "LTX-Video",
    ("LTXPipeline", "LTXImageToVideoPipeline", "LTXConditionPipeline"),
    half="bfloat16",
)
CLASSES = FAMILY.classes
INPUTS = ("image", "last_image", "video")
RULE = FrameRule(step=8, most=257)  # what its makers advise not to go beyond


@dataclass(frozen=True)
class Params(filming.ClipParams):
    """What a person chooses."""

    fps: int = param(24, "frames a second; the models learnt 24 to 30", min=1, max=60, unit="Hz")
    steps: int = param(40, "denoising steps; few are enough for distilled models", min=1, max=100)
    width: int | None = param(None, "width; empty is the model's own", min=64, max=1920, step=32, unit="px")
    height: int | None = param(None, "height; empty is the model's own", min=64, max=1920, step=32, unit="px")


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other; the model itself refuses more."""
    clips.check(request, RULE)


class Pipeline(LtxTraining, clips.TransformerClips):
    """A loaded LTX-Video."""

    family, frame_rule = FAMILY, RULE

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """Random weights at toy size, in memory: for tests and for work on the user interface."""
        return cls(loading.ready(toys.tiny(seed), "cpu"), toys.SIZE_PX)

    @property
    def networks(self) -> list[Any]:
        return [self.pipe.transformer]

    @property
    def multiple(self) -> int:
        return int(self.pipe.vae_spatial_compression_ratio * self.pipe.transformer.config.patch_size)

    def _own_size(self) -> tuple[int, int]:
        return models.SIZE_PX

    def refuse(self, request: RenderRequest) -> None:
        """Raise InputError for what this model cannot do."""
        if models.takes_keys(self.pipe):
            return
        files = dict(request.inputs)
        for name in ("video", "last_image"):
            if name in files:
                why = "this model takes a start picture alone; newer ones take more"
                raise InputError(f"inputs.{name}", files[name], why, DEFAULT_MODEL)
        if request.params.loop:
            why = "this model takes no end picture, which a loop needs; newer ones do"
            raise InputError("loop", True, why, DEFAULT_MODEL)

    def task(self, plan: clips.Plan) -> clips.Task:
        files, asked = dict(plan.request.inputs), plan.request.params
        build, inputs, beside = models.from_text, {}, 0
        if "video" in files:
            inputs = {"latents": self._encoded(plan), "denoise_strength": asked.strength}
        elif "image" in files:
            build, (inputs, beside) = models.from_pictures, self._pictures(plan)
        scale = self._guidance(plan)
        arguments = {
            **plan.asked(scale),
            "num_frames": plan.count,
            "frame_rate": asked.fps,
            "max_sequence_length": self.reader[1],
            **inputs,
        }
        feeling = plan.feeling
        if beside and not isinstance(feeling, VAD):  # an end's tokens stand in front, and feel the end
            feeling = [*feeling[-1:] * beside, *feeling]
        return clips.Task(build(self.pipe), arguments, passes.side_by_side(feeling, guided=scale > 1))

    def _pictures(self, plan: clips.Plan) -> tuple[dict[str, Any], int]:
        """What the pipeline is given of start and end, and how many latent frames come in front."""
        first = plan.picture("image")
        if not models.takes_keys(self.pipe):
            return {"image": first}, 0
        last = first if plan.request.params.loop else None
        if "last_image" in dict(plan.request.inputs):
            last = plan.picture("last_image")
        ends = [(first, 0), *([(last, plan.count - 1)] if last is not None else [])]
        return {"conditions": [models.condition(*end) for end in ends]}, len(ends) - 1

    def _encoded(self, plan: clips.Plan) -> Tensor:
        frames = np.stack([np.asarray(frame) for frame in plan.video()])
        pixels = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
        return models.encoded(self.pipe.vae, pixels)

    def latents(self, made: Tensor, plan: clips.Plan) -> Tensor:
        if made.ndim == 5:
            return made
        return models.unpacked(self.pipe, made, models.latent_shape(self.pipe, plan.size, plan.count))

    def decoded(self, latents: Tensor, generator: Any) -> Iterator[Tensor]:
        yield models.decoded(self.pipe, latents, generator)

    def details(self, plan: clips.Plan) -> dict[str, Any]:
        return {"guidance": self._guidance(plan)}

    def _guidance(self, plan: clips.Plan) -> float:
        return clips.guided_by(plan.request, models.GUIDANCE)
