"""The form of a page: its components, what it reads from them and what they show; what its lists offer.

One page serves one medium, the part of a pipeline's name before the slash. What a pipeline takes grows from
its `Params` and `INPUTS`; no pipeline has code of its own here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import gradio as gr

from studio import catalog
from studio.errors import StudioError
from studio.web.controls import ParamControls
from studio.web.emotion_entry import EmotionEntry
from studio.web.form import BARE, OWN, Form, strength_span


@dataclass(frozen=True, slots=True)
class FormControls:
    """The components of a form. `general`: by name; `params`: of every pipeline; `groups`: what is shown only

    for one pipeline; `files`: by the names that pipelines give their input files.
    """

    general: dict[str, gr.components.Component]
    params: tuple[ParamControls, ...]
    groups: dict[str, list[gr.Group]]
    emotion: EmotionEntry
    files: dict[str, gr.File] = field(default_factory=dict)

    @property
    def inputs(self) -> list[gr.components.Component]:
        grown = (part for each in self.params for part in each.components)
        return [*self.general.values(), *self.files.values(), *grown]

    @property
    def fresh(self) -> gr.Checkbox:
        return cast(gr.Checkbox, self.general["fresh"])

    @property
    def pipeline(self) -> gr.Dropdown:
        return cast(gr.Dropdown, self.general["pipeline"])

    @property
    def all_groups(self) -> list[gr.Group]:
        return [group for groups in self.groups.values() for group in groups]

    def read(self, given: tuple[Any, ...]) -> Form:
        """The form from the values of `inputs`."""
        rest = iter(given)
        value = {name: next(rest) for name in self.general}
        files = {name: next(rest) for name in self.files}
        held = {each.pipeline: each.values([next(rest) for _ in each.specs]) for each in self.params}
        pipeline = str(value["pipeline"])
        return Form(
            prompt=value["prompt"] or "",
            negative_prompt=value.get("negative") or "",
            emotion=value["emotion"] or "",
            pipeline=pipeline,
            model=str(value["model"] or ""),
            adapter=value["adapter"] or OWN,
            strength=value["strength"],
            count=value["count"],
            seed=None if value["fresh"] else value["seed"],
            params=held.get(pipeline, {}),
            inputs={name: path for name, path in files.items() if path and name in input_names(pipeline)},
        )

    def updates(self, form: Form) -> list[Any]:
        """What `inputs` show for a form."""
        general = {
            "prompt": form.prompt,
            "negative": form.negative_prompt,
            "emotion": form.emotion,
            "pipeline": form.pipeline,
            "model": form.model,
            "adapter": form.adapter,
            "strength": strength_update(form.pipeline, form.model, form.adapter, form.strength, widen=True),
            "count": form.count,
            "seed": gr.update(value=str(form.seed), interactive=True),
            "fresh": False,
        }
        files = [form.inputs.get(name) for name in self.files]
        own = (each.updates(form.params if each.pipeline == form.pipeline else {}) for each in self.params)
        grown = [update for updates in own for update in updates]
        return [*(general[name] for name in self.general), *files, *grown]


def pipelines(medium: str) -> list[str]:
    """The families of a medium, without those whose own model is not here; one of the hub may come."""
    here = catalog.models()
    families = (name for name in catalog.names("pipeline") if medium_of(name) == medium)
    return [name for name in families if "/" in default_model(name) or default_model(name) in here]


def first_pipeline(medium: str, wished: Sequence[str] = ()) -> str:
    """The family of a medium that is chosen first: of those that are `wished` the first one that is here."""
    offered = pipelines(medium)
    return next((name for name in wished if name in offered), offered[0])


def medium_of(pipeline: str) -> str:
    """`image` of `image/sd`."""
    return pipeline.partition("/")[0]


def input_names(pipeline: str) -> tuple[str, ...]:
    """The input files that a family takes; none for a name that is no family."""
    known = pipeline in catalog.names("pipeline")
    return tuple(getattr(catalog.load("pipeline", pipeline), "INPUTS", ())) if known else ()


def models(pipeline: str) -> list[str]:
    """Names that the model list offers: those of the medium; any folder or hub id can be typed."""
    media = _media()
    found = (name for name in catalog.models() if media[name] == medium_of(pipeline))
    return list(dict.fromkeys([default_model(pipeline), *found]))


def adapter_choices(medium: str) -> list[tuple[str, str]]:
    """What the adapter list of a medium offers, as (shown, value); any folder can be typed.

    An adapter whose base model is not known here is offered everywhere.
    """
    media = _media()
    bases = {default_model(name) for name in pipelines(medium)}  # of a clip: a model of pictures

    def fits(name: str) -> bool:
        base = _base_of(name)
        return base in bases or media.get(base, medium) == medium

    named = [(name, name) for name in catalog.adapters() if fits(name)]
    own = [(f"{name} (yours)", name) for name in catalog.own_adapters() if fits(name)]
    return [("the model's own", OWN), ("none: the bare model", BARE), *named, *own]


def default_model(pipeline: str) -> str:
    """The model that a pipeline takes when none is named."""
    return str(catalog.load("pipeline", pipeline).DEFAULT_MODEL)


def strength_update(pipeline: str, model: str, adapter: str, strength: float, widen: bool = False) -> Any:
    """The slider's new ends, its value inside them; `widen` moves an end out to the value instead."""
    low, high = strength_span(str(model or ""), str(adapter or OWN), pipeline)
    if widen:
        low, high = min(low, strength), max(high, strength)
    return gr.update(minimum=low, maximum=high, value=min(max(strength, low), high))


def _media() -> Mapping[str, str]:
    """Embedded model -> medium."""
    return {name: medium_of(catalog.pipeline_of(name)) for name in catalog.models()}


def _base_of(adapter: str) -> str:
    try:
        return str(catalog.adapter_card(adapter).get("base_model"))
    except StudioError:  # it is offered, and says what is wrong with it when it is worn
        return ""
