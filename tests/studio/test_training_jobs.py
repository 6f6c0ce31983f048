"""Training runs as jobs: what is asked for, what becomes of it, and what is left when a process dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio import _guard, catalog, run_lock, training_files, training_plan
from studio.cli import tables
from studio.errors import InputError, StorageError, StudioError
from studio.ledger import CANCELLED, LEASED, QUEUED
from studio.settings import Settings
from studio.toml_text import to_toml
from studio.training_jobs import TrainingJobs
from studio.training_plan import BASES, PRESETS, Plan
from studio.training_worker import INTERRUPTED
from training import config

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
DEAD = "a-host-that-is-not-this-one|1|1|x"


def wait_for(true: Callable[[], Any], timeout_s: float = 300.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.05)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of nine small pictures with their feelings: too few to hold one out."""
    folder = tmp_path / "pictures é"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for number in range(9):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / f"{number}.png")
        line = {"file_name": f"{number}.png", "text": "a boat", "emotion": ("joy", "fear")[number % 2]}
        lines.append(json.dumps(line))
    (folder / "metadata.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainingJobs]:
    """Not started: nothing is trained until a test says so."""
    monkeypatch.setenv("EMOTION_STUDIO_OUTPUTS", str(tmp_path / "outputs"))
    made = TrainingJobs(Settings(outputs=tmp_path / "outputs", device="cpu"))
    yield made
    made.stop()


def plan(**changes: Any) -> dict[str, Any]:
    return {"name": "first", "model": "tiny:0", "dataset": "folder", **changes}


# ---- what is asked for


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "my-adapter"),
        ("../up", "'up'"),
        ("My Adapter", "'my-adapter'"),
        ("a/b", "'a-b'"),
        ("con", "'my-con'"),
        ("none", "'my-none'"),
        ("vad-image", "'my-vad-image'"),
        ("x" * 61, "at most 60"),
    ],
)
def test_a_bad_name_is_refused_with_a_better_one(name: str, said: str) -> None:
    with pytest.raises(InputError, match=r"^name: ") as caught:
        Plan.parse(plan(name=name))
    assert said in str(caught.value)


def test_a_run_does_not_take_the_name_of_an_imported_adapter(jobs: TrainingJobs) -> None:
    (catalog.imported_folder() / "from-afar").mkdir(parents=True)
    with pytest.raises(InputError, match="did you mean 'my-from-afar'"):
        Plan.parse(plan(name="from-afar"))


def test_the_recipe_names_the_taxonomy_of_its_labels() -> None:
    asked = Plan.parse(plan(basis="labels", taxonomy="emoart"))
    assert training_plan.recipe(asked, {}, 12, Path("x"))["adapter"]["labels"] == "emoart"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "emotion-tinny"}, "emotion-tiny"),
        ({"model": "tiny:x"}, "tiny:0"),
        ({"dataset": "foldr"}, "did you mean 'folder'"),
        ({"pipeline": "music/none"}, "cannot be trained"),
        ({"basis": "vda"}, "did you mean 'vad'"),
        ({"basis": "labels", "taxonomy": "mikel"}, "mikels"),
        ({"preset": "god"}, "did you mean 'good'"),
        ({"rank": 0}, "rank: must be in [1, 256], got 0"),
        ({"steps": "many"}, "steps: expected a whole number"),
    ],
)
def test_a_bad_value_is_named_with_the_nearest_right_one(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(StudioError) as caught:
        Plan.parse(plan(**changes))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("root", "said"), [("", "is empty"), ("no/such", "there is no folder 'no/such'"), ("a\0b", "no folder")]
)
def test_a_missing_folder_is_named_before_anything_is_queued(
    jobs: TrainingJobs, root: str, said: str
) -> None:
    with pytest.raises(InputError, match=r"dataset\.root") as caught:
        jobs.submit(plan(), {"root": root})
    assert said in str(caught.value)
    assert jobs.runs() == []


def test_wrong_labels_are_told_before_anything_is_queued(jobs: TrainingJobs, pictures: Path) -> None:
    (pictures / "metadata.jsonl").write_text(
        '{"file_name": "0.png", "text": "x", "emotion": "joyy"}', "utf-8"
    )
    with pytest.raises(StudioError, match="joyy"):
        jobs.submit(plan(), {"root": str(pictures)})
    assert jobs.runs() == []
    assert not (jobs.folder / "first").exists()


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_trainer_reads_the_recipe_of_every_preset_and_basis(
    tmp_path: Path, pictures: Path, basis: str, preset: str
) -> None:
    asked = Plan.parse(plan(model="emotion-tiny", basis=basis, preset=preset, rank=4))
    options = training_plan.dataset_options(asked, {"root": str(pictures)})
    recipe = training_plan.recipe(asked, options, 12, tmp_path / "run 🙂")
    path = tmp_path / "recipe.toml"
    path.write_text(to_toml(recipe), "utf-8")
    assert tomllib.loads(path.read_text("utf-8")) == recipe
    read = config.read(path)
    assert (read.steps, read.validation_count) == (PRESETS[preset].steps, 1)
    assert read.dataset.options["root"] == str(pictures)
    assert read.adapter.config.rank == 4


def test_pictures_without_feelings_are_no_choice() -> None:
    assert {"folder", "labels_folder"} <= set(training_plan.datasets())
    assert not {"pictures", "base_samples"} & set(training_plan.datasets())


def test_pictures_get_the_size_that_the_model_was_made_for() -> None:
    assert training_plan.native_size_px("emotion-tiny") == 128


def test_few_examples_hold_few_out() -> None:
    asked = Plan.parse(plan())
    for examples, held_out, every in ((5, 0, 0), (40, 4, 120), (10_000, 64, 120)):
        recipe = training_plan.recipe(asked, {}, examples, Path("x"))
        assert (recipe["validation_count"], recipe["validate_every"]) == (held_out, every)


# ---- the queue


def test_a_name_is_taken_once_something_was_learnt_under_it(jobs: TrainingJobs, pictures: Path) -> None:
    first = jobs.submit(plan(), {"root": str(pictures)})
    with pytest.raises(InputError, match="there is a run 'first' already; did you mean 'first-2'"):
        jobs.submit(plan(), {"root": str(pictures)})
    jobs.cancel(first)
    again = jobs.submit(plan(steps=7), {"root": str(pictures)})  # it never began: nothing is lost
    assert [(run.id, run.steps) for run in jobs.runs()] == [(again, 7)]
    jobs.cancel(again)
    (jobs.folder / "first" / "checkpoints" / "step-00000003").mkdir(parents=True)
    with pytest.raises(InputError, match="already"):
        jobs.submit(plan(), {"root": str(pictures)})


def test_a_run_whose_app_was_killed_is_interrupted_and_can_be_resumed(
    jobs: TrainingJobs, pictures: Path
) -> None:
    job_id = jobs.submit(plan(), {"root": str(pictures)})
    jobs.ledger.claim(DEAD, 1, lease_s=-1)
    assert jobs.run(job_id).word == "training"
    assert jobs.ledger.abandon(jobs.worker.owner, INTERRUPTED) == 1
    run = jobs.run(job_id)
    assert (run.state, run.word, run.can_resume) == (CANCELLED, "interrupted", True)
    jobs.resume(job_id)
    assert (jobs.run(job_id).state, jobs.run(job_id).error) == (QUEUED, None)


def test_runs_are_trained_one_at_a_time_by_however_many_apps(jobs: TrainingJobs, pictures: Path) -> None:
    for name in ("first", "second"):
        jobs.submit(plan(name=name), {"root": str(pictures)})
    (held,) = jobs.ledger.claim("another app", 1)
    assert jobs.worker._next() is None
    assert [run.state for run in jobs.runs()] == [QUEUED, LEASED]
    jobs.ledger.cancel(held.id)
    assert jobs.worker._next().content_key == "second"


@pytest.mark.parametrize("wrong", [None, "1", True, 0, -1, 10**9, 2**70, 1.0])
def test_only_known_runs_can_be_asked_for(jobs: TrainingJobs, wrong: Any) -> None:
    with pytest.raises(InputError, match="no run"):
        jobs.known(wrong)


# ---- one process at a time in a folder

HOLD = "import sys, time, pathlib\nfrom studio.run_lock import only_one\n"
HOLD += "with only_one(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)\n"


def test_a_folder_is_trained_by_one_process_until_that_ends_however_it_ends(tmp_path: Path) -> None:
    start = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(start, cwd=catalog.ROOT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert run_lock.is_held(tmp_path)
        with (
            pytest.raises(StorageError, match="another process is training"),
            run_lock.only_one(tmp_path, 0.1),
        ):
            pass
        other.kill()
    assert not run_lock.is_held(tmp_path)
    with run_lock.only_one(tmp_path, 0.1):
        pass


# ---- the guard

# A launcher that starts a trainer and dies at once of SIGTERM, as accelerate's does; the trainer saves first.
TRAINER = """import pathlib, signal, sys, time
def save(*_):
    time.sleep(0.3)
    pathlib.Path(sys.argv[1]).write_text("saved")
    sys.exit(130)
signal.signal(signal.SIGTERM, save)
print("training", flush=True)
time.sleep(600)
"""
LAUNCHER = (
    "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', *sys.argv[1:]]).returncode)"
)


def guarded(log: Path, *command: str) -> list[str]:
    return [sys.executable, "-m", "studio._guard", str(log), *command]


def test_the_guard_hands_on_what_is_said_and_the_exit_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    command = guarded(log, sys.executable, "-c", "import sys; print('out'); sys.exit('err')")
    with subprocess.Popen(command, cwd=catalog.ROOT, stdin=subprocess.PIPE, start_new_session=True) as guard:
        assert guard.wait(60) == 1
    assert log.read_text() == "before\nout\nerr\n" or log.read_text() == "before\nerr\nout\n"


@posix
def test_a_stop_waits_for_what_the_trainer_saves(tmp_path: Path) -> None:
    log, saved = tmp_path / "log", tmp_path / "saved"
    command = guarded(log, sys.executable, "-c", LAUNCHER, TRAINER, str(saved))
    with subprocess.Popen(command, cwd=catalog.ROOT, stdin=subprocess.PIPE, start_new_session=True) as guard:
        wait_for(lambda: log.is_file() and "training" in log.read_text())
        guard.stdin.close()
        assert guard.wait(60) == _guard.STOPPED
    assert saved.read_text() == "saved"


@posix
def test_a_trainer_does_not_outlive_an_app_that_was_killed(tmp_path: Path) -> None:
    log, saved = tmp_path / "log", tmp_path / "saved"
    command = guarded(log, sys.executable, "-c", LAUNCHER, TRAINER, str(saved))
    start = "import json, subprocess, sys, time\n"
    start += "subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.PIPE, start_new_session=True)\n"
    start += "time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", start, json.dumps(command)], cwd=catalog.ROOT) as app:
        wait_for(lambda: log.is_file() and "training" in log.read_text())
        app.send_signal(signal.SIGKILL)
    wait_for(saved.is_file)


# ---- what a folder says


def test_a_log_is_read_while_it_is_written(tmp_path: Path) -> None:
    lines = [
        '{"step": 2, "loss": 0.5, "samples_per_s": 8.0}',
        '{"step": 4, "loss": 0.25, "samples_per_s": 9.5}',
    ]
    lines += ['{"step": 4, "validation_loss": 0.4, "control_valence_r": 0.8}', "[1]", '{"step": 6, "lo']
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    for name in ("step-00000002.png", "step-00000004.png", ".tmp-1-step-00000009.png"):
        (tmp_path / "grids").mkdir(exist_ok=True)
        (tmp_path / "grids" / name).touch()
    news = training_files.read_news(tmp_path)
    assert (news.step, news.losses, news.samples_per_s) == (4, ((2, 0.5), (4, 0.25)), 9.5)
    assert news.figures == {"validation_loss": 0.4, "control_valence_r": 0.8}
    assert news.grid == tmp_path / "grids" / "step-00000004.png"
    assert (news.checkpoint, news.report, news.has_adapter) == (None, None, False)
    assert training_files.read_news(tmp_path / "none").losses == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "warning\nerror: rank: must be at least 1\nTraceback ...\n  x\nsubprocess.CalledProcessError: y",
            "rank:",
        ),
        (
            "error: m.jsonl: 2 bad lines\n  line 1: a\n  line 3: b\nx",
            "m.jsonl: 2 bad lines; line 1: a; line 3: b",
        ),
        (
            "Traceback (most recent call last):\n  File\ntorch.OutOfMemoryError: CUDA out of memory\n",
            "torch.OutOf",
        ),
        ("nothing to see", None),
    ],
)
def test_the_reason_is_found_in_what_the_trainer_said(text: str, reason: str | None) -> None:
    found = training_files.reason_in(text)
    assert found == reason if reason is None else found.startswith(reason) and "\n" not in found


# ---- the real trainer


@posix
def test_a_run_is_trained_and_its_adapter_is_there_at_once(jobs: TrainingJobs, pictures: Path) -> None:
    jobs.start()
    job_id = jobs.submit(plan(steps=2, batch_size=4, rank=2), {"root": str(pictures)})
    assert catalog.own_adapters() == {}
    wait_for(lambda: not jobs.run(job_id).is_open)
    done = jobs.run(job_id)
    assert (done.word, done.error, done.news.step) == ("done", None, 2)
    assert catalog.find_adapter("first") == jobs.folder / "first" / "adapter"
    assert list(catalog.own_adapters()) == ["first"]
    assert "yours" in next(line for line in tables.adapters().splitlines() if " first " in line)


@posix
@pytest.mark.slow  # two starts of the trainer; tests/training/test_resume.py compares the weights
def test_a_run_is_stopped_and_goes_on_from_its_checkpoint(jobs: TrainingJobs, pictures: Path) -> None:
    jobs.start()
    steps = 200
    job_id = jobs.submit(plan(steps=steps, batch_size=4, rank=2), {"root": str(pictures)})
    wait_for(lambda: jobs.run(job_id).news.step or not jobs.run(job_id).is_open)
    assert jobs.run(job_id).state == LEASED, jobs.run(job_id).error
    assert jobs.cancel(job_id)
    wait_for(lambda: not jobs.run(job_id).is_ending and jobs.run(job_id).news.checkpoint)
    stopped = jobs.run(job_id)
    assert (stopped.word, stopped.can_resume) == ("stopped", True)
    assert 0 < stopped.news.checkpoint < steps
    jobs.resume(job_id)
    wait_for(lambda: not jobs.run(job_id).is_open)
    done = jobs.run(job_id)
    assert (done.word, done.error, done.news.step) == ("done", None, steps)
    assert [step for step, _ in done.news.losses] == sorted({step for step, _ in done.news.losses})
