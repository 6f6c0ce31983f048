"""Training runs as HTML: the one that is looked at, with its loss curve and figures, and the list of all.

Every text that came from a person is escaped here. Knows how things look, not how they come about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from math import log10
from urllib.parse import quote

from studio.ledger import DONE, LEASED, QUEUED
from studio.training_files import step_of
from studio.training_jobs import Run
from studio.training_plan import PRESETS

FILES = "training-files"  # where train_files.py serves a run's pictures and report
EMPTY = (
    "No adapter has been trained here yet.<br>"
    f"<small>Choose a base and pictures, press Start. A quick look takes {PRESETS['quick'].time}.</small>"
)
STARTING = "starting: loading the model and preparing the data, which is done once"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 200, 46, 22, 10, 8  # of the chart, in its own units
POINTS = 240  # a curve has no more than it is wide
CHECKED = ("validation_loss", "validation_loss_base")  # drawn over the training loss
TITLES = {
    "validation_loss": "Held-out loss, with their own feelings",
    "validation_loss_other_emotions": "... with each other's feelings",
    "validation_loss_base": "... without the adapter",
    "control_prompt": "Share of pictures that keep their prompt; of bars that are music",
}
HINTS = {
    "validation_loss": "Loss: how wrong it still is, here on examples that it does not learn from. The "
    "first is the smallest of the three when feelings were learnt.",
    "control_valence_r": "Control: how what is read from its pictures follows what was asked, as a "
    "correlation. 1 is best; below chance it says nothing.",
}
_CONTROL = re.compile(r"control_(?P<what>(?!.*chance)\w+)_(?P<measure>r|accuracy)")
Points = Sequence[tuple[int, float]]


def detail(run: Run | None) -> str:
    """The run that is looked at."""
    if run is None:
        return f'<div class="stage stage-empty train-empty"><p>{EMPTY}</p></div>'
    parts = [_head(run), _progress(run), _problem(run), chart(run), _grid(run), _figures(run)]
    return (
        f'<section class="run run-{run.state}" aria-label="Run {escape(run.name)}">{"".join(parts)}</section>'
    )


def _head(run: Run) -> str:
    plan = run.values["plan"]
    facts = (plan["model"], plan["dataset"], plan["basis"], PRESETS[plan["preset"]].title)
    return (
        f'<header><h2>{escape(run.name)}</h2><span class="run-word">{run.word}</span>'
        f"<p>{escape(' · '.join(facts))}</p></header>"
    )


def _progress(run: Run) -> str:
    percent = round(run.progress * 100)
    bar = (
        '<div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}"><i style="width: {percent}%"></i></div>'
    )
    return f'{bar}<p class="stage-words" role="status">{escape(_words(run))}</p>'


def _words(run: Run) -> str:
    news = run.news
    at = f"step {news.step} of {run.steps}"
    if run.state == QUEUED:
        return "waiting: runs are trained one at a time"
    if run.state == LEASED and not news.step:
        return STARTING
    if run.state == LEASED and news.step >= run.steps:
        return f"all {run.steps} steps are done; measuring what it has learnt and how strong it may be worn"
    if run.state == LEASED:
        speed = f", {news.samples_per_s:.1f} pictures/s" if news.samples_per_s else ""
        left = "" if run.eta_s is None else f", about {duration(run.eta_s)} left"
        return at + speed + left
    if run.is_ending:
        return f"{at}; stopping, a checkpoint is being written"
    if run.state == DONE:
        return f"{run.steps} steps; it is in the list of adapters as {run.name!r}"
    kept = f"Resume goes on from step {news.checkpoint}" if news.checkpoint else "Resume starts it again"
    return f"{at}; {kept}" if news.step else kept


def duration(seconds: float) -> str:
    """About how long, as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _problem(run: Run) -> str:
    return f'<p class="problem" role="alert">{escape(run.error)}</p>' if run.error else ""


# ---- the loss curve


def chart(run: Run) -> str:
    """Training loss over steps, with the held-out losses as dots; nothing before there are two points."""
    losses = run.news.losses
    checks = {name: _check_points(run, name) for name in CHECKED}
    if len(losses) < 2:
        return ""
    values = [value for points in (losses, *checks.values()) for _, value in points]
    low, high = min(values), max(values)
    room = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    frame = _Frame(run.steps, low - room, high + room)
    lines = frame.grid() + f'<polyline class="loss" points="{frame.path(_thinned(losses))}"/>'
    dots = "".join(frame.dots(name, points) for name, points in checks.items())
    last = f"training loss {losses[-1][1]:.4f} at step {losses[-1][0]}"
    return (
        f'<figure class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Loss: {last}">'
        f"{lines}{dots}</svg><figcaption>{_legend(last, checks)}</figcaption></figure>"
    )


class _Frame:
    """The plane of a chart: steps to the right, loss upwards."""

    def __init__(self, steps: int, low: float, high: float) -> None:
        self.steps, self.low, self.high = steps, low, high

    def x(self, step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / self.steps

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)

    def path(self, points: Points) -> str:
        return " ".join(f"{self.x(step):.1f},{self.y(value):.1f}" for step, value in points)

    def dots(self, name: str, points: Points) -> str:
        place = ((self.x(step), self.y(value)) for step, value in points)
        return "".join(f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in place)

    def grid(self) -> str:
        """Three lines with their values, and the steps at both ends."""
        lines = []
        digits = max(2, min(5, 1 - int(log10(self.high - self.low))))
        for share in (0.1, 0.5, 0.9):
            value = self.low + (self.high - self.low) * share
            y = self.y(value)
            lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            lines.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.{digits}f}</text>')
        for step, anchor in ((0, "start"), (self.steps, "end")):
            lines.append(
                f'<text x="{self.x(step):.1f}" y="{HEIGHT - 5}" text-anchor="{anchor}">step {step}</text>'
            )
        return "".join(lines)


def _thinned(points: Points) -> Points:
    """At most POINTS of them: means of neighbours, so that a long run shows its course and not its noise."""
    size = -(-len(points) // POINTS)
    groups = (points[start : start + size] for start in range(0, len(points), size))
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def _check_points(run: Run, name: str) -> list[tuple[int, float]]:
    return [(step, values[name]) for step, values in run.news.checks if name in values]


def _legend(last: str, checks: Mapping[str, Points]) -> str:
    shown = [f'<span class="key loss">{last}</span>']
    titles = {"validation_loss": "held-out examples", "validation_loss_base": "the same, without the adapter"}
    shown += [f'<span class="key {name}">{titles[name]}</span>' for name in checks if checks[name]]
    return "".join(shown)


# ---- pictures, figures, files


def _grid(run: Run) -> str:
    grid = run.news.grid
    if grid is None:
        return ""
    step = step_of(grid)
    source = f"{FILES}/{quote(run.name)}/grids/{quote(grid.name)}"
    alt = f"What the adapter paints at step {step}: valence to the right, arousal upwards"
    return (
        f'<figure class="run-grid"><a href="{source}" target="_blank"><img src="{source}" alt="{alt}"></a>'
        f"<figcaption>step {step}: pleasant to the right, energetic upwards</figcaption></figure>"
    )


def _figures(run: Run) -> str:
    """The newest validation as a table; what is not in it is in the report."""
    figures = run.news.figures
    rows = [(title, _number(figures[name])) for name, title in TITLES.items() if name in figures]
    rows += [row for name in figures if (row := _control(name, figures))]
    if not rows:
        return ""
    table = "".join(f"<dt>{escape(title)}</dt><dd>{escape(value)}</dd>" for title, value in rows)
    said = "".join(f'<p class="note">{hint}</p>' for name, hint in HINTS.items() if name in figures)
    return f'<div class="made run-figures"><dl>{table}</dl>{said}</div>'


def _control(name: str, figures: Mapping[str, float]) -> tuple[str, str] | None:
    """What is read from its pictures against what was asked, beside what chance would give."""
    found = _CONTROL.fullmatch(name)
    if found is None:
        return None
    what, measure = found["what"], found["measure"]
    chance = figures.get(f"control_{what}_chance_{measure}")
    beside = "" if chance is None else f" (chance: up to {chance:.2f})"
    title = f"Control of {what.replace('_', ' ')}"
    return title if measure == "r" else f"{title}, {measure}", f"{figures[name]:.2f}{beside}"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e9 else f"{value:.3g}"


def report(run: Run | None) -> str:
    """A link to the report of a run; nothing while there is none."""
    if run is None or run.news.report is None:
        return ""
    link = f"{FILES}/{quote(run.name)}/report.html"
    return f'<a class="download" href="{link}" target="_blank">Report</a>'


def command(run: Run | None) -> str:
    """How the command line goes on with a run."""
    if run is None:
        return ""
    return (
        '<div class="made"><details><summary>The same on the command line</summary>'
        "<p>In the studio's folder; it goes on from where this run is. Stop it here first.</p>"
        f"<pre>{escape(run.command)}</pre></details></div>"
    )


# ---- the list


def listing(runs: Sequence[Run], focus: int | None) -> str:
    """Every run as a line that can be picked."""
    if not runs:
        return ""
    rows = "".join(_row(run, run.id == focus) for run in runs)
    return f'<div class="runs" role="group" aria-label="Runs">{rows}</div>'


def _row(run: Run, is_shown: bool) -> str:
    done = f"{run.progress:.0%}" if run.state == LEASED else ""
    pressed = str(is_shown).lower()
    return (
        f'<button class="run-row run-row-{run.state}" data-job="{run.id}" aria-pressed="{pressed}">'
        f'<span class="run-name">{escape(run.name)}</span><span>{escape(run.values["plan"]["model"])}</span>'
        f'<span class="run-word">{run.word} {done}</span></button>'
    )
