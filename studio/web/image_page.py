"""The image page: what a picture shows and feels, the picture, and what was made before.

The page holds no job: it queues requests and shows what the ledger says, looked up by a timer. So a refresh,
a second tab or a closed laptop loses nothing.
"""

from __future__ import annotations

import json
from typing import Any, cast

import gradio as gr

from studio import catalog
from studio.params import ParamSpec
from studio.request import DEFAULT_PIPELINE
from studio.web import controls, views
from studio.web.controls import ParamControls
from studio.web.emotion_entry import QUIET, emotion_entry
from studio.web.form import COUNT, OWN, STRENGTH, strength_span
from studio.web.image_events import (
    BUSY_S,
    GENERAL,
    Events,
    FormControls,
    Result,
    adapter_choices,
    default_model,
    models,
)
from studio.web.service import Service
from studio.web.tiles import Tiles

MEDIUM = "image/"
EXAMPLES = (  # what the embedded model can paint, in its own words
    "a white lighthouse at dusk, watercolour",
    "mountains by a lake, gouache",
    "a portrait of a woman, impressionist",
    "a city skyline at sunset, ink drawing",
    "rocks in the sea, oil painting",
    "a bare tree, woodcut",
)
Named = dict[str, gr.components.Component]


def image_page(service: Service, page: gr.Blocks) -> gr.Dropdown:
    """Build the page inside `page` and wire it; returns its list of adapters, which may grow."""
    with gr.Row(elem_classes="columns"):
        with gr.Column(scale=5, min_width=340, elem_classes="column-form"):
            form, render, problem = _form()
        with gr.Column(scale=6, min_width=340, elem_classes="column-result"):
            result = _result()
            with gr.Accordion("Use the settings of a picture", open=False):
                dropped = gr.File(
                    label="Drop a picture that this studio made",
                    file_types=[".png"],
                    type="filepath",
                    height=110,
                )
    Events(service, form, result, problem).wire(page, render, dropped)
    return cast(gr.Dropdown, form.general["adapter"])


def _form() -> tuple[FormControls, gr.Button, gr.HTML]:
    general: Named = {}
    general["prompt"] = gr.Textbox(
        label="Prompt", placeholder="what it shows: a subject, then a style", lines=2, elem_id="prompt"
    )
    _examples(general["prompt"])
    with gr.Column(elem_classes="card"):
        emotion = emotion_entry()
    general["emotion"] = emotion.text
    problem = gr.HTML(apply_default_css=False, elem_id="form-problem")
    render = gr.Button("Render", variant="primary", size="lg", elem_id="render")
    with gr.Accordion("More settings", open=False, elem_id="more"):
        params, groups = _settings(general)
    ordered = {name: general[name] for name in GENERAL}
    return FormControls(ordered, params, groups, emotion), render, problem


def _examples(prompt: gr.components.Component) -> None:
    """Small buttons that fill the prompt."""
    with gr.Row(elem_id="examples", elem_classes="chips"):
        for text in EXAMPLES:
            gr.Button(text, size="sm").click(None, None, prompt, js=f"() => {json.dumps(text)}", **QUIET)


def _settings(general: Named) -> tuple[tuple[ParamControls, ...], dict[str, list[gr.Group]]]:
    pipelines = [name for name in catalog.names("pipeline") if name.startswith(MEDIUM)]
    general["negative"] = gr.Textbox(label="Negative prompt", info="what should not be there", max_lines=2)
    with gr.Row():
        general["count"] = gr.Slider(COUNT.min or 1, COUNT.max or 1, COUNT.default, step=1, label="Pictures")
        with gr.Column(min_width=150):
            general["seed"] = gr.Textbox(label="Seed", placeholder="any", max_lines=1, interactive=False)
            general["fresh"] = gr.Checkbox(True, label="a new one each time", container=False)
    grown: dict[str, list[tuple[ParamSpec, gr.components.Component]]] = {name: [] for name in pipelines}
    groups: dict[str, list[gr.Group]] = {name: [] for name in pipelines}
    _grow(grown, groups, advanced=False)
    _model_choice(general, pipelines)
    with gr.Accordion("Advanced", open=False):
        _grow(grown, groups, advanced=True)
    return tuple(controls.collect(name, grown[name]) for name in pipelines), groups


def _grow(grown: dict[str, list[Any]], groups: dict[str, list[gr.Group]], advanced: bool) -> None:
    for name, controls_of in grown.items():
        with gr.Group(visible=name == DEFAULT_PIPELINE) as group:
            controls_of += controls.grow(name, advanced)
        groups[name].append(group)


def _model_choice(general: Named, pipelines: list[str]) -> None:
    general["pipeline"] = gr.Dropdown(
        pipelines, value=DEFAULT_PIPELINE, label="Pipeline", visible=len(pipelines) > 1
    )
    with gr.Row():
        general["model"] = gr.Dropdown(
            models(DEFAULT_PIPELINE),
            value=default_model(DEFAULT_PIPELINE),
            label="Model",
            info="a name, a folder or a hub id",
            allow_custom_value=True,
        )
        general["adapter"] = gr.Dropdown(
            adapter_choices(),
            value=OWN,
            label="Emotion adapter",
            info="a name or a folder",
            allow_custom_value=True,
            elem_id="adapter",
        )
    low, high = strength_span(default_model(DEFAULT_PIPELINE), OWN)
    general["strength"] = gr.Slider(
        low,
        high,
        min(max(STRENGTH.default, low), high),
        step=STRENGTH.step,
        label="Strength of the emotion",
        info=STRENGTH.help,
    )


def _result() -> Result:
    trouble = gr.HTML(apply_default_css=False)
    stage = Tiles(elem_id="stage", value=views.stage([]))
    with gr.Row(elem_classes="result-buttons"):
        download = gr.HTML(apply_default_css=False, elem_id="download")
        cancel = gr.Button("Cancel", visible=False, size="sm", elem_id="cancel")
        again = gr.Button("Use these settings", visible=False, size="sm", elem_id="again")
        seed = gr.Button("Keep this seed", visible=False, size="sm", elem_id="keep-seed")
    made = gr.HTML(apply_default_css=False, elem_id="made")
    strip = Tiles(elem_id="strip")
    timer = gr.Timer(BUSY_S)
    return Result(
        stage, made, strip, download, cancel, again, seed, trouble, timer, gr.State([]), gr.State("")
    )
