"""The mean face as the preview head is built on it: 468 points in cm, their numbers, triangles of the skin.

x is to the person's left, y up, z towards the camera, as glTF has it. Knows no expression.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from studio.face_mesh import (
    LEFT_EYE,
    LOWER_LIP_INNER,
    RIGHT_EYE,
    UPPER_LIP_INNER,
    mean_face,
    triangles,
)

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
COUNT = 468  # without the irises
# Landmarks of the person's right, from the outside to the middle of the face.
LID_UP, LID_LOW = RIGHT_EYE.upper[1:-1], RIGHT_EYE.lower[1:-1]
CREASE, UNDER = RIGHT_EYE.crease[1:-1], RIGHT_EYE.bag[1:-1]
EYE_CORNERS = (33, 133)
BROW_UP, BROW_LOW = RIGHT_EYE.brow_top, RIGHT_EYE.brow_bottom
LIP_UP_OUT = (185, 40, 39, 37, 0)
LIP_UP_IN = (191, 80, 81, 82, 13)
LIP_LOW_OUT = (146, 91, 181, 84, 17)
LIP_LOW_IN = (95, 88, 178, 87, 14)
LIP_CORNER = (61, 78)
LIPS = (*LIP_CORNER, *LIP_UP_OUT, *LIP_UP_IN, *LIP_LOW_OUT, *LIP_LOW_IN)
CHEEK = (50, 101, 118, 117, 123, 205)
PUFF = (205, 207, 187, 214, 192, 147, 216, 212)
WING = (48, 49, 64, 98, 129, 102)
CHIN = (18, 200, 199, 175, 152, 148, 176, 149, 150, 171, 140, 170, 208, 32, 201, 194, 83, 182, 106)

_HOLES = (
    {*RIGHT_EYE.upper, *RIGHT_EYE.lower},
    {*LEFT_EYE.upper, *LEFT_EYE.lower},
    {*UPPER_LIP_INNER, *LOWER_LIP_INNER},
)


@lru_cache(maxsize=1)
def points() -> Floats:
    """(468, 3) cm."""
    return _fixed(mean_face()[:COUNT] * np.array([1.0, -1.0, -1.0]))


@lru_cache(maxsize=1)
def skin() -> Index:
    """(852, 3) triangles counter-clockwise seen from outside, without those that close eyes and mouth."""
    closed = [any({int(one) for one in row} <= hole for hole in _HOLES) for row in triangles()]
    return np.asarray(triangles()[~np.array(closed)].astype(np.int64))


@lru_cache(maxsize=1)
def mirrored() -> Index:
    """(468,) of each point the one on the other side of the face; itself in the middle."""
    other = points() * np.array([-1.0, 1.0, 1.0])
    return np.asarray(((other[:, None] - points()[None]) ** 2).sum(-1).argmin(1))


def _fixed(array: Floats) -> Floats:
    array.setflags(write=False)
    return array
