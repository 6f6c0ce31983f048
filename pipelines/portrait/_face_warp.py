"""A picture with a face, moved: one square frame for each frame of a Motion.

Landmarks carry a displacement basis for the ARKit shapes, spread to smooth fields; each frame asks for every
pixel where it came from and samples the picture once. Eyeballs and the inside of the mouth are drawn between
lids and lips. No network, no weights, the same bytes for the same input. Knows no files and no sound.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipelines.portrait import _face_eyes as eyes
from pipelines.portrait import _face_field as field
from pipelines.portrait import _face_head as heads
from pipelines.portrait import _face_layers as layering
from pipelines.portrait import _face_mouth as mouths
from pipelines.portrait import _face_rest as rest
from pipelines.portrait import _face_shading as shades
from pipelines.portrait import _face_teeth as teeth
from pipelines.portrait import _face_weights as weighing
from pipelines.portrait._face_crop import FINE, Pixels, crop
from pipelines.portrait._face_draw import image_of
from pipelines.portrait._face_points import (
    CHIN,
    COUNT,
    FOREHEAD,
    LOWER_LIP,
    SIDES,
    SKIN,
    UPPER_LIP,
    Array,
    frame_of,
)
from studio.errors import InputError
from studio.lazy import lazy
from studio.motion import INDEX, Motion

cv2, skia = lazy("cv2"), lazy("skia")

SIZES_PX = (64, 2048)
LEAST_EYES_PX = 6  # between the outer corners of the eyes


class Face:
    """A face ready to move. `picture` (H, W, 3) uint8 RGB, `landmarks` (478, 3) px as MediaPipe numbers them.

    `size_px` is the side of the square frames; `still` (FINE * size, FINE * size, 3) the picture as it is
    shown. Raises InputError for other shapes and sizes.
    """

    def __init__(self, picture: Pixels, landmarks: Array, size_px: int = 512) -> None:
        _check(picture, landmarks, size_px)
        cut = crop(picture, landmarks.astype(np.float32), size_px)
        self.size_px, self.landmarks, self.still = size_px, cut.landmarks, cut.picture
        self.axes = frame_of(cut.landmarks)
        self._fields = field.fields_of(cut.landmarks, self.axes, size_px)
        self._head = heads.head_of(cut.landmarks, self.axes, size_px)
        self._layers = layering.layers_of(cut.picture, cut.landmarks, self.axes, size_px)
        self._eyes = eyes.eyes_of(cut.picture, cut.landmarks)
        shown, painted = rest.shown(cut.landmarks, self.axes), any(eye.cover.painted for eye in self._eyes)
        self._solver = weighing.solver_of(self._fields.points, shown, self.axes, painted)
        self._shading = shades.shading_of(cut.picture, cut.landmarks, self.axes)
        tone = teeth.tone_of(self._white(), _skin(cut.picture, cut.landmarks))
        self._mouth = mouths.mouth_of(cut.picture, cut.landmarks, self.axes, self._fields.points, tone)
        self._cells = field.cells(size_px)
        axis = np.arange(size_px, dtype=np.float32)
        self._own = np.stack(np.meshgrid(axis, axis), axis=-1)
        self._own_fine = (self._own + 0.5) * FINE - 0.5  # the same places in px of the source
        self._canvas = np.zeros((size_px, size_px, 4), np.uint8)
        self._surface = skia.Surface(self._canvas, colorType=skia.kRGBA_8888_ColorType)

    @property
    def shown(self) -> Array:
        """(52,) weights at which the picture is shown as it is: its smile, its open mouth."""
        weights = self._solver.source.copy()
        weights[INDEX["jawOpen"]] = min(1.0, self._solver.parted_jaw)
        return np.asarray(weights)

    def _white(self) -> Array:
        """The white of the eyes (3,), the brighter eye."""
        return max((eye.white for eye in self._eyes), key=lambda white: float(white.sum()))

    def frames(self, motion: Motion) -> Iterator[Pixels]:
        """(size, size, 3) uint8 RGB, one for each frame of the motion, one by one."""
        for weights, head, gaze in zip(motion.weights, motion.head, motion.gaze, strict=True):
            yield self.frame(weights, head, gaze)

    def frame(self, weights: Array, head: Array, gaze: Array) -> Pixels:
        """One frame (size, size, 3) of weights (52,), head (6,) and gaze (2,) as in Motion."""
        amounts, lids = self._solver.amounts(weights, gaze)
        turn = self._head.turn(head)
        points = self._points(amounts, turn)
        came_from = self._came_from(amounts, turn, points)
        moved = cv2.remap(
            self._layers.front, came_from, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        bent = weights - self._solver.source  # folds of its own smile the picture has
        shades.apply(self._shading, moved, came_from, bent, self._area(points))
        self._canvas[:] = self._layers.back
        canvas = self._surface.getCanvas()
        canvas.drawImage(image_of(moved, copy=False), 0, 0)
        for eye in self._eyes:
            eyes.draw(canvas, eye, points, turn, gaze, lids[eye.side.name])
        mouths.draw(canvas, self._mouth, points, turn, amounts)
        return np.asarray(cv2.cvtColor(self._canvas, cv2.COLOR_RGBA2RGB))

    def places(self, motion: Motion) -> Iterator[Array]:
        """(478, 2) px where the landmarks are, one for each frame of the motion, one by one."""
        for weights, head, gaze in zip(motion.weights, motion.head, motion.gaze, strict=True):
            yield self._points(self._solver.amounts(weights, gaze)[0], self._head.turn(head))

    def _area(self, points: Array) -> tuple[int, int, int, int]:
        """(top, bottom, left, right) px around the face of this frame."""
        grow = 0.1 * self.axes.unit_px
        low = np.clip(points.min(0) - grow, 0, self.size_px - 2).astype(int)
        high = np.clip(points.max(0) + grow, low + 2, self.size_px).astype(int)
        return int(low[1]), int(high[1]), int(low[0]), int(high[0])

    def _points(self, amounts: Array, turn: heads.Turn) -> Array:
        """(478, 2) px of the landmarks in this frame."""
        moved = self.landmarks.copy()
        moved[:SKIN, :2] += (amounts @ self._fields.points).reshape(-1, 2)
        return turn.of(moved)

    def _came_from(self, amounts: Array, turn: heads.Turn, points: Array) -> Array:
        """(size, size, 2) px of the source that each pixel shows."""
        top, bottom, left, right = box = self._fields.box
        shape = (bottom - top, right - left, 2)
        shift = np.zeros((field.CELLS, field.CELLS, 2), np.float32)
        shift[top:bottom, left:right] = (amounts @ self._fields.upper).reshape(shape)
        upper = field.inverse(self._turned(shift, turn), (0, 0), self._fields.cell_px)
        shift[top:bottom, left:right] = (amounts @ self._fields.lower).reshape(shape)
        part = self._turned(shift[top:bottom, left:right], turn, box)
        lower = field.inverse(part, (top, left), self._fields.cell_px)
        full = field.enlarged(upper * np.float32(FINE), (self.size_px, self.size_px))
        self._join(full, lower * np.float32(FINE), points)
        return np.asarray(cv2.add(full, self._own_fine, dst=full))

    def _turned(self, shift: Array, turn: heads.Turn, box: tuple[int, int, int, int] | None = None) -> Array:
        top, bottom, left, right = box or (0, field.CELLS, 0, field.CELLS)
        own = self._cells[top:bottom, left:right]
        at = own + shift
        solid = np.concatenate([at, self._head.depth[top:bottom, left:right, None]], axis=-1)
        share = self._head.share[top:bottom, left:right, None]
        return np.asarray(at + (turn.of(solid) - at) * share)

    def _join(self, full: Array, lower: Array, points: Array) -> None:
        """Below the line of the lips and of each eye, the lower field holds."""
        unit = self.axes.unit_px
        mouth = (points[list(UPPER_LIP[3])] + points[list(LOWER_LIP[3])]) / 2
        self._join_below(full, lower, mouth, (0.3 * unit, 0.75 * unit))
        for side in SIDES:
            line = (0.5 * points[list(side.upper)] + 0.5 * points[list(side.lower)])[:: side.sign * -1]
            self._join_below(full, lower, line, (0.1 * unit, 0.2 * unit))

    def _join_below(self, full: Array, lower: Array, line: Array, reach: tuple[float, float]) -> None:
        beside, below = reach
        down = self.axes.axes[1]
        across = line[-1] - line[0]
        across = across / max(float(np.linalg.norm(across)), 1e-3)
        ends = np.vstack([line[0] - across * beside, line, line[-1] + across * beside])
        area = np.vstack([ends, ends[-1] + down * below, ends[0] + down * below])
        low = np.clip(np.floor(area.min(0)).astype(int) - 2, 0, self.size_px - 1)
        high = np.clip(np.ceil(area.max(0)).astype(int) + 3, low + 1, self.size_px)
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillPoly(mask, [np.round((area - low) * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
        box_top, _, box_left, _ = self._fields.box
        cell = self._fields.cell_px
        at = self._own[low[1] : high[1], low[0] : high[0]]
        at = (at + 0.5) / np.float32(cell) - 0.5 - np.array([box_left, box_top], np.float32)
        other = cv2.remap(lower, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.copyTo(other, mask, full[low[1] : high[1], low[0] : high[0]])


def _check(picture: Pixels, landmarks: Array, size_px: int) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError("picture", picture.shape, f"must be (height, width, 3) uint8, got {picture.shape}")
    if landmarks.shape != (COUNT, 3) or not np.isfinite(landmarks).all():
        raise InputError("landmarks", landmarks.shape, f"must be ({COUNT}, 3) numbers, got {landmarks.shape}")
    eyes_px = float(np.linalg.norm(landmarks[33, :2] - landmarks[263, :2]))
    high_px = float(np.linalg.norm(landmarks[FOREHEAD, :2] - landmarks[CHIN, :2]))
    if eyes_px < LEAST_EYES_PX or not 0.7 <= high_px / eyes_px <= 6:
        why = f"show no face from the front: eyes {eyes_px:.1f} px wide, face {high_px:.1f} px high"
        raise InputError("landmarks", round(eyes_px, 1), why, f"at least {LEAST_EYES_PX} px between the eyes")
    low, high = SIZES_PX
    if not low <= size_px <= high:
        raise InputError("size_px", size_px, f"must be in [{low}, {high}], got {size_px}", "512")


def _skin(picture: Pixels, landmarks: Array) -> Array:
    """The colour of the skin (3,): the median of cheeks and chin."""
    places = np.clip((landmarks[[50, 280, 205, 425, 151, 200], :2] * FINE).astype(int), 0, len(picture) - 1)
    return np.asarray(np.median(picture[places[:, 1], places[:, 0]], axis=0))
