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
from training.synthesis.motion_of import STILL, Moment
from training.synthesis.pigments import Pigment, mixed, to_lab, to_srgb8

Points = Sequence[tuple[float, float]]
_MIST = 0.62  # OKLab lightness of haze: the middle, so that haze takes contrast but no brightness


class Easel:
    """One view on the canvas: mood, style, random numbers, and where its own (0, 0) lies."""

    def __init__(
        self, canvas: skia.Canvas, mood: Mood, look: Look,
        rng: np.random.Generator, cast: np.random.Generator,
        origin: tuple[float, float] = (0.0, 0.0), scale: float = 1.0, fade: float = 0.0,
        moment: Moment = STILL,
    ) -> None:  # fmt: skip
        self.canvas, self.mood, self.look = canvas, mood, look
        self.rng, self.cast = rng, cast  # places; and who or what it is, which must not change with the mood
        self.origin, self.scale, self.fade = origin, scale, fade
        self.moment = moment
        self.lean = 0.0  # by how much the view leans to the right for each unit of height
        self.key: tuple[int, ...] = ()  # which element of the picture this is, in every frame of a film
        self._views = 0
        self._bend = self._path_effect(int(31 * origin[0] + 17 * origin[1]) & 0xFFFF)

    def at(self, x: float, y: float, scale: float = 1.0, fade: float | None = None) -> "Easel":
        """A view whose (0, 0) lies at this view's (x, y); `fade` (0..1) sinks its colours into the haze."""
        origin = (self.origin[0] + (x - self.lean * y) * self.scale, self.origin[1] + y * self.scale)
        fade = self.fade if fade is None else fade
        view = Easel(
            self.canvas, self.mood, self.look, self.rng, self.cast, origin, self.scale * scale, fade,
            self.moment,
        )  # fmt: skip
        self._views += 1
        view.lean, view.key = self.lean, (*self.key, self._views)
        return view

    def own(self, *key: int) -> "Easel":
        """In a film a view with random numbers of its own, so that fewer or more of its like change nothing.

        A still picture has no need of that: it gets this very view.
        """
        if self.moment.tapes is None:
            return self
        view = self.at(0.0, 0.0)
        self._views -= 1
        view.rng, view.cast = self.moment.tapes.of(1, *key), self.moment.tapes.of(2, *key)
        view.key = (*self.key, -1, *key)
        return view

    def salt(self, place: float) -> int:
        """A number that tells one element from another: its place; in a film, where places move, its key."""
        return sum(self.key) if self.moment.moves else int(place)

    def swaying(self, amount: float, rate: float = 1.0, offset: float = 0.0) -> "Easel":
        """This view as the wind bends it: `amount` sideways for each unit of height, at the mood's pace."""
        if self.moment.moves:
            self.lean += self.moment.sway(amount, rate, offset)
        return self

    def from_foot(self, depth: float) -> "Easel":
        """This view, leaning around a foot `depth` below its origin, where else its origin stays."""
        if self.lean:
            self.origin = (self.origin[0] + self.lean * depth * self.scale, self.origin[1])
        return self

    def _path_effect(self, seed: int) -> skia.PathEffect | None:
        """Round corners for soft moods, trembling contours for agitated ones; the style leans on both."""
        radius = 10 * self.mood.softness * self.look.roundness
        tremble = 2.6 * self.mood.agitation**2 * self.look.tremble
        corner = skia.CornerPathEffect.Make(radius) if radius > 0.3 else None
        jitter = None
        if tremble > 0.25:
            jitter = skia.DiscretePathEffect.Make(7.0, tremble, seed)
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
        (x0, y0), scale, lean = self.origin, self.scale, self.lean
        return [skia.Point(x0 + (x - lean * y) * scale, y0 + y * scale) for x, y in points]

    def _paint(self, colour: int, still: bool, path: skia.Path) -> skia.Paint:
        paint = skia.Paint(AntiAlias=True, Color=colour)
        if self._bend is not None and not still:
            paint.setPathEffect(self._bend_of(path) if self.moment.moves else self._bend)
        return paint

    def _bend_of(self, path: skia.Path) -> skia.PathEffect | None:
        """The effect for a contour that moves: skia mixes the contour's rounded length into the seed.

        Taking it out again keeps the tremble on its element, where else it would flicker from frame to frame.
        """
        if 2.6 * self.mood.agitation**2 * self.look.tremble <= 0.25:
            return self._bend
        length = int(skia.PathMeasure(path, False).getLength() + 0.5)
        return self._path_effect((hash(self.key) & 0xFFFF) ^ length)

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
        x = x - self.lean * y
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
        paint = self._paint(self.colour(pigment, lift, alpha * self.look.opacity), still, path)
        if self.look.shadow and outline:
            self.canvas.save()
            self.canvas.translate(1.6, 2.2)
            self.canvas.drawPath(path, self._paint(skia.ColorSetARGB(70, 20, 18, 30), still, path))
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
            line = self._paint(self.outline_colour(pigment, min(1.0, width / 2.0)), still, path)
            line.setStyle(skia.Paint.kStroke_Style)
            line.setStrokeWidth(max(1.7, width))
            line.setStrokeJoin(skia.Paint.kRound_Join)
            self.canvas.drawPath(path, line)

    def either(self, above: Pigment, below: Pigment, value: float) -> Pigment:
        """One pigment where `value` is above 0, else the other; in a film they mix around 0."""
        if not self.moment.moves:
            return above if value > 0 else below
        return mixed(below, above, min(1.0, max(0.0, value / 0.3 + 0.5)))

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
        paint = self._paint(self.colour(pigment, lift, alpha), still, path)
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(max(1.7, width * self.scale))
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
        self.canvas.drawPath(path, paint)

    def glow(self, x: float, y: float, radius: float, pigment: Pigment, alpha: float) -> None:
        """A soft light around (x, y) that dies away at `radius`."""
        centre = skia.Point(
            self.origin[0] + (x - self.lean * y) * self.scale, self.origin[1] + y * self.scale
        )
        tones = [self.colour(pigment, 0.0, alpha), self.colour(pigment, 0.0, 0.0)]
        shader = skia.GradientShader.MakeRadial(centre, radius * self.scale, tones)
        self.canvas.drawCircle(centre, radius * self.scale, skia.Paint(Shader=shader, AntiAlias=True))

    def wash(self, top: float, bottom: float, upper: Pigment, lower: Pigment) -> None:
        """A band over the whole width from one colour into another, wide enough for a leaning camera."""
        ends = [skia.Point(0, top), skia.Point(0, bottom)]
        tones = [self.colour(upper), self.colour(lower)]
        paint = skia.Paint(Shader=skia.GradientShader.MakeLinear(ends, tones))
        self.canvas.drawRect(skia.Rect(-40, top - (40 if top <= 0 else 0), 168, bottom + 40), paint)
