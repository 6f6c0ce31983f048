"""A batch run on a real (if tiny) pipeline: killed, cancelled, full, changed, doubled; always continued."""

from __future__ import annotations

import json
import logging
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio import _worker_watch, batch, catalog, render
from studio._ledger_owner import new_owner
from studio._worker_watch import Watch
from studio.artifacts import Picture
from studio.batch import BatchOptions, BatchProgress, BatchSummary, run_batch
from studio.errors import Cancelled, InputError, PromptsFileError, StorageError
from studio.ledger import Ledger, NewJob
from studio.ports import Step
from studio.render import Studio
from studio.request import RenderRequest
from studio.settings import Settings
from studio.worker import Worker
from tests.studio import paintbox

OPTIONS = BatchOptions({"pipeline": paintbox.NAME})


@pytest.fixture(autouse=True)
def _paintbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "load", partial(paintbox.load, catalog.load))
    monkeypatch.setattr(paintbox.Pipeline, "calls", [])
    monkeypatch.setattr(paintbox.Pipeline, "on_render", None)


class Run:
    """A prompts file and the folder it is rendered into."""

    def __init__(self, folder: Path) -> None:
        self.file, self.out = folder / "prompts.txt", folder / "out"

    def __call__(self, text: str | None = None, options: BatchOptions = OPTIONS, **more: Any) -> BatchSummary:
        if text is not None:
            self.file.write_text(text)
        return run_batch(self.file, self.out, Settings(batch_size=4), options, **more)

    def manifest(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "manifest.jsonl").read_text().splitlines()]

    def pictures(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in sorted(self.out.glob("*.png"))}

    def start(self, step_s: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.studio.paintbox", str(self.file), str(self.out), str(step_s)]
        return subprocess.Popen(command, cwd=catalog.ROOT, stderr=subprocess.PIPE)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_run_makes_pictures_a_manifest_and_a_page(run: Run) -> None:
    seen: list[BatchProgress] = []
    summary = run(
        "a {red|blue} boat --emotion joy --seed 7\nsea --emotion sadness@0,joy@1\n", on_progress=seen.append
    )
    assert (summary.total, summary.done, summary.rendered, summary.failed) == (3, 3, 3, 0)
    assert list(run.pictures()) == [entry["file"] for entry in run.manifest()]
    first, _, third = run.manifest()
    assert {key: first[key] for key in ("number", "line", "state", "prompt", "seed", "error")} == {
        "number": 1, "line": 1, "state": "done", "prompt": "a red boat", "seed": 7, "error": None,
    }  # fmt: skip
    assert first["vad"][0] > third["vad"][0] > -1
    assert RenderRequest.parse(first["request"]).prompt == "a red boat"
    assert (run.out / "index.html").read_text().startswith("<!doctype html>")
    assert not [path for path in run.out.iterdir() if path.name.startswith(".")]
    assert (seen[-1].done, seen[-1].rendered, seen[-1].total) == (3, 3, 3)


def test_running_again_renders_nothing(run: Run) -> None:
    run("sea --seed 1..6\n")
    before = run.pictures()
    assert run().rendered == 0
    assert run.pictures() == before and len(paintbox.Pipeline.calls) == 2


def test_a_changed_row_is_rendered_anew_and_the_old_picture_kept(run: Run) -> None:
    run("sea\nland\nsky\n")
    before = run.pictures()
    summary = run("sea\nland --emotion joy\n")
    assert (summary.total, summary.done, summary.rendered, summary.left_over) == (2, 2, 1, 2)
    assert {name: run.pictures()[name] for name in before} == before
    assert [entry["number"] for entry in run.manifest()] == [1, 2]
    back = run("sea\nland\nsky\n")
    assert (back.done, back.left_over) == (3, 1)
    assert {name: run.pictures()[name] for name in before} == before


def test_a_row_changed_under_the_same_name_and_back_is_never_the_wrong_picture(run: Run) -> None:
    run("sea --seed 1\n")
    run("sea --seed 2\n")
    run("sea --seed 1\n")
    (name,) = run.pictures()
    assert render.provenance.read_provenance(run.out / name)["request"]["seed"] == 1


def test_a_picture_that_was_deleted_or_cut_is_made_again(run: Run) -> None:
    run("sea --seed 1..3\n")
    first, second, third = run.pictures()
    (run.out / first).unlink()
    (run.out / second).write_bytes(b"")
    assert run().rendered == 2
    assert list(run.pictures()) == [first, second, third]


def test_a_picture_written_but_not_noted_is_recognised(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> bool:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Ledger, "finish", die)
        run("sea\n")
    before = run.pictures()
    assert len(before) == 1
    assert run().done == 1
    assert run.pictures() == before and len(paintbox.Pipeline.calls) == 1


def test_half_written_files_are_swept_away(run: Run) -> None:
    run.out.mkdir()
    (run.out / ".tmp-0123456789abcdef").write_bytes(b"half")
    run("sea\n")
    assert not list(run.out.glob(".tmp-*"))


def test_one_bad_row_does_not_sink_its_neighbours(run: Run) -> None:
    summary = run("sea\nboom\nland\nsky\n")
    assert (summary.done, summary.failed) == (3, 1)
    assert [entry["state"] for entry in run.manifest()] == ["done", "failed", "done", "done"]
    assert run.manifest()[1]["error"] == "RuntimeError: the paint exploded"
    with Ledger(run.out / "ledger.sqlite") as ledger:
        (job,) = ledger.jobs("failed")
    assert job.attempts == 3 and "misbehave(request.prompt)" in str(job.traceback)
    assert run().rendered == 0
    calls = len(paintbox.Pipeline.calls)
    assert run(options=BatchOptions(OPTIONS.defaults, retry_failed=True)).failed == 1
    assert len(paintbox.Pipeline.calls) > calls


def test_what_a_person_did_wrong_is_not_tried_again(run: Run) -> None:
    def refuse(batch: Sequence[RenderRequest]) -> None:
        raise InputError("prompt", "sea", "is too wet")

    paintbox.Pipeline.on_render = refuse
    run("sea\n")
    assert run.manifest()[0]["error"] == "prompt: is too wet"
    assert len(paintbox.Pipeline.calls) == 1


def test_bad_lines_are_told_before_anything_is_written(run: Run) -> None:
    with pytest.raises(PromptsFileError, match="line 2: stepz"):
        run("sea\nsea --stepz 2\n")
    assert not run.out.exists()
    summary = run(options=BatchOptions(OPTIONS.defaults, keep_going=True))
    assert (summary.done, summary.problem_count, summary.problems[0].line) == (1, 1, 2)


def test_out_must_be_a_folder(run: Run) -> None:
    run.out.write_text("a file")
    with pytest.raises(InputError, match="is a file; name a folder"):
        run("sea\n")


def test_a_full_disk_stops_the_run_which_goes_on_later(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def full(self: Picture, path: Path, provenance: Any, replace: bool = True) -> None:
        if len(written) == 2:
            raise StorageError(f"{path}: cannot be written (disk full)")
        written.append(path)
        real(self, path, provenance, replace)

    def no_room(path: Path, write: Any) -> None:
        raise StorageError(f"{path}: cannot be written (disk full)")

    real = Picture.save
    with monkeypatch.context() as patch, pytest.raises(StorageError, match=r"disk full.*2 of 9 are done"):
        patch.setattr(Picture, "save", full)
        patch.setattr("studio.worker.write_atomically", no_room)
        run("sea --seed 1..9\n")
    summary = run()
    assert (summary.done, summary.rendered, summary.failed) == (9, 7, 0)


def test_a_row_whose_own_file_cannot_be_read_does_not_stop_the_run(run: Run) -> None:
    def refuse(batch: Sequence[RenderRequest]) -> None:
        if any("lost" in request.prompt for request in batch):
            raise StorageError("lost.png: cannot be read")

    paintbox.Pipeline.on_render = refuse
    summary = run("sea\nlost\nland\n")
    assert (summary.done, summary.failed) == (2, 1)


def test_stopping_says_how_far_it_is_and_loses_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def press_ctrl_c(batch: Sequence[RenderRequest]) -> None:
        if len(paintbox.Pipeline.calls) == 2:
            signal.raise_signal(signal.SIGINT)

    paintbox.Pipeline.on_render = press_ctrl_c
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Cancelled, match="stopped; 4 of 10 are done, the same command goes on from there"):
        run("sea --seed 1..10\n")
    assert signal.getsignal(signal.SIGINT) is before
    assert [entry["state"] for entry in run.manifest()].count("done") == 4
    assert (run().done, run().rendered) == (10, 0)


def _assert_whole(run: Run, total: int) -> None:
    pictures = run.pictures()
    assert sorted(entry["file"] for entry in run.manifest()) == list(pictures) and len(pictures) == total
    for name in pictures:
        with Image.open(run.out / name) as image:
            image.load()
    assert not list(run.out.glob(".tmp-*"))


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX word")
def test_killed_at_any_moment_nothing_is_lost_or_made_twice(run: Run) -> None:
    run.file.write_text("sea --seed 1..60 --steps 3\n")
    chance = random.Random(5)
    made: dict[str, int] = {}
    for _ in range(5):
        process = run.start(step_s=0.004)
        time.sleep(0.35 + chance.random() * 0.5)
        process.kill()
        process.communicate()
        now = run.pictures() if run.out.exists() else {}
        assert made.items() <= now.items()  # what was there is untouched
        made = now
    process = run.start(step_s=0)
    assert process.wait(60) == 0, process.stderr and process.stderr.read()
    process.communicate()
    assert made.items() <= run.pictures().items()
    _assert_whole(run, 60)


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX word")
def test_killed_while_leased_and_then_edited_the_new_row_is_made(run: Run) -> None:
    run.file.write_text("sea --seed 1 --steps 900\n")
    process = run.start(step_s=0.1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not _is_leased(run.out / "ledger.sqlite"):
        time.sleep(0.1)
    process.kill()
    process.communicate()
    assert _is_leased(run.out / "ledger.sqlite")
    summary = run("sea --seed 2 --steps 2\n")
    assert (summary.total, summary.done, summary.rendered) == (1, 1, 1)
    (entry,) = run.manifest()
    assert entry["state"] == "done"
    assert render.provenance.read_provenance(run.out / entry["file"])["request"]["seed"] == 2
    assert len(paintbox.Pipeline.calls) == 1 and run().rendered == 0


def _is_leased(path: Path) -> bool:
    if not path.is_file():
        return False
    with Ledger(path) as ledger:
        return ledger.counts()["leased"] > 0


def test_a_row_changed_by_another_process_while_it_is_rendered_is_right_in_the_end(run: Run) -> None:
    def edit_and_render_elsewhere(rows: Sequence[RenderRequest]) -> None:
        paintbox.Pipeline.on_render = None
        changed = RenderRequest.parse({**rows[0].to_dict(), "seed": 9})
        with Ledger(run.out / "ledger.sqlite") as ledger:
            ledger.sync([NewJob.of(changed, 1, 1), NewJob.of(rows[1], 2, 2)])
            (job,) = ledger.claim("elsewhere", 1)
            ledger.finish(job.id, "elsewhere", "00001-sea.png", 1.0)  # the slow one writes over this

    paintbox.Pipeline.on_render = edit_and_render_elsewhere
    assert run("sea --seed 1\nland --seed 1\n").done == 2
    first = run.manifest()[0]
    assert first["seed"] == 9 and first["file"] == "00001-sea.png"
    assert render.provenance.read_provenance(run.out / first["file"])["request"]["seed"] == 9


def test_a_report_that_fails_on_the_way_costs_no_picture(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_use(path: Path, ledger: Ledger, title: str) -> None:
        tried.append(ledger.counts()["done"])
        if tried[-1] < writable_from:
            raise StorageError(f"{path}: cannot be written (in use)")
        real(path, ledger, title)

    tried: list[int] = []
    writable_from, real = 3, batch.write_contact_sheet
    monkeypatch.setattr(batch, "write_contact_sheet", in_use)
    monkeypatch.setattr(batch, "REPORT_EVERY_S", 0.0)
    summary = run("sea --seed 1..3\n")
    assert (summary.done, summary.failed) == (3, 0) and len(tried) > 2 and (run.out / "index.html").is_file()
    writable_from = 99
    with pytest.raises(StorageError, match="in use"):
        run()


@pytest.mark.parametrize("is_bad", [lambda now: now.done > 0, lambda now: now.rendered == now.total])
def test_what_the_callers_function_raises_ends_the_run_and_fails_no_row(
    run: Run, monkeypatch: pytest.MonkeyPatch, is_bad: Any
) -> None:
    def on_progress(now: BatchProgress) -> None:
        if is_bad(now):
            raise ValueError("the window is gone")

    monkeypatch.setattr(paintbox.Pipeline, "step_s", 0.06)
    with pytest.raises(ValueError, match="the window is gone"):
        run("sea --seed 1..6 --steps 3\n", on_progress=on_progress)
    assert not [entry for entry in run.manifest() if entry["state"] in ("failed", "leased")]
    assert run().done == 6


def test_a_run_says_once_that_it_waits_for_another(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "studio")
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.sync(NewJob.of(request("sea", seed=n), n) for n in (1, 2))
        ledger.claim("elsewhere", 2, lease_s=1.2)
        Worker(ledger, Studio(Settings()), tmp_path).run_until_empty()
        assert ledger.counts()["done"] == 2
    said = [text for text in caplog.messages if "waiting" in text]
    assert said == ["waiting for 2 rows that another process holds"]


@pytest.mark.skipif(os.name == "nt", reason="os._exit in a job")
def test_a_row_that_kills_the_process_fails_and_the_others_are_made(run: Run) -> None:
    run.file.write_text("sea\nsink\nland\n")
    ends = []
    for _ in range(6):
        process = run.start(step_s=0)
        process.communicate()
        ends.append(process.returncode)
        if process.returncode == 0:
            break
    assert ends[-1] == 0 and set(ends[:-1]) == {9} and len(ends) <= 4
    assert (run.out / "summary.txt").read_text() == "2 1 1" or run().failed == 1


def test_two_processes_share_a_run(run: Run) -> None:
    run.file.write_text("sea --seed 1..40 --steps 3\n")
    both = [run.start(step_s=0.01) for _ in range(2)]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    _assert_whole(run, 40)
    with Ledger(run.out / "ledger.sqlite") as ledger:
        assert [job.attempts for job in ledger.rows()] == [1] * 40


@pytest.mark.parametrize("rows", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_rows_in_flat_memory(run: Run, rows: int) -> None:
    run.file.write_text("sea --seed 1..200 --steps 1\n")
    run()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run.out = run.out.with_name("big")

    class Quick(Studio):
        def render(
            self, requests: Sequence[RenderRequest], folder: Path, *_: Any, **__: Any
        ) -> Iterator[Any]:
            yield from (render.RenderResult(folder / "shared.png", request, 0.0) for request in requests)

    run.out.mkdir()
    (run.out / "shared.png").write_bytes(b"picture")
    summary = run(f"sea --seed 1..{rows} --steps 1\n", studio=Quick(Settings(batch_size=50)))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 16, f"{grown:.0f} MiB"  # rows that were held would take three times as much at 10,000
    assert summary.done == rows and len(run.manifest()) == rows


def test_progress_is_a_line_with_an_eta() -> None:
    line = BatchProgress(60, 15, 1, 16.0, 65.0, 3700.0).line(70)
    assert (
        len(line) == 70 and line.startswith("[###") and line.endswith("15/60  1 failed  1:05  1:01:40 left")
    )
    assert BatchProgress(0, 0, 0, 0.0, 0.0, None).line(20)


# ---- the worker of the app


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Ledger(tmp_path / "app" / "ledger.sqlite") as ledger:
        made = Worker(ledger, Studio(Settings(batch_size=2)), tmp_path / "app", previews=True)
        made.start()
        yield made
        made.stop()


def request(prompt: str, **more: Any) -> RenderRequest:
    return RenderRequest.parse({**OPTIONS.defaults, "prompt": prompt, "seed": 1, **more})


def state(worker: Worker, job_id: int, *wanted: str) -> Any:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        job = worker.ledger.job(job_id)
        if job and job.state in wanted:
            return job
        time.sleep(0.01)
    raise AssertionError(f"still {job}")


def test_the_app_enqueues_and_polls(worker: Worker) -> None:
    first, second = worker.enqueue(request("sea")), worker.enqueue(request("sea"))
    for job_id in (first, second):
        job = state(worker, job_id, "done")
        with Image.open(worker.folder / job.result) as image:
            assert image.size == (16, 16)
    failed = state(worker, worker.enqueue(request("boom")), "failed")
    assert failed.error == "RuntimeError: the paint exploded"
    assert state(worker, worker.enqueue(request("land")), "done")  # it goes on


def test_progress_and_previews_are_seen_and_go_away(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paintbox.Pipeline, "step_s", 0.05)
    job_id = worker.enqueue(request("sea", steps=40))
    deadline, seen = time.monotonic() + 10, None
    while seen is None and time.monotonic() < deadline:
        job = worker.ledger.job(job_id)
        assert job
        if job.preview:
            seen = job
            with Image.open(job.preview) as image:
                image.load()
        time.sleep(0.02)
    assert seen and 0 < seen.progress < 1
    state(worker, job_id, "done")
    time.sleep(0.05)
    assert not list((worker.folder / ".previews").iterdir())


def test_cancel_stops_within_a_step(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paintbox.Pipeline, "step_s", 0.02)
    long = worker.enqueue(request("sea", steps=900))
    state(worker, long, "leased")
    time.sleep(0.1)
    assert worker.ledger.cancel(long)
    started = time.monotonic()
    assert state(worker, worker.enqueue(request("land")), "done")
    assert time.monotonic() - started < 3
    assert state(worker, long, "cancelled").result is None and len(list(worker.folder.glob("*.png"))) == 1


def test_cancelling_one_of_a_batch_keeps_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paintbox.Pipeline, "step_s", 0.02)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        worker = Worker(ledger, Studio(Settings(batch_size=2)), tmp_path)
        one, two = (worker.enqueue(request(prompt, steps=30)) for prompt in ("sea", "land"))
        worker.start()
        state(worker, one, "leased")
        ledger.cancel(one)
        assert state(worker, two, "done").attempts == 1
        assert state(worker, one, "cancelled")
        worker.stop()


def test_stopping_the_app_gives_the_job_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paintbox.Pipeline, "step_s", 0.02)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        worker = Worker(ledger, Studio(Settings()), tmp_path)
        job_id = worker.enqueue(request("sea", steps=900))
        worker.start()
        state(worker, job_id, "leased")
        worker.stop()
        job = ledger.job(job_id)
        assert job and (job.state, job.attempts) == ("queued", 0)


def test_a_job_that_breaks_before_its_turn_fails_and_the_thread_goes_on(worker: Worker) -> None:
    broken = NewJob(1, "c", "k", "{half a request")
    worker.ledger.sync([broken])
    failed = state(worker, 1, "failed")
    assert failed.error.startswith("JSONDecodeError") and "in _prepared" in failed.traceback
    assert state(worker, worker.enqueue(request("sea")), "done")


def test_an_error_that_nobody_foresaw_is_shown_and_the_thread_goes_on(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claim(*_: Any) -> Any:
        raise ValueError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(worker.ledger, "claim", claim)
        job_id = worker.enqueue(request("sea"))
        deadline = time.monotonic() + 10
        while worker.trouble is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert worker.trouble == "ValueError: a bug"
    state(worker, job_id, "done")


def test_half_written_files_are_swept_when_the_app_starts(tmp_path: Path) -> None:
    halves = [folder / ".tmp-0123456789abcdef" for folder in (tmp_path, tmp_path / ".previews")]
    for path in halves:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    with Ledger(tmp_path / "l.sqlite") as ledger:
        worker = Worker(ledger, Studio(Settings()), tmp_path, previews=True)
        worker.start()
        worker.stop()
    assert not any(path.exists() for path in halves)


def test_a_preview_costs_a_tenth_of_the_time_at_most_and_never_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def preview() -> list[Image.Image]:
        made.append(time.monotonic())
        if len(made) > 1:
            raise RuntimeError("no colours left")
        time.sleep(0.03)
        return [Image.new("RGB", (8, 8))]

    made: list[float] = []
    monkeypatch.setattr(_worker_watch, "PREVIEW_S", 0.0)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.enqueue(request("sea"))
        owner = new_owner()
        watch = Watch(ledger, owner, threading.Event(), tmp_path / ".previews", None)
        watch.begin(ledger.claim(owner, 1))
        for done in range(60):
            watch.on_step(Step(done, 100, preview))
            time.sleep(0.02)
    assert len(made) == 2 and made[1] - made[0] > 0.33  # the third would come after the failure
    assert caplog.messages == ["no more previews of these: RuntimeError: no colours left"]
