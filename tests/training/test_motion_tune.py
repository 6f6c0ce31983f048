"""Teaching a motion model from recordings: what is learnt from, what is kept, and a model that renders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.portrait import _motion_channels as channels
from pipelines.portrait import _motion_loading as loading
from pipelines.portrait._motion_windows import WINDOW
from studio import catalog
from studio.audio_files import audio_bytes
from studio.errors import InputError
from studio.motion import Motion
from studio.motion_files import motion_bytes, read_motion
from tests.studio.motions import moving
from tests.training.data_files import write_csv
from training.embedded import motion_net, motion_set, motion_tune
from training.embedded.motion_set import Takes

RATE_HZ = 16_000


def recording(path: Path, length_s: float, format: str = "livelink", seat: float = 0.0) -> Motion:
    """A take whose jaw follows the loudness of its sound, by somebody whose head is turned by `seat`."""
    time = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    loudness = 0.5 + 0.5 * np.sin(time * 12)
    sound = (np.sin(time * 1200) * loudness * 0.3).astype(np.float32)
    drawn = moving(round(length_s * 30), seed=len(path.name))
    motion = Motion(drawn.weights, drawn.head + np.float32(seat), drawn.gaze)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(motion_bytes(motion, format))
    path.with_suffix(".wav").write_bytes(audio_bytes(sound[None], RATE_HZ, "wav", {}))
    return motion


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four calm takes, one of them torn, and an angry one."""
    root = tmp_path_factory.mktemp("recordings")
    feelings = {"a": "neutral", "b": "neutral", "c": "calm:0.2", "torn": "neutral", "angry": "anger"}
    for number, name in enumerate(feelings):
        recording(root / f"{name}.csv", 4.2 + number / 10, seat=9.0)
    (root / "torn.csv").write_text("no motion", "utf-8")
    write_csv(
        root / "metadata.csv",
        [{"file_name": f"{name}.csv", "emotion": emotion} for name, emotion in feelings.items()],
    )
    return root


def test_calm_takes_are_learnt_from_wherever_somebody_sat(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = motion_tune.data_set(str(folder))
    made = motion_set.recorded(data, motion_tune.CALM)
    assert [len(motion) for _, motion in made] == [126, 129, 132]
    assert "torn.csv" in capsys.readouterr().out
    for sound, motion in made:
        assert len(sound) == len(motion)
        assert np.abs(np.median(motion[:, channels.POSE], axis=0)).max() < 0.01
    assert len(motion_set.recorded(data, 1.8)) == 4
    with pytest.raises(InputError, match="of 5 takes 0 are calm enough"):
        motion_set.recorded(data, -1.0)


def test_a_head_that_a_format_has_not_moves_by_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "1" / "1_wayne_0_1_8.json"
    recording(path, 5.0, "beat")
    assert not read_motion(path).head.any()
    ((_, motion),) = motion_set.recorded(motion_tune.data_set(str(tmp_path)), 0.3)
    assert motion[:, channels.POSE].std(axis=0)[:3].min() > 0.1
    jaw = channels.at("jawOpen")
    assert np.allclose(motion[:, jaw], channels.rows_of(read_motion(path).at_rate(30))[:, jaw], atol=1e-6)


def test_a_wider_spread_changes_no_performance(tmp_path: Path) -> None:
    """Only the share of noise grows; a network that is told the truth says what it said."""
    rng = np.random.default_rng(0)
    rows = rng.normal(0.2, 0.3, (WINDOW, channels.COUNT)).astype(np.float32)
    found = Takes(torch.zeros(1), torch.from_numpy(rows), torch.tensor([WINDOW]))
    motion_net.save(loading.toy(0).transformer, tmp_path)
    before, after = (
        loading.load(str(tmp_path), "cpu", "float32").transformer,
        motion_tune.begun(str(tmp_path), found),
    )
    assert (after.spread >= before.spread - 1e-6).all()
    assert (after.spread / before.spread)[channels.at("tongueOut")].item() > 1.3
    speech = before.unheard.expand(1, WINDOW, -1)
    said = []
    for net in (before, after):
        truth = (torch.from_numpy(rows)[None] - net.mean) / net.spread
        with torch.no_grad():
            said.append(net(truth, torch.ones(1, WINDOW), torch.zeros(1), speech) * net.spread + net.mean)
    assert torch.allclose(*said, atol=1e-4)


def test_a_model_learns_from_recordings_goes_on_and_renders(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(motion_net, "ROWS", 4)
    motion_net.save(loading.toy(0).transformer, tmp_path / "toy")
    asked = ["--data", str(folder), "--folder", str(tmp_path / "run"), "--start", str(tmp_path / "toy")]
    motion_tune.main([*asked, "--lines", "2", "--steps", "40"])
    said = capsys.readouterr().out
    assert "1 takes kept out: loss" in said
    before, now = (float(word) for word in said.split() if word[0].isdigit() and "." in word)
    assert now < before
    motion_tune.main([*asked, "--lines", "2", "--steps", "42"])
    log = (tmp_path / "run" / "network" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [40, 42]
    model = str(tmp_path / "run" / "model")
    assert catalog.pipeline_of(model).startswith("portrait/")
    assert loading.load(catalog.find_model(model), "cpu", "float32").transformer.spread.isfinite().all()


def test_a_folder_without_recordings_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        motion_tune.main(["--data", str(tmp_path), "--folder", str(tmp_path / "run")])
    assert "has the layout of no data set" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
