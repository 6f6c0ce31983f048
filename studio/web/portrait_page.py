"""The portrait page: who speaks, what is said, and how it feels from moment to moment.

The left side shows the line over time above the curve, and the first second of the clip while it is being
set up. Like every page it holds no job.
"""

from __future__ import annotations

from typing import cast

import gradio as gr

from studio import portraits
from studio.params import ParamSpec
from studio.web import controls, page_parts, portrait_faces, portrait_views
from studio.web.emotion_entry import EmotionEntry, emotion_curve_entry
from studio.web.muscle_board import MuscleBoard
from studio.web.page_form import first_pipeline
from studio.web.page_parts import Look, Named, Settings
from studio.web.picture_picker import PicturePicker
from studio.web.players import Players
from studio.web.point_picker import PointPicker
from studio.web.portrait_events import FACES_TITLE, SAID_HINT, SAID_LABEL, Cast, PortraitEvents, Script
from studio.web.portrait_form import AUDIO, HIDDEN, IMAGE, MEDIUM, PortraitForm, specs
from studio.web.service import Service
from studio.web.speech_strip import SpeechStrip

PREFIX = "portrait-"
FIRST = ("portrait/talker", "portrait/performer")  # families in the order in which they are offered first
PICTURES = [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"]
LINES = (
    "I thought you had left.",
    "You came back! I can hardly believe it.",
    "Please, do not open that door.",
    "Bonjour, je suis content de vous voir.",
)
CURVES = (
    "fear@0, relief:0.9@100%",
    "surprise@0, joy@60%",
    "sadness:0.8",
    "anger@0, anger@60%, sadness@100%",
    "disgust",
)


def look() -> Look:
    """What this page is of. The family that is chosen first is the best one whose model is here."""
    return Look(
        medium=MEDIUM,
        pipeline=first_pipeline(MEDIUM, FIRST),
        things="takes",
        stage=portrait_views.stage,
        download=portrait_views.downloads,
        prefix=PREFIX,
        curved=True,
    )


def portrait_page(service: Service, page: gr.Blocks) -> gr.Dropdown:
    """Build the page inside `page` and wire it; returns its list of adapters, which may grow."""
    kind, general, known = look(), Named(), specs()
    settings = Settings(kind)
    with gr.Row(elem_classes="columns portrait-columns"):
        with gr.Column(scale=5, min_width=340, elem_classes="column-form"):
            cast_ = _cast()
            script, emotion = _script(general, known)
            problem = page_parts.problem(PREFIX)
            render = gr.Button("Film it", variant="primary", size="lg", elem_id="film", elem_classes="make")
            read = _more(general, known, settings, kind)
        with gr.Column(scale=6, min_width=340, elem_classes="column-result"):
            result = page_parts.result(kind, Players)
            with gr.Accordion("Use the settings of a clip", open=False):
                dropped = gr.File(
                    label="Drop a file that this studio made",
                    file_types=[".mp4", ".png", ".jpg", ".glb", ".json", ".npz", ".wav"],
                    type="filepath",
                    height=110,
                )
    shared = {
        "portrait": cast_.portrait,
        "voice": script.voice,
        "language": script.language,
        "read": read,
        "muscles": script.board,
    }
    files = {IMAGE: cast_.picture, AUDIO: script.audio}
    form = PortraitForm(general, settings.params, settings.groups, emotion, files, shared)
    PortraitEvents(cast_, script, kind, service, form, result, problem).wire(page, render, dropped)
    return cast(gr.Dropdown, general["adapter"])


def _cast() -> Cast:
    """Who speaks: an embedded portrait, or a picture with its points; beside it the first second."""
    with gr.Column(elem_classes="card", elem_id="cast"):
        with gr.Row(elem_classes="cast-row"):
            with gr.Column(scale=3, min_width=240) as choice:
                portrait = PicturePicker(
                    portraits.names()[0], portrait_faces.thumbs(), title="Who speaks", elem_id="portraits"
                )
            with gr.Column(scale=2, min_width=180):
                preview = gr.HTML(apply_default_css=False, elem_id="portrait-preview", elem_classes="bare")
        with gr.Accordion("or a picture of your own", open=False, elem_id="own-picture") as own:
            picture = gr.File(
                label="A photograph, a painting, a cartoon",
                file_types=PICTURES,
                type="filepath",
                height=110,
                elem_id="portrait-image",
            )
            with gr.Column(elem_id="face", visible=False) as card:
                note = gr.HTML(apply_default_css=False, elem_id="face-note", elem_classes="bare")
                faces = PicturePicker(title=FACES_TITLE, elem_id="faces", visible=False)
                points = PointPicker(label="Points of the face", elem_id="points")
                anew = gr.Button("Find the face again", size="sm", elem_id="face-anew")
    return Cast(choice, own, portrait, picture, card, note, faces, points, anew, preview)


def _script(general: Named, known: dict[str, ParamSpec]) -> tuple[Script, EmotionEntry]:
    """What is said, over time, with the feeling below it."""
    text = gr.Textbox(
        label=SAID_LABEL,
        placeholder=SAID_HINT,
        lines=2,
        max_lines=8,
        elem_id="portrait-text",
    )
    general["prompt"] = text
    page_parts.chips(LINES, text, "portrait-lines")
    with gr.Row(elem_id="portrait-voice"):
        voice = controls.control(known["voice"])
        language = controls.control(known["language"])
    language.visible = False
    with gr.Accordion("or a recording: microphone or file", open=False, elem_id="recording"):
        audio = gr.Audio(
            sources=["upload", "microphone"],
            type="filepath",
            label="Recording",
            buttons=[],
            elem_id="portrait-audio",
        )
    with gr.Column(elem_classes="card music-emotion"):
        strip = SpeechStrip(elem_id="speech", elem_classes="bare", label="The line over time")
        line = gr.HTML(apply_default_css=False, elem_id="portrait-line")
        emotion = emotion_curve_entry(PREFIX, CURVES)
        movements = gr.HTML(
            portrait_views.movements("neutral", "at rest"), apply_default_css=False, elem_id="movements"
        )
    with gr.Accordion("Muscles by hand", open=False, elem_id="muscles"):
        board = MuscleBoard(label="Muscles by hand")
    general["emotion"] = emotion.text
    return Script(text, audio, voice, language, strip, line, movements, board), emotion


def _more(
    general: Named, known: dict[str, ParamSpec], settings: Settings, kind: Look
) -> gr.components.Component:
    """All other settings; returns the control of where the feeling comes from."""
    settings.grow(lambda spec: spec.name not in HIDDEN and not spec.advanced, per_row=2)
    with gr.Accordion("More settings", open=False, elem_id="portrait-more"):
        page_parts.repetition(general, kind)
        page_parts.model_choice(general, kind)
        read = controls.control(known["read"])
        with gr.Accordion("Advanced", open=False, elem_id="portrait-advanced"):
            settings.grow(lambda spec: spec.name not in HIDDEN and spec.advanced, per_row=2)
    return read
