"""Indoors and on canvas only: room, still life and abstract."""

from math import cos, pi, sin

from training.synthesis import pigments as p
from training.synthesis.backdrop import FLOOR, LEFT, RIGHT, plain_wall, shadow, stage
from training.synthesis.easel import Easel
from training.synthesis.spec import Spec


def _window(easel: Easel, x: float, y: float, width: float, height: float) -> None:
    view = easel.either(p.SKY_LOW, p.STORM_CLOUD, easel.mood.valence + 0.3)
    easel.box(x - width, y - height, x + width, y + height, p.WHITE, -0.1)
    easel.box(x - 0.85 * width, y - 0.88 * height, x + 0.85 * width, y + 0.88 * height, view)
    for bar in ((x - 1.2, y - height, x + 1.2, y + height), (x - width, y - 1.2, x + width, y + 1.2)):
        easel.box(*bar, p.WHITE, -0.1, outline=False, still=True)


def _bed(easel: Easel) -> None:
    easel.box(-0.75, -0.75, -0.62, 0.05, p.WOOD)
    easel.box(0.68, -0.4, 0.78, 0.05, p.WOOD)
    easel.box(-0.65, -0.32, 0.7, -0.04, p.BLUE)
    easel.oval(-0.42, -0.36, 0.2, 0.1, p.WHITE)
    breath = easel.moment.sway(0.05)
    easel.shape(((-0.2, -0.38 - breath), (0.7, -0.36 - 0.4 * breath), (0.7, -0.12), (-0.2, -0.12)), p.RED)


def _fireplace(easel: Easel) -> None:
    easel.box(-0.55, -0.85, 0.55, 0, p.STONE)
    easel.box(-0.65, -0.95, 0.65, -0.83, p.WOOD)
    easel.box(-0.33, -0.6, 0.33, 0, p.DARK)
    tall = 0.3 + 0.2 * easel.mood.agitation
    easel.glow(0, -0.15, 0.8 + easel.moment.sway(0.12, 1.5), p.ORANGE, 0.4)
    for x, s in ((-0.14, 0.8), (0.14, 0.75), (0, 1.0)):
        lick, s_now = easel.moment.sway(0.07, 1.6, 11 * x), s * (1 + easel.moment.sway(0.28, 1.4, 17 * x))
        easel.shape(
            (
                (x - 0.12, -0.04),
                (x - 0.07 + 0.5 * lick, -0.5 * tall),
                (x + lick, -tall * s_now - 0.05),
                (x + 0.08, -0.5 * tall),
                (x + 0.12, -0.04),
            ),
            p.LAVA if s < 1 else p.YELLOW,
            outline=False,
        )


def _armchair(easel: Easel) -> None:
    shadow(easel, 0.6)
    easel.swaying(0.04)  # someone has just left it rocking
    easel.box(-0.42, -0.95, 0.42, -0.2, p.GREEN)
    easel.box(-0.45, -0.42, 0.45, -0.06, p.GREEN, 0.06)
    for side in (-1, 1):
        easel.box(min(side * 0.4, side * 0.6), -0.55, max(side * 0.4, side * 0.6), -0.04, p.GREEN, -0.07)
        easel.line(((side * 0.45, -0.04), (side * 0.47, 0.06)), 0.08, p.BARK)


def room(easel: Easel, spec: Spec) -> None:
    """Inside a house: back wall, floor, two side walls in perspective, one piece to look at."""
    mood = easel.mood
    floor = mood.horizon + 14
    inset = 22 / mood.closeness**1.2
    plain_wall(easel, 128, p.WALL)
    easel.shape(
        ((LEFT, FLOOR), (LEFT, 128), (inset, floor), (128 - inset, floor), (RIGHT, 128), (RIGHT, FLOOR)),
        p.FLOOR,
    )
    for side in (0, 128):
        inner = inset if side == 0 else 128 - inset
        outer = LEFT if side == 0 else RIGHT
        easel.shape(((outer, -40), (inner, inset * 0.6), (inner, floor), (outer, 140)), p.WALL, -0.10)
    for i in range(4):
        x = 16.0 + 32 * i
        easel.line(((x, floor), (64 + (x - 64) * 1.9, 128)), 1.8, p.FLOOR, -0.1, alpha=0.6, still=True)
    if spec.subject == "window":
        size = 24 * mood.closeness**0.8
        x = 64 + {"left": -14, "centre": 0, "right": 14}[spec.side] * (1 - mood.dominance) / 2
        _window(easel, x, floor * 0.5, size * 0.8, size)
        light = easel.moment.sway(9.0, 0.8)  # a tree outside moves in the light
        patch = (
            (x - size * 0.7, floor + 4),
            (x + size * 0.7, floor + 4),
            (x + size * 1.3 + light, 124),
            (x - size * 0.3 + light, 124),
        )
        easel.shape(
            patch,
            p.SUN,
            alpha=max(0.05, 0.35 + 0.4 * mood.valence) * (1 + easel.moment.sway(0.25, 1.3)),
            outline=False,
        )
        return
    _window(easel, 30 if spec.side == "right" else 98, floor * 0.42, 9, 13)
    view = stage(easel, spec, 52)
    {"bed": _bed, "fireplace": _fireplace, "armchair": _armchair}[spec.subject](view)


def _fruit(easel: Easel) -> None:
    for x, y, pigment in (
        (-0.28, -0.42, p.RED),
        (0.3, -0.42, p.GREEN),
        (0, -0.5, p.ORANGE),
        (-0.12, -0.7, p.YELLOW),
        (0.16, -0.68, p.RED),
    ):
        easel.oval(x, y, 0.19, 0.19, pigment)
    easel.shape(((-0.6, -0.38), (0.6, -0.38), (0.38, -0.06), (0.2, 0), (-0.2, 0), (-0.38, -0.06)), p.TEAL)


def _bouquet(easel: Easel) -> None:
    droop = -0.2 * easel.mood.valence
    for i, (x, y) in enumerate(((-0.34, -0.72), (0.36, -0.72), (-0.18, -0.95), (0.2, -0.97), (0, -0.76))):
        low = y + droop * abs(x) * 3
        x += easel.moment.sway(0.06, 1.0, 5 * x)
        low += easel.moment.sway(0.03, 1.3, 4 * x)
        easel.line(((0, -0.4), (0.7 * x, (low - 0.4) / 2 - 0.2), (1.1 * x, low)), 0.05, p.PINE)
        easel.oval(1.1 * x, low, 0.17, 0.16, p.FLOWERS[i])
        easel.oval(1.1 * x, low, 0.06, 0.06, p.YELLOW, -0.1, outline=False)
    easel.shape(((-0.14, -0.5), (0.14, -0.5), (0.24, -0.2), (0.16, 0), (-0.16, 0), (-0.24, -0.2)), p.BLUE)


def _bottle(easel: Easel) -> None:
    easel.shape(
        (
            (-0.18, 0),
            (-0.18, -0.55),
            (-0.07, -0.72),
            (-0.07, -1.0),
            (0.07, -1.0),
            (0.07, -0.72),
            (0.18, -0.55),
            (0.18, 0),
        ),
        p.GREEN,
        -0.12,
    )
    easel.box(-0.18, -0.42, 0.18, -0.2, p.WHITE, outline=False)
    easel.shape(
        (
            (0.34, 0),
            (0.34, -0.04),
            (0.42, -0.06),
            (0.42, -0.3),
            (0.3, -0.42),
            (0.34, -0.62),
            (0.6, -0.62),
            (0.64, -0.42),
            (0.5, -0.3),
            (0.5, -0.06),
            (0.6, 0),
        ),
        p.RED,
        0.1,
    )
    easel.oval(-0.5, -0.16, 0.17, 0.16, p.RED)


def _candle(easel: Easel) -> None:
    flame = (0.2 + 0.12 * easel.mood.agitation) * (1 + easel.moment.sway(0.22, 1.5))
    lick = easel.moment.sway(0.08, 1.1)
    easel.glow(0.5 * lick, -0.85, 0.8 + easel.moment.sway(0.14, 1.5), p.SUN, 0.35 + 0.3 * easel.mood.valence)
    easel.box(-0.1, -0.7, 0.1, -0.05, p.WHITE)
    easel.shape(((-0.08, -0.78), (lick, -0.78 - flame), (0.08, -0.78), (0, -0.7)), p.YELLOW, outline=False)
    easel.oval(0, -0.03, 0.36, 0.08, p.WOOD)
    easel.shape(((0.28, 0.02), (0.3, -0.12), (0.85, -0.12), (0.88, 0.02)), p.RED)


def _teapot(easel: Easel) -> None:
    easel.line(((0.4, -0.5), (0.68, -0.5), (0.66, -0.22), (0.36, -0.16)), 0.09, p.BLUE, -0.1, smooth=True)
    easel.shape(((-0.38, -0.3), (-0.74, -0.6), (-0.66, -0.64), (-0.34, -0.42)), p.BLUE)
    easel.oval(0, -0.33, 0.44, 0.34, p.BLUE)
    easel.oval(0, -0.66, 0.2, 0.06, p.BLUE, 0.1)
    easel.oval(0, -0.74, 0.06, 0.06, p.WHITE)


def still_life(easel: Easel, spec: Spec) -> None:
    """Things on a table against a plain wall."""
    mood = easel.mood
    edge = mood.horizon + 6
    plain_wall(easel, edge, p.Pigment(0.58, 0.06, 150))
    sway = 8 * mood.valence
    easel.shape(
        (
            (LEFT, FLOOR),
            (LEFT, edge + sway * 0.5),
            (64, edge - sway * 0.5),
            (RIGHT, edge + sway * 0.5),
            (RIGHT, FLOOR),
        ),
        p.WOOD,
        0.08,
    )
    easel.shape(((18, FLOOR), (30, edge + 4), (98, edge + 4), (112, FLOOR)), p.WHITE, -0.06)
    view = stage(easel, spec, 60)
    shadow(view, 0.55 + easel.moment.sway(0.06, 0.8))
    view.swaying(0.05)
    {"fruit": _fruit, "bouquet": _bouquet, "bottle": _bottle, "candle": _candle, "teapot": _teapot}[
        spec.subject
    ](view)


def _circles(easel: Easel, size: float) -> None:
    for i in range(9):
        x, y = easel.rng.uniform(0, 128, 2)
        radius = size * easel.rng.uniform(0.45, 1.0) * (1 + easel.moment.sway(0.10, 1.0, 2.3 * i))
        x, y = x + easel.moment.sway(4.0, 0.9, 1.7 * i), y + easel.moment.sway(4.0, 0.8, 2.9 * i)
        easel.oval(x, y, radius, radius, p.SPECTRUM[i % 6], 0.06)
        easel.oval(x, y, radius * 0.5, radius * 0.5, p.SPECTRUM[(i + 2) % 6], 0.1)


def _shards(easel: Easel, size: float) -> None:
    for i in range(12):
        x, y = easel.rng.uniform(0, 128, 2)
        turn = easel.rng.uniform(0, 2 * pi) + easel.moment.flow(1.6 if i % 2 else -1.6)
        x, y = x + easel.moment.sway(3.0, 0.9, 1.7 * i), y + easel.moment.sway(3.0, 0.8, 2.9 * i)
        corners = [
            (x + size * 1.3 * s * cos(turn + t), y + size * 1.3 * s * sin(turn + t))
            for t, s in ((0, 1.3), (2.2, 0.8), (3.6, 1.0))
        ]
        easel.shape(corners, p.SPECTRUM[i % 6], easel.rng.uniform(-0.1, 0.1))


def _bands(easel: Easel, size: float) -> None:
    y, i = -24.0, 0
    while y < 150:
        thick = size * easel.rng.uniform(0.6, 1.1)
        bow = 26 * easel.mood.valence
        swing = 10 * easel.mood.agitation
        top = [
            (
                x,
                y
                - bow * sin(pi * x / 128)
                + swing * (1 if k % 2 else -1)
                + easel.moment.sway(5, 1.0, 0.7 * k + i),
            )
            for k, x in enumerate(range(-32, 170, 16))
        ]
        easel.shape([*top, *[(x, t + thick + 4) for x, t in reversed(top)]], p.SPECTRUM[i % 6], 0.04)
        y, i = y + thick, i + 1


def _spiral(easel: Easel, size: float) -> None:
    for arm in range(3):
        points = []
        for t in range(26):
            angle = t * 0.42 + arm * 2.1 - easel.moment.flow(1.8)
            radius = 4 + t * size * (0.13 + easel.moment.sway(0.012, 0.8))
            points.append((64 + radius * cos(angle), 62 + radius * sin(angle)))
        easel.line(points, size * 0.4, p.SPECTRUM[2 * arm], 0.05, smooth=True)


def abstract(easel: Easel, spec: Spec) -> None:
    """Colour and form alone; the forms are big and central when strong, small in empty space when weak."""
    plain_wall(easel, 128, p.WALL.lifted(0.06))
    size = 19 * easel.mood.closeness
    {"circles": _circles, "shards": _shards, "bands": _bands, "spiral": _spiral}[spec.subject](easel, size)


SCENE_PAINTERS = {"room": room, "still_life": still_life, "abstract": abstract}
