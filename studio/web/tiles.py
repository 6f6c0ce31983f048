"""HTML whose tiles can be clicked: fires "select" with {"job": id} for an element with data-job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.web.component import HTMLComponent

_SCRIPT = Path(__file__).with_name("tiles.js")


class Tiles(HTMLComponent):
    """Value: HTML, made by studio.web.views."""

    def __init__(self, value: str = "", **how: Any) -> None:
        super().__init__(value, js_on_load=_SCRIPT.read_text("utf-8"), apply_default_css=False, **how)
