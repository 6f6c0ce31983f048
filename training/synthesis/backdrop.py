"""What many scenes share: sky, sun and clouds, hills, ground, and the place where the subject stands."""

from math import pi, sin

from training.synthesis import pigments as p
from training.synthesis.easel import Easel
from training.synthesis.pigments import Pigment
from training.synthesis.spec import Spec

LEFT, RIGHT, FLOOR = -30.0, 158.0, 175.0  # beyond the edges, for the camera may lean


def sky(easel: Easel, spec: Spec, upper: Pigment = p.SKY, sun: bool = True) -> None:
    """Sky down to the horizon; sun and white clouds when pleasant, a heavy lid of cloud when not."""
    lower = {"day": p.SKY_LOW, "dawn": p.DAWN, "dusk": p.DUSK}[spec.hour]
    easel.wash(0, easel.mood.horizon + 12, upper, lower)
    if sun:
        _sun(easel, spec)
    clouds(easel)


def _shown(easel: Easel, value: float, edge: float) -> float:
    """1 beyond `edge`, else 0; in a film, where things must not pop up, a way from one to the other."""
    if not easel.moment.moves:
        return float(value >= edge)
    return min(1.0, max(0.0, (value - edge) / 0.2 + 0.5))


def _sun(easel: Easel, spec: Spec) -> None:
    """A sun that shrinks and pales away as the mood sinks."""
    strength = 0.55 + 0.55 * easel.mood.valence
    shown = _shown(easel, strength, 0.15)
    if shown <= 0.0:
        return
    easel, moment = easel.own(11), easel.moment
    x = {"left": 96.0, "centre": 28.0, "right": 30.0}[spec.side] + easel.rng.normal(0, 6)
    y = easel.mood.horizon * easel.rng.uniform(0.25, 0.45) + moment.sway(1.2, 0.6, 1.0)
    radius = 5 + 5 * strength + moment.sway(0.5, 1.3)
    easel.glow(x, y, radius * 3.4, p.SUN, 0.75 * strength * shown)
    alpha = shown * min(1.0, 0.3 + strength)
    easel.oval(x, y, radius, radius, p.SUN, 0.05, alpha=alpha, outline=False, still=True)


def plain_wall(easel: Easel, bottom: float, pigment: Pigment) -> None:
    """A background without things: sunlit from above when pleasant, dark above when not."""
    mood = easel.mood
    easel.wash(0, bottom, pigment.lifted(0.06 + 0.10 * mood.valence), pigment.lifted(-0.04))
    easel.glow(20, 10, 100, p.SUN, 0.55 * mood.cheer)
    easel.glow(64, -30, 110, p.STORM_CLOUD, 0.75 * mood.gloom)


def clouds(easel: Easel) -> None:
    """Round white puffs rise with pleasure; dark slabs hang from above with displeasure."""
    mood, rng = easel.mood, easel.rng
    for i in range(3):
        x, y = rng.uniform(0, 128), rng.uniform(0.12, 0.55) * mood.horizon
        size = rng.uniform(0.7, 1.2)
        x = easel.moment.carried(x, -24, 152, 14 * size)
        y += easel.moment.sway(1.0, 0.8, 2.0 * i)
        cloud = easel.at(x, y, size)
        if mood.valence > (-0.55 if easel.moment.moves else -0.35):
            puff(cloud, p.CLOUD, 0.15 + 0.75 * min(1.0, mood.valence + 0.35))
    if mood.gloom > (0.0 if easel.moment.moves else 0.1):
        lid(easel, p.STORM_CLOUD, mood.gloom)


def puff(easel: Easel, pigment: Pigment, alpha: float) -> None:
    """One cumulus, about 30 wide."""
    for x, y, radius in ((-9, 0, 5.5), (0, -3, 7.5), (9, 0, 5.5)):
        easel.oval(x, y, radius * 1.25, radius, pigment, alpha=alpha, outline=False)
    easel.box(-14, -1, 14, 5, pigment, alpha=alpha, outline=False)


def lid(easel: Easel, pigment: Pigment, strength: float) -> None:
    """A sagging sheet of cloud over the top of the picture, thicker the stronger (0..1)."""
    depth = easel.mood.horizon * (0.12 + 0.38 * strength)
    alpha = 0.35 + 0.5 * strength
    if easel.moment.moves:  # it gathers out of clear air
        alpha *= min(1.0, strength / 0.2)
    for layer in range(2):
        edge = [
            (
                x,
                depth * (1 - 0.4 * layer)
                + 5 * sin(0.37 * x + 2 * layer + easel.moment.flow(2.4))
                + 7 * strength * sin(pi * x / 128),
            )
            for x in range(-30, 170, 16)
        ]
        outline = [(LEFT, -40), *edge, (RIGHT, -40)]
        easel.shape(outline, pigment, 0.06 - 0.10 * layer, alpha=alpha, outline=False)


def ridge(easel: Easel, foot: float, height: float, peaks: int, pigment: Pigment, lift: float = 0.0,
          roll: float = 0.0) -> None:  # fmt: skip
    """Hills that arch up in the middle when pleasant and sag when not; dunes `roll` in a film."""
    mood, rng = easel.mood, easel.rng
    points = [(LEFT, FLOOR), (LEFT, foot)]
    steps = 2 * peaks
    for i in range(steps + 1):
        x = LEFT + (RIGHT - LEFT) * i / steps + rng.uniform(-5, 5)
        swell = 0.55 * height * mood.valence * sin(pi * min(max(x / 128, 0.0), 1.0))
        top = height * (rng.uniform(0.7, 1.15) if i % 2 else rng.uniform(0.05, 0.35))
        points.append((x, foot - top - swell + easel.moment.sway(roll, 0.8, 1.3 * i)))
    easel.shape([*points, (RIGHT, foot), (RIGHT, FLOOR)], pigment, lift)


def ground(easel: Easel, top: float, pigment: Pigment, lift: float = 0.0) -> None:
    """The near ground: a mound for a pleasant mood, a hollow for an unpleasant one."""
    bow = 7.0 * easel.mood.valence
    edge = [(x, top - bow * sin(pi * min(max(x / 128, -0.2), 1.2)) + 0.5 * bow) for x in range(-30, 170, 12)]
    easel.shape([(LEFT, FLOOR), *edge, (RIGHT, FLOOR)], pigment, lift)


def subject_x(easel: Easel, spec: Spec) -> float:
    """Where the subject stands: in the middle when strong, towards its side when weak."""
    offset = {"left": -1.0, "centre": 0.15, "right": 1.0}[spec.side]
    return 64 + offset * (17 - 13 * easel.mood.dominance)


def stage(easel: Easel, spec: Spec, height: float = 58.0) -> Easel:
    """A view in which the subject is 1 unit tall and stands on the ground; nearer when the mood is strong."""
    mood = easel.mood
    scale = height * mood.closeness
    return easel.at(subject_x(easel, spec), mood.base, scale, fade=0.45 * mood.haze * (mood.dominance < 0.6))


def shadow(easel: Easel, half_width: float, depth: float = 0.05) -> None:
    """A cast shadow under a subject that stands at (0, 0)."""
    easel.oval(0.06, 0.0, half_width, depth, p.DARK, alpha=0.35, outline=False)
