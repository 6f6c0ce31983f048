"""What reads pictures, and what a run shows of itself, on real classes at toy size."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from adapters.emotion_lora import PRESETS, Adapter, Config
from pipelines.image import _toys
from pipelines.image.sd import Pipeline
from studio import catalog
from studio.emotion import VAD
from studio.errors import Cancelled, InputError, ModelError
from studio.ports import Step
from training import config, control, medium, pictures, readers, strength
from training.data import base_samples
from training.embedded.paintings import one
from training.medium import Shot
from training.pictures import Camera, read_prompts, sheet
from training.readers import PHRASES, ClipReader, EmbeddedReader
from training.run import train
from training.synthesis.captions import scene_of
from training.validation import Validator, prompts_of, shots, spread_points


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy CLIP as a folder that transformers saved."""
    folder, tokenizer = tmp_path_factory.mktemp("readers") / "clip", _toys.byte_tokenizer()
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    words = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    clip_config = transformers.CLIPConfig(
        text_config={**size, **words, "bos_token_id": tokenizer.bos_token_id},
        vision_config={**size, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    with _toys.drawn_from(5):
        transformers.CLIPModel(clip_config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is rendered here is noise anyway."""
    monkeypatch.setattr(pictures, "STEPS", 2)


def noise(count: int, size_px: int = 48) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, size_px, size_px, 3), dtype=np.uint8)


def recipe(output: Path, **changed: Any) -> config.Recipe:
    values = {
        "model": "tiny:0",
        "output": str(output),
        "steps": 2,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "validate_every": 1,
        "validation_count": 4,
        "validation_pictures": 5,
        "dataset": {"name": "painter", "count": 9, "size_px": 64},
        "adapter": {"kind": "emotion_lora", "rank": 4, "targets": "light"},
    }
    return config.parse(values | changed)


def test_the_embedded_reader_knows_prompts_and_feelings() -> None:
    painted = [one(index, 40_001, "any") for index in range(40)]
    pictures = np.stack([picture for picture, _ in painted])
    said = [f"a {record['scene'].replace('_', ' ')}" for _, record in painted]
    known = [index for index, text in enumerate(said) if scene_of(text)]
    reading = EmbeddedReader().read(pictures, said)
    asked = np.array([record["vad"] for _, record in painted])
    assert reading.keeps[known].mean() > 0.8 and len(known) > 15
    assert np.corrcoef(asked[:, 0], reading.points[:, 0])[0, 1] > 0.8
    assert EmbeddedReader().read(pictures[:4], ["a quark"] * 4).keeps.tolist() == [0, 0, 0, 0]


def test_a_clip_answers_as_its_own_logits_do(clip: Path) -> None:
    pictures, prompts = noise(3, 32), ["a tree", "a boat", "x" * 400]
    reading = ClipReader.load(str(clip)).read(pictures, prompts)
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(clip)
    mean, deviation = (
        torch.tensor(values).view(3, 1, 1) for values in (readers.OPENAI_CLIP_MEAN, readers.OPENAI_CLIP_STD)
    )
    pixels = (torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255 - mean) / deviation
    pairs = [text for pair in PHRASES["arousal"] for text in pair]
    with torch.no_grad():
        text = tokenizer([*pairs, "a boat"], padding=True, return_tensors="pt")
        logits = model(pixel_values=pixels, **text).logits_per_image
        scale = model.logit_scale.exp()
    high, low = logits[:, 0:6:2], logits[:, 1:6:2]
    expected = torch.tanh((high - low) / 2).mean(1)
    np.testing.assert_allclose(reading.points[:, 1], expected, atol=1e-5)
    np.testing.assert_allclose(reading.keeps[1], logits[1, 6] / scale, atol=1e-5)


def test_a_recipe_names_its_reader(tmp_path: Path, clip: Path) -> None:
    reader = medium.of("image/sd").reader
    assert reader("", "tiny:0") is None  # nothing reads pictures of random weights
    assert isinstance(reader("", "emotion-tiny"), EmbeddedReader)
    assert reader("none", "emotion-tiny") is None
    found = reader(str(clip), "tiny:0")
    assert isinstance(found, ClipReader) and found.name == str(clip)


def test_a_reader_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="reader: 'picture reader' is neither 'picture-reader', 'none'"):
        readers.named("picture reader")
    torch.save({"a": torch.ones(1)}, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(ModelError, match="cannot be loaded as a CLIP"):
        readers.named(str(tmp_path))


@pytest.mark.parametrize("count", [4, 32, 33])
def test_what_is_asked_is_spread_evenly_and_always_the_same(count: int) -> None:
    points = spread_points(count)
    for axis in points.T:
        np.testing.assert_allclose(np.diff(np.sort(axis)), 2 / count)
    assert (points == spread_points(count)).all()
    asked = shots(["one", "two", "three"], count)
    assert len({shot.seed for shot in asked}) == count and {s.prompt for s in asked} == {
        "one",
        "two",
        "three",
    }


def test_a_slider_is_asked_along_its_axis_and_labels_in_turn() -> None:
    slid = [shot.emotion for shot in shots(["one", "two"], 8, axis="dominance")]
    assert {(point.valence, point.arousal) for point in slid} == {(0, 0)}
    np.testing.assert_allclose(np.diff(sorted(point.dominance for point in slid)), 0.25)
    means = [VAD(0.5, 0, 0), VAD(0, 0.5, 0)]
    asked = shots(["one", "two"], 8, means=means)
    assert [shot.emotion for shot in asked] == means * 4
    assert {(shot.prompt, shot.emotion) for shot in asked} == {(p, m) for p in ("one", "two") for m in means}


def test_the_grid_of_a_slider_goes_along_its_axis(tmp_path: Path) -> None:
    slider = {"axis": "dominance", "positive": "bold", "negative": "faint"}
    axes = {"kind": "emotion_lora", "rank": 1, "targets": "light", "basis": "axes"}
    asked = recipe(tmp_path, adapter=axes, slider=slider)
    pipeline = Pipeline.tiny(0)
    adapter = Adapter.create(pipeline.modules, asked.adapter.config)
    with torch.no_grad():
        for name, weight in adapter.weights.items():
            weight.add_(1.0 if name.endswith("lora_B.weight") else 0.0)
    with adapter.trainable(pipeline.modules) as set_emotion, torch.no_grad():
        Validator(asked, pipeline, None).show(1, set_emotion)
    with Image.open(tmp_path / "grids" / "step-00000001.png") as grid:
        tiles = np.asarray(grid.convert("RGB"))[40 : 40 + 5 * 68, 58 : 58 + 5 * 68].astype(int)
    first, *_, last = (tiles[:64, x : x + 64] for x in range(0, 340, 68))
    assert np.abs(first - last).mean() > 1


def test_labels_are_counted_beside_chance_and_the_most_frequent(tmp_path: Path, clip: Path) -> None:
    labels = {"kind": "emotion_lora", "rank": 1, "targets": "light", "basis": "labels", "labels": "mikels"}
    asked = recipe(tmp_path, adapter=labels, validation_pictures=16)
    pipeline = Pipeline.tiny(0)
    adapter = Adapter.create(pipeline.modules, asked.adapter.config)
    validator = Validator(asked, pipeline, ClipReader.load(str(clip)))
    with adapter.trainable(pipeline.modules) as set_emotion, torch.no_grad():
        figures = validator.show(1, set_emotion)
    assert figures["control_label_labels_asked"] == 8 and figures["control_label_majority"] == 1 / 8
    assert not figures["control_label_works"], "a fresh adapter does nothing"
    assert "not shown to follow" in control.label_sentence(figures)
    assert "control_valence_r" in figures


def test_showing_draws_a_grid_and_leaves_the_training_alone(tmp_path: Path, clip: Path) -> None:
    pipeline = Pipeline.tiny(0)
    targets = PRESETS["light"]
    adapter = Adapter.create(pipeline.modules, Config(rank=2, alpha=2.0, targets={"unet": targets["unet"]}))
    with torch.no_grad():
        for name, weight in adapter.weights.items():
            weight.add_(1.0 if name.endswith("lora_B.weight") else 0.0)
    validator = Validator(recipe(tmp_path), pipeline, ClipReader.load(str(clip)))
    with adapter.trainable(pipeline.modules) as set_emotion, torch.no_grad():
        state = torch.random.get_rng_state()
        figures = validator.show(7, set_emotion)
        assert (torch.random.get_rng_state() == state).all()
        first = (tmp_path / "grids" / "step-00000007.png").read_bytes()
        again = validator.show(7, set_emotion)
    assert (tmp_path / "grids" / "step-00000007.png").read_bytes() == first
    seconds = figures.pop("picture_seconds"), again.pop("picture_seconds")
    assert min(seconds) > 0 and figures == again
    assert {"control_valence_r", "control_arousal_chance_r", "control_prompt"} <= figures.keys()
    with Image.open(tmp_path / "grids" / "step-00000007.png") as grid:
        tiles = np.asarray(grid.convert("RGB"))[40 : 40 + 5 * 68, 58 : 58 + 5 * 68]
    corners = [tiles[y : y + 64, x : x + 64].astype(int) for y in (0, 272) for x in (0, 272)]
    assert np.abs(corners[0] - corners[3]).mean() > 1  # the feeling shows


def test_a_camera_renders_bare_and_in_parts_alike() -> None:
    pipeline = Pipeline.tiny(0)
    asked = [Shot("a tree", seed, VAD(0.5, 0, 0)) for seed in (1, 2, 3)]
    whole, parts = Camera(pipeline).take(asked), Camera(pipeline, rows=2).take(asked)
    assert whole.shape == (3, 64, 64, 3) and np.abs(whole.astype(int) - parts).max() <= 2


# diffusers 0.42 hands tensors to numpy 2 in the old way
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("family", [name for name in catalog.names("pipeline") if name.startswith("image/")])
def test_a_camera_takes_few_steps_with_every_family(family: str) -> None:
    """Also where the family leaves the number of steps to the model."""
    seen: list[Step] = []
    camera = Camera(catalog.load("pipeline", family).Pipeline.tiny(0), on_step=seen.append)
    assert camera.take([Shot("a tree", 1)]).shape == (1, 64, 64, 3)
    assert [(step.done, step.total) for step in seen] == [(1, 2), (2, 2)]


def test_a_sheet_has_a_place_for_every_picture() -> None:
    made = sheet(noise(6), ["a", "b", "c"], ["1", "2"], "title", ("across", "down"))
    assert made.width > 3 * 48 and made.height > 2 * 48
    with pytest.raises(ValueError, match="6 pictures for 2 x 2 places"):
        sheet(noise(6), ["a", "b"], ["1", "2"], "title", ("across", "down"))


def test_prompts_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("# mine\na red fox\n\na red fox\n  a blue door \n", "utf-8")
    work = recipe(tmp_path / "run", validation_prompts=str(file))
    assert prompts_of(work) == ("a red fox", "a blue door")
    samples = base_samples.Dataset(model="tiny:0", prompts=str(file))
    assert samples.description["prompts"] == ["a red fox", "a red fox", "a blue door"]
    file.write_text("a red fox\n", "utf-8")
    with pytest.raises(InputError, match=r"validation_prompts: .* needs at least 2 prompts, has 1"):
        prompts_of(work)
    file.write_text("# none yet\n", "utf-8")
    with pytest.raises(InputError, match=r"dataset\.prompts: .* has no lines"):
        _ = base_samples.Dataset(model="tiny:0", prompts=str(file)).description
    file.write_bytes(b"a \xff fox")
    with pytest.raises(InputError, match=r"dataset\.prompts: cannot read .* not UTF-8"):
        read_prompts(str(file), "dataset.prompts")
    with pytest.raises(InputError, match=r"validation_prompts: cannot read .*No such file"):
        read_prompts(str(tmp_path / "none.txt"), "validation_prompts")


def test_a_run_leaves_grids_figures_sweep_range_card_and_report(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    run = tmp_path / "run"
    train(recipe(run, reader=str(clip), validate_every=2))
    assert [path.name for path in (run / "grids").iterdir()] == ["step-00000002.png"]
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 2 and last["picture_seconds"] > 0 and -1 <= last["control_valence_r"] <= 1
    swept = json.loads((run / "sweep.json").read_text())
    assert [row["strength"] for row in swept["rows"]] == [0.25], "noise has no prompt that could be kept"
    in_adapter = json.loads((run / "adapter" / "adapter.json").read_text())["strength_range"]
    assert in_adapter == (swept["strength_range"] or [0, 1])
    card = (run / "adapter" / "README.md").read_text("utf-8")
    for part in ("Data", "Recipe", "Validation", "Quality", "Limits", "Licence"):
        assert f"\n## {part}\n" in card
    assert f"{last['control_valence_r']:.3f}" in card and f"`{clip}`" in card
    page = (run / "report.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 2 and "Strength" in page and "<script" not in page


def test_a_run_stopped_while_measuring_strengths_is_whole_and_does_only_that_again(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    run, measure = tmp_path / "run", strength.sweep
    asked = recipe(run, reader=str(clip), validate_every=2)

    def interrupted(*given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return measure(*given)

    with monkeypatch.context() as patched, pytest.raises(Cancelled, match="the adapter is whole"):
        patched.setattr(strength, "sweep", interrupted)
        train(asked)
    weights, lines = (run / "adapter" / "adapter.safetensors").read_bytes(), (run / "log.jsonl").read_bytes()
    assert not (run / "sweep.json").exists() and (run / "adapter" / "README.md").is_file()
    train(asked)
    swept = (run / "sweep.json").stat().st_mtime_ns
    assert (run / "log.jsonl").read_bytes() == lines, "no step and no validation is done again"
    train(asked)
    assert (run / "sweep.json").stat().st_mtime_ns == swept, "what is measured stays measured"
    assert (run / "adapter" / "adapter.safetensors").read_bytes() == weights
    assert "At rising strengths" in (run / "adapter" / "README.md").read_text("utf-8")


def test_a_run_without_pictures_says_what_was_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    run = tmp_path / "run"
    train(recipe(run, validation_pictures=0))
    assert not (run / "grids").exists() and not (run / "sweep.json").exists()
    card = (run / "adapter" / "README.md").read_text("utf-8")
    assert "loss on held-out examples" in card and "Not measured: no reader" in card
    assert "Its usable strengths were not measured." in card
    assert "Correlation" not in (run / "report.html").read_text("utf-8")
