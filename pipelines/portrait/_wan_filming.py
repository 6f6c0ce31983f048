"""A performance filmed by Wan-Animate: our moving picture drives diffusers' pipeline, which draws a person.

Knows the model's pipeline, segments and previews; it knows neither speech nor how motion comes about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pipelines import _guided_passes as passes
from pipelines import _placement as placement
from pipelines.portrait import _acting as acting
from pipelines.portrait import _wan_pose as pose
from pipelines.portrait._face_crop import Pixels
from studio.emotion import VAD
from studio.lazy import lazy
from studio.motion import Motion
from studio.ports import OnStep, SetEmotion, Step
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pipelines.portrait._face_warp import Face
else:
    torch = lazy("torch")

MODE = "animate"  # the picture's own background; the other one puts a person into a film
_DRIVING = 0.04  # share of the time until the frames are there that driving takes, about


@dataclass(frozen=True, slots=True, eq=False)
class Driving:
    """What the model follows. `picture`: who is seen; of each frame `poses`, stick figures, and `faces`."""

    picture: Image.Image
    poses: list[Image.Image]
    faces: list[Image.Image]


def driving(face: Face, motion: Motion, face_px: int, on_step: OnStep) -> Driving:
    """Our own clip of a face as the model wants it: `face_px` is the side of its pictures of the face."""
    poses, faces = [], []
    for frame, points in zip(face.frames(motion), face.places(motion), strict=True):
        poses.append(_image(pose.drawing(pose.joints(face.landmarks, points), face.size_px)))
        faces.append(_image(pose.face_of(frame, points, face_px)))
        on_step(Step(len(faces), len(motion)))
    size = (face.size_px, face.size_px)
    return Driving(_image(face.still).resize(size, Image.Resampling.BOX), poses, faces)


class Filmed:
    """A face before the model's camera, in the place of a `Face`: `frames` shows a motion.

    `set_emotion` is told the mean of `moods` (one a frame of the speech) over each segment; the unguided pass
    of guidance is NEUTRAL. Whatever `on_step` raises ends the work within a denoising step.
    """

    def __init__(
        self,
        pipe: Any,
        face: Face,
        request: RenderRequest,
        moods: Sequence[VAD],
        set_emotion: SetEmotion,
        on_step: OnStep,
    ) -> None:
        self._pipe, self._face, self._request = pipe, face, request
        self._moods, self._on_step = moods, on_step
        self._passes = passes.Passes([], set_emotion)

    def frames(self, motion: Motion) -> Iterator[Pixels]:
        """(size, size, 3) uint8 RGB for each frame of the motion; all are made before the first comes."""
        face_px = int(self._pipe.transformer.config.motion_encoder_size)
        watch = acting.shared(self._on_step, 0.0, _DRIVING)
        drawn = driving(self._face, motion, face_px, watch)
        made = self._made(drawn, acting.shared(self._on_step, _DRIVING, 1.0))
        yield from np.round(made * 255).astype(np.uint8)

    def _made(self, drawn: Driving, on_step: OnStep) -> Any:
        """(frames, size, size, 3) in [0, 1]."""
        length, asked = len(drawn.poses), self._request.params
        segments = Segments(length, asked.segment, asked.carried)
        self._feel(segments, 0)
        try:
            with self._passes.over([self._pipe.transformer]):
                found = self._pipe(
                    drawn.picture,
                    segments.filled(drawn.poses),
                    segments.filled(drawn.faces),
                    callback_on_step_end=partial(self._stepped, segments, on_step),
                    **arguments(self._request),
                )
        finally:
            placement.rest(self._pipe)
        return found.frames[0][:length]

    def _stepped(
        self, segments: Segments, on_step: OnStep, pipe: Any, number: int, time: Any, tensors: Any
    ) -> dict[str, Any]:
        """Called by diffusers after each step; counts segments by how often the last step comes."""
        steps = self._request.params.steps
        on_step(Step(segments.done * steps + number + 1, segments.count * steps, self._preview()))
        if number + 1 == len(pipe.scheduler.timesteps):
            segments.done += 1
            if segments.done < segments.count:
                self._feel(segments, segments.done)
        return {}

    def _feel(self, segments: Segments, number: int) -> None:
        first, stop = segments.share(number)
        start = min(int(first * len(self._moods)), len(self._moods) - 1)
        felt = self._moods[start : max(start + 1, int(stop * len(self._moods)))]
        points = np.array([(mood.valence, mood.arousal, mood.dominance) for mood in felt])
        mood = VAD(*(round(float(value), 9) for value in points.mean(axis=0)))
        self._passes.turns = passes.one_after_the_other(mood, guided=self._request.params.guidance > 1)

    def _preview(self) -> Any:
        """How the start of the segment looks by now; None where decoding would send the network away."""
        guesses = getattr(self._pipe.scheduler, "model_outputs", None)
        if not guesses or guesses[-1] is None or hasattr(self._pipe.vae, "_hf_hook"):
            return None
        return partial(decoded, self._pipe, guesses[-1][:, :, 1:2])  # the first frame is the picture's


class Segments:
    """How `length` frames are made piece by piece; each starts with the last `carried` of the one before.

    `done` counts those that are made.
    """

    def __init__(self, length: int, size: int, carried: int) -> None:
        self.length, self.carried, self.new = length, carried, size - carried
        self.count = max(1, -(-(length - carried) // self.new))
        self.done = 0

    def filled(self, frames: list[Image.Image]) -> list[Image.Image]:
        """Frames, the last one repeated where there are too few to start; the pipeline fills the rest."""
        return frames + [frames[-1]] * (self.carried + 1 - len(frames))

    def share(self, number: int) -> tuple[float, float]:
        """Where a segment begins and ends, as shares of the whole."""
        start = number * self.new
        return start / self.length, min(1.0, (start + self.new + self.carried) / self.length)


def arguments(request: RenderRequest) -> dict[str, Any]:
    """What the pipeline is asked besides what drives it."""
    asked = request.params
    return {
        "prompt": asked.scene,
        "negative_prompt": request.negative_prompt or None,
        "height": asked.size_px,
        "width": asked.size_px,
        "segment_frame_length": asked.segment,
        "num_inference_steps": asked.steps,
        "mode": MODE,
        "prev_segment_conditioning_frames": asked.carried,
        "guidance_scale": asked.guidance,
        "generator": torch.Generator().manual_seed(request.seed),  # of the CPU: the same on every device
        "callback_on_step_end_tensor_inputs": [],
    }


def decoded(pipe: Any, latents: Tensor) -> list[Image.Image]:
    """The first frame of latents (1, C, T, h, w)."""
    vae = pipe.vae
    shape = (1, -1, 1, 1, 1)
    mean, spread = (
        torch.tensor(values).view(shape).to(latents)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    with torch.no_grad():
        frames = vae.decode((latents * spread + mean).to(vae.dtype), return_dict=False)[0]
    return [pipe.video_processor.postprocess_video(frames, output_type="pil")[0][0]]


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels)
