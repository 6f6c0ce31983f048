"""No interruption changes what a run learns, and none of them loses what it had learnt."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from adapters.emotion_lora import Adapter
from studio.errors import Cancelled, InputError, ModelError, NotFoundError, StorageError
from tests.training.small_runs import (
    LIGHT,
    STEPS,
    launch,
    one_quiet_cpu,  # noqa: F401
    pictures_of_three_shapes,
    recipe,
    wait_for_step,
    weights,
)
from training import checkpoint, log
from training.run import main, train


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from the first step to the last, as the others must come out."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(recipe(run))
    torch.set_num_threads(threads)
    return run


def interrupt(run: Path, step: int, number: signal.Signals, **changed: Any) -> None:
    """Run until `step`, then let the process receive a signal."""

    def kill(done: int, _loss: float) -> None:
        if done == step:
            os.kill(os.getpid(), number)

    with pytest.raises(Cancelled, match="start it again to go on"):
        train(recipe(run, **changed), kill)


def kill_at(run: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for the launcher and everything it started, once `step` is logged."""
    try:
        wait_for_step(run, step, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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
    run, step = tmp_path / "run", random.SystemRandom().randrange(1, STEPS)
    kill_at(run, step, launch(recipe(run)))
    train(recipe(run))
    assert weights(run) == weights(uninterrupted), f"killed after step {step}"


def test_two_processes_killed_anywhere_and_resumed_are_equal(tmp_path: Path) -> None:
    """In buckets, balanced, with recomputed activations: none of it hangs on what a process remembers."""
    options = {"buckets": True, "balance": "labels", "gradient_checkpointing": True, "snr_gamma": 5.0}
    options["dataset"] = pictures_of_three_shapes(tmp_path / "pictures")
    whole, killed = (recipe(tmp_path / name, **options) for name in ("whole", "killed"))
    assert launch(whole, processes=2).wait(300) == 0
    step = random.SystemRandom().randrange(2, STEPS + 1)
    kill_at(tmp_path / "killed", step, launch(killed, processes=2))
    assert not (tmp_path / "killed" / "adapter").exists()
    assert len(log.read(tmp_path / "killed")[0]["sizes"]) == 3
    assert launch(killed, processes=2).wait(300) == 0
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole"), f"killed after line {step}"


def test_a_cancel_from_outside_is_resumable(tmp_path: Path, uninterrupted: Path) -> None:
    def cancel(done: int, _loss: float) -> None:
        if done == 2:
            raise Cancelled("enough")

    run = tmp_path / "run"
    with pytest.raises(Cancelled, match="enough"):
        train(recipe(run), cancel)
    train(recipe(run))
    assert weights(run) == weights(uninterrupted)


def test_a_finished_run_started_again_changes_nothing_and_reuses_its_cache(uninterrupted: Path) -> None:
    before, shards = weights(uninterrupted), sorted(uninterrupted.glob("cache/*/*.safetensors"))
    times = [path.stat().st_mtime_ns for path in shards]
    assert shards
    train(recipe(uninterrupted))
    assert weights(uninterrupted) == before
    assert [path.stat().st_mtime_ns for path in shards] == times


def test_the_checkpoint_of_another_recipe_is_refused_and_kept(tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupt(run, 1, signal.SIGTERM)
    with pytest.raises(ModelError, match=r"another recipe: learning_rate is 0\.01 there and 0\.02 here"):
        train(recipe(run, learning_rate=0.02))
    with pytest.raises(ModelError, match="another recipe: balance is 'none' there and 'labels' here"):
        train(recipe(run, balance="labels"))
    assert checkpoint.latest(run / "checkpoints") is not None


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupt(run, 2, signal.SIGTERM)
    kept = checkpoint.latest(run / "checkpoints")
    poison(run)
    with pytest.raises(ModelError, match=r"loss is nan at step 4 \(examples \d+.*step-00000003 is kept"):
        train(recipe(run))
    assert checkpoint.latest(run / "checkpoints") == kept


def poison(run: Path) -> None:
    """Make every prepared picture of a run unusable, as no check on the way in would let through."""
    (shard,) = run.glob("cache/*/shard-*.safetensors")
    with safe_open(shard, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(shard)
    tensors["64x64/latents"][:] = float("nan")
    save_file(tensors, shard, metadata=metadata)


def test_a_full_disk_at_checkpoint_time_says_what_is_kept_and_the_run_goes_on_later(
    tmp_path: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    interrupt(run, 2, signal.SIGTERM)
    path = tmp_path / "recipe.toml"
    path.write_text(recipe(run).to_toml(), "utf-8")

    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(checkpoint, "save_file", full)
        assert main([str(path)]) == 2
    problem = capsys.readouterr().err.strip().splitlines()[-1]
    assert "No space left" in problem and "step-00000003 is kept" in problem
    assert [step.name for step in (run / "checkpoints").iterdir()] == ["step-00000003"]
    assert main([str(path)]) == 0
    assert weights(run) == weights(uninterrupted)


def test_a_full_disk_for_the_log_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any, **_options: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with log.RunLog(tmp_path, steps=1, done=0, batch_size=1, speaks=True) as lines:
        monkeypatch.setattr(Path, "open", full)
        with pytest.raises(StorageError, match=r"log\.jsonl: cannot be written \(No space left"):
            lines.write(1, {"loss": 0.5})


def test_a_run_can_start_from_another_adapter(tmp_path: Path) -> None:
    first = train(recipe(tmp_path / "first", steps=3))
    still = {"steps": 1, "warmup_steps": 0, "learning_rate": 0.0, "ema_decay": 0.0}
    begun = train(recipe(tmp_path / "second", start_from=str(first), **still))
    assert Adapter.load(begun).state_dict().keys() == Adapter.load(first).state_dict().keys()
    for name, tensor in Adapter.load(first).state_dict().items():
        assert torch.equal(tensor, Adapter.load(begun).state_dict()[name]), name


def test_layers_that_the_first_adapter_does_not_have_stay_fresh(tmp_path: Path) -> None:
    first = train(recipe(tmp_path / "first", steps=3))
    still = {"steps": 1, "warmup_steps": 0, "learning_rate": 0.0, "ema_decay": 0.0}
    wider = {**LIGHT, "targets": "attention"}
    begun = train(recipe(tmp_path / "second", start_from=str(first), adapter=wider, **still))
    known, found = (Adapter.load(path).state_dict() for path in (first, begun))
    assert known.keys() < found.keys()
    assert all(torch.equal(tensor, found[name]) for name, tensor in known.items())
    fresh = [name for name in found if name not in known and name.endswith("lora_B.weight")]
    assert fresh and not any(found[name].any() for name in fresh)


def test_a_resumed_run_must_have_started_from_the_same_content(tmp_path: Path) -> None:
    first, run = train(recipe(tmp_path / "first", steps=2)), tmp_path / "second"
    interrupt(run, 1, signal.SIGTERM, start_from=str(first))
    moved = first.rename(tmp_path / "another name")
    train(recipe(run, start_from=str(moved)))
    Adapter.load(moved).to(dtype=torch.float16).to(dtype=torch.float32).save(moved)
    with pytest.raises(ModelError, match=r"another recipe: start_from is 'content .* there and 'content"):
        train(recipe(run, start_from=str(moved)))


@pytest.mark.parametrize(
    ("adapter", "begun_from", "match"),
    [
        ({**LIGHT, "rank": 2}, "first", "start_from: .* has other layers or shapes"),
        ({**LIGHT, "targets": {"unet": "conv_in"}}, "first", "start_from: .* has other layers or shapes"),
        ({**LIGHT, "basis": "axes"}, "first", "start_from: .* has other layers or shapes"),
        (LIGHT, "vad-imag", "unknown adapter .*did you mean 'vad-image'"),
        (LIGHT, "vad-image", "start_from: .* has other layers or shapes"),
    ],
)
def test_starting_from_an_adapter_that_does_not_fit_is_refused(
    tmp_path: Path, uninterrupted: Path, adapter: dict[str, Any], begun_from: str, match: str
) -> None:
    start = str(uninterrupted / "adapter") if begun_from == "first" else begun_from
    with pytest.raises((InputError, NotFoundError), match=match):
        train(recipe(tmp_path / "run", start_from=start, adapter=adapter))
