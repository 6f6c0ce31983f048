"""Clips as HTML: the player, the strip of frames over the curve, the files.

Every text that came from a person is escaped. Knows how things look, not how they come about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from studio.web import music_views, views
from studio.web.service import JobView

EMPTY = "Your clip appears here."
VIDEO, STRIP = ".mp4", ".jpg"
WORDS = {VIDEO: "Video", ".png": "Poster", STRIP: "Strip"}


def stage(shown: Sequence[JobView], empty: str = EMPTY) -> str:
    """The clips that are looked at, one below the other: player and strip of each. `empty`: HTML for none."""
    if not shown:
        return f'<div class="stage stage-empty"><p>{empty}</p></div>'
    several = len(shown) > 1
    return f'<div class="stage pieces clips">{"".join(figure(view, several) for view in shown)}</div>'


def downloads(view: JobView | None) -> str:
    """A link to each file of a finished clip."""
    return music_views.downloads(view, WORDS)


def link(view: JobView) -> str:
    """The strip, which opens in a tab of its own."""
    url = strip_url(view)
    title = "Frames over the curve of the feeling, larger, in a tab of its own"
    return (
        f'<a class="roll" href="{url}" target="_blank" rel="noopener" title="{title}">'
        f'<img src="{url}" alt="Frames of {views.alt(view)}"></a>'
        if url
        else ""
    )


def strip_url(view: JobView) -> str:
    """Where the picture of frames over the curve is; "" without one."""
    strip = next((path for path in view.files if path.suffix == STRIP), None)
    return views.file_url(strip) if strip else ""


def figure(
    view: JobView,
    is_one_of_several: bool,
    words: Mapping[str, str] = WORDS,
    strip: Callable[[JobView], str] = link,
) -> str:
    """One clip: its player, its `strip` and, among several, its files, by `words` for their suffixes."""
    key = f'data-key="{view.id}"'
    if not view.is_done:
        blank = views.picture(view) or '<div class="stage-blank"></div>' if view.is_open else ""
        caption = f"<figcaption>{views.caption(view)}</figcaption>"
        return f'<figure class="stage-{view.state}" {key}>{blank}{caption}</figure>'
    alone = music_views.look_alone(view) + music_views.downloads(view, words) if is_one_of_several else ""
    row = f'<div class="piece-row">{alone}</div>' if alone else ""
    caption = f"<figcaption>{views.caption(view)}</figcaption>" if view.notes else ""
    return f'<figure class="stage-done" {key}>{_player(view)}{strip(view)}{row}{caption}</figure>'


def _player(view: JobView) -> str:
    """The browser asks for the parts of the file that it needs: a long clip starts, and seeks, at once."""
    video = next((path for path in view.files if path.suffix == VIDEO), None)
    if video is None:
        return ""
    poster = f' poster="{views.file_url(view.picture)}"' if view.picture else ""
    return (
        f'<video controls playsinline preload="metadata"{poster} aria-label="Play {views.alt(view)}">'
        f'<source src="{views.file_url(video)}" type="video/mp4"></video>'
    )
