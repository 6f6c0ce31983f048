"""A fox. Its mouth, nose and eyes carry the landmarks of a face, so that it talks like one."""

# ruff: noqa: RUF005 - sums with pairs are of arrays
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import skia

from studio.face_mesh import EYES
from training.synthesis.portrait_brush import BLACK, WHITE, Brush, Colour, curve, hexed, mix, outline
from training.synthesis.portrait_features import Features, draw_brows, draw_eyes, draw_lips
from training.synthesis.portrait_hair import scattered, tufts
from training.synthesis.portrait_shape import Floats, Person, Shape
from training.synthesis.portrait_skin import Skin, backdrop, draw_skin

MIDDLE = 384.0
ORANGE, DEEP, PALE, CREAM, DARK = map(hexed, ("#d9702a", "#8e3c16", "#f2a55c", "#fbf0dd", "#20120e"))
FUR = Skin(*map(hexed, ("#6a2c12", "#b0541f", "#dd7b30", "#f6b069")), ORANGE, 0.0, 0.0, 0.9, 9.0)
_HALF_HEAD = "0,148 70,158 128,200 160,270 178,340 214,418 150,452 104,500 58,548 0,566"


def _fox(brush: Brush, points: Floats) -> None:
    look = Features(
        iris=hexed("#c98a1e"),
        white=hexed("#3a2416"),
        lash=hexed("#22130d"),
        lash_px=5,
        crease=0.0,
        brow=hexed("#f6d2a2"),
        brow_hairs=60,
        lip=hexed("#5a3428"),
        lip_line=hexed("#1d100c"),
        lip_gloss=0.15,
    )
    at = points[:, :2].astype(float)
    half = outline(_HALF_HEAD)
    head = curve(np.vstack([half, half[1:-1][::-1] * (-1, 1)]) + (MIDDLE, 0), closed=True)
    backdrop(brush, hexed("#cfe0c3"), hexed("#5d8a72"), 71, 5)
    _chest(brush, head)
    for sign in (-1.0, 1.0):
        _ear(brush, sign)
    draw_skin(brush, points, FUR, head)
    tufts(
        brush,
        scattered(head, 3000, 5),
        _away_from_nose,
        (9, 17),
        [ORANGE, FUR.base, PALE, DEEP],
        6,
        2.0,
        0.42,
        0.12,
    )
    for sign in (-1.0, 1.0):
        _cheek(brush, sign)
    draw_eyes(brush, points, look, FUR.base)
    for eye in EYES:
        inner = at[eye.upper[-1]]
        tear = [inner - (0, 2), (inner + at[4]) / 2 - (0, 8), at[4] - (0, 16)]
        brush.stroke(tear, (4, 7, 1), hexed("#5a2a14"), 0.5, blur_px=3)
    draw_brows(brush, points, look)
    _snout(brush, at)
    draw_lips(brush, points, look)
    _whiskers(brush, at)


def _furry(
    brush: Brush,
    ring: Floats,
    ground: Colour,
    blur_px: float,
    count: int,
    way: Callable[[Floats], tuple[float, float]],
    tones: list[Colour],
    seed: int,
) -> None:
    path = curve(ring, closed=True)
    brush.fill(path, ground, 0.9, blur_px)
    tufts(brush, scattered(path, count, seed), way, (13, 30), tones, seed + 1, 2.5, 0.68, 0.14)


def _chest(brush: Brush, head: skia.Path) -> None:
    half = outline("60,500 176,640 235,800")
    ring = np.vstack([half * (-1, 1), half[::-1]]) + (MIDDLE, 0)
    _furry(
        brush,
        ring,
        FUR.shadow,
        0,
        2200,
        lambda p: ((p[0] - MIDDLE) / 300, 1.0),
        [ORANGE, DEEP, FUR.shadow, FUR.base],
        1,
    )
    half = outline("60,520 105,640 70,810")
    ring = np.vstack([half * (-1, 1), half[::-1]]) + (MIDDLE, 0)
    white = [CREAM, WHITE, mix(CREAM, DEEP, 0.15)]
    _furry(brush, ring, mix(CREAM, DEEP, 0.15), 8, 1200, lambda p: ((p[0] - MIDDLE) / 200, 1.0), white, 3)
    with brush.clipped(curve(ring, closed=True)):  # the shadow of the head
        under = skia.Path(head)
        under.offset(8, 26)
        brush.fill(under, FUR.deep, 0.5, 16)


def _ear(brush: Brush, sign: float) -> None:
    ring = outline("52,205 92,120 150,40 178,150 150,262") * (sign, 1) + (MIDDLE, 0)
    lit = ORANGE if sign < 0 else mix(ORANGE, DEEP, 0.35)
    _furry(brush, ring, lit, 0, 380, lambda p: (0.25 * sign, -0.6), [ORANGE, DEEP, PALE], 8)
    ring = outline("84,200 112,140 146,84 164,160 150,240") * (sign, 1) + (MIDDLE, 0)
    inside = [CREAM, hexed("#c9a88a"), hexed("#6b4a3c")]
    _furry(brush, ring, hexed("#3a2018"), 4, 160, lambda p: (0.1 * sign, -1.0), inside, 10)
    tip = outline("128,80 150,34 172,92") * (sign, 1) + (MIDDLE, 0)
    brush.fill(curve(tip, closed=True), hexed("#2a1712"), 0.85, 5)


def _away_from_nose(root: Floats) -> tuple[float, float]:
    dx, dy = (float(root[0]) - MIDDLE) / 130, (float(root[1]) - 395) / 170
    length = float(np.hypot(dx, dy)) + 1e-3
    return dx / length * 0.9, dy / length * 0.9 + (0.35 if dy > -0.2 else 0.0)


def _cheek(brush: Brush, sign: float) -> None:
    ring = outline("26,440 62,408 112,372 168,374 214,418 150,456 104,502 58,548 0,568 0,470") * (sign, 1)
    shade = 0.0 if sign < 0 else 0.14
    white = [mix(mix(CREAM, DEEP, share), DEEP, shade) for share in (0.0, 0.06, 0.12)] + [
        mix(WHITE, DEEP, shade)
    ]
    ground = mix(CREAM, DEEP, 0.1 + shade)
    _furry(brush, ring + (MIDDLE, 0), ground, 7, 1300, lambda p: (sign * 0.75, 0.75), white, 12)
    muzzle = outline("0,392 34,400 56,436 40,472 0,486") * (sign, 1) + (MIDDLE, 0)
    brush.fill(curve(muzzle, closed=True), mix(CREAM, DEEP, 0.02 + shade * 0.8), 0.95, 6)


def _snout(brush: Brush, at: Floats) -> None:
    nose = outline("-30,-10 -17,-19 0,-21 17,-19 30,-10 24,8 9,19 0,22 -9,19 -24,8") + at[1]
    brush.fill(curve(nose + (2, 6), closed=True), DARK, 0.35, 5)
    brush.fill(curve(nose, closed=True), DARK)
    brush.dot(at[1] + (-9, -11), (11, 4.5), WHITE, 0.55, 2.5)
    for sign in (-1, 1):
        brush.dot(at[1] + (sign * 14, 4), (6, 4), BLACK, 0.9, 1)
    brush.stroke([at[1] + (0, 20), at[13] - (0, 1)], (2.6, 2.2), DARK, 0.9)


def _whiskers(brush: Brush, at: Floats) -> None:
    noise = np.random.default_rng(3)
    for sign in (-1.0, 1.0):
        for row in range(4):
            for column in range(3):
                brush.dot(at[1] + (sign * (30 + 9 * column), 14 + 7 * row), 1.2, hexed("#6b4433"), 0.7)
            root = at[1] + (sign * 46, 14 + 8 * row)
            tip = root + (sign * (105 + 20 * noise.random()), -18 + 16 * row)
            brush.stroke([root, (root + tip) / 2 - (0, 6), tip], (1.6, 1.2, 0.2), hexed("#fffdf6"), 0.85)


FOX = Person(
    Shape(
        width=1.06,
        jaw=0.62,
        cheeks=0.2,
        chin=0.9,
        eye_height_cm=1.75,
        eye_width_cm=2.9,
        eye_y_cm=-2.0,
        eye_apart_cm=3.5,
        eye_tilt_cm=0.75,
        lower_lid=0.42,
        iris_cm=0.95,
        gaze_cm=(0, 0),
        brow_y_cm=-4.0,
        brow_arch_cm=0.5,
        brow_tilt_cm=-0.2,
        nose_length=1.12,
        mouth_cm=2.3,
        mouth_y_cm=5.0,
        upper_lip_cm=0.42,
        lower_lip_cm=0.6,
        corners_cm=0.35,
        turn_deg=-3,
    ),
    _fox,
)
