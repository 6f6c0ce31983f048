"""Emotion Studio: what people ask for and what they get. Knows no model, no torch, no web page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.emotion import EmotionCurve, parse_curve, parse_emotion
    from studio.render import Studio
    from studio.request import RenderRequest, RenderResult

# Read by the hub's client when it is imported: nothing is reported to anybody.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = ["EmotionCurve", "RenderRequest", "RenderResult", "Studio", "parse_curve", "parse_emotion"]


def __getattr__(name: str) -> Any:
    """The public names, imported when asked for: `python -m studio --help` needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module 'studio' has no attribute {name!r}")
    from studio import emotion, render, request

    return next(getattr(module, name) for module in (emotion, render, request) if hasattr(module, name))
