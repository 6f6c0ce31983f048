"""A form some of whose controls are there once, whichever family of the medium is chosen.

What is shared stays as it is when another family is chosen; a family that does not take it is not told.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.params import ParamSpec
from studio.web.controls import specs_of
from studio.web.form import Form
from studio.web.page_form import FormControls, medium_of, pipelines


@dataclass(frozen=True)
class SharedForm(FormControls):
    """`shared`: parameters with one control on the page, by name."""

    shared: dict[str, gr.components.Component] = field(default_factory=dict)

    @property
    def inputs(self) -> list[gr.components.Component]:
        grown = (part for each in self.params for part in each.components)
        return [*self.general.values(), *self.files.values(), *self.shared.values(), *grown]

    def read(self, given: tuple[Any, ...]) -> Form:
        start, end = self._place
        form = FormControls.read(self, (*given[:start], *given[end:]))
        shared = zip(self.shared, given[start:end], strict=True)
        taken = {spec.name for spec in specs_of(form.pipeline)}
        more = {name: value for name, value in shared if name in taken and value not in (None, "")}
        return dataclasses.replace(form, params={**form.params, **more})

    def updates(self, form: Form) -> list[Any]:
        updates = FormControls.updates(self, form)
        known = specs(medium_of(form.pipeline))
        more = [gr.update(value=form.params.get(name, known[name].default)) for name in self.shared]
        start, _ = self._place
        return [*updates[:start], *more, *updates[start:]]

    @property
    def _place(self) -> tuple[int, int]:
        """Where the shared controls stand among the inputs."""
        start = len(self.general) + len(self.files)
        return start, start + len(self.shared)


def specs(medium: str) -> dict[str, ParamSpec]:
    """Every parameter that a family of a medium has, by name; the first family's where they differ."""
    found: dict[str, ParamSpec] = {}
    for name in pipelines(medium):
        for spec in specs_of(name):
            found.setdefault(spec.name, spec)
    return found
