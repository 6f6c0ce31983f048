"""The video page: what a clip shows, what it feels from second to second, what it starts from.

The curve editor's axis is the time of the clip. A moment is chosen on the strip of frames, by arrow keys or
on the curve, and the player goes there. Like every page it holds no job.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import gradio as gr

from studio.params import ParamSpec
from studio.web import controls, page_parts, shared_form, video_views
from studio.web.clip_views import downloads
from studio.web.emotion_entry import QUIET, EmotionEntry, emotion_curve_entry
from studio.web.page_form import first_pipeline, input_names
from studio.web.page_parts import Look, Named, Settings
from studio.web.players import Players
from studio.web.service import Service
from studio.web.shared_form import SharedForm
from studio.web.video_events import Starts, VideoEvents

MEDIUM, PREFIX, CLOCK = "video", "video-", "video"
FIRST = (
    "video/animatediff",
    "video/wan",
    "video/ltx",
)  # of families, those that are chosen first
SHARED = ("length_s", "loop", "fit")  # with one control on the page, whichever family is chosen
BESIDE_LENGTH, OF_START = ("fps",), ("strength",)
CLIPS = [".mp4", ".mov", ".webm", ".mkv", ".m4v", ".avi", ".gif"]
LENGTHS_S = (2, 4, 8)
EXAMPLES = (
    "waves under a lighthouse, watercolour",
    "clouds over mountains, gouache",
    "a tree in the wind, ink drawing",
    "rain on a city street at night, oil painting",
    "a walking figure, woodcut",
)
CURVES = (
    "calm@0s, fear@2s, relief@4s",
    "sadness@0s, joy@3s",
    "joy",
    "calm@0s, anger@3.5s",
    "boredom@0s, awe@4s",
)


def look() -> Look:
    """What this page is of. The family whose model is here is chosen first, if there is one."""
    return Look(
        medium=MEDIUM,
        pipeline=first_pipeline(MEDIUM, FIRST),
        things="clips",
        stage=video_views.stage,
        download=downloads,
        prefix=PREFIX,
        curved=True,
    )


def video_page(service: Service, page: gr.Blocks) -> gr.Dropdown:
    """Build the page inside `page` and wire it; returns its list of adapters, which may grow."""
    kind, general, known = look(), Named(), shared_form.specs(MEDIUM)
    settings, files, shared = Settings(kind), dict[str, Any](), Named()
    with gr.Row(elem_classes="columns video-columns"):
        with gr.Column(scale=5, min_width=340, elem_classes="column-form"):
            emotion, past = _told(general, shared, known, settings)
            note = _starts(files, shared, known, settings)
            problem = page_parts.problem(PREFIX)
            render = gr.Button("Render", variant="primary", size="lg", elem_id="shoot", elem_classes="make")
            _more(general, shared, known, settings)
        with gr.Column(scale=6, min_width=340, elem_classes="column-result"):
            result = page_parts.result(kind, partial(Players, clock=CLOCK))
            with gr.Accordion("Use the settings of a clip", open=False):
                dropped = gr.File(
                    label="Drop a file that this studio made",
                    file_types=[".mp4", ".png", ".jpg", ".json"],
                    type="filepath",
                    height=110,
                )
    form = SharedForm(general, settings.params, settings.groups, emotion, files, shared)
    VideoEvents(Starts(note, past), kind, service, form, result, problem).wire(page, render, dropped)
    return cast(gr.Dropdown, general["adapter"])


def _told(
    general: Named, shared: Named, known: dict[str, ParamSpec], settings: Settings
) -> tuple[EmotionEntry, gr.HTML]:
    """What it shows, how long it is, what it feels meanwhile; points that lie beyond its end."""
    general["prompt"] = gr.Textbox(
        label="Prompt", placeholder="what moves, where, in which style", lines=2, elem_id="video-prompt"
    )
    page_parts.chips(EXAMPLES, general["prompt"], "video-examples")
    length = known["length_s"]
    with gr.Row(elem_classes="video-time"):
        with gr.Column(scale=2, min_width=150):
            shared["length_s"] = gr.Number(
                length.default, label="Length (s)", step=length.step, elem_id="video-length"
            )
            with gr.Row(elem_id="video-lengths", elem_classes="chips"):
                for length_s in LENGTHS_S:
                    button = gr.Button(f"{length_s} s", size="sm")
                    button.click(None, None, shared["length_s"], js=f"() => {length_s}", **QUIET)
        with gr.Column(scale=5, min_width=240):
            settings.grow(lambda spec: spec.name in BESIDE_LENGTH)
    with gr.Column(elem_classes="card music-emotion"):
        past = gr.HTML(apply_default_css=False, elem_id="video-past")
        emotion = emotion_curve_entry(
            PREFIX,
            CURVES,
            length_s=length.default,
            in_seconds=True,
            clock=CLOCK,
        )
    general["emotion"] = emotion.text
    return emotion, past


def _starts(files: dict[str, Any], shared: Named, known: dict[str, ParamSpec], settings: Settings) -> gr.HTML:
    """Pictures and clips that a clip is made of; returns what the family takes, in words."""
    taken = input_names(settings.look.pipeline)
    with gr.Accordion("Start from a picture or a clip", open=False, elem_id="video-starts"):
        note = gr.HTML(
            video_views.inputs_note(settings.look.pipeline, taken),
            apply_default_css=False,
            elem_classes="bare",
        )
        with gr.Row(elem_classes="video-pictures"):
            for name in ("image", "last_image"):
                files[name] = _picture(name, name in taken)
        files["video"] = gr.File(
            label=video_views.TITLES["video"],
            file_types=CLIPS,
            type="filepath",
            height=140,
            visible="video" in taken,
            elem_id="video-video",
        )
        if "fit" in known:
            shared["fit"] = controls.control(known["fit"])
        settings.grow(lambda spec: spec.name in OF_START)
    return note


def _picture(name: str, is_visible: bool) -> gr.Image:
    """Where a picture is given; shown as it is, handed on unread."""
    part = gr.Image(
        label=video_views.TITLES[name],
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard"],
        buttons=[],
        height=170,
        min_width=150,
        visible=is_visible,
        elem_id=f"{PREFIX}{name}",
    )
    # Gradio would open the file here, and speak its own words of one that is no picture. A class of our own
    # would have to bring the whole script of the component.
    part.preprocess = _path_of
    return part


def _path_of(given: Any) -> str | None:
    return str(given.path) if given and given.path else None


def _more(general: Named, shared: Named, known: dict[str, ParamSpec], settings: Settings) -> None:
    """All other settings."""
    placed = (*SHARED, *BESIDE_LENGTH, *OF_START)
    with gr.Accordion("More settings", open=False, elem_id="video-more"):
        general["negative"] = gr.Textbox(
            label="Negative prompt", info="what should not be there", max_lines=2
        )
        page_parts.repetition(general, settings.look)
        if "loop" in known:
            shared["loop"] = controls.control(known["loop"])
        page_parts.model_choice(general, settings.look)
        settings.grow(lambda spec: spec.name not in placed and not spec.advanced, per_row=2)
        with gr.Accordion("Advanced", open=False, elem_id="video-advanced"):
            settings.grow(lambda spec: spec.name not in placed and spec.advanced, per_row=2)
