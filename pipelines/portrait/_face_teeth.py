"""Teeth and tongue as sprites: an arch of teeth seen from the front, drawn once for a face.

Widths of crowns are the usual ones of adults (Wheeler's tables), in millimetres; the arch is a circle that
turns away from the camera, so teeth to the side are narrower, shorter and darker. Knows colours and sizes,
no landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.portrait._face_points import Array
from studio.lazy import lazy

cv2, skia = lazy("cv2"), lazy("skia")

Colour = tuple[float, float, float]  # R, G, B in 0..255

MM = 1 / 95.0  # outer corners of the eyes are about 95 mm apart
_UPPER = ((8.5, 10.2), (6.6, 9.2), (7.6, 9.8), (7.0, 8.4), (6.8, 7.8), (9.8, 7.0))
_LOWER = ((5.3, 8.6), (5.9, 8.8), (6.8, 9.2), (7.0, 8.4), (7.2, 7.8), (10.5, 7.0))
# How much shorter than the middle ones the edges of the others end, mm.
_UPPER_LIFTS, _LOWER_LIFTS = (0.0, 0.7, 0.1, 0.8, 1.2, 1.6), (0.0, 0.1, 0.0, 0.5, 0.9, 1.2)
_RADIUS_MM = (27.0, 23.5)


@dataclass(frozen=True, slots=True)
class Tone:
    """Colours RGB of what the mouth holds, under the light of the picture."""

    tooth: Colour
    gum: Colour
    tongue: Colour
    dark: Colour


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """`image` with its px (0, 0) at `corner` (2,) face units from where it is anchored; `scale` px a unit."""

    image: Any
    corner: Array
    scale: float


def tone_of(white: Array, skin: Array) -> Tone:
    """From the white of the eyes (3,) and the colour of the skin (3,), RGB 0..255."""
    white = np.maximum(white, 0.96 * float(skin.max()))
    top = max(float(white.max()), 1.0)
    light = np.clip(white / top, 0.8, 1.0) * np.clip(top * 1.12, 105, 245)
    level = float(light.max()) / 245
    warm = 0.85 + 0.15 * skin / max(float(skin.max()), 1.0)
    tooth = light * np.array([1.0, 0.965, 0.9])
    gum, tongue, dark = (level * warm * np.array(rgb) for rgb in ((176, 88, 88), (182, 92, 92), (46, 15, 17)))
    return Tone(_rgb(tooth), _rgb(gum), _rgb(tongue), _rgb(dark))


def _rgb(colour: Array) -> Colour:
    red, green, blue = (float(value) for value in colour)
    return red, green, blue


def arch(tone: Tone, unit_px: float, upper: bool) -> Sprite:
    """The arch, anchored in the middle of its biting edge."""
    scale = float(np.clip(unit_px * 2, 60, 1200))
    low, high = np.array([-0.31, -0.2 if upper else -0.03]), np.array([0.31, 0.03 if upper else 0.2])
    wide, tall = (int(np.ceil(v)) for v in (high - low) * scale)
    pixels = np.zeros((tall, wide, 4), np.uint8)
    surface = skia.Surface(pixels, colorType=skia.kRGBA_8888_ColorType)
    canvas = surface.getCanvas()
    canvas.scale(scale, scale)
    canvas.translate(float(-low[0]), float(-low[1]))
    if not upper:
        canvas.scale(1, -1)
    _gum(canvas, tone, upper)
    for sign in (-1, 1):
        _teeth(canvas, tone, upper, sign)
    soft = cv2.GaussianBlur(pixels, (0, 0), 0.006 * scale)
    return Sprite(_image(soft), low.astype(np.float32), scale)


def _gum(canvas: Any, tone: Tone, upper: bool) -> None:
    paint = skia.Paint(AntiAlias=True, Color=_colour(tone.gum, 0.82))
    reach = _RADIUS_MM[0 if upper else 1] * MM
    canvas.drawRect(skia.Rect.MakeLTRB(-reach, -0.2, reach, -7.6 * MM), paint)
    between = skia.Paint(AntiAlias=True, Color=_colour(tone.tooth, 0.5, 0.8))
    inside = reach * 0.86
    canvas.drawRoundRect(skia.Rect.MakeLTRB(-inside, -7.8 * MM, inside, -2.2 * MM), 2 * MM, 2 * MM, between)


def _teeth(canvas: Any, tone: Tone, upper: bool, sign: int) -> None:
    radius, along = _RADIUS_MM[0 if upper else 1], 0.0
    crowns, lifts = (_UPPER, _UPPER_LIFTS) if upper else (_LOWER, _LOWER_LIFTS)
    for (width, height), lift in zip(crowns, lifts, strict=True):
        angles = np.array([along, along + width]) / radius
        along += width
        facing = max(float(np.cos(angles.mean())), 0.1)
        left, right = np.sin(np.minimum(angles, 1.5)) * radius * MM
        inset = 0.02 * (right - left)
        sides = sorted((sign * (left + inset), sign * (right - inset)))
        top, bottom = -(height - 0.5) * MM, -(lift + 1.6 * (1 - facing)) * MM
        _tooth(canvas, tone, (sides[0], top, sides[1], bottom), 0.30 + 0.70 * facing**0.8)


def _tooth(canvas: Any, tone: Tone, box: tuple[float, float, float, float], light: float) -> None:
    """One crown in `box` (left, top, right, bottom), neck above; `light` from 0 to 1."""
    left, top, right, bottom = box
    foot, neck = 0.20 * (right - left), 0.38 * (right - left)
    shape = skia.RRect()
    corners = [(neck, neck * 1.3), (neck, neck * 1.3), (foot, foot), (foot, foot)]
    shape.setRectRadii(skia.Rect.MakeLTRB(left, top, right, bottom), corners)
    colours = [_colour(tone.tooth, light * v, warm) for v, warm in ((0.80, 0.9), (0.99, 1.0), (0.93, 1.0))]
    paint = skia.Paint(AntiAlias=True)
    ends = [skia.Point(0, top), skia.Point(0, bottom)]
    paint.setShader(skia.GradientShader.MakeLinear(ends, colours, [0.0, 0.55, 1.0]))
    canvas.drawRRect(shape, paint)


def tongue(tone: Tone, unit_px: float) -> Sprite:
    """The tongue as it lies, anchored in the middle of its upper edge."""
    scale = float(np.clip(unit_px * 2, 60, 1200))
    low, high = np.array([-0.24, -0.03]), np.array([0.24, 0.26])
    wide, tall = (int(np.ceil(v)) for v in (high - low) * scale)
    x = (np.arange(wide) + 0.5) / scale + low[0]
    y = ((np.arange(tall) + 0.5) / scale + low[1])[:, None]
    across, down = x / 0.2, y / 0.24
    edge = 1 - (np.abs(across) ** 2.4 + np.abs(np.minimum((y - 0.06) / 0.06, 0)) ** 2)
    alpha = np.clip(edge / 0.12, 0, 1) * (y < 0.26)
    light = 0.62 + 0.38 * np.exp(-0.5 * ((down - 0.25) / 0.22) ** 2) * (1 - 0.5 * across**2)
    light *= 1 - 0.22 * np.exp(-0.5 * (x / 0.012) ** 2) * np.clip(down * 3, 0, 1)
    rgb = np.clip(light[..., None] * np.array(tone.tongue), 0, 255) * alpha[..., None]
    rgba = np.dstack([rgb, alpha * 255]).astype(np.uint8)
    return Sprite(_image(rgba), low.astype(np.float32), scale)


def _colour(rgb: Colour, shade: float, warm: float = 1.0) -> int:
    red, green, blue = rgb[0] * shade, rgb[1] * shade * (0.9 + 0.1 * warm), rgb[2] * shade * warm
    return int(skia.Color(*(int(np.clip(v, 0, 255)) for v in (red, green, blue))))


def _image(rgba: Any) -> Any:
    return skia.Image.fromarray(
        np.ascontiguousarray(rgba),
        colorType=skia.kRGBA_8888_ColorType,
        alphaType=skia.kPremul_AlphaType,
        copy=True,
    )
