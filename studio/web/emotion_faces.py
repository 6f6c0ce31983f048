"""One emotion, three faces: a point on the pad, a label with an intensity, a text of the grammar.

The text is the truth; the other two are read from it. Whichever face a person changes, `Faces` is what all
three then show. Knows nothing of gradio.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from studio.emotion import NEUTRAL, VAD, EmotionCurve, lexicon, parse_curve
from studio.errors import InputError
from studio.params import ParamSpec, check

INTENSITY = ParamSpec(
    "intensity", float, 1.0, "share of the way from neutral to the label", min=0, max=1, step=0.05
)
MAX_TEXT_CHARS = 500


@dataclass(frozen=True, slots=True)
class Faces:
    """What pad (`vad`), picker (`label` of `taxonomy`, `intensity` in [0, 1]) and box (`text`) show.

    For a curve, `vad` is where it begins and `curve` draws the rest.
    """

    text: str
    vad: VAD
    taxonomy: str
    label: str
    intensity: float
    curve: EmotionCurve

    @classmethod
    def of_text(cls, text: str, taxonomy: str) -> Faces:
        """Blank is neutral. Raises EmotionError with the word, its column and the nearest right one."""
        if len(text) > MAX_TEXT_CHARS:
            why = f"has {len(text)} characters; at most {MAX_TEXT_CHARS} are read"
            raise InputError("emotion", text, why)
        curve = parse_curve(text if text.strip() else "neutral")
        vad = curve.keys[0].emotion.vad
        label = _named_label(curve, taxonomy) or lexicon().nearest(vad, taxonomy).word
        return cls(text, vad, taxonomy, label, _intensity(vad, label, taxonomy), curve)

    @classmethod
    def of_point(cls, vad: VAD, taxonomy: str) -> Faces:
        """Of a place on the pad, to two decimals."""
        return cls.of_text(point_text(vad), taxonomy)

    @classmethod
    def of_label(cls, taxonomy: str, label: str, intensity: Any) -> Faces:
        """Raises EmotionError for an unknown label, or one without a point; InputError for the intensity."""
        share = check(INTENSITY, intensity)
        found = lexicon().lookup(f"{taxonomy}/{label}")
        vad = found.vad  # raises for a label without a point, with the reason
        if not share or vad == NEUTRAL:
            return cls("neutral", NEUTRAL, taxonomy, label, share, parse_curve("neutral"))
        same = lexicon().lookup(label).point == vad if label in lexicon().words() else False
        name = label if same else found.name
        text = name if share == 1 else f"{name}:{share:g}"
        curve = parse_curve(text)
        return cls(text, curve.keys[0].emotion.vad, taxonomy, label, share, curve)


def point_text(vad: VAD) -> str:
    """`v=0.42 a=-0.1 d=0`, to two decimals; `neutral` at the origin."""
    values = [round(value, 2) + 0.0 for value in vad.as_tuple()]
    if not any(values):
        return "neutral"
    return " ".join(f"{name}={value:g}" for name, value in zip("vad", values, strict=True))


def taxonomies() -> list[tuple[str, str]]:
    """(title, name) of every taxonomy, as a picker lists them."""
    return [(_short_title(taxonomy.title), name) for name, taxonomy in lexicon().taxonomies.items()]


def _short_title(title: str) -> str:
    return re.split(r"[(:,]", title)[0].strip()


def labels(taxonomy: str) -> list[str]:
    """The labels of a taxonomy that have a point, in its order. EmotionError for an unknown taxonomy."""
    return [label.word for label in lexicon().labels(taxonomy) if label.point is not None]


def _named_label(curve: EmotionCurve, taxonomy: str) -> str | None:
    """The one label that a constant was written with, where the taxonomy has it at the same direction."""
    weights = curve.keys[0].emotion.weights if curve.is_constant else ()
    if len(weights) != 1:
        return None
    name = weights[0][0]
    word = name.partition("/")[2] if lexicon().is_qualified(name) else name
    if word not in labels(taxonomy):
        return None
    written, listed = curve.keys[0].emotion.vad, lexicon().lookup(f"{taxonomy}/{word}").vad
    return word if _are_parallel(written, listed) else None


def _are_parallel(one: VAD, other: VAD) -> bool:
    """Neutral has no direction and goes with every other."""
    dot = sum(a * b for a, b in zip(one.as_tuple(), other.as_tuple(), strict=True))
    return dot >= 0.9999 * math.hypot(*one.as_tuple()) * math.hypot(*other.as_tuple())


def _intensity(vad: VAD, label: str, taxonomy: str) -> float:
    full = lexicon().lookup(f"{taxonomy}/{label}").vad.intensity
    return round(min(1.0, vad.intensity / full), 2) if full else 0.0
