"""Three portraits as a soft digital painting: Anna, Kofi and Mei."""

# ruff: noqa: RUF005 - sums with pairs are of arrays
from __future__ import annotations

import numpy as np

from training.synthesis.portrait_brush import Brush, Colour, curve, hexed, outline
from training.synthesis.portrait_features import Features, draw_ears, draw_features
from training.synthesis.portrait_hair import Hair, curtain, scattered, tufts
from training.synthesis.portrait_shape import Floats, Person, Shape
from training.synthesis.portrait_skin import (
    Skin,
    backdrop,
    draw_cloth,
    draw_neck,
    draw_shadows,
    draw_skin,
    head_path,
    shoulders,
)


def _anna(brush: Brush, points: Floats) -> None:
    tones = ("#8d4638", "#cf8a70", "#f0bf9f", "#ffe6d2", "#e0685c")
    skin = Skin(*map(hexed, tones), blush_alpha=0.26)
    hair = Hair(hexed("#3b160f"), hexed("#8a3d1d"), hexed("#e09a52"), strands=360, point=0.85)
    look = Features(
        iris=hexed("#4d7a58"),
        lash=hexed("#32181a"),
        lashes=11,
        brow=hexed("#6d3a22"),
        lip=hexed("#c9605c"),
        lip_line=hexed("#7a2a2e"),
        nose=0.8,
    )
    backdrop(brush, hexed("#a9beb8"), hexed("#43595f"), 11)
    back = "384,118 270,150 212,280 206,430 190,590 220,690 300,720 384,700 470,720 550,690 578,590 562,430"
    brush.fill(curve(outline(f"{back} 556,280 498,150"), closed=True), hair.dark)
    curtain(
        brush,
        outline("384,150 300,300 290,500 300,700"),
        outline("330,150 225,300 200,500 190,690"),
        hair,
        1,
        0.55,
    )
    curtain(
        brush,
        outline("384,150 470,300 480,500 470,700"),
        outline("440,150 545,300 570,500 580,690"),
        hair,
        2,
        0.7,
    )
    draw_neck(brush, points, skin, 70)
    draw_cloth(brush, shoulders(255, 632, 62, 66, 104), hexed("#5b8193"), hexed("#2f4858"), hexed("#15242e"))
    path = head_path(points, 0.22)
    draw_skin(brush, points, skin, path)
    draw_shadows(brush, points, skin, 0.8)
    draw_features(brush, points, look, skin.base)
    left = outline("366,196 318,222 280,272 262,340 262,430 238,530 262,630 226,738")
    right = outline("366,196 432,206 490,262 508,340 506,430 534,530 508,640 548,738")
    with brush.clipped(path):  # the shadow of the hair
        brush.line(curve(left[:6]), skin.deep, 16, 0.4, blur_px=8)
        brush.line(curve(right[:6]), skin.deep, 26, 0.55, blur_px=9)
    over = outline("372,106 480,122 560,240 574,350 568,450 608,560 578,660 566,742")
    curtain(brush, right, over, hair, 4, 0.2)
    curtain(brush, left, outline("372,106 290,124 212,240 198,350 202,450 166,560 192,650 206,742"), hair, 3)


ANNA = Person(
    Shape(
        width=0.92,
        jaw=0.87,
        forehead=0.93,
        chin=0.97,
        eye_height_cm=1.36,
        eye_width_cm=3.1,
        nose_width=0.84,
        nose_length=0.96,
        brow_cm=0.44,
        brow_y_cm=-4.05,
        upper_lip_cm=0.66,
        lower_lip_cm=1.0,
        mouth_cm=2.35,
        mouth_y_cm=4.15,
        iris_cm=0.74,
        turn_deg=4,
    ),
    _anna,
)


def _kofi(brush: Brush, points: Floats) -> None:
    tones = ("#2a120c", "#5c2f1e", "#8f5636", "#c98a5c", "#9a3a2a")
    skin = Skin(*map(hexed, tones), blush_alpha=0.18, gleam=0.3)
    black = [hexed(tone) for tone in ("#120d0d", "#1d1615", "#2c2320", "#463a36")]
    look = Features(
        iris=hexed("#4a2a18"),
        white=hexed("#e9ded3"),
        lash=hexed("#140c0b"),
        lash_px=3.4,
        brow=hexed("#17100e"),
        brow_hairs=140,
        lip=hexed("#8a4a44"),
        lip_line=hexed("#3a1614"),
        lip_gloss=0.28,
        nose=0.85,
    )
    backdrop(brush, hexed("#e3b25a"), hexed("#a5612a"), 21)
    draw_neck(brush, points, skin, 92)
    draw_cloth(brush, shoulders(285, 608, 66, 46, 110), hexed("#fffaf0"), hexed("#e2d8c6"), hexed("#8f7f6a"))
    neckline = outline("272,609 310,637 348,650 384,654 420,650 458,637 496,609")
    brush.stroke(neckline, (7, 9, 9, 7), hexed("#3f6f6a"))
    brush.stroke(neckline - (0, 1), (1.2, 1.6, 1.2), hexed("#c8a44e"))
    draw_ears(brush, points, skin.base, skin.shadow, 0.92)
    crown = head_path(points, 0.68, 1.07)
    brush.fill(crown, black[0])
    draw_skin(brush, points, skin, head_path(points, 0.36))
    draw_shadows(brush, points, skin, 0.9)
    draw_features(brush, points, look, skin.base)
    _short_beard(brush, points, black)
    _curls(brush, points, crown, black)


KOFI = Person(
    Shape(
        width=0.95,
        jaw=1.0,
        eye_height_cm=1.26,
        eye_width_cm=3.05,
        nose_width=1.16,
        nose_length=0.98,
        brow_cm=0.62,
        brow_arch_cm=0.32,
        brow_y_cm=-3.85,
        upper_lip_cm=0.82,
        lower_lip_cm=1.12,
        mouth_cm=2.6,
        mouth_y_cm=4.25,
        iris_cm=0.72,
        turn_deg=-5,
    ),
    _kofi,
)
_JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
_CHEEK = (
    137,
    177,
    215,
    192,
    214,
    212,
    202,
    106,
    182,
    83,
    18,
    313,
    406,
    335,
    422,
    432,
    434,
    416,
    435,
    401,
    366,
)
_ABOVE_LIP = (57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287)
_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)


def _short_beard(brush: Brush, points: Floats, tones: list[Colour]) -> None:
    at = points[:, :2].astype(float)
    jaw, cheek, middle = at[list(_JAW)], at[list(_CHEEK)], float(at[152, 0])
    low = jaw + (jaw - at[1]) * 0.05
    area = curve(np.vstack([low[1:-1], cheek[::-1]]), closed=True)
    brush.fill(area, tones[1], 0.72, 7)
    tufts(
        brush,
        scattered(area, 2600, 4),
        lambda p: ((p[0] - middle) / 260, 0.9),
        (4, 9),
        tones,
        5,
        1.3,
        0.55,
        0.45,
    )
    lip = curve(np.vstack([at[list(_ABOVE_LIP)] + (0, 5), at[list(_LIP)][::-1] - (0, 2.5)]), closed=True)
    brush.fill(lip, tones[1], 0.6, 3)
    tufts(
        brush, scattered(lip, 420, 6), lambda p: ((p[0] - middle) / 40, 0.7), (3, 7), tones, 7, 1.2, 0.55, 0.3
    )
    for beside, corner, under, low_cheek in ((57, 61, 202, 212), (287, 291, 422, 432)):
        link = np.vstack([at[beside] - (0, 3), at[corner] + (0, 5), at[under], at[low_cheek]])
        area = curve(link, closed=True)
        brush.fill(area, tones[1], 0.55, 4)
        tufts(
            brush,
            scattered(area, 130, 16),
            lambda p: ((p[0] - middle) / 200, 1.0),
            (4, 8),
            tones,
            17,
            1.2,
            0.5,
            0.4,
        )


def _curls(brush: Brush, points: Floats, crown: object, tones: list[Colour]) -> None:
    line = points[[127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356], :2].astype(float)
    line[:, 1] -= (0, 0, 2, 10, 20, 26, 28, 28, 28, 26, 20, 10, 2, 0, 0)
    area = curve(np.vstack([line, [(560, 60), (384, 60), (208, 60)]]), closed=True)
    noise = np.random.default_rng(2)
    with brush.clipped(crown):
        brush.fill(area, tones[0], 0.96, 4)
        for x, y in scattered(area, 1500, 9):
            if y < 120:  # outside the head
                continue
            radius, start = noise.uniform(2.2, 4.6), noise.uniform(0, 2 * np.pi)
            tone = tones[int(noise.choice(4, p=[0.35, 0.3, 0.23, 0.12]))]
            turns = start + np.linspace(0, 4.6, 7)
            ring = np.column_stack([x + radius * np.cos(turns), y + radius * np.sin(turns)])
            brush.stroke(ring, (0.6, 1.9, 1.7, 0.4), tone, 0.85)


def _mei(brush: Brush, points: Floats) -> None:
    tones = ("#a85a3f", "#dc9f78", "#f7cfa8", "#fff0d9", "#ef6a5e")
    skin = Skin(*map(hexed, tones), blush_alpha=0.42, relief=0.72, blur_px=7)
    hair = Hair(hexed("#0f0e16"), hexed("#241f2b"), hexed("#7d7a92"), strands=260, sheen=(0.22, 0.4))
    look = Features(
        iris=hexed("#4b2c1c"),
        lash=hexed("#1d1216"),
        lash_px=4.0,
        lashes=6,
        crease=0.35,
        brow=hexed("#2c2224"),
        brow_hairs=70,
        lip=hexed("#dd7f78"),
        lip_line=hexed("#a1464a"),
        lip_gloss=0.5,
        nose=0.55,
    )
    backdrop(brush, hexed("#f7d7c4"), hexed("#d98f86"), 31, 5)
    back = "384,92 262,122 208,230 202,350 212,480 240,520 384,530 528,520 556,480 566,350 560,230 506,122"
    brush.fill(curve(outline(back), closed=True), hair.dark)
    draw_neck(brush, points, skin, 58)
    draw_cloth(brush, shoulders(215, 610, 80, 34, 92), hexed("#ffd970"), hexed("#f2b632"), hexed("#b8701c"))
    for sign in (-1, 1):
        collar = outline("92,600 62,640 4,648 16,686 84,680 118,636") * (sign, 1) + (384, 0)
        brush.fill(curve(collar + (2, 6), closed=True), hexed("#8a4d10"), 0.35, 5)
        brush.fill(curve(collar, closed=True), hexed("#fffaf2"))
        shade = [(0.0, hexed("#ffffff"), 0.0), (1.0, hexed("#d9c3b4"), 0.8)]
        brush.slope((300, 600), (470, 700), shade, curve(collar, closed=True))
    path = head_path(points, 0.2)
    draw_skin(brush, points, skin, path)
    draw_shadows(brush, points, skin, 0.5)
    draw_features(brush, points, look, skin.base)
    with brush.clipped(path):  # the shadow of the hair
        rim = outline("262,470 262,330 278,256 384,246 492,256 506,330 506,470")
        brush.line(curve(rim), skin.deep, 20, 0.4, blur_px=8)
    one, two = "384,92 296,150 260,270 256,400 288,524", "384,84 270,112 204,216 192,370 232,538"
    curtain(brush, outline(one), outline(two), hair, 4)
    one, two = "384,92 474,150 508,270 512,400 480,524", "384,84 498,112 564,216 576,370 536,538"
    curtain(brush, outline(one), outline(two), hair, 5, 0.15)
    curtain(brush, outline("378,86 290,140 250,250"), outline("390,86 478,140 518,250"), hair, 6)


MEI = Person(
    Shape(
        width=0.98,
        jaw=0.9,
        cheeks=0.35,
        chin=0.8,
        forehead=1.08,
        eye_height_cm=1.62,
        eye_width_cm=3.3,
        eye_y_cm=-2.0,
        eye_apart_cm=3.45,
        eye_tilt_cm=0.22,
        lower_lid=0.34,
        iris_cm=0.92,
        brow_cm=0.34,
        brow_y_cm=-3.75,
        brow_arch_cm=0.35,
        nose_width=0.84,
        nose_length=0.86,
        mouth_cm=1.85,
        mouth_y_cm=3.75,
        upper_lip_cm=0.5,
        lower_lip_cm=0.78,
        corners_cm=0.12,
        turn_deg=-4,
    ),
    _mei,
)
