"""Clips in training: what they are cut to, how they are shown and read, a run from data to adapter."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from adapters.emotion_lora import Adapter
from pipelines.video._timing import FrameRule
from pipelines.video.animatediff import Pipeline
from studio import catalog, video_files
from studio.emotion import NEUTRAL, VAD, Emotion
from studio.errors import Cancelled, InputError
from studio.ports import Example
from tests.training import moving
from tests.training.small_runs import one_quiet_cpu, weights  # noqa: F401
from training import cache, checkpoint, config, filmed, frame_buckets, log, medium, validation
from training.data._clips import Window
from training.data.clips import Dataset as Clips
from training.data.moving import Dataset as Moving
from training.medium import Shot
from training.readers import EmbeddedReader
from training.run import train

ANY, WAN = FrameRule(1, 64), FrameRule(4, 81)
MOODS = tuple(VAD(index / 40) for index in range(16))


def example(frames: int = 16, size: tuple[int, int] = (40, 32), felt: Any = None) -> Example:
    """Frames that say which one they are; the middle half of each is white."""
    pixels = np.zeros((frames, size[1], size[0], 3), np.uint8)
    pixels += np.arange(frames, dtype=np.uint8)[:, None, None, None]
    pixels[:, :, size[0] // 4 : -size[0] // 4] = 255
    return Example(pixels, "a thing", Emotion(NEUTRAL), {} if felt is None else {"bars": felt})


@pytest.mark.parametrize(
    ("longest", "rule", "expected"),
    [
        (16, ANY, (16, 12, 8, 4)),
        (49, WAN, (49, 33, 21, 9)),
        (200, WAN, (81, 49)),
        (3, WAN, (1,)),
        (1, ANY, (1,)),
    ],
)
def test_lengths_are_what_the_rule_allows(longest: int, rule: FrameRule, expected: tuple[int, ...]) -> None:
    assert frame_buckets.lengths(longest, rule) == expected


@pytest.mark.parametrize(
    ("frames", "rule", "expected"), [(16, ANY, 16), (14, ANY, 12), (3, ANY, 3), (16, WAN, 13), (8, WAN, 5)]
)
def test_a_clip_and_its_feelings_are_cut_to_one_length(frames: int, rule: FrameRule, expected: int) -> None:
    lengths = frame_buckets.lengths(16, rule)
    found, size = frame_buckets.cut(example(frames, felt=MOODS[:frames]), [(32, 32), (64, 32)], lengths, rule)
    assert size == (32, 32, expected) and found.media.shape == (expected, 32, 32, 3)
    assert found.attributes["bars"] == MOODS[:expected]
    assert [int(frame[16, 1].max()) for frame in found.media] == list(range(expected)), "from the first on"
    wide, size = frame_buckets.cut(example(frames, (128, 64)), [(32, 32), (64, 32)], lengths, rule)
    assert size == (64, 32, expected) and "bars" not in wide.attributes
    middle = found.media[0, 16] > 128
    assert middle[:, 0].tolist() == [6 <= x < 26 for x in range(32)], "cut around the middle, not squeezed"


def test_windows_and_still_pictures_are_clips_too() -> None:
    plain, window = example(), Window(example().media, 8.0)
    cut = partial(frame_buckets.cut, among=[(16, 16)], lengths=(16,), rule=ANY)
    as_window = cut(Example(window, "a thing", Emotion(NEUTRAL), {}))[0]
    assert np.array_equal(as_window.media, cut(plain)[0].media)
    still, size = cut(Example(plain.media[0], "a thing", Emotion(NEUTRAL), {}))
    assert size == (16, 16, 1) and still.media.shape == (1, 16, 16, 3)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (example(16, felt=MOODS[:9]), "frames: 9 feelings for 16 frames; did you mean '16'"),
        (Example(np.zeros((4, 8, 8, 3)), "", Emotion(NEUTRAL), {}), "of uint8, got .* of float64"),
        (Example(np.zeros((4, 8), np.uint8), "", Emotion(NEUTRAL), {}), r"must be \(frames, height"),
        (Example("clip.mp4", "", Emotion(NEUTRAL), {}), r"must be \(frames, height"),
    ],
)
def test_what_is_no_clip_is_refused(broken: Example, message: str) -> None:
    with pytest.raises(InputError, match=message):
        frame_buckets.cut(broken, [(16, 16)], (16,), ANY)


def test_a_short_clip_of_a_folder_gives_what_it_has(tmp_path: Path) -> None:
    moving.clip(tmp_path / "long.mp4", 2.0)
    moving.clip(tmp_path / "short.mp4", 0.75)
    rows = [{"file_name": f"{name}.mp4", "text": name, "emotion": "joy"} for name in ("long", "short")]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = {"root": str(tmp_path), "frames": 16, "rate_hz": 16.0, "size_px": 32}
    found = Clips(**options, least=8)
    assert [len(one.media) for one in found] == [16, 12]
    assert [moving.number(frame) for frame in found[1].media.frames] == list(range(12))
    with pytest.raises(InputError, match=r"short\.mp4 lasts 0\.75 s; 13 frames at 16 Hz take 0\.81 s"):
        Clips(**options, least=13)[1]
    with pytest.raises(InputError, match=r"short\.mp4 lasts 0\.75 s; 16 frames at 16 Hz take 1\.00 s"):
        Clips(**options)[1]
    with pytest.raises(InputError, match=r"dataset\.least: must not exceed frames \(16\), got 17"):
        Clips(**options, least=17)


def test_a_clip_is_read_by_its_frames_and_by_how_it_moves() -> None:
    looks = medium.of("video/any")
    painted = [one.media for one in Moving(count=2, frames=3, changing=0.0)]
    made = np.stack([*painted, np.repeat(painted[0][:1], 3, axis=0)])
    reader = looks.reader("picture-reader", "")
    assert reader and reader.name == "picture-reader"
    said = ["a lighthouse by the sea"] * 3
    found = reader.read(made, said)
    of_frames = EmbeddedReader().read(made[1], said[:1] * 3)
    np.testing.assert_allclose(found.points[1], of_frames.points.mean(axis=0), atol=1e-5)
    assert found.keeps[1] == pytest.approx(of_frames.keeps.mean())
    assert found.motion is not None and found.motion[2] == 0 < found.motion[:2].min()
    assert looks.reader("", "some/model") is None and looks.reader("", "emotion-tiny") is not None
    assert filmed.motion(np.array([[[[0] * 3]], [[[255] * 3]]], np.uint8)) == 1.0


def test_a_clip_is_shown_as_a_row_of_frames_and_kept_as_a_file(tmp_path: Path) -> None:
    made = [example(8, (64, 64)).media, example(8, (64, 64)).media[::-1]]
    looks = medium.of("video/any")
    assert filmed.strip(made[0]).shape == (64, filmed.SHOWN * 64, 3)
    page = looks.sheet(made, ["a", "b"], ["1"], "title", ("across", "down"))
    assert page.width > 2 * filmed.SHOWN * 64, "large enough for every frame to be seen"
    files = looks.files(made, ["one", "two"])
    assert list(files) == ["one.mp4", "two.mp4"]
    (tmp_path / "one.mp4").write_bytes(files["one.mp4"])
    assert video_files.probe(tmp_path / "one.mp4").frames == 8
    with pytest.raises(ValueError, match="2 pictures for 1 x 1 places"):
        looks.sheet(made, ["a"], ["1"], "title", ("across", "down"))


def test_a_camera_films_short_clips_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filmed, "STEPS", 2)
    pipeline = Pipeline.tiny(0)
    camera = medium.of("video/animatediff").camera(pipeline, 2, lambda step: None)
    made = camera.take([Shot(f"thing {seed}", seed) for seed in (1, 2, 1, 2)])
    width, height = pipeline.native_size
    assert made.shape == (4, filmed.FRAMES, height, width, 3) and made.dtype == np.uint8
    assert np.array_equal(made[0], made[2]) and not np.array_equal(made[0], made[1])
    felt: list[Any] = []
    camera.take([Shot("a thing", 1, VAD(0.5))], felt.append)
    assert len(felt[0][-1]) == filmed.FRAMES and felt[0][-1][0] == VAD(0.5), "one feeling a frame"


def test_prepared_clips_are_kept_by_length(tmp_path: Path) -> None:
    pipeline = Pipeline.tiny(0)
    width, height = pipeline.native_size
    examples = [example(count, (width, height), MOODS[:count]) for count in (16, 8, 16, 9)]
    fit = partial(
        frame_buckets.cut, among=[(width, height)], lengths=frame_buckets.lengths(16, ANY), rule=ANY
    )
    source = cache.Source(examples, pipeline.prepare, fit, pipeline.prepare_text)
    cache.fill(tmp_path, source)
    assert cache.finish(tmp_path, source) == []
    kept = cache.Cache(tmp_path)
    assert kept.sizes == [f"{width}x{height}x{count}" for count in (16, 8, 16, 8)]
    tensors, emotions = kept.rows([1, 3])
    assert tensors["latents"].shape[:2] == (2, 8) and tensors["latents"].ndim == 5
    assert emotions == [MOODS[:8]] * 2
    assert torch.equal(kept.rows([0])[0]["latents"], kept.rows([2])[0]["latents"])


def recipe(output: Path, **changed: Any) -> config.Recipe:
    """Everything that is drawn at random is on; both kinds of layers learn."""
    values: dict[str, Any] = {
        "pipeline": "video/animatediff", "model": "tiny:0", "output": str(output),
        "steps": 4, "batch_size": 2, "learning_rate": 2e-2, "schedule": "constant", "ema_decay": 0.5,
        "emotion_dropout": 0.2, "caption_dropout": 0.2, "checkpoint_every": 2, "log_every": 1,
        "validation_pictures": 0,
        "dataset": {"name": "moving", "count": 6, "frames": 4, "size_px": 32},
        "adapter": {"kind": "emotion_lora", "rank": 4, "targets": targets("vad-video")},
    }  # fmt: skip
    return config.parse(values | changed)


def targets(name: str) -> Any:
    """Of a recipe that is shipped."""
    return config.read(Path(config.__file__).parent / "recipes" / f"{name}.toml").adapter.config.targets


def test_a_stopped_run_resumed_equals_an_uninterrupted_one_and_has_learnt(tmp_path: Path) -> None:
    train(recipe(tmp_path / "whole"))

    def stop(done: int, _loss: float) -> None:
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        train(recipe(tmp_path / "stopped"), stop)
    newest = checkpoint.latest(tmp_path / "stopped" / "checkpoints")
    assert newest is not None and newest.name == "step-00000002"
    train(recipe(tmp_path / "stopped"))
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")


def test_a_run_lowers_the_loss_and_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filmed, "FRAMES", 2)
    monkeypatch.setattr(filmed, "STEPS", 1)
    monkeypatch.setattr(validation, "TICKS", (-0.8, 0.8))
    shown = {"validate_every": 20, "validation_count": 2, "validation_pictures": 4, "checkpoint_every": 20}
    train(recipe(tmp_path, steps=20, emotion_dropout=0.0, reader="picture-reader", **shown))
    lines = log.read(tmp_path)
    last = lines[-1]
    assert last["validation_loss"] < last["validation_loss_base"]
    assert {"control_valence_r", "control_motion_arousal_r", "control_prompt"} <= set(last)
    assert "move goes with arousal by r =" in (tmp_path / "report.html").read_text("utf-8")
    with Image.open(tmp_path / "grids" / "step-00000020.png") as page:
        assert page.width > page.height
    assert len(list((tmp_path / "grids" / "step-00000020").glob("*.mp4"))) == 4


def test_wan_learns_by_the_same_recipe(tmp_path: Path) -> None:
    """Of 6 frames 5 are what its autoencoder takes; the layers are those that the published recipe names."""
    adapter = {"kind": "emotion_lora", "rank": 2, "targets": targets("emovid-wan")}
    data = {"name": "moving", "count": 4, "frames": 6, "size_px": 32}
    changed = {"pipeline": "video/wan", "steps": 3, "adapter": adapter, "dataset": data}
    found = Adapter.load(train(recipe(tmp_path, **changed)))
    kinds = {name.split(".", 3)[-1] for name in found.layers}
    attention = {f"attn{one}.{part}" for one in (1, 2) for part in ("to_q", "to_k", "to_v", "to_out.0")}
    assert kinds == attention | {"ffn.net.0.proj", "ffn.net.2"}
    losses = [line["loss"] for line in log.read(tmp_path)]
    assert len(losses) == 3 and np.isfinite(losses).all()
    assert catalog.adapter_card(str(tmp_path / "adapter"))["pipeline"] == "video/wan"
    (folder,) = (tmp_path / "cache").iterdir()
    assert {size.rsplit("x", 1)[1] for size in cache.Cache(folder).sizes} == {"5"}
