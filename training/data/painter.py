"""Pictures painted on the fly, each with a known feeling: endless data whose emotions are exact.

Example i depends on the seed, the split and i alone. Knows how content and feeling are drawn; how a feeling
looks is the painter's matter. The base model has seen the same painter, never its feelings as numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.emotion import VAD, Emotion, lexicon
from studio.params import param
from studio.ports import Example
from training import synthesis
from training.synthesis.captions import caption
from training.synthesis.painter import paint, sample_spec

_STREAMS = {"train": 0, "held-out": 1}  # first word of every generator's seed: the splits never meet
_LABEL_SPREAD = 0.5  # of a kernel's sd: labels stay apart, and what lies between them is seen too
_TAXONOMIES = tuple(lexicon().taxonomies)
_PURPOSE = 0x7A1E  # and apart from the gallery that the base model was made of


@dataclass(frozen=True)
class Dataset:
    """`count` painted pictures (size_px, size_px, 3) uint8 with their captions and feelings.

    `law` of the feelings: "uniform" over the cube; "edges" half of them uniform, half with every coordinate
    drawn from the outer fifths, because a cube's middle is weak in feeling; "labels" around the labels of
    `taxonomy`, each equally often, half as wide as people differ about the word.
    """

    count: int = param(1000, "pictures", min=1, max=10_000_000)
    seed: int = param(0, "seed of the pictures", min=0, max=2**31 - 1)
    size_px: int = param(128, "side of a picture", min=32, max=1024, step=8, unit="px")
    law: str = param("uniform", "how feelings are drawn", choices=("uniform", "edges", "labels"))
    taxonomy: str = param(
        "mikels", "whose labels the law 'labels' draws", choices=tuple(lexicon().taxonomies)
    )
    split: str = param("train", "disjoint halves of every seed", choices=tuple(_STREAMS))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        """The example of that index; its picture is painted now."""
        if not 0 <= index < self.count:
            raise IndexError(f"example {index} of {self.count}")
        rng = np.random.default_rng([_PURPOSE, _STREAMS[self.split], self.seed, index])
        vad, label = self._feeling(rng)
        spec = sample_spec(rng)
        prompt = caption(spec, rng)
        picture = paint(spec, vad, int(rng.integers(2**31)), self.size_px)
        attributes = {"scene": spec.scene, "subject": spec.subject, "style": spec.style, **label}
        return Example(picture, prompt, Emotion(VAD(*vad)), attributes)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(self.count))

    @property
    def description(self) -> dict[str, Any]:
        """What determines the examples: the options and the painter's own source."""
        names = ["count", "seed", "size_px", "law", "split", *(["taxonomy"] if self.law == "labels" else [])]
        options = {name: getattr(self, name) for name in names}
        return {"dataset": "painter", **options, "painter": _painter_revision()}

    def _feeling(self, rng: np.random.Generator) -> tuple[tuple[float, float, float], dict[str, str]]:
        """A point, and the label it was drawn around where there is one."""
        if self.law != "labels":
            return _point(rng, self.law), {}
        kernels = lexicon().kernels(self.taxonomy)
        kernel = kernels[int(rng.integers(len(kernels)))]
        point = np.clip(rng.normal(kernel.mean, _LABEL_SPREAD * np.array(kernel.sd)), -1, 1)
        return (float(point[0]), float(point[1]), float(point[2])), {"label": kernel.word}


def _point(rng: np.random.Generator, law: str) -> tuple[float, float, float]:
    point = rng.uniform(-1, 1, 3)
    if law == "edges" and rng.random() < 0.5:
        point = rng.uniform(0.6, 1, 3) * rng.choice((-1, 1), 3)
    return float(point[0]), float(point[1]), float(point[2])


def _painter_revision() -> str:
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(synthesis.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
