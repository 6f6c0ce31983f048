"""Clips that a run is looked at by: short ones at fixed seeds, shown as rows of frames, read frame by frame.

They are rendered through the pipeline's own `render`, so what is seen is what a person would get. What a clip
feels is the mean of what a reader of pictures finds in its frames; how much it moves is measured beside it,
for a reader of pictures sees none of it. Knows a pipeline by its contract and clips as arrays; knows no
adapter and no recipe.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio import params, video_files
from studio.emotion import Emotion, EmotionCurve
from studio.ports import OnStep, SetEmotion
from studio.request import RenderRequest
from training.medium import Reader, Reading, Shot, unfelt
from training.pictures import STEPS

FRAMES = 8  # enough for a motion to be seen
ROWS = 4  # clips rendered together
SHOWN = 4  # frames of a clip on a sheet
SHOWN_PX = 72  # longer side of each
Clips = NDArray[np.uint8]  # (N, T, H, W, 3)


class Camera:
    """Films shots with a pipeline at its own size and rate, `rows` at a time: FRAMES frames, STEPS steps."""

    def __init__(self, pipeline: Any, rows: int = ROWS, on_step: OnStep = lambda step: None) -> None:
        """`on_step` hears of every denoising step; whatever it raises ends the filming."""
        self._pipeline, self._rows, self._on_step = pipeline, max(1, min(rows, ROWS)), on_step
        family = sys.modules[type(pipeline).__module__]
        usual = {spec.name: spec.default for spec in params.specs(family.Params)}
        self.rate_hz = float(usual["fps"])
        short = {"length_s": FRAMES / self.rate_hz, "steps": min(STEPS, usual["steps"] or STEPS)}
        self._params = params.build(family.Params, short)

    def take(self, shots: Sequence[Shot], set_emotion: SetEmotion | None = None) -> Clips:
        """(N, T, H, W, 3); without `set_emotion` the model is bare."""
        feel = set_emotion or unfelt
        made: list[Clips] = []
        for start in range(0, len(shots), self._rows):
            requests = [self._request(shot) for shot in shots[start : start + self._rows]]
            made += [frames_of(clip) for clip in self._pipeline.render(requests, feel, self._on_step)]
        return np.stack(made)

    def _request(self, shot: Shot) -> RenderRequest:
        """Not parsed: a model in training has no name that could be looked up."""
        curve = EmotionCurve.constant(Emotion(shot.emotion))
        return RenderRequest("", "", shot.prompt, "", curve, shot.seed, (), self._params)


class FilmReader:
    """What a reader of pictures finds in the frames of a clip, on the average, and how much it moves."""

    def __init__(self, reader: Reader) -> None:
        self.name = reader.name
        self._reader = reader

    def read(self, made: Clips, prompts: Sequence[str]) -> Reading:
        count, length = made.shape[:2]
        said = [prompt for prompt in prompts for _ in range(length)]
        found = self._reader.read(made.reshape(count * length, *made.shape[2:]), said)
        points = found.points.reshape(count, length, 3).mean(axis=1)
        keeps = found.keeps.reshape(count, length).mean(axis=1)
        return Reading(points, keeps, np.array([motion(one) for one in made]))


def frames_of(clip: Any) -> Clips:
    """(T, H, W, 3) of a `studio.artifacts.Clip` that is short enough for all its frames to be kept aside, as

    they were before they were encoded. Its file is no longer needed and goes."""
    kept = [np.asarray(still.picture) for still in clip.recording.stills]
    clip.recording.discard()
    return np.stack(kept)


def motion(frames: Clips) -> float:
    """How much a clip (T, H, W, 3) moves: mean difference of neighbouring frames, 1 from black to white."""
    if len(frames) < 2:
        return 0.0
    return float(np.abs(np.diff(frames.astype(np.float32), axis=0)).mean() / 255)


def strip(frames: Clips) -> NDArray[np.uint8]:
    """A row of SHOWN frames, from the first to the last, small."""
    chosen = np.linspace(0, len(frames) - 1, min(SHOWN, len(frames))).round().astype(int)
    small = []
    for index in chosen:
        picture = Image.fromarray(frames[index])
        picture.thumbnail((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS)
        small.append(np.asarray(picture))
    return np.concatenate(small, axis=1)


def mp4(frames: Clips, rate_hz: float) -> bytes:
    """A clip as a file that every player opens. Raises StorageError."""
    with tempfile.TemporaryDirectory(prefix="emotion-studio-") as folder:
        path = Path(folder) / "clip.mp4"
        video_files.record(iter(frames), rate_hz, path)
        return path.read_bytes()
