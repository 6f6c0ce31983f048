"""The image page: what a picture shows and feels, the picture, and what was made before.

The page holds no job: it queues requests and shows what the ledger says, looked up by a timer. So a refresh,
a second tab or a closed laptop loses nothing.
"""

from __future__ import annotations

from typing import cast

import gradio as gr

from studio.request import DEFAULT_PIPELINE
from studio.web import page_parts, views
from studio.web.emotion_entry import emotion_entry
from studio.web.page_events import Events
from studio.web.page_form import FormControls, medium_of
from studio.web.page_parts import Look, Named, Settings
from studio.web.service import Service

LOOK = Look(
    medium=medium_of(DEFAULT_PIPELINE),
    pipeline=DEFAULT_PIPELINE,
    things="pictures",
    stage=views.stage,
    download=views.download,
)
EXAMPLES = (  # what the embedded model can paint, in its own words
    "a white lighthouse at dusk, watercolour",
    "mountains by a lake, gouache",
    "a portrait of a woman, impressionist",
    "a city skyline at sunset, ink drawing",
    "rocks in the sea, oil painting",
    "a bare tree, woodcut",
)


def image_page(service: Service, page: gr.Blocks) -> gr.Dropdown:
    """Build the page inside `page` and wire it; returns its list of adapters, which may grow."""
    with gr.Row(elem_classes="columns"):
        with gr.Column(scale=5, min_width=340, elem_classes="column-form"):
            form, render, problem = _form()
        with gr.Column(scale=6, min_width=340, elem_classes="column-result"):
            result = page_parts.result(LOOK)
            with gr.Accordion("Use the settings of a picture", open=False):
                dropped = gr.File(
                    label="Drop a picture that this studio made",
                    file_types=[".png"],
                    type="filepath",
                    height=110,
                )
    Events(LOOK, service, form, result, problem).wire(page, render, dropped)
    return cast(gr.Dropdown, form.general["adapter"])


def _form() -> tuple[FormControls, gr.Button, gr.HTML]:
    general: Named = {}
    general["prompt"] = gr.Textbox(
        label="Prompt", placeholder="what it shows: a subject, then a style", lines=2, elem_id="prompt"
    )
    page_parts.chips(EXAMPLES, general["prompt"], "examples")
    with gr.Column(elem_classes="card"):
        emotion = emotion_entry()
    general["emotion"] = emotion.text
    problem = page_parts.problem()
    render = gr.Button("Render", variant="primary", size="lg", elem_id="render", elem_classes="make")
    settings = Settings(LOOK)
    with gr.Accordion("More settings", open=False, elem_id="more"):
        general["negative"] = gr.Textbox(
            label="Negative prompt", info="what should not be there", max_lines=2
        )
        page_parts.repetition(general, LOOK)
        settings.grow(lambda spec: not spec.of and not spec.advanced)
        page_parts.model_choice(general, LOOK)
        with gr.Accordion("Advanced", open=False):
            settings.grow(lambda spec: not spec.of and spec.advanced)
    return FormControls(general, settings.params, settings.groups, emotion), render, problem
