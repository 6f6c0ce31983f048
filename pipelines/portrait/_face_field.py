"""Smooth fields over the picture: the motion of landmarks spread over pixels, and turned round.

Each shape's displacements at the landmarks are spread by thin-plate splines to two fields on a coarse grid:
`upper` knows nothing of lower lip and lower lids, `lower` nothing of upper ones, so that mouth and eyes open
along a clean line between the two. A picture is drawn by asking for every pixel shown where it came from;
`inverse` finds that by Newton's method. Knows no picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.portrait import _face_shapes as rules
from pipelines.portrait._face_basis import basis as displacements
from pipelines.portrait._face_points import (
    CHIN,
    FOREHEAD,
    LOWER_LIP,
    OVAL,
    SIDES,
    SKIN,
    UPPER_LIP,
    Array,
    Frame,
)
from studio.lazy import lazy

cv2 = lazy("cv2")

CELLS = 128  # grid points across the picture
_PARTS = (0.35, 0.7, 1.0, 1.0)  # of the motion: each of Newton's steps starts near its end
_RINGS = (1.1, 1.22, 1.4, 1.65)  # around the oval of the face, where the skin's motion dies away
_LASHES = (0.03, 0.05)  # eye distances beyond the edge of a lid
_LID = 7  # points of a lid between its corners
_STIFF = 1e-4  # how far a spline may miss its points: landmarks are noisy


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """`upper`, `lower` (shapes, rows * columns * 2) px on the cells of `box` (top, bottom, left, right);
    `points` (shapes, 468 * 2) px at the landmarks."""

    upper: Array
    lower: Array
    points: Array
    box: tuple[int, int, int, int]
    cell_px: float


def cells(size_px: int) -> Array:
    """(CELLS, CELLS, 2) px of the grid points, the centres of the cells."""
    axis = (np.arange(CELLS, dtype=np.float32) + 0.5) * (size_px / CELLS) - 0.5
    return np.stack(np.meshgrid(axis, axis), axis=-1)


def oval_share(points: Array, face: Array) -> NDArray[np.float64]:
    """How far out local points are: 1 on an ellipse about the oval of the face (468, 2), 0 in its middle."""
    centre = face[[FOREHEAD, CHIN, 234, 454]].mean(0)
    wide = max(np.abs(face[list(OVAL), 0] - centre[0]).max(), 0.3)
    high = max(abs(face[CHIN, 1] - face[FOREHEAD, 1]) / 2, 0.5)
    return np.asarray(np.hypot((points[:, 0] - centre[0]) / wide, (points[:, 1] - centre[1]) / high))


def fields_of(landmarks: Array, frame: Frame, size_px: int) -> Fields:
    """Spread the basis of this face over the grid."""
    face = frame.local(landmarks[:SKIN, :2])
    around, lashes = _around(face), _lashes(face)
    nodes = np.vstack([face, around, *(strip.points for strip in lashes)])
    reach = 1 - rules.smooth((oval_share(nodes, face) - 1.0) / 0.55)
    basis = displacements(nodes, np.where(np.arange(len(nodes)) < SKIN, np.maximum(reach, 0.6), reach))
    edges = SKIN + len(around) + np.arange(len(lashes)) * _LID
    grid = cells(size_px)
    box = _box(landmarks, grid, size_px)
    top, bottom, left, right = box
    places = frame.local(grid[top:bottom, left:right].reshape(-1, 2))
    fade = (1 - rules.smooth((oval_share(places, face) - 1.25) / 0.4)).astype(np.float32)
    both = []
    for is_upper in (True, False):
        of = _twins(lashes, edges, is_upper)
        kept = np.flatnonzero(of >= 0)
        values = basis[:, of[kept]].transpose(1, 0, 2).reshape(len(kept), -1)
        values = spline(nodes[kept], values, places) * fade[:, None]
        values = values.reshape(len(places), len(basis), 2).transpose(1, 0, 2)
        both.append(np.ascontiguousarray(frame.shifts(values)).reshape(len(basis), -1))
    # Beside mouth and eyes the two must be one, or the line between them would be a cut in the skin.
    both[1] = both[0] + (both[1] - both[0]) * np.repeat(_apart(places, face), 2)
    at_points = frame.shifts(basis[:, :SKIN]).reshape(len(basis), -1)
    return Fields(both[0], both[1], np.ascontiguousarray(at_points), box, size_px / CELLS)


def _around(face: Array) -> Array:
    centre = face[[FOREHEAD, CHIN, 234, 454]].mean(0)
    oval = face[list(OVAL)]
    return np.vstack([centre + (oval - centre) * factor for factor in _RINGS]).astype(np.float32)


def _apart(places: Array, face: Array) -> Array:
    """(places,) 1 above and below mouth and eyes, 0 beside them."""
    lids = max(float(face[list(side.lower), 1].max()) for side in SIDES)
    split = (lids + float(face[0, 1])) / 2
    zones = [(face[61], face[291], places[:, 1] > split)]
    zones += [(face[side.upper[0]], face[side.upper[-1]], places[:, 1] <= split) for side in SIDES]
    apart = np.zeros(len(places))
    for one, other, there in zones:
        half = max(abs(float(other[0] - one[0])) / 2, 0.05)
        along = np.abs(places[:, 0] - (one[0] + other[0]) / 2) / half
        apart = np.maximum(apart, rules.smooth((1.18 - along) / 0.3) * there)
    return apart.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Strip:
    """Points (7, 2) along a `lid` that move with it as one piece; `facing` is the other lid of the eye.

    Lashes grow there, and skin that stretched from the very edge would smear them.
    """

    points: Array
    lid: tuple[int, ...]
    facing: tuple[int, ...]
    is_upper: bool


def _lashes(face: Array) -> list[_Strip]:
    """Strips beyond each lid, and one across the middle of each eye."""
    strips = []
    for side in SIDES:
        lids = ((side.upper, side.lower, side.crease, True), (side.lower, side.upper, side.bag, False))
        for lid, facing, beyond, is_upper in lids:
            inner = list(lid[1:-1])
            out = face[list(beyond[1:-1])] - face[inner]
            far = np.linalg.norm(out, axis=1, keepdims=True)
            for high in _LASHES if is_upper else _LASHES[:1]:
                points = face[inner] + out / np.maximum(far, 1e-6) * np.minimum(high, 0.6 * far)
                strips.append(_Strip(points, tuple(inner), tuple(facing[1:-1]), is_upper))
        upper, lower = side.upper[1:-1], side.lower[1:-1]
        strips.append(_Strip((face[list(upper)] + face[list(lower)]) / 2, upper, lower, True))
    return strips


def _box(landmarks: Array, grid: Array, size_px: int) -> tuple[int, int, int, int]:
    oval = landmarks[list(OVAL), :2]
    low, high = oval.min(0), oval.max(0)
    grow = (high - low) * 0.35
    cell = size_px / CELLS
    first = np.clip(np.floor((low - grow) / cell), 0, CELLS - 8).astype(int)
    last = np.clip(np.ceil((high + grow) / cell), 8, CELLS).astype(int)
    return int(first[1]), int(last[1]), int(first[0]), int(last[0])


def _twins(lashes: list[_Strip], edges: NDArray[np.int64], is_upper: bool) -> NDArray[np.int64]:
    """For each node whose displacement it takes in one of the fields: its own, or -1 for none.

    Across an open eye or mouth a field goes on as it is at its own edge, so that no pixel near the line
    between the two fields asks for what lies in the opening.
    """
    count = int(edges[-1]) + _LID
    of = np.arange(count)
    lips = (UPPER_LIP, LOWER_LIP) if is_upper else (LOWER_LIP, UPPER_LIP)
    for ring, near in zip(lips[1], (False, False, True, True), strict=True):
        inner = [i for i in ring[1:-1] if i not in (76, 306)]
        own = dict(zip(ring, lips[0][3], strict=True))
        of[inner] = [own[i] for i in inner] if near else -1
    for side in SIDES:
        own_lid, other = (side.upper, side.lower) if is_upper else (side.lower, side.upper)
        of[list(other[1:-1])] = own_lid[1:-1]
    for strip, first in zip(lashes, edges, strict=True):
        of[first : first + _LID] = strip.lid if strip.is_upper == is_upper else strip.facing
    return of


def spline(nodes: Array, values: Array, places: Array) -> Array:
    """(places, k) what a thin-plate spline through `values` (n, k) at `nodes` (n, 2) says at `places`."""
    count = len(nodes)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bend(nodes, nodes)
    system[np.arange(count), np.arange(count)] += _STIFF
    system[:count, count:] = np.c_[np.ones(count), nodes]
    system[count:, :count] = system[:count, count:].T
    wanted = np.zeros((count + 3, values.shape[1]))
    wanted[:count] = values
    solved = np.linalg.solve(system, wanted).astype(np.float32)
    kernel = np.c_[_bend(places, nodes), np.ones(len(places), np.float32), places].astype(np.float32)
    return np.asarray(kernel @ solved)


def _bend(a: Array, b: Array) -> Array:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    squares = np.maximum(squares, 1e-9)
    return np.asarray(squares * np.log(squares))


def inverse(forward: Array, origin: tuple[int, int], cell_px: float) -> Array:
    """Where each grid point came from: (rows, columns, 2) px shift to add to its own place.

    `forward` (rows, columns, 2) px says where each grid point goes; `origin` (row, column) is its first cell.
    """
    own, zero = _places(forward.shape[0], forward.shape[1], origin, cell_px)
    moves = forward - own
    steep = _slopes(moves, 0.5 / cell_px)
    shift = np.zeros_like(moves)
    for part in _PARTS:
        at = zero + shift / np.float32(cell_px)
        there = cv2.remap(moves, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        slope = cv2.remap(steep, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        shift -= _step(shift + np.float32(part) * there, np.float32(part) * slope)
    return np.asarray(shift)


@lru_cache(maxsize=16)  # two for each size of a face
def _places(rows: int, columns: int, origin: tuple[int, int], cell_px: float) -> tuple[Array, Array]:
    """(rows, columns, 2) px where grid points lie, and the same in cells from the first one."""
    start = (np.array([origin[1], origin[0]]) + 0.5) * cell_px - 0.5
    axis_x = np.arange(columns, dtype=np.float32) * np.float32(cell_px) + np.float32(start[0])
    axis_y = np.arange(rows, dtype=np.float32) * np.float32(cell_px) + np.float32(start[1])
    own = np.stack(np.meshgrid(axis_x, axis_y), axis=-1)
    return own, (own - start.astype(np.float32)) / np.float32(cell_px)


def _slopes(moves: Array, half: float) -> Array:
    """(rows, columns, 4): central differences of both parts across, then down; 0 at the edges."""
    found = np.zeros((*moves.shape[:2], 4), np.float32)
    np.subtract(moves[:, 2:], moves[:, :-2], out=found[:, 1:-1, :2])
    np.subtract(moves[2:], moves[:-2], out=found[1:-1, :, 2:])
    found *= np.float32(half)
    return found


def _step(miss: Array, slope: Array) -> Array:
    """Newton's step for each point: `miss` over the Jacobian, which is kept away from folds."""
    a, b = slope[..., 0] + 1, slope[..., 2]
    c, d = slope[..., 1], slope[..., 3] + 1
    scale = 1 / np.maximum(a * d - b * c, np.float32(0.25))
    x, y = miss[..., 0] * scale, miss[..., 1] * scale
    return np.stack([d * x - b * y, a * y - c * x], axis=-1)


def enlarged(shift: Array, size: tuple[int, int]) -> Any:
    """A coarse field at full size (height, width)."""
    return cv2.resize(shift, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
