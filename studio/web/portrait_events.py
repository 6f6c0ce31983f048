"""What happens on the portrait page beside what happens on every page: the line is heard, the face is seen.

Two answers come while somebody types or draws: the line over time, and the first second of the clip. Both
are made by the chosen family, which is reached through the catalog; nothing of them is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio import catalog, muscles, portraits
from studio.emotion import parse_curve
from studio.errors import StudioError
from studio.request import RenderRequest
from studio.web import portrait_faces, portrait_preview, portrait_views, views
from studio.web.controls import specs_of
from studio.web.curve_editor import Drawn
from studio.web.emotion_entry import LIVE, QUIET
from studio.web.form import OWN, Form
from studio.web.muscle_board import MuscleBoard, asked_wire, units_wire
from studio.web.page_events import Events
from studio.web.page_form import default_model
from studio.web.picture_picker import PicturePicker
from studio.web.point_picker import PointPicker, Points
from studio.web.portrait_faces import FaceView
from studio.web.portrait_form import AUDIO, IMAGE, PortraitForm, box_of, reads_pictures
from studio.web.speech_strip import SpeechStrip, wire_of

QUICK: Mapping[str, Any] = {"first_s": 1.0, "size_px": 256, "fps": 30}  # what a preview is, where it can be
FACES_TITLE = "Which face"
STAND_IN = "portrait/performer"  # what models of the hub are driven by
SAID_LABEL, HEARD_LABEL = "What is said", "The words of the recording"
SAID_HINT = "a line in any language that the voice speaks"
HEARD_HINT = "may stay empty; with them the lips are exact"


@dataclass(frozen=True, slots=True)
class Cast:
    """The components of who speaks. `own`: about a picture of a person's own, `card`: what is shown of it."""

    choice: gr.Column
    own: gr.Accordion
    portrait: PicturePicker
    picture: gr.File
    card: gr.Column
    note: gr.HTML
    faces: PicturePicker
    points: PointPicker
    anew: gr.Button
    preview: gr.HTML


@dataclass(frozen=True, slots=True)
class Script:
    """The components of what is said and shown. `line`: what is to know about the line; `muscles`: words."""

    text: gr.Textbox
    audio: gr.Audio
    voice: gr.components.Component
    language: gr.components.Component
    strip: SpeechStrip
    line: gr.HTML
    movements: gr.HTML
    board: MuscleBoard


class PortraitEvents(Events):
    """The handlers of the portrait page."""

    form: PortraitForm

    def __init__(self, cast: Cast, script: Script, *parts: Any) -> None:
        """`parts`: as of every page."""
        super().__init__(*parts)
        self.cast, self.script = cast, script

    def wire(self, page: gr.Blocks, render: gr.Button, dropped: gr.File) -> None:
        """Attach every handler."""
        super().wire(page, render, dropped)
        self._wire_faces()
        script, form = self.script, self.form
        feeling, curve = form.emotion.text, form.emotion.editor
        script.audio.change(self.show_source, script.audio, self.source_shown, **QUIET)
        form.pipeline.change(self.show_cast, form.pipeline, [self.cast.choice, self.cast.own], **QUIET)
        line = [each.change for each in (script.text, script.audio, script.voice, script.language)]
        line += [form.pipeline.change, form.shared["read"].change, feeling.change]
        shown = [script.strip, curve, script.line]
        gr.on(line, self.listen, form.inputs, shown, **LIVE)
        moved = [script.movements, script.board]
        gr.on([curve.input, script.board.input], self.feel, [curve, script.board], moved, **LIVE)
        feeling.change(self.feel_text, [feeling, curve, script.board], moved, **LIVE)
        seen = [*line, script.board.input, self.cast.portrait.input, self.cast.note.change]
        gr.on(seen, self.preview, form.inputs, self.cast.preview, **LIVE)
        page.load(self.preview, form.inputs, self.cast.preview, **QUIET)

    def _wire_faces(self) -> None:
        cast, form = self.cast, self.form
        shown = [cast.card, cast.note, cast.faces, cast.points, cast.portrait]
        known = [cast.picture, form.pipeline, cast.portrait]
        cast.picture.change(self.open_picture, known, shown, **QUIET)
        cast.anew.click(self.find_anew, known, shown, **QUIET)
        cast.faces.input(self.choose_face, [cast.faces, *known], shown, **QUIET)
        cast.points.input(self.place, [cast.points, cast.picture], cast.note, **LIVE)
        cast.portrait.input(lambda: None, None, cast.picture, **QUIET)

    # ---- who speaks

    def open_picture(self, path: str | None, pipeline: str, portrait: str) -> list[Any]:
        """The face of a picture that was given. Outputs: card, note, faces, points, portrait."""
        return self._seen(path, portrait, lambda kept: portrait_faces.opened(kept, pipeline))

    def find_anew(self, path: str | None, pipeline: str, portrait: str) -> list[Any]:
        """Forget what was placed. Outputs: those of `open_picture`."""
        return self._seen(path, portrait, lambda kept: portrait_faces.opened(kept, pipeline, anew=True))

    def choose_face(self, name: str, path: str | None, pipeline: str, portrait: str) -> list[Any]:
        """Another face of the picture. Outputs: those of `open_picture`."""
        return self._seen(path, portrait, lambda kept: portrait_faces.chosen(kept, pipeline, name))

    def _seen(self, path: str | None, portrait: str, look: Any) -> list[Any]:
        if not path:
            chosen = gr.skip() if portrait else portraits.names()[0]  # another may be picked by now
            return [gr.update(visible=False), "", gr.skip(), gr.skip(), chosen]
        try:
            one: FaceView = look(self.service.kept(path))
        except StudioError as error:
            return [gr.update(visible=True), views.problem(str(error)), gr.skip(), gr.skip(), ""]
        pictures = [list(each) for each in one.faces]
        faces = gr.update(pictures=pictures, value=one.chosen, visible=bool(one.faces), title=FACES_TITLE)
        points = gr.update(value=one.points, picture=one.picture, size=list(one.size))
        said = portrait_views.note(one.said) if one.is_found else views.problem(one.said)
        return [gr.update(visible=True), said, faces, points, ""]

    def place(self, points: Points, path: str | None) -> str:
        """Keep the points beside the picture. Output: note."""
        if not path:
            return ""
        try:
            moved = portrait_faces.placed(self.service.kept(path), points)
        except StudioError as error:
            return views.problem(str(error))
        middle = sum(x + y for x, y in points.values())  # differs with every move: the preview follows
        return portrait_views.note(moved) + f"<!-- {middle:.1f} -->"

    # ---- what is said and felt

    @property
    def source_shown(self) -> list[Any]:
        """What `show_source` shows."""
        return [self.script.text, self.script.voice, self.script.language]

    def show_source(self, audio: str | None) -> list[Any]:
        """Text or recording: the box means what is said, or the words of the recording."""
        label, hint = (HEARD_LABEL, HEARD_HINT) if audio else (SAID_LABEL, SAID_HINT)
        return [
            gr.update(label=label, placeholder=hint),
            gr.update(visible=not audio),
            gr.update(visible=bool(audio)),
        ]

    def show_cast(self, pipeline: str) -> list[Any]:
        """A family that makes motion alone shows nobody. Outputs: choice, own."""
        return [gr.update(visible=reads_pictures(pipeline))] * 2

    def listen(self, *given: Any) -> list[Any]:
        """The line over time. Outputs: strip, curve editor, line."""
        try:
            form = self._kept(given)
            if not box_of(form) and AUDIO not in form.inputs:
                return [None, gr.update(length_s=None), ""]
            (request,) = dataclasses.replace(form, count=1).requests()
            speech = catalog.load("pipeline", form.pipeline).timeline(request)
        except StudioError as error:
            return [gr.skip(), gr.skip(), views.problem(str(error))]
        notes = "".join(portrait_views.note(each) for each in speech.notes)
        return [wire_of(speech), gr.update(length_s=round(speech.length_s, 3)), notes]

    def feel(self, drawn: Drawn, held: str) -> list[Any]:
        """What the chosen point of the curve does to the face. Outputs: movements, board."""
        asked = muscles.of(drawn.curve.keys[drawn.selected].emotion.vad)
        words = muscles.describe(asked | muscles.parse(held))
        board = gr.update(asked=asked_wire(asked), units=units_wire())
        return [portrait_views.movements(drawn.point_text, words), board]

    def feel_text(self, text: str, drawn: Drawn, held: str) -> list[Any]:
        """The same for a feeling that was written: the curve may not have been drawn from it yet."""
        try:
            curve = parse_curve(text)
        except StudioError:  # it is said below the text
            return [gr.skip(), gr.skip()]
        return self.feel(drawn.with_curve(curve), held)

    def preview(self, *given: Any) -> Any:
        """The first second, small; who speaks while there is nothing to say. Output: preview."""
        try:
            form = self._kept(given)
            if not box_of(form) and AUDIO not in form.inputs:
                return self._still(form)
            made = self.service.made_now(_quick(form))
        except StudioError:  # it is said beside the line, or by the picture
            return gr.skip()
        if made is None:
            return gr.skip()
        return portrait_views.preview(portrait_preview.clip_bytes(made))

    def _still(self, form: Form) -> str:
        if IMAGE in form.inputs or not reads_pictures(form.pipeline):
            return ""  # it is shown with its points, or nobody is
        small = {name: address for name, address, _ in portrait_faces.thumbs()}
        return portrait_views.still(small.get(str(form.params.get("portrait")), ""))

    def _kept(self, given: tuple[Any, ...]) -> Form:
        form = self.form.read(given)
        files = {name: str(self.service.kept(path)) for name, path in form.inputs.items()}
        return dataclasses.replace(form, inputs=files)


def _quick(form: Form) -> RenderRequest:
    """The request of a preview: by the family itself, or by STAND_IN for one whose model is not at hand."""
    if "/" in default_model(form.pipeline):
        form = dataclasses.replace(form, pipeline=STAND_IN, model="", adapter=OWN)
    known = {spec.name for spec in specs_of(form.pipeline)}
    quick = {name: value for name, value in QUICK.items() if name in known}
    params = {name: value for name, value in {**form.params, **quick}.items() if name in known}
    (request,) = dataclasses.replace(form, count=1, seed=form.seed or 0, params=params).requests()
    return request
