"""Folds and furrows: soft shading in the hue of the skin, where an expression bends the face.

A warp of pixels moves a brow but makes no furrow. Each fold is a map over the face, drawn once at set-up: a
broad soft shade, a finer core and a lit ridge beside it. Every frame weighs the maps, lets them move with the
skin and multiplies. Hair, brows, lips and anything else that is not skin takes no shade. Knows landmarks and
skin, not how fields are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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

_ROWS, _OUTER_ROWS = (0.10, 0.12, 0.08), (0.11, 0.08)  # depths of the lines of the forehead

Weigh = Callable[[Array], float]
Fold = tuple[Array, Weigh]


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
    folds: list[Fold] = []
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

    `came_from` (size, size, 2) px of the source; `weights` (52,), less what the picture itself shows.
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
        half = float(np.linalg.norm(landmarks[291, :2] - landmarks[61, :2])) / 2 / frame.unit_px
        self.mouth_size = float(np.clip(half / 0.25, 0.4, 1.0))  # small faces fold less

    def spread(self) -> tuple[Array, Array]:
        rows, columns = self.shape
        return np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)

    def ways(self, side: Side) -> tuple[Array, Array]:
        """px of one eye distance outwards on that side, and downwards."""
        across, down = self.frame.axes * self.frame.unit_px
        return across * side.sign, down

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


def _side(board: _Board, side: Side) -> list[Fold]:
    return [*_cheek_folds(board, side), *_eye_folds(board, side), *_mouth_folds(board, side)]


def _cheek_folds(board: _Board, side: Side) -> list[Fold]:
    """From the nose to the mouth, and the ball of the cheek above it."""
    name, (out, down) = side.name, board.ways(side)
    wing, corner, cheek = board.place(side.fold[0]), board.place(side.corner), board.place(side.cheek)
    middle = [board.place(landmark) + out * 0.012 for landmark in side.fold[1:3]]
    fold = [wing - down * 0.02, *middle, corner + out * 0.07 - down * 0.045]
    ball = 0.10 * board.bell(cheek + down * 0.02, 0.1, 0.07)
    hollow = 0.06 * board.bell(cheek + down * 0.17, 0.12, 0.05)
    smile, raised = f"mouthSmile{name}", f"mouthUpperUp{name}"
    return [
        (
            board.fold(fold, 0.19 * board.mouth_size, 0.034, out * 0.06 - down * 0.025),
            _of((smile, 1.0), (f"noseSneer{name}", 1.0), (raised, 0.6), (f"mouthStretch{name}", 0.3)),
        ),
        (ball - hollow, _of((smile, 1.0), (f"cheekSquint{name}", 0.6))),
    ]


def _eye_folds(board: _Board, side: Side) -> list[Fold]:
    """Below and beside the eye, between the brows, in the socket, and over a raised brow."""
    name, (out, down) = side.name, board.ways(side)
    bag = [board.place(landmark) for landmark in side.bag[2:7]]
    eye, inner = board.place(side.upper[0]), board.place(side.brow_top[4], side.brow_edge[4])
    feet = [
        board.fold([eye + out * 0.05 + down * lift * 0.5, eye + out * 0.13 + down * lift], 0.10, 0.012)
        for lift in (-0.045, 0.0, 0.05)
    ]
    furrow = [inner + out * x + down * y for x, y in ((-0.045, -0.055), (-0.05, 0.01), (-0.035, 0.07))]
    socket = board.bell(board.place(*side.crease[2:7]) - down * 0.01, 0.13, 0.035)
    rows = [[board.place(i) - down * lift for i in side.brow_top[:4]] for lift in (0.075, 0.15)]
    lines = [
        board.fold(row, depth, 0.019, -down * 0.035) for row, depth in zip(rows, (0.11, 0.08), strict=True)
    ]
    cheek, squint, brow = f"cheekSquint{name}", f"eyeSquint{name}", f"browDown{name}"
    return [
        (board.fold(bag, 0.20, 0.018, down * 0.04), _of((cheek, 1.0), (squint, 0.7))),
        (np.sum(feet, axis=0), _of((cheek, 0.9), (squint, 0.4))),
        (board.fold(furrow, 0.32, 0.02, out * 0.035), _of((brow, 1.0), (f"noseSneer{name}", 0.6))),
        (-0.38 * socket, _of((brow, 1.0))),
        (np.sum(lines, axis=0), _of((f"browOuterUp{name}", 1.0))),
    ]


def _mouth_folds(board: _Board, side: Side) -> list[Fold]:
    """Below the corner of the mouth, and beside it."""
    name, (out, down) = side.name, board.ways(side)
    corner = board.place(side.corner)
    sad = [corner + out * x + down * y for x, y in ((0.02, 0.015), (0.045, 0.09), (0.03, 0.17))]
    dimple = [corner + out * x + down * y for x, y in ((0.06, -0.04), (0.075, 0.01), (0.06, 0.05))]
    pulls = ((f"mouthDimple{name}", 1.0), (f"mouthStretch{name}", 0.6), (f"mouthSmile{name}", 0.25))
    return [
        (board.fold(sad, 0.2, 0.028, out * 0.04), _of((f"mouthFrown{name}", 1.0), ("mouthShrugLower", 0.3))),
        (board.fold(dimple, 0.16, 0.022), _of(*pulls)),
    ]


def _middle(board: _Board) -> list[Fold]:
    """Across the forehead and the root of the nose, and the ball of the chin."""
    across, down = board.frame.axes * board.frame.unit_px
    between, root, chin = board.place(9, 151), board.place(168), board.place(18, 200)
    bows = [
        [between + across * x * 0.28 + down * (lift + 0.035 * x * x) for x in (-1, -0.5, 0, 0.5, 1)]
        for lift in (0.0, -0.08, -0.16)
    ]
    forehead = [board.fold(bow, depth, 0.019, -down * 0.035) for bow, depth in zip(bows, _ROWS, strict=True)]
    bars = [
        [root + down * (lift - 0.02 * abs(x)) + across * 0.075 * x for x in (-1, 0, 1)]
        for lift in (0.03, 0.085)
    ]
    bridge = [board.fold(line, 0.2, 0.013) for line in bars]
    dent = 0.24 * board.bell(chin - down * 0.045, 0.13, 0.025)
    ball = 0.10 * board.bell(chin + down * 0.06, 0.1, 0.05)
    brows = (("browInnerUp", 1.0), ("browOuterUpLeft", 0.5), ("browOuterUpRight", 0.5))
    return [
        (np.sum(forehead, axis=0), _of(*brows)),
        (np.sum(bridge, axis=0), _of(("noseSneerLeft", 1.0), ("noseSneerRight", 1.0))),
        (ball - dent, _of(("mouthShrugLower", 1.0), ("mouthPressLeft", 0.35), ("mouthFrownLeft", 0.35))),
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
