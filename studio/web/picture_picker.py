"""One of a few small pictures, picked by mouse, finger or keys: a portrait, or a face of several.

Drawing and picking are in picture_picker.js, .html and .css beside this file. The value is a name; what it
names is checked where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from studio.web.component import HTMLComponent

FOLDER = Path(__file__).parent
MAX_CHARS = 100


class PicturePicker(HTMLComponent):
    """Value: the name of a picture, "" for none. `pictures`: [name, address of a picture, words] each."""

    def __init__(
        self, value: str = "", pictures: Sequence[Sequence[str]] = (), title: str = "", **how: Any
    ) -> None:
        """`title`: what all of them are, for screen readers."""
        super().__init__(
            value,
            html_template=(FOLDER / "picture_picker.html").read_text("utf-8"),
            css_template=(FOLDER / "picture_picker.css").read_text("utf-8"),
            js_on_load=(FOLDER / "picture_picker.js").read_text("utf-8"),
            apply_default_css=False,
            pictures=[list(each) for each in pictures],
            title=title,
            **how,
        )

    def preprocess(self, payload: Any) -> str:
        if payload is None:
            return ""
        if not isinstance(payload, str) or len(payload) > MAX_CHARS:
            raise gr.Error("picture: expected the name of one", print_exception=False)
        return payload

    def postprocess(self, value: Any) -> str:
        return str(value or "")
