"""The curve editor: points over the length of a piece, valence and arousal as two lines over a coloured band.

Drawing and moving are in curve_editor.js, .html and .css beside this file. What a browser sends is checked
here, by the emotion core: to gradio a declared type is documentation.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.emotion import NEUTRAL, VAD, EmotionCurve, Key, parse_curve, parse_emotion
from studio.errors import InputError, StudioError
from studio.piano_roll import colour
from studio.web.component import HTMLComponent
from studio.web.emotion_faces import point_text

FOLDER = Path(__file__).parent
MAX_KEYS = 32
_TINTS = 48  # colours around the plane, which the band is mixed from


@dataclass(frozen=True, slots=True)
class Drawn:
    """A curve and the index of the point that is chosen."""

    curve: EmotionCurve
    selected: int = 0

    @property
    def point_text(self) -> str:
        """The text of the chosen point."""
        return self.curve.keys[self.selected].emotion.text

    @property
    def is_plain(self) -> bool:
        """Whether there is no curve but one emotion, which any of its texts says."""
        return len(self.curve.keys) == 1 and self.curve.keys[0].at == 0

    def with_point(self, text: str) -> Drawn:
        """The chosen point with another emotion. Raises EmotionError."""
        keys = list(self.curve.keys)
        keys[self.selected] = Key(keys[self.selected].at, parse_emotion(text))
        return dataclasses.replace(self, curve=EmotionCurve(tuple(keys), self.curve.unit))

    def with_curve(self, curve: EmotionCurve) -> Drawn:
        """Another curve, the chosen point the same by number where there is one."""
        return Drawn(curve, min(self.selected, len(curve.keys) - 1))


class CurveEditor(HTMLComponent):
    """Value: `Drawn` in Python; on the wire {"keys": EmotionCurve.to_json, "selected": index}.

    Fires "input" while and after a person moves, adds, removes or chooses a point.
    """

    def __init__(
        self,
        value: Drawn | Mapping[str, Any] | None = None,
        heard: Mapping[str, Any] | None = None,
        length_s: float | None = None,
        in_seconds: bool = False,
        clock: str = "",
        **how: Any,
    ) -> None:
        """`heard`: the last change that the page has taken in (see `newest` in curve_editor.js); `length_s`:

        of what the curve is for, where it is known: points in seconds are drawn against it; `in_seconds`: the
        axis is time where it is known; `clock`: of the player that shows moments of it (see scrub.js)."""
        how.setdefault("label", "Emotion over time")
        super().__init__(
            value or Drawn(parse_curve("neutral")),
            html_template=_asset("html"),
            css_template=_asset("css"),
            js_on_load=_asset("js"),
            apply_default_css=False,
            tints=tints(),
            most=MAX_KEYS,
            heard=heard,
            length_s=length_s,
            in_seconds=in_seconds,
            clock=clock,
            **how,
        )

    def preprocess(self, payload: Any) -> Drawn:
        try:
            return drawn_of(payload)
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def postprocess(self, value: Any) -> Any:
        if isinstance(value, Drawn):
            return drawn_wire(value)
        return drawn_wire(drawn_of(value))

    def example_payload(self) -> Any:
        return drawn_wire(Drawn(parse_curve("sadness@0, joy@100%")))

    def example_value(self) -> Any:
        return self.example_payload()

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "required": ["keys", "selected"]}


def drawn_wire(drawn: Drawn) -> dict[str, Any]:
    """A curve as a browser knows it."""
    return {"keys": drawn.curve.to_json(), "selected": drawn.selected}


def drawn_of(value: Any) -> Drawn:
    """The curve that a browser or a script sent. Raises InputError: field, value and what would be right.

    A point that was moved comes without text; it gets that of its place, to two decimals.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("keys"), list):
        raise InputError("emotion", None, "expected {keys, selected}")
    keys, selected = value["keys"], value.get("selected", 0)
    if len(keys) > MAX_KEYS:
        raise InputError("keys", len(keys), f"at most {MAX_KEYS} points, got {len(keys)}", str(MAX_KEYS))
    curve = EmotionCurve.from_json([_named(key) for key in keys])
    if isinstance(selected, bool) or not isinstance(selected, int) or not 0 <= selected < len(curve.keys):
        why = f"must be 0 to {len(curve.keys) - 1}, got {str(selected)[:40]!r}"
        raise InputError("selected", selected, why, "0")
    return Drawn(curve, selected)


def _named(key: Any) -> Any:
    if not isinstance(key, Mapping) or key.get("text"):
        return key
    point = VAD(*(key.get(axis, 0.0) for axis in "vad"))
    return {name: key[name] for name in ("at", "unit") if name in key} | {"text": point_text(point)}


def tints() -> list[tuple[int, int, int]]:
    """Colours of the rim of the plane, counter-clockwise from valence 1, and last that of the middle."""
    turns = (2 * math.pi * index / _TINTS for index in range(_TINTS))
    rim = [colour(VAD(round(math.cos(turn), 6), round(math.sin(turn), 6), 0.0)) for turn in turns]
    return [*rim, colour(NEUTRAL)]


def _asset(suffix: str) -> str:
    return (FOLDER / f"curve_editor.{suffix}").read_text("utf-8")
