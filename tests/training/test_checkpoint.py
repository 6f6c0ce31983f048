"""Checkpoints: whole or absent, and only for the run that they belong to."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.errors import ModelError, StorageError
from training import checkpoint
from training.checkpoint import Checkpoint

RECIPE = {"learning_rate": 0.1, "adapter.rank": 4}


def made(step: int = 5) -> Checkpoint:
    tensors = {"weight/a": torch.arange(6.0).view(2, 3).T, "weight/b": torch.tensor(1.5)}
    return Checkpoint(step, tensors, {"seconds": 2.5}, RECIPE, "data1")


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, made(), keep_last=2)
    loaded = checkpoint.load(path, RECIPE, "data1")
    assert (loaded.step, loaded.values) == (5, {"seconds": 2.5})
    assert all(torch.equal(loaded.tensors[name], tensor) for name, tensor in made().tensors.items())


def test_files_are_safetensors_and_json_only(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, made(), keep_last=2)
    assert {file.suffix for file in path.iterdir()} == {".safetensors", ".json"}


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 20, 3, 100):
        checkpoint.save(tmp_path, made(step), keep_last=2)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000020", "step-00000100"]
    assert checkpoint.latest(tmp_path) == tmp_path / "step-00000100"
    assert checkpoint.latest(tmp_path / "nothing") is None


def test_a_full_disk_leaves_the_older_checkpoint_and_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = checkpoint.save(tmp_path, made(1), keep_last=1)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        checkpoint.save(tmp_path, made(2), keep_last=1)
    assert list(tmp_path.iterdir()) == [older]


def test_the_rest_of_a_killed_save_is_ignored_and_swept(tmp_path: Path) -> None:
    (tmp_path / ".step-00000009.tmp-1").mkdir()
    assert checkpoint.latest(tmp_path) is None
    path = checkpoint.save(tmp_path, made(), keep_last=2)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("recipe", "data", "match"),
    [
        (
            {**RECIPE, "learning_rate": 0.2},
            "data1",
            "another recipe: learning_rate is 0.1 there and 0.2 here",
        ),
        (RECIPE, "data2", "other data or another base model"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(
    tmp_path: Path, recipe: dict[str, Any], data: str, match: str
) -> None:
    path = checkpoint.save(tmp_path, made(), keep_last=2)
    with pytest.raises(ModelError, match=match):
        checkpoint.load(path, recipe, data)


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, name: str) -> None:
    path = checkpoint.save(tmp_path, made(), keep_last=2)
    whole = (path / name).read_bytes()
    (path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError, match=r"step-00000005' is damaged .* delete it"):
        checkpoint.load(path, RECIPE, "data1")


def test_an_optimiser_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    names = ["first", "second"]

    def optimiser() -> tuple[list[torch.nn.Parameter], torch.optim.Optimizer]:
        weights = [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2, 2))]
        return weights, torch.optim.AdamW(weights, lr=0.1)

    def steps(weights: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            sum((weight**4).sum() for weight in weights).backward()
            optimizer.step()

    whole, broken, resumed = optimiser(), optimiser(), optimiser()
    steps(*whole, 6)
    steps(*broken, 2)
    tensors, values = checkpoint.flatten_optimizer(broken[1].state_dict(), names)
    path = checkpoint.save(tmp_path, Checkpoint(2, tensors, {"optimizer": values}, RECIPE, "data1"), 1)
    loaded = checkpoint.load(path, RECIPE, "data1")
    state = checkpoint.unflatten_optimizer(loaded.tensors, loaded.values["optimizer"], names)
    resumed[1].load_state_dict(state)
    for mine, theirs in zip(resumed[0], broken[0], strict=True):
        mine.data.copy_(theirs.data)
    steps(*resumed, 4)
    assert all(torch.equal(a, b) for a, b in zip(whole[0], resumed[0], strict=True))
