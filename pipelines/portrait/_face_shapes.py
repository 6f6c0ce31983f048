"""The names of all displacements of a face, and the marks that the rules for them are written with.

Knows the landmarks of one face in its own units; the rules themselves are in `_face_basis_mouth` and
`_face_basis_eyes`.
"""

from __future__ import annotations

import numpy as np

from pipelines.portrait._face_points import LOWER_LIP, UPPER_LIP, Array
from studio.motion import SHAPES

# Lids are led by two travels each, found from blink, squint, wide and gaze so that they can never cross.
LIDS = ("upperLidLeft", "lowerLidLeft", "upperLidRight", "lowerLidRight")
MEETS = tuple(f"lipsMeet{column}" for column in range(11))  # what keeps the lips from crossing
NAMES = (*SHAPES, *LIDS, *MEETS)
INDEX = {name: index for index, name in enumerate(NAMES)}

UPPER_ALL = tuple(sorted({i for ring in UPPER_LIP for i in ring}))
LOWER_ALL = tuple(sorted({i for ring in LOWER_LIP for i in ring[1:-1]} - {76, 306}))
Rings = tuple[tuple[int, ...], ...]
COLUMN = np.linspace(-1, 1, 11)  # along a ring of a lip
ARCH = np.clip(1 - COLUMN**2, 0, 1)


def smooth(t: Array) -> Array:
    """0 below 0, 1 above 1, without a corner between."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


class Marks:
    """Places of one face (n, 2), landmarks first, and `out` (shapes, n, 2) that the rules fill in.

    `reach` (n,) says how much of the skin's motion a point takes part in: 1 in the face, less around it.
    `t` (n,) runs from -1 to 1 between the corners of the mouth; `line` is the height where the lips meet.
    """

    def __init__(self, points: Array, reach: Array) -> None:
        self.p, self.reach = points.astype(np.float64), reach.astype(np.float64)
        self.x, self.y = self.p.T
        self.out = np.zeros((len(NAMES), len(points), 2))
        self.mouth = (self.p[61] + self.p[291]) / 2
        self.half = max(abs(self.p[291, 0] - self.p[61, 0]) / 2, 0.12)
        self.t = (self.x - self.mouth[0]) / self.half
        self.mouth_size = float(np.clip(self.half / 0.27, 0.6, 1.1))  # a small mouth travels less
        self.line = float(np.mean([self.p[13, 1], self.p[14, 1]]))
        self.chin = float(self.p[152, 1])
        self.upper, self.lower = np.zeros(len(points), bool), np.zeros(len(points), bool)
        self.upper[list(UPPER_ALL)] = True
        self.lower[list(LOWER_ALL)] = True
        self.drop = 0.62 * float(np.clip(self.chin - self.line, 0.3, 0.7))  # of the lower lip, jaw wide open

    def at(self, name: str) -> Array:
        return self.out[INDEX[name]]

    def near(self, at: Array, wide: float, high: float) -> Array:
        """A bell around a place."""
        dx, dy = (self.x - at[0]) / wide, (self.y - at[1]) / high
        return np.exp(-0.5 * (dx * dx + dy * dy)) * self.reach

    def mean(self, *landmarks: int) -> Array:
        return self.p[list(landmarks)].mean(0)

    def gather(
        self,
        name: str,
        shares: tuple[float, ...],
        lips: tuple[Rings, ...] = (UPPER_LIP, LOWER_LIP),
        side: Array | None = None,
    ) -> None:
        """Draw the rings of the lips, outer ones first, to the inner one by `shares`: lips get thinner."""
        out = self.at(name)
        for rings in lips:
            inner = np.array(rings[3])[1:-1]
            for ring, share in zip(rings, shares, strict=True):
                index = np.array(ring)[1:-1]
                weight = share if side is None else share * side[index]
                out[index, 1] += (self.p[inner, 1] - self.p[index, 1]) * weight
