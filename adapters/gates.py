"""Gate bases: the fixed functions phi of emotion that gate a LoRA's ranks; phi is exactly 0 at NEUTRAL.

Three tables, one class. `vad` is one continuous adapter over nine polynomial terms; `axes` gives valence,
arousal and dominance a rank block each (three sliders); `labels` gives every label of a taxonomy a block,
weighted by how well the label fits the point and faded in by how far the point is from NEUTRAL. This file
knows points and terms; it knows no layer, no model and no lexicon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studio.errors import InputError, nearest

NAMES = ("vad", "axes", "labels")
_AXES = {"v": (1, 0, 0), "a": (0, 1, 0), "d": (0, 0, 1)}
_SECOND_DEGREE = {
    "v2": (2, 0, 0),
    "a2": (0, 2, 0),
    "d2": (0, 0, 2),
    "va": (1, 1, 0),
    "vd": (1, 0, 1),
    "ad": (0, 1, 1),
}

# A label nearer to NEUTRAL than this is faded in over this distance: its own would be no distance at all.
SHORTEST_FADE = 0.25

LabelKernels = Mapping[str, tuple[Sequence[float], Sequence[float]]]  # label -> (mean VAD, sd VAD)


@dataclass(frozen=True, slots=True, eq=False)
class GateBasis:
    """K terms of an emotion. `table` (2, K, 3) holds means and sds of normal kernels, or (K, 3) exponents.

    `blocks`: every term gates a rank block of its own; otherwise every term reaches every rank.
    """

    name: str
    terms: tuple[str, ...]
    blocks: bool
    table: NDArray[np.float64]

    def phi(self, emotions: ArrayLike) -> NDArray[np.float64]:
        """Terms of VAD points: (R, 3) -> (R, K), (R, T, 3) -> (R, T, K); exactly 0 where all three are 0."""
        points = np.asarray(emotions, dtype=np.float64)
        if self.table.ndim == 2:
            return np.asarray(np.prod(points[..., None, :] ** self.table, axis=-1), dtype=np.float64)
        return np.asarray(self._weights(points) * self._fade(points))

    def ranks(self, rank: int) -> int:
        """Ranks a LoRA needs in all: `rank`, or `rank` per block."""
        return rank * len(self.terms) if self.blocks else rank

    def mask(self, rank: int) -> NDArray[np.float64]:
        """(K, ranks): 1 where a term may gate a rank."""
        if self.blocks:
            return np.asarray(np.kron(np.eye(len(self.terms)), np.ones((1, rank))), dtype=np.float64)
        return np.ones((len(self.terms), rank))

    def initial_gates(self, rank: int, seed: int) -> NDArray[np.float64]:
        """G (K, ranks), gates of about 1 at |e| = 1: a block's own term counts 1, shared terms are drawn."""
        if self.blocks:
            return self.mask(rank)
        return np.random.default_rng(seed).normal(0.0, 0.8, (len(self.terms), rank))

    def _weights(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of each label at a point, summing to 1, as the lexicon's `weights`: normal densities."""
        means, sds = self.table
        distance = (points[..., None, :] - means) / sds
        logits = -(0.5 * np.square(distance) + np.log(sds)).sum(axis=-1)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True))

    def _fade(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each label: exactly 0 at NEUTRAL, in proportion to the distance, 1 from the label's own on.

        So half a joy wears half of it. Taking the shares at NEUTRAL away instead would run labels that lie
        near it backwards elsewhere: among Mikels' eight, awe holds half of NEUTRAL, and every other label
        would wear it at minus one half.
        """
        own = np.maximum(np.linalg.norm(self.table[0], axis=-1), SHORTEST_FADE)
        distance = np.linalg.norm(points, axis=-1)[..., None]
        return np.asarray(np.minimum(distance / own, 1.0))


def basis(name: str, labels: LabelKernels | None = None) -> GateBasis:
    """The basis `vad`, `axes` or `labels`; only `labels` takes kernels. Raises InputError."""
    if name not in NAMES:
        raise InputError("basis", name, f"{name!r} is not one of {', '.join(NAMES)}", nearest(name, NAMES))
    if (name == "labels") != bool(labels):
        why = "basis 'labels' needs labels" if name == "labels" else f"basis {name!r} takes no labels"
        raise InputError("labels", labels, why)
    if labels:
        return _label_basis(labels)
    monomials: dict[str, Any] = _AXES if name == "axes" else {**_AXES, **_SECOND_DEGREE}
    return GateBasis(
        name, tuple(monomials), name == "axes", np.array(list(monomials.values()), dtype=np.float64)
    )


def _label_basis(labels: LabelKernels) -> GateBasis:
    means = np.array([mean for mean, _ in labels.values()], dtype=np.float64)
    sds = np.array([sd for _, sd in labels.values()], dtype=np.float64)
    if means.shape != (len(labels), 3) or sds.shape != means.shape or not (sds > 0).all():
        raise InputError("labels", labels, "each label needs a mean and a positive sd for v, a and d")
    return GateBasis("labels", tuple(labels), True, np.stack([means, sds]))
