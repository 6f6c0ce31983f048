"""Light on a drawn face: its landmarks are a surface whose slope says how bright skin is. Knows no lips."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from studio.face_mesh import triangles

Array = npt.NDArray[np.float32]


def slopes(points: Array, size_px: int, blur_px: float = 5.0) -> Array:
    """(size, size, 3) unit normals of the face, right, down and away; beyond the oval those of its rim."""
    normals = _at_points(points[:468])
    field = np.zeros((size_px, size_px, 4), np.float32)
    for corners in triangles():
        _fill(field, points[corners, :2], normals[corners])
    seen = _spread(field, blur_px)
    for further in (3 * blur_px, 9 * blur_px):  # what a blur does not reach, a wider one does
        wide = _spread(field, further)
        share = np.clip(seen[..., 3:] * 2, 0, 1)
        seen = np.where(seen[..., 3:] > 0.5, seen, seen * share + wide * (1 - share))
    length = np.linalg.norm(seen[..., :3], axis=2, keepdims=True)
    return np.asarray(seen[..., :3] / np.maximum(length, 1e-6), np.float32)


def brightness(normals: Array, light: Sequence[float], wrap: float = 0.4) -> Array:
    """(size, size) in 0..1: how much of a soft light from `light` (right, down, away) the surface takes."""
    towards = np.array(light, np.float32)
    towards /= np.linalg.norm(towards)
    return np.asarray(np.clip((normals @ towards + wrap) / (1 + wrap), 0, 1), np.float32)


def gleam(normals: Array, light: Sequence[float], sharpness: float) -> Array:
    """(size, size) in 0..1: the mirror image of the light for somebody in front (Blinn 1977)."""
    half = np.array(light, np.float32) / np.linalg.norm(light) + np.array([0, 0, -1], np.float32)
    return np.asarray(np.clip(normals @ (half / np.linalg.norm(half)), 0, 1) ** sharpness, np.float32)


def ramp(values: Array, stops: Sequence[tuple[float, tuple[int, int, int]]]) -> Array:
    """(..., 3) colours 0..255 of values 0..1 between (value, colour) stops."""
    at = [stop for stop, _ in stops]
    return np.stack([np.interp(values, at, [c[k] for _, c in stops]) for k in range(3)], -1).astype(
        np.float32
    )


def _at_points(points: Array) -> Array:
    found = np.zeros_like(points)
    corners = triangles()
    one, two, three = (points[corners[:, k]] for k in range(3))
    flat = np.cross(two - one, three - one)
    flat *= np.where(flat[:, 2:] > 0, -1.0, 1.0)  # all look at the camera, however they are wound
    for k in range(3):
        np.add.at(found, corners[:, k], flat)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)


def _fill(field: Array, corners: Array, values: Array) -> None:
    """One triangle of values, linear between its corners."""
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, field.shape[0])
    (ax, ay), (bx, by), (cx, cy) = corners
    area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
    if abs(area) < 1e-3 or (high <= low).any():
        return
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
    first = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area
    second = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area
    shares = np.stack([first, second, 1 - first - second], -1)
    inside = (shares >= -1e-4).all(axis=2)
    part = field[low[1] : high[1], low[0] : high[0]]
    part[inside, :3] = (shares[inside] @ values).astype(np.float32)
    part[inside, 3] = 1.0


def _spread(field: Array, blur_px: float) -> Array:
    """Blurred where there is something: values over weights, and the weights."""
    less = max(1, int(blur_px // 4))  # a wide blur needs no fine grid
    size = field.shape[0]
    small = (
        cv2.resize(field, (size // less, size // less), interpolation=cv2.INTER_AREA) if less > 1 else field
    )
    blurred = cv2.resize(cv2.GaussianBlur(small, (0, 0), blur_px / less), (size, size))
    weights = blurred[..., 3:]
    return np.concatenate([blurred[..., :3] / np.maximum(weights, 1e-4), weights], axis=2)
