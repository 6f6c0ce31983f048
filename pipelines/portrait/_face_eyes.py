"""Eyeballs: sclera and iris taken apart at set-up, moved with the gaze and drawn between the lids.

Knows the pixels of the eyes; lids themselves are skin and move with the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.portrait import _face_lids as lid_paint
from pipelines.portrait._face_crop import FINE, Pixels
from pipelines.portrait._face_draw import image_of, path_of, place
from pipelines.portrait._face_head import Turn
from pipelines.portrait._face_points import SIDES, Array, Side
from pipelines.portrait._face_weights import Lids
from studio.lazy import lazy

cv2, skia = lazy("cv2"), lazy("skia")

_TURN = 0.38  # centre of the eyeball to the iris, in widths of the eye (10.5 of 28 mm)
_MOST_DEG = 35.0
_SEEN_TRAVEL, _SEEN_DEG = 0.05, 1.5  # of a lid, of the gaze, from which on only the drawn eye is seen


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """One eye: sprites with their corner in px of the picture shown, and its measures in px."""

    side: Side
    sclera: Any
    iris: Any
    corner: Array
    centre: Array  # (3,) of the iris at rest
    width: float
    height: float
    cover: lid_paint.Cover
    white: Array  # (3,) RGB


def eyes_of(picture: Pixels, landmarks: Array) -> tuple[Eye, ...]:
    """Both eyes of the picture (fine, fine, 3)."""
    covers = lid_paint.covers_of(picture, landmarks)
    return tuple(_eye(picture, landmarks, side, cover) for side, cover in zip(SIDES, covers, strict=True))


def _eye(picture: Pixels, landmarks: Array, side: Side, cover: lid_paint.Cover) -> Eye:
    outline = np.vstack([landmarks[list(side.upper), :2], landmarks[list(side.lower[1:-1])][::-1, :2]])
    width = max(float(np.linalg.norm(outline[0] - outline[8])), 2.0)
    height = float(
        np.linalg.norm(landmarks[list(side.upper), :2] - landmarks[list(side.lower), :2], axis=1).max()
    )
    low = np.floor(outline.min(0) - 0.4 * width)
    high = np.ceil(outline.max(0) + 0.4 * width)
    low, high = np.clip(low, 0, len(picture) // FINE - 2), np.clip(high, 2, len(picture) // FINE)
    x0, y0, x1, y1 = (int(v) * FINE for v in (*low, *high))
    patch = picture[y0:y1, x0:x1]

    def fine(points: Array) -> Array:
        return np.asarray((points[..., :2] + 0.5 - low) * FINE - 0.5, dtype=np.float32)

    centre = landmarks[side.iris]
    rim = landmarks[list(side.rim), :2]
    radius = max(float(np.linalg.norm(rim - centre[:2], axis=1).mean()), 1.0) * FINE
    sclera, iris, white = _apart(patch, fine(outline), fine(centre), radius)
    return Eye(
        side,
        image_of(sclera),
        image_of(iris),
        low.astype(np.float32),
        centre.copy(),
        width,
        height,
        cover,
        white,
    )


def _apart(patch: Pixels, outline: Array, centre: Array, radius: float) -> tuple[Pixels, Pixels, Array]:
    """Sclera RGBA and iris RGBA (premultiplied), each complete where something hides it; the white."""
    rows, columns = patch.shape[:2]
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    far = np.hypot(x - centre[0], y - centre[1])
    seen = np.zeros((rows, columns), np.uint8)
    middle = outline.mean(0)
    cv2.fillPoly(
        seen,
        [np.round((middle + (outline - middle) * [0.97, 0.9]) * 16).astype(np.int32)],
        255,
        cv2.LINE_AA,
        4,
    )
    visible = seen > 200
    white = visible & (far > radius * 1.2)
    width = float(np.ptp(outline[:, 0]))
    sclera = _spread(patch, white, width * 0.05)
    keep = cv2.GaussianBlur(white.astype(np.float32), (0, 0), 1.0)[..., None]
    sclera = sclera + (patch - sclera) * keep * white[..., None]
    iris = _completed(patch, visible & (far < radius * 1.12), far, centre)
    alpha = np.clip((radius * 1.04 - far) / (radius * 0.14) + 0.5, 0, 1)
    front = np.dstack([iris * alpha[..., None], alpha * 255])
    back = np.dstack([sclera, np.full((rows, columns), 255.0)])
    bright = np.percentile(patch[white], 75, axis=0) if white.sum() > 20 else np.array([215.0, 210.0, 205.0])
    return back.clip(0, 255).astype(np.uint8), (front + 0.5).clip(0, 255).astype(np.uint8), bright


def _spread(patch: Pixels, known: Array, blur: float) -> Array:
    """Colours of the known pixels carried to all others, from near ones where there are any."""
    light = patch.max(axis=2).astype(np.float32)
    top = float(np.percentile(light[known], 90)) if known.any() else 255.0
    # The lightest count most: among them are no lashes and no rim of the iris.
    weight = known * np.minimum(light / max(top, 1.0), 1) ** 5
    colour = patch.astype(np.float32) * weight[..., None]
    typical = np.percentile(patch[known], 70, axis=0) if known.sum() > 20 else np.array([215, 210, 205])
    result = np.broadcast_to(typical.astype(np.float32), patch.shape)
    for times in (6, 3, 1.5):
        sigma = max(blur * times, 0.6)
        near = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        mean = cv2.GaussianBlur(colour, (0, 0), sigma) / np.maximum(near, 1e-4)
        result = result + (mean - result) * np.clip(near / 0.2, 0, 1)
    return np.asarray(result, dtype=np.float32)


def _completed(patch: Pixels, known: Array, far: Array, centre: Array) -> Array:
    """The iris whole: what is hidden is mirrored from below, or else the mean at that distance."""
    rows, columns = patch.shape[:2]
    flip = np.array([[1, 0, 0], [0, -1, 2 * float(centre[1])]])
    mirrored = cv2.warpAffine(patch, flip, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
    there = cv2.warpAffine(known.astype(np.uint8), flip, (columns, rows)) > 0
    ring = np.minimum(far, far[known].max() if known.any() else 1).astype(int)
    count = np.bincount(ring[known], minlength=ring.max() + 1)
    mean = np.stack(
        [
            np.bincount(ring[known], patch[known][:, c].astype(float), ring.max() + 1)[: len(count)]
            / np.maximum(count, 1)
            for c in range(3)
        ],
        axis=-1,
    )
    filled = np.flatnonzero(count > 0)
    if len(filled):
        for c in range(3):
            mean[:, c] = np.interp(np.arange(len(count)), filled, mean[filled, c])
    whole = np.where(there[..., None], 0.6 * mirrored + 0.4 * mean[ring], mean[ring])
    sure = cv2.GaussianBlur(known.astype(np.float32), (0, 0), 1.0)[..., None] * known[..., None]
    return np.asarray(whole + (patch - whole) * sure, dtype=np.float32)


def draw(canvas: Any, eye: Eye, points: Array, turn: Turn, gaze: Array, lids: Lids) -> None:
    """Put the eyeball between the lids at points (478, 2) px of this frame."""
    upper, lower = points[list(eye.side.upper)], points[list(eye.side.lower)]
    top, bottom = lid_paint.outline(eye.cover, upper, lower)
    opening = path_of(np.vstack([top, bottom[::-1][1:-1]]), closed=True)
    yaw, pitch = np.radians(np.clip(gaze, -_MOST_DEG, _MOST_DEG))
    look = np.array([np.sin(yaw) * np.cos(pitch), -np.sin(pitch)]) * _TURN * eye.width
    squash = np.diag([max(np.cos(yaw), 0.6), max(np.cos(pitch), 0.6)])
    at = turn.of(eye.centre[None])[0]
    travel = 0.0 if eye.cover.painted else max(abs(lids.upper), abs(lids.lower))
    moved = travel / _SEEN_TRAVEL + float(np.abs(gaze).max()) / _SEEN_DEG
    if lids.open > 0.02 and moved > 0.01:
        canvas.save()
        canvas.clipPath(opening, skia.ClipOp.kIntersect, True)
        # An eye at rest is the picture's own, and comes in smoothly as soon as anything moves.
        canvas.saveLayerAlpha(opening.getBounds(), int(255 * min(moved, 1.0)))
        sampling = skia.SamplingOptions(skia.FilterMode.kLinear)
        for image, matrix, target in (
            (eye.sclera, turn.plane, at),
            (eye.iris, turn.plane @ squash, at + turn.plane @ look),
        ):
            canvas.save()
            canvas.concat(place(matrix, eye.centre[:2], target, eye.corner, FINE))
            canvas.drawImage(image, 0, 0, sampling)
            canvas.restore()
        if not eye.cover.painted:
            _shade(canvas, eye, upper, lids)
        canvas.restore()
        canvas.restore()
    lid_paint.draw(canvas, eye.cover, upper, lower, lids)


def _shade(canvas: Any, eye: Eye, upper: Array, lids: Lids) -> None:
    """The lid's shadow, only as far as the lid has left its place: the picture has its own."""
    moved = min(1.0, abs(lids.upper) * 2.5)
    if moved < 0.02:
        return
    paint = skia.Paint(
        AntiAlias=True,
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=0.13 * eye.width,
        Color=skia.Color(20, 10, 10, int(115 * moved)),
        MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.045 * eye.width),
    )
    canvas.drawPath(path_of(upper, closed=False), paint)
