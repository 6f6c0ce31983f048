"""The loop on a real model at toy size: it learns, and no interruption changes what it learns."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapters.emotion_lora import Adapter
from studio.errors import Cancelled, InputError, ModelError
from training import checkpoint, config, log
from training.order import Order, learning_rate
from training.run import main, train

ROOT = Path(config.__file__).resolve().parent.parent
STEPS = 12


@pytest.fixture(autouse=True)
def one_quiet_cpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Bit equality is promised for a CPU with the same number of threads."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def recipe(output: Path, **changed: Any) -> config.Recipe:
    """Everything that draws at random is on."""
    values: dict[str, Any] = {
        "model": "tiny:0",
        "output": str(output),
        "steps": STEPS,
        "batch_size": 4,
        "gradient_accumulation": 2,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "ema_decay": 0.8,
        "emotion_dropout": 0.2,
        "caption_dropout": 0.2,
        "checkpoint_every": 3,
        "log_every": 1,
        "dataset": {"name": "painter", "count": 18, "size_px": 64},
        "adapter": {"kind": "emotion_lora", "rank": 4, "targets": "light"},
    }
    return config.parse(values | changed)


def weights(run: Path) -> bytes:
    return (run / "adapter" / "adapter.safetensors").read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from the first step to the last, as the others must come out."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(recipe(run))
    torch.set_num_threads(threads)
    return run


def interrupt(run: Path, step: int, number: signal.Signals) -> None:
    """Run until `step`, then let the process receive a signal."""

    def kill(done: int, _loss: float) -> None:
        if done == step:
            os.kill(os.getpid(), number)

    with pytest.raises(Cancelled, match="start it again to go on"):
        train(recipe(run), kill)


def test_the_loss_falls(tmp_path: Path) -> None:
    run = tmp_path / "run"
    shown = {"validate_every": 15, "validation_count": 16, "gradient_accumulation": 1, "batch_size": 8}
    longer = recipe(run, steps=30, emotion_dropout=0.0, dataset={"name": "painter", "count": 48}, **shown)
    train(longer)
    lines = log.read(run)
    losses = [line["loss"] for line in lines if "loss" in line]
    figures = next(line for line in reversed(lines) if "validation_loss" in line)
    assert len(losses) == 30
    assert sum(losses[-8:]) < 0.97 * sum(losses[:8])
    assert figures["validation_loss"] < 0.97 * figures["validation_loss_base"]
    assert figures["validation_loss"] != figures["validation_loss_other_emotions"]


def test_a_finished_run_leaves_adapter_card_log_and_recipe(uninterrupted: Path) -> None:
    adapter = Adapter.load(uninterrupted / "adapter")
    card = (uninterrupted / "adapter" / "README.md").read_text("utf-8")
    assert adapter.config.base_model == "tiny:0"
    assert any(weight.abs().max() > 0 for name, weight in adapter.state_dict().items() if "lora_B" in name)
    assert "learning_rate = 0.01" in card and '"dataset": "painter"' in card and "Seed 0" in card
    assert [line["step"] for line in log.read(uninterrupted)] == list(range(1, STEPS + 1))
    assert config.read(uninterrupted / "recipe.toml") == recipe(uninterrupted)


@pytest.mark.parametrize(("step", "number"), [(4, signal.SIGTERM), (7, signal.SIGINT)])
def test_a_signal_saves_a_checkpoint_and_the_resumed_run_is_equal(
    tmp_path: Path, uninterrupted: Path, step: int, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    before = signal.getsignal(number)
    interrupt(run, step, number)
    assert signal.getsignal(number) is before
    newest = checkpoint.latest(run / "checkpoints")
    assert newest is not None and newest.name == f"step-{step + 1:08d}"
    train(recipe(run))
    assert weights(run) == weights(uninterrupted)
    assert [line["loss"] for line in log.read(run)] == [line["loss"] for line in log.read(uninterrupted)]


def test_a_run_killed_anywhere_and_resumed_is_equal(tmp_path: Path, uninterrupted: Path) -> None:
    run, path = tmp_path / "run", tmp_path / "recipe.toml"
    path.write_text(recipe(run).to_toml(), "utf-8")
    step = random.SystemRandom().randrange(1, STEPS)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "training.run", str(path)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 300
        while len(log.read(run)) < step and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    assert len(log.read(run)) >= step, "the run never got as far as it was to be killed at"
    train(recipe(run))
    assert weights(run) == weights(uninterrupted), f"killed after step {step}"


def test_a_cancel_from_outside_is_resumable(tmp_path: Path, uninterrupted: Path) -> None:
    def cancel(done: int, _loss: float) -> None:
        if done == 2:
            raise Cancelled("enough")

    run = tmp_path / "run"
    with pytest.raises(Cancelled, match="enough"):
        train(recipe(run), cancel)
    train(recipe(run))
    assert weights(run) == weights(uninterrupted)


def test_the_checkpoint_of_another_recipe_is_refused_and_kept(tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupt(run, 1, signal.SIGTERM)
    with pytest.raises(ModelError, match=r"another recipe: learning_rate is 0\.01 there and 0\.02 here"):
        train(recipe(run, learning_rate=0.02))
    assert checkpoint.latest(run / "checkpoints") is not None


def test_a_finished_run_started_again_changes_nothing_and_reuses_its_cache(uninterrupted: Path) -> None:
    before, shards = weights(uninterrupted), sorted(uninterrupted.glob("cache/*/*.safetensors"))
    times = [path.stat().st_mtime_ns for path in shards]
    assert shards
    train(recipe(uninterrupted))
    assert weights(uninterrupted) == before
    assert [path.stat().st_mtime_ns for path in shards] == times


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupt(run, 2, signal.SIGTERM)
    kept = checkpoint.latest(run / "checkpoints")
    (shard,) = run.glob("cache/*/shard-*.safetensors")
    poisoned = load_file(shard)
    poisoned["latents"][:] = float("nan")
    save_file(poisoned, shard, metadata={"bad": "[]"})
    with pytest.raises(ModelError, match=r"loss is nan at step 4 \(examples \d+.*step-00000003 is kept"):
        train(recipe(run))
    assert checkpoint.latest(run / "checkpoints") == kept


def test_the_command_prints_one_line_per_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(recipe(tmp_path / "run").to_toml(), "utf-8")
    assert main([str(path), "learning_rat=1"]) == 2
    problem = capsys.readouterr().err
    assert "did you mean 'learning_rate'?" in problem and problem.count("\n") == 1
    assert main([str(path), "model=tiny:x"]) == 2
    assert "tiny:SEED" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_order_visits_everything_once_an_epoch() -> None:
    order = Order(range(10, 17), batch_size=3, seed=1)
    visited = [row for step in range(7) for row in order.batch(step)]
    assert all(sorted(visited[start : start + 7]) == list(range(10, 17)) for start in (0, 7, 14))
    assert visited[:7] != visited[7:14]
    assert Order(range(10, 17), batch_size=3, seed=1).batch(5) == order.batch(5)
    assert Order(range(10, 17), batch_size=3, seed=2).batch(5) != order.batch(5)


def test_the_rate_warms_up_and_falls_to_zero(tmp_path: Path) -> None:
    cosine = recipe(tmp_path, steps=100, warmup_steps=10)
    rates = [learning_rate(cosine, step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-3) and rates[9] == rates[10] == 1e-2
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[99] < 1e-5
    assert learning_rate(recipe(tmp_path, schedule="constant"), 11) == 1e-2


def test_holding_out_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds out 18 of 18 usable examples"):
        train(recipe(tmp_path / "run", validation_count=18))


@pytest.mark.slow
def test_two_processes_train_as_one_and_resume_equal(tmp_path: Path) -> None:
    assert two_processes(tmp_path / "whole").wait(300) == 0
    stopped = two_processes(tmp_path / "stopped")
    while len(log.read(tmp_path / "stopped")) < 3 and stopped.poll() is None:
        time.sleep(0.01)
    stopped.terminate()
    stopped.wait(60)
    newest = checkpoint.latest(tmp_path / "stopped" / "checkpoints")
    assert newest is not None and newest.name != f"step-{STEPS:08d}", "it was not stopped on its way"
    assert two_processes(tmp_path / "stopped").wait(300) == 0
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")


def two_processes(run: Path) -> subprocess.Popen[bytes]:
    path = run.with_suffix(".toml")
    path.write_text(recipe(run, checkpoint_every=100).to_toml(), "utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    return subprocess.Popen([*launch, "-m", "training.run", str(path)], env=environment)


def test_a_run_can_start_from_another_adapter(tmp_path: Path) -> None:
    first = train(recipe(tmp_path / "first"))
    still = {"steps": 1, "warmup_steps": 0, "learning_rate": 0.0, "ema_decay": 0.0}
    begun = train(recipe(tmp_path / "second", start_from=str(first), **still))
    assert Adapter.load(begun).state_dict().keys() == Adapter.load(first).state_dict().keys()
    for name, tensor in Adapter.load(first).state_dict().items():
        assert torch.equal(tensor, Adapter.load(begun).state_dict()[name]), name


def test_starting_from_an_adapter_of_another_rank_is_refused(tmp_path: Path) -> None:
    first = train(recipe(tmp_path / "first", steps=2))
    other = {"kind": "emotion_lora", "rank": 2, "targets": "light"}
    with pytest.raises(InputError, match="start_from"):
        train(recipe(tmp_path / "second", start_from=str(first), adapter=other))
