"""Two old people: Olaf in oil and Ruth in pencil."""

# ruff: noqa: RUF005 - sums with pairs are of arrays
from __future__ import annotations

import numpy as np

from training.synthesis.portrait_brush import Brush, Colour, curve, hexed, mix, outline
from training.synthesis.portrait_features import Features, draw_ears, draw_features
from training.synthesis.portrait_finish import Pixels, oiled, pencilled, spots
from training.synthesis.portrait_hair import Hair, curtain, scattered, tufts
from training.synthesis.portrait_shape import Floats, Person, Shape
from training.synthesis.portrait_skin import (
    Skin,
    backdrop,
    draw_cloth,
    draw_neck,
    draw_shadows,
    draw_skin,
    draw_wrinkles,
    head_path,
    shoulders,
)

_JAW = (93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323)
_CHEEK = (137, 147, 187, 207, 216, 57, 146, 91, 181, 17, 405, 321, 375, 287, 436, 427, 411, 376, 366)
_ABOVE_LIP = (57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287)
_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
_EXACT = (159, 145, 33, 133, 386, 374, 263, 362, 13, 61, 291, 17, 4, 98, 327)  # where oil leaves the drawing


def _olaf(brush: Brush, points: Floats) -> None:
    tones = ("#6e3426", "#b9765a", "#e3af8d", "#fbe0c6", "#c9463c")
    skin = Skin(*map(hexed, tones), blush_alpha=0.34, gleam=0.14)
    white = [hexed(tone) for tone in ("#f7f4ee", "#e2ded6", "#c4bfb8", "#9b958f")]
    hair = Hair(hexed("#8b857f"), hexed("#cfcac3"), hexed("#fffdf8"), strands=110, width_px=2.2)
    look = Features(
        iris=hexed("#5f87a6"),
        white=hexed("#ece4da"),
        lash=hexed("#5a3a32"),
        lash_px=2.6,
        crease=0.7,
        brow=hexed("#b9b2a8"),
        brow_hairs=170,
        lip=hexed("#b9705f"),
        lip_line=hexed("#6e3029"),
        lip_gloss=0.18,
        nose=0.8,
    )
    backdrop(brush, hexed("#7a8a5e"), hexed("#2f3a2b"), 41, 9)
    curtain(brush, outline("268,250 250,330 258,410"), outline("262,225 206,310 236,436"), hair, 2)
    curtain(brush, outline("502,250 520,330 510,410"), outline("508,225 562,310 532,436"), hair, 3, 0.3)
    draw_neck(brush, points, skin, 88)
    draw_cloth(brush, shoulders(285, 610, 62), hexed("#9a6a47"), hexed("#5a3b2a"), hexed("#20140e"))
    for row in range(9):  # a knitted collar
        half, y = 98 + row * 4.5, 604 + row * 7
        rib = np.array([(-half, -6), (-half / 2, 26), (0, 36), (half / 2, 26), (half, -6)]) + (384, y)
        brush.stroke(rib, (7, 9, 9, 7), mix(hexed("#8a5d40"), hexed("#3a2418"), 0.25 + 0.5 * (row % 2)))
    draw_ears(brush, points, skin.base, skin.shadow, 1.1)
    draw_skin(brush, points, skin, head_path(points, 0.4, 1.02))
    draw_wrinkles(brush, points, skin, 0.5)
    draw_shadows(brush, points, skin)
    draw_features(brush, points, look, skin.base)
    _full_beard(brush, points, white)
    curtain(brush, outline("270,240 258,290 256,372"), outline("258,222 226,290 238,384"), hair, 4)
    curtain(brush, outline("504,240 514,290 516,372"), outline("514,222 546,290 534,384"), hair, 5, 0.3)


def _full_beard(brush: Brush, points: Floats, tones: list[Colour]) -> None:
    at = points[:, :2].astype(float)
    outer, middle = at[list(_JAW)].copy(), float(at[152, 0])
    down = np.clip((outer[:, 1] - at[58, 1]) / (at[152, 1] - at[58, 1]), 0, 1)
    outer += np.column_stack([np.sign(outer[:, 0] - 384) * 6, 62 * down])
    inner = at[list(_CHEEK)].copy()
    inner[5:14, 1] += 5
    area = curve(np.vstack([outer, inner[::-1]]), closed=True)
    brush.fill(area, tones[2], 0.75, 7)

    def falls(root: Floats) -> tuple[float, float]:
        return (float(root[0]) - middle) / 190, 1.0

    tufts(
        brush, scattered(area, 1500, 4), falls, (12, 30), [tones[2], tones[3], tones[1]], 5, 2.0, 0.55, 0.18
    )
    tufts(
        brush, scattered(area, 1500, 14), falls, (12, 28), [tones[0], tones[1], tones[1]], 15, 1.6, 0.7, 0.18
    )
    lip = curve(np.vstack([at[list(_ABOVE_LIP)] + (0, 3), at[list(_LIP)][::-1] - (0, 1.2)]), closed=True)
    brush.fill(lip, tones[2], 0.6, 3)
    tufts(
        brush,
        scattered(lip, 420, 6),
        lambda p: ((p[0] - middle) / 26, 0.75),
        (6, 13),
        tones,
        7,
        1.6,
        0.75,
        0.15,
    )


def _in_oil(picture: Pixels, points: Floats) -> Pixels:
    return oiled(picture, 0.95 * spots(picture.shape[0], points[list(_EXACT), :2], 22), 4)


OLAF = Person(
    Shape(
        width=0.94,
        jaw=0.98,
        forehead=1.04,
        eye_height_cm=1.1,
        eye_width_cm=2.9,
        eye_tilt_cm=-0.08,
        nose_width=1.08,
        nose_length=1.04,
        brow_cm=0.72,
        brow_y_cm=-3.75,
        brow_arch_cm=0.3,
        upper_lip_cm=0.42,
        lower_lip_cm=0.72,
        mouth_cm=2.4,
        mouth_y_cm=4.4,
        turn_deg=6,
    ),
    _olaf,
    _in_oil,
)


def _ruth(brush: Brush, points: Floats) -> None:
    tones = ("#7c4f3e", "#c79c84", "#efd3bd", "#fff6ea", "#e0897a")
    skin = Skin(*map(hexed, tones), blush_alpha=0.3)
    hair = Hair(hexed("#6d6866"), hexed("#b4aeaa"), hexed("#ffffff"), strands=200, width_px=2.4)
    look = Features(
        iris=hexed("#6a5136"),
        white=hexed("#f6f0e8"),
        lash=hexed("#2c2322"),
        lash_px=3.4,
        lashes=6,
        crease=0.8,
        brow=hexed("#6f6661"),
        brow_hairs=110,
        lip=hexed("#b8665c"),
        lip_line=hexed("#4a2220"),
        nose=0.95,
    )
    backdrop(brush, hexed("#ffffff"), hexed("#e4ddd2"), 51, 2)
    brush.dot((392, 108), (78, 62), hair.base)
    curtain(brush, outline("330,150 318,90 384,62"), outline("452,150 466,90 396,60"), hair, 8)
    back = "384,116 268,146 226,240 240,330 384,360 528,330 542,240 500,146"
    brush.fill(curve(outline(back), closed=True), hair.dark)
    draw_neck(brush, points, skin, 66)
    draw_cloth(brush, shoulders(245, 618, 66, 46, 100), hexed("#d4dfe9"), hexed("#8aa0b8"), hexed("#4b5d74"))
    for share in np.linspace(0, 1, 15):  # a necklace
        _pearl(brush, (300 + 168 * share, 628 + 40 * np.sin(np.pi * share)), 8.5)
    draw_ears(brush, points, skin.base, skin.shadow, 0.9)
    for ear, way in ((234, -2), (454, 2)):
        _pearl(brush, (float(points[ear, 0]) + way, float(points[ear, 1]) + 36), 5)
    draw_skin(brush, points, skin, head_path(points, 0.2))
    draw_wrinkles(brush, points, skin, 0.62)
    draw_shadows(brush, points, skin, 0.9)
    draw_features(brush, points, look, skin.base)
    one, two = "352,190 310,214 276,268 262,340", "372,106 276,128 214,230 236,352"
    curtain(brush, outline(one), outline(two), hair, 4)
    one, two = "352,190 430,196 490,256 508,340", "372,106 494,124 556,230 534,352"
    curtain(brush, outline(one), outline(two), hair, 5, 0.15)


def _pearl(brush: Brush, at: tuple[float, float], radius: float) -> None:
    brush.dot(at, radius, hexed("#f7f3ec"))
    brush.dot((at[0] - radius * 0.24, at[1] - radius * 0.3), radius * 0.3, hexed("#ffffff"))
    rim = np.array([(-0.7, 0.6), (0, 0.95), (0.7, 0.6)]) * radius + at
    brush.line(curve(rim), hexed("#6c6a6c"), 1.4, 0.8)


def _in_pencil(picture: Pixels, points: Floats) -> Pixels:
    return pencilled(picture, hexed("#f6f0e3"), hexed("#3a3436"), 0.42, 7)


RUTH = Person(
    Shape(
        width=0.93,
        jaw=0.9,
        eye_height_cm=1.25,
        eye_width_cm=3.0,
        eye_tilt_cm=-0.02,
        nose_width=0.92,
        brow_cm=0.4,
        brow_y_cm=-4.0,
        upper_lip_cm=0.5,
        lower_lip_cm=0.8,
        mouth_cm=2.35,
        iris_cm=0.7,
        turn_deg=-6,
    ),
    _ruth,
    _in_pencil,
)
