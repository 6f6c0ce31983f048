"""From where a few handles go to where all points of the preview head's face go. Knows no expression."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from studio._head_points import COUNT, Floats, mirrored, points, skin

Moves = dict[int, Floats]  # point -> displacement in cm


def still(*rows: tuple[int, ...]) -> Moves:
    return {one: np.zeros(3) for row in rows for one in row}


def both(moves: Moves) -> Moves:
    """The same on the person's left; what lies in the middle goes straight."""
    flip, other = np.array([-1.0, 1, 1]), mirrored()
    found = {int(other[one]): value * flip for one, value in moves.items()}
    found.update(moves)
    return {one: value * [other[one] != one, 1, 1] for one, value in found.items()}


def mirror(right: Floats) -> Floats:
    return np.asarray(right[mirrored()] * np.array([-1.0, 1, 1]))


def longer(one: Floats, other: Floats) -> Floats:
    """Of two displacements of a landmark the longer: side by side they must not add up."""
    is_longer = (one**2).sum(1) >= (other**2).sum(1)
    return np.where(is_longer[:, None], one, other)


@lru_cache(maxsize=1)
def _laplacian() -> Floats:
    """(468, 468) twice the graph's Laplacian, each row of it divided by how many neighbours there are."""
    near = np.zeros((COUNT, COUNT))
    for a, b, c in skin():
        for one, other in ((a, b), (b, c), (c, a)):
            near[one, other] = near[other, one] = 1
    once = np.eye(COUNT) - near / near.sum(1, keepdims=True)
    return np.asarray(once.T @ once)


def spread(moves: Moves, reach_cm: float) -> Floats:
    """(468, 3) the smoothest displacement that takes the handles where they go and ends within reach."""
    handles = np.array(sorted(moves))
    goes = np.array([moves[one] for one in handles], dtype=np.float64)
    vertices = points()
    moving = handles[(goes**2).sum(1) > 0]
    found = np.zeros((COUNT, 3))
    found[handles] = goes
    if not len(moving):
        return found
    far = np.sqrt(((vertices[:, None] - vertices[None, moving]) ** 2).sum(-1)).min(1)
    free = np.setdiff1d(np.flatnonzero(far < reach_cm), handles)
    matrix = _laplacian()
    right = -matrix[np.ix_(free, handles)] @ goes
    found[free] = np.linalg.solve(matrix[np.ix_(free, free)] + 1e-9 * np.eye(len(free)), right)
    return found
