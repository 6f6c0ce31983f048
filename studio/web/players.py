"""HTML of several jobs in which only what has changed is replaced, so that what plays goes on playing.

Fires "select" as Tiles does. Every figure has its own `data-key`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.web.component import HTMLComponent

_SCRIPT = Path(__file__).with_name("players.js")


class Players(HTMLComponent):
    """Value: HTML, made by studio.web.music_views or studio.web.clip_views."""

    def __init__(self, value: str = "", **how: Any) -> None:
        super().__init__(
            value,
            html_template='<div class="players"></div>',
            js_on_load=_SCRIPT.read_text("utf-8"),
            apply_default_css=False,
            **how,
        )
