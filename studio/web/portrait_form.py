"""The form of the portrait page: what is said in one box, and controls that all its families share.

The box is what is said, or the words of the recording where there is one; a request has three fields for
that. `SHARED` are parameters with one control on the page, whichever family is chosen.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.params import ParamSpec
from studio.request import MAX_PROMPT_CHARS
from studio.web.controls import specs_of
from studio.web.form import Form
from studio.web.page_form import FormControls, input_names, pipelines

MEDIUM = "portrait"
AUDIO, IMAGE = "audio", "image"  # names of inputs
SHARED = ("portrait", "voice", "language", "read", "muscles")
SAID, TRANSCRIPT = "say", "transcript"
HIDDEN = (*SHARED, SAID, TRANSCRIPT, "face")  # that no family has a control of its own for
TITLE_CHARS = 60


@dataclass(frozen=True)
class PortraitForm(FormControls):
    """`shared`: the controls of SHARED by name."""

    shared: dict[str, gr.components.Component] = field(default_factory=dict)

    @property
    def inputs(self) -> list[gr.components.Component]:
        grown = (part for each in self.params for part in each.components)
        return [*self.general.values(), *self.files.values(), *self.shared.values(), *grown]

    def read(self, given: tuple[Any, ...]) -> Form:
        start = len(self.general) + len(self.files)
        end = start + len(self.shared)
        form = FormControls.read(self, (*given[:start], *given[end:]))
        shared = zip(self.shared, given[start:end], strict=True)
        taken = {spec.name for spec in specs_of(form.pipeline)}
        more = {name: value for name, value in shared if name in taken and value not in (None, "")}
        return said(dataclasses.replace(form, params={**form.params, **more}))

    def updates(self, form: Form) -> list[Any]:
        updates = FormControls.updates(self, dataclasses.replace(form, prompt=box_of(form)))
        start = len(self.general) + len(self.files)
        known = specs()
        more = [gr.update(value=form.params.get(name, known[name].default)) for name in self.shared]
        if form.inputs.get(IMAGE):
            more[list(self.shared).index("portrait")] = gr.update(value="")
        return [*updates[:start], *more, *updates[start:]]


def specs() -> dict[str, ParamSpec]:
    """Every parameter that a family of the medium has, by name; the first family's where they differ."""
    found: dict[str, ParamSpec] = {}
    for name in pipelines(MEDIUM):
        for spec in specs_of(name):
            found.setdefault(spec.name, spec)
    return found


def said(form: Form) -> Form:
    """What stands in the box, as the fields that it means; the prompt becomes a title."""
    text = form.prompt.strip()
    heard = AUDIO in form.inputs
    if not heard and len(text) <= MAX_PROMPT_CHARS:
        return form
    name = TRANSCRIPT if heard else SAID
    title = " ".join(text.split())[:TITLE_CHARS]
    return dataclasses.replace(form, prompt=title, params={**form.params, **({name: text} if text else {})})


def box_of(form: Form) -> str:
    """What the box shows for a form."""
    if AUDIO in form.inputs:
        return str(form.params.get(TRANSCRIPT) or "").strip()
    return str(form.params.get(SAID) or form.prompt).strip()


def reads_pictures(pipeline: str) -> bool:
    """Whether a family shows somebody, or makes motion alone."""
    return IMAGE in input_names(pipeline)
