"""Living beings with posture: animal and figure. Heads and backs rise with pleasure and with dominance."""

from math import pi

from training.synthesis import pigments as p
from training.synthesis.backdrop import ground, plain_wall, ridge, shadow, sky, stage
from training.synthesis.easel import Easel
from training.synthesis.pigments import Pigment
from training.synthesis.spec import Spec

FURS = (Pigment(0.60, 0.12, 55), Pigment(0.42, 0.05, 50), Pigment(0.78, 0.06, 75), Pigment(0.40, 0.01, 260))


def _eyes(easel: Easel, x: float, y: float, gap: float, size: float) -> None:
    """Wide when aroused, slits when calm."""
    open_ = size * (0.45 + 0.65 * easel.mood.agitation) * (0.1 + 0.9 * easel.moment.blink(0.3))
    for side in (-1, 1):
        easel.oval(x + side * gap, y, size, open_, p.YELLOW, outline=False, still=True)
        easel.oval(x + side * gap, y, size * 0.5, open_ * 0.9, p.DARK, -0.1, outline=False, still=True)


def _cat(easel: Easel, fur: Pigment) -> None:
    lift = 0.06 * easel.mood.dominance + easel.moment.sway(0.03, 0.7, 1.0)
    tail = -0.35 - 0.3 * easel.mood.valence + easel.moment.sway(0.08, 1.1)
    easel.line(
        ((0.25, -0.08), (0.55, -0.1), (0.58 + easel.moment.sway(0.14, 1.0), tail)),
        0.11,
        fur,
        -0.05,
        smooth=True,
    )
    easel.shape(((-0.32, 0), (-0.25, -0.45), (0, -0.62), (0.25, -0.45), (0.32, 0)), fur)
    for side in (-1, 1):
        easel.shape(
            ((side * 0.05, -0.9 - lift), (side * 0.24, -1.12 - lift), (side * 0.27, -0.8 - lift)), fur, -0.06
        )
    easel.oval(0, -0.76 - lift, 0.29, 0.25, fur, 0.03)
    _eyes(easel, 0, -0.8 - lift, 0.12, 0.07)
    easel.shape(
        ((-0.04, -0.7 - lift), (0.04, -0.7 - lift), (0, -0.65 - lift)),
        p.PINK,
        -0.1,
        outline=False,
        still=True,
    )


def _dog(easel: Easel, fur: Pigment) -> None:
    head = -0.72 - 0.1 * easel.mood.valence + easel.moment.sway(0.04, 0.8)
    wag = -0.55 - 0.3 * easel.mood.valence + easel.moment.sway(0.16, 1.5)
    easel.line(((0.5, -0.5), (0.72 + easel.moment.sway(0.08, 1.5, 1.0), wag)), 0.08, fur)
    for x in (-0.36, -0.22, 0.3, 0.44):
        easel.box(x - 0.06, -0.4, x + 0.06, 0, fur, -0.06, outline=False)
    easel.oval(0.05, -0.48, 0.52, 0.2, fur)
    easel.oval(-0.48, head, 0.2, 0.18, fur, 0.04)
    easel.oval(-0.68, head + 0.05, 0.14, 0.09, fur, 0.06)
    easel.oval(-0.8, head + 0.03, 0.05, 0.045, p.DARK, outline=False)
    easel.oval(-0.38, head + 0.04, 0.08, 0.18, fur, -0.12)
    easel.oval(-0.54, head - 0.05, 0.035, 0.02 + 0.03 * easel.mood.agitation, p.DARK, outline=False)


def _bird(easel: Easel, fur: Pigment) -> None:
    wing = max(-0.1, 0.25 + 0.35 * easel.mood.agitation + easel.moment.sway(0.22, 1.3))
    body = p.BLUE if fur.light > 0.5 else p.RED
    easel.line(((-0.1, -0.2), (-0.1, 0)), 0.05, p.ORANGE)
    easel.line(((0.08, -0.2), (0.08, 0)), 0.05, p.ORANGE)
    easel.shape(
        ((0.25, -0.45), (0.75, -0.5 - 0.15 * easel.mood.valence), (0.7, -0.3 - 0.15 * easel.mood.valence)),
        body,
        -0.1,
    )
    easel.oval(0, -0.42, 0.38, 0.27, body)
    easel.oval(-0.28, -0.75, 0.2, 0.19, body, 0.04)
    easel.shape(((-0.45, -0.8), (-0.72, -0.72), (-0.45, -0.67)), p.ORANGE)
    easel.oval(-0.33, -0.79, 0.045, 0.045, p.DARK, outline=False)
    easel.shape(((-0.1, -0.5), (0.2, -0.5 - wing), (0.42, -0.45 - 0.7 * wing), (0.25, -0.34)), body, -0.1)


def _horse(easel: Easel, fur: Pigment) -> None:
    nod = -0.98 - 0.08 * easel.mood.dominance - 0.06 * easel.mood.valence + easel.moment.sway(0.05, 0.8)
    for x in (-0.34, -0.22, 0.3, 0.42):
        step = easel.moment.sway(0.08, 1.0, 14 * x)
        easel.line(
            ((x, -0.4), (x + 0.08 * easel.mood.agitation * (1 if x > 0 else -1) + step, 0)), 0.085, fur, -0.07
        )
    easel.line(
        ((0.48, -0.6), (0.62, -0.5), (0.62 + easel.moment.sway(0.10, 1.2), -0.2)),
        0.09,
        p.BARK,
        -0.1,
        smooth=True,
    )
    easel.oval(0.05, -0.53, 0.47, 0.19, fur)
    easel.shape(((-0.42, -0.5), (-0.16, -0.6), (-0.36, nod), (-0.52, nod + 0.02)), fur)
    easel.shape(
        (
            (-0.36, nod - 0.04),
            (-0.48, nod - 0.02),
            (-0.78, nod + 0.2),
            (-0.7, nod + 0.28),
            (-0.42, nod + 0.18),
        ),
        fur,
        0.03,
    )
    easel.line(((-0.34, nod), (-0.14, -0.6)), 0.1, p.BARK, -0.1)


def _fish(easel: Easel, fur: Pigment) -> None:
    body = p.ORANGE if fur.light > 0.5 else p.TEAL
    fin = easel.moment.sway(0.09, 1.5)
    easel.shape(((0.35, -0.5), (0.75 - fin, -0.8 + fin), (0.68, -0.5), (0.75 + fin, -0.2 + fin)), body, -0.06)
    easel.shape(((-0.15, -0.7), (0.1, -0.98), (0.25, -0.65)), body, -0.08)
    easel.oval(-0.08, -0.5, 0.52, 0.3, body)
    easel.oval(-0.36, -0.58, 0.08, 0.08, p.WHITE, still=True)
    easel.oval(-0.37, -0.58, 0.045, 0.045, p.DARK, outline=False, still=True)
    curve = 0.07 * easel.mood.valence
    easel.line(
        ((-0.58, -0.42 - curve), (-0.48, -0.4 + curve), (-0.38, -0.42 - curve)), 0.03, p.DARK, still=True
    )


def _owl(easel: Easel, fur: Pigment) -> None:
    easel.swaying(0.05, 0.8)
    easel.oval(0, -0.42, 0.34, 0.42, fur)
    easel.oval(0, -0.34, 0.2, 0.28, fur, 0.15, outline=False)
    for side in (-1, 1):
        easel.shape(
            ((side * 0.3, -0.55), (side * (0.44 + easel.moment.sway(0.07, 1.2)), -0.2), (side * 0.26, -0.1)),
            fur,
            -0.1,
        )
        easel.shape(((side * 0.12, -0.92), (side * 0.32, -1.08), (side * 0.3, -0.8)), fur, -0.05)
    easel.oval(0, -0.8, 0.32, 0.2, fur, 0.02)
    _eyes(easel, 0, -0.8, 0.14, 0.11)
    easel.shape(((-0.05, -0.74), (0.05, -0.74), (0, -0.64)), p.ORANGE, outline=False, still=True)


def _alive(easel: Easel, subject: str) -> Easel:
    """The view in which the animal breathes, hops or swims."""
    moment = easel.moment
    if not moment.moves:
        return easel
    if subject == "fish":
        return easel.at(moment.sway(0.12, 0.7), moment.sway(0.07, 0.9, 1.0))
    hop = abs(moment.sway(0.10 if subject == "bird" else 0.03, 0.5))
    return easel.at(moment.sway(0.03, 0.5), -hop, 1 + moment.sway(0.025, 0.9, 2.0)).swaying(0.04, 0.8, 1.0)


def animal(easel: Easel, spec: Spec) -> None:
    """One animal, near, on grass (a fish: under water)."""
    mood = easel.mood
    if spec.subject == "fish":
        plain_wall(easel, 128, p.SEA.lifted(0.06))
        for i in range(5):
            y = easel.moment.carried(20.0 + 17 * (i % 3), -8, 116, -26)
            easel.oval(
                16 + 22 * i + easel.moment.sway(2.0, 1.2, i), y, 3.2, 3.2, p.FOAM, alpha=0.6, outline=False
            )
        ground(easel, 114, p.SAND, -0.08)
    else:
        sky(easel, spec, sun=False)
        ground(easel, mood.horizon, p.GRASS, 0.02)
        ground(easel, mood.horizon + 26, p.GRASS, -0.07)
    view = stage(easel, spec, 64)
    shadow(view, 0.45)
    view = _alive(view, spec.subject)
    draw = {"cat": _cat, "dog": _dog, "bird": _bird, "horse": _horse, "fish": _fish, "owl": _owl}[
        spec.subject
    ]
    draw(view, p.pick(easel.cast, FURS))


def _person(easel: Easel, coat: Pigment, arms: float, stride: float, dress: bool) -> None:
    """A standing person of height 1; `arms` runs from -1 (hanging) to 1 (thrown up)."""
    slump = 0.05 * (1 - easel.mood.valence) * (1 - 0.5 * easel.mood.dominance)
    head = (0.9 * slump, -0.9 + slump)
    step, moved = easel.moment.sway(0.11), arms
    for side in (-1, 1):
        foot = (side * stride - side * step, -max(0.0, 0.4 * side * easel.moment.sway(0.11, 1.0, pi / 2)))
        easel.line(((side * 0.05, -0.45), foot), 0.085, p.DARK, 0.08)
        arms = moved + side * easel.moment.sway(0.22)
        hand = (side * (0.22 + 0.14 * abs(arms)), -0.55 - 0.32 * arms + slump)
        easel.line(
            ((side * 0.1, -0.72 + slump), (side * 0.22, -0.6 - 0.1 * arms + slump), hand), 0.07, coat, -0.05
        )
    low = 0.24 if dress else 0.14
    hem = -0.25 if dress else -0.4
    easel.shape(((-low, hem), (-0.12, -0.78 + slump), (0.12, -0.78 + slump), (low, hem)), coat)
    easel.oval(*head, 0.1, 0.11, Pigment(0.72, 0.07, 55))
    easel.shape(
        (
            (head[0] - 0.11, head[1] - 0.01),
            (head[0] - 0.07, head[1] - 0.13),
            (head[0] + 0.07, head[1] - 0.13),
            (head[0] + 0.11, head[1] - 0.01),
        ),
        p.BARK,
        outline=False,
    )


def _walking(easel: Easel, liveliness: float) -> Easel:
    """The view in which a figure bobs twice a stride and sways its weight from side to side."""
    moment = easel.moment
    if not moment.moves:
        return easel
    bob = abs(moment.sway(0.05 * liveliness, 1.0, pi / 2))
    return easel.at(moment.sway(0.06, 0.5), -bob).swaying(0.07 * liveliness, 1.0, 0.6)


def figure(easel: Easel, spec: Spec) -> None:
    """Someone in the open, seen whole: posture carries what a face would."""
    mood = easel.mood
    sky(easel, spec)
    ridge(easel, mood.horizon + 4, 6, 2, p.FAR_ROCK, 0.1)
    ground(easel, mood.horizon + 4, p.SAND, -0.10)
    coat = p.pick(easel.cast, (p.RED, p.BLUE, p.GREEN, p.PURPLE))
    arms = 0.55 * mood.valence + 0.35 * (mood.agitation - 0.5) + 0.2 * mood.dominance
    stride = 0.06 + 0.16 * mood.agitation
    view = stage(easel, spec, 60)
    shadow(view, 0.3)
    view = _walking(view, 1.6 if spec.subject == "dancer" else 1.0)
    if spec.subject == "dancer":
        _person(view, coat, min(1.2, arms + 0.7), stride + 0.1, dress=True)
    elif spec.subject == "couple":
        _person(view.at(-0.24, 0), coat, arms, stride * 0.7, dress=True)
        _person(
            view.at(0.24, 0.02, 1.05), p.BLUE if coat != p.BLUE else p.RED, arms, stride * 0.7, dress=False
        )
    else:
        _person(view, coat, arms, stride, dress=False)
    if spec.subject == "umbrella":
        view.line(((0.24, -0.5), (0.2, -1.15)), 0.04, p.DARK)
        view.shape(((-0.25, -1.02), (-0.1, -1.25), (0.2, -1.35), (0.48, -1.25), (0.62, -1.02)), p.RED)


SCENE_PAINTERS = {"animal": animal, "figure": figure}
