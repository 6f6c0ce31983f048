"""The embedded motion adapter `video-tiny` and its emotion adapter `vad-video`, as they are shipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AnimateDiffPipeline, MotionAdapter

from studio.catalog import ASSETS, default_adapters, find_model
from studio.render import Studio
from studio.request import RenderRequest
from training.embedded.readers import PictureReader
from training.filmed import frames_of, motion

FAMILY = "video/animatediff"
PROMPTS = ("waves at sea", "a tree in a field", "a portrait of a woman", "a walker in a city")


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


def clips(studio: Studio, emotion: str, count: int = 2, **more: Any) -> np.ndarray:
    """(count, 16, 128, 128, 3) uint8, before they are encoded."""
    requests = [
        RenderRequest.parse(
            {"pipeline": FAMILY, "prompt": prompt, "seed": 50_001 + index, "emotion": emotion}
            | {"length_s": 16 / 12, "steps": 6, **more}
        )
        for index, prompt in enumerate(PROMPTS[:count])
    ]
    return np.stack([frames_of(clip) for clip in studio.make(requests)])


@pytest.fixture(scope="module")
def turning(studio: Studio) -> np.ndarray:
    return clips(studio, "v=-0.8 a=-0.7 d=0@0%, v=0.8 a=0.7 d=0@100%")


def test_each_family_of_a_base_model_has_its_own_adapter() -> None:
    assert default_adapters("emotion-tiny", FAMILY) == ("vad-video",)
    assert default_adapters("emotion-tiny", "image/sd") == ("vad-image",)


def test_a_feeling_that_changes_is_seen_frame_by_frame(turning: np.ndarray) -> None:
    reader = PictureReader.from_pretrained(ASSETS / "models" / "picture-reader").eval()
    asked = np.linspace(-1, 1, turning.shape[1])
    for clip in turning:
        _, read = reader.read(clip)
        for axis in (0, 1):
            assert np.corrcoef(asked, read[:, axis])[0, 1] > 0.7


def test_arousal_moves_more(studio: Studio) -> None:
    still, quick = (
        [motion(clip) for clip in clips(studio, f"v=0 a={arousal} d=0")] for arousal in (-0.9, 0.9)
    )
    assert all(low < high for low, high in zip(still, quick, strict=True)), (still, quick)
    assert np.mean(quick) > 1.5 * np.mean(still)


def test_neutral_is_the_bare_model_bit_for_bit(studio: Studio) -> None:
    assert np.array_equal(clips(studio, "neutral", 1), clips(studio, "neutral", 1, adapters="none"))


def test_frames_show_the_same_thing_and_move(studio: Studio) -> None:
    calm = clips(studio, "neutral").astype(np.float32)
    within = np.abs(calm[:, 0] - calm[:, -1]).mean()
    between = np.abs(calm[0] - calm[1]).mean()
    assert 0.5 < within < 0.6 * between


def test_plain_diffusers_loads_the_motion() -> None:
    motion_adapter = MotionAdapter.from_pretrained(ASSETS / "models" / "video-tiny", dtype=torch.float32)
    pipe = AnimateDiffPipeline.from_pretrained(
        find_model("emotion-tiny"), motion_adapter=motion_adapter, dtype=torch.float32
    )
    pipe.set_progress_bar_config(disable=True)
    made = pipe("waves at sea", num_frames=4, width=128, height=128, num_inference_steps=2, output_type="np")
    assert made.frames.shape == (1, 4, 128, 128, 3) and np.isfinite(made.frames).all()
