"""Bars of a piece that are picked by mouse, finger, keys or text: `5-8, 13`; none is all of them.

Drawing and picking are in bar_picker.js and .css beside this file. The text is the value; what it names is
checked where it is used, against the piece.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from studio.web.component import HTMLComponent

FOLDER = Path(__file__).parent
MAX_CHARS = 400


class BarPicker(HTMLComponent):
    """Value: text. `tints`: a CSS colour for each bar of the piece; without any, only the text is there."""

    def __init__(self, value: str = "", tints: list[str] | None = None, **how: Any) -> None:
        super().__init__(
            value,
            html_template=(FOLDER / "bar_picker.html").read_text("utf-8"),
            css_template=(FOLDER / "bar_picker.css").read_text("utf-8"),
            js_on_load=(FOLDER / "bar_picker.js").read_text("utf-8"),
            apply_default_css=False,
            tints=tints or [],
            **how,
        )

    def preprocess(self, payload: Any) -> str:
        if payload is None:
            return ""
        if not isinstance(payload, str) or len(payload) > MAX_CHARS:
            raise gr.Error("bars: expected a text such as 5-8, 13", print_exception=False)
        return payload

    def postprocess(self, value: Any) -> str:
        return str(value or "")
