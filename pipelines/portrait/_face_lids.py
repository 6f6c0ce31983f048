"""What is painted where lids close: lashes, and skin over an eye that reaches past its landmarks.

Landmark models miss the lids of drawn eyes, and miss photographed ones by a pixel or two; what they leave
uncovered would stare through a blink. Knows the pixels around one eye.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipelines.portrait._face_crop import FINE, Pixels
from pipelines.portrait._face_draw import path_of
from pipelines.portrait._face_points import SIDES, Array, Side
from pipelines.portrait._face_weights import Lids
from studio.lazy import lazy

cv2, skia = lazy("cv2"), lazy("skia")

_FAR = 0.34  # widths of the eye that are searched beyond its landmarks
_DISTINCT = 30.0  # in Lab of OpenCV, between the white of the eye and the skin, to tell them apart
_LEAST = 0.035  # widths of the eye that are always covered below a closed one
_STYLISED = 0.07  # widths of the eye above its landmarks from which on the lid is painted, not moved


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """`above`, `below` px by which the eye goes past its landmarks; `skin`, `shade` RGB of its lid."""

    above: float
    below: float
    width: float
    heights: Array  # (9,) px of the eye along its lids
    skin: Array
    shade: Array

    @property
    def painted(self) -> bool:
        return self.above > _STYLISED * self.width


def covers_of(picture: Pixels, landmarks: Array) -> tuple[Cover, Cover]:
    """The covers of the right and the left eye; `picture` (fine, fine, 3)."""
    right, left = (_cover(picture, landmarks, side) for side in SIDES)
    # A stylised eye comes in pairs; one that reaches far alone is light on a lid.
    above = min(right.above / right.width, left.above / left.width)
    return replace(right, above=above * right.width), replace(left, above=above * left.width)


def _cover(picture: Pixels, landmarks: Array, side: Side) -> Cover:
    upper, lower = landmarks[list(side.upper), :2], landmarks[list(side.lower), :2]
    width = max(float(np.linalg.norm(upper[0] - upper[-1])), 2.0)
    across = (upper[-1] - upper[0]) / width
    down = np.array([-across[1], across[0]])
    down = down if down @ (lower[4] - upper[4]) >= 0 else -down
    beyond = np.vstack([upper[2:7] - down * width * 0.42, lower[2:7] + down * width * 0.45])
    skin = np.median(_lab(_sample(picture, beyond)), axis=0)
    across_eye = np.vstack([upper[1:8] * part + lower[1:8] * (1 - part) for part in (0.3, 0.5, 0.7)])
    inside = _lab(_sample(picture, across_eye))
    white = np.median(inside[inside[:, 0] >= np.percentile(inside[:, 0], 70)], axis=0)
    above = _past(picture, upper[1:8], -down, width, (white, skin))
    below = _past(picture, lower[1:8], down, width, (white, skin))
    lid = np.median(_sample(picture, upper[2:7] - down * (above + 0.13 * width)), axis=0)
    shade = np.median(_sample(picture, lower[2:7] + down * (below + 0.12 * width)), axis=0)
    return Cover(above, below + _LEAST * width, width, np.maximum((lower - upper) @ down, 0), lid, shade)


def _past(picture: Pixels, lid: Array, way: Array, width: float, tones: tuple[Array, Array]) -> float:
    """px from the lid (n, 2) along `way` that still are white as the eye; 0 where skin is as light."""
    white, skin = tones
    if np.linalg.norm(white - skin) < _DISTINCT:
        return 0.0
    reach = np.arange(0, _FAR * width, 0.5)
    lengths = []
    for start in lid:
        line = _lab(_sample(picture, start + reach[:, None] * way))
        other = np.linalg.norm(line - white, axis=1) > 0.4 * np.linalg.norm(line - skin, axis=1)
        lengths.append(float(reach[int(np.argmax(other))]) if other.any() else 0.0)
    return float(np.percentile(lengths, 65))


def _sample(picture: Pixels, points: Array) -> Pixels:
    at = np.clip(np.round((points + 0.5) * FINE - 0.5).astype(int), 0, len(picture) - 1)
    return np.asarray(picture[at[:, 1], at[:, 0]])


def _lab(colours: Pixels) -> Array:
    return np.asarray(cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0].astype(np.float32))


def draw(canvas: Any, cover: Cover, upper: Array, lower: Array, lids: Lids) -> None:
    """Cover and lashes for lids at `upper`, `lower` (9, 2) px of this frame."""
    across = upper[-1] - upper[0]
    down = np.array([-across[1], across[0]]) / max(float(np.linalg.norm(across)), 1e-3)
    down = down if down[1] >= 0 else -down
    arch = np.sin(np.linspace(0, np.pi, 9))[:, None] ** 0.6
    closed = float(np.clip((0.4 - lids.open) / 0.4, 0, 1))
    line = upper * 0.35 + lower * 0.65
    if cover.painted and lids.upper > 0.02:
        # Lids of the landmarks have moved inside the drawn eye: start from where they rest.
        rest_top = lower - down * (cover.heights * (1 - lids.lower))[:, None]
        top, bottom = rest_top - down * arch * cover.above, lower + down * arch * cover.below
        line = top + (bottom - top) * min(1.0, lids.upper + lids.lower)
        _fill(canvas, np.vstack([top, line[::-1]]), cover.skin, 255)
    elif closed > 0.5:
        bottom = lower + down * arch * cover.below
        _fill(canvas, np.vstack([line, bottom[::-1]]), cover.shade, int(510 * (closed - 0.5)))
    if closed > 0:
        _lashes(canvas, cover, line, closed)


def _fill(canvas: Any, outline: Array, colour: Array, alpha: int) -> None:
    red, green, blue = (int(v) for v in colour)
    paint = skia.Paint(AntiAlias=True, Color=skia.Color(red, green, blue, alpha))
    path = skia.Path()
    path.addPoly([skia.Point(*point) for point in outline.tolist()], True)
    paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.6))
    canvas.drawPath(path, paint)


def _lashes(canvas: Any, cover: Cover, line: Array, closed: float) -> None:
    """The line where closed lids meet, darker than the skin, never black."""
    red, green, blue = (int(v) for v in cover.skin * [0.24, 0.18, 0.18])
    paint = skia.Paint(
        AntiAlias=True,
        Style=skia.Paint.kStroke_Style,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeWidth=max(0.035 * cover.width, 0.8),
        Color=skia.Color(red, green, blue, int(200 * closed)),
        MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, max(0.012 * cover.width, 0.3)),
    )
    canvas.drawPath(path_of(line, closed=False), paint)
