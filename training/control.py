"""Control figures: does what is read from the pictures follow what was asked of them?

A correlation alone proves little: a reader that always says the same, or few samples, can look good. So each
figure stands beside what no control at all would give: the same readings paired with the wrong questions (a
permutation baseline), the best constant answer (a majority baseline), and a check that the reader still tells
pictures apart. Knows numbers only: no picture, no model, no file.

Pearson and Spearman correlation; one-sided permutation test with the observed pairing counted among the
shuffled ones (Phipson & Smyth, 2010), so that p is never 0.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.emotion.vad import AXES
from studio.errors import InputError

SHUFFLES = 2000
SIGNIFICANT_P = 0.05
COLLAPSED_SPREAD = 0.15  # of the spread asked for; below it a reader says nearly the same of every picture
COLLAPSED_LABELS = 0.5  # of the labels asked for; a reader that uses fewer does not tell them apart
MIN_SAMPLES = 4

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AxisControl:
    """One axis. Correlations in [-1, 1]; `mae` and `constant_mae` in units of the axis, which spans 2.

    `chance_r`: what 95% of shuffled pairings stay below. `constant_mae`: error of the best constant answer,
    the median of what was asked. `spread`: standard deviation read over standard deviation asked.
    """

    r: float
    spearman: float
    mae: float
    chance_r: float
    p: float
    constant_mae: float
    spread: float
    samples: int

    @property
    def collapsed(self) -> bool:
        """Whether the readings hardly differ: then no other figure of this axis counts."""
        return self.spread < COLLAPSED_SPREAD

    @property
    def works(self) -> bool:
        """Better than chance, and not by a reader that has collapsed.

        The constant answer is no part of it: a reader may rank pictures well on a scale of its own.
        """
        return self.p < SIGNIFICANT_P and self.r > self.chance_r and not self.collapsed

    @property
    def beats_constant(self) -> bool:
        """Whether the readings are nearer to what was asked than the best constant answer is."""
        return self.mae < self.constant_mae

    def to_dict(self) -> dict[str, float | bool]:
        verdicts = {"collapsed": self.collapsed, "beats_constant": self.beats_constant, "works": self.works}
        return dataclasses.asdict(self) | verdicts


@dataclass(frozen=True, slots=True)
class LabelControl:
    """Named labels. Shares in [0, 1].

    `chance_accuracy`: what 95% of shuffled pairings stay below. `majority`: accuracy of always giving the
    most frequent asked label. `favourite`: share of the label that the reader gives most often.
    """

    accuracy: float
    chance_accuracy: float
    p: float
    majority: float
    labels_asked: int
    labels_used: int
    favourite: float
    samples: int

    @property
    def collapsed(self) -> bool:
        """Whether the reader uses less than half of the labels that were asked for."""
        return self.labels_used < COLLAPSED_LABELS * self.labels_asked or self.labels_used < 2

    @property
    def works(self) -> bool:
        """Better than chance and than the most frequent label, by a reader that has not collapsed."""
        better = self.p < SIGNIFICANT_P and self.accuracy > max(self.chance_accuracy, self.majority)
        return better and not self.collapsed

    def to_dict(self) -> dict[str, float | bool]:
        return dataclasses.asdict(self) | {"collapsed": self.collapsed, "works": self.works}

    def figures(self) -> dict[str, float]:
        """Flat, for a log: `control_label_accuracy`, `control_label_chance_accuracy`, ..."""
        return {f"control_label_{name}": value for name, value in self.to_dict().items() if name != "samples"}


@dataclass(frozen=True, slots=True)
class Control:
    """All axes by name, in the order of VAD."""

    axes: Mapping[str, AxisControl]

    @property
    def works(self) -> bool:
        return all(axis.works for axis in self.axes.values())

    def to_dict(self) -> dict[str, Any]:
        return {name: axis.to_dict() for name, axis in self.axes.items()}

    def figures(self) -> dict[str, float]:
        """Flat, for a log: `control_valence_r`, `control_valence_chance_r`, ..."""
        flat = ((axis, name, value) for axis, of in self.to_dict().items() for name, value in of.items())
        return {f"control_{axis}_{name}": value for axis, name, value in flat if name != "samples"}


def label_sentence(figures: Mapping[str, float], many: str = "pictures") -> str:
    """What `LabelControl.figures` say of `many`, for people; empty where there are none."""
    if "control_label_accuracy" not in figures:
        return ""
    found = {name: figures[f"control_label_{name}"] for name in ("accuracy", "chance_accuracy", "majority")}
    hit, chance, majority = (f"{value:.0%}" for value in found.values())
    used = f"{figures['control_label_labels_used']:g} of {figures['control_label_labels_asked']:g}"
    verdict = "follows" if figures["control_label_works"] else "not shown to follow"
    return (
        f"Labels: {hit} of the {many} are nearest to the label that was asked for (chance, 95%: {chance}; "
        f"always the most frequent: {majority}), and {used} labels are read at all: {verdict}."
    )


def of_points(asked: Any, read: Any, shuffles: int = SHUFFLES, seed: int = 0) -> Control:
    """Control of every axis from points asked and read, both (N, 3) in valence, arousal, dominance.

    An axis of which only one value was asked is left out. InputError for other shapes, numbers that are not
    finite, fewer than 4 samples, or no axis left.
    """
    wanted, found = _points("asked", asked), _points("read", read)
    if wanted.shape != found.shape:
        why = f"has {len(found)} points for {len(wanted)} asked"
        raise InputError("read", found.shape, why, str(len(wanted)))
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(len(wanted)) for _ in range(shuffles)])
    varied = [index for index in range(len(AXES)) if np.ptp(wanted[:, index]) > 0]
    if not varied:
        raise InputError("asked", wanted[0].tolist(), "every point is the same; nothing can follow it")
    return Control({AXES[i]: _axis(wanted[:, i], found[:, i], orders) for i in varied})


def of_labels(
    asked: Sequence[str], read: Sequence[str], shuffles: int = SHUFFLES, seed: int = 0
) -> LabelControl:
    """Control of named labels. InputError for other lengths, fewer than 4 samples or a single asked label."""
    if len(asked) != len(read):
        raise InputError("read", len(read), f"has {len(read)} labels for {len(asked)} asked", str(len(asked)))
    _enough(len(asked))
    if len(set(asked)) < 2:
        raise InputError("asked", asked[0], "every label is the same; nothing can follow it")
    wanted, found = np.array(asked), np.array(read)
    rng = np.random.default_rng(seed)
    hits = np.array([np.mean(wanted == rng.permutation(found)) for _ in range(shuffles)])
    accuracy = float(np.mean(wanted == found))
    return LabelControl(
        accuracy=accuracy,
        chance_accuracy=float(np.quantile(hits, 1 - SIGNIFICANT_P)),
        p=_p_value(accuracy, hits),
        majority=_most_frequent(asked),
        labels_asked=len(set(asked)),
        labels_used=len(set(read)),
        favourite=_most_frequent(read),
        samples=len(asked),
    )


def pearson(asked: Floats, read: Floats) -> float:
    """Correlation of two rows of N numbers; 0 where either does not vary."""
    one, other = _standard(asked), _standard(read)
    return float(np.clip(one @ other / len(one), -1, 1))


def spearman(asked: Floats, read: Floats) -> float:
    """Pearson correlation of the ranks; equal values share the mean of their ranks."""
    return pearson(_ranks(asked), _ranks(read))


def _axis(asked: Floats, read: Floats, orders: NDArray[np.intp]) -> AxisControl:
    r = pearson(asked, read)
    shuffled = _standard(asked)[orders] @ _standard(read) / len(asked)
    return AxisControl(
        r=r,
        spearman=spearman(asked, read),
        mae=float(np.abs(asked - read).mean()),
        chance_r=float(np.quantile(shuffled, 1 - SIGNIFICANT_P)),
        p=_p_value(r, shuffled),
        constant_mae=float(np.abs(asked - np.median(asked)).mean()),
        spread=float(read.std() / asked.std()),
        samples=len(asked),
    )


def _p_value(observed: float, shuffled: Floats) -> float:
    """Share of pairings at least as good, the observed one among them."""
    return float((1 + np.sum(shuffled >= observed - 1e-12)) / (1 + len(shuffled)))


def _standard(values: Floats) -> Floats:
    """Mean 0 and deviation 1; all 0 for values that differ by rounding only."""
    deviation = values.std()
    if deviation <= 1e-9 * max(1.0, float(np.abs(values).max())):
        return np.zeros_like(values)
    return np.asarray((values - values.mean()) / deviation)


def _ranks(values: Floats) -> Floats:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[places])


def _most_frequent(labels: Sequence[str]) -> float:
    return Counter(labels).most_common(1)[0][1] / len(labels)


def _points(name: str, values: Any) -> Floats:
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != len(AXES):
        raise InputError(name, points.shape, f"must be (N, 3), got {points.shape}")
    if not np.isfinite(points).all():
        raise InputError(name, "nan", "has numbers that are not finite")
    _enough(len(points))
    return points


def _enough(count: int) -> None:
    if count < MIN_SAMPLES:
        raise InputError("samples", count, f"needs at least {MIN_SAMPLES}, got {count}", str(MIN_SAMPLES))


def paired_p(better: Any, worse: Any, shuffles: int = SHUFFLES, seed: int = 0) -> float:
    """Chance that pairs (N,) differ this much in favour of `better` if sides were drawn by lot.

    One-sided sign-flip permutation test on the mean difference.
    """
    difference = np.asarray(better, dtype=np.float64) - np.asarray(worse, dtype=np.float64)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (shuffles, len(difference)))
    return _p_value(float(difference.mean()), signs @ difference / len(difference))
