"""What the motion network and its adapters learn from: takes, windows of them, the loss with feelings."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapters.emotion_lora import Adapter, Config
from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait import _motion_loading as loading
from pipelines.portrait import _motion_training as motion_training
from pipelines.portrait._motion_network import MotionTransformer
from pipelines.portrait._motion_windows import MARGIN
from pipelines.portrait._performer import perform
from studio import catalog
from studio.emotion import NEUTRAL, VAD, Emotion
from studio.ports import Example
from studio.speech import Speech
from training import config, performances, validation
from training.data.performed import Dataset
from training.embedded import motion_net, motion_set
from training.embedded.motion_set import Takes
from training.media.portrait import Medium
from training.run import train

HAPPY, SAD = VAD(0.8, 0.5, 0.3), VAD(-0.6, -0.4, -0.3)


@pytest.fixture(scope="module")
def takes() -> Takes:
    """Five lines in which everything says where it stands: line * 10 + frame / 100."""
    made = []
    for line in range(5):
        place = (line * 10 + np.arange(150 + 10 * line) / 100).astype(np.float32)[:, None]
        made.append((np.tile(place, (1, hearing.WIDTH)), np.tile(place, (1, channels.COUNT))))
    return motion_set.joined(made)


@pytest.fixture(scope="module")
def performed() -> Dataset:
    return Dataset(lines=3, windows=2, frames=60)


def test_a_window_is_one_stretch_of_one_line_with_what_is_heard_around_it(takes: Takes) -> None:
    found = motion_set.windows(takes, 64, 120, torch.Generator().manual_seed(0))
    assert found["motion"].shape == (64, 120, channels.COUNT)
    assert found["sound"].shape == (64, 120 + 2 * MARGIN, hearing.WIDTH)
    motion, sound = found["motion"][..., 0].float(), found["sound"][:, MARGIN:-MARGIN, 0].float()
    assert torch.equal(motion, sound)
    steps = motion.diff(dim=1)
    assert torch.allclose(steps, torch.full_like(steps, 0.01), atol=0.04)  # half precision
    begins = (motion[:, 0] % 10) < 0.005
    assert torch.equal(begins, found["first"]) and 0 < begins.sum() < 64
    assert len(set((motion[:, 0] // 10).tolist())) == 5
    assert not found["sound"][begins][:, :MARGIN, hearing.KNOWN + 1 :].any()


def test_short_speech_goes_on_in_silence() -> None:
    short = Speech(np.ones(16_000, np.float32), 16_000)
    longer = motion_set.roomy(short, 90)
    assert longer.frames(30) == 90 and not longer.samples[16_000:].any()
    assert motion_set.roomy(longer, 60).length_s == longer.length_s


def test_takes_are_made_once_and_the_same_again(tmp_path: Path) -> None:
    wanted = motion_set.Wanted(lines=2)
    first = motion_set.takes(tmp_path / "a", wanted, "base")
    kept = motion_set.takes(tmp_path / "a", dataclasses.replace(wanted, lines=1), "base")
    again = motion_set.takes(tmp_path / "b", wanted, "base")
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(first, kept, again, strict=True))
    assert first.frames.min() >= motion_set.SHORTEST
    assert first.sound.isfinite().all() and first.motion.isfinite().all()


def test_hiss_moves_no_mouth() -> None:
    sound, motion = motion_set._mute(np.random.default_rng(0))
    assert len(sound) == len(motion)
    jaw, blink = channels.at("jawOpen", "eyeBlinkLeft")
    assert motion[:, jaw].std() < 0.01 and motion[:, blink].max() > 0.5


def test_a_network_knows_its_channels_and_a_resumed_training_equals_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion_net, "ROWS", 2)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    made = [(rng.random((150, hearing.WIDTH)), rng.normal(0.5, 0.2, (150, channels.COUNT))) for _ in range(2)]
    base = motion_set.joined(made)
    nets = [motion_net.new(0, base, base) for _ in range(2)]
    assert torch.allclose(nets[0].mean, torch.full_like(nets[0].mean, 0.5), atol=0.1)
    assert torch.allclose(nets[0].spread[~torch.from_numpy(channels.LIDS)], torch.tensor(0.2), atol=0.05)
    plan = dataclasses.replace(motion_net.PLAN, steps=2, warmup_steps=1)
    motion_net.train(nets[0], base, tmp_path / "whole", 0, plan)
    _half_then_whole(nets[1], base, tmp_path / "resumed", plan)
    for name, weight in nets[0].state_dict().items():
        assert torch.equal(weight, nets[1].state_dict()[name]), name
    motion_net.save(nets[0], tmp_path / "model")
    again = loading.load(str(tmp_path / "model"), "cpu", "float32").transformer
    assert torch.allclose(again.spread, nets[1].spread, rtol=1e-3)


def _half_then_whole(net: MotionTransformer, takes: Takes, folder: Path, plan: Any) -> None:
    """A training that was stopped after its first step."""

    original = motion_net.Fit._one_step

    def one_step(fit: Any, loss_of: Any) -> float:
        if fit.step == 1:
            fit.save(0.0)
            raise KeyboardInterrupt
        return original(fit, loss_of)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(motion_net.Fit, "_one_step", one_step)
        motion_net.train(net, takes, folder, 0, plan)
    motion_net.train(net, takes, folder, 0, plan)


def test_an_example_is_a_window_with_a_feeling_for_each_frame(performed: Dataset) -> None:
    assert len(performed) == 6 and catalog.dataset_medium("performed") == "portrait"
    examples = list(performed)
    for example in examples:
        assert len(example.media) == 60 == len(example.attributes["bars"])
        assert example.media.sound.shape == (60 + 2 * MARGIN, hearing.WIDTH)
        assert example.media.motion.shape == (60, channels.COUNT)
    assert [example.media.first for example in examples] == [True, False] * 3
    assert examples[0].attributes["file"] == examples[1].attributes["file"] != examples[2].attributes["file"]
    assert np.array_equal(performed[3].media.motion, examples[3].media.motion)
    assert examples[2].prompt != dataclasses.replace(performed, part="held_out")[2].prompt
    with pytest.raises(IndexError):
        performed[6]


def test_its_description_tells_examples_apart(performed: Dataset) -> None:
    other = dataclasses.replace(performed, seed=1)
    assert performed.description == dataclasses.replace(performed).description != other.description


def test_the_trainer_trains_it_and_reads_what_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr(Medium, "prompts", ("No.", "Go."))
    shown = config.read(Path("training/recipes/vad-motion.toml"))
    values = shown.to_dict() | {
        **{"model": "tiny:0", "output": str(tmp_path), "steps": 3, "warmup_steps": 1, "batch_size": 4},
        **{"validate_every": 3, "validation_count": 2, "validation_pictures": 8, "log_every": 1},
        "mixed_precision": "no",  # a process can have but one, and other tests have this
        "dataset": {"name": "performed", "lines": 3, "windows": 2, "frames": 60},
    }
    adapter = Adapter.load(train(config.parse(values)))
    assert len(adapter.layers) == 2 + 2 * 5, "of every block five layers, and both ends"
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert any("validation_loss_other_emotions" in line for line in lines)
    assert any("control_valence_r" in line for line in lines)
    assert (tmp_path / "grids" / "step-00000003.png").is_file()


def test_the_performer_s_own_faces_are_read_as_what_it_was_told() -> None:
    """Without this a figure of an adapter would say nothing."""
    points = validation.spread_points(16) * 0.8
    made = [_by_rules(VAD(*map(float, point)), number) for number, point in enumerate(points)]
    reader = performances.MuscleReader()
    reading = reader.read(made, [])
    for axis, least in enumerate((0.8, 0.75, 0.6)):
        assert np.corrcoef(points[:, axis], reading.points[:, axis])[0, 1] > least
    assert reading.keeps.mean() > 0.8 > 0.3 > reader.read(performances.displaced(made), []).keeps.mean()
    assert performances.strip(made[0]).shape[1] == len(made[0].motion)


def _by_rules(mood: VAD, seed: int) -> performances.Performed:
    speech, sound = performances._said(performances.LINES[seed % 2])
    return performances.Performed(speech, perform(speech, [mood] * len(sound), seed))


def test_an_adapter_learns_what_a_feeling_does_and_leaves_the_base_alone(performed: Dataset) -> None:
    """Rows of one window; the happy ones smile."""
    torch.manual_seed(0)
    pipe = loading.toy(0)
    before = {name: weight.clone() for name, weight in pipe.transformer.state_dict().items()}
    window, smile = performed[0].media, channels.at("mouthSmileLeft", "mouthSmileRight")
    happy = window.motion.copy()
    happy[:, smile] += 0.6
    examples = [
        Example(dataclasses.replace(window, motion=motion), "", Emotion(NEUTRAL), {})
        for motion in [window.motion, happy] * 4
    ]
    tensors = motion_training.prepare(examples)
    assert tensors["sound"].shape[0] == 8 and tensors["first"].dtype == torch.bool
    modules = {"transformer": pipe.transformer}
    adapter = Adapter.create(modules, Config(rank=4, targets={"transformer": r"blocks\.\d\.ff_in|writers"}))
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=2e-2)
    moods = [NEUTRAL, (HAPPY,) * 60] * 4
    with adapter.trainable(modules) as set_emotion:

        def loss(rows: list[Any]) -> torch.Tensor:
            generator = torch.Generator().manual_seed(0)
            return motion_training.loss(pipe, tensors, rows, set_emotion, generator)

        first = float(loss(moods).detach())
        for _ in range(60):
            value = loss(moods)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        last, swapped = (float(loss(rows).detach()) for rows in (moods, moods[::-1]))
    assert last < first - 0.1 and swapped > last + 0.1
    assert all(torch.equal(weight, before[name]) for name, weight in pipe.transformer.state_dict().items())
