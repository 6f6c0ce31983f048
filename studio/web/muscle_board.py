"""The action units of a face as sliders: what the feeling does to each, and those held by hand.

Drawing and moving are in muscle_board.js, .html and .css beside this file. The value is a text such as
`AU4=0.8, AU12=0.3`, read by studio.muscles; a unit that is not in it follows the feeling.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio import muscles
from studio.errors import StudioError
from studio.web.component import HTMLComponent

FOLDER = Path(__file__).parent
REGIONS = {"brow": "Brows", "eye": "Eyes", "nose": "Nose", "mouth": "Mouth"}


class MuscleBoard(HTMLComponent):
    """Value: text. `asked`: unit number -> intensity in [0, 1] that the feeling asks for."""

    def __init__(
        self,
        value: str = "",
        asked: Mapping[int, float] | None = None,
        units: list[list[Any]] | None = None,
        **how: Any,
    ) -> None:
        """`units`: those of `units_wire`. An update names both: gradio forgets the other properties of what

        is not open yet."""
        super().__init__(
            value,
            html_template=(FOLDER / "muscle_board.html").read_text("utf-8"),
            css_template=(FOLDER / "muscle_board.css").read_text("utf-8"),
            js_on_load=(FOLDER / "muscle_board.js").read_text("utf-8"),
            apply_default_css=False,
            units=units or units_wire(),
            asked=asked_wire(asked or {}),
            **how,
        )

    def preprocess(self, payload: Any) -> str:
        if payload is None:
            return ""
        try:
            held = muscles.parse(payload) if isinstance(payload, str) else {}
            return ", ".join(f"AU{number}={round(value, 2):g}" for number, value in held.items())
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def postprocess(self, value: Any) -> str:
        """Names become numbers, which is what the script reads."""
        return self.preprocess(str(value or ""))


def asked_wire(asked: Mapping[int, float]) -> dict[str, float]:
    """Intensities as a browser knows them."""
    return {str(number): round(value, 3) for number, value in asked.items()}


def units_wire() -> list[list[Any]]:
    """[region, [[number, what one sees, name], ...]] each."""
    found = muscles.units().values()
    return [
        [title, [[unit.number, unit.plain, unit.name] for unit in found if unit.region == region]]
        for region, title in REGIONS.items()
    ]
