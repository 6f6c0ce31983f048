"""A pipeline at toy size and short ways to ask it for arrays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio import catalog, params
from studio.emotion import NEUTRAL, VAD, Emotion, EmotionCurve
from studio.ports import Example, OnStep, SetEmotion, Step
from studio.request import RenderRequest

ROUNDING = 2  # of 255: how far a row may move in another batch
HAPPY, AFRAID = VAD(0.8, 0.5, 0.3), VAD(-0.7, 0.7, -0.5)
PICTURES = [name for name in catalog.names("pipeline") if name.startswith("image/")]
CLIPS = [name for name in catalog.names("pipeline") if name.startswith("video/")]
CLIP_S = 0.3  # enough for five frames at 16 Hz


def unfelt(_rows: Any) -> None:
    pass


def unwatched(_step: Step) -> None:
    pass


@dataclass
class Stage:
    """One family, its pipeline at toy size, and settings that every request starts from."""

    name: str
    pipeline: Any
    settings: Any

    def request(self, curve: VAD | EmotionCurve = NEUTRAL, seed: int = 1, **changes: Any) -> RenderRequest:
        curve = curve if isinstance(curve, EmotionCurve) else EmotionCurve.constant(curve)
        fields = {"prompt": "a harbour at dusk", "negative_prompt": "", **changes}
        chosen = {
            name: fields.pop(name) for name in list(fields) if name not in ("prompt", "negative_prompt")
        }
        settings = dataclasses.replace(self.settings, **chosen)
        return RenderRequest(
            self.name, "tiny", curve=curve, seed=seed, adapters=(), params=settings, **fields
        )

    @property
    def moves(self) -> bool:
        """Whether the family makes clips, not pictures."""
        return self.name in CLIPS

    def has(self, parameter: str) -> bool:
        return parameter in {spec.name for spec in params.specs(type(self.settings))}

    @property
    def guided(self) -> dict[str, float]:
        """Settings under which the negative prompt is heard."""
        return {"true_guidance" if self.has("true_guidance") else "guidance": 4.0}

    def render(
        self, *requests: RenderRequest, feel: SetEmotion = unfelt, watch: OnStep = unwatched
    ) -> list[np.ndarray]:
        """(H, W, 3) of each picture, (T, H, W, 3) of each clip as it was before it was encoded."""
        artifacts = self.pipeline.render(requests, feel, watch)
        return [_frames(one) if self.moves else np.asarray(one.image).astype(int) for one in artifacts]


def staged(name: str, **changes: Any) -> Stage:
    """A family at toy size with settings that are quick."""
    module = catalog.load("pipeline", name)
    quick = {"steps": 4, **({"length_s": CLIP_S} if name in CLIPS else {}), **changes}
    return Stage(name, module.Pipeline.tiny(0), params.build(module.Params, quick))


def _frames(clip: Any) -> np.ndarray:
    kept = [np.asarray(still.picture).astype(int) for still in clip.recording.stills]
    clip.recording.discard()
    return np.stack(kept)


def moved(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one - other).max())


def examples(count: int = 3, frames: int | None = None) -> list[Example]:
    """Pictures, or clips of so many frames."""
    shape = (count, 80, 70, 3) if frames is None else (count, frames, 80, 70, 3)
    media = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    return [Example(one, f"picture {number}", Emotion(NEUTRAL), {}) for number, one in enumerate(media)]
