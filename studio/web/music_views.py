"""Pieces of music as HTML: the piano roll, the player, the files.

Every text that came from a person is escaped. Knows how things look, not how they come about.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from studio.artifacts import read_provenance
from studio.emotion import VAD, parse_curve
from studio.errors import StudioError
from studio.piano_roll import colour
from studio.web import views
from studio.web.service import JobView

EMPTY = "Your piece appears here.<br><small>Draw what it feels, bar by bar, press Compose.</small>"
NOT_SOUND = {".mid", ".png"}
WORDS = {".mid": "MIDI", ".png": "Picture"}


def stage(shown: Sequence[JobView]) -> str:
    """The pieces that are looked at, one below the other: roll and player of each."""
    if not shown:
        return f'<div class="stage stage-empty"><p>{EMPTY}</p></div>'
    several = len(shown) > 1
    return f'<div class="stage pieces">{"".join(_figure(view, several) for view in shown)}</div>'


def _figure(view: JobView, is_one_of_several: bool) -> str:
    key = f'data-key="{view.id}"'
    if not view.is_done:
        blank = '<div class="stage-blank"></div>' if view.is_open else ""
        caption = f"<figcaption>{views.caption(view)}</figcaption>"
        return f'<figure class="stage-{view.state}" {key}>{blank}{caption}</figure>'
    alone = look_alone(view) + downloads(view) if is_one_of_several else ""
    row = f'<div class="piece-row">{alone}</div>' if alone else ""
    caption = f"<figcaption>{views.caption(view)}</figcaption>" if view.notes else ""
    return f'<figure class="stage-done" {key}>{_roll(view)}{_player(view)}{row}{caption}</figure>'


def _roll(view: JobView) -> str:
    if view.picture is None:
        return ""
    url = views.file_url(view.picture)
    title = "The piano roll, larger, in a tab of its own"
    return (
        f'<a class="roll" href="{url}" target="_blank" rel="noopener" title="{title}">'
        f'<img src="{url}" alt="Piano roll of {views.alt(view)}"></a>'
    )


def _player(view: JobView) -> str:
    sound = _sound(view)
    if sound is None:
        return ""
    kind = mimetypes.guess_type(sound.name)[0] or "audio/wav"
    name = f"Play {views.alt(view)}"
    return (
        f'<audio controls preload="metadata" aria-label="{name}">'
        f'<source src="{views.file_url(sound)}" type="{kind}"></audio>'
    )


def _sound(view: JobView) -> Path | None:
    return next((path for path in view.files if path.suffix not in NOT_SOUND), None)


def look_alone(view: JobView) -> str:
    """A button that shows one of several by itself."""
    words = f"Look at this one (seed {view.values['seed']})"
    return f'<button class="download" data-job="{view.id}">{words}</button>'


def downloads(view: JobView | None, words: Mapping[str, str] = WORDS) -> str:
    """A link to each file of a finished piece. `words`: names of suffixes that do not speak for them."""
    if view is None or not view.is_done:
        return ""
    links = "".join(
        f'<a class="download" href="{views.file_url(path)}" download="{escape(path.name, quote=True)}">'
        f"{words.get(path.suffix, path.suffix[1:].upper())}</a>"
        for path in view.files
    )
    return f'<span class="downloads">{links}</span>'


def bar_tints(view: JobView | None) -> list[str]:
    """A colour for each bar of a finished piece: that of its feeling; none where the bars are not known."""
    if view is None or not view.is_done:
        return []
    try:
        details = read_provenance(view.files[0]).get("details", {})
        count, length_s = details.get("bars", 0), details.get("length_s") or 1.0
        curve = parse_curve(str(view.values["emotion"]))
        points = [curve.at((bar + 0.5) / count, length_s) for bar in range(count)]
    except (StudioError, TypeError, AttributeError):  # it was moved away, or is somebody else's
        return []
    return [_css(point) for point in points]


def source(view: JobView | None, own: str | None) -> str:
    """Which piece is going to be changed: a person's own file, else the one that is looked at."""
    if own:
        which = f"your file <b>{escape(Path(own).name)}</b>"
    elif view is not None and view.is_done:
        which = f"<b>{escape(view.values.get('prompt') or view.files[0].name)}</b>"
    else:
        return '<p class="note">A piece that is done can be changed here, bar by bar.</p>'
    return f'<p class="change-what">Change {which}, with the feeling of the form</p>'


def _css(point: VAD) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour(point))
