"""Named points on a picture that people drag: where the eyes, the nose, the mouth and the chin are.

Drawing and moving are in point_picker.js, .html and .css beside this file. What a browser sends is checked
here; whether the points make a face is checked by studio.landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import InputError, nearest
from studio.landmarks import NAMES
from studio.web.component import HTMLComponent

FOLDER = Path(__file__).parent
Points = dict[str, tuple[float, float]]


class PointPicker(HTMLComponent):
    """Value: name of studio.landmarks.NAMES -> (x, y) px of the picture. Fires "input" while and after one is

    moved. `picture`: its address; `size`: its [width, height] in px, whatever the address holds.
    """

    def __init__(
        self,
        value: Mapping[str, tuple[float, float]] | None = None,
        picture: str = "",
        size: tuple[int, int] = (1, 1),
        **how: Any,
    ) -> None:
        super().__init__(
            value or {},
            html_template=(FOLDER / "point_picker.html").read_text("utf-8"),
            css_template=(FOLDER / "point_picker.css").read_text("utf-8"),
            js_on_load=(FOLDER / "point_picker.js").read_text("utf-8"),
            apply_default_css=False,
            picture=picture,
            size=list(size),
            **how,
        )

    def preprocess(self, payload: Any) -> Points:
        try:
            return points_of(payload)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def postprocess(self, value: Any) -> Any:
        return {name: [round(x, 2), round(y, 2)] for name, (x, y) in points_of(value).items()}

    def example_payload(self) -> Any:
        return {"nose_tip": [120.0, 140.0]}

    def example_value(self) -> Any:
        return self.example_payload()

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}


def points_of(value: Any) -> Points:
    """What a browser or a script sent. Raises InputError: field, value and the nearest right name."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError("landmarks", None, "expected names with [x, y]")
    return {_known(name): _pair(name, point) for name, point in value.items()}


def _known(name: Any) -> str:
    if name not in NAMES:
        written = str(name)[:40]
        raise InputError("landmarks", written, f"unknown point {written!r}", nearest(written, NAMES))
    return str(name)


def _pair(name: str, point: Any) -> tuple[float, float]:
    numbers = list(point) if isinstance(point, list | tuple) else []
    if len(numbers) != 2 or not all(_is_number(number) for number in numbers):
        raise InputError("landmarks", name, f"{name} must be [x, y], got {str(point)[:40]!r}")
    return float(numbers[0]), float(numbers[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
