"""What a head rests on and is covered with: skin in light, neck, clothes, background. Knows no features."""

# ruff: noqa: RUF005 - sums with pairs are of arrays
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import skia

from studio.face_mesh import OVAL
from training.synthesis import portrait_light as lights
from training.synthesis.portrait_brush import Brush, Colour, curve, mix
from training.synthesis.portrait_features import face_path

Floats = npt.NDArray[np.floating]
LIGHT = (-0.55, -0.62, -0.85)


@dataclass(frozen=True, slots=True)
class Skin:
    """Tones from deep shadow to light; `blush` on cheeks and nose. `steps`: 0 smooth, else flat tones."""

    deep: Colour
    shadow: Colour
    base: Colour
    light: Colour
    blush: Colour
    blush_alpha: float = 0.3
    gleam: float = 0.16
    relief: float = 1.0  # 0: lit as if it were plain
    blur_px: float = 5.0
    steps: tuple[float, ...] = ()  # brightnesses at which flat tones meet

    def tones(self, values: Floats) -> npt.NDArray[np.float32]:
        if self.steps:
            return self._flat(values)
        stops = [(0.0, self.deep), (0.34, self.shadow), (0.66, self.base), (1.0, self.light)]
        return lights.ramp(np.asarray(values, np.float32), stops)

    def _flat(self, values: Floats) -> npt.NDArray[np.float32]:
        tones = [np.array(tone, np.float32) for tone in (self.shadow, self.base, self.light)]
        found = np.broadcast_to(tones[0], (*values.shape, 3)).copy()
        for edge, tone in zip(self.steps, tones[1:], strict=False):
            share = np.clip((values - edge) / 0.02 + 0.5, 0, 1)[..., None]  # a soft pixel, as vectors have
            found += (tone - found) * share
        return found


def head_path(points: Floats, rise: float = 0.3, wider: float = 1.0) -> skia.Path:
    """The face and the round skull above it, `rise` of the height from eyes to hairline higher."""
    ring = points[list(OVAL), :2].astype(float)
    eyes, middle = float(points[168, 1]), float(points[10, 0])
    height, half = eyes - float(points[10, 1]), float(ring[:, 0].max() - ring[:, 0].min()) / 2
    above = np.clip((eyes - ring[:, 1]) / height, 0, 1)
    dome = np.sqrt(np.clip(1 - ((ring[:, 0] - middle) / half) ** 2, 0, 1))
    ring[:, 1] -= above * rise * height * (0.25 + 0.75 * dome)
    ring[:, 0] = middle + (ring[:, 0] - middle) * (1 + (wider - 1) * above)
    return curve(ring, closed=True)


def draw_skin(brush: Brush, points: Floats, skin: Skin, path: skia.Path) -> None:
    normals = lights.slopes(np.asarray(points, np.float32), brush.size_px, skin.blur_px)
    value = lights.brightness(normals, LIGHT)
    value = 0.62 + (value - 0.62) * skin.relief
    colours = skin.tones(value)
    shine = lights.gleam(normals, LIGHT, 22)[..., None] * skin.gleam
    colours += (255 - colours) * shine
    with brush.clipped(path):
        brush.image(opaque(colours))
        _blush(brush, points, skin)


def _blush(brush: Brush, points: Floats, skin: Skin) -> None:
    def warm(at: Sequence[float], radius: float, alpha: float) -> None:
        fade = [(0.0, skin.blush, alpha), (0.5, skin.blush, alpha * 0.55), (1.0, skin.blush, 0.0)]
        brush.glow(at, radius, fade)

    for cheek in (50, 280):
        warm(points[cheek, :2], 78, skin.blush_alpha)
    warm(points[4, :2], 30, skin.blush_alpha * 0.7)
    warm(points[152, :2] + (0, -14), 36, skin.blush_alpha * 0.35)


def draw_shadows(brush: Brush, points: Floats, skin: Skin, strength: float = 1.0) -> None:
    """What a soft light does not reach: under brows, nose, lower lip."""
    dark = mix(skin.deep, skin.shadow, 0.3)
    with brush.clipped(face_path(points)):
        for inner in (133, 362):
            at = (points[inner, :2] + points[168, :2]) / 2
            brush.dot(at + (0, 2), (10, 16), dark, 0.3 * strength, 7)
        for crease in (159, 386):
            brush.dot(points[crease, :2] + (0, -6), (32, 9), dark, 0.28 * strength, 7)
        brush.dot(points[2, :2] + (4, 7), (24, 8), dark, 0.42 * strength, 6)
        brush.dot(points[18, :2] + (2, -3), (28, 6), dark, 0.4 * strength, 5)
        brush.dot((points[0, :2] + points[164, :2]) / 2 + (3, 0), (4, 8), dark, 0.22 * strength, 2.5)


def neck_path(points: Floats, width: float, base_y: float = 690.0) -> skia.Path:
    middle, jaw = float(points[152, 0]), float(points[172, 1])
    half = np.array(
        [[width, jaw - 30], [width * 0.95, jaw + 50], [width * 1.06, jaw + 105], [width * 2.1, base_y]]
    )
    left = half * (-1, 1) + (middle, 0)
    right = half[::-1] * (1, 1) + (middle, 0)
    return curve(np.vstack([left, right]), closed=True)


def draw_neck(brush: Brush, points: Floats, skin: Skin, width: float = 78.0, soft: bool = True) -> None:
    path = neck_path(points, width)
    middle, jaw = float(points[152, 0]), float(points[172, 1])
    brush.fill(path, skin.base)
    tones = [(0.0, mix(skin.shadow, skin.base, 0.5), 1.0), (0.3, mix(skin.base, skin.light, 0.3), 1.0)]
    brush.slope(
        (middle - width, jaw),
        (middle + width, jaw),
        [*tones, (0.62, skin.base, 1.0), (1.0, skin.shadow, 1.0)],
        path,
    )
    with brush.clipped(path):
        under = skia.Path(face_path(points))
        under.offset(9, 34)
        brush.fill(under, mix(skin.deep, skin.shadow, 0.35), 0.85, 13 if soft else 0)
        for side, alpha in ((-1, 0.25), (1, 0.35)):  # muscles from behind the ears to the pit of the throat
            line = np.array([(0.85 * width, 30), (0.45 * width, 100), (12, 152)]) * (side, 1) + (middle, jaw)
            brush.stroke(line, (2, 9, 3), skin.shadow, alpha, blur_px=6 if soft else 0)
        brush.dot((middle + 2, jaw + 150), (13, 8), mix(skin.deep, skin.shadow, 0.5), 0.5, 6 if soft else 0)


def shoulders(width: float, top: float, slope: float, scoop: float = 0.0, neck: float = 90.0) -> skia.Path:
    """A torso around x = 384, px. `top`: y beside the neck; `slope`: how far shoulders fall; `scoop`: depth
    of the neckline; `neck`: half its width."""
    half = [(neck, top - 2), (neck + 34, top + slope * 0.26), (width * 0.78, top + slope * 0.75)]
    half += [(width, top + slope * 1.5), (width + 25, 810)]
    line = [(neck * share, top + scoop * depth) for share, depth in ((0.82, 0.42), (0.5, 0.84), (0.0, 1.0))]
    right = np.array([*(line[::-1] if scoop else []), *half])
    left = right[::-1] * (-1, 1)
    return curve(np.vstack([left[: len(left) - bool(scoop)], right]) + (384, 0), closed=True)


def draw_cloth(brush: Brush, path: skia.Path, light: Colour, base: Colour, dark: Colour) -> None:
    brush.fill(path, base)
    brush.slope((145, 620), (645, 768), [(0.0, light, 0.9), (0.5, base, 0.5), (1.0, dark, 0.93)], path)


def draw_wrinkles(brush: Brush, points: Floats, skin: Skin, strength: float) -> None:
    """Folds of age: forehead, corners of the eyes, from the nose to the mouth, below the eyes."""
    at = points[:, :2].astype(float)
    folds: list[tuple[npt.NDArray[np.float64], float]] = []
    for lift in (0.35, 0.62, 0.88):
        line = (
            at[[104, 69, 108, 151, 337, 299, 333]] * (1 - lift) + at[[63, 105, 107, 9, 336, 334, 293]] * lift
        )
        folds.append((line + np.array([0, 3]) * np.cos(np.arange(7) * 2)[:, None] - (0, 8), 0.7))
    for one, two, three in ((129, 206, 212), (358, 426, 432)):
        folds.append((at[[one, 203 if one == 129 else 423, two, three]] + (0, 2), 1.0))
    for outer, way in ((33, -1.0), (263, 1.0)):
        for rise in (-13.0, -3.0, 7.0):
            start = at[outer] + (way * 9, rise * 0.35)
            folds.append(
                (np.array([start, start + (way * 11, rise * 0.5), start + (way * 22, rise * 1.2)]), 0.75)
            )
    for ring in ((25, 24, 23, 22, 26), (255, 254, 253, 252, 256)):
        folds.append((at[list(ring)] + (0, 4), 0.9))
        folds.append((at[list(ring)][1:] + (0, 11), 0.5))
    for corner, low in ((57, 202), (287, 422)):
        folds.append((np.array([at[corner] + (0, 4), (at[corner] + at[low]) / 2, at[low]]), 0.55))
    for brow, way in ((55, 1.0), (285, -1.0)):
        folds.append(
            (np.array([at[brow] + (way * 6, -14), at[brow] + (way * 8, 0), at[brow] + (way * 6, 12)]), 0.6)
        )
    for line, weight in folds:
        brush.stroke(line, (0.5, 3.0, 3.4, 2.4, 0.4), skin.shadow, strength * weight, blur_px=1.3)
        brush.stroke(
            line + (1.2, 2.6), (0.4, 2.2, 2.2, 0.4), skin.light, strength * weight * 0.6, blur_px=1.2
        )


def opaque(colours: Floats) -> npt.NDArray[np.uint8]:
    rgba = np.full((*colours.shape[:2], 4), 255, np.uint8)
    rgba[..., :3] = np.rint(np.clip(colours, 0, 255))
    return rgba


def blotches(size_px: int, seed: int, scale_px: float) -> npt.NDArray[np.float32]:
    """(size, size) smooth noise of mean 0 and deviation 1: the unevenness of paint and paper."""
    noise = np.random.default_rng(seed).standard_normal((size_px, size_px)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), scale_px)
    return np.asarray((smooth - smooth.mean()) / smooth.std(), np.float32)


def backdrop(brush: Brush, near: Colour, far: Colour, seed: int, uneven: float = 7.0) -> None:
    """A painted wall: lighter behind the lit side of the head, uneven like broad brush strokes."""
    size = brush.size_px
    y, x = np.mgrid[0:size, 0:size] / size
    value = np.clip(np.hypot((x - 0.4) * 1.05, y - 0.42) * 1.35, 0, 1)[..., None]
    colours = np.array(near) * (1 - value) + np.array(far) * value
    colours = colours + (blotches(size, seed, 46) + 0.7 * blotches(size, seed + 1, 17))[..., None] * uneven
    brush.image(opaque(colours))
