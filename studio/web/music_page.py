"""The music page: what a piece feels, bar by bar, how it is written and played; and a piece changed in part.

The left side makes new pieces. Below the piece that is looked at stands what changes it: bars, a part and
elements of it composed anew, the rest kept. Like every page it holds no job.
"""

from __future__ import annotations

from typing import cast

import gradio as gr

from studio.audio_files import FORMATS
from studio.params import ParamSpec
from studio.web import music_views, page_parts
from studio.web.emotion_entry import EmotionEntry, emotion_curve_entry
from studio.web.music_events import Change, MusicEvents
from studio.web.page_form import FormControls, input_names, pipelines
from studio.web.page_parts import Look, Named, Settings
from studio.web.players import Players
from studio.web.service import Service

LOOK = Look(
    medium="music",
    pipeline="music/score",
    things="pieces",
    stage=music_views.stage,
    download=music_views.downloads,
    prefix="music-",
    curved=True,
)
MIDI = [".mid", ".midi"]
KINDS = {"midi": MIDI, "donor": MIDI, "soundfont": [".sf2", ".sf3"]}
TITLES = {
    "midi": "Another piece: a MIDI file of yours",
    "donor": "Donor: a MIDI file",
    "soundfont": "A soundfont of yours (.sf2, .sf3)",
}
CURVES = (
    "sadness@0, calm@50%, joy@100%",
    "calm@0, fear@60%, relief@100%",
    "tenderness",
    "anger@0, anger@70%, grief@100%",
    "joy:0.8",
)
MADE_OF_ANOTHER = "Use the settings of a piece"


def music_page(service: Service, page: gr.Blocks) -> gr.Dropdown:
    """Build the page inside `page` and wire it; returns its list of adapters, which may grow."""
    settings, files = Settings(LOOK), dict[str, gr.File]()
    with gr.Row(elem_classes="columns"):
        with gr.Column(scale=5, min_width=340, elem_classes="column-form"):
            general, emotion, problem, compose = _new(settings, files)
        with gr.Column(scale=6, min_width=340, elem_classes="column-result"):
            result = page_parts.result(LOOK, Players)
            change = _change(settings, files)
            with gr.Accordion(MADE_OF_ANOTHER, open=False):
                dropped = gr.File(
                    label="Drop a file that this studio made",
                    file_types=[*MIDI, ".png", *(f".{name}" for name in FORMATS)],
                    type="filepath",
                    height=110,
                )
    form = FormControls(general, settings.params, settings.groups, emotion, files)
    MusicEvents(change, LOOK, service, form, result, problem).wire(page, compose, dropped)
    return cast(gr.Dropdown, general["adapter"])


def _new(settings: Settings, files: dict[str, gr.File]) -> tuple[Named, EmotionEntry, gr.HTML, gr.Button]:
    general: Named = {}
    general["prompt"] = gr.Textbox(
        label="Title", placeholder="may be empty", max_lines=1, elem_id="music-title"
    )
    with gr.Column(elem_classes="card music-emotion"):
        emotion = emotion_curve_entry(LOOK.prefix, CURVES)
    general["emotion"] = emotion.text
    settings.grow(lambda spec: not spec.of and not spec.advanced, per_row=2)
    problem = page_parts.problem(LOOK.prefix)
    compose = gr.Button("Compose", variant="primary", size="lg", elem_id="compose", elem_classes="make")
    with gr.Accordion("Take from another piece", open=False, elem_id="music-take"):
        _file(files, "donor")
        settings.grow(lambda spec: spec.of == "donor")
    with gr.Accordion("More settings", open=False, elem_id="music-more"):
        page_parts.repetition(general, LOOK)
        page_parts.model_choice(general, LOOK)
        _file(files, "soundfont")
        with gr.Accordion("Advanced", open=False):
            settings.grow(lambda spec: not spec.of and spec.advanced)
    return general, emotion, problem, compose


def _change(settings: Settings, files: dict[str, gr.File]) -> Change:
    """What changes a piece: shown as one card below it."""
    with gr.Column(elem_classes="card", elem_id="change"):
        source = gr.HTML(music_views.source(None, None), apply_default_css=False, elem_classes="bare")
        settings.grow(lambda spec: spec.of == "midi" and spec.unit == "bars")
        settings.grow(lambda spec: spec.of == "midi" and _is_plain(spec), per_row=2)
        settings.grow(lambda spec: spec.of == "midi" and bool(spec.several))
        problem = gr.HTML(apply_default_css=False, elem_id="change-problem")
        with gr.Row():
            change = gr.Button("Compose these bars anew", elem_id="change-bars", elem_classes="make")
            go_on = gr.Button("Go on from its end", elem_id="go-on", elem_classes="make")
        with gr.Accordion("Change another piece", open=False, elem_id="music-own"):
            _file(files, "midi")
    pickers = tuple(part for each in settings.params for part in each.of_unit("bars"))
    return Change(source, change, go_on, files["midi"], pickers, problem)


def _is_plain(spec: ParamSpec) -> bool:
    """Not one that a button stands for, nor one as wide as the card."""
    return spec.type is not bool and spec.unit != "bars" and not spec.several


def _file(files: dict[str, gr.File], name: str) -> None:
    if any(name in input_names(pipeline) for pipeline in pipelines(LOOK.medium)):
        files[name] = gr.File(
            label=TITLES[name],
            file_types=KINDS[name],
            type="filepath",
            height=110,
            elem_id=f"music-{name}",
        )
