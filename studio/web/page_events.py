"""What happens on a page: a form becomes jobs, the ledger is shown, what was made becomes a form again.

Handlers run in the server's threads; everything they remember is in the ledger or in the browser's own state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import InputError, StudioError
from studio.web import views
from studio.web.emotion_entry import QUIET
from studio.web.form import Form, form_of, form_of_file
from studio.web.page_form import FormControls, default_model, strength_update
from studio.web.page_parts import BUSY_S, IDLE_S, Look, Result
from studio.web.service import JobView, Service


class Events:
    """The handlers of one page."""

    def __init__(
        self, look: Look, service: Service, form: FormControls, result: Result, problem: gr.HTML
    ) -> None:
        self.kind, self.service, self.form, self.result, self.problem = look, service, form, result, problem

    def wire(self, page: gr.Blocks, render: gr.Button, dropped: gr.File) -> None:
        """Attach every handler."""
        result, form = self.result, self.form
        focus, seed = result.focus, [form.general["seed"], form.general["fresh"]]
        self.on_submit(render, self.submit, self.problem)
        self.then_look(result.cancel.click(self.cancel, focus, None, **QUIET))
        self.then_look(result.stage.select(self.select, None, focus, **QUIET))
        self.then_look(result.strip.select(self.select, None, focus, **QUIET))
        self.then_look(page.load(self.open, None, focus, **QUIET))
        result.timer.tick(self.look, self.looks_at, self.looked_at, **QUIET)
        taxonomy = form.emotion.taxonomy
        fill = [*form.inputs, *form.emotion.filled, self.problem]
        result.again.click(self.fill_from_job, [focus, taxonomy], fill, **QUIET)
        dropped.upload(self.fill_from_file, [dropped, taxonomy], fill, **QUIET)
        result.seed.click(self.keep_seed, focus, seed, **QUIET)
        form.fresh.input(lambda new: gr.update(interactive=not new), form.fresh, seed[0], **QUIET)
        worn = [form.general[name] for name in ("pipeline", "model", "adapter", "strength")]
        for chosen in worn[1:3]:  # `input`, not `change`: a form that is filled in keeps its strength
            chosen.input(strength_update, worn, worn[3], **QUIET)
        form.pipeline.change(self.show_pipeline, form.pipeline, form.all_groups, **QUIET)
        changed = form.pipeline.input(default_model, form.pipeline, form.general["model"], **QUIET)
        changed.then(strength_update, worn, worn[3], **QUIET)

    def on_submit(self, button: gr.Button, handler: Callable[..., Any], problem: gr.HTML) -> None:
        """A button that queues what the form asks for. The text box says what pad and curve say one round

        trip later: until then the emotion is taken from them.
        """
        newest = f"""(...given) => {{
          const newest = {self.kind.newest_emotion};
          if (newest !== null) given[{list(self.form.general).index("emotion")}] = newest;
          return given;
        }}"""
        outputs = [self.result.focus, problem]
        self.then_look(button.click(handler, self.submitted, outputs, js=newest, **QUIET))

    def then_look(self, event: Any) -> None:
        """Show the ledger after an event."""
        event.then(self.look, self.looks_at, self.looked_at, **QUIET)

    @property
    def looks_at(self) -> list[Any]:
        """What `look` is given."""
        return [self.result.focus, self.result.seen]

    @property
    def looked_at(self) -> list[Any]:
        """What `look` shows."""
        return self.result.outputs

    @property
    def submitted(self) -> list[Any]:
        """What `submit` is given, the form first."""
        return self.form.inputs

    def submit(self, *given: Any) -> list[Any]:
        """Queue what the form asks for. Outputs: focus, problem."""
        return self.queue(lambda: self.form.read(given))

    def queue(self, form: Callable[[], Form]) -> list[Any]:
        """Queue the requests of a form. Outputs: focus, problem."""
        try:
            asked = form()
            files = {name: str(self.service.kept(path)) for name, path in asked.inputs.items()}
            ids = self.service.submit(dataclasses.replace(asked, inputs=files).requests())
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
        newest = self.history()
        return [view.id for view in reversed(newest) if view.is_open] or [view.id for view in newest[:1]]

    def history(self) -> list[JobView]:
        """What was made on pages of this medium, newest first."""
        return self.service.history(f"{self.kind.medium}/")

    def more(self, one: JobView | None, *rest: Any) -> list[Any]:
        """What this page shows of the job that its buttons mean, beside `Result`."""
        return []

    def look(self, focus: list[int], seen: str, *rest: Any) -> list[Any]:
        """The outputs of `looked_at`, or nothing at all where nothing has changed."""
        shown, newest = self.service.views(focus), self.history()
        one = main_view(shown)
        html = [self.kind.stage(shown), views.made(one), views.strip(newest, focus), self.kind.download(one)]
        is_open, trouble = any(view.is_open for view in shown), views.problem(self.service.trouble)
        every_s = BUSY_S if any(view.is_open for view in newest) else IDLE_S
        more = self.more(one, *rest)
        mark = views.signature([*html, is_open, trouble, every_s, *more])
        if mark == seen:
            return [gr.skip()] * len(self.looked_at)
        cancel, reuse = gr.update(visible=is_open), gr.update(visible=one is not None)
        return [*html, cancel, reuse, reuse, trouble, gr.Timer(every_s), mark, *more]

    def fill_from_job(self, focus: list[int], taxonomy: str) -> list[Any]:
        """The form of the job that is looked at."""
        one = main_view(self.service.views(focus))
        if one is None:
            return self._not_filled(InputError("picture", None, "there is none yet"))
        return self._filled(lambda: form_of(one.values), taxonomy)

    def fill_from_file(self, path: str, taxonomy: str) -> list[Any]:
        """The form that made a dropped file."""
        return self._filled(lambda: form_of_file(path), taxonomy)

    def _filled(self, form: Callable[[], Form], taxonomy: str) -> list[Any]:
        try:
            found = form()
            self._require_medium(found)
            faces = self.form.emotion.updates(found.emotion, taxonomy)
        except StudioError as error:
            return self._not_filled(error)
        mine = {name: path for name, path in found.inputs.items() if self.service.has(path)}
        missing = ", ".join(Path(path).name for name, path in found.inputs.items() if name not in mine)
        said = views.problem(f"files: choose {missing} again" if missing else None)
        return [*self.form.updates(dataclasses.replace(found, inputs=mine)), *faces, said]

    def _require_medium(self, form: Form) -> None:
        """Raise InputError for a form of another page."""
        known = [name for name, _ in self.form.pipeline.choices]
        if form.pipeline not in known:
            page = form.pipeline.partition("/")[0].capitalize()
            why = f"was made by {form.pipeline}, on the {page} page"
            raise InputError("file", form.pipeline, why)

    def _not_filled(self, error: StudioError) -> list[Any]:
        count = len(self.form.inputs) + len(self.form.emotion.filled)
        return [*[gr.skip()] * count, views.problem(str(error))]

    def keep_seed(self, focus: list[int]) -> list[Any]:
        """Outputs: seed, "a new one each time"."""
        one = main_view(self.service.views(focus))
        if one is None:
            return [gr.skip(), gr.skip()]
        return [gr.update(value=str(one.values["seed"]), interactive=True), False]

    def show_pipeline(self, pipeline: str) -> list[Any]:
        """Outputs: the group of every pipeline."""
        shown = (name == pipeline for name, groups in self.form.groups.items() for _ in groups)
        return [gr.update(visible=visible) for visible in shown]


def main_view(shown: list[JobView]) -> JobView | None:
    """Of the jobs that are looked at, the one that the buttons mean: the first finished one."""
    return next((view for view in shown if view.is_done), shown[0] if shown else None)
