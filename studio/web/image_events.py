"""What happens on the image page: a form becomes jobs, the ledger is shown, a picture becomes a form.

Handlers run in the server's threads; everything they remember is in the ledger or in the browser's own state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr

from studio import catalog
from studio.errors import InputError, StudioError
from studio.web import views
from studio.web.controls import ParamControls
from studio.web.emotion_entry import QUIET, EmotionEntry
from studio.web.form import BARE, OWN, Form, form_of, form_of_file, strength_span
from studio.web.service import JobView, Service
from studio.web.tiles import Tiles

BUSY_S, IDLE_S = 0.6, 2.5  # how often the ledger is asked while something is under way, and otherwise
GENERAL = (
    "prompt",
    "negative",
    "emotion",
    "pipeline",
    "model",
    "adapter",
    "strength",
    "count",
    "seed",
    "fresh",
)
# The text box says what the pad says one round trip later: Render takes the emotion from the pad until then.
WITH_NEWEST_EMOTION = f"""(...given) => {{
  const newest = document.querySelector("#pad .affect").newest();
  if (newest !== null) given[{GENERAL.index("emotion")}] = newest;
  return given;
}}"""


@dataclass(frozen=True, slots=True)
class FormControls:
    """The components of the form. `general`: by the names of GENERAL; `params`: of every pipeline."""

    general: dict[str, gr.components.Component]
    params: tuple[ParamControls, ...]
    groups: dict[str, list[gr.Group]]
    emotion: EmotionEntry

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [*self.general.values(), *(part for each in self.params for part in each.components)]

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
        value = dict(zip(GENERAL, given, strict=False))
        rest = iter(given[len(GENERAL) :])
        held = {each.pipeline: each.values([next(rest) for _ in each.specs]) for each in self.params}
        return Form(
            prompt=value["prompt"] or "",
            negative_prompt=value["negative"] or "",
            emotion=value["emotion"] or "",
            pipeline=str(value["pipeline"]),
            model=str(value["model"] or ""),
            adapter=value["adapter"] or OWN,
            strength=value["strength"],
            count=value["count"],
            seed=None if value["fresh"] else value["seed"],
            params=held.get(str(value["pipeline"]), {}),
        )

    def updates(self, form: Form) -> list[Any]:
        """What `inputs` show for a form."""
        seed = gr.update(value=str(form.seed), interactive=True)
        general = [form.prompt, form.negative_prompt, form.emotion, form.pipeline, form.model]
        strength = strength_update(form.model, form.adapter, form.strength, widen=True)
        adapters = [form.adapter, strength, form.count, seed, False]
        own = (each.updates(form.params if each.pipeline == form.pipeline else {}) for each in self.params)
        return [*general, *adapters, *(update for updates in own for update in updates)]


@dataclass(frozen=True, slots=True)
class Result:
    """The components that show jobs. `focus` holds the ids that are looked at, `seen` what was sent last."""

    stage: Tiles
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
        return [
            self.stage,
            self.made,
            self.strip,
            self.download,
            *buttons,
            self.trouble,
            self.timer,
            self.seen,
        ]


class Events:
    """The handlers of one page."""

    def __init__(self, service: Service, form: FormControls, result: Result, problem: gr.HTML) -> None:
        self.service, self.form, self.result, self.problem = service, form, result, problem

    def wire(self, page: gr.Blocks, render: gr.Button, dropped: gr.File) -> None:
        """Attach every handler."""
        result, form = self.result, self.form
        focus, seed = result.focus, [form.general["seed"], form.general["fresh"]]
        self._then_look(
            render.click(self.submit, form.inputs, [focus, self.problem], js=WITH_NEWEST_EMOTION, **QUIET)
        )
        self._then_look(result.cancel.click(self.cancel, focus, None, **QUIET))
        self._then_look(result.stage.select(self.select, None, focus, **QUIET))
        self._then_look(result.strip.select(self.select, None, focus, **QUIET))
        self._then_look(page.load(self.open, None, focus, **QUIET))
        result.timer.tick(self.look, [focus, result.seen], result.outputs, **QUIET)
        taxonomy = form.emotion.taxonomy
        fill = [*form.inputs, form.emotion.pad, form.emotion.label, form.emotion.intensity, self.problem]
        result.again.click(self.fill_from_job, [focus, taxonomy], fill, **QUIET)
        dropped.upload(self.fill_from_file, [dropped, taxonomy], fill, **QUIET)
        result.seed.click(self.keep_seed, focus, seed, **QUIET)
        form.fresh.input(lambda new: gr.update(interactive=not new), form.fresh, seed[0], **QUIET)
        worn = [form.general[name] for name in ("model", "adapter", "strength")]
        for chosen in worn[:2]:  # `input`, not `change`: a form that is filled in keeps its strength
            chosen.input(strength_update, worn, worn[2], **QUIET)
        form.pipeline.change(
            self.show_pipeline, form.pipeline, [form.general["model"], *form.all_groups], **QUIET
        )

    def _then_look(self, event: Any) -> None:
        event.then(self.look, [self.result.focus, self.result.seen], self.result.outputs, **QUIET)

    def submit(self, *given: Any) -> list[Any]:
        """Queue what the form asks for. Outputs: focus, problem."""
        try:
            ids = self.service.submit(self.form.read(given).requests())
        except StudioError as error:
            return [gr.skip(), views.problem(str(error))]
        return [ids, ""]

    def cancel(self, focus: list[int]) -> None:
        """Cancel what is looked at."""
        self.service.cancel(focus)

    def select(self, event: gr.EventData) -> list[int]:
        """Look at the job whose tile was clicked."""
        try:
            return [self.service.known(getattr(event, "job", None))]
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def open(self) -> list[int]:
        """What a page shows first: everything under way, else the newest."""
        newest = self.service.history()
        return [view.id for view in reversed(newest) if view.is_open] or [view.id for view in newest[:1]]

    def look(self, focus: list[int], seen: str) -> list[Any]:
        """The outputs of `Result`, or nothing at all where nothing has changed."""
        shown, newest = self.service.views(focus), self.service.history()
        one = _main(shown)
        html = [views.stage(shown), views.made(one), views.strip(newest, focus), views.download(one)]
        is_open, trouble = any(view.is_open for view in shown), views.problem(self.service.trouble)
        every_s = BUSY_S if any(view.is_open for view in newest) else IDLE_S
        mark = views.signature([*html, is_open, trouble, every_s])
        if mark == seen:
            return [gr.skip()] * len(self.result.outputs)
        cancel, reuse = gr.update(visible=is_open), gr.update(visible=one is not None)
        return [*html, cancel, reuse, reuse, trouble, gr.Timer(every_s), mark]

    def fill_from_job(self, focus: list[int], taxonomy: str) -> list[Any]:
        """The form of the job that is looked at."""
        one = _main(self.service.views(focus))
        if one is None:
            return self._not_filled(InputError("picture", None, "there is none yet"))
        return self._filled(lambda: form_of(one.values), taxonomy)

    def fill_from_file(self, path: str, taxonomy: str) -> list[Any]:
        """The form that made a dropped picture."""
        return self._filled(lambda: form_of_file(path), taxonomy)

    def _filled(self, read: Callable[[], Form], taxonomy: str) -> list[Any]:
        try:
            found = read()
            pad, label, intensity, _, _ = self.form.emotion.updates(found.emotion, taxonomy)
        except StudioError as error:
            return self._not_filled(error)
        return [*self.form.updates(found), pad, label, intensity, ""]

    def _not_filled(self, error: StudioError) -> list[Any]:
        return [*[gr.skip()] * (len(self.form.inputs) + 3), views.problem(str(error))]

    def keep_seed(self, focus: list[int]) -> list[Any]:
        """Outputs: seed, "a new one each time"."""
        one = _main(self.service.views(focus))
        if one is None:
            return [gr.skip(), gr.skip()]
        return [gr.update(value=str(one.values["seed"]), interactive=True), False]

    def show_pipeline(self, pipeline: str) -> list[Any]:
        """Outputs: model, then the group of every pipeline."""
        model = gr.update(choices=models(pipeline), value=default_model(pipeline))
        shown = (name == pipeline for name, groups in self.form.groups.items() for _ in groups)
        return [model, *(gr.update(visible=visible) for visible in shown)]


def models(pipeline: str) -> list[str]:
    """Names that the model list offers; any folder or hub id can be typed."""
    return list(dict.fromkeys([default_model(pipeline), *catalog.models()]))


def strength_update(model: str, adapter: str, strength: float, widen: bool = False) -> Any:
    """The slider's new ends, its value inside them; `widen` moves an end out to the value instead."""
    low, high = strength_span(str(model or ""), str(adapter or OWN))
    if widen:
        low, high = min(low, strength), max(high, strength)
    return gr.update(minimum=low, maximum=high, value=min(max(strength, low), high))


def adapter_choices() -> list[tuple[str, str]]:
    """What the adapter list offers, as (shown, value); any folder can be typed."""
    named = [(name, name) for name in catalog.adapters()]
    own = [(f"{name} (yours)", name) for name in catalog.own_adapters()]
    return [("the model's own", OWN), ("none: the bare model", BARE), *named, *own]


def default_model(pipeline: str) -> str:
    """The model that a pipeline takes when none is named."""
    return str(catalog.load("pipeline", pipeline).DEFAULT_MODEL)


def _main(shown: list[JobView]) -> JobView | None:
    """Of the jobs that are looked at, the one that the buttons mean: the first finished one."""
    return next((view for view in shown if view.is_done), shown[0] if shown else None)
