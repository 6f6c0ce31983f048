"""The jaw of the preview head: what goes with it, and how it turns. In cm, as in studio._head_points."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from studio._head_points import (
    BROW_LOW,
    BROW_UP,
    CHEEK,
    CHIN,
    CREASE,
    EYE_CORNERS,
    LID_LOW,
    LID_UP,
    LIP_LOW_IN,
    LIP_LOW_OUT,
    LIP_UP_IN,
    LIP_UP_OUT,
    UNDER,
    WING,
    Floats,
    mirrored,
)  # fmt: skip
from studio._head_spread import spread

JAW_DEG = 18.0  # that jawOpen turns the jaw by
_HINGE = (0.5, -4.0)  # y and z of the axis it turns about
_SLIDE = (-0.4, 1.0)  # y and z that its joint slides meanwhile


@lru_cache(maxsize=1)
def jaw_share() -> Floats:
    """(468,) how much a landmark goes with the jaw: 1 at the chin, 0 at the nose, between them on cheeks."""
    middle = list(dict.fromkeys((*LIP_LOW_OUT, *LIP_LOW_IN, *CHIN)))
    still_ones = [1, 4, 2, 164, 168, 10, 234, 127, 162, 93, *LIP_UP_OUT, *LIP_UP_IN, *WING, *CHEEK]
    still_ones += [*EYE_CORNERS, *LID_UP, *LID_LOW, *CREASE, *UNDER, *BROW_UP, *BROW_LOW]
    part = {61: 0.42, 78: 0.42, 136: 0.85, 172: 0.65, 58: 0.4, 132: 0.15, 214: 0.55, 192: 0.35, 207: 0.15}
    moves = {one: np.array([1.0, 0, 0]) for one in middle}
    moves.update({one: np.zeros(3) for one in still_ones})
    moves.update({one: np.array([share, 0, 0]) for one, share in part.items()})
    for one, value in list(moves.items()):
        moves[int(mirrored()[one])] = value
    share = spread(moves, 99.0)[:, 0]
    return np.clip(share, 0.0, 1.0)


def turned_jaw(points: Floats, degrees: float) -> Floats:
    """Points (n, 3) in cm after the jaw has turned open about its axis, which slides forwards and down."""
    angle = np.radians(degrees)
    y, z = points[:, 1] - _HINGE[0], points[:, 2] - _HINGE[1]
    turned = np.array(points, dtype=np.float64)
    part = degrees / JAW_DEG
    turned[:, 1] = _HINGE[0] + y * np.cos(angle) - z * np.sin(angle) + _SLIDE[0] * part
    turned[:, 2] = _HINGE[1] + y * np.sin(angle) + z * np.cos(angle) + _SLIDE[1] * part
    return turned
