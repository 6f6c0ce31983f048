"""Where the sky is the subject: storm and night sky."""

from math import cos, pi, sin

from training.synthesis import pigments as p
from training.synthesis.backdrop import ground, lid, ridge
from training.synthesis.easel import Easel
from training.synthesis.spec import Spec


def _bolt(easel: Easel, x: float, bottom: float, size: float) -> None:
    flash = 1.0
    if easel.moment.moves:  # it flares up and dies down, at the mood's pace
        flash = 0.15 + 0.85 * max(0.0, easel.moment.wave(1.0, 0.05 * x)) ** 0.7
    points = [(x, 14.0)]
    for i, side in enumerate((6, -3, 8, -6, 1), start=1):
        points.append((x + size * side, 14 + (bottom - 14) * (i + 0.3 * (i % 2)) / 5.3))
    easel.glow(x, bottom * 0.55, 40, p.LIGHTNING, 0.5 * flash)
    easel.line(points, 2.4 * size, p.LIGHTNING, 0.1, still=True, alpha=flash)


def storm(easel: Easel, spec: Spec) -> None:
    """Bad weather over an empty plain: a dark ceiling always, and a rainbow only when pleasant."""
    mood, rng = easel.mood, easel.rng
    easel.wash(0, mood.horizon + 10, p.STORM_CLOUD.lifted(0.10), p.Pigment(0.72, 0.05, 250))
    if mood.cheer > 0.1:
        for i, pigment in enumerate(p.SPECTRUM):
            radius = 62 - 3.2 * i
            arc = [
                (70 + radius * cos(pi * t / 12), mood.horizon + 16 - radius * sin(pi * t / 12))
                for t in range(13)
            ]
            easel.line(arc, 3.4, pigment, 0.1, alpha=0.8 * mood.cheer, still=True, smooth=True)
    lid(easel, p.STORM_CLOUD, 0.75)
    for i in range(4):
        churn = easel.moment.sway(6.0, 0.7, 1.6 * i)
        sink = easel.moment.sway(2.0, 1.0, 1.1 * i)
        view = easel.at(
            16 + 32 * i + rng.uniform(-8, 8) + churn,
            14 + rng.uniform(-4, 8) + sink,
            1.5 * mood.closeness**0.7,
        )
        for dx, dy, radius in ((-8, 0, 6), (0, 2, 8), (8, 0, 6)):
            view.oval(dx, dy, radius * 1.3, radius, p.STORM_CLOUD, -0.05 + 0.05 * (i % 2), outline=False)
    ground(easel, mood.horizon, p.PINE, 0.0)
    ground(easel, mood.horizon + 22, p.PINE, -0.08)
    x = 64.0 + {"left": -18, "centre": 0, "right": 18}[spec.side] * (1 - 0.5 * mood.dominance)
    if spec.subject == "lightning":
        _bolt(easel, x, mood.horizon + 4, 0.8 + 0.6 * mood.closeness)
        _bolt(easel, x + 38, mood.horizon - 2, 0.7)
    elif spec.subject == "tornado":
        for i in range(9):
            wide = (3.0 + 24 * (i / 8) ** 1.4) * mood.closeness**0.8
            y = mood.horizon + 8 - i * (mood.horizon - 8) / 9
            easel.oval(
                x + 5 * sin(i * 0.9 + easel.moment.flow(4.0)) + easel.moment.sway(0.8 * i, 0.8),
                y,
                wide,
                5.5,
                p.GREY,
                0.04 * (i % 2) - 0.1,
            )
    slant = 6 + 16 * mood.agitation
    for _ in range({"rain": 34, "clouds": 0, "lightning": 12, "tornado": 8}[spec.subject]):
        top, left = rng.uniform(24, 110), rng.uniform(-10, 138)
        left = easel.moment.carried(left, -10, 138, -0.5 * slant / 12 * 60)
        top = easel.moment.carried(top, 18, 116, 60)
        easel.line(((left, top), (left - slant * 0.5, top + 12)), 1.8, p.FOAM, alpha=0.35, still=True)


def night_sky(easel: Easel, spec: Spec) -> None:
    """Stars over black hills: always a dark picture, bluer and clearer when pleasant."""
    mood, rng = easel.mood, easel.rng
    easel.wash(
        0, mood.horizon + 20, p.NIGHT.lifted(0.05 * mood.valence), p.NIGHT_LOW.lifted(0.10 * mood.valence)
    )
    easel.glow(64, mood.horizon + 8, 80, p.TEAL, 0.4 * mood.cheer)
    if spec.subject == "aurora":
        for band, pigment in enumerate((p.GREEN, p.TEAL, p.PURPLE)):
            big = mood.closeness**0.7
            top = [
                (
                    x,
                    14
                    + 11 * big * band
                    + 8 * sin(x / 22 + band + easel.moment.flow(4.0 - band)) * (1 + mood.agitation),
                )
                for x in range(-30, 170, 14)
            ]
            low = [(x, y + 20 * big) for x, y in reversed(top)]
            easel.shape([*top, *low], pigment, 0.12, alpha=0.55, outline=False)
    if mood.gloom > (0.0 if easel.moment.moves else 0.1):
        lid(easel, p.STORM_CLOUD.lifted(-0.14), 0.8 * mood.gloom)
    for i in range(34 if spec.subject == "stars" else 16):
        size = rng.uniform(0.9, 1.6) * (1.4 if spec.subject == "stars" else 1.0)
        x, y = rng.uniform(0, 128), rng.uniform(2, mood.horizon)
        twinkle = 1 + easel.moment.sway(0.35, 1.4, 2.4 * i)
        alpha = (0.65 + 0.35 * mood.valence) * min(1.0, twinkle)
        size *= twinkle
        easel.oval(x, y, size, size, p.MOON, alpha=alpha, outline=False, still=True)
    x = 64.0 + {"left": -26, "centre": 4, "right": 26}[spec.side] * (1 - 0.7 * mood.dominance)
    if spec.subject == "moon":
        radius = 13 * mood.closeness
        x, radius = x + easel.moment.sway(2.5, 0.5), radius * (1 + easel.moment.sway(0.03, 1.2))
        easel.glow(x, 40, radius * (2.4 + easel.moment.sway(0.25)), p.MOON, 0.4)
        easel.oval(x, 40, radius, radius, p.MOON, still=True)
        for dx, dy, r in ((-0.3, -0.2, 0.22), (0.25, 0.3, 0.28), (0.3, -0.4, 0.14)):
            easel.oval(
                x + dx * radius, 40 + dy * radius, r * radius, r * radius, p.MOON, -0.12, outline=False
            )
    elif spec.subject == "comet":
        size = mood.closeness
        easel = (
            easel.at(easel.moment.sway(9.0, 0.7), easel.moment.sway(6.0, 0.7))
            if easel.moment.moves
            else easel
        )
        tail = ((x, 44), (x - 46 * size, 44 - 30 * size), (x - 34 * size, 44 - 36 * size))
        easel.shape(tail, p.FOAM, alpha=0.6, outline=False)
        easel.oval(x, 42, 6 * size, 6 * size, p.LIGHTNING, 0.1, outline=False)
    ridge(easel, mood.horizon + 14, 14 * mood.closeness, 3, p.NIGHT, -0.08)
    ground(easel, mood.horizon + 24, p.NIGHT, -0.14)


SCENE_PAINTERS = {"storm": storm, "night_sky": night_sky}
