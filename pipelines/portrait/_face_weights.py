"""From one frame of a Motion to the amounts of the displacement basis, so that nothing crosses.

Lids meet and stop; lips meet and stop; what the picture already shows is taken off first. Knows the basis at
the landmarks, no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.portrait import _face_shapes as rules
from pipelines.portrait._face_points import LOWER_LIP, UPPER_LIP, Array, Frame
from studio.motion import INDEX, SHAPES

_LOOK_FULL_DEG = 30.0
_TALL = 0.22  # eye distances: an eye that is not larger moves in full
_OWN = tuple(INDEX[name] for name in SHAPES if name.startswith(("eyeLook", "eyeBlink", "eyeWide")))
_JAW = INDEX["jawOpen"]
_MEET = slice(rules.INDEX[rules.MEETS[1]], rules.INDEX[rules.MEETS[9]] + 1)


@dataclass(frozen=True, slots=True)
class Lids:
    """Travels of the lids of one eye: shares of its height, positive towards closing."""

    upper: float
    lower: float

    @property
    def open(self) -> float:
        """Height of the eye as a share of the picture's."""
        return max(0.0, 1 - self.upper - self.lower)


def lids_of(weights: Array, pitch_deg: float, side: str, tall: float = _TALL) -> Lids:
    """How the lids of the side lie: they follow the gaze, and at a full blink they touch.

    `tall`: height of the eye in eye distances; large drawn eyes squint and widen by no more than real ones.
    """
    scale = min(1.0, _TALL / max(tall, 1e-3))
    blink, squint, wide, cheek, brow = (
        float(np.clip(weights[INDEX[f"{name}{side}"]], 0, 1))
        for name in ("eyeBlink", "eyeSquint", "eyeWide", "cheekSquint", "browDown")
    )
    look = float(np.clip(pitch_deg / _LOOK_FULL_DEG, -1, 1))
    lower = 0.10 * blink + (0.30 * squint + 0.24 * cheek) * (1 - 0.4 * blink) - 0.10 * wide * (1 - blink)
    lower -= 0.05 * max(0.0, -look)
    upper = 0.16 * squint + 0.05 * cheek + 0.08 * brow - 0.32 * wide * (1 - 0.6 * squint)
    lower, upper = lower * scale, upper * scale
    upper += 0.42 * max(0.0, -look) - 0.14 * max(0.0, look)
    lower = float(np.clip(lower, -0.2, 0.45))
    upper = upper + (1 - lower - upper) * blink
    return Lids(float(np.clip(upper, -0.5, 1 - lower)), lower)


@dataclass(frozen=True, slots=True, eq=False)
class Solver:
    """`gaps` (shapes, 9): what each basis shape adds to the gap between the lips, px; `rest` (9,) px."""

    gaps: Array
    rest: Array
    meet: NDArray[np.float64]  # (9, 9) turned round
    source: Array  # (52,) the smile that the picture shows
    parted: Array  # (9,) amounts of MEETS that close the picture's mouth
    tall: tuple[float, float]  # heights of the left and the right eye, eye distances
    painted: bool  # lids are painted over the eye and move no skin
    parted_jaw: float  # the jawOpen that the picture's gap amounts to

    def amounts(self, weights: Array, gaze: Array) -> tuple[Array, dict[str, Lids]]:
        """(basis shapes,) amounts and the lids by side."""
        amounts = np.zeros(len(rules.NAMES), np.float32)
        amounts[: len(SHAPES)] = np.clip(weights, 0, 1) - self.source
        amounts[list(_OWN)] = 0
        self._close(amounts)
        lids = {
            side: lids_of(weights, float(gaze[1]), side, tall)
            for side, tall in zip(("Left", "Right"), self.tall, strict=True)
        }
        for side, lid in lids.items():
            amounts[rules.INDEX[f"upperLid{side}"]] = 0 if self.painted else lid.upper
            amounts[rules.INDEX[f"lowerLid{side}"]] = 0 if self.painted else lid.lower
        gap = self.rest + amounts @ self.gaps
        lack = np.maximum(-gap, 0)
        if lack.any():
            amounts[_MEET] -= np.maximum(self.meet @ lack, 0).astype(np.float32)
        return amounts, lids

    def _close(self, amounts: Array) -> None:
        """A picture with an open mouth is closed first; opening the jaw opens that before it moves."""
        if self.parted_jaw > 0:
            jaw = float(amounts[_JAW])
            amounts[_JAW] = max(0.0, jaw - self.parted_jaw)
            amounts[_MEET] += self.parted * (1 - min(1.0, jaw / self.parted_jaw))


def solver_of(points: Array, shown: tuple[Array, Array], frame: Frame, painted: bool) -> Solver:
    """`points` (shapes, 468 * 2) px, the basis at the landmarks; `shown` as of `_face_rest.shown`."""
    source, gap = shown
    moves = points.reshape(len(points), -1, 2) @ frame.axes[1]
    upper, lower = list(UPPER_LIP[3][1:-1]), list(LOWER_LIP[3][1:-1])
    gaps = np.ascontiguousarray(moves[:, lower] - moves[:, upper])
    meet = np.linalg.inv(-gaps[_MEET].T.astype(np.float64))  # what closes a gap of 1 px at each column
    jaw = float(gap.max()) / max(float(gaps[_JAW].max()), 1e-3)
    lids = moves[[rules.INDEX["upperLidLeft"], rules.INDEX["upperLidRight"]]].max(1) / frame.unit_px
    tall = (float(lids[0]), float(lids[1]))
    return Solver(gaps, gap, meet, source, (meet @ gap).astype(np.float32), tall, painted, jaw)
