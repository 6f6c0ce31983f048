"""Where things are among MediaPipe's 478 face landmarks, and the frame of reference of one face.

Index lists are facts of the landmark model that MediaPipe (Apache-2.0) publishes. Left and right are the
person's own. Knows no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

COUNT = 478
SKIN = 468  # landmarks of the skin; the ten after them are the irises
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
# Lips from the right corner to the left one, from the outer edge to the inner one.
UPPER_LIP = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
)
LOWER_LIP = (
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)
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


RIGHT = Side(
    "Right",
    -1,
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
    (130, 247, 30, 29, 27, 28, 56, 190, 243),
    (130, 25, 110, 24, 23, 22, 26, 112, 243),
    (70, 63, 105, 66, 107),
    (46, 53, 52, 65, 55),
    468,
    (469, 470, 471, 472),
    61,
    50,
    (64, 129, 98),
    (129, 203, 206, 216, 212),
)
LEFT = Side(
    "Left",
    1,
    (263, 466, 388, 387, 386, 385, 384, 398, 362),
    (263, 249, 390, 373, 374, 380, 381, 382, 362),
    (359, 467, 260, 259, 257, 258, 286, 414, 463),
    (359, 255, 339, 254, 253, 252, 256, 341, 463),
    (300, 293, 334, 296, 336),
    (276, 283, 282, 295, 285),
    473,
    (474, 475, 476, 477),
    291,
    280,
    (294, 358, 327),
    (358, 423, 426, 436, 432),
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
