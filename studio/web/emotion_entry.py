"""The emotion card of a page: pad, label picker and text box, each always showing what the others say.

Where what is made has a length, a curve editor too: then pad and picker are those of its chosen point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.web import views
from studio.web.affect_pad import DEFAULT_TAXONOMY, AffectPad, trail_of, wire_of, words_of
from studio.web.curve_editor import CurveEditor, Drawn, drawn_wire
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
    curve: CurveEditor | None = None

    @property
    def editor(self) -> CurveEditor:
        """The curve, of an entry that has one."""
        assert self.curve is not None
        return self.curve

    @property
    def faces(self) -> list[gr.components.Component]:
        """Everything that shows the emotion."""
        others = [self.pad, self.label, self.intensity, self.text, self.problem]
        return others if self.curve is None else [*others, self.curve]

    @property
    def filled(self) -> list[gr.components.Component]:
        """What shows an emotion whose text is written already."""
        return [face for face in self.faces if face is not self.text]

    def updates(self, text: str, taxonomy: str) -> list[Any]:
        """What `filled` shows for a text, wherever it came from. Raises StudioError."""
        faces = Faces.of_text(text, taxonomy)
        updates = zip(self.faces, _show(faces, self.curve and Drawn(faces.curve, 0)), strict=True)
        return [update for face, update in updates if face is not self.text]


def emotion_entry(prefix: str = "") -> EmotionEntry:
    """Build the card where the page is being built, and wire its faces to each other."""
    pad = AffectPad(elem_id=f"{prefix}pad")
    with gr.Row(elem_classes="emotion-row"):
        label, taxonomy = _label(), _taxonomy()
    intensity = _intensity()
    entry = EmotionEntry(pad, taxonomy, label, intensity, *_text(prefix))
    _wire(entry)
    return entry


def emotion_curve_entry(prefix: str, examples: Sequence[str] = (), **editor: Any) -> EmotionEntry:
    """The same for what has a length: first the curve and its text, then the point of it that is chosen.

    `editor`: further arguments of CurveEditor.
    """
    curve = CurveEditor(elem_id=f"{prefix}curve", **editor)
    text, problem = _text(prefix)
    with gr.Row(elem_id=f"{prefix}curves", elem_classes="chips"):
        chips = [gr.Button(example, size="sm") for example in examples]
    with gr.Row(elem_classes="emotion-point"):
        with gr.Column(min_width=250, scale=5):
            pad = AffectPad(elem_id=f"{prefix}pad")
        with gr.Column(min_width=140, scale=3):
            label, taxonomy, intensity = _label(), _taxonomy(), _intensity()
    entry = EmotionEntry(pad, taxonomy, label, intensity, text, problem, curve)
    _wire(entry)
    for chip, example in zip(chips, examples, strict=True):
        chip.click(partial(_from_example, example), taxonomy, entry.faces, **QUIET)
    return entry


def _label() -> gr.Dropdown:
    return gr.Dropdown(_choices(DEFAULT_TAXONOMY), value=None, label="Feeling", min_width=130)


def _taxonomy() -> gr.Dropdown:
    return gr.Dropdown(taxonomies(), value=DEFAULT_TAXONOMY, label="in the words of", min_width=130)


def _intensity() -> gr.Slider:
    low, high = INTENSITY.min or 0, INTENSITY.max or 1
    return gr.Slider(low, high, 1, step=INTENSITY.step, label="Intensity")


def _text(prefix: str) -> tuple[gr.Textbox, gr.HTML]:
    text = gr.Textbox(
        "neutral",
        label="As text",
        placeholder=EXAMPLE,
        max_lines=2,
        elem_id=f"{prefix}emotion-text",
        elem_classes="emotion-text",
        info=EXAMPLE,
    )
    return text, gr.HTML(apply_default_css=False, elem_id=f"{prefix}emotion-problem")


def _wire(entry: EmotionEntry) -> None:
    drawn = [] if entry.curve is None else [entry.curve]
    picked = [entry.taxonomy, entry.label, entry.intensity, *drawn]
    entry.pad.input(_from_pad, [entry.pad, entry.taxonomy, *drawn], entry.faces, **LIVE)
    for event in (entry.text.input, entry.text.blur, entry.text.submit):
        event(_from_text, [entry.text, entry.taxonomy, *drawn], entry.faces, **LIVE)
    entry.label.input(_from_label, picked, entry.faces, **LIVE)
    entry.intensity.input(_from_label, picked, entry.faces, **LIVE)
    if entry.curve is not None:
        entry.curve.input(_from_curve, [entry.curve, entry.taxonomy], entry.faces, **LIVE)
    entry.taxonomy.input(
        _from_taxonomy,
        [entry.taxonomy, entry.text, *drawn],
        [entry.pad, entry.label, entry.intensity],
        **QUIET,
    )


def _show(faces: Faces, drawn: Drawn | None) -> list[Any]:
    """Updates of pad, label, intensity, text, problem and, where there is one, the curve editor."""
    curve = faces.curve if drawn is None else drawn.curve
    pad = gr.update(value=faces.vad, trail=trail_of(curve))
    text = faces.text if drawn is None or drawn.is_plain else drawn.curve.text
    shown = [pad, faces.label, faces.intensity, text, ""]
    return shown if drawn is None else [*shown, gr.update(value=drawn)]


def _from_pad(vad: Any, taxonomy: str, drawn: Drawn | None = None) -> list[Any]:
    faces = Faces.of_point(vad, taxonomy)
    _, *others = _show(faces, drawn and drawn.with_point(faces.text))
    # The hand on the pad is ahead of what was sent: its place is not touched.
    trail = trail_of(drawn.with_point(faces.text).curve) if drawn else []
    return [gr.update(trail=trail, heard=wire_of(vad)), *others]


def _from_curve(drawn: Drawn, taxonomy: str) -> list[Any]:
    *others, _ = _show(Faces.of_text(drawn.point_text, taxonomy), drawn)
    return [*others, gr.update(heard=drawn_wire(drawn))]  # the hand is ahead here too


def _from_text(text: str, taxonomy: str, drawn: Drawn | None = None) -> list[Any]:
    try:
        faces = Faces.of_text(text, taxonomy)
        changed = drawn and drawn.with_curve(faces.curve)
        faces = faces if changed is None else Faces.of_text(changed.point_text, taxonomy)
        pad, label, intensity, _, problem, *curve = _show(faces, changed)
    except StudioError as error:
        skipped = [gr.skip()] * (4 if drawn is None else 5)
        return [*skipped[:4], views.problem(str(error)), *skipped[4:]]
    return [pad, label, intensity, gr.skip(), problem, *curve]  # never write where somebody types


def _from_example(text: str, taxonomy: str) -> list[Any]:
    faces = Faces.of_text(text, taxonomy)
    return _show(faces, Drawn(faces.curve))


def _from_label(taxonomy: str, label: str | None, intensity: float, drawn: Drawn | None = None) -> list[Any]:
    if label is None:
        return [gr.skip()] * (5 if drawn is None else 6)
    try:
        faces = Faces.of_label(taxonomy, label, intensity)
        pad, _, _, text, problem, *curve = _show(faces, drawn and drawn.with_point(faces.text))
    except StudioError as error:
        raise gr.Error(str(error), print_exception=False) from None
    return [pad, gr.skip(), gr.skip(), text, problem, *curve]


def _from_taxonomy(taxonomy: str, text: str, drawn: Drawn | None = None) -> list[Any]:
    """The same emotion in other words."""
    try:
        faces = Faces.of_text(text if drawn is None else drawn.point_text, taxonomy)
        shown = [gr.update(choices=_choices(taxonomy), value=faces.label), faces.intensity]
    except StudioError:  # the text is being corrected; its own message stands beside it
        shown = [gr.update(choices=_choices(taxonomy), value=None), gr.skip()]
    return [gr.update(taxonomy=taxonomy, words=words_of(taxonomy)), *shown]


def _choices(taxonomy: str) -> list[str]:
    return labels(taxonomy)
