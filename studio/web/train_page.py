"""The train page: what to learn from, how long, and the runs with their curves and figures as they arrive.

The page holds no run: it queues one and shows what the ledger and the run's folder say, looked up by a timer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import gradio as gr

from studio.emotion import lexicon
from studio.params import ParamSpec
from studio.training_jobs import TrainingJobs
from studio.training_plan import BASES, PRESETS, dataset_specs, dataset_title, datasets, plan_specs, trainable
from studio.web import controls, train_views
from studio.web.controls import ParamControls
from studio.web.tiles import Tiles
from studio.web.train_events import FOLDER, TrainEvents, TrainForm, TrainResult, base_models

AUTOMATIC_SIZE = "empty: the size that the model was made for"
NOTE = (
    "Runs are trained one at a time and go on when this page is closed. You can make pictures meanwhile: "
    "both are slower then. Ending the app stops a run with a checkpoint; Resume goes on from there."
)
OWN_PICTURES = (
    "your own: beside the pictures a metadata.csv with the columns file_name, text (what is to be seen) and "
    "emotion (joy, or 0.6 calm + 0.4 sadness); or a folder for each feeling"
)
MORE = ("rank", "steps", "batch_size", "learning_rate", "mixed_precision", "seed")
Named = dict[str, gr.components.Component]


def train_page(
    jobs: TrainingJobs, page: gr.Blocks, adapters: dict[str, gr.Dropdown], timer: gr.Timer
) -> None:
    """Build the page inside `page` and wire it. `adapters`: the lists of the other pages by medium, kept up
    to date; `timer`: says when to look at the runs."""
    with gr.Row(elem_classes="columns"):
        with gr.Column(scale=5, min_width=340, elem_classes="column-form"):
            form = _form()
            problem = gr.HTML(apply_default_css=False, elem_id="train-problem")
            start = gr.Button("Start training", variant="primary", size="lg", elem_id="train-start")
            gr.HTML(f'<p class="note train-note">{NOTE}</p>', apply_default_css=False)
        with gr.Column(scale=6, min_width=340, elem_classes="column-result"):
            result = _result(adapters, timer)
    TrainEvents(jobs, form, result, problem).wire(page, start)


def _form() -> TrainForm:
    specs = plan_specs()
    plan: Named = {}
    plan["name"] = gr.Textbox(
        label="Name", info=specs["name"].help, placeholder="my-adapter", max_lines=1, elem_id="train-name"
    )
    _base(plan, specs)
    options, groups = _data(plan)
    plan["basis"] = gr.Radio(
        list(BASES),
        value=specs["basis"].default,
        label="Basis",
        info="; ".join(f"{name}: {help}" for name, help in BASES.items()),
        elem_id="train-basis",
    )
    plan["taxonomy"] = gr.Dropdown(
        list(lexicon().taxonomies),
        value=specs["taxonomy"].default,
        label="Taxonomy",
        info=specs["taxonomy"].help,
        visible=False,
    )
    plan["preset"] = _presets(specs["preset"])
    with gr.Accordion("More settings", open=False, elem_id="train-more"):
        for name in MORE:
            plan[name] = controls.control(specs[name])
    return TrainForm(plan, options, groups)


def _base(plan: Named, specs: dict[str, ParamSpec]) -> None:
    families = trainable()
    plan["model"] = gr.Dropdown(
        base_models(),
        value=specs["model"].default,
        label="Base model",
        info=specs["model"].help,
        allow_custom_value=True,
        elem_id="train-model",
    )
    plan["pipeline"] = gr.Dropdown(
        families,
        value=specs["pipeline"].default,
        label="Model family",
        visible=len(families) > 1,
    )


def _presets(spec: ParamSpec) -> gr.Radio:
    choices = [(f"{preset.title}: {preset.time}", name) for name, preset in PRESETS.items()]
    return gr.Radio(
        choices,
        value=spec.default,
        label="How long",
        info="with emotion-tiny on two processor cores that have nothing else to do; larger models take much "
        "longer without a GPU",
        elem_id="train-preset",
    )


def _data(plan: Named) -> tuple[dict[str, ParamControls], dict[str, gr.Group]]:
    """The kinds of data, and a group of controls for each, grown from its options."""
    found = {name: _specs(name) for name in datasets()}
    first = plan_specs()["dataset"].default
    plan["dataset"] = gr.Dropdown(
        [(dataset_title(name), name) for name in datasets(plan_specs()["pipeline"].default)],
        value=first,
        label="Pictures",
        info=OWN_PICTURES,
        elem_id="train-dataset",
    )
    options, groups = {}, {}
    for name, specs in found.items():
        with gr.Group(visible=name == first, elem_id=f"train-data-{name}") as groups[name]:
            options[name] = ParamControls(name, specs, _in_pairs(specs))
    return options, groups


def _in_pairs(specs: Sequence[ParamSpec]) -> tuple[gr.components.Component, ...]:
    """A control for each option: a folder as wide as the form, the others two in a row."""
    grown = {spec.name: controls.control(spec) for spec in specs if spec.name == "root"}
    for folder in grown.values():
        folder.label = FOLDER
    rest = [spec for spec in specs if spec.name not in grown]
    for start in range(0, len(rest), 2):
        with gr.Row():
            grown |= {spec.name: controls.control(spec) for spec in rest[start : start + 2]}
    return tuple(grown[spec.name] for spec in specs)


def _specs(name: str) -> tuple[ParamSpec, ...]:
    return tuple(
        dataclasses.replace(spec, default=None, help=AUTOMATIC_SIZE) if spec.name == "size_px" else spec
        for spec in dataset_specs(name)
    )


def _result(adapters: dict[str, gr.Dropdown], timer: gr.Timer) -> TrainResult:
    trouble = gr.HTML(apply_default_css=False)
    detail = gr.HTML(train_views.detail(None), apply_default_css=False, elem_id="run")
    with gr.Row(elem_classes="result-buttons"):
        report = gr.HTML(apply_default_css=False)
        stop = gr.Button("Stop", visible=False, size="sm", elem_id="train-stop")
        resume = gr.Button("Resume", visible=False, size="sm", elem_id="train-resume")
    command = gr.HTML(apply_default_css=False, elem_id="train-command")
    listing = Tiles(elem_id="runs")
    shown = (detail, report, command, listing, stop, resume, trouble, timer)
    return TrainResult(*shown, gr.State(None), gr.State(""), adapters)
