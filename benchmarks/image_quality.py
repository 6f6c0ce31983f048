"""How good the embedded image model and its emotion adapter are.

    python -m benchmarks.image_quality [--json]

Asked on held-out seeds: does the autoencoder keep a picture, does the picture show the prompted scene, with
and without emotion, and can the asked valence, arousal and dominance be read back from it? The reader
(assets/models/picture-reader) learned on painter pictures only and shares the painter's idea of emotion.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from benchmarks import _report
from studio.catalog import ASSETS, find_model
from studio.emotion import VAD, Emotion, EmotionCurve
from studio.render import Studio
from studio.request import RenderRequest
from training.embedded.autoencoder import psnr_db
from training.embedded.paintings import one
from training.embedded.readers import PictureReader
from training.synthesis.captions import caption
from training.synthesis.painter import SCENES, sample_spec

PICTURES = 200
ROWS = 20  # rendered together
UNSEEN = 7_000_003  # first word of every generator here; no training used it
BARS = {
    "vae_psnr_db": ("at least", 28),
    "scene_accuracy": ("at least", 0.90),
    "valence_r": ("at least", 0.85),
    "arousal_r": ("at least", 0.80),
    "dominance_r": ("at least", 0.60),
    "scene_accuracy_drop": ("at most", 0.05),
    "neutral_exact": ("is", True),
    "seconds_per_image": ("at most", 3.0),
    "model_mb": ("at most", 64),
}


def prompts(count: int) -> tuple[list[str], list[str]]:
    """Unseen prompts and the scene each one asks for, every scene equally often."""
    texts, scenes = [], []
    for index in range(count):
        rng = np.random.default_rng([UNSEEN, index])
        spec = sample_spec(rng, scene=SCENES[index % len(SCENES)])
        texts.append(caption(spec, rng))
        scenes.append(spec.scene)
    return texts, scenes


def feelings(count: int) -> NDArray[np.float64]:
    """Unseen points, uniform in the VAD cube: (count, 3)."""
    return np.random.default_rng([UNSEEN, 1]).uniform(-1, 1, (count, 3))


def request(prompt: str, seed: int, point: Sequence[float] = (0, 0, 0), **more: object) -> RenderRequest:
    curve = EmotionCurve.constant(Emotion(VAD(*(float(x) for x in point))))
    return RenderRequest.parse({"prompt": prompt, "seed": seed, "emotion": curve, **more})


@cache
def studio() -> Studio:
    return Studio()


def pictures(requests: Sequence[RenderRequest]) -> NDArray[np.uint8]:
    """(N, H, W, 3), rendered ROWS at a time."""
    made = []
    for start in range(0, len(requests), ROWS):
        made += studio().make(requests[start : start + ROWS], lambda step: None)
    return np.stack([np.asarray(picture.image) for picture in made])


def correlation(asked: NDArray[np.float64], read: NDArray[np.float32]) -> float:
    return float(np.corrcoef(asked, read)[0, 1])


def neutral_is_exact(texts: Sequence[str]) -> bool:
    """NEUTRAL with the adapter against the bare base model, bit for bit."""
    worn = pictures([request(text, i) for i, text in enumerate(texts)])
    bare = pictures([request(text, i, adapters="none") for i, text in enumerate(texts)])
    return bool((worn == bare).all())


def seconds_per_image() -> float:
    """20 steps, one row, model warm: median of five."""
    asked = request("a lighthouse by the sea, oil painting", 1, (0.6, 0.4, 0.2), steps=20)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        pictures([asked])
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def megabytes(folder: str) -> float:
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files) / 2**20


def measure() -> _report.Figures:
    folder = find_model("emotion-tiny")
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", dtype=torch.float32).eval()
    held_out = np.stack([one(index, UNSEEN, "plain")[0] for index in range(PICTURES)])
    reader = PictureReader.from_pretrained(ASSETS / "models" / "picture-reader").eval()
    texts, scenes = prompts(PICTURES)
    points = feelings(PICTURES)
    plain, _ = reader.read(pictures([request(text, i) for i, text in enumerate(texts)]))
    asked = [request(text, i, point) for i, (text, point) in enumerate(zip(texts, points, strict=True))]
    moved, read = reader.read(pictures(asked))
    accuracy, accuracy_moved = (float(np.mean(np.array(found) == scenes)) for found in (plain, moved))
    return {
        "vae_psnr_db": psnr_db(vae, held_out),
        "scene_accuracy": accuracy,
        "scene_accuracy_emotional": accuracy_moved,
        "scene_accuracy_drop": accuracy - accuracy_moved,
        **{f"{axis}_r": correlation(points[:, i], read[:, i]) for i, axis in enumerate(VAD.__slots__)},
        "neutral_exact": neutral_is_exact(texts[:8]),
        "seconds_per_image": seconds_per_image(),
        "model_mb": megabytes(folder),
    }


if __name__ == "__main__":
    _report.main("Embedded image model, 200 unseen (prompt, seed, VAD)", measure, BARS)
