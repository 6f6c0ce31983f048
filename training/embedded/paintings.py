"""A gallery of painted pictures on disk, made once and shared by every training of the embedded image model.

Picture i of a gallery depends on (seed, i) alone. Captions never name a feeling.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.synthesis.captions import caption
from training.synthesis.painter import paint, sample_spec

SIZE_PX = 128
CHUNK = 256


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures (N, 128, 128, 3) uint8, their feelings (N, 3) in [-1, 1], captions, scenes and styles."""

    pictures: NDArray[np.uint8]
    feelings: NDArray[np.float32]
    captions: tuple[str, ...]
    scenes: tuple[str, ...]
    styles: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.captions)


def feeling(rng: np.random.Generator, law: str) -> tuple[float, float, float]:
    """A point in VAD. `any`: uniform in the cube. `plain`: mostly near neutral, a third anywhere.

    The base model learns from `plain`: its own pictures are undramatic, yet it has seen every mood, so that
    an adapter of low rank can ask for one.
    """
    if law == "any" or (law == "plain" and rng.random() < 0.35):
        point = rng.uniform(-1, 1, 3)
    else:
        point = np.clip(rng.normal(0, 0.22, 3), -1, 1)
    return float(point[0]), float(point[1]), float(point[2])


def one(index: int, seed: int, law: str) -> tuple[NDArray[np.uint8], dict[str, object]]:
    """Picture `index` of a gallery and its record."""
    rng = np.random.default_rng([seed, index])
    spec = sample_spec(rng)
    vad = feeling(rng, law)
    picture = paint(spec, vad, int(rng.integers(2**31)), SIZE_PX)
    words = caption(spec, rng)
    return picture, {"vad": vad, "caption": words, "scene": spec.scene, "style": spec.style}


Record = dict[str, object]


def _paint_chunk(start: int, count: int, seed: int, law: str) -> tuple[NDArray[np.uint8], list[Record]]:
    made = [one(index, seed, law) for index in range(start, start + count)]
    return np.stack([picture for picture, _ in made]), [record for _, record in made]


def gallery(folder: Path, count: int, seed: int, law: str) -> Gallery:
    """The gallery in `folder`, painted as far as it is missing (about 8 ms a picture)."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = list(range(0, count, CHUNK))
    missing = [start for start in starts if not (folder / f"{start:07d}.json").exists()]
    for start in tqdm(missing, desc="painting", disable=not missing):
        _store(folder, start, *_paint_chunk(start, min(CHUNK, count - start), seed, law))
    return _read(folder, starts, count)


def _store(folder: Path, start: int, pictures: NDArray[np.uint8], records: list[Record]) -> None:
    np.save(folder / f"{start:07d}.npy", pictures)
    temporary = folder / f".tmp-{start}"
    temporary.write_text(json.dumps(records))
    os.replace(temporary, folder / f"{start:07d}.json")


def _read(folder: Path, starts: list[int], count: int) -> Gallery:
    pictures = np.concatenate([np.load(folder / f"{start:07d}.npy") for start in starts])[:count]
    records = [r for start in starts for r in json.loads((folder / f"{start:07d}.json").read_text())][:count]
    return Gallery(
        pictures,
        np.array([r["vad"] for r in records], np.float32),
        *(tuple(str(r[key]) for r in records) for key in ("caption", "scene", "style")),
    )
