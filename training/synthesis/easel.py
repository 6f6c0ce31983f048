"""The easel: draws shapes, strokes and glows on a skia canvas in the mood's colours and the style's line.

Units are 1/128 of the picture's side whatever its size in pixels. An easel has an origin and a scale, so
that a subject is drawn in its own coordinates (its foot at 0, 0; up is negative) and set down anywhere.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import skia

from training.synthesis.looks import Look
from training.synthesis.mood import Mood
from training.synthesis.pigments import Pigment, to_lab, to_srgb8

Points = Sequence[tuple[float, float]]
_MIST = 0.62  # OKLab lightness of haze: the middle, so that haze takes contrast but no brightness


class Easel:
    """One view on the canvas: mood, style, random numbers, and where its own (0, 0) lies."""

    def __init__(
        self, canvas: skia.Canvas, mood: Mood, look: Look,
        rng: np.random.Generator, cast: np.random.Generator,
        origin: tuple[float, float] = (0.0, 0.0), scale: float = 1.0, fade: float = 0.0,
    ) -> None:  # fmt: skip
        self.canvas, self.mood, self.look = canvas, mood, look
        self.rng, self.cast = rng, cast  # places; and who or what it is, which must not change with the mood
        self.origin, self.scale, self.fade = origin, scale, fade
        self._bend = self._path_effect()

    def at(self, x: float, y: float, scale: float = 1.0, fade: float | None = None) -> "Easel":
        """A view whose (0, 0) lies at this view's (x, y); `fade` (0..1) sinks its colours into the haze."""
        origin = (self.origin[0] + x * self.scale, self.origin[1] + y * self.scale)
        fade = self.fade if fade is None else fade
        return Easel(self.canvas, self.mood, self.look, self.rng, self.cast, origin, self.scale * scale, fade)

    def _path_effect(self) -> skia.PathEffect | None:
        """Round corners for soft moods, trembling contours for agitated ones; the style leans on both."""
        radius = 10 * self.mood.softness * self.look.roundness
        tremble = 2.6 * self.mood.agitation**2 * self.look.tremble
        corner = skia.CornerPathEffect.Make(radius) if radius > 0.3 else None
        jitter = None
        if tremble > 0.25:
            jitter = skia.DiscretePathEffect.Make(
                7.0, tremble, int(31 * self.origin[0] + 17 * self.origin[1]) & 0xFFFF
            )
        if corner and jitter:
            return skia.PathEffect.MakeCompose(corner, jitter)
        return corner or jitter

    def lab(self, pigment: Pigment, lift: float = 0.0) -> tuple[float, float, float]:
        """The pigment as this mood and style see it, in OKLab."""
        mood, look = self.mood, self.look
        light, a, b = to_lab(pigment)
        light = 0.60 + (light + lift - 0.60) * mood.contrast * look.contrast + mood.lift + look.lift
        chroma = mood.chroma * look.chroma
        a, b = a * chroma + mood.tint[0] * look.tint, b * chroma + mood.tint[1] * look.tint
        keep = 1.0 - self.fade
        mist = _MIST + mood.lift
        return light * keep + mist * self.fade, a * keep, b * keep

    def colour(self, pigment: Pigment, lift: float = 0.0, alpha: float = 1.0) -> int:
        """The pigment as a skia colour."""
        red, green, blue = to_srgb8(*self.lab(pigment, lift))
        return skia.ColorSetARGB(round(255 * min(max(alpha, 0.0), 1.0)), red, green, blue)

    def _to_canvas(self, points: Points) -> list[skia.Point]:
        (x0, y0), scale = self.origin, self.scale
        return [skia.Point(x0 + x * scale, y0 + y * scale) for x, y in points]

    def _paint(self, colour: int, still: bool) -> skia.Paint:
        paint = skia.Paint(AntiAlias=True, Color=colour)
        if self._bend is not None and not still:
            paint.setPathEffect(self._bend)
        return paint

    def shape(
        self, points: Points, pigment: Pigment, lift: float = 0.0, *, alpha: float = 1.0,
        outline: bool = True, still: bool = False,
    ) -> None:  # fmt: skip
        """A filled polygon; the mood rounds or roughens its edge unless `still`."""
        path = skia.Path.Polygon(self._to_canvas(points), True)
        self._fill(path, pigment, lift, alpha, outline, still)

    def oval(
        self, x: float, y: float, rx: float, ry: float, pigment: Pigment, lift: float = 0.0, *,
        alpha: float = 1.0, outline: bool = True, still: bool = False,
    ) -> None:  # fmt: skip
        """A filled ellipse around (x, y)."""
        (x0, y0), s = self.origin, self.scale
        path = skia.Path()
        path.addOval(skia.Rect(x0 + (x - rx) * s, y0 + (y - ry) * s, x0 + (x + rx) * s, y0 + (y + ry) * s))
        self._fill(path, pigment, lift, alpha, outline, still)

    def box(self, left: float, top: float, right: float, bottom: float, pigment: Pigment, lift: float = 0.0,
            *, alpha: float = 1.0, outline: bool = True, still: bool = False) -> None:  # fmt: skip
        """A filled rectangle."""
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        self.shape(corners, pigment, lift, alpha=alpha, outline=outline, still=still)

    def _fill(
        self, path: skia.Path, pigment: Pigment, lift: float, alpha: float, outline: bool, still: bool
    ) -> None:
        paint = self._paint(self.colour(pigment, lift, alpha * self.look.opacity), still)
        if self.look.shadow and outline:
            self.canvas.save()
            self.canvas.translate(1.6, 2.2)
            self.canvas.drawPath(path, self._paint(skia.ColorSetARGB(70, 20, 18, 30), still))
            self.canvas.restore()
        if self.look.shading and alpha == 1.0:
            bounds = path.getBounds()
            ends = [skia.Point(0, bounds.top()), skia.Point(0, bounds.bottom() + 1)]
            tones = [
                self.colour(pigment, lift + side * self.look.shading, self.look.opacity) for side in (1, -1)
            ]
            paint.setShader(skia.GradientShader.MakeLinear(ends, tones))
        self.canvas.drawPath(path, paint)
        width = self.mood.outline * self.look.outline
        if outline and width > 0.4:
            line = self._paint(self.outline_colour(pigment, min(1.0, width / 2.0)), still)
            line.setStyle(skia.Paint.kStroke_Style)
            line.setStrokeWidth(max(1.7, width))
            line.setStrokeJoin(skia.Paint.kRound_Join)
            self.canvas.drawPath(path, line)

    def outline_colour(self, pigment: Pigment, alpha: float) -> int:
        """Contours are a deep tone of what they surround, or the style's own ink."""
        light = self.look.outline_light
        dark = Pigment(light + 0.25 * pigment.light * (light > 0.05), 0.4 * pigment.chroma, pigment.hue)
        return self.colour(dark, 0.0, alpha * (1 - 0.6 * self.fade))

    def line(
        self, points: Points, width: float, pigment: Pigment, lift: float = 0.0, *,
        alpha: float = 1.0, still: bool = False, smooth: bool = False,
    ) -> None:  # fmt: skip
        """A stroke of `width` in this view's units, never thinner than 1.7 on the picture."""
        places = self._to_canvas(points)
        path = skia.Path.Polygon(places, False)
        if smooth and len(places) > 2:
            path = skia.Path()
            path.moveTo(places[0])
            for middle, nxt in pairwise(places[1:]):
                end = (
                    nxt
                    if nxt is places[-1]
                    else skia.Point((middle.x() + nxt.x()) / 2, (middle.y() + nxt.y()) / 2)
                )
                path.quadTo(middle, end)
        paint = self._paint(self.colour(pigment, lift, alpha), still)
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(max(1.7, width * self.scale))
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
        self.canvas.drawPath(path, paint)

    def glow(self, x: float, y: float, radius: float, pigment: Pigment, alpha: float) -> None:
        """A soft light around (x, y) that dies away at `radius`."""
        centre = skia.Point(self.origin[0] + x * self.scale, self.origin[1] + y * self.scale)
        tones = [self.colour(pigment, 0.0, alpha), self.colour(pigment, 0.0, 0.0)]
        shader = skia.GradientShader.MakeRadial(centre, radius * self.scale, tones)
        self.canvas.drawCircle(centre, radius * self.scale, skia.Paint(Shader=shader, AntiAlias=True))

    def wash(self, top: float, bottom: float, upper: Pigment, lower: Pigment) -> None:
        """A band over the whole width from one colour into another, wide enough for a leaning camera."""
        ends = [skia.Point(0, top), skia.Point(0, bottom)]
        tones = [self.colour(upper), self.colour(lower)]
        paint = skia.Paint(Shader=skia.GradientShader.MakeLinear(ends, tones))
        self.canvas.drawRect(skia.Rect(-40, top - (40 if top <= 0 else 0), 168, bottom + 40), paint)
