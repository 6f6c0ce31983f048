"""The 478 landmarks of a face that will be drawn, from a few measures. Knows lengths, no colour and no brush.

Lengths are cm of the mean face (15 wide, 18 from hairline to chin); the origin lies between the eyes and the
nose. What is drawn later goes through these points, so they are exact by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from studio._face_fit import ring, warped
from studio.face_mesh import EYES, LOWER_LIP, OVAL, UPPER_LIP, Eye, mean_face

Floats = npt.NDArray[np.float64]
Targets = dict[int, tuple[float, float]]

SIZE_PX = 768  # side of the canvas
CM_PX = 18.9  # a square of 2.3 face heights, as renderers cut it, is the whole picture
ORIGIN_PX = (384.0, 357.0)
LIP_GAP_PX = 0.8  # upper and lower lip are the two sides of the line between them
_NOSE = (
    *(1, 2, 4, 5, 6, 19, 94, 168, 195, 197, 97, 326, 98, 327, 64, 294, 48, 278, 129, 358, 49, 279, 131, 360),
    *(115, 344, 220, 440, 45, 275, 44, 274, 218, 438, 237, 457, 79, 309, 239, 459, 166, 392, 219, 439, 59),
    *(289, 235, 455, 75, 305, 240, 460, 60, 290, 99, 328, 20, 250, 242, 462, 141, 370, 125, 354, 238, 458),
    *(241, 461, 3, 248, 51, 281, 134, 363, 236, 456, 174, 399, 196, 419),
)
_RINGS = (0.0, 0.4, 0.75, 1.0)  # where lip rings are between the outer and the inner edge


@dataclass(frozen=True, slots=True)
class Shape:
    """Measures of a face; the defaults make a grown-up. `*_cm` are lengths, the rest factors of the mean."""

    width: float = 0.92
    jaw: float = 0.94
    cheeks: float = 0.0
    chin: float = 1.0
    forehead: float = 1.0
    eye_width_cm: float = 2.85
    eye_height_cm: float = 1.12
    eye_apart_cm: float = 3.2  # from the middle of the face
    eye_y_cm: float = -2.6
    eye_tilt_cm: float = 0.12  # how much the outer corner is above the inner one
    lower_lid: float = 0.36  # share of the eye's height below the line between its corners
    iris_cm: float = 0.64
    gaze_cm: tuple[float, float] = (0.0, -0.04)
    brow_y_cm: float = -4.15
    brow_arch_cm: float = 0.42
    brow_tilt_cm: float = 0.1
    brow_cm: float = 0.5
    nose_width: float = 0.95
    nose_length: float = 1.0
    mouth_cm: float = 2.45  # from the middle to a corner
    mouth_y_cm: float = 4.3
    upper_lip_cm: float = 0.62
    lower_lip_cm: float = 0.92
    corners_cm: float = 0.06
    turn_deg: float = 0.0  # to the right in the picture


@dataclass(frozen=True, slots=True)
class Person:
    """`paint(brush, points)` draws along the landmarks of `shape`; `finish(picture, points)` is a filter."""

    shape: Shape
    paint: Callable[[Any, Any], None]
    finish: Callable[[Any, Any], Any] | None = None


def landmarks(shape: Shape) -> npt.NDArray[np.float32]:
    """(478, 3) px of a head that is held upright on a canvas of SIZE_PX."""
    targets = {**_oval(shape), **_nose(shape), **_lips(shape)}
    for eye, sign in zip(EYES, (-1.0, 1.0), strict=True):
        targets |= _lids(shape, eye, sign) | _brow(shape, eye, sign)
    points = warped(targets).astype(np.float64)
    points = _turned(points, shape.turn_deg) * CM_PX + np.array([*ORIGIN_PX, 0.0])
    return _with_round_irises(points, shape).astype(np.float32)


def _oval(shape: Shape) -> Targets:
    x, y = mean_face()[list(OVAL), 0], mean_face()[list(OVAL), 1].copy()
    low = _smooth((y - 0.5) / 8.0)
    x = x * (shape.width * (1 + (shape.jaw - 1) * low))
    x += np.sign(x) * shape.cheeks * np.exp(-(((y - 4.0) / 2.6) ** 2))
    y = np.where(y > 4.3, 4.3 + (y - 4.3) * shape.chin, np.where(y < -4, -4 + (y + 4) * shape.forehead, y))
    return _numbered(OVAL, np.column_stack([x, y]))


def _nose(shape: Shape) -> Targets:
    points = mean_face()[list(_NOSE), :2].copy()
    low = _smooth((points[:, 1] + 3) / 3.0)
    points[:, 0] *= 1 + (shape.nose_width - 1) * low
    points[:, 1] = -3.0 + (points[:, 1] + 3.0) * shape.nose_length
    return _numbered(_NOSE, points)


def _lids(shape: Shape, eye: Eye, sign: float) -> Targets:
    share = np.linspace(0, 1, 9)  # outer corner to inner
    share = share - 0.035 * np.sin(2 * np.pi * share)
    x = shape.eye_apart_cm + shape.eye_width_cm * (0.5 - share)
    line = shape.eye_y_cm + shape.eye_tilt_cm * (share - 0.5)
    high, low = shape.eye_height_cm * (1 - shape.lower_lid), shape.eye_height_cm * shape.lower_lid
    up = np.sin(np.pi * share**1.08) ** 0.78
    down = np.sin(np.pi * share**0.86) ** 0.85
    fold = 0.1 + 0.27 * np.sin(np.pi * share) ** 0.6
    wider = shape.eye_apart_cm + (x - shape.eye_apart_cm) * 1.1
    found = _numbered(eye.upper, np.column_stack([sign * x, line - high * up]))
    found |= _numbered(eye.lower, np.column_stack([sign * x, line + low * down]))
    found |= _numbered(eye.crease, np.column_stack([sign * wider, line - high * up - fold]))
    under = line + low * down + 0.12 + 0.3 * np.sin(np.pi * share)
    return found | _numbered(eye.bag[1:-1], np.column_stack([sign * wider, under])[1:-1])


def _brow(shape: Shape, eye: Eye, sign: float) -> Targets:
    share = np.linspace(0, 1, 5)
    x = 5.45 + (1.25 - 5.45) * share + (shape.eye_apart_cm - 3.2)
    bow = np.interp(share, [0, 0.25, 0.4, 0.7, 1], [0, 0.8, 1, 0.62, 0.2])
    bottom = shape.brow_y_cm - shape.brow_arch_cm * bow + shape.brow_tilt_cm * (share - 0.5)
    thick = shape.brow_cm * np.array([0.22, 0.68, 0.92, 1.0, 0.95])
    found = _numbered(eye.brow_bottom, np.column_stack([sign * x, bottom]))
    return found | _numbered(eye.brow_top, np.column_stack([sign * x, bottom - thick]))


def _lips(shape: Shape) -> Targets:
    outer_x = np.array([-1, -0.83, -0.62, -0.4, -0.18, 0, 0.18, 0.4, 0.62, 0.83, 1]) * shape.mouth_cm
    inner_x = outer_x * 0.93
    high = np.array([0, 0.42, 0.74, 0.95, 1.02, 0.84, 1.02, 0.95, 0.74, 0.42, 0])
    low = np.array([0, 0.5, 0.8, 0.95, 1, 1, 1, 0.95, 0.8, 0.5, 0])

    def line(x: Floats) -> Floats:
        far = np.abs(x) / shape.mouth_cm
        return np.asarray(shape.mouth_y_cm - shape.corners_cm * far**2 + 0.07 * np.exp(-((far / 0.16) ** 2)))

    half = LIP_GAP_PX / CM_PX / 2 * np.sin(np.pi * np.linspace(0, 1, 11)) ** 0.5
    upper = np.column_stack([outer_x, line(outer_x) - shape.upper_lip_cm * high])
    lower = np.column_stack([outer_x, line(outer_x) + shape.lower_lip_cm * low])
    found: Targets = {}
    for rings, outer, sign in ((UPPER_LIP, upper, -1), (LOWER_LIP, lower, 1)):
        inner = np.column_stack([inner_x, line(inner_x) + sign * half])
        for numbers, share in zip(rings, _RINGS, strict=True):
            found |= _numbered(numbers, outer + (inner - outer) * share)
    return found


def _turned(points: Floats, degrees: float) -> Floats:
    angle, middle = np.radians(degrees), points[list(OVAL), 2].mean()
    x, z = points[:, 0], points[:, 2] - middle
    turned_x, turned_z = x * np.cos(angle) - z * np.sin(angle), z * np.cos(angle) + x * np.sin(angle)
    return np.column_stack([turned_x, points[:, 1], turned_z + middle])


def _with_round_irises(points: Floats, shape: Shape) -> Floats:
    for eye in EYES:
        corners, lids = points[[eye.upper[0], eye.upper[-1]]], points[[eye.upper[4], eye.lower[4]]]
        centre = np.array([corners[:, 0].mean(), lids[:, 1].mean(), lids[:, 2].mean()])
        centre[:2] += np.array(shape.gaze_cm) * CM_PX
        radius = shape.iris_cm * CM_PX
        numbers = list(eye.iris)
        points[numbers] = centre + np.column_stack([ring(radius), np.zeros(5)])
    return points


def _numbered(numbers: tuple[int, ...], points: Floats) -> Targets:
    return {number: (float(x), float(y)) for number, (x, y) in zip(numbers, points, strict=True)}


def _smooth(value: Floats) -> Floats:
    value = np.clip(value, 0, 1)
    return np.asarray(value * value * (3 - 2 * value))
