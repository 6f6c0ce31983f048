"""The form of the portrait page: what is said in one box, and controls that all its families share.

The box is what is said, or the words of the recording where there is one; a request has three fields for
that. `SHARED` are parameters with one control on the page, whichever family is chosen.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr

from studio.params import ParamSpec
from studio.request import MAX_PROMPT_CHARS
from studio.web import shared_form
from studio.web.form import Form
from studio.web.page_form import input_names
from studio.web.shared_form import SharedForm

MEDIUM = "portrait"
AUDIO, IMAGE = "audio", "image"  # names of inputs
SHARED = ("portrait", "voice", "language", "read", "muscles")
SAID, TRANSCRIPT = "say", "transcript"
HIDDEN = (*SHARED, SAID, TRANSCRIPT, "face")  # that no family has a control of its own for
TITLE_CHARS = 60


class PortraitForm(SharedForm):
    """`shared`: the controls of SHARED by name."""

    def read(self, given: tuple[Any, ...]) -> Form:
        return said(super().read(given))

    def updates(self, form: Form) -> list[Any]:
        updates = super().updates(dataclasses.replace(form, prompt=box_of(form)))
        if form.inputs.get(IMAGE):  # nobody else is chosen
            updates[self.inputs.index(self.shared["portrait"])] = gr.update(value="")
        return updates


def specs() -> dict[str, ParamSpec]:
    """Every parameter that a family of the medium has, by name; the first family's where they differ."""
    return shared_form.specs(MEDIUM)


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
