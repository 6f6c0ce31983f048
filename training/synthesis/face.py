"""The portrait: brows, lids, mouth and head carry the feeling, after the action units of Ekman & Friesen.

Anger (unpleasant, aroused, strong) draws the inner brows down; fear and sadness (weak) raise them; arousal
opens the eyes and the mouth; pleasure bends the mouth and reddens the cheeks; a strong person fills the
frame, chin up, a weak one shrinks and lowers the head.
"""

from training.synthesis import pigments as p
from training.synthesis.backdrop import plain_wall
from training.synthesis.easel import Easel
from training.synthesis.mood import Mood
from training.synthesis.pigments import Pigment
from training.synthesis.spec import Spec

SKINS = (
    Pigment(0.82, 0.06, 58),
    Pigment(0.74, 0.08, 55),
    Pigment(0.63, 0.09, 52),
    Pigment(0.50, 0.07, 48),
    Pigment(0.41, 0.05, 45),
)
HAIRS = (Pigment(0.25, 0.03, 50), Pigment(0.38, 0.07, 50), Pigment(0.52, 0.12, 45), Pigment(0.76, 0.11, 85))
GREY_HAIR = Pigment(0.80, 0.01, 80)
CLOTHES = (p.RED, p.BLUE, p.GREEN, p.PURPLE, p.TEAL, p.ORANGE)


def _hair_behind(easel: Easel, who: str, hair: Pigment) -> None:
    if who == "woman":
        easel.shape(
            ((-0.62, 0.75), (-0.66, -0.2), (-0.4, -0.82), (0.4, -0.82), (0.66, -0.2), (0.62, 0.75)),
            hair,
            -0.04,
        )
    elif who == "old_woman":
        easel.oval(0, -0.86, 0.26, 0.22, hair, -0.04)
        easel.oval(0, -0.2, 0.62, 0.62, hair)


def _head(easel: Easel, who: str, skin: Pigment, hair: Pigment) -> None:
    wide = 0.54 if who == "child" else 0.48
    for side in (-1, 1):
        easel.oval(side * wide, 0.02, 0.09, 0.14, skin, -0.05, still=True)
    easel.oval(0, 0, wide, 0.58 if who == "child" else 0.64, skin, still=True)
    if who == "old_man":
        easel.shape(
            ((-0.46, 0.12), (-0.3, 0.66), (0, 0.86), (0.3, 0.66), (0.46, 0.12), (0.3, 0.3), (-0.3, 0.3)),
            GREY_HAIR,
        )
    if who in ("man", "child", "woman", "old_woman"):
        low = -0.28 if who != "child" else -0.24
        crown = ((-wide - 0.04, low + 0.22), (-wide + 0.02, -0.5), (-0.2, -0.76), (0.2, -0.76))
        temple = ((wide - 0.02, -0.5), (wide + 0.04, low + 0.22), (wide - 0.1, low - 0.1))
        fringe = ((0.12, low - 0.16), (-0.1, low - 0.02), (-wide + 0.1, low - 0.06))
        easel.shape((*crown, *temple, *fringe), hair)
    else:
        for side in (-1, 1):
            easel.oval(side * 0.46, -0.22, 0.12, 0.22, hair)


def _eyes(easel: Easel) -> None:
    mood = easel.mood
    open_ = 0.035 + 0.085 * mood.agitation - 0.02 * mood.cheer * (1 - mood.agitation)
    open_ *= 0.12 + 0.88 * easel.moment.blink()
    gaze = 0.03 * min(0.0, mood.dominance) + easel.moment.sway(0.025, 0.6, 2.0)
    for side in (-1, 1):
        easel.oval(side * 0.21, -0.06, 0.125, open_, p.WHITE, 0.03, outline=False, still=True)
        iris = min(0.075, open_ * 1.05)
        easel.oval(side * 0.21 + gaze, -0.06 - gaze, iris, iris, p.DARK, -0.1, outline=False, still=True)
        easel.line(
            ((side * 0.34, -0.05), (side * 0.21, -0.065 - open_), (side * 0.08, -0.05)),
            0.035,
            p.DARK,
            still=True,
            smooth=True,
        )


def _brows(easel: Easel, hair: Pigment) -> None:
    mood = easel.mood
    strong = 0.5 + 0.5 * mood.dominance
    anger = mood.gloom * strong * (0.35 + 0.65 * mood.agitation)
    worry = mood.gloom * (1 - strong)
    raised = (
        easel.moment.sway(0.02, 0.8, 1.0) + 0.10 * (mood.agitation - 0.5) * (1 - strong) + 0.03 * mood.cheer
    )
    inner = -0.22 - raised + 0.12 * anger - 0.12 * worry + 0.03 * (strong - 0.5)
    outer = -0.22 - raised - 0.07 * anger + 0.09 * worry + 0.02 * (strong - 0.5)
    for side in (-1, 1):
        middle = (side * 0.22, (inner + outer) / 2 - 0.035 * (1 - anger))
        easel.line(
            ((side * 0.08, inner), middle, (side * 0.35, outer)), 0.062, hair, -0.08, still=True, smooth=True
        )


def _mouth(easel: Easel) -> None:
    mood = easel.mood
    half = 0.17 + 0.06 * mood.cheer - 0.02 * mood.gloom
    bend = 0.19 * mood.valence
    gape = max(0.0, 0.20 * max(0.0, mood.arousal - 0.1) + easel.moment.sway(0.035, 1.3))
    y = 0.34
    corner = y - 0.5 * bend
    if gape > 0.01:
        lip = [
            (-half, corner),
            (0, y + 0.35 * bend - 0.3 * gape),
            (half, corner),
            (0.6 * half, y + 0.7 * bend + gape),
            (-0.6 * half, y + 0.7 * bend + gape),
        ]
        easel.shape(lip, Pigment(0.30, 0.10, 20), outline=False, still=True)
        if gape > 0.05:
            easel.box(
                -0.6 * half,
                y + 0.05 * bend - 0.02,
                0.6 * half,
                y + 0.2 * bend + 0.03,
                p.WHITE,
                outline=False,
                still=True,
            )
    easel.line(
        ((-half, corner), (-0.5 * half, y + 0.4 * bend), (0.5 * half, y + 0.4 * bend), (half, corner)),
        0.045,
        Pigment(0.45, 0.13, 22),
        still=True,
        smooth=True,
    )


def place(spec: Spec, mood: Mood) -> tuple[tuple[float, float], float]:
    """Middle of the face and its size: near when strong, low in the frame and small when weak."""
    size = 44 * mood.closeness**0.88 * (0.88 if spec.subject == "child" else 1.0)
    x = 64 + {"left": -10, "centre": 0, "right": 10}[spec.side] * (1 - mood.dominance) / 2
    return (x, 128 - 1.42 * size + 6 * mood.dominance), size


def portrait(easel: Easel, spec: Spec) -> None:
    """Head and shoulders before a plain ground."""
    mood = easel.mood
    skin, hair, cloth = p.pick(easel.cast, SKINS), p.pick(easel.cast, HAIRS), p.pick(easel.cast, CLOTHES)
    if spec.subject.startswith("old"):
        hair = GREY_HAIR
    backs = (p.TEAL, p.WALL, p.FAR_ROCK, p.PURPLE)
    back = p.pick(easel.cast, backs)
    plain_wall(easel, 128, Pigment(0.64, back.chroma, back.hue))
    (x, y), size = place(spec, mood)
    nod = easel.moment.sway(0.03, 1.0, 0.5)
    view = easel.at(x, y + nod * size, size, fade=0.3 * mood.haze).swaying(0.05, 0.8, 1.0)
    droop = 0.10 * (1 - mood.dominance)
    _hair_behind(view, spec.subject, hair)
    view.shape(((-0.2, 0.4), (0.2, 0.4), (0.22, 1.0), (-0.22, 1.0)), skin, -0.08)
    broad = 1.05 + 0.2 * mood.dominance
    left = ((-broad, 2.2), (-broad, 1.05 + droop), (-0.3, 0.78 + 0.5 * droop))
    right = ((0.3, 0.78 + 0.5 * droop), (broad, 1.05 + droop), (broad, 2.2))
    view.shape((*left, (0, 0.9), *right), cloth)
    _head(view, spec.subject, skin, hair)
    turn = easel.moment.sway(0.05, 0.8, 1.0)
    features = view.at(turn, 0.06 - 0.05 * mood.dominance + easel.moment.sway(0.04, 1.0, 0.5))
    _eyes(features)
    _brows(features, hair if hair.light < 0.7 else hair.lifted(-0.25))
    features.line(((0.02, 0.0), (-0.06, 0.16), (0.04, 0.18)), 0.035, skin, -0.2, still=True)
    if mood.cheer > 0.1:
        for side in (-1, 1):
            features.oval(
                side * 0.32, 0.16, 0.1, 0.07, p.PINK, -0.05, alpha=0.5 * mood.cheer, outline=False, still=True
            )
    if spec.subject.startswith("old"):
        for side in (-1, 1):
            features.line(((side * 0.16, 0.17), (side * 0.26, 0.3)), 0.03, skin, -0.15, still=True)
    _mouth(features)


SCENE_PAINTERS = {"portrait": portrait}
