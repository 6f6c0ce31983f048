"""Takes as HTML: clips and motion alone, the preview, the muscles in words.

Every text that came from a person is escaped. Knows how things look, not how they come about.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from studio.web import clip_views, music_views, views
from studio.web.service import JobView

EMPTY = "Your clip appears here.<br><small>Choose who speaks, write a line, choose what it feels.</small>"
SOUND = ".wav"
WORDS = {
    ".mp4": "Video",
    ".png": "Picture",
    ".jpg": "Strip",
    ".csv": "Live Link CSV",
    ".glb": "glTF",
    ".json": "BEAT JSON",
    ".txt": "MetaHuman",
    ".wav": "Sound",
}


def stage(shown: Sequence[JobView]) -> str:
    """What is looked at: clips with player and strip, motion alone with pictures of it and its sound."""
    if not shown:
        return clip_views.stage([], EMPTY)
    several = len(shown) > 1
    figures = "".join(
        _motion(view, several) if _is_motion(view) else clip_views.figure(view, several, WORDS)
        for view in shown
    )
    return f'<div class="stage pieces clips">{figures}</div>'


def downloads(view: JobView | None) -> str:
    """A link to each file of a finished take."""
    return music_views.downloads(view, WORDS)


def preview(clip: bytes) -> str:
    """The first second, over and over, without a sound until somebody asks for it."""
    source = "data:video/mp4;base64," + base64.b64encode(clip).decode()
    return (
        '<video class="preview" autoplay loop muted playsinline controls aria-label="The first second" '
        f'src="{source}"></video>'
    )


def still(address: str) -> str:
    """Who is going to speak, while there is nothing to say yet."""
    return f'<img class="preview" src="{escape(address, quote=True)}" alt="Who speaks">' if address else ""


def movements(feeling: str, text: str) -> str:
    """What a feeling does to the face, in words."""
    said = ": the face is at rest" if text == "at rest" else f" moves: {escape(text)}"
    return f'<p class="movements"><b>{escape(feeling)}</b>{said}</p>'


def note(text: str) -> str:
    """A line on the picture of a person."""
    return f'<p class="note">{escape(text)}</p>' if text else ""


def _is_motion(view: JobView) -> bool:
    return view.is_done and not any(path.suffix == clip_views.VIDEO for path in view.files)


def _motion(view: JobView, is_one_of_several: bool) -> str:
    sound = next((path for path in view.files if path.suffix == SOUND), None)
    player = (
        f'<audio controls preload="metadata" aria-label="Play {views.alt(view)}">'
        f'<source src="{views.file_url(sound)}" type="audio/wav"></audio>'
        if sound
        else ""
    )
    alone = music_views.look_alone(view) + downloads(view) if is_one_of_several else ""
    row = f'<div class="piece-row">{alone}</div>' if alone else ""
    shown = f'<div class="roll">{views.picture(view)}</div>' if view.picture else ""
    caption = f"<figcaption>{views.caption(view)}</figcaption>" if view.notes else ""
    return f'<figure class="stage-done" data-key="{view.id}">{shown}{player}{row}{caption}</figure>'
