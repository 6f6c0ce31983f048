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

_FAR = 0.7  # widths of the eye that are searched beyond its landmarks
_SKIN = (50, 280, 205, 425, 118, 347)  # cheeks
_INSIDE = 0.04  # widths of the eye inside its landmarks, where it surely is an eye
_DISTINCT, _SAME = 25.0, 22.0  # in Lab of OpenCV: from skin to be eye, from eye to be eye still
_LEAST = 0.035  # widths of the eye that are always covered below a closed one
_STYLISED = 0.07  # widths of the eye above its landmarks from which on the lid is painted, not moved


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """`above`, `below` px by which the eye goes past its landmarks; `skin`, `shade` RGB of its lid."""

    above: float
    below: float
    width: float
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
    skin = np.median(_lab(_sample(picture, landmarks[list(_SKIN), :2])), axis=0)
    above = _past(picture, upper[1:8], -down, width, skin)
    below = _past(picture, lower[1:8], down, width, skin)
    lid = np.median(_sample(picture, upper[2:7] - down * (above + 0.13 * width)), axis=0)
    shade = np.median(_sample(picture, lower[2:7] + down * (below + 0.12 * width)), axis=0)
    return Cover(above, below + _LEAST * width, width, lid, shade)


def _past(picture: Pixels, lid: Array, way: Array, width: float, skin: Array) -> float:
    """px from the lid (n, 2) along `way` where the eye still goes on; 0 where the lid is where it should be.

    At the edge of a lid colours change at once; where landmarks lie inside the eye they stay as they are.
    """
    reach = np.arange(0, _FAR * width, 0.5)
    lengths = []
    for edge in lid:
        line = _lab(_sample(picture, edge + reach[:, None] * way))
        inside = _lab(_sample(picture, (edge - way * _INSIDE * width)[None]))[0]
        if np.linalg.norm(inside - skin) < _DISTINCT:
            lengths.append(0.0)
            continue
        other = np.linalg.norm(line - inside, axis=1) > _SAME
        lengths.append(float(reach[int(np.argmax(other))]) if other.any() else 0.0)
    return float(np.median(lengths))


def _sample(picture: Pixels, points: Array) -> Pixels:
    at = np.clip(np.round((points + 0.5) * FINE - 0.5).astype(int), 0, len(picture) - 1)
    return np.asarray(picture[at[:, 1], at[:, 0]])


def _lab(colours: Pixels) -> Array:
    return np.asarray(cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0].astype(np.float32))


def outline(cover: Cover, upper: Array, lower: Array) -> tuple[Array, Array]:
    """The upper and lower edge (9, 2) px of the whole eye, which may reach past its lids' landmarks."""
    if not cover.painted:
        return upper, lower
    across, down = _ways(upper)
    wide = (upper - upper.mean(0)) @ across
    aside = across * (0.12 * cover.width * wide / np.abs(wide).max())[:, None]
    arch = np.sqrt(np.clip(1 - (wide / np.abs(wide).max()) ** 2, 0, 1))[:, None]
    margin = 0.05 * cover.width
    return upper + aside - down * arch * (cover.above + margin), lower + aside + down * arch * (
        cover.below + margin
    )


def _ways(upper: Array) -> tuple[Array, Array]:
    across = upper[-1] - upper[0]
    across = across / max(float(np.linalg.norm(across)), 1e-3)
    down = np.array([-across[1], across[0]])
    return across, down if down[1] >= 0 else -down


def draw(canvas: Any, cover: Cover, upper: Array, lower: Array, lids: Lids) -> None:
    """Cover and lashes for lids at `upper`, `lower` (9, 2) px of this frame."""
    closed = float(np.clip((0.4 - lids.open) / 0.4, 0, 1))
    line = upper * 0.35 + lower * 0.65
    travel = min(1.0, max(lids.upper, 0.0) + max(lids.lower, 0.0))
    if cover.painted and travel > 0.02:
        top, bottom = outline(cover, upper, lower)
        line = top + (bottom - top) * travel
        _fill(canvas, np.vstack([top, line[::-1]]), cover.skin, 255)
        closed = max(closed, 0.5)
    elif closed > 0.5:
        arch = np.sin(np.linspace(0, np.pi, 9))[:, None] ** 0.6
        bottom = lower + _ways(upper)[1] * arch * cover.below
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
