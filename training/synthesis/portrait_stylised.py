"""Two stylised portraits: Luna, a cartoon with big eyes, and Diego in flat shapes."""

# ruff: noqa: RUF005 - sums with pairs are of arrays
from __future__ import annotations

import numpy as np
import skia

from training.synthesis.portrait_brush import Brush, curve, hexed, outline
from training.synthesis.portrait_features import Features, draw_ears, draw_features, face_path
from training.synthesis.portrait_hair import Hair, curtain
from training.synthesis.portrait_shape import Floats, Person, Shape
from training.synthesis.portrait_skin import (
    Skin,
    backdrop,
    draw_cloth,
    draw_neck,
    draw_shadows,
    draw_skin,
    head_path,
    neck_path,
    shoulders,
)


def _luna(brush: Brush, points: Floats) -> None:
    tones = ("#c0705e", "#eba98d", "#fcd3b6", "#ffe7d4", "#ff6f6f")
    skin = Skin(*map(hexed, tones), blush_alpha=0.4, gleam=0.05, relief=0.75, blur_px=8)
    hair = Hair(hexed("#123c52"), hexed("#1f7f8f"), hexed("#8ff0e0"), 70, 4.2, (0.2, 0.36), 0.6)
    look = Features(
        iris=hexed("#7a4fd0"),
        white=hexed("#fdfcff"),
        lash=hexed("#231a36"),
        lash_px=4.6,
        lashes=13,
        crease=0.6,
        brow=hexed("#164a5c"),
        brow_hairs=0,
        lip=hexed("#e8707a"),
        lip_line=hexed("#93323f"),
        lip_gloss=0.5,
        nose=0.35,
        gleams=1.3,
    )
    backdrop(brush, hexed("#ffe9a8"), hexed("#f28c8c"), 61, 2)
    back = "384,90 260,120 190,240 170,390 140,520 200,620 384,630 568,620 628,520 598,390 578,240 508,120"
    brush.fill(curve(outline(back), closed=True), hair.dark)
    draw_neck(brush, points, skin, 46)
    draw_cloth(brush, shoulders(190, 606, 86, 30, 78), hexed("#6a5fc2"), hexed("#37306b"), hexed("#1c173d"))
    turns = np.arange(10) * np.pi / 5
    reach = np.where(np.arange(10) % 2, 11, 27)
    star = np.column_stack([384 + reach * np.sin(turns), 704 - reach * np.cos(turns)])
    brush.polygon(star, hexed("#ffd75e"))
    path = head_path(points, 0.2)
    draw_skin(brush, points, skin, path)
    draw_shadows(brush, points, skin, 0.35)
    draw_features(brush, points, look, skin.base)
    with brush.clipped(path):  # the shadow of the hair
        rim = outline("250,460 244,330 272,244 384,222 496,244 524,330 518,460")
        brush.line(curve(rim), skin.deep, 18, 0.4, blur_px=7)
    for one, two, seed, shade in (
        (
            "430,80 500,160 528,270 520,400 560,520 520,640",
            "420,62 552,96 612,250 606,390 668,520 600,650",
            5,
            0.12,
        ),
        (
            "430,80 268,170 240,280 250,400 204,520 250,640",
            "420,62 230,92 160,250 164,390 96,520 170,650",
            4,
            0.0,
        ),
        ("430,76 300,130 250,230 246,290", "432,76 390,150 350,214 294,252", 6, 0.0),
        ("430,76 400,150 380,205 338,244", "432,74 470,140 480,204 440,248", 7, 0.0),
        ("428,76 470,140 490,196 474,248", "432,70 520,130 540,230 524,300", 8, 0.0),
    ):
        curtain(brush, outline(one), outline(two), hair, seed, shade)


LUNA = Person(
    Shape(
        width=1.0,
        jaw=0.74,
        cheeks=0.25,
        chin=0.72,
        forehead=1.12,
        eye_height_cm=2.9,
        eye_width_cm=4.1,
        eye_y_cm=-1.5,
        eye_apart_cm=3.7,
        eye_tilt_cm=0.35,
        lower_lid=0.4,
        iris_cm=1.36,
        gaze_cm=(0, 0),
        brow_cm=0.32,
        brow_y_cm=-4.4,
        brow_arch_cm=0.5,
        nose_width=0.5,
        nose_length=0.82,
        mouth_cm=1.5,
        mouth_y_cm=4.0,
        upper_lip_cm=0.3,
        lower_lip_cm=0.48,
        corners_cm=0.16,
        turn_deg=5,
    ),
    _luna,
)


def _diego(brush: Brush, points: Floats) -> None:
    tones = ("#8a4a2c", "#b36a43", "#d38f62", "#e5a97c", "#c0573c")
    skin = Skin(*map(hexed, tones), blush_alpha=0.0, gleam=0, steps=(0.5, 0.93), blur_px=8)
    dark = hexed("#221815")
    look = Features(
        iris=hexed("#4a2f1d"),
        white=hexed("#fbf4ea"),
        lash=hexed("#1f1614"),
        lash_px=4.2,
        crease=0.6,
        brow=dark,
        brow_hairs=0,
        lip=hexed("#b4604a"),
        lip_line=hexed("#6b2d22"),
        lip_gloss=0.25,
        nose=0.9,
        flat=True,
    )
    brush.polygon(outline("0,0 768,0 768,768 0,768"), hexed("#2f7f79"))
    brush.dot((384, 350), 300, hexed("#f2c14e"))
    neck = neck_path(points, 92, 720)
    brush.fill(neck, skin.base)
    with brush.clipped(neck):
        under = skia.Path(face_path(points))
        under.offset(8, 30)
        brush.fill(under, skin.shadow)
    _suit(brush)
    draw_ears(brush, points, skin.base, skin.shadow, 1.0, flat=True)
    draw_skin(brush, points, skin, head_path(points, 0.25))
    draw_features(brush, points, look, skin.base)
    at = points[:, :2].astype(float)
    above = at[[57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287]] + (0, 3)
    lip = at[[61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]] - (0, 2)
    brush.fill(curve(np.vstack([above, lip[::-1]]), closed=True), dark)
    _parted_hair(brush, at)


def _suit(brush: Brush) -> None:
    brush.fill(shoulders(290, 606, 56, 90, 100), hexed("#23395b"))
    for sign in (-1, 1):
        tones = ("#f6efe2", "#2f4b77", "#fffaf0") if sign < 0 else ("#ddd3c2", "#1b2c47", "#e9dfcf")
        parts = (
            "88,588 2,664 2,780 70,780",
            "92,592 128,612 120,690 88,684 56,780 34,780",
            "86,586 2,650 44,694 96,612",
        )
        for part, tone in zip(parts, tones, strict=True):  # shirt, lapel, collar
            brush.polygon(outline(part) * (sign, 1) + (384, 0), hexed(tone))
    red, shade = hexed("#d1495b"), hexed("#a83548")
    brush.polygon(outline("370,654 398,654 404,676 384,690 364,676"), red)
    brush.polygon(outline("374,688 394,688 412,790 356,790"), red)
    brush.polygon(outline("384,688 394,688 412,790 384,790"), shade)


def _parted_hair(brush: Brush, at: Floats) -> None:
    right, left = at[234], at[454]
    over = outline("238,200 268,140 340,104 430,98 506,130 536,200 528,290")
    line = outline("506,262 486,222 430,206 360,214 310,206 284,240 270,276")
    sides = (
        [right + (-3, -2), (right[0] - 8, 280)],
        [left + (3, -2), (left[0] - 14, 316)],
        [(right[0] + 14, 318)],
    )
    brush.fill(curve(np.vstack([sides[0], over, sides[1], line, sides[2]]), closed=True), hexed("#221815"))
    for lock in ("290,180 350,130 440,122", "300,196 370,152 460,146", "410,196 470,176 512,200"):
        brush.stroke(outline(lock), (1, 7, 1), hexed("#3a2a24"))


DIEGO = Person(
    Shape(
        width=0.96,
        jaw=1.04,
        chin=1.03,
        eye_height_cm=1.4,
        eye_width_cm=3.0,
        lower_lid=0.3,
        iris_cm=0.72,
        brow_cm=0.68,
        brow_y_cm=-3.95,
        brow_arch_cm=0.35,
        nose_width=1.05,
        nose_length=1.02,
        mouth_cm=2.5,
        mouth_y_cm=4.4,
        upper_lip_cm=0.45,
        lower_lip_cm=0.85,
        turn_deg=-3,
    ),
    _diego,
)
