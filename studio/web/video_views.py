"""Clips of the video page as HTML: the player over a strip of frames that moves it, notes of the form.

Every text that came from a person is escaped. Knows how things look, not how they come about.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from studio.emotion import EmotionCurve
from studio.film_strip import TIME_SPAN
from studio.web import clip_views, views
from studio.web.service import JobView

EMPTY = (
    "Your clip appears here.<br><small>Say what it shows, draw what it feels over time, press Render.</small>"
)
TITLES = {"image": "Start picture", "last_image": "End picture", "video": "A clip to draw anew"}
_TAKEN = {"image": "a start picture", "last_image": "an end picture", "video": "a clip to draw anew"}
HINT = "Click, drag or use the arrow keys: the player goes to that moment"


def stage(shown: Sequence[JobView]) -> str:
    """The clips that are looked at, one below the other."""
    if not shown:
        return f'<div class="stage stage-empty"><p>{EMPTY}</p></div>'
    several = len(shown) > 1
    figures = "".join(clip_views.figure(view, several, strip=scrubber) for view in shown)
    return f'<div class="stage pieces clips">{figures}</div>'


def scrubber(view: JobView) -> str:
    """The frames over the curve of the feeling, on which a moment is chosen."""
    url = clip_views.strip_url(view)
    if not url:
        return ""
    start, end = TIME_SPAN
    return (
        '<div class="roll scrub" role="slider" tabindex="0" aria-label="Moment of the clip" '
        'aria-valuemin="0" aria-valuemax="0" aria-valuenow="0" '
        f'data-from="{start:.5f}" data-to="{end:.5f}" '
        f'data-rate="{_rate(view):g}" title="{HINT}"><div class="scrub-page">'
        f'<img src="{url}" alt="Frames of {views.alt(view)}" draggable="false">'
        f'<i class="scrub-now" style="left: {start * 100:.3f}%"></i></div></div>'
    )


def _rate(view: JobView) -> float:
    rate = view.values.get("fps")
    return float(rate) if isinstance(rate, int | float) and rate > 0 else 12.0


def past_end(curve: EmotionCurve, length_s: float) -> str:
    """What to know where points lie beyond the end of the clip; "" where none does."""
    past = curve.keys_past(length_s) if length_s > 0 else ()
    if not past:
        return ""
    names = ", ".join(f"{key.emotion.text}@{key.at:g}s" for key in past[:3])
    more = f" and {len(past) - 3} more" if len(past) > 3 else ""
    verb, them = ("lies", "it") if len(past) == 1 else ("lie", "them")
    where = f"{names}{more} {verb} beyond the end at {length_s:g} s"
    return views.problem(f"{where}: move {them}, or make the clip {past[-1].at:g} s long")


def inputs_note(pipeline: str, names: Sequence[str]) -> str:
    """What a family starts from."""
    taken = [_TAKEN[name] for name in names if name in _TAKEN]
    if not taken:
        return f'<p class="note">{escape(pipeline)} starts from the prompt alone.</p>'
    listed = taken[0] if len(taken) == 1 else f"{', '.join(taken[:-1])} or {taken[-1]}"
    said = f"{pipeline} can start from {listed}. Without any it starts from the prompt."
    return f'<p class="note">{escape(said)}</p>'
