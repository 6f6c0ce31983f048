"""Eyes, brows, nose, lips and ears on a canvas, along the landmarks. Knows styles as numbers, no person."""

# ruff: noqa: RUF005 - sums with pairs are of arrays
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import skia

from studio.face_mesh import EYES, LOWER_LIP, OVAL, UPPER_LIP, Eye
from training.synthesis.portrait_brush import BLACK, WHITE, Brush, Colour, curve, mix, sampled

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Features:
    """Colours and strengths of what is drawn on the skin. Lengths in px of the finished picture."""

    iris: Colour = (96, 68, 40)
    white: Colour = (244, 238, 232)
    lash: Colour = (38, 24, 22)
    lash_px: float = 3.6
    lashes: float = 0.0  # length of single lashes, px
    crease: float = 0.5
    brow: Colour = (62, 42, 30)
    brow_hairs: int = 90  # 0: one plain shape
    lip: Colour = (196, 98, 92)
    lip_line: Colour = (96, 36, 36)
    lip_gloss: float = 0.35
    nose: float = 0.55  # strength of nostrils and wings
    flat: bool = False  # no soft shadows
    gleams: float = 1.0


def face_path(points: Floats) -> skia.Path:
    return curve(points[list(OVAL), :2], closed=True)


def eye_path(points: Floats, eye: Eye) -> skia.Path:
    """The opening between the lids."""
    path = curve(points[list(eye.upper), :2])
    lower = curve(points[list(eye.lower[::-1]), :2])
    path.addPath(lower, skia.Path.kExtend_AddPathMode)
    path.close()
    return path


def draw_features(brush: Brush, points: Floats, look: Features, skin: Colour) -> None:
    """Eyes, brows, nose and lips."""
    draw_eyes(brush, points, look, skin)
    draw_brows(brush, points, look)
    draw_nose(brush, points, look, skin)
    draw_lips(brush, points, look)


def draw_eyes(brush: Brush, points: Floats, look: Features, skin: Colour) -> None:
    for eye in EYES:
        opening = eye_path(points, eye)
        with brush.clipped(opening):
            _ball(brush, points, eye, look, opening)
            _iris(brush, points, eye, look)
            _lid_shadow(brush, points, eye, look)
        _lids(brush, points, eye, look, skin)


def _ball(brush: Brush, points: Floats, eye: Eye, look: Features, opening: skia.Path) -> None:
    brush.fill(opening, look.white)
    centre, width = (
        points[eye.iris[0], :2],
        float(np.linalg.norm(points[eye.upper[0]] - points[eye.upper[8]])),
    )
    if look.flat:
        return
    grey = mix(look.white, (120, 96, 98), 0.55)
    brush.glow(centre, width * 0.62, [(0.45, grey, 0.0), (1.0, grey, 0.85)], opening)
    inner = points[eye.upper[8], :2]
    brush.dot(inner, (width * 0.07, width * 0.06), (206, 128, 118), 0.8, 0.8)


def _iris(brush: Brush, points: Floats, eye: Eye, look: Features) -> None:
    centre = points[eye.iris[0], :2]
    radius = float(points[eye.iris[1], 0] - centre[0])
    disc = skia.Path()
    disc.addCircle(float(centre[0]), float(centre[1]), radius)
    rim, light = mix(look.iris, BLACK, 0.62), mix(look.iris, WHITE, 0.38)
    brush.fill(disc, rim)
    if look.flat:
        brush.dot(centre, radius * 0.84, look.iris)
        brush.dot(centre + (0, radius * 0.35), (radius * 0.55, radius * 0.4), light, 0.7)
    else:
        stops = [
            (0.0, look.iris, 1.0),
            (0.62, look.iris, 1.0),
            (0.84, mix(look.iris, BLACK, 0.3), 1.0),
            (1.0, rim, 1.0),
        ]
        brush.glow(centre, radius, stops, disc)
        with brush.clipped(disc):
            brush.dot(
                centre + (radius * 0.1, radius * 0.42),
                (radius * 0.62, radius * 0.42),
                light,
                0.75,
                radius * 0.2,
            )
            _fibres(brush, centre, radius, look)
    brush.dot(centre, radius * 0.45, (14, 9, 10))
    glint = centre + np.array([-0.34, -0.38]) * radius
    brush.dot(
        glint,
        radius * (0.26 if look.flat else 0.2),
        WHITE,
        min(1.0, 0.95 * look.gleams),
        0 if look.flat else 0.4,
    )
    brush.dot(
        centre + np.array([0.36, 0.4]) * radius,
        radius * 0.12,
        WHITE,
        0.5 * min(1, look.gleams),
        0 if look.flat else 0.6,
    )


def _fibres(brush: Brush, centre: Floats, radius: float, look: Features) -> None:
    noise = np.random.default_rng(5)
    for angle in np.arange(0, 2 * np.pi, 2 * np.pi / 44):
        way = np.array([np.cos(angle), np.sin(angle)])
        near, far = 0.46 + 0.06 * noise.random(), 0.7 + 0.22 * noise.random()
        tone = mix(look.iris, WHITE, 0.4) if noise.random() < 0.5 else mix(look.iris, BLACK, 0.4)
        brush.line(
            curve([centre + way * near * radius, centre + way * far * radius]), tone, radius * 0.045, 0.35
        )


def _lid_shadow(brush: Brush, points: Floats, eye: Eye, look: Features) -> None:
    upper = points[list(eye.upper), :2]
    height = float(points[eye.lower[4], 1] - points[eye.upper[4], 1])
    if look.flat:
        brush.line(curve(upper), mix(look.white, (70, 60, 90), 0.5), height * 0.28, 0.55)
    else:
        brush.line(curve(upper + (0, 1)), (40, 22, 26), height * 0.42, 0.5, blur_px=height * 0.11)


def _lids(brush: Brush, points: Floats, eye: Eye, look: Features, skin: Colour) -> None:
    upper, lower, crease = (points[list(ring), :2] for ring in (eye.upper, eye.lower, eye.crease))
    out = 1.0 if upper[0, 0] > upper[8, 0] else -1.0
    dark = mix(skin, (70, 24, 24), 0.62)
    if look.crease > 0:
        brush.stroke(
            crease[1:-1], (0.4, 2.2, 2.4, 1.8, 0.3), dark, look.crease, blur_px=0 if look.flat else 0.7
        )
    if not look.flat:
        brush.stroke(
            lower[1:] + (0, 1.2), (0.8, 1.6, 1.6, 0.8), mix(skin, (230, 150, 140), 0.5), 0.65, blur_px=0.5
        )
    thin = look.lash_px
    edge = upper - np.array([0, 0.42 * thin]) * np.sin(np.pi * np.linspace(0.12, 0.95, 9))[:, None]
    wing = np.vstack([upper[0] + np.array([out * thin * 0.9, -thin * 0.55]), edge])
    brush.stroke(wing, (0.3, thin * 1.15, thin * 1.1, thin, thin * 0.8, thin * 0.45), look.lash, 0.95)
    brush.stroke(lower, (thin * 0.5, thin * 0.4, thin * 0.28, 0.2), look.lash, 0.55)
    if look.lashes > 0:
        _lash_hairs(brush, upper, lower, out, look)


def _lash_hairs(brush: Brush, upper: Floats, lower: Floats, out: float, look: Features) -> None:
    for ring, sign, length, count in ((upper, -1.0, look.lashes, 13), (lower, 1.0, look.lashes * 0.42, 9)):
        for share, root in zip(np.linspace(0, 1, count), sampled(ring[:7], count), strict=True):
            lean = out * (1.0 - 1.25 * share)
            reach = length * (1.0 - 0.55 * share)
            tip = root + np.array([lean * reach * 0.9, sign * reach * (0.75 + 0.25 * share)])
            bend = root + (tip - root) * 0.55 + np.array([lean * reach * 0.12, -sign * reach * -0.1])
            brush.stroke([root, bend, tip], (1.5, 1.0, 0.2), look.lash, 0.85)


def draw_brows(brush: Brush, points: Floats, look: Features, seed: int = 3) -> None:
    for eye in EYES:
        top, bottom = points[list(eye.brow_top), :2], points[list(eye.brow_bottom), :2]
        shape = curve(np.vstack([top, bottom[::-1]]), closed=True)
        if look.brow_hairs == 0:
            brush.fill(shape, look.brow)
            continue
        brush.fill(shape, look.brow, 0.5, 2.2)
        noise = np.random.default_rng(seed)
        high, low = sampled(top, 60), sampled(bottom, 60)
        out = 1.0 if top[0, 0] > top[-1, 0] else -1.0
        for _ in range(look.brow_hairs):
            at = noise.integers(2, 60)
            inner = at / 59
            root = low[at] + (high[at] - low[at]) * noise.uniform(0.0, 0.6)
            reach = 7 + 4 * noise.random()
            tip = root + np.array([out * reach * (1.1 - 0.75 * inner**3), -reach * (0.18 + 0.55 * inner**2)])
            tone = mix(look.brow, BLACK if noise.random() < 0.5 else WHITE, 0.18 * noise.random())
            brush.stroke([root, (root + tip) / 2 + (0, -0.8), tip], (1.5, 1.3, 0.2), tone, 0.75)


def draw_nose(brush: Brush, points: Floats, look: Features, skin: Colour) -> None:
    dark = mix(skin, (62, 16, 18), 0.74)
    blur = 0.0 if look.flat else 1.0
    for side, wing, base in ((-1.0, 64, 98), (1.0, 294, 327)):
        ala, foot = points[wing, :2], points[base, :2]
        hole = foot + (points[2, :2] - foot) * 0.3 + (0, -3)
        wide = abs(float(foot[0] - points[2, 0])) * 0.42
        path = [hole + (side * wide, 0.8), hole + (side * wide * 0.3, -2.4), hole + (-side * wide * 0.8, 0.6)]
        brush.stroke(path, (1.0, 4.6, 3.6, 0.8), dark, look.nose, blur_px=blur * 0.8)
        outer = [
            ala + (side * 0.5, -11),
            ala + (side * 3.4, -4),
            ala + (side * 2.2, 3.5),
            foot + (side * 3, 0.5),
        ]
        brush.stroke(outer, (0.3, 2.4, 2.2, 0.4), dark, look.nose * 0.55, blur_px=blur)
    if look.flat:
        brush.stroke(points[[97, 2, 326], :2], (0.3, 2.2, 0.3), dark, look.nose * 0.8)
    else:
        brush.dot(points[4, :2] + (-3, -1), (5, 4), WHITE, 0.3 * look.gleams, 3)


def lip_paths(points: Floats) -> tuple[skia.Path, skia.Path]:
    found = []
    for outer, inner in ((UPPER_LIP[0], UPPER_LIP[-1]), (LOWER_LIP[0], LOWER_LIP[-1])):
        path = curve(points[list(outer), :2])
        path.addPath(curve(points[list(inner[::-1]), :2]), skia.Path.kExtend_AddPathMode)
        path.close()
        found.append(path)
    return found[0], found[1]


def draw_lips(brush: Brush, points: Floats, look: Features) -> None:
    upper, lower = lip_paths(points)
    top, line, low = points[0, :2], points[13, :2], points[17, :2]
    if look.flat:
        brush.fill(upper, mix(look.lip, BLACK, 0.14))
        brush.fill(lower, look.lip)
        shine = points[85, :2] + (points[315, :2] - points[85, :2]) * 0.45
        brush.dot(shine, (7, 1.8), WHITE, look.lip_gloss)
    else:
        brush.fill(upper, look.lip, 0.75, 1.0)
        brush.fill(lower, look.lip, 0.72, 1.0)
        deep = mix(look.lip, look.lip_line, 0.6)
        brush.slope(top, line, [(0, look.lip, 0.5), (1, deep, 0.95)], upper)
        brush.slope(
            line, low, [(0, deep, 0.75), (0.35, look.lip, 0.7), (1, mix(look.lip, BLACK, 0.12), 0.6)], lower
        )
        _gloss(brush, points, look, lower)
    inner = points[list(UPPER_LIP[-1]), :2]
    ends = np.vstack([points[61, :2], inner, points[291, :2]])
    brush.stroke(
        ends, (0.8, 1.8, 2.2, 2.6, 2.2, 1.8, 0.8), look.lip_line, 0.9, blur_px=0 if look.flat else 0.5
    )
    if not look.flat:
        for corner in (61, 291):
            brush.dot(points[corner, :2], (3.2, 2.4), look.lip_line, 0.4, 1.6)


def _gloss(brush: Brush, points: Floats, look: Features, lower: skia.Path) -> None:
    left, right = points[86, :2], points[316, :2]
    middle = (left + right) / 2
    with brush.clipped(lower):
        brush.dot(middle + (-3, 3), (abs(float(right[0] - left[0])) * 0.72, 3.0), WHITE, look.lip_gloss, 2.2)
        noise = np.random.default_rng(8)
        for share in np.linspace(0.08, 0.92, 16):
            at = sampled(points[list(LOWER_LIP[-1]), :2], 50)[int(share * 49)]
            tone = WHITE if noise.random() < 0.4 else look.lip_line
            brush.stroke([at + (0, 2), at + ((share - 0.5) * 6, 9)], (0.2, 1.0, 0.2), tone, 0.14)


def draw_ears(
    brush: Brush, points: Floats, skin: Colour, shade: Colour, size: float = 1.0, flat: bool = False
) -> None:
    for rim, out in ((234, -1.0), (454, 1.0)):
        x, y = points[rim, 0] - out * 5, float(points[rim, 1])
        outline = (
            np.array([[0, -32], [9, -44], [21, -41], [24, -22], [18, 4], [12, 22], [3, 28], [-3, 18]]) * size
        )
        ring = outline * (out, 1.0) + (x, y)
        shape = curve(ring, closed=True)
        brush.fill(shape, mix(skin, shade, 0.25))
        if not flat:
            brush.slope(
                (x, y),
                (x + out * 24 * size, y),
                [(0, shade, 0.7), (0.5, shade, 0.1), (1, shade, 0.35)],
                shape,
            )
        inner = np.array([[8, -32], [17, -33], [18, -18], [12, 2], [8, 10]]) * size * (out, 1.0) + (x, y)
        with brush.clipped(shape):
            brush.stroke(
                inner, (1.0, 2.6, 3.0, 1.0), mix(shade, BLACK, 0.25), 0.6, blur_px=0 if flat else 1.2
            )
