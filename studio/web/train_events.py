"""What happens on the train page: a form becomes a run, the ledger and the run's files are shown.

Handlers run in the server's threads; everything they remember is in the ledger or in the browser's own state.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio import catalog
from studio.errors import StudioError
from studio.training_jobs import Run, TrainingJobs
from studio.training_plan import dataset_title, datasets
from studio.web import train_views, views
from studio.web.controls import ParamControls
from studio.web.emotion_entry import QUIET
from studio.web.page_form import adapter_choices
from studio.web.tiles import Tiles

FOLDER = "Folder"  # what the form calls dataset.root
BUSY_S, IDLE_S = 1.0, 2.5  # how often the runs are looked at while one is under way, and otherwise


@dataclass(frozen=True, slots=True)
class TrainForm:
    """The components of the form. `plan`: by the names of a Plan; `options`: of every dataset."""

    plan: dict[str, gr.components.Component]
    options: dict[str, ParamControls]
    groups: dict[str, gr.Group]

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [*self.plan.values(), *(part for each in self.options.values() for part in each.components)]

    def read(self, given: tuple[Any, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The plan, and the options of its dataset, from the values of `inputs`."""
        plan = dict(zip(self.plan, given, strict=False))
        rest = iter(given[len(self.plan) :])
        held = {name: each.values([next(rest) for _ in each.specs]) for name, each in self.options.items()}
        return plan, held.get(str(plan["dataset"]), {})


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The components that show runs. `focus`: id of the run that is looked at; `seen`: what was sent last."""

    detail: gr.HTML
    report: gr.HTML
    command: gr.HTML  # apart from `detail`, so that what a person has unfolded stays so
    listing: Tiles
    stop: gr.Button
    resume: gr.Button
    trouble: gr.HTML
    timer: gr.Timer
    focus: gr.State
    seen: gr.State
    adapters: dict[str, gr.Dropdown]  # the lists of the other pages, by medium

    @property
    def outputs(self) -> list[Any]:
        shown = [self.detail, self.report, self.command, self.listing, self.stop, self.resume]
        return [*shown, self.trouble, self.timer, *self.adapters.values(), self.seen]


class TrainEvents:
    """The handlers of the train page."""

    def __init__(self, jobs: TrainingJobs, form: TrainForm, result: TrainResult, problem: gr.HTML) -> None:
        self.jobs, self.form, self.result, self.problem = jobs, form, result, problem

    def wire(self, page: gr.Blocks, start: gr.Button) -> None:
        """Attach every handler."""
        result, form, focus = self.result, self.form, self.result.focus
        self._then_look(start.click(self.begin, form.inputs, [focus, self.problem], **QUIET))
        self._then_look(result.stop.click(self.halt, focus, self.problem, **QUIET))
        self._then_look(result.resume.click(self.go_on, focus, self.problem, **QUIET))
        self._then_look(result.listing.select(self.pick_run, None, focus, **QUIET))
        self._then_look(page.load(self.newest, None, focus, **QUIET))
        result.timer.tick(self.look_at_runs, [focus, result.seen], result.outputs, **QUIET)
        form.plan["dataset"].change(
            self.show_dataset, form.plan["dataset"], list(form.groups.values()), **QUIET
        )
        form.plan["model"].change(self.show_family, form.plan["model"], form.plan["pipeline"], **QUIET)
        form.plan["pipeline"].change(self.show_data, form.plan["pipeline"], form.plan["dataset"], **QUIET)
        form.plan["basis"].change(self.show_basis, form.plan["basis"], form.plan["taxonomy"], **QUIET)

    def _then_look(self, event: Any) -> None:
        event.then(self.look_at_runs, [self.result.focus, self.result.seen], self.result.outputs, **QUIET)

    def begin(self, *given: Any) -> list[Any]:
        """Queue the run that the form asks for. Outputs: focus, problem."""
        try:
            return [self.jobs.submit(*self.form.read(given)), ""]
        except StudioError as error:
            return [gr.skip(), views.problem(_said(error))]

    def halt(self, focus: int | None) -> str:
        """Stop the run that is looked at. Output: problem."""
        if focus is not None:
            self.jobs.cancel(focus)
        return ""

    def go_on(self, focus: int | None) -> str:
        """Resume the run that is looked at. Output: problem."""
        try:
            self.jobs.resume(self.jobs.known(focus).id)
        except StudioError as error:
            return views.problem(str(error))
        return ""

    def pick_run(self, event: gr.EventData) -> int:
        """Look at the run whose line was clicked."""
        try:
            return self.jobs.known(getattr(event, "job", None)).id
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def newest(self) -> int | None:
        """What a page shows first: what is under way, else the newest run."""
        runs = self.jobs.runs()
        first = next((run for run in runs if run.is_open), runs[0] if runs else None)
        return first.id if first else None

    def look_at_runs(self, focus: int | None, seen: str) -> list[Any]:
        """The outputs of `TrainResult`, or nothing at all where nothing has changed."""
        runs = self.jobs.runs()
        one = _chosen(runs, focus)
        html = [train_views.detail(one), train_views.report(one), train_views.command(one)]
        html.append(train_views.listing(runs, one.id if one else None))
        can_stop, can_resume = bool(one and one.is_open), bool(one and one.can_resume)
        trouble = views.problem(self.jobs.worker.trouble)
        every_s = BUSY_S if any(run.is_open or run.is_ending for run in runs) else IDLE_S
        adapters = [adapter_choices(medium) for medium in self.result.adapters]
        mark = views.signature([*html, can_stop, can_resume, trouble, every_s, adapters])
        if mark == seen:
            return [gr.skip()] * len(self.result.outputs)
        buttons = [gr.update(visible=can_stop), gr.update(visible=can_resume)]
        lists = [gr.update(choices=choices) for choices in adapters]
        return [*html, *buttons, trouble, gr.Timer(every_s), *lists, mark]

    def show_dataset(self, dataset: str) -> list[Any]:
        """Outputs: the group of every dataset."""
        updates = [gr.update(visible=name == dataset) for name in self.form.groups]
        return updates if len(updates) > 1 else updates[0]

    def show_family(self, model: str) -> Any:
        """Output: the family of an embedded base; what it is of another is for the person to say."""
        return catalog.pipeline_of(model) if model in catalog.models() else gr.skip()

    def show_data(self, pipeline: str) -> Any:
        """Output: the kinds of data, those of the family's medium."""
        names = datasets(pipeline)
        return gr.update(choices=[(dataset_title(name), name) for name in names], value=names[0])

    def show_basis(self, basis: str) -> Any:
        """Output: the taxonomy, which only labels need."""
        return gr.update(visible=basis == "labels")


def _chosen(runs: list[Run], focus: int | None) -> Run | None:
    """The run that is looked at; of one that was begun anew under its name, the newest."""
    return next((run for run in runs if run.id == focus), runs[0] if runs else None)


def _said(error: StudioError) -> str:
    """The error in the form's own words."""
    return re.sub(
        r"^dataset\.(\w+): ", lambda found: f"{FOLDER if found[1] == 'root' else found[1]}: ", str(error)
    )


def base_models() -> list[str]:
    """Names that the list of bases offers; any folder or hub id can be typed."""
    learners = ("unet", "transformer")
    found = catalog.models().items()
    return [name for name, folder in found if any((folder / part).is_dir() for part in learners)]
