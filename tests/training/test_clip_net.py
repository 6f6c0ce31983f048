"""The training of the embedded video model: what it starts from, what it keeps, what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import MotionAdapter, StableDiffusionPipeline
from torch import Tensor

from training.embedded import clip_net, clip_set
from training.embedded._fit import Plan


@pytest.fixture(scope="module")
def model() -> Any:
    return StableDiffusionPipeline.from_pretrained(clip_net.BASE, dtype=torch.float32, safety_checker=None)


@pytest.fixture(scope="module")
def clips(model: Any, tmp_path_factory: pytest.TempPathFactory) -> clip_set.Clips:
    return clip_set.clips(tmp_path_factory.mktemp("clips"), clip_set.Wanted(2), model)


def frames_of(net: Any, noisy: Tensor, text: Tensor) -> Tensor:
    with torch.no_grad():
        words = text.repeat_interleave(noisy.shape[1], 0)
        return net(noisy.transpose(1, 2), torch.tensor([500]), words).sample.transpose(1, 2)


def test_an_untrained_model_paints_every_frame_as_the_picture_model_does(model: Any) -> None:
    net = clip_net.new(model.unet, 0).eval()
    noisy, text = torch.randn(1, 3, 12, 16, 16), clip_set.told(model, ["a lighthouse"]).detach()
    with torch.no_grad():
        plain = model.unet(noisy[0], 500, text.expand(3, -1, -1)).sample
    assert torch.allclose(frames_of(net, noisy, text)[0], plain, atol=1e-4)


def test_a_set_is_filmed_once_and_the_same_again(model: Any, clips: clip_set.Clips, tmp_path: Path) -> None:
    again = clip_set.clips(tmp_path, clip_set.Wanted(2), model)
    assert all(torch.equal(one, other) for one, other in zip(clips, again, strict=True))
    assert clips.latents.shape == (2, clip_set.FRAMES, 12, 16, 16) and clips.moods.abs().max() <= 1
    assert 0.7 < float(clips.latents.float().std()) < 1.4
    made = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    clip_set.clips(tmp_path, clip_set.Wanted(2), model)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == made


def test_clips_of_another_seed_law_painter_or_number_are_filmed_anew(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = np.zeros((clip_set.FRAMES, 16, 16, 3), np.uint8), [(0.0, 0.0, 0.0)] * clip_set.FRAMES, "a lake"
    filmed: list[tuple[int, clip_set.Wanted]] = []
    monkeypatch.setattr(clip_set, "one", lambda *asked: filmed.append(asked) or blank)
    others = (clip_set.Wanted(1, seed=1), clip_set.Wanted(1, law="any"), clip_set.Wanted(2))
    for number, asked in enumerate((clip_set.Wanted(1), clip_set.Wanted(1), *others), start=1):
        assert len(clip_set.clips(tmp_path, asked, model).latents) == asked.count, number
    assert [asked for _, asked in filmed] == [clip_set.Wanted(1), *others[:2], *others[2:] * 2]
    monkeypatch.setattr(clip_set.painted, "revision", lambda: "another painter")
    clip_set.clips(tmp_path, clip_set.Wanted(1), model)
    assert filmed[-1] == (0, clip_set.Wanted(1))


def test_feelings_turn_in_some_clips_and_hold_in_others() -> None:
    moved = [np.ptp(clip_set.moods_of(np.random.default_rng(i), "any"), axis=0).max() for i in range(60)]
    turning = np.mean(np.array(moved) > 0)
    assert 0.2 < turning < 0.6 and max(moved) > 0.5


def test_only_motion_is_learnt_and_plain_diffusers_loads_it(
    model: Any, clips: clip_set.Clips, tmp_path: Path
) -> None:
    net = clip_net.new(model.unet, 0)
    before = {name: weight.clone() for name, weight in net.state_dict().items()}
    empty = clip_set.told(model, [""])[0].detach()
    clip_net.train(net, clips, empty, tmp_path / "network", 0, Plan(2, 1e-3, warmup_steps=1))
    changed = {name for name, weight in net.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed and all("motion_modules" in name for name in changed)
    clip_net.save(net, model.unet, tmp_path / "saved")
    written = MotionAdapter.from_pretrained(tmp_path / "saved", dtype=torch.float32).state_dict()
    own = net.state_dict()
    assert all(torch.allclose(weight, own[name], atol=1e-3) for name, weight in written.items())
