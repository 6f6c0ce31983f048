"""How long a clip takes, beside diffusers' own pipeline with the same files, steps, guidance and frames."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import AnimateDiffPipeline, DPMSolverMultistepScheduler, MotionAdapter

from benchmarks import _report
from benchmarks import _video_clips as clips
from benchmarks._video_clips import Wish
from pipelines._loading import torch_device, torch_dtype
from pipelines.video import animatediff
from studio.artifacts import Clip
from studio.catalog import find_model
from studio.request import RenderRequest

LENGTH_S, ROUNDS = 4.0, 2
WINDOW, STRIDE = 16, 12  # frames of the plain way's windows; ours overlap by the same four


def figures(wish: Wish, adapter: str, motion: str = "") -> _report.Figures:
    """Median seconds; both sides take turns, so that a busy machine slows both. The first turn warms up.

    Ours is the whole way from a request to an encoded clip; the plain way ends with its frames.
    """
    asked = clips.request(wish, wish.curve, adapter, LENGTH_S, motion)
    clip = clips.studio().make([asked])[0]
    assert isinstance(clip, Clip)
    draw = plain_way(asked, float(clip.details["guidance"]))
    draw()
    mine, theirs = [], []
    for _ in range(ROUNDS):
        mine.append(_seconds(lambda: clips.studio().make([asked])))
        theirs.append(_seconds(draw))
    ours, plain = statistics.median(mine), statistics.median(theirs)
    return {"seconds_per_4s_clip": ours, "seconds_per_4s_clip_plain": plain, "speed_ratio": plain / ours}


def plain_way(asked: RenderRequest, guidance: float) -> Callable[[], Any]:
    """diffusers alone, with the files, on the device and in the number type of ours. What it returns makes
    the frames, (1, T, H, W, 3) in [0, 1]."""
    chosen = clips.studio().settings
    device = torch_device(chosen.device)
    kind = torch_dtype(chosen.dtype, device)
    (folder,) = animatediff.weights(asked)
    motion = MotionAdapter.from_pretrained(folder, dtype=kind)
    pipe = AnimateDiffPipeline.from_pretrained(find_model(clips.MODEL), motion_adapter=motion, dtype=kind)
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    pipe.to(device).enable_free_noise(context_length=WINDOW, context_stride=STRIDE)
    side = pipe.unet.config.sample_size * pipe.vae_scale_factor
    params = asked.params

    def draw() -> Any:
        return pipe(
            asked.prompt,
            num_frames=round(params.length_s * params.fps),
            width=side,
            height=side,
            num_inference_steps=params.steps,
            guidance_scale=guidance,
            generator=torch.Generator().manual_seed(asked.seed),
            output_type="np",
        ).frames

    return draw


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
