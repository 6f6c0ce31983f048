"""From a feeling to drawing quantities: where valence, arousal and dominance gain a look.

Sources: Valdez & Mehrabian 1994 (pleasure rises with brightness and saturation, arousal with saturation);
Wilms & Oberfeld 2018 disagree on brightness and arousal, so brightness stays out of arousal here;
Jonauskaite et al. 2020 (yellow and orange joy, green contentment, grey sadness, red anger); Machajdik &
Hanbury 2010 (diagonals and edge activity carry arousal); Poffenberger & Barrows 1924 (rising and smooth
lines are merry, falling lines sad, sharp lines agitated). Dominance is told by the camera: what is near and
seen from below looks strong, what is far off in empty space looks weak.
"""

from dataclasses import dataclass
from math import exp

from training.synthesis.spec import Attributes


def _squash(value: float) -> float:
    """A smooth step through 0.5 at 0, so that a colour family never switches over at a hard edge."""
    return 1.0 / (1.0 + exp(-4.0 * value))


@dataclass(frozen=True, slots=True)
class Mood:
    """Drawing quantities of one feeling. `vad` is in [-1, 1]; lengths are in 1/128 of the picture's side."""

    valence: float
    arousal: float
    dominance: float
    lift: float  # added to every colour's lightness (OKLab, 0..1)
    contrast: float  # stretches lightness around its middle
    chroma: float  # multiplies every colour's chroma
    tint: tuple[float, float]  # added to OKLab a and b
    softness: float  # 0 angular .. 1 round
    agitation: float  # 0 still .. 1 jagged, diagonal, crowded
    tilt_deg: float  # how far the camera leans, without its sign
    closeness: float  # scale of the subject; 1 is plain
    horizon: float  # height of the horizon line, measured from the top
    base: float  # where the subject stands
    haze: float  # 0..1 veil over far things and the rim of the picture
    outline: float  # width of contours
    looseness: float  # 0 blended .. 1 bold visible strokes
    blur: float  # softening of the whole picture
    lamp: float  # -1 low light .. 1 flooded with light

    @property
    def gloom(self) -> float:
        """How unpleasant, 0..1."""
        return max(0.0, -self.valence)

    @property
    def cheer(self) -> float:
        """How pleasant, 0..1."""
        return max(0.0, self.valence)


def _tint(valence: float, arousal: float, dominance: float) -> tuple[float, float]:
    """Gold for pleasure; blue for low, red for angry and violet for fearful displeasure."""
    cheer, gloom = max(0.0, valence), max(0.0, -valence)
    hot, strong = _squash(arousal), _squash(dominance)
    cold, red, violet = gloom * (1 - hot), gloom * hot * strong, gloom * hot * (1 - strong)
    return (
        0.012 * cheer - 0.014 * cold + 0.115 * red + 0.036 * violet,
        0.045 * cheer - 0.045 * cold + 0.050 * red - 0.080 * violet,
    )


def mood_of(vad: tuple[float, float, float], attributes: Attributes) -> Mood:
    """Translate a feeling, then let each visual attribute lean on the quantity it names."""
    valence, arousal, dominance = vad
    line, light = 2 * attributes.line - 1, 2 * attributes.light - 1
    near, vivid, loose = (
        2 * x - 1 for x in (attributes.composition, attributes.colour, attributes.brushwork)
    )
    horizon = 128 * (0.59 + 0.17 * dominance + 0.03 * near)
    return Mood(
        valence, arousal, dominance,
        lift=0.17 * valence + 0.06 * light,
        contrast=(0.98 + 0.35 * arousal) * (1 + 0.10 * dominance) * (1 + 0.12 * light * light),
        chroma=(0.88 + 0.60 * arousal + 0.14 * valence) * (1 + 0.40 * vivid),
        tint=_tint(valence, arousal, dominance),
        softness=min(1.0, max(0.0, 0.55 + 0.30 * valence - 0.40 * arousal - 0.15 * line)),
        agitation=0.5 + 0.5 * arousal,
        tilt_deg=5.5 * (0.5 + 0.5 * arousal) ** 1.5,
        closeness=exp(0.60 * dominance + 0.20 * near),
        horizon=horizon,
        base=horizon + (128 - horizon) * (0.50 + 0.30 * dominance),
        haze=0.40 - 0.40 * dominance,
        outline=max(0.5, 1.4 + 1.5 * dominance + 1.4 * line),
        looseness=min(1.0, max(0.0, 0.45 + 0.30 * arousal + 0.35 * loose)),
        blur=0.55 * max(0.0, -arousal) + 0.25 * (0.5 - 0.5 * line) - 0.12,
        lamp=light,
    )  # fmt: skip
