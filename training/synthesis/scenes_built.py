"""Things people build: city, lighthouse, bridge and boat."""

from math import cos, pi, sin

from training.synthesis import pigments as p
from training.synthesis.backdrop import (
    FLOOR,
    LEFT,
    RIGHT,
    ground,
    ridge,
    sky,
    stage,
    subject_x,
)
from training.synthesis.easel import Easel
from training.synthesis.scenes_land import wave_rows
from training.synthesis.spec import Spec

_TOWERS = (
    p.Pigment(0.58, 0.06, 255),
    p.Pigment(0.66, 0.07, 40),
    p.Pigment(0.50, 0.05, 280),
    p.Pigment(0.70, 0.05, 200),
)


def _windows(easel: Easel, left: float, right: float, top: float, bottom: float) -> None:
    """Lit panes: many and warm when pleasant, few and grey when not."""
    lit = 0.45 + 0.35 * easel.mood.valence
    pane = easel.either(p.SUN, p.GREY, easel.mood.valence + 0.6)
    salt = easel.salt(left)
    columns, rows = int((right - left - 3.6) / 5), int((bottom - top - 4) / 7)
    margin = (right - left - 5.0 * columns + 2.0) / 2
    for column in range(columns):
        for row in range(rows):
            glowing = (7 * column + 5 * row + 3 * column * row + salt) % 11 < 11 * lit + easel.moment.sway(
                2.0, 0.8, 2.1 * column + 1.3 * row
            )
            x, y = left + margin + 5.0 * column, top + 4 + 7.0 * row
            easel.box(
                x, y, x + 3.0, y + 3.8, pane if glowing else p.DARK, outline=False, still=True, alpha=0.9
            )


def _tower(easel: Easel, x: float, width: float, height: float, foot: float, lift: float, roof: int) -> None:
    colour = p.pick(easel.cast, _TOWERS)
    easel.box(x, foot - height, x + width, FLOOR, colour, lift)
    if roof == 1:
        easel.shape(
            ((x, foot - height), (x + width / 2, foot - height - 9), (x + width, foot - height)),
            colour,
            lift - 0.1,
        )
    elif roof == 2:
        easel.box(x + 0.3 * width, foot - height - 6, x + 0.7 * width, foot - height, colour, lift - 0.05)
    _windows(easel, x, x + width, foot - height, min(foot, 124))


def _gabled_house(easel: Easel, x: float, width: float, height: float, foot: float) -> None:
    wall = p.pick(easel.cast, p.HOUSE_WALLS)
    easel.box(x, foot - height, x + width, foot, wall)
    easel.shape(
        (
            (x - 2, foot - height),
            (x + width / 2, foot - height - 0.7 * width),
            (x + width + 2, foot - height),
        ),
        p.RED,
        -0.08,
    )
    _windows(easel, x + 1, x + width, foot - height, foot - 4)


def _street(easel: Easel) -> None:
    mood = easel.mood
    ground(easel, mood.horizon, p.GREY, -0.05)
    for side in (-1, 1):
        for step, (depth, rise) in enumerate(((0.24, 18), (0.5, 36), (0.95, 62))):
            x = 64 + side * 64 * depth
            wide = (8 + 22 * step) * side
            height = rise * mood.closeness**0.8
            foot = mood.horizon + 4 + 18 * step
            easel.box(
                min(x, x + wide),
                foot - height - 8,
                max(x, x + wide),
                foot,
                _TOWERS[(step + (side > 0)) % 4],
                -0.02 * step,
            )
            _windows(easel, min(x, x + wide), max(x, x + wide), foot - height - 8, foot - 6)
    easel.shape(((59, mood.horizon), (69, mood.horizon), (112, FLOOR), (16, FLOOR)), p.DARK, 0.12)
    for y in (mood.horizon + 12, mood.horizon + 26, mood.horizon + 44):
        y = easel.moment.carried(y, mood.horizon + 4, mood.horizon + 52, 20)
        easel.line(((64, y), (64, y + 6)), 2.4, p.WHITE, alpha=0.8)
    if easel.moment.moves:
        _traffic(easel)


def _traffic(easel: Easel) -> None:
    """Cars, far ones small: on the right away from us, on the left towards us."""
    top = easel.mood.horizon
    for car, pigment in enumerate((p.RED, p.BLUE, p.YELLOW, p.WHITE)):
        side = -1 if car % 2 else 1
        near = easel.moment.carried(0.06 + 0.46 * car, 0.06, 1.3, -0.45 * side)
        y, size = top + 62 * near, 1.5 + 9 * near
        x = 64 + side * (2.5 + 19 * near)
        alpha = min(1.0, 6 * (near - 0.06))
        easel.box(x - size, y - size, x + size, y, pigment, outline=False, alpha=alpha)
        easel.box(
            x - 0.7 * size, y - 0.9 * size, x + 0.7 * size, y - 0.5 * size, p.DARK, outline=False, alpha=alpha
        )


def city(easel: Easel, spec: Spec) -> None:
    """Houses with rows of windows."""
    mood, rng = easel.mood, easel.rng
    sky(easel, spec)
    if spec.subject == "street":
        _street(easel)
        return
    if spec.subject == "old_town":
        ground(easel, mood.horizon, p.STONE, -0.1)
        for row in range(3):
            rng, house = easel.own(row).rng, 0
            x, foot = rng.uniform(-16, -4), mood.horizon + 8 + 20 * row
            while x < 132:
                width = rng.uniform(15, 20) * mood.closeness**0.6
                house = house + 1
                _gabled_house(easel.own(row, house), x, width, (14 + 6 * row) * mood.closeness**0.8, foot + 4)
                x += width + rng.uniform(0, 4)
        easel.wash(min(124.0, mood.horizon + 52), 128, p.STONE, p.STONE)
        return
    for row in range(2):
        rng, tower = easel.own(row).rng, 0
        x = rng.uniform(-20, -6)
        while x < 136:
            width = rng.uniform(11, 17) * mood.closeness**0.4
            height = rng.uniform(18, 48) * (1.15 - 0.4 * row) * mood.closeness
            if spec.subject == "towers":
                height, width = height * 0.55, width * 1.2
            tower = tower + 1
            view = easel.own(row, tower)
            roof = int(view.cast.integers(3))
            _tower(view, x, width, height, mood.horizon + 6 + 26 * row, 0.06 - 0.1 * row, roof)
            x += width + rng.uniform(0, 3)
    if spec.subject == "towers":
        x = subject_x(easel, spec)
        for offset, size in ((-13, 0.85), (10, 1.1)):
            _tower(
                easel.own(9, int(offset > 0)),
                x + offset,
                14 * mood.closeness**0.5,
                64 * mood.closeness * size,
                mood.horizon + 24,
                0.02,
                1,
            )
    ground(easel, mood.horizon + 46, p.GREY, -0.12)


def lighthouse(easel: Easel, spec: Spec) -> None:
    """A tower with a lamp, on rock, by the water."""
    mood = easel.mood
    sky(easel, spec)
    wave_rows(easel, mood.horizon, p.SEA, rows=5)
    view = stage(easel, spec, 66)
    view.shape(((-0.75, 0.25), (-0.5, -0.02), (-0.15, -0.12), (0.2, -0.1), (0.55, 0.04), (0.8, 0.28)), p.ROCK)
    wall = p.STONE if spec.subject == "stone" else p.WHITE
    view.shape(((-0.15, -0.08), (-0.1, -0.78), (0.1, -0.78), (0.15, -0.08)), wall)
    if spec.subject == "striped":
        for low in (-0.14, -0.42, -0.68):
            half = 0.15 - 0.05 * (-low / 0.7)
            view.shape(
                ((-half, low), (-half + 0.01, low - 0.12), (half - 0.01, low - 0.12), (half, low)),
                p.RED,
                outline=False,
            )
    beam = 0.30 + 0.25 * mood.valence
    turn = easel.moment.sway(0.45, 0.8)  # the lamp turns: one beam comes as the other goes
    far, tip = 1.8 - 0.4 * abs(turn), easel.moment.sway(0.10, 0.8, 1.0)
    if beam > 0.08:
        for side in (-1, 1):
            view.shape(
                ((0, -0.85), (side * far, -1.05 + tip), (side * far, -0.62 + tip)),
                p.SUN,
                alpha=max(0.05, beam * (1 + side * turn)),
                outline=False,
                still=True,
            )
    view.box(-0.09, -0.92, 0.09, -0.78, p.SUN, 0.03)
    view.box(-0.15, -0.8, 0.15, -0.76, p.DARK, outline=False)
    view.shape(((-0.12, -0.91), (0, -1.06), (0.12, -0.91)), p.RED if spec.subject != "stone" else p.DARK)


def _arch_bridge(easel: Easel, deck: float, foot: float, near: float) -> None:
    arch = 2 if near > 1.2 else 3
    rise = 6 * easel.mood.valence
    easel.shape(
        ((LEFT, deck + 4), (64, deck - 4 - rise), (RIGHT, deck + 4), (RIGHT, foot), (LEFT, foot)), p.STONE
    )
    span = 128 / arch
    for i in range(arch):
        middle, half, high = span * (i + 0.5), span * 0.36, (foot - deck) * 0.68
        bow = [(middle + half * cos(pi * k / 8), foot - high * sin(pi * k / 8)) for k in range(9)]
        easel.shape([(middle + half, foot + 4), *bow, (middle - half, foot + 4)], p.SEA, 0.16, still=True)
    easel.wash(foot, 128, p.SEA, p.DEEP)
    easel.line(((LEFT, foot), (RIGHT, foot)), 2.5, p.FOAM, alpha=0.7)


def _suspension(easel: Easel, deck: float, foot: float, near: float) -> None:
    tall = 46 * near
    for x in (34, 94):
        easel.box(x - 3 * near, deck - tall, x + 3 * near, foot, p.RED)
        for side in (-1, 1):
            easel.line(
                ((x, deck - tall), (x + side * 14, deck - 0.45 * tall), (x + side * 32, deck - 0.12 * tall)),
                2.2,
                p.RED,
                -0.1,
                smooth=True,
            )
    for x in range(8, 128, 12):
        easel.line(((x, deck), (x, deck - 0.25 * tall)), 1.7, p.RED, alpha=0.7, still=True)
    easel.box(LEFT, deck - 2 * near, RIGHT, deck + 3 * near, p.RED, -0.05)


def _wooden_bridge(easel: Easel, deck: float, foot: float, near: float) -> None:
    bow = 8 * easel.mood.valence
    points = [(LEFT, deck + 4), (20, deck), (64, deck - bow), (108, deck), (RIGHT, deck + 4)]
    for x in (22, 64, 106):
        easel.box(x - 3 * near, deck, x + 3 * near, foot, p.BARK)
    easel.line(points, 6 * near, p.WOOD)
    easel.line([(x, y - 13 * near) for x, y in points], 2.6 * near, p.WOOD, -0.06)
    for x in range(4, 128, 15):
        easel.line(((x, deck), (x, deck - 14 * near)), 2.2 * near, p.WOOD, -0.06)


def bridge(easel: Easel, spec: Spec) -> None:
    """A span over water from bank to bank."""
    mood = easel.mood
    sky(easel, spec)
    ridge(easel, mood.horizon + 2, 14, 3, p.LEAF, 0.04)
    wave_rows(easel, mood.horizon + 4, p.SEA, rows=5, height=2.5)
    near = mood.closeness**0.8
    foot = mood.horizon + 26 * near
    deck = foot - 26 * near
    draw = {"stone_arch": _arch_bridge, "suspension": _suspension, "wooden": _wooden_bridge}[spec.subject]
    draw(easel, deck, foot, near)


def _hull(easel: Easel, pigment: p.Pigment, half: float = 0.5) -> None:
    easel.shape(((-half, -0.2), (half * 1.15, -0.22), (half * 0.75, 0.06), (-half * 0.75, 0.06)), pigment)


def _sails(easel: Easel, pigment: p.Pigment, belly: float) -> None:
    easel.line(((0, -0.15), (0, -1.05)), 0.04, p.BARK)
    easel.shape(((0.04, -1.0), (0.2 + belly, -0.6), (0.48, -0.28), (0.04, -0.28)), pigment)
    easel.shape(((-0.04, -0.92), (-0.2, -0.55), (-0.36, -0.28), (-0.04, -0.28)), pigment, -0.08)


def _draw_boat(easel: Easel, subject: str) -> None:
    belly = 0.08 * (1 + easel.mood.valence) + easel.moment.sway(0.05, 1.4)
    if subject == "sailboat":
        _hull(easel, p.RED)
        _sails(easel, p.WHITE, belly)
    elif subject == "rowing_boat":
        _hull(easel, p.WOOD, 0.62)
        easel.shape(((-0.58, -0.19), (0.66, -0.21), (0.5, -0.11), (-0.5, -0.11)), p.BARK, outline=False)
        oar = easel.moment.sway(0.16)
        easel.line(((-0.1, -0.25), (-0.55 + oar, 0.08 - 0.5 * abs(oar))), 0.045, p.SAND)
        easel.oval(0.0, -0.52, 0.09, 0.1, p.Pigment(0.7, 0.07, 55))
        easel.shape(((-0.13, -0.18), (-0.1, -0.42), (0.1, -0.42), (0.13, -0.18)), p.BLUE)
    elif subject == "steamer":
        _hull(easel, p.DARK, 0.75)
        easel.box(-0.45, -0.42, 0.4, -0.2, p.WHITE)
        for x in (-0.22, 0.1):
            easel.box(x, -0.78, x + 0.15, -0.4, p.RED)
            smoke = easel.moment.sway(0.08, 1.0, 9 * x)
            easel.oval(
                x - 0.15 - smoke,
                -0.92 - 0.5 * smoke,
                0.2 + 0.5 * abs(smoke),
                0.1,
                p.GREY,
                0.1,
                alpha=0.7,
                outline=False,
            )
    else:
        _hull(easel, p.WOOD, 0.72)
        for x, tall in ((-0.4, 0.85), (0.02, 1.1), (0.44, 0.8)):
            easel.line(((x, -0.2), (x, -tall)), 0.035, p.BARK)
            for low in (0.28, 0.58):
                easel.shape(
                    (
                        (x - 0.17, -low * tall),
                        (x - 0.14, -(low + 0.3) * tall),
                        (x + 0.14, -(low + 0.3) * tall),
                        (x + 0.19 + belly, -low * tall),
                    ),
                    p.SAND,
                    0.08,
                )


def boat(easel: Easel, spec: Spec) -> None:
    """A vessel, always larger than anything else on the water."""
    mood = easel.mood
    sky(easel, spec)
    wave_rows(easel, mood.horizon, p.SEA, rows=3, height=3)
    heave = easel.moment.sway(0.05, 1.0)
    view = stage(easel, spec, 62).at(easel.moment.sway(0.05, 0.5), heave)
    view.oval(0, 0.1, 0.7, 0.07, p.DEEP, alpha=0.6, outline=False)
    lean = 9 * mood.agitation * (-1 if spec.side == "left" else 1) + easel.moment.sway(5.0, 1.0, 1.2)
    easel.canvas.save()
    easel.canvas.rotate(lean, *view.origin)
    _draw_boat(view, spec.subject)
    easel.canvas.restore()
    low = view.origin[1] + (0.05 - 0.7 * heave) * view.scale
    crest = 3.5 * mood.agitation
    drift = easel.moment.flow(14.0) % 18.0
    wave = [(x + drift, low + (crest if (x // 9) % 2 else -crest)) for x in range(-30, 170, 9)]
    if easel.moment.moves:
        wave = [(wave[0][0] - 18, wave[0][1]), (wave[0][0] - 9, wave[1][1]), *wave]
    easel.shape([(LEFT, FLOOR), *wave, (RIGHT, FLOOR)], p.SEA, -0.05, outline=False)
    easel.line(wave, 2.2, p.FOAM, alpha=0.6)


SCENE_PAINTERS = {"city": city, "lighthouse": lighthouse, "bridge": bridge, "boat": boat}
