"""The parts that the pages of all media are built of: settings, choice of a model, what is shown of jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.params import ParamSpec
from studio.web import controls, views
from studio.web.controls import ParamControls
from studio.web.emotion_entry import QUIET
from studio.web.form import COUNT, OWN, STRENGTH, strength_span
from studio.web.page_form import adapter_choices, default_model, models, pipelines
from studio.web.service import JobView
from studio.web.tiles import Tiles

BUSY_S, IDLE_S = 0.6, 2.5  # how often the ledger is asked while something is under way, and otherwise
Named = dict[str, gr.components.Component]
Grown = list[tuple[ParamSpec, gr.components.Component]]


@dataclass(frozen=True, slots=True)
class Look:
    """What makes a page that of its medium. `prefix`: of the ids of its elements; `things`: what it makes."""

    medium: str
    pipeline: str  # the family that is chosen first
    things: str
    stage: Callable[[Sequence[JobView]], str]
    download: Callable[[JobView | None], str]
    prefix: str = ""
    curved: bool = False  # a curve is drawn beside the pad

    @property
    def newest_emotion(self) -> str:
        """JavaScript: the emotion that the server has not heard of yet, or null."""
        pad = f'document.querySelector("#{self.prefix}pad .affect").newest()'
        return f'document.querySelector("#{self.prefix}curve .curve").newest({pad})' if self.curved else pad


@dataclass(frozen=True, slots=True)
class Result:
    """The components that show jobs. `focus` holds the ids that are looked at, `seen` what was sent last."""

    stage: gr.HTML
    made: gr.HTML
    strip: Tiles
    download: gr.HTML
    cancel: gr.Button
    again: gr.Button
    seed: gr.Button
    trouble: gr.HTML
    timer: gr.Timer
    focus: gr.State
    seen: gr.State

    @property
    def outputs(self) -> list[Any]:
        buttons = [self.cancel, self.again, self.seed]
        shown = [self.stage, self.made, self.strip, self.download]
        return [*shown, *buttons, self.trouble, self.timer, self.seen]


@dataclass(slots=True)
class Settings:
    """Controls of every family of a medium while they are being built; a family's are shown together."""

    look: Look
    grown: dict[str, Grown] = field(default_factory=dict)
    groups: dict[str, list[gr.Group]] = field(default_factory=dict)

    def grow(self, which: Callable[[ParamSpec], bool], per_row: int = 1) -> None:
        """A group of controls for each family: those of its parameters that `which` is true for."""
        for name in pipelines(self.look.medium):
            specs = [spec for spec in controls.specs_of(name) if which(spec)]
            if specs:
                with gr.Group(visible=name == self.look.pipeline) as group:
                    grown = controls.in_rows(specs, per_row)
                self.grown.setdefault(name, []).extend(grown)
                self.groups.setdefault(name, []).append(group)

    @property
    def params(self) -> tuple[ParamControls, ...]:
        return tuple(controls.collect(name, grown) for name, grown in self.grown.items())


def chips(texts: Sequence[str], filled: gr.components.Component, elem_id: str) -> None:
    """Small buttons that fill a text box."""
    with gr.Row(elem_id=elem_id, elem_classes="chips"):
        for text in texts:
            gr.Button(text, size="sm").click(None, None, filled, js=f"() => {json.dumps(text)}", **QUIET)


def repetition(general: Named, look: Look) -> None:
    """How many, and the seed."""
    with gr.Row():
        general["count"] = gr.Slider(
            COUNT.min or 1, COUNT.max or 1, COUNT.default, step=1, label=look.things.capitalize()
        )
        with gr.Column(min_width=150):
            general["seed"] = gr.Textbox(label="Seed", placeholder="any", max_lines=1, interactive=False)
            general["fresh"] = gr.Checkbox(True, label="a new one each time", container=False)


def model_choice(general: Named, look: Look) -> None:
    """Family, model, adapter and its strength."""
    families = pipelines(look.medium)
    general["pipeline"] = gr.Dropdown(
        families, value=look.pipeline, label="Pipeline", visible=len(families) > 1
    )
    with gr.Row():
        general["model"] = gr.Dropdown(
            models(look.pipeline),
            value=default_model(look.pipeline),
            label="Model",
            info="a name, a folder or a hub id",
            allow_custom_value=True,
            elem_id=f"{look.prefix}model",
        )
        general["adapter"] = gr.Dropdown(
            adapter_choices(look.medium),
            value=OWN,
            label="Emotion adapter",
            info="a name or a folder",
            allow_custom_value=True,
            elem_id=f"{look.prefix}adapter",
        )
    low, high = strength_span(default_model(look.pipeline), OWN, look.pipeline)
    general["strength"] = gr.Slider(
        low,
        high,
        min(max(STRENGTH.default, low), high),
        step=STRENGTH.step,
        label="Strength of the emotion",
        info=STRENGTH.help,
    )


def result(look: Look, stage: Callable[..., gr.HTML] = Tiles) -> Result:
    """What is looked at, its buttons, what was made before."""
    prefix = look.prefix
    trouble = gr.HTML(apply_default_css=False)
    shown = stage(elem_id=f"{prefix}stage", elem_classes="result-stage", value=look.stage([]))
    with gr.Row(elem_classes="result-buttons"):
        download = gr.HTML(apply_default_css=False, elem_id=f"{prefix}download", elem_classes="bare")
        cancel = gr.Button("Cancel", visible=False, size="sm", elem_id=f"{prefix}cancel")
        again = gr.Button("Use these settings", visible=False, size="sm", elem_id=f"{prefix}again")
        seed = gr.Button("Keep this seed", visible=False, size="sm", elem_id=f"{prefix}keep-seed")
    made = gr.HTML(apply_default_css=False, elem_id=f"{prefix}made", elem_classes="bare")
    strip = Tiles(elem_id=f"{prefix}strip", elem_classes="bare")
    timer = gr.Timer(BUSY_S)
    return Result(
        shown, made, strip, download, cancel, again, seed, trouble, timer, gr.State([]), gr.State("")
    )


def problem(prefix: str = "") -> gr.HTML:
    """Where the page says what is wrong with the form."""
    return gr.HTML(views.problem(None), apply_default_css=False, elem_id=f"{prefix}form-problem")
