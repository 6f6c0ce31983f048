"""What each ARKit shape does to the landmarks of one face: displacements in the face's own units.

Rules only: handles, reach and direction, in distances between the outer corners of the eyes. The amounts were
set by eye on photographs and drawings. Lids are not here: they are led by two travels each (see LIDS), which
`_face_weights` finds from blink, squint, wide and gaze so that they can never cross; nor are MEETS, the
eleven corrections that keep the lips from crossing.
"""

from __future__ import annotations

import numpy as np

from pipelines.portrait._face_points import LOWER_LIP, SIDES, SKIN, UNDER_NOSE, UPPER_LIP, Array, Side
from studio.motion import SHAPES

LIDS = ("upperLidLeft", "lowerLidLeft", "upperLidRight", "lowerLidRight")
MEETS = tuple(f"lipsMeet{column}" for column in range(11))
NAMES = (*SHAPES, *LIDS, *MEETS)
INDEX = {name: index for index, name in enumerate(NAMES)}

_UPPER_ALL = tuple(sorted({i for ring in UPPER_LIP for i in ring}))
_LOWER_ALL = tuple(sorted({i for ring in LOWER_LIP for i in ring[1:-1]} - {76, 306}))
_CORNERS = tuple(sorted({ring[end] for ring in UPPER_LIP for end in (0, -1)}))


def smooth(t: Array) -> Array:
    """0 below 0, 1 above 1, without a corner between."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def basis(points: Array, reach: Array) -> Array:
    """(shapes as in NAMES, points, 2) displacements of points (n, 2), landmarks first, in face units.

    `reach` (n,) says how much of the skin's motion a point takes part in: 1 in the face, less around it.
    """
    return _Rules(points, reach).all()


class _Rules:
    def __init__(self, points: Array, reach: Array) -> None:
        self.p, self.reach = points.astype(np.float64), reach.astype(np.float64)
        self.x, self.y = self.p.T
        self.out = np.zeros((len(NAMES), len(points), 2))
        self.mouth = (self.p[61] + self.p[291]) / 2
        self.half = max(abs(self.p[291, 0] - self.p[61, 0]) / 2, 0.12)
        self.t = (self.x - self.mouth[0]) / self.half  # -1 and 1 are the corners of the mouth
        self.line = float(np.mean([self.p[13, 1], self.p[14, 1]]))
        self.upper, self.lower = np.zeros(len(points), bool), np.zeros(len(points), bool)
        self.upper[list(_UPPER_ALL)] = True
        self.lower[list(_LOWER_ALL)] = True
        self.chin = float(self.p[152, 1])

    def all(self) -> Array:
        self.jaw()
        self.lips()
        self.puffs()
        for side in SIDES:
            self.lids(side)
            self.brows(side)
            self.nose_and_cheek(side)
            self.corner(side)
            self.halves(side)
        self.meets()
        return self.out.astype(np.float32)

    def at(self, name: str) -> Array:
        return self.out[INDEX[name]]

    def near(self, at: Array, wide: float, high: float) -> Array:
        """A bell around a place."""
        dx, dy = (self.x - at[0]) / wide, (self.y - at[1]) / high
        return np.exp(-0.5 * (dx * dx + dy * dy)) * self.reach

    def mean(self, *landmarks: int) -> Array:
        return self.p[list(landmarks)].mean(0)

    # ---- jaw and lips ----

    def jaw(self) -> None:
        """The jaw turns about a hinge by the ears: lips and chin go down, its angles hardly."""
        long = np.clip(self.chin - self.line, 0.3, 0.7)
        self.drop = 0.62 * long
        face = max(abs(self.p[454, 0] - self.p[234, 0]) / 2, 0.4)
        wide = np.abs(self.x - self.mouth[0]) / face
        fore = np.clip(1 - 0.62 * wide**3, 0.15, 1)
        start = self.line - 0.02 - 0.22 * smooth((np.abs(self.t) - 0.9) / 1.2)
        below = smooth((self.y - start) / (0.08 + 0.42 * smooth((np.abs(self.t) - 0.75) / 0.9)))
        weight = below * fore * self.reach
        weight[self.upper] = 0
        chin = smooth((self.y - self.line - 0.4 * long) / (0.6 * long))
        weight *= 1 - 0.22 * chin  # the chin goes down less than the lip
        column = np.linspace(-1, 1, 11)
        round_ = 0.36 + 0.64 * np.clip(1 - column**2, 0, 1) ** 0.62
        for ring in LOWER_LIP:
            weight[list(ring)] = round_
        for ring in UPPER_LIP:
            weight[list(ring)] = 0.36 * np.abs(column) ** 3
        self.weight = weight
        jaw = self.at("jawOpen")
        jaw[:, 1] = self.drop * weight
        inside = np.exp(-0.5 * (np.maximum(np.abs(self.t) - 1, 0) / 0.5) ** 2)
        jaw[:, 0] = -(self.x - self.mouth[0]) * 0.13 * weight * inside
        up = np.clip(1 - column**2, 0, 1)
        for ring in UPPER_LIP:
            jaw[list(ring), 1] -= 0.015 * up
        for name, sign in (("jawLeft", 1), ("jawRight", -1)):
            side = self.at(name)
            side[:, 0] = sign * 0.075 * weight
            side[list(_UPPER_ALL), 0] += sign * 0.02
        forward = self.at("jawForward")
        forward[:, 1] = 0.02 * weight - 0.035 * self.near(self.mean(17, 18), 0.2, 0.1) * (self.y > self.line)
        forward[self.upper, 1] = 0

    def rings(self) -> list[tuple[tuple[int, ...], tuple[int, ...], bool]]:
        """Each ring of the lips with the inner ring it belongs to, and whether it is an upper one."""
        both = ((UPPER_LIP, True), (LOWER_LIP, False))
        return [(ring, rings[3], is_upper) for rings, is_upper in both for ring in rings]

    def gather(
        self, name: str, share: tuple[float, ...], which: str = "both", side: Array | None = None
    ) -> None:
        """Draw the rings of the lips, outer ones first, towards the line between them: lips get thinner."""
        out = self.at(name)
        for rings, is_upper in ((UPPER_LIP, True), (LOWER_LIP, False)):
            if which not in ("both", "upper" if is_upper else "lower"):
                continue
            inner = np.array(rings[3])[1:-1]
            for ring, part in zip(rings, share, strict=True):
                index = np.array(ring)[1:-1]
                weight = part if side is None else part * side[index]
                out[index, 1] += (self.p[inner, 1] - self.p[index, 1]) * weight

    def lips(self) -> None:
        column = np.linspace(-1, 1, 11)
        arch = np.clip(1 - column**2, 0, 1)
        about = (
            np.exp(-0.5 * ((np.abs(self.t) / 1.05) ** 2 + ((self.y - self.line) / 0.17) ** 2)) * self.reach
        )
        pucker, funnel = self.at("mouthPucker"), self.at("mouthFunnel")
        pucker[:, 0] = -(self.x - self.mouth[0]) * 0.44 * about
        funnel[:, 0] = -(self.x - self.mouth[0]) * 0.30 * about
        for ring, _, is_upper in self.rings():
            index, sign = list(ring), -1 if is_upper else 1
            pucker[index, 1] += (self.p[index, 1] - self.line) * 0.22 + sign * 0.006 * arch
            funnel[index, 1] += sign * (0.045 if is_upper else 0.062) * arch
        funnel[:, 1] -= 0.015 * self.near(self.mean(UNDER_NOSE), 0.12, 0.06)
        close = self.at("mouthClose")
        jaw = self.at("jawOpen")[:, 1]
        for upper, lower in zip(UPPER_LIP, LOWER_LIP, strict=True):
            gap = jaw[list(LOWER_LIP[3])] - jaw[list(UPPER_LIP[3])]
            close[list(upper)[1:-1], 1] = 0.22 * gap[1:-1]
            close[list(lower)[1:-1], 1] = -0.78 * gap[1:-1]
        between = self.near(self.mean(17, 200), 0.22, 0.09) * (self.y > self.line) * ~self.lower
        close[:, 1] -= 0.4 * self.drop * between
        self.shrugs(arch)
        for name, sign in (("mouthLeft", 1), ("mouthRight", -1)):
            self.at(name)[:, 0] = sign * 0.11 * about

    def shrugs(self, arch: Array) -> None:
        lower, upper = self.at("mouthShrugLower"), self.at("mouthShrugUpper")
        place = np.array([self.mouth[0], self.line + 0.2])
        lower[:, 1] = -0.075 * self.near(place, 0.24, 0.17) * (self.y > self.line - 0.02)
        lower[self.upper, 1] = 0
        for ring in LOWER_LIP[:4]:
            lower[list(ring), 1] = -0.062 * arch
        for ring in UPPER_LIP:
            lower[list(ring), 1] = -0.038 * arch
            upper[list(ring), 1] = -0.045 * arch
        upper[:, 1] -= 0.02 * self.near(self.mean(UNDER_NOSE), 0.12, 0.06) * ~self.upper
        self.gather("mouthRollUpper", (0.75, 0.7, 0.55, 0.0), "upper")
        self.gather("mouthRollLower", (0.75, 0.7, 0.55, 0.0), "lower")
        for ring in UPPER_LIP:
            self.at("mouthRollUpper")[list(ring), 1] += 0.018 * arch
        for ring in LOWER_LIP:
            self.at("mouthRollLower")[list(ring), 1] -= 0.022 * arch

    def puffs(self) -> None:
        puff = self.at("cheekPuff")
        for place, sign in ((self.mean(205, 187), -1), (self.mean(425, 411), 1)):
            puff[:, 0] += sign * 0.085 * self.near(place, 0.16, 0.2)
        tongue = self.at("tongueOut")
        tongue[:, 1] = 0.35 * self.at("jawOpen")[:, 1]

    def meets(self) -> None:
        """The lips close by 1 unit around one column, half from above and half from below."""
        for column, name in enumerate(MEETS):
            out = self.at(name)
            near = np.exp(-0.5 * ((np.arange(11) - column) / 0.8) ** 2)
            near[[0, -1]] = 0
            for ring, part in zip(UPPER_LIP, (0.75, 0.85, 0.95, 1.0), strict=True):
                out[list(ring), 1] = 0.4 * part * near
            for ring, part in zip(LOWER_LIP, (0.75, 0.85, 0.95, 1.0), strict=True):
                out[list(ring), 1] = -0.6 * part * near

    # ---- one side ----

    def lids(self, side: Side) -> None:
        """A travel of 1 closes the eye from above, or from below; the skin around follows less and less."""
        up, lo = np.array(side.upper), np.array(side.lower)
        gap = np.maximum(self.p[lo, 1] - self.p[up, 1], 0)
        inner = slice(1, -1)
        upper, lower = self.at(f"upperLid{side.name}"), self.at(f"lowerLid{side.name}")
        upper[up, 1] = gap
        upper[np.array(side.crease)[inner], 1] = 0.62 * gap[inner]
        upper[np.array(side.brow_edge), 1] = 0.03 * gap.max()
        lower[lo, 1] = -gap
        lower[np.array(side.bag)[inner], 1] = -0.55 * gap[inner]
        lower[:, 1] -= (
            0.25
            * gap.max()
            * self.near(self.mean(side.cheek), 0.16, 0.1)
            * (self.y > self.p[lo, 1].max() + 0.05)
        )

    def brows(self, side: Side) -> None:
        edge = self.p[list(side.brow_edge), 1].mean()
        lid = self.p[list(side.upper), 1].min()
        room = max(lid - edge, 0.07)
        inner = self.mean(side.brow_top[4], side.brow_edge[4])
        middle = self.mean(side.brow_top[2], side.brow_edge[2])
        outer = self.mean(side.brow_top[0], side.brow_edge[0])
        free = smooth((lid - self.y) / (0.9 * room) + 0.1)  # lids stay where they are
        free[list(side.crease)] = np.minimum(free[list(side.crease)], 0.22)
        free[list(side.upper)], free[list(side.lower)] = 0.03, 0
        own = smooth(0.5 + side.sign * self.x / 0.2)
        raised = self.at("browInnerUp")
        weight = self.near(inner - [0, 0.03], 0.17, 0.19) * free * own
        raised[:, 1] -= 0.125 * weight
        raised[:, 0] -= side.sign * 0.03 * weight
        out = self.at(f"browOuterUp{side.name}")
        bell = np.maximum(
            self.near(middle + [side.sign * 0.04, -0.03], 0.16, 0.2), self.near(outer - [0, 0.03], 0.16, 0.2)
        )
        out[:, 1] = -0.105 * bell * free * own
        down = self.at(f"browDown{side.name}")
        bell = np.maximum(self.near(inner, 0.16, 0.15), 0.7 * self.near(middle, 0.17, 0.15))
        part = np.ones(len(self.p))
        part[list(side.crease)], part[list(side.upper)], part[list(side.lower)] = 0.62, 0.28, 0
        part[self.y > self.p[side.upper[-1], 1] + 0.04] *= 0.25
        down[:, 1] = min(0.135, 0.8 * room) * bell * part * own
        down[:, 0] = -side.sign * 0.055 * self.near(inner, 0.13, 0.15) * own

    def nose_and_cheek(self, side: Side) -> None:
        wing, cheek = self.mean(*side.wing), self.mean(side.cheek)
        own = smooth(0.5 + side.sign * (self.x - self.mouth[0]) / 0.12)
        sneer = self.at(f"noseSneer{side.name}")
        sneer[:, 1] = -0.075 * self.near(wing, 0.10, 0.12)
        sneer[:, 0] = side.sign * 0.015 * self.near(wing, 0.08, 0.08)
        lip = self.near(np.array([wing[0], self.p[0, 1]]), 0.12, 0.07) * own
        sneer[:, 1] -= np.where(self.upper, 0.038 * lip, 0)
        inner = self.mean(side.brow_top[4], side.brow_edge[4])
        bell = self.near(inner, 0.13, 0.12) * smooth((self.p[side.upper[-1], 1] - self.y) / 0.08) * own
        sneer[:, 1] += 0.05 * bell
        sneer[:, 0] -= side.sign * 0.02 * bell
        root = self.near(self.mean(168, 6) + [side.sign * 0.06, 0], 0.08, 0.08)
        sneer[:, 1] -= 0.02 * root
        sneer[self.lower] = 0
        squint = self.at(f"cheekSquint{side.name}")
        squint[:, 1] = -0.06 * self.near(cheek - [0, 0.02], 0.2, 0.13)
        squint[list(side.upper)] = squint[list(side.lower)] = 0  # the lid's travel does that

    def corner(self, side: Side) -> None:
        """What pulls at the corner of the mouth: along the lip, most at the corner, never a point."""
        corner, cheek = self.mean(side.corner), self.mean(side.cheek)
        own = np.clip(side.sign * self.t, 0, None)
        inside = np.minimum(own, 1)
        past = np.exp(-0.5 * (np.maximum(own - 1, 0) * self.half / 0.15) ** 2)
        dy = self.y - corner[1]
        high = np.exp(-0.5 * (dy / np.where(dy < 0, 0.17, 0.14)) ** 2) * self.reach
        along, bend = inside**1.1 * past * high, inside**1.6 * past * high
        smile = self.at(f"mouthSmile{side.name}")
        smile[:, 0] = side.sign * 0.12 * along
        smile[:, 1] = -0.092 * bend
        apple = self.near(cheek + [0, 0.03], 0.19, 0.14)
        smile[:, 1] -= 0.04 * apple * ~(self.upper | self.lower)
        smile[:, 0] += side.sign * 0.02 * apple
        smile[list(side.upper)] = smile[list(side.lower)] = 0
        half = smooth(0.5 + side.sign * self.t / 0.5)
        self.gather(smile_name := f"mouthSmile{side.name}", (0.26, 0.22, 0.12, 0.0), "both", half)
        centre = np.exp(-0.5 * (self.t / 0.5) ** 2) * half
        self.at(smile_name)[:, 1] += np.where(self.lower, 0.014 * centre, 0)
        frown = self.at(f"mouthFrown{side.name}")
        frown[:, 1] = 0.10 * inside**2.2 * past * np.exp(-0.5 * ((dy - 0.03) / 0.13) ** 2) * self.reach
        frown[:, 0] = side.sign * 0.018 * along
        stretch = self.at(f"mouthStretch{side.name}")
        stretch[:, 0] = side.sign * 0.125 * along
        stretch[:, 1] = 0.03 * bend
        self.gather(f"mouthStretch{side.name}", (0.12, 0.1, 0.06, 0.0), "both", half)
        dimple = self.at(f"mouthDimple{side.name}")
        dimple[:, 0] = side.sign * 0.065 * along
        dimple[:, 1] = -0.012 * bend

    def halves(self, side: Side) -> None:
        half = smooth(0.5 + side.sign * self.t / 0.7)
        press = self.at(f"mouthPress{side.name}")
        self.gather(f"mouthPress{side.name}", (0.42, 0.38, 0.26, 0.0), "both", half)
        for ring in UPPER_LIP:
            press[list(ring)[1:-1], 1] += 0.016 * half[list(ring)[1:-1]]
        for ring in LOWER_LIP:
            press[list(ring)[1:-1], 1] -= 0.022 * half[list(ring)[1:-1]]
        press[:, 0] += side.sign * 0.015 * self.near(self.mean(side.corner), 0.1, 0.1)
        bump = np.exp(-0.5 * ((side.sign * self.t - 0.42) / 0.42) ** 2)
        over, under = self.at(f"mouthUpperUp{side.name}"), self.at(f"mouthLowerDown{side.name}")
        over[:, 1] = np.where(self.upper, -0.08 * bump * (1 - np.clip(np.abs(self.t), 0, 1) ** 4), 0)
        wing = self.mean(*side.wing)
        skin = self.near(wing + [0, 0.06], 0.12, 0.09) * ~self.lower * ~self.upper * (self.y < self.line)
        over[:, 1] -= 0.055 * skin
        under[:, 1] = np.where(self.lower, 0.10 * bump * (1 - np.clip(np.abs(self.t), 0, 1) ** 4), 0)
        skin = self.near(np.array([self.mouth[0] + side.sign * 0.12, self.line + 0.18]), 0.15, 0.08)
        under[:, 1] += 0.05 * skin * ~self.lower * (self.y > self.line)
