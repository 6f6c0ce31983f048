"""Clips that the motion modules of the embedded video model learn from, filmed once and kept.

Painted by `training.synthesis.moving` in the world of `emotion-tiny`, as that model's own autoencoder and
text encoder see them. Clip i of a set depends on (seed, i) alone; captions never name a feeling.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from training.embedded import autoencoder, painter_net, paintings
from training.synthesis.captions import caption
from training.synthesis.moving import film
from training.synthesis.painter import sample_spec

Point = tuple[float, float, float]
FRAMES, FPS = 20, 12.0  # a window of 16 begins anywhere in the first five
CHUNK = 40  # clips a file
TURNING = 0.4  # share of clips whose feeling changes on the way


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many clips, of which seed and law of feelings (`paintings.feeling`)."""

    count: int = 1600
    seed: int = 0
    law: str = "plain"


class Clips(NamedTuple):
    """`latents` (N, FRAMES, C, 16, 16) of unit size, `text` (N, CONTEXT, width), `moods` (N, FRAMES, 3)."""

    latents: Tensor
    text: Tensor
    moods: Tensor


def moods_of(rng: np.random.Generator, law: str, frames: int = FRAMES) -> list[Point]:
    """A feeling for every frame: one for all, or two with a way of random place and length between."""
    start = np.array(paintings.feeling(rng, law))
    end = np.array(paintings.feeling(rng, law)) if rng.random() < TURNING else start
    middle, width = rng.uniform(0.2, 0.8), rng.uniform(0.5, 3.0)
    way = np.clip((np.linspace(0, 1, frames) - middle) / width + 0.5, 0, 1)[:, None]
    return [(float(v), float(a), float(d)) for v, a, d in start + way * (end - start)]


def one(index: int, asked: Wanted) -> tuple[np.ndarray, list[Point], str]:
    """Clip `index`: frames (FRAMES, 128, 128, 3) uint8, its feelings, its caption."""
    rng = np.random.default_rng([asked.seed, index])
    spec = sample_spec(rng)
    moods = moods_of(rng, asked.law)
    frames = film(spec, moods, int(rng.integers(2**31)), FPS, paintings.SIZE_PX)
    return frames, moods, caption(spec, rng)


def clips(folder: Path, asked: Wanted, model: Any) -> Clips:
    """The set in `folder`, made as far as it is missing; `model`: emotion-tiny as a diffusers pipeline."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, asked.count, CHUNK)
    missing = [start for start in starts if not (folder / f"{start:06d}.safetensors").exists()]
    for start in tqdm(missing, desc="filming", disable=not missing):
        chunk = _seen([one(index, asked) for index in range(start, min(start + CHUNK, asked.count))], model)
        temporary = folder / f".tmp-{start}"
        save_file(chunk, temporary)
        temporary.replace(folder / f"{start:06d}.safetensors")
    chunks = [load_file(folder / f"{start:06d}.safetensors") for start in starts]
    return Clips(*(torch.cat([chunk[name] for chunk in chunks]) for name in Clips._fields))


@torch.no_grad()
def _seen(made: list[tuple[np.ndarray, list[Point], str]], model: Any) -> dict[str, Tensor]:
    latents = [autoencoder.encode(model.vae, frames) for frames, _, _ in made]
    return {
        "latents": (torch.stack(latents) * model.vae.config.scaling_factor).half().contiguous(),
        "text": told(model, [words for _, _, words in made]).half(),
        "moods": torch.tensor([moods for _, moods, _ in made]).half(),
    }


def told(model: Any, captions: list[str]) -> Tensor:
    """What the text encoder says of captions, (N, CONTEXT, width)."""
    tokens = painter_net.tokens_of(model.tokenizer, captions)
    said: Tensor = model.text_encoder(tokens).last_hidden_state
    return said
