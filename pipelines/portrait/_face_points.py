"""Where things are among MediaPipe's 478 face landmarks, and the frame of reference of one face.

Index lists are facts of the landmark model that MediaPipe (Apache-2.0) publishes, most of them in
studio.face_mesh. Left and right are the person's own. Knows no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio import face_mesh
from studio.face_mesh import LOWER_LIP, OVAL, UPPER_LIP

__all__ = ["LOWER_LIP", "OVAL", "SIDES", "UPPER_LIP", "Frame", "Side", "frame_of"]

Array = NDArray[np.float32]

COUNT = 478
SKIN = 468  # landmarks of the skin; the ten after them are the irises
FOREHEAD, CHIN, NOSE_TIP, NOSE_ROOT, UNDER_NOSE, BETWEEN_BROWS = 10, 152, 1, 168, 2, 9


@dataclass(frozen=True, slots=True)
class Side:
    """Landmarks of one side; lids run from the outer corner to the inner one, brows likewise."""

    name: str
    sign: int  # of x in the picture: the person's left is to the right
    upper: tuple[int, ...]
    lower: tuple[int, ...]
    crease: tuple[int, ...]
    bag: tuple[int, ...]
    brow_top: tuple[int, ...]
    brow_edge: tuple[int, ...]
    iris: int
    rim: tuple[int, ...]
    corner: int
    cheek: int
    wing: tuple[int, ...]
    fold: tuple[int, ...]  # from the wing of the nose to beside the corner of the mouth


def _side(name: str, sign: int, eye: face_mesh.Eye, besides: dict[str, Any]) -> Side:
    return Side(
        name=name,
        sign=sign,
        upper=eye.upper,
        lower=eye.lower,
        crease=eye.crease,
        bag=eye.bag,
        brow_top=eye.brow_top,
        brow_edge=eye.brow_bottom,
        iris=eye.iris[0],
        rim=eye.iris[1:],
        **besides,
    )


RIGHT = _side(
    "Right",
    -1,
    face_mesh.RIGHT_EYE,
    {"corner": 61, "cheek": 50, "wing": (64, 129, 98), "fold": (129, 203, 206, 216, 212)},
)
LEFT = _side(
    "Left",
    1,
    face_mesh.LEFT_EYE,
    {"corner": 291, "cheek": 280, "wing": (294, 358, 327), "fold": (358, 423, 426, 436, 432)},
)
SIDES = (RIGHT, LEFT)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The face's own axes: origin between the outer corners of the eyes, their distance is 1, y is down."""

    origin: Array  # (2,) px
    axes: Array  # (2, 2), rows: x to the person's left, y towards the chin
    unit_px: float

    def local(self, points: Array) -> Array:
        """(..., 2) px -> (..., 2) units."""
        return np.asarray((points - self.origin) @ self.axes.T / self.unit_px, dtype=np.float32)

    def pixels(self, points: Array) -> Array:
        """(..., 2) units -> (..., 2) px."""
        return np.asarray(points @ self.axes * self.unit_px + self.origin, dtype=np.float32)

    def shifts(self, shifts: Array) -> Array:
        """(..., 2) displacements in units -> px."""
        return np.asarray(shifts @ self.axes * self.unit_px, dtype=np.float32)


def frame_of(landmarks: Array) -> Frame:
    """The axes of landmarks (478, 3) px."""
    right, left = landmarks[33, :2], landmarks[263, :2]
    across = left - right
    unit = max(float(np.hypot(*across)), 1e-3)
    x = across / unit
    axes = np.array([x, [-x[1], x[0]]], dtype=np.float32)
    return Frame(np.asarray((right + left) / 2, dtype=np.float32), axes, unit)
