"""A canvas for portraits: smooth curves, soft patches, tapered strokes. Knows skia; knows no face."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import skia

Colour = tuple[int, int, int]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
Points = npt.NDArray[np.floating[Any]] | Sequence[tuple[float, float]]


def mix(one: Colour, two: Colour, share: float) -> Colour:
    return tuple(round(a + (b - a) * share) for a, b in zip(one, two, strict=True))  # type: ignore[return-value]


def hexed(text: str) -> Colour:
    """'#d08040' as a colour."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def outline(text: str) -> npt.NDArray[np.float64]:
    """(n, 2) of "x,y x,y ..."."""
    return np.array([[float(value) for value in pair.split(",")] for pair in text.split()])


def curve(points: Points, closed: bool = False) -> skia.Path:
    """A smooth line through all points (Catmull-Rom as Bezier curves)."""
    knots = np.asarray(points, np.float64)[:, :2]
    around = (
        np.vstack([knots[-1:], knots, knots[:2]]) if closed else np.vstack([knots[:1], knots, knots[-1:]])
    )
    path = skia.Path()
    path.moveTo(*map(float, knots[0]))
    for before, start, end, after in zip(around, around[1:], around[2:], around[3:], strict=False):
        one, two = start + (end - before) / 6, end - (after - start) / 6
        path.cubicTo(*map(float, (*one, *two, *end)))
    if closed:
        path.close()
    return path


def sampled(points: Points, count: int) -> npt.NDArray[np.float64]:
    """(count, 2) points along the smooth open line through `points`, evenly in its parameter."""
    knots = np.asarray(points, np.float64)[:, :2]
    around = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    at = np.linspace(0, len(knots) - 1, count)
    index = np.minimum(at.astype(int), len(knots) - 2)
    t = (at - index)[:, None]
    a, b, c, d = (around[index + k] for k in range(4))
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * (b - c) + d - a) * t**3)


class Brush:
    """Draws in px of the finished picture on a surface that is `over` times as fine."""

    def __init__(self, size_px: int, over: int = 2) -> None:
        self.size_px, self.over = size_px, over
        self.surface = skia.Surface(size_px * over, size_px * over)
        self.canvas = self.surface.getCanvas()
        self.canvas.scale(over, over)

    def pixels(self) -> npt.NDArray[np.uint8]:
        """(size, size, 3)."""
        whole = self.surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3]
        blocks = whole.reshape(self.size_px, self.over, self.size_px, self.over, 3).astype(np.float32)
        return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)

    @contextmanager
    def clipped(self, path: skia.Path, outside: bool = False) -> Iterator[None]:
        self.canvas.save()
        self.canvas.clipPath(path, skia.ClipOp.kDifference if outside else skia.ClipOp.kIntersect, True)
        yield
        self.canvas.restore()

    @contextmanager
    def turned(self, degrees: float, about: tuple[float, float]) -> Iterator[None]:
        self.canvas.save()
        self.canvas.rotate(degrees, *about)
        yield
        self.canvas.restore()

    def fill(
        self, path: skia.Path, colour: Colour, alpha: float = 1.0, blur_px: float = 0.0, **more: Any
    ) -> None:
        self.canvas.drawPath(path, self._paint(colour, alpha, blur_px, **more))

    def polygon(self, points: Points, colour: Colour) -> None:
        path = skia.Path()
        path.addPoly([skia.Point(float(x), float(y)) for x, y in points], True)
        self.fill(path, colour)

    def line(self, path: skia.Path, colour: Colour, width_px: float, alpha: float = 1.0, **more: Any) -> None:
        paint = self._paint(colour, alpha, more.pop("blur_px", 0.0), **more)
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(width_px)
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
        self.canvas.drawPath(path, paint)

    def stroke(
        self, points: Points, widths: Sequence[float], colour: Colour, alpha: float = 1.0, **more: Any
    ) -> None:
        """A line whose width changes along it: `widths` in px, spread evenly over its length."""
        blur_px = more.pop("blur_px", 0.0)
        middle = sampled(points, max(12, 4 * len(points)))
        along = np.gradient(middle, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        side = np.column_stack([-along[:, 1], along[:, 0]])
        wide = np.interp(np.linspace(0, 1, len(middle)), np.linspace(0, 1, len(widths)), widths)[:, None] / 2
        ring = np.vstack([middle + side * wide, (middle - side * wide)[::-1]])
        path = skia.Path()
        path.addPoly([skia.Point(*map(float, p)) for p in ring], True)
        path.setFillType(skia.PathFillType.kWinding)
        self.fill(path, colour, alpha, blur_px, **more)

    def dot(
        self,
        at: Sequence[float],
        radius: float | tuple[float, float],
        colour: Colour,
        alpha: float = 1.0,
        blur_px: float = 0.0,
        **more: Any,
    ) -> None:
        rx, ry = radius if isinstance(radius, tuple) else (radius, radius)
        box = skia.Rect.MakeLTRB(float(at[0]) - rx, float(at[1]) - ry, float(at[0]) + rx, float(at[1]) + ry)
        self.canvas.drawOval(box, self._paint(colour, alpha, blur_px, **more))

    def glow(
        self,
        at: Sequence[float],
        radius: float,
        stops: Sequence[tuple[float, Colour, float]],
        path: skia.Path | None = None,
    ) -> None:
        """A radial gradient of (place 0..1, colour, alpha), over everything or within `path`."""
        shader = skia.GradientShader.MakeRadial(
            skia.Point(float(at[0]), float(at[1])),
            float(radius),
            [_argb(c, a) for _, c, a in stops],
            [p for p, _, _ in stops],
        )
        self._shade(shader, path)

    def slope(
        self,
        start: Sequence[float],
        end: Sequence[float],
        stops: Sequence[tuple[float, Colour, float]],
        path: skia.Path | None = None,
    ) -> None:
        """A linear gradient of (place 0..1, colour, alpha)."""
        ends = [skia.Point(float(start[0]), float(start[1])), skia.Point(float(end[0]), float(end[1]))]
        shader = skia.GradientShader.MakeLinear(
            ends, [_argb(c, a) for _, c, a in stops], [p for p, _, _ in stops]
        )
        self._shade(shader, path)

    def image(self, rgba: npt.NDArray[np.uint8], blend: Any = None, alpha: float = 1.0) -> None:
        """(size, size, 4) over the whole picture."""
        picture = skia.Image.fromarray(np.ascontiguousarray(rgba), colorType=skia.kRGBA_8888_ColorType)
        paint = skia.Paint(AntiAlias=True, Alphaf=alpha)
        if blend is not None:
            paint.setBlendMode(blend)
        box = skia.Rect.MakeWH(self.size_px, self.size_px)
        self.canvas.drawImageRect(picture, box, skia.SamplingOptions(skia.FilterMode.kLinear), paint)

    def _shade(self, shader: Any, path: skia.Path | None) -> None:
        paint = skia.Paint(AntiAlias=True, Shader=shader, Dither=True)
        if path is None:
            self.canvas.drawPaint(paint)
        else:
            self.canvas.drawPath(path, paint)

    def _paint(self, colour: Colour, alpha: float, blur_px: float, blend: Any = None) -> skia.Paint:
        paint = skia.Paint(AntiAlias=True, Color=_argb(colour, alpha))
        if blur_px > 0:
            paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur_px))
        if blend is not None:
            paint.setBlendMode(blend)
        return paint


def _argb(colour: Colour, alpha: float) -> int:
    return (
        (math.floor(min(max(alpha, 0), 1) * 255 + 0.5) << 24)
        | (colour[0] << 16)
        | (colour[1] << 8)
        | colour[2]
    )
