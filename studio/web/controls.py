"""Controls grown from the parameters that a pipeline declares: no pipeline has code of its own in a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio import catalog
from studio.params import ParamSpec
from studio.web.bar_picker import BarPicker

SLIDER_STOPS = 2000  # a longer range is a number to type


@dataclass(frozen=True, slots=True)
class ParamControls:
    """The controls of one pipeline, in the order of its parameters."""

    pipeline: str
    specs: tuple[ParamSpec, ...]
    components: tuple[gr.components.Component, ...]

    def values(self, given: Sequence[Any]) -> dict[str, Any]:
        """What the controls hold as request fields; an empty control leaves the default."""
        pairs = [(spec, _text(value)) for spec, value in zip(self.specs, given, strict=True)]
        return {spec.name: value for spec, value in pairs if value is not None and value != ""}

    def of_unit(self, unit: str) -> list[gr.components.Component]:
        """The controls of the parameters that are in a unit."""
        return [part for spec, part in zip(self.specs, self.components, strict=True) if spec.unit == unit]

    def updates(self, values: Mapping[str, Any]) -> list[Any]:
        """What each control shows for a request; parameters that it does not name go back to the default."""
        return [gr.update(value=_shown(spec, values.get(spec.name, spec.default))) for spec in self.specs]


def specs_of(pipeline: str) -> tuple[ParamSpec, ...]:
    """The parameters of a pipeline, in the order of their declaration."""
    return catalog.param_specs(pipeline)


def in_rows(specs: Sequence[ParamSpec], per_row: int) -> list[tuple[ParamSpec, gr.components.Component]]:
    """A control for each parameter, `per_row` side by side."""
    if per_row == 1:
        return [(spec, control(spec)) for spec in specs]
    grown = []
    for start in range(0, len(specs), per_row):
        with gr.Row():
            grown += [(spec, control(spec)) for spec in specs[start : start + per_row]]
    return grown


def collect(pipeline: str, grown: Sequence[tuple[ParamSpec, gr.components.Component]]) -> ParamControls:
    """The grown controls in the order of the declaration."""
    order = {spec.name: index for index, spec in enumerate(specs_of(pipeline))}
    pairs = sorted(grown, key=lambda pair: order[pair[0].name])
    return ParamControls(pipeline, tuple(spec for spec, _ in pairs), tuple(control for _, control in pairs))


def control(spec: ParamSpec) -> gr.components.Component:
    """One control: a tick box (or several), a row of bars, a list, a slider, a number or a line of text."""
    if spec.unit == "bars" and spec.type is str:
        return BarPicker(spec.default, label=spec.help)
    shown: dict[str, Any] = {"label": _title(spec), "info": spec.help, "value": _shown(spec, spec.default)}
    if spec.several:
        return gr.CheckboxGroup(choices=list(spec.several), **shown)
    if spec.type is bool:
        return gr.Checkbox(**shown)
    if spec.choices:
        return gr.Dropdown(choices=list(spec.choices), **shown)
    if spec.type is str or spec.default is None:  # a number box cannot be empty: it would say 0
        return gr.Textbox(placeholder="" if spec.type is str else "automatic", max_lines=1, **shown)
    if spec.min is not None and spec.max is not None and (spec.max - spec.min) / _step(spec) <= SLIDER_STOPS:
        return gr.Slider(minimum=spec.min, maximum=spec.max, step=_step(spec), **shown)
    return gr.Number(precision=0 if spec.type is int else None, step=_step(spec), **shown)


def _text(value: Any) -> Any:
    """Ticked words as one text."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _shown(spec: ParamSpec, value: Any) -> Any:
    """What the control of a parameter takes for a value of a request."""
    if not spec.several:
        return value
    return [word.strip() for word in str(value or "").split(",") if word.strip() in spec.several]


def _step(spec: ParamSpec) -> float:
    return spec.step or (1 if spec.type is int else 0.05)


def _title(spec: ParamSpec) -> str:
    name = spec.name.removesuffix(f"_{spec.unit}").replace("_", " ").capitalize()
    return f"{name} ({spec.unit})" if spec.unit else name
