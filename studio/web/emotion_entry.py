"""The emotion card of a page: pad, label picker and text box, each always showing what the others say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.web import views
from studio.web.affect_pad import DEFAULT_TAXONOMY, AffectPad, trail_of, wire_of, words_of
from studio.web.emotion_faces import INTENSITY, Faces, labels, taxonomies

EXAMPLE = "joy:0.6, or 0.6 joy + 0.4 fear, or sadness@0, calm@100%"
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
LIVE: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}


@dataclass(frozen=True, slots=True)
class EmotionEntry:
    """The components; `text` holds the truth."""

    pad: AffectPad
    taxonomy: gr.Dropdown
    label: gr.Dropdown
    intensity: gr.Slider
    text: gr.Textbox
    problem: gr.HTML

    @property
    def faces(self) -> list[gr.components.Component]:
        return [self.pad, self.label, self.intensity, self.text, self.problem]

    def updates(self, text: str, taxonomy: str) -> list[Any]:
        """What every face shows for a text, wherever it came from."""
        return _show(Faces.of_text(text, taxonomy))


def emotion_entry() -> EmotionEntry:
    """Build the card where the page is being built, and wire the three faces to each other."""
    pad = AffectPad(elem_id="pad")
    with gr.Row(elem_classes="emotion-row"):
        label = gr.Dropdown(_choices(DEFAULT_TAXONOMY), value=None, label="Feeling", min_width=130)
        taxonomy = gr.Dropdown(taxonomies(), value=DEFAULT_TAXONOMY, label="in the words of", min_width=170)
    intensity = gr.Slider(INTENSITY.min or 0, INTENSITY.max or 1, 1, step=INTENSITY.step, label="Intensity")
    text = gr.Textbox(
        "neutral", label="As text", placeholder=EXAMPLE, max_lines=2, elem_id="emotion-text", info=EXAMPLE
    )
    problem = gr.HTML(apply_default_css=False, elem_id="emotion-problem")
    entry = EmotionEntry(pad, taxonomy, label, intensity, text, problem)
    _wire(entry)
    return entry


def _wire(entry: EmotionEntry) -> None:
    picked = [entry.taxonomy, entry.label, entry.intensity]
    entry.pad.input(_from_pad, [entry.pad, entry.taxonomy], entry.faces, **LIVE)
    for event in (entry.text.input, entry.text.blur, entry.text.submit):
        event(_from_text, [entry.text, entry.taxonomy], entry.faces, **LIVE)
    entry.label.input(_from_label, picked, entry.faces, **LIVE)
    entry.intensity.input(_from_label, picked, entry.faces, **LIVE)
    entry.taxonomy.input(
        _from_taxonomy, [entry.taxonomy, entry.text], [entry.pad, entry.label, entry.intensity], **QUIET
    )


def _show(faces: Faces) -> list[Any]:
    """Updates of pad, label, intensity, text, problem."""
    return [
        gr.update(value=faces.vad, trail=trail_of(faces.curve)),
        faces.label,
        faces.intensity,
        faces.text,
        "",
    ]


def _from_pad(vad: Any, taxonomy: str) -> list[Any]:
    _, *others = _show(Faces.of_point(vad, taxonomy))
    # The hand on the pad is ahead of what was sent: its place is not touched.
    return [gr.update(trail=[], heard=wire_of(vad)), *others]


def _from_text(text: str, taxonomy: str) -> list[Any]:
    try:
        pad, label, intensity, _, problem = _show(Faces.of_text(text, taxonomy))
    except StudioError as error:
        return [gr.skip(), gr.skip(), gr.skip(), gr.skip(), views.problem(str(error))]
    return [pad, label, intensity, gr.skip(), problem]  # never write where somebody types


def _from_label(taxonomy: str, label: str | None, intensity: float) -> list[Any]:
    if label is None:
        return [gr.skip()] * 5
    try:
        pad, _, _, text, problem = _show(Faces.of_label(taxonomy, label, intensity))
    except StudioError as error:
        raise gr.Error(str(error), print_exception=False) from None
    return [pad, gr.skip(), gr.skip(), text, problem]


def _from_taxonomy(taxonomy: str, text: str) -> list[Any]:
    """The same emotion in other words."""
    try:
        faces = Faces.of_text(text, taxonomy)
        shown = [gr.update(choices=_choices(taxonomy), value=faces.label), faces.intensity]
    except StudioError:  # the text is being corrected; its own message stands beside it
        shown = [gr.update(choices=_choices(taxonomy), value=None), gr.skip()]
    return [gr.update(taxonomy=taxonomy, words=words_of(taxonomy)), *shown]


def _choices(taxonomy: str) -> list[str]:
    return labels(taxonomy)
