"""Short ways to ask families of clips for frames, and files to start them from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from adapters.emotion_lora import Adapter, Config
from studio import params, video_files
from studio.emotion import parse_curve
from studio.ports import Example, OnStep, SetEmotion
from studio.request import RenderRequest
from tests.pipelines.staging import unfelt, unwatched

# Layers that see tokens in order of time, in self-attention and beside the words.
SEEING_TIME = r".*(attn1\.(to_q|to_k|to_v)|attn2\.to_q|to_out\.0)"


def asked(
    family: ModuleType, emotion: str = "neutral", inputs: Mapping[str, Path] | None = None, **changes: Any
) -> RenderRequest:
    texts = {
        name: changes.pop(name, usual) for name, usual in (("prompt", "a lake"), ("negative_prompt", ""))
    }
    files = tuple(sorted((name, str(path)) for name, path in (inputs or {}).items()))
    settings = params.build(family.Params, changes)
    fields = {"curve": parse_curve(emotion), "seed": 1, "adapters": (), "params": settings, "inputs": files}
    return RenderRequest(family.FAMILY.name, "tiny:0", **texts, **fields)


def frames(
    pipeline: Any, request: RenderRequest, feel: SetEmotion = unfelt, watch: OnStep = unwatched
) -> np.ndarray:
    """(T, H, W, 3) as they were before they were encoded; short clips keep all of them."""
    (clip,) = pipeline.render([request], feel, watch)
    kept = np.stack([np.asarray(still.picture) for still in clip.recording.stills]).astype(int)
    clip.recording.discard()
    return kept


def strong(modules: Mapping[str, Any], targets: str = SEEING_TIME) -> Adapter:
    """An adapter of `transformer` alone that makes itself felt."""
    import torch

    adapter = Adapter.create(modules, Config(rank=4, targets={"transformer": targets}))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in adapter.weights.items():
            if name.endswith("lora_B.weight"):
                weight.normal_(0, 0.5, generator=generator)
    return adapter


def write_picture(path: Path, seed: int, size: tuple[int, int] = (100, 70)) -> Path:
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(small).resize(size).save(path)
    return path


def write_video(path: Path, rate_hz: float, count: int = 24) -> Path:
    drawn = np.random.default_rng(3).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(drawn).resize((96, 64))
    video_files.record((np.asarray(picture.rotate(3 * index)) for index in range(count)), rate_hz, path)
    return path


def clips(count: int = 3, length: int = 10) -> list[Example]:
    """What training is shown: noise that does not move, with a caption each."""
    from studio.emotion import NEUTRAL, Emotion

    drawn = np.random.default_rng(0).integers(0, 255, (count, length, 70, 80, 3), dtype=np.uint8)
    return [Example(one, f"clip {number}", Emotion(NEUTRAL), {}) for number, one in enumerate(drawn)]
