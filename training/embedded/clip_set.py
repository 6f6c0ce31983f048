"""Clips that the motion modules of the embedded video model learn from, filmed once and kept.

Painted by `training.synthesis.moving` in the world of `emotion-tiny`, as that model's own autoencoder and
text encoder see them. Clip i of a set depends on (seed, i) alone; captions never name a feeling. Every seed,
law and revision of the painter has files of its own: those of another are not learnt from by mistake.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from training.data import _painted as painted
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
    """The set that is asked for, in a folder of its own in `folder`, made as far as it is missing.

    `model`: emotion-tiny as a diffusers pipeline.
    """
    place = folder / _mark(asked)
    place.mkdir(parents=True, exist_ok=True)
    ends = {start: min(start + CHUNK, asked.count) for start in range(0, asked.count, CHUNK)}
    files = {start: place / f"{start:06d}-{end:06d}.safetensors" for start, end in ends.items()}
    missing = [start for start in files if not files[start].exists()]
    for start in tqdm(missing, desc="filming", disable=not missing):
        chunk = _seen([one(index, asked) for index in range(start, ends[start])], model)
        temporary = place / f".tmp-{start}"
        save_file(chunk, temporary)
        temporary.replace(files[start])
    chunks = [load_file(file) for file in files.values()]
    return Clips(*(torch.cat([chunk[name] for chunk in chunks]) for name in Clips._fields))


def _mark(asked: Wanted) -> str:
    """What the clips depend on besides their number, as the name of a folder."""
    said = f"{asked.seed} {asked.law} {painted.revision()}"
    return hashlib.blake2b(said.encode(), digest_size=6).hexdigest()


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
