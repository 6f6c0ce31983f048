"""HTML of several jobs in which only what has changed is replaced, so that what plays goes on playing.

Fires "select" as Tiles does. Every figure has its own `data-key`. Where figures have a strip of frames over
time (`.scrub`), it moves their player, and with a `clock` the page's other parts may too: scrub.js.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.web.component import HTMLComponent

_SCRIPTS = [Path(__file__).with_name(name) for name in ("players.js", "scrub.js")]


class Players(HTMLComponent):
    """Value: HTML, made by studio.web.music_views or studio.web.clip_views."""

    def __init__(self, value: str = "", clock: str = "", **how: Any) -> None:
        super().__init__(
            value,
            html_template='<div class="players"></div>',
            js_on_load="\n".join(script.read_text("utf-8") for script in _SCRIPTS),
            apply_default_css=False,
            clock=clock,
            **how,
        )
