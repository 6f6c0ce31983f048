"""The loop on a real model at toy size: it learns, and no interruption changes what it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adapters.emotion_lora import Adapter
from studio.errors import InputError
from tests.training.small_runs import STEPS, one_quiet_cpu, recipe  # noqa: F401
from training import config, log
from training.order import learning_rate
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


def test_the_command_prints_one_line_per_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(recipe(tmp_path / "run").to_toml(), "utf-8")
    assert main([str(path), "learning_rat=1"]) == 2
    problem = capsys.readouterr().err
    assert "did you mean 'learning_rate'?" in problem and problem.count("\n") == 1
    assert main([str(path), "model=tiny:x"]) == 2
    assert "tiny:SEED" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_the_rate_warms_up_and_falls_to_zero(tmp_path: Path) -> None:
    cosine = recipe(tmp_path, steps=100, warmup_steps=10)
    rates = [learning_rate(cosine, step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-3) and rates[9] == rates[10] == 1e-2
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[99] < 1e-5
    assert learning_rate(recipe(tmp_path, schedule="constant"), 11) == 1e-2


def test_holding_out_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds out 18 of 18 usable examples"):
        train(recipe(tmp_path / "run", validation_count=18))
