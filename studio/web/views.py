"""Jobs as HTML: the stage (what is looked at), the strip (what was made), and what made a picture.

Every text that came from a person is escaped here. Knows how things look, not how they come about.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from studio.emotion import parse_curve
from studio.errors import StudioError
from studio.web.service import JobView

EMPTY = "Your picture appears here.<br><small>Say what it shows, choose what it feels, press Render.</small>"
FIRST_TIME = "loading the model takes a few seconds the first time"
_NAMES = {
    "prompt": "Prompt",
    "negative_prompt": "Not",
    "seed": "Seed",
    "model": "Model",
    "pipeline": "Pipeline",
}


def stage(views: Sequence[JobView]) -> str:
    """The jobs that are looked at: one large, several as a grid."""
    if not views:
        return f'<div class="stage stage-empty"><p>{EMPTY}</p></div>'
    several = " stage-several" if len(views) > 1 else ""
    return f'<div class="stage{several}">{"".join(_figure(view, len(views) > 1) for view in views)}</div>'


def _figure(view: JobView, is_one_of_several: bool) -> str:
    shown = picture(view) or '<div class="stage-blank"></div>'
    if is_one_of_several:
        title = f"Picture {view.id}: {view.word}"
        shown = f'<button class="stage-pick" data-job="{view.id}" aria-label="{title}">{shown}</button>'
    return f'<figure class="stage-{view.state}">{shown}<figcaption>{caption(view)}</figcaption></figure>'


def caption(view: JobView) -> str:
    """How far a job is, what went wrong, what there is to know about the result."""
    if view.is_open:
        percent = round(view.progress * 100)
        bar = (
            '<div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" '
            f'aria-valuenow="{percent}"><i style="width: {percent}%"></i></div>'
        )
        return f'{bar}<span class="stage-words">{escape(_progress_words(view))}</span>'
    if view.error:
        return f'<span class="problem" role="alert">{escape(view.error)}</span>'
    notes = "".join(f'<span class="note">{escape(note)}</span>' for note in view.notes)
    return notes if view.is_done else f'<span class="stage-words">{view.word}</span>'


def _progress_words(view: JobView) -> str:
    if view.state == "queued":
        return "waiting for its turn"
    if not view.progress:
        return f"starting; {FIRST_TIME}"
    steps = view.steps
    done = f"step {steps[0]} of {steps[1]}" if steps else f"{view.progress:.0%}"
    return done if view.eta_s is None else f"{done}, about {_duration(view.eta_s)} left"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"


def picture(view: JobView) -> str:
    """What can be looked at of a job, or its newest preview; nothing where there is neither."""
    if view.picture is None:
        return ""
    source = file_url(view.picture) if view.is_done else _inline(view.picture)
    return f'<img src="{source}" alt="{alt(view)}">' if source else ""


def alt(view: JobView) -> str:
    """A job in words, for an attribute of a tag."""
    return escape(f"{_name(view)}, feeling: {view.values['emotion']}", quote=True)


def _name(view: JobView) -> str:
    return view.values["prompt"] or "untitled"


def file_url(path: Path) -> str:
    """Where a browser gets the file, byte for byte; relative, so that it holds behind a proxy too."""
    return "gradio_api/file=" + quote(path.as_posix())


def _inline(path: Path) -> str:
    """A preview as a data URL: the file behind it changes twice a second and goes away when it likes."""
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError:
        return ""


def strip(views: Sequence[JobView], focus: Sequence[int]) -> str:
    """The newest jobs as small tiles."""
    if not views:
        return ""
    tiles = "".join(_tile(view, view.id in focus) for view in views)
    return f'<div class="strip" role="group" aria-label="Made so far">{tiles}</div>'


def _tile(view: JobView, is_shown: bool) -> str:
    title = escape(f"{_name(view)} ({view.values['emotion']}): {view.word}", quote=True)
    inside = picture(view) if view.is_done else f"<span>{_tile_words(view)}</span>"
    return (
        f'<button class="tile tile-{view.state}" data-job="{view.id}" title="{title}" aria-label="{title}" '
        f'aria-pressed="{str(is_shown).lower()}">{inside}</button>'
    )


def _tile_words(view: JobView) -> str:
    return f"{view.progress:.0%}" if view.state == "leased" else view.word


def made(view: JobView | None) -> str:
    """What made a picture: for reading, and as JSON."""
    if view is None:
        return ""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _facts(view))
    text = escape(json.dumps(view.values, indent=2, ensure_ascii=False))
    return (
        f'<div class="made"><details><summary>What made this</summary><dl>{rows}</dl>'
        f"<details><summary>As JSON</summary><pre>{text}</pre></details></details></div>"
    )


def download(view: JobView | None) -> str:
    """A link to the file itself; nothing while there is none."""
    if view is None or not view.is_done or view.picture is None:
        return ""
    name = escape(view.picture.name, quote=True)
    return f'<a class="download" href="{file_url(view.picture)}" download="{name}">Download</a>'


def _facts(view: JobView) -> list[tuple[str, str]]:
    values = dict(view.values)
    facts = [(_NAMES[name], str(values.pop(name))) for name in _NAMES if values.get(name, "") != ""]
    emotion = str(values.pop("emotion"))
    facts.insert(1, ("Emotion", f"{emotion} ({_points(emotion)})"))
    facts.append(("Adapters", ", ".join(values.pop("adapters")) or "none"))
    values.pop("negative_prompt", None)
    facts += [(f"From {name}", Path(path).name) for name, path in values.pop("inputs", {}).items()]
    rest = ((name, str(value)) for name, value in values.items() if value != "")
    facts += [(name.replace("_", " ").capitalize(), value) for name, value in rest]
    if view.seconds is not None:
        facts.append(("Took", f"{view.seconds:.1f} s"))
    return facts


def _points(emotion: str) -> str:
    """Where an emotion text is in valence, arousal, dominance; for a curve, where it begins and ends."""
    try:
        curve = parse_curve(emotion)
    except StudioError:  # words of a lexicon that has changed since
        return "unknown to this version"
    keys = curve.keys[:1] if curve.is_constant else (curve.keys[0], curve.keys[-1])
    points = (key.emotion.vad.as_tuple() for key in keys)
    return " to ".join("valence {:.2f}, arousal {:.2f}, dominance {:.2f}".format(*point) for point in points)


def problem(text: str | None) -> str:
    """One line on what is wrong, read out by screen readers; nothing for None."""
    return f'<p class="problem" role="alert">{escape(text)}</p>' if text else ""


def signature(parts: Sequence[object]) -> str:
    """Equal for equal content: what has not changed is not sent again."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
