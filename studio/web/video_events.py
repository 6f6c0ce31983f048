"""What happens on the video page beside what happens on every page: the curve has the length of the clip.

Points beyond the end are told while somebody draws; a render with one is refused by the family itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.emotion import parse_curve
from studio.errors import StudioError
from studio.web import video_views
from studio.web.curve_editor import Drawn
from studio.web.emotion_entry import LIVE, QUIET
from studio.web.page_events import Events
from studio.web.page_form import input_names
from studio.web.shared_form import SharedForm


@dataclass(frozen=True, slots=True)
class Starts:
    """The card of what a clip starts from. `note`: what the family takes; `past`: points beyond the end."""

    note: gr.HTML
    past: gr.HTML


class VideoEvents(Events):
    """The handlers of the video page."""

    form: SharedForm

    def __init__(self, starts: Starts, *parts: Any) -> None:
        """`parts`: as of every page."""
        super().__init__(*parts)
        self.starts = starts

    def wire(self, page: gr.Blocks, render: gr.Button, dropped: gr.File) -> None:
        """Attach every handler."""
        super().wire(page, render, dropped)
        form, starts = self.form, self.starts
        shown = [starts.note, *form.files.values()]
        form.pipeline.change(self.show_inputs, form.pipeline, shown, **QUIET)
        length, text, curve = form.shared["length_s"], form.emotion.text, form.emotion.editor
        length.change(self.measure, [length, text], [curve, starts.past], **LIVE)
        text.change(self.told, [length, text], starts.past, **LIVE)
        curve.input(self.told_drawn, [length, curve], starts.past, **LIVE)

    def show_inputs(self, pipeline: str) -> list[Any]:
        """What the family starts from. Outputs: note, the files."""
        taken = input_names(pipeline)
        shown = [gr.update(visible=name in taken) for name in self.form.files]
        return [video_views.inputs_note(pipeline, taken), *shown]

    def measure(self, length_s: Any, text: str) -> list[Any]:
        """The length of the clip is that of the curve. Outputs: curve editor, past."""
        length = _length(length_s)
        return [gr.update(length_s=length or None), self.told(length_s, text)]

    def told(self, length_s: Any, text: str) -> str:
        """The points of a curve that was written which lie beyond the end. Output: past."""
        try:
            curve = parse_curve(text)
        except StudioError:  # it is said below the text
            return ""
        return video_views.past_end(curve, _length(length_s))

    def told_drawn(self, length_s: Any, drawn: Drawn) -> str:
        """The same of a curve that was drawn. Output: past."""
        return video_views.past_end(drawn.curve, _length(length_s))


def _length(value: Any) -> float:
    """Seconds; 0 for what is no length (yet)."""
    return float(value) if isinstance(value, int | float) and 0 < value < 1e6 else 0.0
