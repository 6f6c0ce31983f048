"""The square that is shown: cut from any picture around the face, extended where the picture ends.

Knows pixels and three landmarks; knows nothing of motion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.portrait._face_points import CHIN, FOREHEAD, Array
from studio.lazy import lazy

cv2 = lazy("cv2")

FACES_HIGH = 2.3  # height of the crop in distances from forehead to chin
LEAST_HIGH = 1.5  # how far it may shrink before the picture is extended instead
FINE = 2  # the source is kept at twice the size shown, so that moving it by part of a pixel blurs little

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """`picture` (FINE * size, FINE * size, 3); `landmarks` (478, 3) in px of the size shown."""

    picture: Pixels
    landmarks: Array
    size_px: int


def crop(picture: Pixels, landmarks: Array, size_px: int) -> Crop:
    """Cut the square around the face and scale it, landmarks with it."""
    height, width = picture.shape[:2]
    face = float(np.linalg.norm(landmarks[FOREHEAD, :2] - landmarks[CHIN, :2]))
    middle = (landmarks[FOREHEAD, :2] + landmarks[CHIN, :2]) / 2 + np.array([0, 0.05 * face])
    side = float(np.clip(min(height, width), LEAST_HIGH * face, FACES_HIGH * face))
    corner = np.array(
        [_slid(middle[axis] - side / 2, side, extent) for axis, extent in ((0, width), (1, height))]
    )
    scale = size_px / side
    moved = landmarks.astype(np.float32).copy()
    moved[:, :2] = (landmarks[:, :2] - corner) * scale - 0.5
    moved[:, 2] *= scale
    return Crop(_cut(picture, corner, side, FINE * size_px), moved, size_px)


def _slid(start: float, side: float, extent: int) -> float:
    """Where the square starts so that it stays inside the picture if it can."""
    if side >= extent:
        return (extent - side) / 2
    return float(np.clip(start, 0, extent - side))


def _cut(picture: Pixels, corner: Any, side: float, size: int) -> Pixels:
    scale = size / side
    source, corner = _near(picture, corner, side)
    if scale < 1:  # averaged over areas first: sampling alone would flicker and moire
        shape = (max(1, round(source.shape[1] * scale)), max(1, round(source.shape[0] * scale)))
        stretch = np.array([shape[0] / source.shape[1], shape[1] / source.shape[0]])
        source = cv2.resize(source, shape, interpolation=cv2.INTER_AREA)
    else:
        stretch = np.ones(2)
    # Pixel (0, 0) covers the square from 0 to 1, so centres lie at halves.
    grow = scale / stretch
    shift = 0.5 * grow - corner * scale - 0.5
    matrix = np.array([[grow[0], 0, shift[0]], [0, grow[1], shift[1]]])
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    cut = cv2.warpAffine(source, matrix, (size, size), flags=way, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(
        np.full(source.shape[:2], 255, np.uint8), matrix, (size, size), flags=cv2.INTER_NEAREST
    )
    return cut if inside[1:-1, 1:-1].all() else _softened(cut, inside)


def _near(picture: Pixels, corner: Any, side: float) -> tuple[Pixels, Any]:
    """The part of a large picture that matters, and where the square starts in it."""
    margin = 4 + side * 0.02
    start = np.maximum(np.floor(corner - margin), 0).astype(int)
    stop = np.ceil(corner + side + margin).astype(int)
    part = picture[start[1] : stop[1], start[0] : stop[0]]
    return np.ascontiguousarray(part), corner - start


def _softened(cut: Pixels, inside: Pixels) -> Pixels:
    """What lies past the border of the picture goes on as its border is, and out of focus."""
    far = cv2.distanceTransform(255 - inside, cv2.DIST_L2, 3)
    share = np.clip(far / (0.04 * len(cut)), 0, 1)[..., None]
    small = cv2.resize(cut, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 0.035 * len(small))
    blurred = cv2.resize(small, cut.shape[1::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return np.asarray(cut + (blurred - cut) * share, dtype=np.uint8)
