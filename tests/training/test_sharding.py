"""A base that is cut up among processes gives the adapter that whole bases give, and holds half in each."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from studio import catalog
from studio.errors import InputError
from tests.training import sharded_worker
from tests.training.small_runs import (
    ROOT,
    one_quiet_cpu,  # noqa: F401
    recipe,
    wait_for_step,
    weights,
)
from training import log, sharding
from training.run import main, train
from training.sharding import Plan

FSDP_2 = ("--use_fsdp", "--fsdp_version", "2", "--num_processes", "2")
ROUNDING = 1e-4  # of weights up to 2.7 after 4 steps of Adam at a rate of 0.01; 1e-5 was seen


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """Two processes as people start them, in a process group of their own."""
    command = [sys.executable, "-m", "accelerate.commands.launch", *FSDP_2, "-m", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "true"}
    return subprocess.Popen(
        command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which `sharded_worker` has done all its runs."""
    folder = tmp_path_factory.mktemp("runs")
    assert start("tests.training.sharded_worker", str(folder)).wait(300) == 0
    return folder


def test_each_process_holds_half_of_the_base(runs: Path) -> None:
    found = log.read(runs / "sharded")[0]["sharded"]
    assert found["process 0"] + found["process 1"] == found["weights"] > 200_000
    assert abs(found["process 0"] - found["process 1"]) < 0.02 * found["weights"]
    assert found["blocks"] > 10
    assert "sharded" not in log.read(runs / "plain")[0]


def test_the_adapter_is_that_of_whole_bases(runs: Path) -> None:
    sharded, plain = (
        load_file(runs / name / "adapter" / "adapter.safetensors") for name in ("sharded", "plain")
    )
    assert sharded.keys() == plain.keys()
    assert max(float((sharded[name] - plain[name]).abs().max()) for name in plain) < ROUNDING
    assert (
        float(plain[next(name for name in plain if "lora_B" in name)].abs().max()) > 10 * ROUNDING
    )  # it learnt


def test_held_out_losses_and_pictures_are_those_of_whole_bases(runs: Path) -> None:
    sharded, plain = (log.read(runs / name)[-1] for name in ("sharded", "plain"))
    for name in ("validation_loss", "validation_loss_other_emotions", "validation_loss_base"):
        assert sharded[name] == pytest.approx(plain[name], abs=1e-5)
    grids = [
        np.array(Image.open(runs / name / "grids" / "step-00000004.png"), int)
        for name in ("sharded", "plain")
    ]
    assert np.abs(grids[0] - grids[1]).max() <= 2


def test_an_interrupted_run_goes_on_to_the_same_weights(runs: Path) -> None:
    assert weights(runs / "resumed") == weights(runs / "sharded")
    assert [line.get("loss") for line in log.read(runs / "resumed")] == [
        line.get("loss") for line in log.read(runs / "sharded")
    ]


@pytest.mark.slow
def test_the_command_killed_anywhere_goes_on_to_the_same_weights(tmp_path: Path, runs: Path) -> None:
    killed, path = tmp_path / "killed", tmp_path / "killed.toml"
    path.write_text(sharded_worker.work(killed, pictures=0).to_toml(), "utf-8")
    step, process = random.SystemRandom().randrange(2, 5), start("training.run", str(path))
    try:
        wait_for_step(killed, step, process)
    finally:
        workers = psutil.Process(process.pid).children(recursive=True)  # each in a process group of its own
        for one in (process, *workers):
            one.kill()
        process.wait()
    assert not (killed / "adapter").exists()
    assert start("training.run", str(path)).wait(300) == 0
    assert weights(killed) == weights(runs / "sharded"), f"killed after line {step}"


def test_one_process_has_nothing_to_cut_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    train(recipe(tmp_path, steps=1, warmup_steps=0))
    assert "sharded" not in log.read(tmp_path)[0]
    assert os.environ["ACCELERATE_USE_FSDP"] == "true"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"FSDP_VERSION": "1", "FSDP_SYNC_MODULE_STATES": "true"},
            "fsdp_version: must be 2, got 1: .*mean '2'",
        ),
        ({}, "fsdp_version: must be 2, got 1"),  # Accelerate's default
        ({"FSDP_OFFLOAD_PARAMS": "true"}, "fsdp_offload_params: is not done here; use more processes"),
        ({"FSDP_ACTIVATION_CHECKPOINTING": "true"}, "gradient_checkpointing = true in the recipe does it"),
        ({"FSDP_IGNORED_MODULES": "conv_in"}, "fsdp_ignored_modules: is not done here"),
        ({"FSDP_AUTO_WRAP_POLICY": "BLOCKS"}, "fsdp_config: .*Invalid auto wrap policy: BLOCKS"),
    ],
)
def test_what_a_config_cannot_have_is_named(
    monkeypatch: pytest.MonkeyPatch, given: Mapping[str, str], message: str
) -> None:
    settings = {"FSDP_VERSION": "2", **given} if given else {}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=message):
        sharding.plan()


def test_a_config_names_blocks_or_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSDP_VERSION", "2")
    assert sharding.plan() == Plan(reshard_after_forward=True)
    monkeypatch.setenv("FSDP_AUTO_WRAP_POLICY", "SIZE_BASED_WRAP")
    monkeypatch.setenv("FSDP_MIN_NUM_PARAMS", "5000")
    monkeypatch.setenv("FSDP_RESHARD_AFTER_FORWARD", "false")
    assert sharding.plan() == Plan(reshard_after_forward=False, min_weights=5000)
    monkeypatch.setenv("FSDP_AUTO_WRAP_POLICY", "TRANSFORMER_BASED_WRAP")
    monkeypatch.setenv("FSDP_TRANSFORMER_CLS_TO_WRAP", "ResnetBlock2D, Attention")
    assert sharding.plan().names == ("ResnetBlock2D", "Attention")


@pytest.mark.parametrize(
    ("family", "classes"),
    [
        ("image/sd", {"BasicTransformerBlock", "ResnetBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"}),
        ("image/sdxl", {"BasicTransformerBlock", "ResnetBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"}),
        ("image/sd3", {"JointTransformerBlock"}),
        ("image/flux", {"FluxTransformerBlock", "FluxSingleTransformerBlock"}),
        ("image/zimage", {"ZImageTransformerBlock"}),
    ],
)
def test_every_family_has_blocks_of_its_own(family: str, classes: set[str]) -> None:
    network = network_of(family)
    found = sharding.blocks(network, Plan())
    assert {type(block).__name__ for block in found} == classes
    inside = {id(weight) for block in found for weight in block.parameters()}
    assert len(inside) > 0.6 * len(list(network.parameters()))


def test_blocks_are_those_that_are_named_or_large() -> None:
    network = network_of("image/sd")
    named = sharding.blocks(network, Plan(names=("ResnetBlock2D",)))
    assert {type(block).__name__ for block in named} == {"ResnetBlock2D"}
    large = sharding.blocks(network, Plan(min_weights=20_000))
    assert large and all(sum(w.numel() for w in block.parameters()) > 20_000 for block in large)
    assert not any(isinstance(block, nn.ModuleList) for block in large)
    for number, block in enumerate(large):  # FSDP wants inner ones first
        assert not any(
            block is not later and part is later for later in large[number:] for part in block.modules()
        )
    with pytest.raises(InputError, match="no 'ResnetBlok2D'; did you mean 'ResnetBlock2D'"):
        sharding.blocks(network, Plan(names=("ResnetBlok2D",)))


def test_a_model_that_says_nothing_of_its_blocks_has_those_of_its_lists() -> None:
    lists = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.ModuleList([nn.Linear(2, 2)])), nn.SiLU()])
    network = nn.ModuleDict({"first": nn.Linear(2, 2), "rest": nn.Sequential(lists)})
    assert sharding.blocks(network, Plan()) == [lists[0]]


def network_of(family: str) -> nn.Module:
    modules = catalog.load("pipeline", family).Pipeline.tiny(0).modules
    network: nn.Module = modules.get("unet") or modules["transformer"]
    return network


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, "ZeRO stage 3"),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "ZeRO stage 3"),  # a file of DeepSpeed's own says it
        ({"ACCELERATE_USE_MEGATRON_LM": "true"}, "Megatron-LM is not done here"),
        ({"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, "a parallelism_config is not done here"),
    ],
)
def test_other_ways_of_sharding_are_refused_with_one_that_works(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: Mapping[str, str],
    message: str,
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "recipe.toml"
    path.write_text(recipe(tmp_path / "run").to_toml(), "utf-8")
    assert main([str(path)]) == 2
    said = capsys.readouterr().err
    assert message in said and "use FSDP with fsdp_version 2, or several plain processes" in said


def test_what_deepspeed_shards_of_an_adapter_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(recipe(tmp_path / "plain", steps=2))
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")  # its launcher says that too
    train(recipe(tmp_path / "run", steps=2))
    assert "DeepSpeed is left out" in capsys.readouterr().err
    assert weights(tmp_path / "run") == weights(tmp_path / "plain")
