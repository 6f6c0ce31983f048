"""The strength sweep: its rule on figures made by hand, and the whole command on the embedded model."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adapters.emotion_lora import PRESETS, Adapter, Config
from pipelines.image.sd import Pipeline
from studio import catalog
from studio.errors import InputError
from training import pictures, strength, sweep
from training.medium import other_prompts
from training.pictures import PROMPTS
from training.readers import EmbeddedReader
from training.strength import Plan, Row, Sweep, ring_point, ring_shots, usable_end

SHIPPED = catalog.find_adapter("vad-image")


def rows(*kept: float) -> list[Row]:
    """Rows at 0.5, 1, 1.5 ... with these shares of the prompt kept."""
    return [Row(0.5 * (i + 1), 0.9, 0.9, 0.9, 1.0, share, share) for i, share in enumerate(kept)]


@pytest.mark.parametrize(
    ("kept", "end"),
    [
        ((1.0, 0.95, 0.8, 0.81), 2.0),  # never below
        ((1.0, 0.9, 0.7), 1.25),  # half way between 0.9 and 0.7
        ((0.6, 1.0, 1.0), 0.25),  # what comes later does not count
        ((1.0, 0.79), 0.95),  # rounded down to a step of the slider
        ((-3.0,), 0.05),  # never nothing at all
    ],
)
def test_the_range_ends_where_a_fifth_of_the_prompt_is_gone(kept: tuple[float, ...], end: float) -> None:
    assert usable_end(rows(*kept)) == pytest.approx(end)


def test_the_ring_asks_for_all_three_axes_independently() -> None:
    points = np.array([ring_point(index).as_tuple() for index in range(8)])
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(np.corrcoef(points.T), np.eye(3), atol=1e-12)


def test_the_other_prompt_is_never_the_own_one() -> None:
    for prompts in (PROMPTS, PROMPTS[:2], PROMPTS[:3]):
        for count in (4, 16, 32):
            said = [shot.prompt for shot in ring_shots(Plan(pictures=count, prompts=prompts))]
            wrong = other_prompts(said)
            assert all(one != other for one, other in zip(said, wrong, strict=True))
            assert set(wrong) <= set(said)


def test_of_a_slider_only_the_ends_of_its_axis_are_asked_for() -> None:
    points = {shot.emotion.as_tuple() for shot in ring_shots(Plan(pictures=16, axis="arousal"))}
    assert points == {(0, 1, 0), (0, -1, 0)}


def test_pictures_of_nothing_give_no_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "STEPS", 2)
    pipeline = Pipeline.tiny(0)  # random weights: the reader cannot find any prompt in its pictures
    config = Config(rank=2, alpha=2.0, targets={"unet": PRESETS["light"]["unet"]})
    adapter = Adapter.create(pipeline.modules, config)
    found, strip = strength.sweep(pipeline, adapter, EmbeddedReader(), Plan((1.0, 2.0), pictures=16))
    assert len(found.rows) == 1, "more strengths would tell no more"
    assert Sweep.of(json.loads(json.dumps(found.to_dict()))) == found
    assert found.strength_range is None and found.verdict.startswith("no range: picture-reader")
    assert found.rows[0].gain == 0  # a fresh adapter moves nothing
    assert strip.height > 4 * 64
    adapter.save(tmp_path)
    before = (tmp_path / "adapter.json").read_bytes()
    sweep.write_range(tmp_path, found)
    assert (tmp_path / "adapter.json").read_bytes() == before
    sweep.write_range(tmp_path, dataclasses.replace(found, strength_range=(0.0, 1.3)))
    assert Adapter.load(tmp_path).config.strength_range == (0.0, 1.3)


def test_the_command_measures_and_few_pictures_give_no_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTION_STUDIO_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(pictures, "STEPS", 6)
    copy, out = tmp_path / "run" / "adapter", tmp_path / "outputs" / "sweeps" / "run"
    shutil.copytree(SHIPPED, copy)
    assert sweep.main([str(copy), "--pictures", "8", "--strengths", "1"]) == 0
    assert "\n| 1 | 0." in capsys.readouterr().out
    found = json.loads((out / "sweep.json").read_text())
    (row,) = found["rows"]
    assert min(row["valence_r"], row["arousal_r"], row["dominance_r"]) > found["chance_r"]
    assert 0.5 < row["gain"] < 1.5 and found["keeps_bare"] > 0.7 > found["keeps_other"]
    assert found["strength_range"] is None and "8 pictures at each strength are too few" in found["verdict"]
    assert (copy / "adapter.json").read_bytes() == (SHIPPED / "adapter.json").read_bytes()
    with Image.open(out / "sweep.png") as strip:
        assert strip.height > strip.width  # four rows, two columns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vad-imag"], "unknown adapter 'vad-imag'; did you mean 'vad-image'?"),
        (["vad-image", "--out", "{tmp}", "--strengths", "1", "0.5"], "strengths: must rise"),
        (["vad-image", "--out", "{tmp}", "--pictures", "2"], "pictures: needs at least 4, got 2"),
        (["vad-image", "--out", "{tmp}", "--reader", "none"], "--reader: nothing here reads pictures of"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert sweep.main([part.replace("{tmp}", str(tmp_path)) for part in arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_prompts_must_differ() -> None:
    with pytest.raises(InputError, match="needs at least two different ones"):
        Plan(prompts=("a tree",))
