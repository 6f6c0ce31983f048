"""The affect pad: a point in valence, arousal, dominance that people move with mouse, finger or keys.

Drawing and moving are in affect_pad.js, .html and .css beside this file; words, their points and the readout
come from the lexicon. What a browser sends is checked here: to gradio a declared type is documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio.emotion import NEUTRAL, VAD, EmotionCurve, lexicon
from studio.errors import InputError, StudioError, nearest
from studio.web.affect_words import placed_words
from studio.web.component import HTMLComponent

FOLDER = Path(__file__).parent
AXES = ("valence", "arousal", "dominance")
DEFAULT_TAXONOMY = "emoart"  # words in all four quadrants of the plane
NAMED = 3  # how many of the nearest words the readout shows
LEAST_SHARE = 0.05
TRAIL_POINTS = 48


class AffectPad(HTMLComponent):
    """Value: a `VAD` in Python, {"valence", "arousal", "dominance"} on the wire, each in [-1, 1].

    Fires "input" while and after a person moves it. `taxonomy`: whose words are drawn and named.
    """

    def __init__(
        self,
        value: VAD | Mapping[str, float] | None = None,
        taxonomy: str = DEFAULT_TAXONOMY,
        words: list[dict[str, Any]] | None = None,
        trail: list[list[float]] | None = None,
        heard: Mapping[str, float] | None = None,
        **how: Any,
    ) -> None:
        """`words`: what is drawn, by default those of the taxonomy; `trail`: points of a curve; `heard`: the
        last move that the page has taken in (see `newest` in affect_pad.js)."""
        how.setdefault("label", "Emotion")
        self.taxonomy, self.trail = taxonomy, trail or []
        self.words = words_of(taxonomy) if words is None else words
        super().__init__(
            value or NEUTRAL,
            html_template=_asset("html"),
            css_template=_asset("css"),
            js_on_load=_asset("js"),
            apply_default_css=False,
            server_functions=[describe],
            taxonomy=taxonomy,
            words=self.words,
            trail=self.trail,
            heard=heard,
            **how,
        )

    def preprocess(self, payload: Any) -> VAD:
        try:
            return point_of(payload)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def postprocess(self, value: VAD | Mapping[str, float] | None) -> Any:
        vad = value if isinstance(value, VAD) else point_of(value or dict.fromkeys(AXES, 0.0))
        return wire_of(vad)

    def example_payload(self) -> Any:
        return {"valence": 0.42, "arousal": -0.1, "dominance": 0.0}

    def example_value(self) -> Any:
        return self.example_payload()

    def api_info(self) -> dict[str, Any]:
        axis = {"type": "number", "minimum": -1, "maximum": 1}
        return {"type": "object", "properties": dict.fromkeys(AXES, axis), "required": list(AXES)}


def wire_of(vad: VAD) -> dict[str, float]:
    """A point as a browser knows it."""
    return dict(zip(AXES, vad.as_tuple(), strict=True))


def point_of(value: Any) -> VAD:
    """The point that a browser or a script sent. Raises InputError: field, value and what would be right."""
    if not isinstance(value, Mapping):
        raise InputError("emotion", value, f"expected {{{', '.join(AXES)}}}, got {_short(value)}")
    for name in value:
        if name not in AXES:
            raise InputError(str(name), value[name], f"unknown axis {_short(name)}", nearest(str(name), AXES))
    return VAD(*(_number(axis, value.get(axis)) for axis in AXES))


def _number(axis: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(axis, value, f"must be a number in [-1, 1], got {_short(value)}")
    if not -1 <= value <= 1:  # NaN too
        near = "1" if value > 0 else "-1" if value < 0 else None
        raise InputError(axis, value, f"must be in [-1, 1], got {_short(value)}", near)
    return float(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def words_of(taxonomy: str) -> list[dict[str, Any]]:
    """The words that the pad draws for a taxonomy."""
    return [word.to_dict() for word in placed_words(taxonomy)]


def trail_of(curve: EmotionCurve) -> list[list[float]]:
    """The way of a curve across the plane as (valence, arousal) points; empty for a constant."""
    if curve.is_constant:
        return []
    points = curve.sample(TRAIL_POINTS, curve.keys[-1].at or None)  # one in seconds ends at its last key
    return [[round(vad.valence, 4), round(vad.arousal, 4)] for vad in points]


def nearest_text(vad: VAD, taxonomy: str) -> str:
    """`nearest: contentment 62%, calm 21%`; a point at neutral has no feeling to name."""
    if vad == NEUTRAL:
        return "neutral: as the model knows it"
    shares = sorted(lexicon().weights(vad, taxonomy).items(), key=lambda pair: -pair[1])
    named = [pair for index, pair in enumerate(shares[:NAMED]) if not index or pair[1] >= LEAST_SHARE]
    return "nearest: " + ", ".join(f"{word} {share:.0%}" for word, share in named)


def describe(asked: Any) -> dict[str, str]:
    """What the pad calls while it moves: the readout of a point, or one line on what is wrong with it."""
    try:
        if not isinstance(asked, Mapping):
            raise InputError("emotion", asked, f"expected a point, got {_short(asked)}")
        taxonomy = str(asked.get("taxonomy") or DEFAULT_TAXONOMY)
        vad = point_of({name: value for name, value in asked.items() if name != "taxonomy"})
        return {"nearest": nearest_text(vad, taxonomy)}
    except StudioError as error:
        return {"error": str(error)}


def _asset(suffix: str) -> str:
    return (FOLDER / f"affect_pad.{suffix}").read_text("utf-8")
