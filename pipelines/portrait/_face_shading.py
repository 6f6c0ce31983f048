"""Folds and furrows: soft shading in the hue of the skin, where an expression bends the face.

A warp of pixels moves a brow but makes no furrow. Each fold is a map over the face, drawn once at set-up: a
broad soft shade, a finer core and a lit ridge beside it. Every frame weighs the maps, lets them move with the
skin and multiplies. Hair, brows, lips and anything else that is not skin takes no shade. Knows landmarks and
skin, not how fields are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.portrait._face_crop import FINE, Pixels
from pipelines.portrait._face_points import SIDES, SKIN, Array, Frame, Side
from studio.lazy import lazy
from studio.motion import INDEX

cv2 = lazy("cv2")

_GRAIN = 2  # px shown for each px of a map
_HUE = np.array([0.72, 1.04, 1.16])  # shade on R, G, B: light that has gone through skin is red
_TONE = 60.0  # how far from the colour of the skin, in Lab, still is skin
_STEPS = 100.0  # of a map's byte for a darkening by a factor e

Weigh = Callable[[Array], float]


@dataclass(frozen=True, slots=True, eq=False)
class Shading:
    """`maps` (folds, rows * columns) logarithms of light over the box (top, bottom, left, right) px shown."""

    maps: Array
    weigh: tuple[Weigh, ...]
    box: tuple[int, int, int, int]
    table: Pixels


def shading_of(picture: Pixels, landmarks: Array, frame: Frame) -> Shading:
    """The folds of this face; `picture` (fine, fine, 3)."""
    size = len(picture) // FINE
    low, high = landmarks[:SKIN, :2].min(0), landmarks[:SKIN, :2].max(0)
    grow = 0.12 * frame.unit_px
    left, top = (int(v) for v in np.clip(low - grow, 0, size - 16) // _GRAIN * _GRAIN)
    right, bottom = (int(v) for v in np.clip(high + grow, 16, size) // _GRAIN * _GRAIN)
    board = _Board(landmarks, frame, (top, bottom, left, right))
    folds: list[tuple[Array, Weigh]] = []
    for side in SIDES:
        folds += _side(board, side)
    folds += _middle(board)
    skin = _skin_mask(picture, landmarks, board)
    maps = np.stack([(fold * skin).ravel() for fold, _ in folds]).astype(np.float32)
    light = (np.arange(256) - 128) / _STEPS
    table = np.exp(light[:, None] * np.where(light[:, None] < 0, _HUE, 1.0)) * 128
    table = np.c_[np.clip(table, 0, 255), np.full(256, 128)].astype(np.uint8)[None]
    return Shading(maps, tuple(weigh for _, weigh in folds), board.box, table)


def apply(
    shading: Shading, moved: Pixels, came_from: Array, weights: Array, area: tuple[int, int, int, int]
) -> None:
    """Shade (size, size, 4) `moved` in place, inside `area` (top, bottom, left, right) px.

    `came_from` (size, size, 2) px of the source; `weights` (52,) as in Motion.
    """
    amounts = np.array([weigh(weights) for weigh in shading.weigh], np.float32)
    if not (np.abs(amounts) > 0.01).any():
        return
    top, bottom, left, right = shading.box
    field = (amounts @ shading.maps).reshape((bottom - top) // _GRAIN, (right - left) // _GRAIN)
    coded = np.clip(field * np.float32(_STEPS) + np.float32(128.5), 0, 255).astype(np.uint8)
    y0, y1, x0, x1 = area
    scale = 1.0 / (FINE * _GRAIN)
    part = came_from[y0:y1, x0:x1]
    shift = (0.5 * scale - 0.5 - left / _GRAIN, 0.5 * scale - 0.5 - top / _GRAIN)
    at = cv2.transform(part, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32))
    there = cv2.remap(coded, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=128)
    factor = cv2.LUT(cv2.merge([there] * 4), shading.table)
    target = moved[y0:y1, x0:x1]
    cv2.multiply(target, factor, dst=target, scale=1 / 128)


class _Board:
    """A small canvas over the face on which folds are drawn."""

    def __init__(self, landmarks: Array, frame: Frame, box: tuple[int, int, int, int]) -> None:
        self.points, self.frame, self.box = landmarks[:, :2], frame, box
        top, bottom, left, right = box
        self.shape = ((bottom - top) // _GRAIN, (right - left) // _GRAIN)
        self.unit = frame.unit_px / _GRAIN

    def spread(self) -> tuple[Array, Array]:
        rows, columns = self.shape
        return np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)

    def cells(self, points: Array) -> Array:
        """px shown -> px of the board."""
        return np.asarray((points + 0.5 - [self.box[2], self.box[0]]) / _GRAIN - 0.5)

    def place(self, *landmarks: int) -> Array:
        return np.asarray(self.points[list(landmarks)].mean(0))

    def line(self, points: Sequence[Array], blur: float, ends: float = 1.0) -> Array:
        """A soft stroke of height 1 through px `points`; `blur` in eye distances."""
        dots = _curve(self.cells(np.array(points)))
        canvas = np.zeros(self.shape, np.float32)
        taper = np.sin(np.pi * np.linspace(0.06, 0.94, len(dots))) ** (0.7 * ends)
        for first, second, thick in zip(dots[:-1], dots[1:], taper, strict=False):
            ends_px = [tuple(int(v) for v in np.round(dot * 16)) for dot in (first, second)]
            cv2.line(canvas, *ends_px, float(thick), 1, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(canvas, (0, 0), max(blur * self.unit, 0.6))
        return np.asarray(soft / max(float(soft.max()), 1e-6))

    def fold(self, points: Sequence[Array], depth: float, wide: float, ridge: Array | None = None) -> Array:
        """A fold along px `points`: shade, core, and a ridge lit on the side that px `ridge` points to."""
        shade = 0.72 * self.line(points, wide) + 0.28 * self.line(points, wide * 0.45)
        result = -depth * shade
        if ridge is not None:
            result = result + 0.28 * depth * self.line([point + ridge for point in points], wide * 1.3)
        return np.asarray(result)

    def bell(self, at: Array, wide: float, high: float) -> Array:
        columns, rows = self.spread()
        x, y = np.meshgrid(columns, rows)
        away = (np.stack([x, y], axis=-1) - self.cells(at)) @ self.frame.axes.T / self.unit
        return np.exp(-0.5 * ((away[..., 0] / wide) ** 2 + (away[..., 1] / high) ** 2))


def _curve(dots: Array) -> Array:
    """Many points on a smooth curve through a few."""
    if len(dots) < 3:
        return np.linspace(dots[0], dots[-1], 12)
    at = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(dots, axis=0), axis=1))])
    fine = np.linspace(0, at[-1], 28)
    ring = np.vstack([2 * dots[0] - dots[1], dots, 2 * dots[-1] - dots[-2]])
    index = np.clip(np.searchsorted(at, fine, side="right") - 1, 0, len(dots) - 2)
    t = ((fine - at[index]) / np.maximum(at[index + 1] - at[index], 1e-6))[:, None]
    a, b, c, d = (ring[index + k] for k in range(4))
    return np.asarray(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))


def _of(*terms: tuple[str, float]) -> Weigh:
    """The largest of some weights, each times its share."""
    indices = [(INDEX[name], share) for name, share in terms]
    return lambda weights: max(share * float(weights[index]) for index, share in indices)


def _side(board: _Board, side: Side) -> list[tuple[Array, Weigh]]:
    name, unit = side.name, board.frame.unit_px
    out, down = board.frame.axes[0] * side.sign * unit, board.frame.axes[1] * unit
    wing, corner = board.place(*side.fold[:1]), board.place(side.corner)
    fold = [
        wing - down * 0.02,
        board.place(side.fold[1]),
        board.place(side.fold[2]),
        board.place(side.fold[3]),
    ]
    fold = [fold[0], *(point + out * 0.012 for point in fold[1:3]), corner + out * 0.07 - down * 0.045]
    cheek = board.place(side.cheek)
    bag = [board.place(i) for i in side.bag[2:7]]
    eye = board.place(side.upper[0])
    feet = sum(
        board.fold([eye + out * 0.05 + down * lift * 0.5, eye + out * 0.13 + down * lift], 0.10, 0.012)
        for lift in (-0.045, 0.0, 0.05)
    )
    inner = board.place(side.brow_top[4], side.brow_edge[4])
    furrow = [
        inner - out * 0.045 - down * 0.055,
        inner - out * 0.05 + down * 0.01,
        inner - out * 0.035 + down * 0.07,
    ]
    socket = board.bell(board.place(*side.crease[2:7]) - down * 0.01, 0.13, 0.035)
    sad = [
        corner + out * 0.02 + down * 0.015,
        corner + out * 0.045 + down * 0.09,
        corner + out * 0.03 + down * 0.17,
    ]
    dimple = [
        corner + out * 0.06 - down * 0.04,
        corner + out * 0.075 + down * 0.01,
        corner + out * 0.06 + down * 0.05,
    ]
    brow = [board.place(i) - down * 0.075 for i in side.brow_top[0:4]]
    brow2 = [point - down * 0.075 for point in brow]
    smile, sneer = f"mouthSmile{name}", f"noseSneer{name}"
    return [
        (
            board.fold(fold, 0.24, 0.034, out * 0.06 - down * 0.025),
            _of((smile, 1.0), (sneer, 1.0), (f"mouthUpperUp{name}", 0.6), (f"mouthStretch{name}", 0.3)),
        ),
        (0.10 * board.bell(cheek + down * 0.02, 0.1, 0.07) - 0.06 * board.bell(cheek + down * 0.17, 0.12, 0.05),
         _of((smile, 1.0), (f"cheekSquint{name}", 0.6))),
        (board.fold(bag, 0.20, 0.018, down * 0.04), _of((f"cheekSquint{name}", 1.0), (f"eyeSquint{name}", 0.7))),
        (np.asarray(feet), _of((f"cheekSquint{name}", 0.9), (f"eyeSquint{name}", 0.4))),
        (board.fold(furrow, 0.30, 0.02, out * 0.035), _of((f"browDown{name}", 1.0), (sneer, 0.6))),
        (-0.30 * socket, _of((f"browDown{name}", 1.0))),
        (board.fold(sad, 0.2, 0.028, out * 0.04), _of((f"mouthFrown{name}", 1.0), ("mouthShrugLower", 0.3))),
        (board.fold(dimple, 0.16, 0.022), _of((f"mouthDimple{name}", 1.0), (f"mouthStretch{name}", 0.6), (smile, 0.25))),
        (board.fold(brow, 0.11, 0.019, -down * 0.035) + board.fold(brow2, 0.08, 0.019, -down * 0.035),
         _of((f"browOuterUp{name}", 1.0))),
    ]  # fmt: skip


def _middle(board: _Board) -> list[tuple[Array, Weigh]]:
    unit = board.frame.unit_px
    across, down = board.frame.axes[0] * unit, board.frame.axes[1] * unit
    between = board.place(9, 151)
    rows = [
        [between + across * x * 0.28 + down * (lift + 0.035 * x * x) for x in (-1, -0.5, 0, 0.5, 1)]
        for lift in (0.0, -0.08, -0.16)
    ]
    forehead = sum(
        board.fold(row, depth, 0.019, -down * 0.035)
        for row, depth in zip(rows, (0.10, 0.12, 0.08), strict=True)
    )
    root = board.place(168)
    bridge = sum(
        board.fold(
            [
                root + down * y + across * x
                for x, y in ((-0.075, lift - 0.02), (0, lift), (0.075, lift - 0.02))
            ],
            0.2,
            0.013,
        )
        for lift in (0.03, 0.085)
    )
    chin = board.place(18, 200)
    ball = board.bell(chin + down * 0.06, 0.1, 0.05) * 0.10 - 0.24 * board.bell(
        chin - down * 0.045, 0.13, 0.025
    )
    return [
        (
            np.asarray(forehead),
            _of(("browInnerUp", 1.0), ("browOuterUpLeft", 0.5), ("browOuterUpRight", 0.5)),
        ),
        (np.asarray(bridge), _of(("noseSneerLeft", 1.0), ("noseSneerRight", 1.0))),
        (ball, _of(("mouthShrugLower", 1.0), ("mouthPressLeft", 0.35), ("mouthFrownLeft", 0.35))),
    ]


def _skin_mask(picture: Pixels, landmarks: Array, board: _Board) -> Array:
    """1 on skin, 0 on what differs from it in colour: hair, brows, lips, glasses."""
    top, bottom, left, right = (value * FINE for value in board.box)
    small = cv2.resize(picture[top:bottom, left:right], board.shape[::-1], interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    places = np.round(board.cells(landmarks[[50, 280, 205, 425, 151, 9, 200, 195], :2])).astype(int)
    places = np.clip(places, 0, np.array(board.shape[::-1]) - 1)
    skin = np.median(lab[places[:, 1], places[:, 0]], axis=0)
    smooth = cv2.GaussianBlur(lab, (0, 0), 0.012 * board.unit + 0.5)
    away = (smooth - skin) * np.array([0.55, 1.6, 1.6], np.float32)
    like = np.exp(-((((away**2).sum(-1)) / _TONE**2) ** 2))
    return np.asarray(cv2.GaussianBlur(like.astype(np.float32), (0, 0), 0.012 * board.unit + 0.5))
