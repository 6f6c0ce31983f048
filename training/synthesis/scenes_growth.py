"""Growing and frozen things: forest, tree, winter and waterfall."""

from math import pi, sin

from training.synthesis import pigments as p
from training.synthesis.backdrop import (
    FLOOR,
    LEFT,
    RIGHT,
    ground,
    ridge,
    shadow,
    sky,
    stage,
)
from training.synthesis.easel import Easel
from training.synthesis.pigments import Pigment
from training.synthesis.spec import Spec


def fir(easel: Easel, leaf: Pigment, snow: bool = False) -> None:
    """A conifer of height 1; its boughs rise with pleasure and droop with displeasure."""
    droop = 0.07 * (1 - easel.mood.valence)
    easel.box(-0.05, -0.16, 0.05, 0, p.BARK, outline=False)
    for tier in range(3):
        half, low, top = 0.34 - 0.08 * tier, -0.12 - 0.27 * tier, -0.55 - 0.23 * tier
        easel.shape(((-half, low + droop), (0, top), (half, low + droop), (0, low - 0.04)), leaf, 0.03 * tier)
        if snow:
            easel.shape(
                (
                    (-0.5 * half, (low + top) / 2 + 0.03),
                    (0, top),
                    (0.5 * half, (low + top) / 2 + 0.03),
                    (0, (low + top) / 2 - 0.06),
                ),
                p.SNOW,
                outline=False,
            )


def round_tree(easel: Easel, leaf: Pigment) -> None:
    """A broad-leaved tree of height 1."""
    easel.shape(((-0.07, 0), (-0.05, -0.5), (0.05, -0.5), (0.07, 0)), p.BARK)
    for x, y, radius in ((-0.2, -0.55, 0.2), (0.2, -0.57, 0.2), (0, -0.75, 0.25)):
        easel.oval(x, y, radius * 1.1, radius, leaf, 0.03 * (x < 0))


def _birch(easel: Easel) -> None:
    easel.box(-0.04, -1.4, 0.04, 0, p.WHITE)
    for y in (-0.2, -0.45, -0.75, -1.0):
        easel.box(-0.04, y, 0.01, y + 0.05, p.DARK, outline=False)


def forest(easel: Easel, spec: Spec) -> None:
    """A wall of trees that leaves almost no sky."""
    mood, rng = easel.mood, easel.rng
    sky(easel, spec)
    ridge(easel, mood.horizon, 26, 7, p.PINE, 0.12)
    ground(easel, mood.horizon - 2, p.LEAF, -0.06 + 0.08 * mood.valence)
    if spec.subject == "path":
        bend = 10 * mood.valence
        easel.shape(
            (
                (58, mood.horizon),
                (66, mood.horizon),
                (78 + bend, 100),
                (110, FLOOR),
                (20, FLOOR),
                (44 + bend, 100),
            ),
            p.SAND,
        )
    leaf = {"pines": p.PINE, "birches": Pigment(0.70, 0.13, 110), "oaks": p.LEAF, "path": p.LEAF}[
        spec.subject
    ]
    count = 15
    for i in range(count):
        near = i / (count - 1)
        y = mood.horizon + 2 + (126 - mood.horizon) * near**1.3
        size = (34 + 34 * near) * mood.closeness
        x = rng.uniform(-6, 134)
        if spec.subject == "path":
            x = x % 46 if i % 2 else 128 - x % 46
        tree = easel.at(x, y, size, fade=0.5 * mood.haze * (1 - near)).swaying(0.06, 1.0, 0.8 * i)
        if spec.subject == "pines":
            fir(tree, leaf.lifted(0.10 - 0.10 * near))
        elif spec.subject == "birches":
            _birch(tree.at(0, 0, 1.2))
            tree.oval(0, -1.25, 0.34, 0.3, leaf, 0.05 - 0.1 * near)
        else:
            round_tree(tree, leaf.lifted(0.10 - 0.12 * near))


def _bough(easel: Easel, points: list[tuple[float, float]], width: float) -> None:
    easel.line(points, width, p.BARK)


def _crown(easel: Easel, leaf: Pigment) -> None:
    for x, y, radius in (
        (-0.3, -0.5, 0.2),
        (0.3, -0.5, 0.2),
        (-0.16, -0.7, 0.22),
        (0.17, -0.72, 0.22),
        (0, -0.58, 0.25),
    ):
        stir = easel.moment.sway(0.025, 1.3, 9 * x)
        easel.oval(x + stir, y + 0.5 * stir, radius * 1.1, radius, leaf, -0.03 if y > -0.6 else 0.05)


def _palm(easel: Easel) -> None:
    easel.line(((0, 0), (0.06, -0.4), (0.02, -0.8)), 0.09, p.WOOD, smooth=True)
    sag = 0.16 - 0.14 * easel.mood.valence
    wind = easel.moment.sway(0.05, 1.2)
    for x, y in ((-0.42, -0.72), (0.46, -0.72), (-0.3, -0.98), (0.34, -0.98), (0.02, -1.1)):
        easel.shape(
            (
                (0.02, -0.8),
                (0.02 + 0.6 * (x - 0.02), y - 0.06),
                (x, y + sag + wind * (1 if x > 0 else -1)),
                (0.02 + 0.5 * (x - 0.02), y + 0.08),
            ),
            p.LEAF,
        )


def _willow(easel: Easel) -> None:
    easel.line(((0, 0), (0.0, -0.6)), 0.12, p.BARK)
    easel.oval(0, -0.68, 0.4, 0.26, p.GRASS)
    for i in range(7):
        x = -0.42 + 0.14 * i
        blown = easel.moment.sway(0.09, 1.0, 0.7 * i)
        easel.line(
            ((x * 0.8, -0.68), (x * 1.1 + 0.4 * blown, -0.4), (x * 1.15 + blown, -0.12)),
            0.09,
            p.GRASS,
            -0.08 * (i % 2),
            smooth=True,
        )


def tree(easel: Easel, spec: Spec) -> None:
    """One tree alone on a hill."""
    mood = easel.mood
    sky(easel, spec)
    ridge(easel, mood.horizon + 8, 7, 2, p.FAR_ROCK, 0.08)
    ground(easel, mood.horizon + 8, p.GRASS)
    view = stage(easel, spec, 68)
    shadow(view, 0.4)
    view.swaying(0.06)
    rise = 0.14 * mood.valence
    if spec.subject in ("oak", "blossom", "bare"):
        view.shape(
            ((-0.13, 0.01), (-0.06, -0.25), (-0.07, -0.5), (0.07, -0.5), (0.06, -0.25), (0.13, 0.01)), p.BARK
        )
        for side in (-1, 1):
            _bough(view, [(0, -0.35), (side * 0.18, -0.5), (side * 0.38, -0.58 - rise)], 0.07)
            _bough(view, [(0, -0.5), (side * 0.1, -0.7), (side * 0.2, -0.85 - rise)], 0.06)
            if spec.subject == "bare":
                _bough(view, [(side * 0.2, -0.52), (side * 0.26, -0.7 - rise)], 0.045)
    if spec.subject in ("oak", "blossom"):
        _crown(view, p.LEAF if spec.subject == "oak" else p.PINK)
    elif spec.subject == "palm":
        _palm(view)
    elif spec.subject == "willow":
        _willow(view)


def _cabin(easel: Easel) -> None:
    easel.box(-0.5, -0.45, 0.5, 0, p.WOOD)
    easel.shape(((-0.68, -0.4), (0, -0.95), (0.68, -0.4)), p.SNOW)
    easel.box(-0.12, -0.3, 0.1, 0, p.BARK)
    glow = easel.either(p.SUN, p.GREY, easel.mood.valence + 0.5)
    easel.box(0.2, -0.32, 0.4, -0.14, glow)
    easel.box(-0.4, -0.32, -0.22, -0.14, glow)


def _snowman(easel: Easel) -> None:
    shadow(easel, 0.4)
    easel.swaying(0.04, 0.8)
    for y, radius in ((-0.24, 0.27), (-0.6, 0.2), (-0.85, 0.14)):
        easel.oval(0, y, radius, radius, p.SNOW, -0.04)
    easel.box(-0.17, -1.0, 0.17, -0.95, p.DARK, still=True)
    easel.box(-0.11, -1.2, 0.11, -0.97, p.DARK, still=True)
    easel.shape(((0, -0.87), (0.22, -0.83), (0, -0.81)), p.ORANGE, outline=False, still=True)
    bend = 0.12 * easel.mood.valence + easel.moment.sway(0.12)
    for side in (-1, 1):
        easel.line(((side * 0.18, -0.62), (side * 0.46, -0.68 - bend)), 0.04, p.BARK)
    easel.line(((-0.16, -0.7), (0.16, -0.7)), 0.08, p.RED)


def winter(easel: Easel, spec: Spec) -> None:
    """White ground, always."""
    mood, rng = easel.mood, easel.rng
    sky(easel, spec, Pigment(0.72, 0.06, 245))
    ridge(easel, mood.horizon + 4, 10, 4, p.SNOW_SHADE, -0.08)
    ground(easel, mood.horizon + 4, p.SNOW)
    for i in range(8 if spec.subject == "snowy_pines" else 3):
        size = rng.uniform(20, 30) * mood.closeness ** (1.2 if spec.subject == "snowy_pines" else 0.5)
        fir(
            easel.at(rng.uniform(0, 128), mood.horizon + 8 + 3 * i, size).swaying(0.05, 1.0, 0.9 * i),
            p.PINE,
            snow=True,
        )
    if spec.subject == "frozen_lake":
        near = mood.closeness**0.7
        easel.oval(64, mood.horizon + 6 + 18 * near, 46 * near, 13 * near, Pigment(0.76, 0.07, 225))
        for side in (-22, 8, 26):
            middle = mood.horizon + 6 + 18 * near
            easel.line(
                ((64 + side * near, middle - 4), (64 + (side + 10) * near, middle + 2)),
                2.0,
                p.WHITE,
                alpha=0.7,
            )
    elif spec.subject == "cabin":
        _cabin(stage(easel, spec, 48))
    elif spec.subject == "snowman":
        _snowman(stage(easel, spec, 56))
    for i in range(14):
        x, y = rng.uniform(0, 128), rng.uniform(0, 128)
        x += easel.moment.sway(3.0, 0.9, 1.9 * i)
        y = easel.moment.carried(y, -6, 134, 26)
        easel.oval(x, y, 1.5, 1.5, p.WHITE, 0.05, alpha=0.85, outline=False, still=True)


def _gush(easel: Easel, column: tuple[float, float, float], sides: tuple[float, float], lag: float) -> None:
    """Dark seams that run down the falling water; `column` is its middle, top and foot."""
    x, top, foot = column
    for step in range(2):
        start = (easel.moment.flow(0.65) + lag + 0.5 * step) % 1.0
        ends = [min(1.0, max(0.0, part)) for part in (start - 0.17, start + 0.17)]
        places = [
            (x + sides[0] + (sides[1] - sides[0]) * part, top + 2 + (foot - 5 - top) * part) for part in ends
        ]
        easel.line(places, 2.4, p.SEA, 0.1, alpha=0.6 * min(1.0, 8 * (ends[1] - ends[0])), still=True)


def _fall(easel: Easel, x: float, top: float, foot: float, width: float) -> None:
    flare = width * 0.35
    easel.shape(
        ((x - width, top), (x + width, top), (x + width + flare, foot), (x - width - flare, foot)), p.FOAM
    )
    for i in (-0.5, 0.15, 0.6):
        if easel.moment.moves:
            _gush(easel, (x, top, foot), (i * width, i * (width + flare)), 0.37 * i)
            continue
        easel.line(
            ((x + i * width, top + 2), (x + i * (width + flare), foot - 3)), 2.4, p.SEA, 0.1, alpha=0.6
        )
    for side in (-1, 0, 1):
        easel.oval(
            x + side * width,
            foot,
            width * 0.9,
            5 + 4 * easel.mood.agitation + easel.moment.sway(1.6, 1.2, 2.0 * side),
            p.WHITE,
            alpha=0.75,
            outline=False,
        )


def waterfall(easel: Easel, spec: Spec) -> None:
    """White water between dark cliffs, down into a pool."""
    mood = easel.mood
    sky(easel, spec)
    near = mood.closeness
    top, foot = 64 - 30 * near**0.6, 100.0 - 4 * mood.dominance
    half = 9 * near
    shift = {"left": -14, "centre": 0, "right": 14}[spec.side] * (1 - 0.7 * mood.dominance)
    x = 64 + shift
    brow = top - 7 * mood.valence
    left = ((LEFT, FLOOR), (LEFT, top + 6), (x - 34, brow), (x - half, top))
    right = ((x + half, top), (x + 36, brow), (RIGHT, top + 4), (RIGHT, FLOOR))
    easel.shape((*left, *right), p.ROCK, -0.04)
    for i in range(5):
        fx = (x - 22 - 12 * i) if i % 2 else (x + 24 + 10 * i)
        easel.oval(fx, top + 2 + 2 * i, 10, 6, p.LEAF, -0.05)
        easel.shape(
            ((fx - 8, foot), (fx - 5, top + 26), (fx + 6, top + 22), (fx + 9, foot)),
            p.ROCK,
            0.08,
            outline=False,
        )
    easel.wash(foot, 128, p.SEA.lifted(0.1), p.DEEP)
    if spec.subject == "twin_falls":
        _fall(easel, x - 1.5 * half, top, foot, half * 0.65)
        _fall(easel, x + 1.5 * half, top, foot, half * 0.65)
    elif spec.subject == "cascade":
        middle = (top + foot) / 2
        _fall(easel, x - half * 0.6, top, middle, half * 0.8)
        _fall(easel, x + half * 0.4, middle, foot, half * 1.2)
    else:
        _fall(easel, x, top, foot, half)
    for i in range(3):
        y = foot + 9 + 7 * i
        wave = [
            (t, y + 2.5 * mood.agitation * sin(t / 7 * pi + easel.moment.flow(5.0)))
            for t in range(-30, 170, 7)
        ]
        easel.line(wave, 2.0, p.FOAM, alpha=0.5)


SCENE_PAINTERS = {"forest": forest, "tree": tree, "winter": winter, "waterfall": waterfall}
