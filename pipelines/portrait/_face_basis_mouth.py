"""What the shapes of jaw and lips do to the landmarks: rules with handles, reach and direction.

Amounts are in distances between the outer corners of the eyes and were set by eye on photographs and
drawings. Knows marks of one face, no pixels.
"""

from __future__ import annotations

import numpy as np

from pipelines.portrait._face_points import LOWER_LIP, SIDES, UNDER_NOSE, UPPER_LIP, Array, Side
from pipelines.portrait._face_shapes import ARCH, COLUMN, MEETS, UPPER_ALL, Marks, smooth


def fill(face: Marks) -> None:
    """All rules of jaw, lips, cheeks that puff, and tongue."""
    _jaw(face)
    _round(face)
    _close(face)
    _shrugs(face)
    _rolls(face)
    _puffs(face)
    for side in SIDES:
        _smile(face, side)
        _corners(face, side)
        _press(face, side)
        _bare(face, side)
    _meets(face)


def _jaw(face: Marks) -> None:
    weight = _jaw_weight(face)
    opened = face.at("jawOpen")
    opened[:, 1] = face.drop * weight
    inside = np.exp(-0.5 * (np.maximum(np.abs(face.t) - 1, 0) / 0.5) ** 2)
    opened[:, 0] = -(face.x - face.mouth[0]) * 0.13 * weight * inside
    for ring in UPPER_LIP:
        opened[list(ring), 1] -= 0.015 * ARCH
    for name, sign in (("jawLeft", 1), ("jawRight", -1)):
        aside = face.at(name)
        aside[:, 0] = sign * 0.075 * weight
        aside[list(UPPER_ALL), 0] += sign * 0.02
    forward = face.at("jawForward")
    forward[:, 1] = 0.02 * weight - 0.035 * face.near(face.mean(17, 18), 0.2, 0.1) * (face.y > face.line)
    forward[face.upper, 1] = 0
    face.at("tongueOut")[:, 1] = 0.35 * opened[:, 1]


def _jaw_weight(face: Marks) -> Array:
    """The jaw turns about a hinge by the ears: lips and chin go down, its angles hardly."""
    half_face = max(abs(face.p[454, 0] - face.p[234, 0]) / 2, 0.4)
    fore = np.clip(1 - 0.62 * (np.abs(face.x - face.mouth[0]) / half_face) ** 3, 0.15, 1)
    start = face.line - 0.02 - 0.22 * smooth((np.abs(face.t) - 0.9) / 1.2)
    below = smooth((face.y - start) / (0.08 + 0.42 * smooth((np.abs(face.t) - 0.75) / 0.9)))
    long = face.drop / 0.62
    chin = smooth((face.y - face.line - 0.4 * long) / (0.6 * long))
    weight = below * fore * face.reach * (1 - 0.22 * chin)  # the chin goes down less than the lip
    for ring in LOWER_LIP:
        weight[list(ring)] = 0.36 + 0.64 * ARCH**0.62
    for ring in UPPER_LIP:
        weight[list(ring)] = 0.36 * np.abs(COLUMN) ** 3
    return np.asarray(weight)


def _round(face: Marks) -> None:
    """Pucker and funnel draw the corners in, most near the lips; both lips go aside together."""
    high = (face.y - face.line) / 0.17
    about = np.exp(-0.5 * ((np.abs(face.t) / 1.05) ** 2 + high**2)) * face.reach
    pucker, funnel = face.at("mouthPucker"), face.at("mouthFunnel")
    pucker[:, 0] = -(face.x - face.mouth[0]) * 0.44 * about
    funnel[:, 0] = -(face.x - face.mouth[0]) * 0.30 * about
    for lip, sign, parts in ((UPPER_LIP, -1, 0.045), (LOWER_LIP, 1, 0.062)):
        for ring in lip:
            index = list(ring)
            pucker[index, 1] += (face.p[index, 1] - face.line) * 0.22 + sign * 0.006 * ARCH
            funnel[index, 1] += sign * parts * ARCH
    funnel[:, 1] -= 0.015 * face.near(face.mean(UNDER_NOSE), 0.12, 0.06)
    for name, sign in (("mouthLeft", 1), ("mouthRight", -1)):
        face.at(name)[:, 0] = sign * 0.11 * about


def _close(face: Marks) -> None:
    """As much mouthClose as jawOpen lets the lips meet over an open jaw."""
    close, opened = face.at("mouthClose"), face.at("jawOpen")[:, 1]
    gap = (opened[list(LOWER_LIP[3])] - opened[list(UPPER_LIP[3])])[1:-1]
    for upper, lower in zip(UPPER_LIP, LOWER_LIP, strict=True):
        close[list(upper)[1:-1], 1] = 0.22 * gap
        close[list(lower)[1:-1], 1] = -0.78 * gap
    between = face.near(face.mean(17, 200), 0.22, 0.09) * (face.y > face.line) * ~face.lower
    close[:, 1] -= 0.4 * face.drop * between


def _shrugs(face: Marks) -> None:
    lower, upper = face.at("mouthShrugLower"), face.at("mouthShrugUpper")
    place = np.array([face.mouth[0], face.line + 0.2])
    lower[:, 1] = -0.075 * face.near(place, 0.24, 0.17) * (face.y > face.line - 0.02)
    lower[face.upper, 1] = 0
    for ring in LOWER_LIP:
        lower[list(ring), 1] = -0.062 * ARCH
    for ring in UPPER_LIP:
        lower[list(ring), 1] = -0.038 * ARCH
        upper[list(ring), 1] = -0.045 * ARCH
    upper[:, 1] -= 0.02 * face.near(face.mean(UNDER_NOSE), 0.12, 0.06) * ~face.upper


def _rolls(face: Marks) -> None:
    for name, lip, sign, amount in (
        ("mouthRollUpper", UPPER_LIP, 1, 0.018),
        ("mouthRollLower", LOWER_LIP, -1, 0.022),
    ):
        face.gather(name, (0.75, 0.7, 0.55, 0.0), (lip,))
        for ring in lip:
            face.at(name)[list(ring), 1] += sign * amount * ARCH


def _puffs(face: Marks) -> None:
    puff = face.at("cheekPuff")
    for place, sign in ((face.mean(205, 187), -1), (face.mean(425, 411), 1)):
        puff[:, 0] += sign * 0.085 * face.near(place, 0.16, 0.2)


def _meets(face: Marks) -> None:
    """The lips close by 1 unit around one column, less than half of it from above."""
    for column, name in enumerate(MEETS):
        near = np.exp(-0.5 * ((np.arange(11) - column) / 0.8) ** 2)
        near[[0, -1]] = 0
        for lip, share in ((UPPER_LIP, 0.4), (LOWER_LIP, -0.6)):
            for ring, part in zip(lip, (0.75, 0.85, 0.95, 1.0), strict=True):
                face.at(name)[list(ring), 1] = share * part * near


def _pull(face: Marks, side: Side) -> tuple[Array, Array]:
    """How far a corner's pull carries along the mouth, and how it bends it: most at the corner, no point."""
    own = np.clip(side.sign * face.t, 0, None)
    past = np.exp(-0.5 * (np.maximum(own - 1, 0) * face.half / 0.15) ** 2)
    dy = face.y - face.mean(side.corner)[1]
    high = np.exp(-0.5 * (dy / np.where(dy < 0, 0.17, 0.14)) ** 2) * face.reach
    inside = np.minimum(own, 1)
    return np.asarray(inside**1.1 * past * high), np.asarray(inside**1.6 * past * high)


def _smile(face: Marks, side: Side) -> None:
    """Corners out and up, cheeks with them, lips thinner."""
    along, bend = _pull(face, side)
    name, size = f"mouthSmile{side.name}", face.mouth_size
    smile = face.at(name)
    smile[:, 0] = side.sign * size * 0.12 * along
    smile[:, 1] = -0.128 * size * bend
    apple = face.near(face.mean(side.cheek) + np.array([0, 0.03]), 0.19, 0.14)
    smile[:, 1] -= 0.04 * apple * ~(face.upper | face.lower)
    smile[:, 0] += side.sign * 0.02 * apple
    smile[list(side.upper)] = smile[list(side.lower)] = 0
    half = smooth(0.5 + side.sign * face.t / 0.5)
    face.gather(name, (0.26, 0.22, 0.12, 0.0), side=half)
    centre = np.exp(-0.5 * (face.t / 0.5) ** 2) * half
    smile[:, 1] += np.where(face.lower, 0.014 * centre, 0)


def _corners(face: Marks, side: Side) -> None:
    """What else pulls at a corner: down, back, and straight out."""
    along, bend = _pull(face, side)
    own, size = np.clip(side.sign * face.t, 0, None), face.mouth_size
    past = np.exp(-0.5 * (np.maximum(own - 1, 0) * face.half / 0.15) ** 2)
    low = np.exp(-0.5 * ((face.y - face.mean(side.corner)[1] - 0.03) / 0.13) ** 2) * face.reach
    frown = face.at(f"mouthFrown{side.name}")
    frown[:, 1] = 0.10 * size * np.minimum(own, 1) ** 2.2 * past * low
    frown[:, 0] = side.sign * size * 0.018 * along
    stretch = face.at(f"mouthStretch{side.name}")
    stretch[:, 0] = side.sign * size * 0.125 * along
    stretch[:, 1] = 0.03 * size * bend
    half = smooth(0.5 + side.sign * face.t / 0.5)
    face.gather(f"mouthStretch{side.name}", (0.12, 0.1, 0.06, 0.0), side=half)
    dimple = face.at(f"mouthDimple{side.name}")
    dimple[:, 0] = side.sign * size * 0.065 * along
    dimple[:, 1] = -0.012 * bend


def _press(face: Marks, side: Side) -> None:
    half = smooth(0.5 + side.sign * face.t / 0.7)
    press = face.at(f"mouthPress{side.name}")
    face.gather(f"mouthPress{side.name}", (0.42, 0.38, 0.26, 0.0), side=half)
    for lip, amount in ((UPPER_LIP, 0.016), (LOWER_LIP, -0.022)):
        for ring in lip:
            press[list(ring)[1:-1], 1] += amount * half[list(ring)[1:-1]]
    press[:, 0] += side.sign * 0.015 * face.near(face.mean(side.corner), 0.1, 0.1)


def _bare(face: Marks, side: Side) -> None:
    """One half of the upper lip up, or of the lower lip down, and the skin beyond it."""
    bump = np.exp(-0.5 * ((side.sign * face.t - 0.42) / 0.42) ** 2) * (1 - np.clip(np.abs(face.t), 0, 1) ** 4)
    over, under = face.at(f"mouthUpperUp{side.name}"), face.at(f"mouthLowerDown{side.name}")
    over[:, 1] = np.where(face.upper, -0.08 * bump, 0)
    skin = face.near(face.mean(*side.wing) + np.array([0, 0.06]), 0.12, 0.09)
    over[:, 1] -= 0.055 * skin * ~face.lower * ~face.upper * (face.y < face.line)
    under[:, 1] = np.where(face.lower, 0.10 * bump, 0)
    skin = face.near(np.array([face.mouth[0] + side.sign * 0.12, face.line + 0.18]), 0.15, 0.08)
    under[:, 1] += 0.05 * skin * ~face.lower * (face.y > face.line)
