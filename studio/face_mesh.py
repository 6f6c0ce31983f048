"""The 478 landmarks of a face by number: a mean face, its triangles, and which points are lids, lips, brows.

Numbers are those of MediaPipe's Face Landmarker, whose canonical face model (Apache-2.0) this is; left and
right are the person's own. Knows no picture; reads one file, `face_mesh.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

COUNT = 478
_FILE = Path(__file__).with_name("face_mesh.json")


@dataclass(frozen=True, slots=True)
class Eye:
    """Contours from the outer to the inner corner; `iris`: centre, right, top, left and bottom of the rim."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    crease: tuple[int, ...]  # the ring above the upper lid
    bag: tuple[int, ...]  # the ring below the lower lid
    brow_top: tuple[int, ...]
    brow_bottom: tuple[int, ...]
    iris: tuple[int, int, int, int, int]


RIGHT_EYE = Eye(
    upper=(33, 246, 161, 160, 159, 158, 157, 173, 133),
    lower=(33, 7, 163, 144, 145, 153, 154, 155, 133),
    crease=(130, 247, 30, 29, 27, 28, 56, 190, 243),
    bag=(130, 25, 110, 24, 23, 22, 26, 112, 243),
    brow_top=(70, 63, 105, 66, 107),
    brow_bottom=(46, 53, 52, 65, 55),
    iris=(468, 469, 470, 471, 472),
)
LEFT_EYE = Eye(
    upper=(263, 466, 388, 387, 386, 385, 384, 398, 362),
    lower=(263, 249, 390, 373, 374, 380, 381, 382, 362),
    crease=(359, 467, 260, 259, 257, 258, 286, 414, 463),
    bag=(359, 255, 339, 254, 253, 252, 256, 341, 463),
    brow_top=(300, 293, 334, 296, 336),
    brow_bottom=(276, 283, 282, 295, 285),
    iris=(473, 474, 475, 476, 477),
)
EYES = (RIGHT_EYE, LEFT_EYE)
# Lips from the person's right corner to the left one; four rings each from the outer to the inner edge.
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
UPPER_LIP_OUTER, UPPER_LIP_INNER = UPPER_LIP[0], UPPER_LIP[-1]
LOWER_LIP_OUTER, LOWER_LIP_INNER = LOWER_LIP[0], LOWER_LIP[-1]
# From the middle of the forehead over the person's left side and the chin and back.
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)


@lru_cache(maxsize=1)
def _mesh() -> tuple[Floats, npt.NDArray[np.int32]]:
    stored = json.loads(_FILE.read_text("utf-8"))
    points, corners = np.array(stored["points"], np.float64), np.array(stored["triangles"], np.int32)
    points.setflags(write=False)
    corners.setflags(write=False)
    return points, corners


def mean_face() -> Floats:
    """(478, 3) cm: right in the picture, down, away from the camera; the origin is inside the head."""
    return _mesh()[0]


def triangles() -> npt.NDArray[np.int32]:
    """(898, 3) numbers of landmarks; lids and lips are closed by triangles of their own, irises have none."""
    return _mesh()[1]
