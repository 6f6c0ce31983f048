"""The inside of the mouth, drawn between the lips: tongue, lower teeth with the jaw, upper with the skull.

A picture whose own mouth is open lends its own pixels: what lies near the upper lip stays with the skull, the
rest goes with the jaw. Knows the lips of one frame and sprites.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.portrait import _face_shapes as rules
from pipelines.portrait import _face_teeth as teeth
from pipelines.portrait._face_crop import FINE, Pixels
from pipelines.portrait._face_draw import image_of, path_of, place
from pipelines.portrait._face_head import Turn
from pipelines.portrait._face_points import LOWER_LIP, UPPER_LIP, Array, Frame
from studio.lazy import lazy

cv2, skia = lazy("cv2"), lazy("skia")

_LEAST = 0.006  # eye distances: a gap below this is a line, and the picture has one
_OWN = 0.03  # a picture whose lips are this far apart lends its own teeth
_UPPER_TEETH = 0.105  # how far below the upper lip own pixels stay with the skull
_TIP = 0.03  # of tongueOut from which the tip is drawn
_JAW = ("jawOpen", "jawLeft", "jawRight", "jawForward")


@dataclass(frozen=True, slots=True, eq=False)
class Mouth:
    """Sprites and where they are anchored: `skull` (3,) px on the inner edge of the upper lip at rest."""

    upper: teeth.Sprite
    lower: teeth.Sprite
    tongue: teeth.Sprite
    own: tuple[Any, Any, Array] | None  # with the skull, with the jaw, corner (2,) px
    skull: Array
    parted: float  # px between the lips of a picture whose mouth counts as closed
    bite: float  # eye distances from there down to the edge of the upper teeth
    jaw: Array  # (shapes, 2) px that the jaw moves
    tone: teeth.Tone
    frame: Frame


def mouth_of(picture: Pixels, landmarks: Array, frame: Frame, points: Array, tone: teeth.Tone) -> Mouth:
    """`points` (shapes, 468 * 2) px, the basis at the landmarks."""
    jaw = np.zeros((len(points), 2), np.float32)
    for name in _JAW:
        index = rules.INDEX[name]
        jaw[index] = points[index].reshape(-1, 2)[[17, 200]].mean(0)
    upper, lower = landmarks[list(UPPER_LIP[3])], landmarks[list(LOWER_LIP[3])]
    gap = float(((lower - upper)[:, :2] @ frame.axes[1]).max())
    skull = (upper[[0, 10]].mean(0) * 0.4 + upper[5] * 0.6).astype(np.float32)
    own, bite, parted = None, 0.042, max(gap, 0.0)
    if gap > _OWN * frame.unit_px:
        bite, parted = min(gap / frame.unit_px, 0.085), 0.0
        own = _own(picture, upper[:, :2], lower[:, :2], frame)
    sprites = (teeth.arch(tone, frame.unit_px, True), teeth.arch(tone, frame.unit_px, False))
    return Mouth(*sprites, teeth.tongue(tone, frame.unit_px), own, skull, parted, bite, jaw, tone, frame)


def _own(picture: Pixels, upper: Array, lower: Array, frame: Frame) -> tuple[Any, Any, Array]:
    """The picture's own inside as two sprites."""
    outline = np.vstack([upper, lower[::-1][1:-1]])
    reach = np.ceil(0.06 * frame.unit_px) + 4
    low, high = np.maximum(np.floor(outline.min(0) - reach), 0), np.maximum(outline.max(0) + reach, 1)
    x0, y0, x1, y1 = (int(v) * FINE for v in (*low, *high))
    patch = picture[y0:y1, x0:x1].astype(np.float32)
    mask = np.zeros(patch.shape[:2], np.uint8)
    inner = outline.mean(0) + (outline - outline.mean(0)) * [0.92, 0.94]  # its very edge is lip already
    cv2.fillPoly(mask, [np.round(((inner - low) * FINE + 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    patch = _beyond(patch, mask > 127, 0.02 * frame.unit_px * FINE)
    grown = cv2.GaussianBlur(mask, (0, 0), 0.02 * frame.unit_px * FINE).astype(np.float32) / 255
    shown = np.clip(grown / 0.3, 0, 1)
    rows, columns = mask.shape
    y, x = np.mgrid[0:rows, 0:columns] / FINE
    at = np.stack([x + low[0], y + low[1]], axis=-1)
    below = (at - upper[5]) @ frame.axes[1] / frame.unit_px
    skull = 1 - rules.smooth((below - _UPPER_TEETH) / 0.02)
    sprites = []
    for alpha in (shown * skull, shown * (1 - skull)):
        rgba = np.dstack([patch * alpha[..., None], alpha * 255])
        sprites.append(image_of((rgba + 0.5).astype(np.uint8)))
    return sprites[0], sprites[1], np.array([x0, y0], np.float32) / FINE


def _beyond(patch: Array, known: Array, blur: float) -> Array:
    """The known pixels, continued past their edge, so that wider lips still find teeth."""
    weight = known.astype(np.float32)
    near = cv2.GaussianBlur(weight, (0, 0), blur)[..., None]
    mean = cv2.GaussianBlur(patch * weight[..., None], (0, 0), blur) / np.maximum(near, 1e-3)
    sure = np.minimum(cv2.GaussianBlur(weight, (0, 0), 1.0) * 2 - 1, weight).clip(0, 1)[..., None]
    return np.asarray(mean + (patch - mean) * sure)


def draw(canvas: Any, mouth: Mouth, points: Array, turn: Turn, amounts: Array) -> None:
    """Fill the opening between the lips at points (478, 2) px of this frame."""
    upper, lower = points[list(UPPER_LIP[3])], points[list(LOWER_LIP[3])]
    unit, down = mouth.frame.unit_px, mouth.frame.axes[1]
    gap = float(((lower - upper) @ down).max()) - mouth.parted
    tongue = float(amounts[rules.INDEX["tongueOut"]])
    if gap < _LEAST * unit and tongue <= _TIP:
        return
    opening = path_of(upper, closed=False)
    opening.addPath(path_of(lower[::-1], closed=False), skia.Path.kExtend_AddPathMode)
    opening.close()
    canvas.save()
    canvas.clipPath(opening, skia.ClipOp.kIntersect, True)
    # One layer, so that its edge is mixed with the lips once; it comes in as the lips part.
    shown = np.clip((gap / unit - _LEAST) / _LEAST, 0, 1) if tongue <= _TIP else 1.0
    canvas.saveLayerAlpha(opening.getBounds(), int(255 * shown))
    canvas.drawColor(skia.Color(*(int(v) for v in mouth.tone.dark)))
    jaw = np.asarray(amounts @ mouth.jaw)
    _inside(canvas, mouth, turn, jaw, _Tip(upper, lower, tongue))
    _shadows(canvas, mouth, upper, lower, opening, gap)
    canvas.restore()
    canvas.restore()
    if tongue > _TIP:
        canvas.save()
        canvas.clipPath(opening, skia.ClipOp.kDifference, True)
        below = np.vstack([upper, upper[-1] + down * unit, upper[0] + down * unit])
        canvas.clipPath(_polygon(below), skia.ClipOp.kIntersect, True)
        _tongue_out(canvas, mouth, _Tip(upper, lower, tongue))
        canvas.restore()


@dataclass(frozen=True, slots=True, eq=False)
class _Tip:
    """The tongue put out by `amount` between the lips' inner edges (11, 2) px."""

    upper: Array
    lower: Array
    amount: float


def _inside(canvas: Any, mouth: Mouth, turn: Turn, jaw: Array, tip: _Tip) -> None:
    unit, down = mouth.frame.unit_px, mouth.frame.axes[1]
    edge = down * unit * mouth.bite
    _sprite(canvas, mouth, mouth.tongue, turn, edge * 0.6 + jaw * 0.62 + down * unit * 0.02, 0.06)
    _sprite(canvas, mouth, mouth.lower, turn, edge + jaw * 0.92 - down * unit * 0.022, 0.04)
    if tip.amount > _TIP:
        _tongue_out(canvas, mouth, tip)
    _sprite(canvas, mouth, mouth.upper, turn, edge, 0.02)
    if mouth.own:
        with_skull, with_jaw, corner = mouth.own
        for image, shift in ((with_jaw, jaw), (with_skull, jaw * 0)):
            at = turn.of((mouth.skull + np.append(shift, 0))[None])[0]
            canvas.save()
            canvas.concat(place(turn.plane, mouth.skull[:2], at, corner, FINE))
            canvas.drawImage(image, 0, 0, skia.SamplingOptions(skia.FilterMode.kLinear))
            canvas.restore()


def _sprite(canvas: Any, mouth: Mouth, sprite: teeth.Sprite, turn: Turn, shift: Array, deep: float) -> None:
    """`shift` (2,) px from the line of the lips, `deep` eye distances behind it."""
    unit = mouth.frame.unit_px
    at = turn.of((mouth.skull + np.append(shift, deep * unit))[None])[0]
    plane = turn.plane @ mouth.frame.axes.T * unit / sprite.scale
    start = at + turn.plane @ mouth.frame.axes.T @ sprite.corner * unit + 0.5
    canvas.save()
    canvas.concat(
        skia.Matrix.MakeAll(
            *plane[0].tolist(), float(start[0]), *plane[1].tolist(), float(start[1]), 0.0, 0.0, 1.0
        )
    )
    canvas.drawImage(
        sprite.image, 0, 0, skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear)
    )
    canvas.restore()


def _shadows(canvas: Any, mouth: Mouth, upper: Array, lower: Array, opening: Any, gap: float) -> None:
    """Dark corners, and the shade that the lips throw inside."""
    unit = mouth.frame.unit_px
    strength = 0.35 if mouth.own else 1.0
    for corner in (upper[0], upper[-1]):
        inward = (upper[5] + lower[5]) / 2 - corner
        far = float(np.linalg.norm(inward)) * 0.75 + 1e-3
        shades = [
            skia.Color(30, 8, 10, int(235 * strength)),
            skia.Color(30, 8, 10, int(150 * strength)),
            skia.Color(30, 8, 10, 0),
        ]
        centre = skia.Point(*(corner - inward * 0.05).tolist())
        paint = skia.Paint(AntiAlias=True)
        paint.setShader(skia.GradientShader.MakeRadial(centre, far, shades, [0.0, 0.35, 1.0]))
        canvas.drawPath(opening, paint)
    for line, width, alpha in ((upper, 0.06, 105), (lower, 0.03, 70)):
        paint = skia.Paint(
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=min(width * unit, gap),
            Color=skia.Color(28, 6, 8, int(alpha * strength)),
            MaskFilter=skia.MaskFilter.MakeBlur(
                skia.kNormal_BlurStyle, max(min(0.02 * unit, 0.3 * gap), 0.4)
            ),
        )
        canvas.drawPath(path_of(line, closed=False), paint)


def _tongue_out(canvas: Any, mouth: Mouth, out: _Tip) -> None:
    """The tip of the tongue: between the teeth first, over the lower lip with more than a third."""
    upper, lower, amount = out.upper, out.lower, out.amount
    unit = mouth.frame.unit_px
    across, down = mouth.frame.axes
    root = upper[5] - down * 0.03 * unit
    tip = lower[5] + down * unit * (0.27 * amount * amount - 0.02)
    half = min((0.1 + 0.03 * amount) * unit, 0.34 * float(np.linalg.norm(lower[-1] - lower[0])))
    high = float((tip - root) @ down)
    sides = ((0.8, 0.0), (0.95, 0.35), (1.0, 0.6), (0.86, 0.82), (0.5, 0.96))
    left = [root + across * half * wide + down * high * deep for wide, deep in sides]
    right = [root - across * half * wide + down * high * deep for wide, deep in sides]
    shape = path_of(np.vstack([left, tip, right[::-1]]), closed=True)
    fade = int(255 * min(1.0, amount / 0.15))
    red, green, blue = mouth.tone.tongue
    shades = [
        skia.Color(*(int(min(v * k, 255)) for v in (red, green, blue)), fade) for k in (0.4, 0.85, 1.12, 0.8)
    ]
    paint = skia.Paint(AntiAlias=True)
    ends = [skia.Point(*root.tolist()), skia.Point(*tip.tolist())]
    paint.setShader(skia.GradientShader.MakeLinear(ends, shades, [0.0, 0.4, 0.75, 1.0]))
    canvas.drawPath(shape, paint)
    line = skia.Paint(
        AntiAlias=True,
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=0.014 * unit,
        Color=skia.Color(70, 18, 24, fade * 2 // 5),
        MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.01 * unit),
    )
    canvas.drawPath(path_of(np.vstack([root, root * 0.25 + tip * 0.75]), closed=False), line)
    canvas.drawPath(shape, line)


def _polygon(points: Array) -> Any:
    path = skia.Path()
    path.addPoly([skia.Point(*point) for point in points.tolist()], True)
    return path
