"""What data sets that paint for themselves share: how feelings are drawn, and the painter's revision."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from training import synthesis

LAWS = ("uniform", "edges")
Point = tuple[float, float, float]


def point(rng: np.random.Generator, law: str) -> Point:
    """Valence, arousal, dominance: "uniform" over the cube; "edges" half of them so, half with every

    coordinate from the outer fifths, because a cube's middle is weak in feeling."""
    drawn = rng.uniform(-1, 1, 3)
    if law == "edges" and rng.random() < 0.5:
        drawn = rng.uniform(0.6, 1, 3) * rng.choice((-1, 1), 3)
    return float(drawn[0]), float(drawn[1]), float(drawn[2])


def revision() -> str:
    """A digest of the source that paints: another painter makes other pictures of the same numbers."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(synthesis.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
