"""The train page: its handlers as a browser calls them (plain HTTP), what it shows, what it serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from PIL import Image

from studio import training_files
from studio.ledger import LEASED, QUEUED, NewJob
from studio.training_files import RunNews
from studio.training_jobs import Run
from studio.training_worker import INTERRUPTED
from studio.web import train_views
from studio.web.launch import Running
from studio.web.page_form import adapter_choices
from studio.web.train_events import TrainEvents
from tests.web.test_page import call, handler

NEWS = RunNews(0, (), (), None, None, None, None, False)
PLAN = {"model": "<i>base</i>", "dataset": "folder", "basis": "vad", "preset": "quick"}


def run(**changes: Any) -> Run:
    plain: dict[str, Any] = {"id": 1, "name": "first", "state": "leased", "steps": 100, "batch_size": 8}
    plain |= {"values": {"plan": PLAN}, "news": NEWS, "error": None, "command": "python -m x 'a b'"}
    return Run(**{**plain, "is_ending": False, **changes})


def news(**changes: Any) -> RunNews:
    values = {name: getattr(NEWS, name) for name in RunNews.__slots__}
    return RunNews(**{**values, **changes})


@pytest.fixture
def outputs(app: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The app's folder of runs, also the one that the catalogue looks into; its worker stands still."""
    folder = app.service.training.folder
    monkeypatch.setenv("EMOTION_STUDIO_OUTPUTS", str(folder.parent))
    app.service.training.worker.stop()
    yield folder
    for each in app.service.training.runs():
        app.service.training.cancel(each.id)
    app.service.training.start()


def queued(app: Running, name: str = "looked-at") -> int:
    """A run that waits, with a folder of its own."""
    jobs = app.service.training
    (jobs.folder / name).mkdir(parents=True, exist_ok=True)
    values = {"plan": {**PLAN, "model": "tiny:0"}, "dataset": {}, "steps": 100, "batch_size": 8}
    return jobs.ledger.add(NewJob(0, name, "training", json.dumps(values)))


# ---- handlers


def given(app: Running, **changes: Any) -> list[Any]:
    """What a browser sends for the form as it stands, with some fields filled in."""
    inputs = app.page.fns[handler(app, "begin")].inputs
    labels = {
        "Name": "name",
        "Folder": "root",
        "Base model": "model",
        "Steps": "steps",
        "Pictures": "dataset",
    }
    found = [(labels.get(each.label or ""), getattr(each, "value", None)) for each in inputs]
    return [changes.pop(name) if name in changes else value for name, value in found]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "name: is empty"),
        ({"name": "../../etc"}, "did you mean &#x27;etc&#x27;"),
        ({"name": "good-one"}, "Folder: is empty"),
        ({"name": "good-one", "model": "emotion-tinny"}, "did you mean &#x27;emotion-tiny&#x27;"),
        ({"name": "good-one", "steps": "-3"}, "steps: must be in [1, 10000000], got -3"),
    ],
)
def test_a_bad_form_gets_one_line_and_queues_nothing(
    app: Running, outputs: Path, changes: dict[str, Any], said: str
) -> None:
    before = app.service.training.runs()
    problem = call(app, "begin", *given(app, **changes)).json()["data"][-1]
    assert said in problem
    assert "\n" not in problem
    assert app.service.training.runs() == before


def test_a_run_is_stopped_resumed_and_picked_from_the_page(app: Running, outputs: Path) -> None:
    job_id = queued(app)
    jobs = app.service.training
    for name, state in (("halt", "cancelled"), ("go_on", QUEUED)):
        fn = app.page.fns[handler(app, name)].fn
        assert fn(job_id) == ""
        assert jobs.run(job_id).state == state
    assert "there is no run" in app.page.fns[handler(app, "go_on")].fn(10**9)
    assert app.page.fns[handler(app, "newest")].fn() == job_id


def test_a_music_base_brings_music_data() -> None:
    nothing: Any = None
    events = TrainEvents(nothing, nothing, nothing, nothing)
    shown = events.show_data("music/score")
    offered = [value for _, value in shown["choices"]]
    assert shown["value"] in offered and "emopia" in offered and "folder" not in offered
    assert events.show_family("emotion-tiny") == "image/sd"


def test_what_has_not_changed_is_not_sent_again(app: Running, outputs: Path) -> None:
    job_id = queued(app)
    look = app.page.fns[handler(app, "look_at_runs")].fn
    first = look(job_id, "")
    assert "waiting: runs are trained one at a time" in first[0]
    assert all(update == {"__type__": "update"} for update in look(job_id, first[-1]))
    (outputs / "looked-at" / "log.jsonl").write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.4}\n')
    (job,) = app.service.training.ledger.claim(app.service.training.worker.owner, 1)
    assert job.id == job_id
    assert "<svg" in look(job_id, first[-1])[0]


def test_an_adapter_is_in_the_list_as_soon_as_it_is_there(app: Running, outputs: Path) -> None:
    look = app.page.fns[handler(app, "look_at_runs")].fn
    first = look(None, "")
    assert ("mine (yours)", "mine") not in adapter_choices("image")
    (outputs / "mine" / "adapter").mkdir(parents=True)
    (outputs / "mine" / "adapter" / "adapter.json").write_text("{}")
    *_, adapters, _, mark = look(None, first[-1])
    assert ("mine (yours)", "mine") in adapters["choices"]
    assert mark != first[-1]


def test_the_list_grows_whichever_tab_is_open(app: Running) -> None:
    (watched,) = [
        each.targets[0][0]
        for each in app.page.fns.values()
        if each.name == "look_at_runs" and each.targets[0][1] == "tick"
    ]
    parent = app.page.blocks[watched].parent
    while parent is not None:  # what is inside of a tab rests until the tab is opened
        assert not isinstance(parent, gr.Tab)
        parent = parent.parent


# ---- what is served


def test_grids_and_the_report_of_a_run_are_served_and_nothing_else_of_it(app: Running, outputs: Path) -> None:
    folder = outputs / "served"
    (folder / "grids").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "grids" / "step-00000002.png")
    for name in ("report.html", "recipe.toml", "training.log"):
        (folder / name).write_text("<script>alert(1)</script>")
    address = f"{app.url}/{train_views.FILES}/served"
    picture = httpx.get(f"{address}/grids/step-00000002.png")
    assert picture.content == (folder / "grids" / "step-00000002.png").read_bytes()
    report = httpx.get(f"{address}/report.html")
    assert report.headers["content-type"].startswith("text/html")
    assert "sandbox" in report.headers["content-security-policy"]
    wrong = (
        "recipe.toml",
        "training.log",
        "grids/..%2Frecipe.toml",
        "grids/other.png",
        "..%2Fserved/report.html",
    )
    for path in (*wrong, "../.jobs/ledger.sqlite3"):
        answer = httpx.get(f"{address}/{path}")
        assert "alert" not in answer.text
        assert answer.status_code != 200 or "gradio" in answer.text
    for path in (folder / "recipe.toml", outputs / ".jobs" / "ledger.sqlite3"):
        assert httpx.get(f"{app.url}/gradio_api/file={path}").status_code in {403, 404}


# ---- what is shown


def test_progress_is_said_with_speed_and_time_left() -> None:
    text = train_views.detail(run(news=news(step=25, samples_per_s=4.0)))
    assert "step 25 of 100, 4.0 pictures/s, about 2 min left" in text
    assert 'aria-valuenow="25"' in text
    assert "loading the model" in train_views.detail(run())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"state": "cancelled", "news": news(step=9, checkpoint=9)},
            "step 9 of 100; Resume goes on from step 9",
        ),
        (
            {"state": "cancelled", "error": INTERRUPTED, "news": news(step=9)},
            "step 9 of 100; Resume starts it again",
        ),
        ({"state": "cancelled", "is_ending": True, "news": news(step=9)}, "a checkpoint is being written"),
        ({"state": "failed", "error": "<b>bad</b>"}, "&lt;b&gt;bad&lt;/b&gt;"),
        ({"state": "done", "news": news(step=100)}, "in the list of adapters as &#x27;first&#x27;"),
    ],
)
def test_how_a_run_ended_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in train_views.detail(run(**changes))


def test_losses_checks_and_figures_arrive_and_everything_is_escaped(tmp_path: Path) -> None:
    losses = tuple((step, 1 / (step + 1)) for step in range(2000))
    checks = (
        (500, {"validation_loss": 0.3, "validation_loss_base": 0.4, "control_valence_r": 0.81, "<i>": 2}),
    )
    grid = tmp_path / "step-00000500.png"
    one = run(steps=2000, news=news(step=1999, losses=losses, checks=checks, grid=grid, report=tmp_path))
    text = train_views.detail(one)
    assert text.count("<circle") == 2
    assert len(text.partition('points="')[2].partition('"')[0].split()) <= train_views.POINTS
    assert "training-files/first/grids/step-00000500.png" in text
    assert "<dt>Control of valence</dt><dd>0.81</dd>" in text
    shown = [text, train_views.listing([one], 1), train_views.report(one), train_views.command(one)]
    assert not any("<i>" in part.replace("<i style", "") for part in shown)
    assert "python -m x &#x27;a b&#x27;" in shown[-1]
    assert 'data-job="1"' in shown[1]


@pytest.mark.parametrize("values", [(0.5, 0.5), (1e-9, 2e-9), (1e6, 2e6), (-1.0, 3.0)])
def test_a_curve_of_any_height_is_drawn_inside_its_frame(values: tuple[float, float]) -> None:
    text = train_views.chart(run(news=news(step=2, losses=((1, values[0]), (2, values[1])))))
    for point in text.partition('points="')[2].partition('"')[0].split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= train_views.WIDTH
        assert 0 <= y <= train_views.HEIGHT


def test_a_run_that_is_training_counts_as_under_way() -> None:
    assert run(state=LEASED).is_open
    assert run(state=QUEUED).is_open
    assert not run(state="done").is_open
    assert training_files.newest_checkpoint(Path("nowhere")) is None
