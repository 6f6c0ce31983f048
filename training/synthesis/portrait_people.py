"""The portraits themselves."""

from __future__ import annotations

import numpy as np
import skia

from studio.face_mesh import EYES
from training.synthesis.portrait_brush import Brush, curve, hexed, mix
from training.synthesis.portrait_features import Features, draw_brows, draw_ears, draw_eyes, draw_lips, draw_nose
from training.synthesis.portrait_finish import oiled, pencilled, spots
from training.synthesis.portrait_hair import Hair, curtain, scattered, tufts
from training.synthesis.portrait_shape import SIZE_PX, Shape, landmarks
from training.synthesis.portrait_skin import (
    Skin, backdrop, draw_neck, draw_shadows, draw_skin, draw_wrinkles, face_path, head_path, neck_path, shoulders,
)


def mirrored(points, middle=384.0, dx=0.0):
    return [(2 * middle - x + dx, y) for x, y in points]


def anna(brush: Brush):
    shape = Shape(width=0.92, jaw=0.87, forehead=0.93, chin=0.97, eye_height_cm=1.36, eye_width_cm=3.1, nose_width=0.84, nose_length=0.96, brow_cm=0.44, brow_y_cm=-4.05, upper_lip_cm=0.66, lower_lip_cm=1.0, mouth_cm=2.35, mouth_y_cm=4.15, iris_cm=0.74, turn_deg=4)
    points = landmarks(shape)
    skin = Skin(deep=hexed("#8d4638"), shadow=hexed("#cf8a70"), base=hexed("#f0bf9f"), light=hexed("#ffe6d2"), blush=hexed("#e0685c"), blush_alpha=0.26)
    hair = Hair(dark=hexed("#3b160f"), base=hexed("#8a3d1d"), light=hexed("#e09a52"), strands=360, point=0.85)
    look = Features(iris=hexed("#4d7a58"), lash=hexed("#32181a"), lashes=11, brow=hexed("#6d3a22"), lip=hexed("#c9605c"), lip_line=hexed("#7a2a2e"), nose=0.8)
    backdrop(brush, hexed("#a9beb8"), hexed("#43595f"), 11)
    back = [(384, 118), (270, 150), (212, 280), (206, 430), (190, 590), (220, 690), (300, 720), (384, 700), (470, 720), (550, 690), (578, 590), (562, 430), (556, 280), (498, 150)]
    brush.fill(curve(back, closed=True), hair.dark)
    curtain(brush, [(384, 150), (300, 300), (290, 500), (300, 700)], [(330, 150), (225, 300), (200, 500), (190, 690)], hair, 1, 0.55)
    curtain(brush, [(384, 150), (470, 300), (480, 500), (470, 700)], [(440, 150), (545, 300), (570, 500), (580, 690)], hair, 2, 0.7)
    draw_neck(brush, points, skin, 70)
    dress = shoulders(255, 632, 62, 66)
    brush.fill(dress, hexed("#2f4858"))
    brush.slope((150, 640), (640, 768), [(0, hexed("#5b8193"), 0.9), (0.5, hexed("#2f4858"), 0.5), (1, hexed("#15242e"), 0.95)], dress)
    path = head_path(points, 0.22)
    draw_skin(brush, points, skin, path)
    draw_shadows(brush, points, skin, 0.8)
    draw_eyes(brush, points, look, skin.base)
    draw_brows(brush, points, look)
    draw_nose(brush, points, look, skin.base)
    draw_lips(brush, points, look)
    left_in = [(366, 196), (318, 222), (280, 272), (262, 340), (262, 430), (238, 530), (262, 630), (226, 738)]
    left_out = [(372, 106), (290, 124), (212, 240), (198, 350), (202, 450), (166, 560), (192, 650), (206, 742)]
    right_in = [(366, 196), (432, 206), (490, 262), (508, 340), (506, 430), (534, 530), (508, 640), (548, 738)]
    right_out = [(372, 106), (480, 122), (560, 240), (574, 350), (568, 450), (608, 560), (578, 660), (566, 742)]
    with brush.clipped(path):
        brush.line(curve(left_in[:6]), skin.deep, 16, 0.4, blur_px=8)
        brush.line(curve(right_in[:6]), skin.deep, 26, 0.55, blur_px=9)
    curtain(brush, right_in, right_out, hair, 4, 0.2)
    curtain(brush, left_in, left_out, hair, 3)
    return points


PEOPLE = {"anna": anna}


def kofi(brush: Brush):
    shape = Shape(width=0.95, jaw=1.0, eye_height_cm=1.22, eye_width_cm=3.0, nose_width=1.16, nose_length=0.98, brow_cm=0.62, brow_arch_cm=0.32, brow_y_cm=-3.85, upper_lip_cm=0.82, lower_lip_cm=1.12, mouth_cm=2.6, mouth_y_cm=4.25, iris_cm=0.7, turn_deg=-5)
    points = landmarks(shape)
    skin = Skin(deep=hexed("#2a120c"), shadow=hexed("#5c2f1e"), base=hexed("#8f5636"), light=hexed("#c98a5c"), blush=hexed("#9a3a2a"), blush_alpha=0.18, gleam=0.3)
    black = [hexed("#120d0d"), hexed("#1d1615"), hexed("#2c2320"), hexed("#463a36")]
    look = Features(iris=hexed("#4a2a18"), white=hexed("#efe6dc"), lash=hexed("#140c0b"), lash_px=3.4, brow=hexed("#17100e"), brow_hairs=140, lip=hexed("#8a4a44"), lip_line=hexed("#3a1614"), lip_gloss=0.28, nose=0.85)
    backdrop(brush, hexed("#e3b25a"), hexed("#a5612a"), 21)
    draw_neck(brush, points, skin, 92)
    shirt = shoulders(285, 622, 52, 34)
    brush.fill(shirt, hexed("#efe7d8"))
    brush.slope((140, 620), (650, 768), [(0, hexed("#fffaf0"), 0.9), (0.55, hexed("#d9cdb8"), 0.8), (1, hexed("#8f7f6a"), 0.9)], shirt)
    neckline = [(290, 618), (326, 646), (384, 657), (442, 646), (478, 618)]
    brush.stroke(neckline, (7, 9, 9, 7), hexed("#3f6f6a"))
    brush.stroke([(x, y - 1) for x, y in neckline], (1.2, 1.6, 1.2), hexed("#c8a44e"))
    draw_ears(brush, points, skin.base, skin.shadow, 0.92)
    path = head_path(points, 0.36, 1.0)
    crown = head_path(points, 0.68, 1.07)
    brush.fill(crown, black[0])
    draw_skin(brush, points, skin, path)
    draw_shadows(brush, points, skin, 0.9)
    draw_eyes(brush, points, look, skin.base)
    draw_brows(brush, points, look)
    draw_nose(brush, points, look, skin.base)
    draw_lips(brush, points, look)
    _beard(brush, points, black)
    _curls(brush, points, crown, black)
    return points


def _beard(brush, points, tones):
    at = points[:, :2].astype(float)
    jaw = at[[234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454]]
    inner = at[[127, 137, 177, 215, 192, 214, 212, 202, 106, 182, 83, 18, 313, 406, 335, 422, 432, 434, 416, 435, 401, 366, 356]]
    low = jaw + (jaw - at[1]) * 0.05
    area = curve(np.vstack([low[1:-1], inner[1:-1][::-1]]), closed=True)
    brush.fill(area, tones[1], 0.72, 7)
    middle = at[152, 0]
    tufts(brush, scattered(area, 2600, 4), lambda p: ((p[0] - middle) / 260, 0.9), (4, 9), tones, 5, 1.3, 0.55, 0.45)
    top = at[[57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287]]
    under = at[[61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]]
    lip = curve(np.vstack([top + (0, 5), (under + (0, -2.5))[::-1]]), closed=True)
    brush.fill(lip, tones[1], 0.6, 3)
    tufts(brush, scattered(lip, 420, 6), lambda p: ((p[0] - middle) / 40, 0.7), (3, 7), tones, 7, 1.2, 0.55, 0.3)
    for side, low_side in ((57, 212), (287, 432)):
        link = curve(np.vstack([at[side] + (0, -3), at[61 if side == 57 else 291] + (0, 5), at[202 if side == 57 else 422], at[low_side]]), closed=True)
        brush.fill(link, tones[1], 0.55, 4)
        tufts(brush, scattered(link, 130, 16), lambda p: ((p[0] - middle) / 200, 1.0), (4, 8), tones, 17, 1.2, 0.5, 0.4)


def _curls(brush, points, crown, tones):
    noise = np.random.default_rng(2)
    hairline = points[[127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356], :2].copy()
    hairline[:, 1] -= np.array([0, 0, 2, 10, 20, 26, 28, 28, 28, 26, 20, 10, 2, 0, 0])
    with brush.clipped(crown):
        top = curve(np.vstack([hairline, [(560, 60), (384, 60), (208, 60)]]), closed=True)
        brush.fill(top, tones[0], 0.96, 4)
        places = scattered(top, 1500, 9)
        for x, y in places:
            if y < 120:
                continue
            r = noise.uniform(2.2, 4.6)
            tone = tones[int(noise.choice(4, p=[0.35, 0.3, 0.23, 0.12]))]
            a = noise.uniform(0, 6.28)
            ring = [(x + r * np.cos(a + t), y + r * np.sin(a + t)) for t in np.linspace(0, 4.6, 7)]
            brush.stroke(ring, (0.6, 1.9, 1.7, 0.4), tone, 0.85)
    for x, y in scattered(crown, 10, 3):
        pass


PEOPLE["kofi"] = kofi


def _features(brush, points, look, skin, shadows=0.8):
    if shadows:
        draw_shadows(brush, points, skin, shadows)
    draw_eyes(brush, points, look, skin.base)
    draw_brows(brush, points, look)
    draw_nose(brush, points, look, skin.base)
    draw_lips(brush, points, look)


def mei(brush: Brush):
    """A girl of seven."""
    shape = Shape(width=0.98, jaw=0.9, cheeks=0.35, chin=0.8, forehead=1.08, eye_height_cm=1.62, eye_width_cm=3.3, eye_y_cm=-2.0, eye_apart_cm=3.45, eye_tilt_cm=0.22, lower_lid=0.34, iris_cm=0.92, brow_cm=0.34, brow_y_cm=-4.0, brow_arch_cm=0.35, nose_width=0.84, nose_length=0.86, mouth_cm=1.85, mouth_y_cm=3.75, upper_lip_cm=0.5, lower_lip_cm=0.78, corners_cm=0.12, turn_deg=-4)
    points = landmarks(shape)
    skin = Skin(deep=hexed("#a85a3f"), shadow=hexed("#dc9f78"), base=hexed("#f7cfa8"), light=hexed("#fff0d9"), blush=hexed("#ef6a5e"), blush_alpha=0.42, relief=0.72, blur_px=7)
    hair = Hair(dark=hexed("#0f0e16"), base=hexed("#241f2b"), light=hexed("#7d7a92"), strands=260, sheen=(0.22, 0.4))
    look = Features(iris=hexed("#4b2c1c"), lash=hexed("#1d1216"), lash_px=4.0, lashes=6, crease=0.35, brow=hexed("#2c2224"), brow_hairs=70, lip=hexed("#dd7f78"), lip_line=hexed("#a1464a"), lip_gloss=0.5, nose=0.55)
    backdrop(brush, hexed("#f7d7c4"), hexed("#d98f86"), 31, 5)
    brush.fill(curve([(384, 92), (262, 122), (208, 230), (202, 350), (212, 480), (240, 520), (384, 530), (528, 520), (556, 480), (566, 350), (560, 230), (506, 122)], closed=True), hair.dark)
    draw_neck(brush, points, skin, 58)
    dress = shoulders(215, 610, 80, 34)
    brush.fill(dress, hexed("#f2b632"))
    brush.slope((160, 620), (620, 768), [(0, hexed("#ffd970"), 0.9), (0.5, hexed("#f2b632"), 0.3), (1, hexed("#b8701c"), 0.9)], dress)
    collar = [(292, 606), (324, 640), (384, 654), (444, 640), (476, 606)]
    for sign in (-1, 1):
        flap = [(384 + sign * 92, 600), (384 + sign * 62, 640), (384 + sign * 4, 648), (384 + sign * 16, 686), (384 + sign * 84, 680), (384 + sign * 118, 636)]
        brush.fill(curve([(x + 2, y + 6) for x, y in flap], closed=True), hexed("#8a4d10"), 0.35, 5)
        brush.fill(curve(flap, closed=True), hexed("#fffaf2"))
        brush.slope((300, 600), (470, 700), [(0, hexed("#ffffff"), 0.0), (1, hexed("#d9c3b4"), 0.8)], curve(flap, closed=True))
    path = head_path(points, 0.2)
    draw_skin(brush, points, skin, path)
    _features(brush, points, look, skin, 0.5)
    with brush.clipped(path):
        brush.line(curve([(262, 470), (262, 330), (280, 268), (384, 262), (490, 268), (506, 330), (506, 470)]), skin.deep, 20, 0.4, blur_px=8)
    curtain(brush, [(384, 92), (296, 150), (260, 270), (256, 400), (288, 524)], [(384, 84), (270, 112), (204, 216), (192, 370), (232, 538)], hair, 4)
    curtain(brush, [(384, 92), (474, 150), (508, 270), (512, 400), (480, 524)], [(384, 84), (498, 112), (564, 216), (576, 370), (536, 538)], hair, 5, 0.15)
    curtain(brush, [(378, 86), (290, 140), (248, 268)], [(390, 86), (478, 140), (520, 268)], hair, 6)
    return points


def olaf(brush: Brush):
    """A man of seventy-five, in oil."""
    shape = Shape(width=0.94, jaw=0.98, forehead=1.04, eye_height_cm=1.02, eye_width_cm=2.85, eye_tilt_cm=-0.08, nose_width=1.08, nose_length=1.04, brow_cm=0.72, brow_y_cm=-3.75, brow_arch_cm=0.3, upper_lip_cm=0.42, lower_lip_cm=0.72, mouth_cm=2.4, mouth_y_cm=4.4, iris_cm=0.64, turn_deg=6)
    points = landmarks(shape)
    skin = Skin(deep=hexed("#6e3426"), shadow=hexed("#b9765a"), base=hexed("#e3af8d"), light=hexed("#fbe0c6"), blush=hexed("#c9463c"), blush_alpha=0.34, gleam=0.14)
    white = [hexed("#f7f4ee"), hexed("#e2ded6"), hexed("#c4bfb8"), hexed("#9b958f")]
    hair = Hair(dark=hexed("#8b857f"), base=hexed("#cfcac3"), light=hexed("#fffdf8"), strands=110, width_px=2.2)
    look = Features(iris=hexed("#5f87a6"), white=hexed("#ece4da"), lash=hexed("#5a3a32"), lash_px=2.6, crease=0.7, brow=hexed("#b9b2a8"), brow_hairs=170, lip=hexed("#b9705f"), lip_line=hexed("#6e3029"), lip_gloss=0.18, nose=0.8)
    backdrop(brush, hexed("#7a8a5e"), hexed("#2f3a2b"), 41, 9)
    curtain(brush, [(268, 250), (250, 330), (258, 410)], [(262, 225), (206, 310), (236, 436)], hair, 2)
    curtain(brush, [(502, 250), (520, 330), (510, 410)], [(508, 225), (562, 310), (532, 436)], hair, 3, 0.3)
    draw_neck(brush, points, skin, 88)
    coat = shoulders(285, 610, 62, 60)
    brush.fill(coat, hexed("#5a3b2a"))
    brush.slope((140, 620), (650, 768), [(0, hexed("#9a6a47"), 0.8), (0.5, hexed("#5a3b2a"), 0.4), (1, hexed("#20140e"), 0.95)], coat)
    for row in range(9):  # a knitted collar
        y = 604 + row * 7
        half = 98 + row * 4.5
        rib = [(384 - half, y - 6), (384 - half * 0.5, y + 26), (384, y + 36), (384 + half * 0.5, y + 26), (384 + half, y - 6)]
        brush.stroke(rib, (7, 9, 9, 7), mix(hexed("#8a5d40"), hexed("#3a2418"), 0.25 + 0.5 * (row % 2)))
    draw_ears(brush, points, skin.base, skin.shadow, 1.1)
    path = head_path(points, 0.34, 1.02)
    draw_skin(brush, points, skin, path)
    draw_wrinkles(brush, points, skin, 0.5)
    _features(brush, points, look, skin, 1.0)
    _full_beard(brush, points, white)
    curtain(brush, [(270, 240), (258, 290), (256, 372)], [(258, 222), (226, 290), (238, 384)], hair, 4)
    curtain(brush, [(504, 240), (514, 290), (516, 372)], [(514, 222), (546, 290), (534, 384)], hair, 5, 0.3)
    wisps = curve([(300, 176), (340, 146), (400, 138), (452, 148), (486, 176), (440, 172), (390, 164), (340, 170)], closed=True)
    tufts(brush, scattered(wisps, 130, 8), lambda p: ((p[0] - 390) / 110, -0.25), (16, 34), white[:3], 9, 1.3, 0.5, 0.25)
    keep = spots(SIZE_PX, np.vstack([points[[159, 145, 33, 133, 386, 374, 263, 362, 13, 61, 291, 17, 4, 98, 327], :2]]), 22)
    return points, lambda pixels: oiled(pixels, keep * 0.95, 4)


def _full_beard(brush, points, tones):
    at = points[:, :2].astype(float)
    outer = at[[234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454]].copy()
    down = np.clip((outer[:, 1] - at[58, 1]) / (at[152, 1] - at[58, 1]), 0, 1)
    outer[:, 1] += 62 * down
    outer[:, 0] += np.sign(outer[:, 0] - 384) * 6
    inner = at[[127, 137, 147, 187, 207, 216, 57, 146, 91, 181, 17, 405, 321, 375, 287, 436, 427, 411, 376, 366, 356]].copy()
    inner[6:15, 1] += 5
    area = curve(np.vstack([outer[1:-1], inner[1:-1][::-1]]), closed=True)
    brush.fill(area, tones[2], 0.75, 7)
    middle = at[152, 0]
    flow = lambda p: ((p[0] - middle) / 190, 1.0)
    tufts(brush, scattered(area, 1500, 4), flow, (12, 30), [tones[2], tones[3], tones[1]], 5, 2.0, 0.55, 0.18)
    tufts(brush, scattered(area, 1500, 14), flow, (12, 28), [tones[0], tones[1], tones[1]], 15, 1.6, 0.7, 0.18)
    top = at[[57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287]]
    under = at[[61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]]
    lip = curve(np.vstack([top + (0, 3), (under + (0, -1.2))[::-1]]), closed=True)
    brush.fill(lip, tones[2], 0.6, 3)
    tufts(brush, scattered(lip, 420, 6), lambda p: ((p[0] - middle) / 26, 0.75), (6, 13), tones, 7, 1.6, 0.75, 0.15)


PEOPLE |= {"mei": mei, "olaf": olaf}


def ruth(brush: Brush):
    """A woman of seventy, in pencil."""
    shape = Shape(width=0.93, jaw=0.9, eye_height_cm=1.2, eye_width_cm=3.0, eye_tilt_cm=-0.02, nose_width=0.92, brow_cm=0.4, brow_y_cm=-4.0, upper_lip_cm=0.5, lower_lip_cm=0.8, mouth_cm=2.35, iris_cm=0.7, turn_deg=-6)
    points = landmarks(shape)
    skin = Skin(deep=hexed("#7c4f3e"), shadow=hexed("#c79c84"), base=hexed("#efd3bd"), light=hexed("#fff6ea"), blush=hexed("#e0897a"), blush_alpha=0.3)
    hair = Hair(dark=hexed("#6d6866"), base=hexed("#b4aeaa"), light=hexed("#ffffff"), strands=200, width_px=2.4)
    look = Features(iris=hexed("#6a5136"), white=hexed("#f6f0e8"), lash=hexed("#2c2322"), lash_px=3.4, lashes=6, crease=0.8, brow=hexed("#6f6661"), brow_hairs=110, lip=hexed("#b8665c"), lip_line=hexed("#4a2220"), nose=0.95)
    backdrop(brush, hexed("#ffffff"), hexed("#e4ddd2"), 51, 2)
    brush.dot((392, 108), (78, 62), hair.base)
    curtain(brush, [(330, 150), (318, 90), (384, 62)], [(452, 150), (466, 90), (396, 60)], hair, 8)
    brush.fill(curve([(384, 116), (268, 146), (226, 240), (240, 330), (384, 360), (528, 330), (542, 240), (500, 146)], closed=True), hair.dark)
    draw_neck(brush, points, skin, 66)
    blouse = shoulders(245, 618, 66, 46)
    brush.fill(blouse, hexed("#8aa0b8"))
    brush.slope((150, 620), (640, 768), [(0, hexed("#d4dfe9"), 0.9), (0.5, hexed("#8aa0b8"), 0.3), (1, hexed("#4b5d74"), 0.9)], blouse)
    for share in np.linspace(0, 1, 15):
        x = 300 + 168 * share
        y = 628 + 40 * np.sin(np.pi * share)
        brush.dot((x, y), 8.5, hexed("#f7f3ec"))
        brush.dot((x - 2, y - 2.5), 2.6, hexed("#ffffff"))
        brush.line(curve([(x - 6, y + 5), (x, y + 8), (x + 6, y + 5)]), hexed("#6c6a6c"), 1.4, 0.8)
    draw_ears(brush, points, skin.base, skin.shadow, 0.9)
    for x in (points[234, 0] - 2, points[454, 0] + 2):
        brush.dot((x, points[234, 1] + 36), 5, hexed("#f7f3ec"))
        brush.line(curve([(x - 4, points[234, 1] + 39), (x, points[234, 1] + 41), (x + 4, points[234, 1] + 39)]), hexed("#55504e"), 1.4)
    path = head_path(points, 0.2)
    draw_skin(brush, points, skin, path)
    draw_wrinkles(brush, points, skin, 0.62)
    _features(brush, points, look, skin, 0.9)
    curtain(brush, [(352, 190), (310, 214), (276, 268), (262, 340)], [(372, 106), (276, 128), (214, 230), (236, 352)], hair, 4)
    curtain(brush, [(352, 190), (430, 196), (490, 256), (508, 340)], [(372, 106), (494, 124), (556, 230), (534, 352)], hair, 5, 0.15)
    return points, lambda pixels: pencilled(pixels, hexed("#f6f0e3"), hexed("#3a3436"), 0.42, 7)


def luna(brush: Brush):
    """A cartoon with big eyes."""
    shape = Shape(width=1.0, jaw=0.74, cheeks=0.25, chin=0.72, forehead=1.12, eye_height_cm=3.1, eye_width_cm=3.9, eye_y_cm=-1.55, eye_apart_cm=3.65, eye_tilt_cm=0.35, lower_lid=0.4, iris_cm=1.42, gaze_cm=(0, 0), brow_cm=0.32, brow_y_cm=-4.6, brow_arch_cm=0.5, nose_width=0.5, nose_length=0.82, mouth_cm=1.5, mouth_y_cm=4.0, upper_lip_cm=0.3, lower_lip_cm=0.48, corners_cm=0.16, turn_deg=5)
    points = landmarks(shape)
    skin = Skin(deep=hexed("#c0705e"), shadow=hexed("#eba98d"), base=hexed("#fcd3b6"), light=hexed("#ffe7d4"), blush=hexed("#ff6f6f"), blush_alpha=0.4, gleam=0.05, relief=0.75, blur_px=8)
    hair = Hair(dark=hexed("#123c52"), base=hexed("#1f7f8f"), light=hexed("#8ff0e0"), strands=70, width_px=4.2, sheen=(0.2, 0.36), point=0.6)
    look = Features(iris=hexed("#7a4fd0"), white=hexed("#fdfcff"), lash=hexed("#231a36"), lash_px=7.5, lashes=13, crease=0.6, brow=hexed("#164a5c"), brow_hairs=0, lip=hexed("#e8707a"), lip_line=hexed("#93323f"), lip_gloss=0.5, nose=0.35, gleams=1.3)
    backdrop(brush, hexed("#ffe9a8"), hexed("#f28c8c"), 61, 2)
    brush.fill(curve([(384, 64), (244, 96), (174, 230), (166, 390), (120, 520), (190, 630), (384, 640), (578, 630), (648, 520), (602, 390), (594, 230), (524, 96)], closed=True), hair.dark)
    draw_neck(brush, points, skin, 46)
    top = shoulders(190, 606, 86, 30)
    brush.fill(top, hexed("#37306b"))
    brush.slope((200, 620), (600, 768), [(0, hexed("#6a5fc2"), 0.9), (0.5, hexed("#37306b"), 0.2), (1, hexed("#1c173d"), 0.9)], top)
    star = [(384 + (11 if k % 2 else 27) * np.sin(k * np.pi / 5), 704 - (11 if k % 2 else 27) * np.cos(k * np.pi / 5)) for k in range(10)]
    _polygon(brush, star, hexed("#ffd75e"))
    path = head_path(points, 0.2)
    draw_skin(brush, points, skin, path)
    _features(brush, points, look, skin, 0.35)
    with brush.clipped(path):
        brush.line(curve([(250, 460), (244, 330), (272, 250), (384, 232), (496, 250), (524, 330), (518, 460)]), skin.deep, 18, 0.4, blur_px=7)
    curtain(brush, [(430, 80), (500, 160), (528, 270), (520, 400), (560, 520), (520, 640)], [(420, 62), (552, 96), (612, 250), (606, 390), (668, 520), (600, 650)], hair, 5, 0.12)
    curtain(brush, [(430, 80), (268, 170), (240, 280), (250, 400), (204, 520), (250, 640)], [(420, 62), (210, 96), (156, 250), (164, 390), (96, 520), (170, 650)], hair, 4)
    curtain(brush, [(430, 76), (300, 130), (250, 230), (246, 290)], [(432, 76), (390, 150), (350, 220), (290, 262)], hair, 6)
    curtain(brush, [(430, 76), (400, 150), (380, 215), (332, 256)], [(432, 74), (470, 140), (480, 210), (440, 262)], hair, 7)
    curtain(brush, [(428, 76), (470, 140), (490, 200), (470, 258)], [(432, 70), (520, 130), (540, 230), (524, 300)], hair, 8)
    return points


def _polygon(brush, points, colour):
    path = skia.Path()
    path.addPoly([skia.Point(float(x), float(y)) for x, y in points], True)
    brush.fill(path, colour)


def diego(brush: Brush):
    """A man of forty, flat shapes."""
    shape = Shape(width=0.96, jaw=1.04, chin=1.03, eye_height_cm=1.4, eye_width_cm=3.0, lower_lid=0.3, iris_cm=0.72, brow_cm=0.68, brow_y_cm=-3.95, brow_arch_cm=0.35, nose_width=1.05, nose_length=1.02, mouth_cm=2.5, mouth_y_cm=4.4, upper_lip_cm=0.45, lower_lip_cm=0.85, turn_deg=-3)
    points = landmarks(shape)
    skin = Skin(deep=hexed("#8a4a2c"), shadow=hexed("#b36a43"), base=hexed("#d38f62"), light=hexed("#e5a97c"), blush=hexed("#c0573c"), blush_alpha=0.0, gleam=0, steps=(0.5, 0.93), blur_px=8)
    look = Features(iris=hexed("#4a2f1d"), white=hexed("#fbf4ea"), lash=hexed("#1f1614"), lash_px=4.2, crease=0.6, brow=hexed("#221815"), brow_hairs=0, lip=hexed("#b4604a"), lip_line=hexed("#6b2d22"), lip_gloss=0.25, nose=0.9, flat=True)
    brush.fill(skia.Path().addRect(skia.Rect.MakeWH(768, 768)), hexed("#2f7f79"))
    brush.dot((384, 350), 300, hexed("#f2c14e"))
    dark, mid = hexed("#221815"), hexed("#3a2a24")
    flat_neck = neck_path(points, 92, 720)
    brush.fill(flat_neck, skin.base)
    with brush.clipped(flat_neck):
        under = skia.Path(face_path(points))
        under.offset(8, 30)
        brush.fill(under, skin.shadow)
    coat = shoulders(290, 606, 56, 90)
    brush.fill(coat, hexed("#23395b"))
    for sign in (-1, 1):
        shirt = [(384 + sign * 88, 588), (384 + sign * 2, 664), (384 + sign * 2, 780), (384 + sign * 70, 780)]
        _polygon(brush, shirt, hexed("#f6efe2") if sign < 0 else hexed("#ddd3c2"))
        lapel = [(384 + sign * 92, 592), (384 + sign * 128, 612), (384 + sign * 120, 690), (384 + sign * 88, 684), (384 + sign * 56, 780), (384 + sign * 34, 780)]
        _polygon(brush, lapel, hexed("#2f4b77") if sign < 0 else hexed("#1b2c47"))
        collar = [(384 + sign * 86, 586), (384 + sign * 2, 650), (384 + sign * 44, 694), (384 + sign * 96, 612)]
        _polygon(brush, collar, hexed("#fffaf0") if sign < 0 else hexed("#e9dfcf"))
    _polygon(brush, [(370, 654), (398, 654), (404, 676), (384, 690), (364, 676)], hexed("#d1495b"))
    _polygon(brush, [(374, 688), (394, 688), (412, 790), (356, 790)], hexed("#d1495b"))
    _polygon(brush, [(384, 688), (394, 688), (412, 790), (384, 790)], hexed("#a83548"))
    draw_ears(brush, points, skin.base, skin.shadow, 1.0, flat=True)
    path = head_path(points, 0.25)
    draw_skin(brush, points, skin, path)
    _features(brush, points, look, skin, 0)
    _moustache(brush, points, dark)
    hairline = points[[234, 127, 162, 21, 54, 103], :2]
    left = [(hairline[0, 0] - 3, hairline[0, 1] - 2), (hairline[0, 0] - 8, 280), (238, 200), (268, 140), (340, 104), (430, 98), (506, 130), (536, 200), (528, 290), (points[454, 0] + 3, points[454, 1] - 2), (points[454, 0] - 14, 316), (506, 262), (486, 222), (430, 206), (360, 214), (310, 206), (284, 240), (270, 276), (points[234, 0] + 14, 318)]
    brush.fill(curve(left, closed=True), dark)
    for one in ([(290, 180), (350, 130), (440, 122)], [(300, 196), (370, 152), (460, 146)], [(410, 196), (470, 176), (512, 200)]):
        brush.stroke(one, (1, 7, 1), mid)
    return points


def _moustache(brush, points, colour):
    top = points[[57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287], :2] + (0, 3)
    under = points[[61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291], :2] + (0, -2)
    brush.fill(curve(np.vstack([top, under[::-1]]), closed=True), colour)


PEOPLE |= {"ruth": ruth, "luna": luna, "diego": diego}


def fox(brush: Brush):
    shape = Shape(width=1.06, jaw=0.62, cheeks=0.2, chin=0.9, forehead=1.0, eye_height_cm=1.75, eye_width_cm=2.9, eye_y_cm=-2.0, eye_apart_cm=3.5, eye_tilt_cm=0.75, lower_lid=0.42, iris_cm=0.95, gaze_cm=(0, 0), brow_cm=0.5, brow_y_cm=-4.0, brow_arch_cm=0.5, brow_tilt_cm=-0.2, nose_width=0.95, nose_length=1.12, mouth_cm=2.3, mouth_y_cm=5.0, upper_lip_cm=0.42, lower_lip_cm=0.6, corners_cm=0.35, turn_deg=-3)
    points = landmarks(shape)
    at = points[:, :2].astype(float)
    orange, deep, pale, cream = hexed("#d9702a"), hexed("#8e3c16"), hexed("#f2a55c"), hexed("#fbf0dd")
    fur = Skin(deep=hexed("#6a2c12"), shadow=hexed("#b0541f"), base=hexed("#dd7b30"), light=hexed("#f6b069"), blush=orange, blush_alpha=0, gleam=0, relief=0.9, blur_px=9)
    look = Features(iris=hexed("#c98a1e"), white=hexed("#3a2416"), lash=hexed("#22130d"), lash_px=5, crease=0.0, brow=hexed("#f6d2a2"), brow_hairs=60, lip=hexed("#5a3428"), lip_line=hexed("#1d100c"), lip_gloss=0.15, nose=0.0)
    backdrop(brush, hexed("#cfe0c3"), hexed("#5d8a72"), 71, 7)
    mid = 384.0
    chest = [(384 - 60, 500), (384 - 176, 640), (384 - 235, 800), (384 + 235, 800), (384 + 176, 640), (384 + 60, 500)]
    brush.fill(curve(chest, closed=True), fur.shadow)
    tufts(brush, scattered(curve(chest, closed=True), 2600, 1), lambda p: ((p[0] - mid) / 300, 1.0), (16, 34), [orange, deep, fur.shadow, fur.base], 2, 3.0, 0.7, 0.15)
    bib = [(384 - 60, 520), (384 - 105, 640), (384 - 70, 810), (384 + 70, 810), (384 + 105, 640), (384 + 60, 520)]
    brush.fill(curve(bib, closed=True), mix(cream, deep, 0.15), 0.8, 8)
    tufts(brush, scattered(curve(bib, closed=True), 1500, 3), lambda p: ((p[0] - mid) / 200, 1.0), (16, 32), [cream, hexed("#ffffff"), mix(cream, deep, 0.15)], 4, 2.6, 0.75, 0.15)
    for sign in (-1.0, 1.0):
        ear = [(mid + sign * 52, 205), (mid + sign * 92, 120), (mid + sign * 150, 40), (mid + sign * 178, 150), (mid + sign * 150, 262)]
        brush.fill(curve(ear, closed=True), orange if sign < 0 else mix(orange, deep, 0.35))
        tufts(brush, scattered(curve(ear, closed=True), 420, 8), lambda p: (0.25 * sign, -1.0), (10, 20), [orange, deep, pale], 9, 2.4, 0.6)
        inner = [(mid + sign * 84, 200), (mid + sign * 112, 140), (mid + sign * 146, 84), (mid + sign * 164, 160), (mid + sign * 156, 240)]
        brush.fill(curve(inner, closed=True), hexed("#3a2018"), 0.9, 4)
        tufts(brush, scattered(curve(inner, closed=True), 170, 10), lambda p: (0.1 * sign, -1.0), (14, 30), [cream, hexed("#c9a88a"), hexed("#6b4a3c")], 11, 2.0, 0.6)
        tip = [(mid + sign * 128, 80), (mid + sign * 150, 34), (mid + sign * 172, 92)]
        brush.fill(curve(tip, closed=True), hexed("#2a1712"), 0.85, 5)
    head = np.array([(0, 148), (70, 158), (128, 200), (160, 270), (178, 340), (214, 418), (150, 452), (104, 500), (58, 548), (0, 566)], float)
    outline = curve(np.vstack([head * (1, 1) + (mid, 0), (head * (-1, 1) + (mid, 0))[1:-1][::-1]]), closed=True)
    with brush.clipped(curve(chest, closed=True)):
        under = skia.Path(outline)
        under.offset(8, 30)
        brush.fill(under, fur.deep, 0.6, 16)
    draw_skin(brush, points, fur, outline)
    _fox_fur(brush, at, outline, [orange, fur.base, pale, deep], mid)
    _fox_mask(brush, at, outline, cream, deep, mid)
    draw_eyes(brush, points, look, fur.base)
    _fox_face(brush, at, points, look, mid)
    return points


def _fox_way(mid):
    def way(p):
        dx, dy = (p[0] - mid) / 130, (p[1] - 395) / 170
        length = float(np.hypot(dx, dy)) + 1e-3
        return dx / length * 0.9, dy / length * 0.9 + (0.35 if dy > -0.2 else 0.0)
    return way


def _fox_fur(brush, at, outline, tones, mid):
    tufts(brush, scattered(outline, 4200, 5), _fox_way(mid), (9, 17), tones, 6, 2.0, 0.42, 0.12)


def _fox_mask(brush, at, outline, cream, deep, mid):
    white = [cream, hexed("#ffffff"), mix(cream, deep, 0.12), mix(cream, deep, 0.06)]
    for sign in (-1.0, 1.0):
        cheek = [(mid + sign * 26, 440), (mid + sign * 62, 408), (mid + sign * 112, 372), (mid + sign * 168, 374), (mid + sign * 214, 418), (mid + sign * 150, 456), (mid + sign * 104, 502), (mid + sign * 58, 548), (mid, 568), (mid, 470)]
        path = curve(cheek, closed=True)
        brush.fill(path, mix(cream, deep, 0.1 if sign < 0 else 0.3), 0.9, 7)
        tufts(brush, scattered(path, 1500, 12), lambda p, s=sign: (s * 0.75, 0.75), (12, 26), white if sign < 0 else [mix(t, deep, 0.14) for t in white], 13, 2.2, 0.6, 0.12)
        muzzle = [(mid, 392), (mid + sign * 34, 400), (mid + sign * 56, 436), (mid + sign * 40, 472), (mid, 486)]
        brush.fill(curve(muzzle, closed=True), mix(cream, deep, 0.02 if sign < 0 else 0.14), 0.95, 6)


def _fox_face(brush, at, points, look, mid):
    dark = hexed("#20120e")
    for eye in EYES:
        inner = at[eye.upper[8]]
        brush.stroke([inner + (0, -2), (inner + at[4]) / 2 + (0, -8), at[4] + (0, -16)], (4, 7, 1), hexed("#5a2a14"), 0.5, blur_px=3)
    draw_brows(brush, points, look)
    nose = np.array([(-30, -10), (-17, -19), (0, -21), (17, -19), (30, -10), (24, 8), (9, 19), (0, 22), (-9, 19), (-24, 8)], float) + at[1]
    brush.fill(curve(nose + (2, 6), closed=True), dark, 0.35, 5)
    brush.fill(curve(nose, closed=True), dark)
    brush.dot(at[1] + (-9, -11), (11, 4.5), (255, 255, 255), 0.55, 2.5)
    for sign in (-1, 1):
        brush.dot(at[1] + (sign * 14, 4), (6, 4), (0, 0, 0), 0.9, 1)
    brush.stroke([at[1] + (0, 20), at[13] + (0, -1)], (2.6, 2.2), dark, 0.9)
    draw_lips(brush, points, look)
    noise = np.random.default_rng(3)
    for sign in (-1.0, 1.0):
        for row in range(4):
            for k in range(3):
                brush.dot(at[1] + (sign * (30 + 9 * k), 14 + 7 * row), 1.2, hexed("#6b4433"), 0.7)
            root = at[1] + (sign * 46, 14 + 8 * row)
            tip = root + (sign * (105 + 20 * noise.random()), -18 + 16 * row)
            brush.stroke([root, (root + tip) / 2 + (0, -6), tip], (1.6, 1.2, 0.2), hexed("#fffdf6"), 0.85)


PEOPLE["fox"] = fox
