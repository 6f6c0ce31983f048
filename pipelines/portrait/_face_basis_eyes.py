"""What the shapes of lids, brows, nose and cheeks do to the landmarks: rules with handles and reach.

Amounts are in distances between the outer corners of the eyes and were set by eye on photographs and
drawings. Knows marks of one face, no pixels.
"""

from __future__ import annotations

import numpy as np

from pipelines.portrait._face_points import SIDES, Array, Side
from pipelines.portrait._face_shapes import Marks, smooth


def fill(face: Marks) -> None:
    """All rules above the mouth."""
    for side in SIDES:
        _lids(face, side)
        _brows_up(face, side)
        _brow_down(face, side)
        _sneer(face, side)
        _cheek(face, side)


def _lids(face: Marks, side: Side) -> None:
    """A travel of 1 closes the eye from above, or from below; the skin around follows less and less."""
    up, lo = np.array(side.upper), np.array(side.lower)
    gap = np.maximum(face.p[lo, 1] - face.p[up, 1], 0)
    upper, lower = face.at(f"upperLid{side.name}"), face.at(f"lowerLid{side.name}")
    upper[up, 1] = gap
    upper[np.array(side.crease)[1:-1], 1] = 0.62 * gap[1:-1]
    upper[np.array(side.brow_edge), 1] = 0.03 * gap.max()
    lower[lo, 1] = -gap
    lower[np.array(side.bag)[1:-1], 1] = -0.55 * gap[1:-1]
    below = face.y > face.p[lo, 1].max() + 0.05
    lower[:, 1] -= 0.25 * gap.max() * face.near(face.mean(side.cheek), 0.16, 0.1) * below


def _room(face: Marks, side: Side) -> float:
    """Between the lid and the brow, where a brow can go down."""
    lid = face.p[list(side.upper), 1].min()
    return float(max(lid - face.p[list(side.brow_edge), 1].mean(), 0.07))


def _brow(face: Marks, side: Side) -> tuple[Array, Array, Array, Array]:
    """The inner, middle and outer part of the brow, and 1 on its own side of the face."""
    parts = [face.mean(side.brow_top[i], side.brow_edge[i]) for i in (4, 2, 0)]
    return parts[0], parts[1], parts[2], smooth(0.5 + side.sign * face.x / 0.2)


def _brows_up(face: Marks, side: Side) -> None:
    inner, middle, outer, own = _brow(face, side)
    lid = face.p[list(side.upper), 1].min()
    free = smooth((lid - face.y) / (0.9 * _room(face, side)) + 0.1) * own  # lids stay where they are
    free[list(side.crease)] = np.minimum(free[list(side.crease)], 0.22)
    free[list(side.upper)], free[list(side.lower)] = 0.03, 0
    raised = face.at("browInnerUp")
    weight = face.near(inner - [0, 0.03], 0.17, 0.19) * free
    raised[:, 1] -= 0.125 * weight
    raised[:, 0] -= side.sign * 0.03 * weight
    bells = (
        face.near(middle + np.array([side.sign * 0.04, -0.03]), 0.16, 0.2),
        face.near(outer - [0, 0.03], 0.16, 0.2),
    )
    face.at(f"browOuterUp{side.name}")[:, 1] = -0.105 * np.maximum(*bells) * free


def _brow_down(face: Marks, side: Side) -> None:
    inner, middle, _, own = _brow(face, side)
    down = face.at(f"browDown{side.name}")
    bell = np.maximum(face.near(inner, 0.16, 0.15), 0.7 * face.near(middle, 0.17, 0.15))
    part = np.ones(len(face.p))
    part[list(side.crease)], part[list(side.upper)], part[list(side.lower)] = 0.66, 0.3, 0
    part[face.y > face.p[side.upper[-1], 1] + 0.04] *= 0.25
    down[:, 1] = min(0.15, 0.95 * _room(face, side)) * bell * part * own
    down[:, 0] = -side.sign * 0.055 * face.near(inner, 0.13, 0.15) * own


def _sneer(face: Marks, side: Side) -> None:
    """The wing of the nose and the lip under it go up, the inner brow down."""
    wing = face.mean(*side.wing)
    own = smooth(0.5 + side.sign * (face.x - face.mouth[0]) / 0.12)
    size = float(np.clip(abs(wing[0] - face.p[1, 0]) / 0.16, 0.5, 1.1))  # of a small nose, small
    sneer = face.at(f"noseSneer{side.name}")
    sneer[:, 1] = -0.07 * size * face.near(wing, 0.10, 0.12)
    sneer[:, 0] = side.sign * 0.015 * face.near(wing, 0.08, 0.08)
    lip = face.near(np.array([wing[0], face.p[0, 1]]), 0.12, 0.07) * own
    sneer[:, 1] -= np.where(face.upper, 0.038 * lip, 0)
    above = smooth((face.p[side.upper[-1], 1] - face.y) / 0.08)
    bell = face.near(_brow(face, side)[0], 0.13, 0.12) * above * own
    sneer[:, 1] += 0.05 * bell
    sneer[:, 0] -= side.sign * 0.02 * bell
    sneer[:, 1] -= 0.02 * face.near(face.mean(168, 6) + np.array([side.sign * 0.06, 0]), 0.08, 0.08)
    sneer[face.lower] = 0


def _cheek(face: Marks, side: Side) -> None:
    squint = face.at(f"cheekSquint{side.name}")
    squint[:, 1] = -0.06 * face.near(face.mean(side.cheek) - [0, 0.02], 0.2, 0.13)
    lid = face.p[list(side.lower), 1].max()
    squint[:, 1] *= smooth((face.y - lid) / 0.11)  # the lid's own travel does the rest
