"""The mean face brought to given landmarks. Knows no picture and no file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from studio.face_mesh import mean_face
from studio.motion import Array

Floats = npt.NDArray[np.float64]


def ring(radius: float) -> Floats:
    """(5, 2) of an iris around the origin: its centre, then right, top, left and bottom of the rim."""
    return np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]]) * radius


def warped(targets: Mapping[int, tuple[float, float]]) -> Array:
    """(478, 3): the mean face so that every landmark in `targets` lies exactly there.

    A similarity brings the mean face near, a thin-plate spline (Bookstein 1989) takes the rest up; depth is
    the mean face's at the similarity's scale. Needs three targets or more that are not on one line.
    """
    mean = mean_face()
    numbers = list(targets)
    wanted = np.array([targets[number] for number in numbers], np.float64)
    scale, turn, shift = _similarity(mean[numbers, :2], wanted)
    near = mean[:, :2] @ turn.T * scale + shift
    moved = near + _spline(near[numbers], wanted - near[numbers], near)
    moved[numbers] = wanted  # the spline meets them to rounding only
    return np.column_stack([moved, mean[:, 2] * scale]).astype(np.float32)


def bent(points: Array, targets: Mapping[int, tuple[float, float]]) -> Array:
    """(478, 3): the same face with every landmark in `targets` exactly there; depth stays."""
    numbers = list(targets)
    wanted = np.array([targets[number] for number in numbers], np.float64)
    flat = points[:, :2].astype(np.float64)
    moved = flat + _spline(flat[numbers], wanted - flat[numbers], flat)
    moved[numbers] = wanted
    return np.column_stack([moved, points[:, 2]]).astype(np.float32)


def _similarity(source: Floats, target: Floats) -> tuple[float, Floats, Floats]:
    """Scale, rotation and shift with the least squared error (Umeyama 1991, without reflection)."""
    about, onto = source.mean(axis=0), target.mean(axis=0)
    left, sizes, right = np.linalg.svd((target - onto).T @ (source - about))
    signs = np.array([1.0, np.sign(np.linalg.det(left @ right)) or 1.0])
    turn = left @ np.diag(signs) @ right
    scale = float((sizes * signs).sum() / ((source - about) ** 2).sum())
    return scale, turn, onto - scale * turn @ about


def _spline(knots: Floats, offsets: Floats, at: Floats) -> Floats:
    """(P, 2) offsets at `at` of the smoothest field that has `offsets` at `knots`."""
    size = max(float(np.ptp(knots, axis=0).max()), 1e-9)  # a good scale for the solver
    knots, at = knots / size, at / size
    count = len(knots)
    matrix = np.zeros((count + 3, count + 3))
    matrix[:count, :count] = _bend(knots, knots)
    matrix[:count, count:] = np.column_stack([np.ones(count), knots])
    matrix[count:, :count] = matrix[:count, count:].T
    weights = np.linalg.lstsq(matrix, np.vstack([offsets, np.zeros((3, 2))]), rcond=None)[0]
    plane = np.column_stack([np.ones(len(at)), at])
    return np.asarray(_bend(at, knots) @ weights[:count] + plane @ weights[count:])


def _bend(points: Floats, knots: Floats) -> Floats:
    square = ((points[:, None] - knots[None]) ** 2).sum(axis=2)
    return np.asarray(0.5 * square * np.log(np.maximum(square, 1e-18)))
