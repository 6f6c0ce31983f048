"""Open landscapes: sea, mountains, meadow and desert."""

from math import cos, pi, sin

from training.synthesis import pigments as p
from training.synthesis.backdrop import FLOOR, LEFT, RIGHT, ground, ridge, sky, stage
from training.synthesis.easel import Easel
from training.synthesis.spec import Spec


def wave_rows(easel: Easel, top: float, pigment: p.Pigment, rows: int = 7, height: float = 4.0) -> None:
    """Water down to the lower edge: rows of crests, still for calm moods and steep for aroused ones."""
    mood, rng, moment = easel.mood, easel.rng, easel.moment
    easel.wash(top, 128, pigment.lifted(0.10), pigment.lifted(-0.06))
    crest = height * (0.25 + 1.5 * mood.agitation**1.5) * mood.closeness**0.5
    for row in range(rows):
        near = (row + 0.6) / rows
        y = top + (128 - top) * near**1.25
        step = (7 + 11 * near) * mood.closeness**0.6
        start = rng.uniform(-step, 0) + LEFT
        if moment.moves:  # crests run on, alternately to either side, and are level again after a pair
            start += step * (moment.flow(1.5 if row % 2 else 1.1) % 2.0 - 2.0)
            y += moment.sway(1.8 * near, 1.0, 0.9 * row)
        high = crest * near * (1 + moment.sway(0.30, 1.2, 1.7 * row))
        count = int((RIGHT - start) / step) + 1
        points = [(start + step * i, y + high * (-1 if i % 2 else 1)) for i in range(count)]
        easel.shape(
            [(LEFT, FLOOR), *points, (RIGHT, FLOOR)], pigment, (-0.10 if row % 2 else 0.05), outline=False
        )
        easel.line(points, 1.2 + 1.6 * near, p.FOAM, alpha=0.25 + 0.45 * mood.agitation)


def sea(easel: Easel, spec: Spec) -> None:
    """Nothing but water, with a shore of some kind."""
    mood = easel.mood
    sky(easel, spec)
    if spec.subject == "island":
        view = stage(easel, spec, 34)
        hill = view.at(0, (mood.horizon + 2 - mood.base) / view.scale)
        hill.shape(((-0.9, 0), (-0.5, -0.4), (-0.1, -0.6), (0.4, -0.35), (0.9, 0)), p.LEAF)
        hill.box(-1.0, -0.06, 1.0, 0.02, p.SAND, outline=False)
    wave_rows(easel, mood.horizon, p.SEA)
    if spec.subject == "beach":
        lean = 22 * mood.closeness
        surf = easel.moment.sway(3.0)
        easel.shape(
            (
                (LEFT, 128 - lean - surf),
                (60, 130 - 0.6 * lean - surf),
                (RIGHT, 126 - surf),
                (RIGHT, FLOOR),
                (LEFT, FLOOR),
            ),
            p.FOAM,
        )
        easel.shape(
            ((LEFT, 133 - lean), (60, 135 - 0.6 * lean), (RIGHT, 131), (RIGHT, FLOOR), (LEFT, FLOOR)), p.SAND
        )
    if spec.subject == "rocks":
        view, mood_surf = stage(easel, spec, 40), easel.moment.sway(0.07, 1.1)
        for x, size in ((-0.55, 0.6), (0.1, 1.0), (0.65, 0.5)):
            rock = view.at(x, 0.15, size)
            rock.shape(((-0.5, 0), (-0.3, -0.6), (0.05, -0.95), (0.3, -0.55), (0.5, 0)), p.ROCK)
            rock.oval(0, 0.0, 0.6 + mood_surf, 0.08 + 0.4 * mood_surf, p.FOAM, alpha=0.8, outline=False)


def _peak(easel: Easel, x: float, foot: float, width: float, height: float, volcano: bool) -> None:
    view = easel.at(x, foot)
    left, right = (-0.35 * width, -0.62 * height), (0.4 * width, -0.55 * height)
    flank = [(-width, 0.0), left, (0.0, -height), right, (width, 0.0)]
    if volcano:
        flank = [(-width, 0.0), (-0.22 * width, -height), (0.22 * width, -height), (width, 0.0)]
    view.shape(flank, p.ROCK)
    view.shape(
        (flank[-1], flank[-2], flank[2] if not volcano else (0.05, -height), (0.15 * width, 0)),
        p.ROCK,
        -0.12,
        outline=False,
    )
    if volcano:
        view.shape(((-0.22 * width, -height), (0.22 * width, -height), (0.1 * width, -0.45 * height)), p.LAVA)
        puff, far = easel.moment.sway(0.05), easel.moment.sway(0.10, 0.7, 1.0)
        view.oval(
            (0.1 + far) * width,
            (-1.25 - puff) * height,
            (0.3 + puff) * width,
            0.16 * height,
            p.GREY,
            alpha=0.7,
            outline=False,
        )
    else:
        left, right = (-0.25 * width, -0.72 * height), (0.28 * width, -0.7 * height)
        drips = (
            (0.1 * width, -0.62 * height),
            (-0.02 * width, -0.74 * height),
            (-0.12 * width, -0.6 * height),
        )
        view.shape((left, (0, -height), right, *drips), p.SNOW)


def mountains(easel: Easel, spec: Spec) -> None:
    """High rock with snow on it; the one kind of ground without anything growing in front."""
    mood = easel.mood
    sky(easel, spec)
    foot = mood.horizon + 12
    ridge(easel, foot, 16 * mood.closeness, 4, p.FAR_ROCK)
    height = 46 * mood.closeness
    lift_by_mood = 1 + 0.15 * mood.valence
    if spec.subject != "valley":
        main = {"left": 44, "centre": 64, "right": 84}[spec.side] * 0.4 + 64 * 0.6
        _peak(easel, main + 34, foot + 3, height * 0.75, height * 0.66, False)
        _peak(easel, main - 6, foot + 6, height * 0.95, height * lift_by_mood, spec.subject == "volcano")
    else:
        _peak(easel, 14, foot + 8, height, height * lift_by_mood, False)
        _peak(easel, 116, foot + 8, height, height * 0.9, False)
    if spec.subject == "lake":
        wave_rows(easel, foot + 6, p.SEA.lifted(0.05), rows=4, height=2.0)
    else:
        ground(easel, foot + 6, p.GRASS, -0.12)
        ground(easel, foot + 22, p.PINE)


def _flower(easel: Easel, pigment: p.Pigment, size: float) -> None:
    droop = -0.5 * easel.mood.valence
    easel.swaying(0.18, 1.0, 0.09 * easel.origin[0])
    easel = easel.from_foot(2.2 * size)
    easel.line(((0, size * 2.2), (0.3 * size * droop, size * (0.4 + droop))), 0.35 * size, p.PINE)
    easel.oval(0.8 * size * droop, size * droop, size, size * 0.85, pigment, outline=False)
    easel.oval(
        0.8 * size * droop, size * droop, size * 0.35, size * 0.35, p.YELLOW, -0.1, outline=False, still=True
    )


def _sunflower(easel: Easel, size: float) -> None:
    droop = -0.35 * easel.mood.valence * size
    easel.swaying(0.16, 1.0, 0.09 * easel.origin[0])
    easel = easel.from_foot(3 * size)
    easel.line(((0, size * 3), (0, 0)), 0.35 * size, p.PINE)
    easel.shape(((0, 2 * size), (1.1 * size, 1.2 * size), (0.9 * size, 1.9 * size)), p.LEAF, outline=False)
    star = [
        (
            size * (1.2 if i % 2 else 0.8) * cos(pi * i / 8),
            droop + size * (1.2 if i % 2 else 0.8) * sin(pi * i / 8),
        )
        for i in range(16)
    ]
    easel.shape(star, p.YELLOW, -0.03)
    easel.oval(0, droop, 0.5 * size, 0.5 * size, p.BARK, outline=False)


def _haystack(easel: Easel) -> None:
    easel.swaying(0.03)
    easel.shape(((-0.6, 0), (-0.62, -0.4), (0, -0.95), (0.62, -0.4), (0.6, 0)), p.SAND, -0.05)
    easel.shape(((0.1, 0), (0.15, -0.5), (0, -0.95), (0.62, -0.4), (0.6, 0)), p.SAND, -0.18, outline=False)


def _windmill(easel: Easel) -> None:
    easel.shape(((-0.22, 0), (-0.13, -0.7), (0.13, -0.7), (0.22, 0)), p.HOUSE_WALLS[0])
    easel.shape(((-0.17, -0.68), (0, -0.85), (0.17, -0.68)), p.RED)
    for quarter in range(4):
        angle = pi / 4 + quarter * pi / 2 + 0.3 + easel.moment.flow(1.8)
        tip = (0.5 * cos(angle), -0.7 + 0.5 * sin(angle))
        easel.line(((0, -0.7), tip), 0.07, p.WHITE)
    easel.box(-0.06, -0.2, 0.06, 0, p.BARK, outline=False)


def meadow(easel: Easel, spec: Spec) -> None:
    """Green, rolling and full of flowers."""
    mood, rng = easel.mood, easel.rng
    sky(easel, spec)
    ridge(easel, mood.horizon + 6, 9, 3, p.LEAF, 0.06)
    ground(easel, mood.horizon + 6, p.GRASS)
    if spec.subject in ("haystacks", "windmill"):
        view = stage(easel, spec, 40 if spec.subject == "haystacks" else 56)
        draw = _haystack if spec.subject == "haystacks" else _windmill
        draw(view)
        if spec.subject == "haystacks":
            draw(view.at(-1.3 if spec.side == "right" else 1.3, -0.15, 0.6))
    big = spec.subject == "sunflowers"
    for i in range(12 if big else 22):
        near = (i / (12 if big else 22)) ** 0.8
        y = mood.horizon + 10 + (112 - mood.horizon) * near
        size = (1.6 + (4.5 if big else 2.2) * near) * mood.closeness**0.6
        spot = easel.at(rng.uniform(-8, 136), y)
        if big:
            _sunflower(spot, size)
        else:
            _flower(spot, p.pick(rng, p.FLOWERS), size)


def _cactus(easel: Easel) -> None:
    rise = 0.12 * easel.mood.valence
    for points in (
        ((0, 0), (0, -0.95)),
        ((0, -0.35), (-0.3, -0.4), (-0.3, -0.62 - rise)),
        ((0, -0.5), (0.28, -0.52), (0.28, -0.75 - rise)),
    ):
        easel.swaying(0.03)
        easel.line(points, 0.19, p.PINE, -0.12)
        easel.line(points, 0.14, p.LEAF)


def desert(easel: Easel, spec: Spec) -> None:
    """Yellow sand under a wide sky."""
    mood = easel.mood
    sky(easel, spec)
    if spec.subject == "mesas":
        view = stage(easel, spec, 46).at(0, (mood.horizon + 8 - mood.base) / (46 * mood.closeness))
        for x, w, h in ((-0.9, 0.35, 0.6), (0.1, 0.5, 1.0), (1.1, 0.3, 0.5)):
            view.shape(((x - w, 0), (x - 0.8 * w, -h), (x + 0.8 * w, -h), (x + w, 0)), p.SANDROCK)
            view.box(x - 0.85 * w, -0.6 * h, x + 0.85 * w, -0.45 * h, p.SANDROCK, -0.1, outline=False)
    ridge(easel, mood.horizon + 10, 8 + 10 * mood.agitation, 2, p.SAND, 0.02, roll=1.5)
    if spec.subject == "pyramids":
        view = stage(easel, spec, 50)
        for x, s in ((0.9, 0.55), (0.0, 1.0)):
            top, left, right = (x, -0.95 * s), (x - 0.75 * s, 0), (x + 0.75 * s, 0)
            view.shape((left, top, right), p.SAND, 0.03)
            view.shape((top, right, (x + 0.2 * s, 0)), p.SANDROCK, -0.02, outline=False)
    ridge(easel, mood.horizon + 30, 8 + 8 * mood.agitation, 2, p.SAND, -0.06, roll=2.2)
    ridge(easel, mood.horizon + 54, 10 + 8 * mood.agitation, 1, p.SANDROCK, 0.1, roll=3.0)
    if spec.subject == "cactus":
        view = stage(easel, spec, 58)
        _cactus(view)
        _cactus(view.at(-0.9 if spec.side == "right" else 0.9, -0.1, 0.5))


SCENE_PAINTERS = {"sea": sea, "mountains": mountains, "meadow": meadow, "desert": desert}
