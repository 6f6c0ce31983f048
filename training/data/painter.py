"""Pictures painted on the fly, each with a known feeling: endless data whose emotions are exact.

Example i depends on the seed, the split and i alone. Knows how content and feeling are drawn; how a feeling
looks is the painter's matter. The base model has seen the same painter, never its feelings as numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.emotion import VAD, Emotion, lexicon
from studio.params import param
from studio.ports import Example
from training.data import _painted as painted
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
        return {"dataset": "painter", **options, "painter": painted.revision()}

    def _feeling(self, rng: np.random.Generator) -> tuple[tuple[float, float, float], dict[str, str]]:
        """A point, and the label it was drawn around where there is one."""
        if self.law != "labels":
            return painted.point(rng, self.law), {}
        kernels = lexicon().kernels(self.taxonomy)
        kernel = kernels[int(rng.integers(len(kernels)))]
        point = np.clip(rng.normal(kernel.mean, _LABEL_SPREAD * np.array(kernel.sd)), -1, 1)
        return (float(point[0]), float(point[1]), float(point[2])), {"label": kernel.word}
