"""Clips painted on the fly, with a known feeling in every frame: endless data whose emotions are exact.

In one clip the feeling holds, in the next it changes on the way, between points at drawn moments. Example i
depends on the seed, the split and i alone. Knows how content and feelings are drawn; how a feeling looks and
moves is the moving painter's matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from studio.emotion import VAD, Emotion
from studio.params import param
from studio.ports import Example
from training.data import _painted as painted
from training.data._clips import mean
from training.synthesis.captions import caption
from training.synthesis.moving import film
from training.synthesis.painter import sample_spec

_STREAMS = {"train": 0, "held-out": 1}  # first word of every generator's seed: the splits never meet
_PURPOSE = 0x30F1  # and apart from pictures, and from the clips that a base model was made of
_MOST_KEYS = 3  # of a feeling that changes: from one point to another, or over one between them
_EVEN_SHARE = 0.6  # of the time between keys: nobody's mood turns within two frames
_HELD_SHARE = 0.25  # of the length, at most, that a feeling stays where it is before it goes on


@dataclass(frozen=True)
class Dataset:
    """`count` painted clips (frames, size_px, size_px, 3) uint8 with their captions and feelings.

    `attributes`: `bars`, the VAD of each frame, and scene, subject and style. Of a clip that changes,
    `emotion` is the mean.
    """

    MEDIUM: ClassVar[str] = "video"
    count: int = param(1000, "clips", min=1, max=10_000_000)
    seed: int = param(0, "seed of the clips", min=0, max=2**31 - 1)
    frames: int = param(16, "length of a clip", min=1, max=1000, unit="frames")
    fps: float = param(12.0, "frames a second: how far things move between two", min=1.0, max=60.0, unit="Hz")
    size_px: int = param(128, "side of a frame", min=32, max=1024, step=8, unit="px")
    law: str = param("uniform", "how feelings are drawn", choices=painted.LAWS)
    changing: float = param(0.6, "share of clips whose feeling changes", min=0.0, max=1.0)
    longest: float = param(
        3.0, "curves that clips are cut from are so many clips long, at most", min=1.0, max=100.0
    )
    split: str = param("train", "disjoint halves of every seed", choices=tuple(_STREAMS))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        """The example of that index; its clip is painted now."""
        if not 0 <= index < self.count:
            raise IndexError(f"example {index} of {self.count}")
        rng = np.random.default_rng([_PURPOSE, _STREAMS[self.split], self.seed, index])
        points = self._points(rng)
        spec = sample_spec(rng)
        prompt = caption(spec, rng)
        drawn = film(spec, points, int(rng.integers(2**31)), fps=self.fps, size_px=self.size_px)
        moods = tuple(VAD(*one) for one in points)
        content = {"scene": spec.scene, "subject": spec.subject, "style": spec.style}
        attributes = {**content, "bars": moods}
        return Example(drawn, prompt, Emotion(mean(moods)), attributes)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(self.count))

    @property
    def description(self) -> Mapping[str, Any]:
        """What determines the examples: the options and the painter's own source."""
        names = ("count", "seed", "frames", "fps", "size_px", "law", "changing", "longest", "split")
        options = {name: getattr(self, name) for name in names}
        return {"dataset": "moving", **options, "painter": painted.revision()}

    def _points(self, rng: np.random.Generator) -> list[painted.Point]:
        """One for each frame."""
        if rng.random() >= self.changing or self.frames == 1:
            return [painted.point(rng, self.law)] * self.frames
        keys = np.array([painted.point(rng, self.law) for _ in range(int(rng.integers(2, _MOST_KEYS + 1)))])
        length = round(self.frames * rng.uniform(1, self.longest))
        start = int(rng.integers(length - self.frames + 1))
        return _between(keys, length, rng)[start : start + self.frames]


def _between(keys: np.ndarray, frames: int, rng: np.random.Generator) -> list[painted.Point]:
    """From key to key (n, 3) in straight lines, each reached at its own moment and held for a while."""
    ways = len(keys) - 1
    parts = _EVEN_SHARE / ways + (1 - _EVEN_SHARE) * rng.dirichlet(np.ones(ways))  # of the time
    reached = np.concatenate([[0.0], np.cumsum(parts)])
    holds = rng.uniform(0.0, _HELD_SHARE, len(parts)) * parts
    leaves = np.append(reached[:-1] + holds, reached[-1])
    times = np.stack([reached, leaves], axis=1).ravel()
    moments = (np.arange(frames) + 0.5) / frames
    axes = [np.interp(moments, times, np.repeat(keys[:, axis], 2)) for axis in range(3)]
    return [(float(v), float(a), float(d)) for v, a, d in zip(*axes, strict=True)]
