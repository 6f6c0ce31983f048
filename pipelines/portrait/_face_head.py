"""The head as a whole: how it turns in depth, what turns with it, and what stays behind it.

Turns beyond about ten degrees are softly limited: one picture knows nothing of the far side of a face. Knows
pixels and landmarks, no expression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.portrait._face_field import CELLS, cells, oval_share, spline
from pipelines.portrait._face_points import CHIN, OVAL, SKIN, Array, Frame
from pipelines.portrait._face_shapes import smooth
from studio.lazy import lazy

cv2 = lazy("cv2")

FREE_DEG, MOST_DEG = 10.0, 15.0  # turns are exact up to the first and never reach the second
FREE_SHIFT, MOST_SHIFT = 0.15, 0.3  # likewise for where the head is, in eye distances
_FAR = 6.0  # of the camera, in eye distances
_DEEP = ((1.18, 0.12), (1.45, 0.2), (2.0, 0.28), (3.2, 0.28))  # ring around the oval, how much further away


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A rotation (3, 3) about `pivot` (3,) px, then a scale and a shift (2,) px."""

    rotation: Array
    pivot: Array
    scale: float
    shift: Array

    def of(self, points: Array) -> Array:
        """(..., 3) px -> (..., 2) px of the picture."""
        turned = (points - self.pivot) @ self.rotation.T[:, :2]
        return np.asarray(turned * self.scale + self.pivot[:2] + self.shift, dtype=np.float32)

    @property
    def plane(self) -> Array:
        """(2, 2) what the turn does to a plane that faces the camera."""
        return np.asarray(self.rotation[:2, :2] * self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """`depth` (CELLS, CELLS) px away from the camera; `share` (CELLS, CELLS) of the turn each place takes."""

    depth: Array
    share: Array
    pivot: Array
    frame: Frame

    def turn(self, head: Array) -> Turn:
        """The turn of one row of Motion.head, softly limited."""
        pitch, yaw, roll = np.radians(_soft(head[:3], FREE_DEG, MOST_DEG))
        across, up, near = _soft(head[3:], FREE_SHIFT, MOST_SHIFT)
        cy, sy, cp, sp, cr, sr = *_pair(yaw), *_pair(pitch), *_pair(roll)
        turn_yaw = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        turn_pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        turn_roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        axes = np.eye(3)
        axes[:2, :2] = self.frame.axes  # the head of a tilted picture turns about its own axes
        rotation = (axes.T @ turn_roll @ turn_yaw @ turn_pitch @ axes).astype(np.float32)
        shift = self.frame.shifts(np.array([across, -up], dtype=np.float32))
        return Turn(rotation, self.pivot, float(_FAR / (_FAR - near)), shift)


def head_of(landmarks: Array, frame: Frame, size_px: int) -> Head:
    """Depth from the landmarks, and which part of the picture turns: all above the neck."""
    points = frame.local(cells(size_px).reshape(-1, 2))
    face = frame.local(landmarks[:SKIN, :2])
    depth = _depth(landmarks, frame, size_px)
    wide = np.abs(points[:, 0] - face[CHIN, 0])
    start = face[CHIN, 1] - 0.12 - 0.35 * smooth((wide - 0.45) / 0.5)
    share = 1 - smooth((points[:, 1] - start) / 0.95)
    pivot = np.append(
        frame.pixels(np.array([0.0, 1.0])), landmarks[[234, 454], 2].mean() + 0.1 * frame.unit_px
    )
    return Head(depth, share.reshape(CELLS, CELLS).astype(np.float32), pivot.astype(np.float32), frame)


def _depth(landmarks: Array, frame: Frame, size_px: int) -> Array:
    face = frame.local(landmarks[:SKIN, :2])
    oval, centre = face[list(OVAL)], face[[10, CHIN, 234, 454]].mean(0)
    z = landmarks[:SKIN, 2] / frame.unit_px
    rings = [
        (centre + (oval - centre) * far, z[list(OVAL)] * 0.5 + z[list(OVAL)].mean() * 0.5 + deep)
        for far, deep in _DEEP
    ]
    nodes = np.vstack([face[::3], *(ring for ring, _ in rings)]).astype(np.float32)
    values = np.concatenate([z[::3], *(deep for _, deep in rings)])
    coarse = cells(size_px)[1::4, 1::4]
    places = frame.local(coarse.reshape(-1, 2))
    inside = np.minimum(1, 3.0 / np.maximum(oval_share(places, face), 1e-6))
    places = centre + (places - centre) * inside[:, None]
    depth = spline(nodes, values[:, None], places.astype(np.float32)).reshape(coarse.shape[:2])
    depth = cv2.resize(depth * frame.unit_px, (CELLS, CELLS), interpolation=cv2.INTER_CUBIC)
    return np.asarray(depth, dtype=np.float32)


def _soft(values: Array, free: float, most: float) -> NDArray[np.float64]:
    size = np.abs(np.asarray(values, dtype=np.float64))
    room = most - free
    soft = np.where(size > free, free + room * np.tanh((size - free) / room), size)
    return np.asarray(np.sign(values) * soft)


def _pair(angle: float) -> tuple[float, float]:
    return float(np.cos(angle)), float(np.sin(angle))
