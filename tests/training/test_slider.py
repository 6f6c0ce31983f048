"""A slider learnt from words: its recipe, its targets, and that both ends move on real networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adapters.emotion_lora import Adapter, Config
from studio import catalog
from studio.emotion import NEUTRAL, VAD
from studio.errors import InputError
from studio.ports import Example
from training import config, log, slider_recipe
from training.data import base_samples
from training.run import train
from training.slider import POLE, Lesson, like

UP, DOWN = VAD(arousal=1.0), VAD(arousal=-1.0)
WORDS = {"positive": "vivid colour, bold strokes", "negative": "pale, smooth", "attributes": ["the sea"]}
FAMILIES = [name for name in catalog.names("pipeline") if name.startswith("image/")]


@pytest.fixture(autouse=True)
def one_quiet_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


def recipe(output: Path, **changed: Any) -> config.Recipe:
    values: dict[str, Any] = {
        "model": "tiny:0",
        "output": str(output / "run"),
        "steps": 2,
        "batch_size": 2,
        "learning_rate": 1e-2,
        "ema_decay": 0.5,
        "validate_every": 2,
        "validation_count": 2,
        "validation_pictures": 0,
        "slider": WORDS,
        "dataset": {"name": "base_samples", "model": "tiny:0", "count": 6, "folder": str(output / "base")},
        "adapter": {"kind": "emotion_lora", "basis": "axes", "rank": 2, "targets": "light"},
    }
    return config.parse(values | changed)


# --- the recipe -------------------------------------------------------------------------------------------


def test_a_recipe_with_a_slider_is_written_and_read_back(tmp_path: Path) -> None:
    written = recipe(tmp_path, slider=WORDS | {"axis": "valence", "guidance": 2, "anchor": "a tree"})
    (tmp_path / "recipe.toml").write_text(written.to_toml(), "utf-8")
    assert config.read(tmp_path / "recipe.toml") == written
    assert written.slider and written.slider.pole == VAD(valence=1.0)
    assert written.slider.prompts("bold strokes") == ("the sea, bold strokes",)
    assert written.weight_fields()["slider.guidance"] == 2.0
    assert "slider" not in config.parse({**written.to_dict(), "slider": WORDS}).to_dict()["dataset"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"guidance_scale": 4}, r"unknown key 'guidance_scale' in \[slider\]; did you mean 'guidance'"),
        ({"axis": "arousel"}, r"slider\.axis: .*did you mean 'arousal'"),
        ({"guidance": 0}, r"slider\.guidance: must be in \[0\.1, 30\]"),
        ({"positive": " "}, r"slider\.positive: needs words"),
        ({"negative": WORDS["positive"]}, r"slider\.negative: is the same as positive"),
        ({"attributes": "the sea"}, r"slider\.attributes: expected a list of words"),
    ],
)
def test_wrong_values_of_a_slider_are_named(changed: Mapping[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        slider_recipe.parse({**WORDS, **changed})


@pytest.mark.parametrize("name", ["emotion_dropout", "caption_dropout", "snr_gamma"])
def test_what_a_slider_would_ignore_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: has no effect on a slider"):
        recipe(tmp_path, **{name: 0.5})


def test_a_slider_needs_a_block_per_axis(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="block per axis, got 'vad'; did you mean 'axes'"):
        recipe(tmp_path, adapter={"kind": "emotion_lora"})


def test_the_example_uses_words_that_the_embedded_model_knows() -> None:
    from training.synthesis.captions import WORDS as KNOWN

    path = Path(config.__file__).parent / "recipes" / "slider-arousal.toml"
    slider = config.read(path).slider
    assert slider and slider.axis == "arousal"
    said = " ".join((*slider.prompts(slider.positive), *slider.prompts(slider.negative)))
    assert set(said.replace(",", " ").split()) <= set(KNOWN)


# --- the targets ------------------------------------------------------------------------------------------


def test_targets_keep_the_mean_and_spread_of_the_neutral_answer() -> None:
    generator = torch.Generator().manual_seed(0)
    pattern = torch.randn(3, 4, 8, 8, generator=generator) * 2 + 1
    moved = like(pattern * 5 + 7 + torch.randn(pattern.shape, generator=generator), pattern)
    assert torch.allclose(moved.mean(dim=(1, 2, 3)), pattern.mean(dim=(1, 2, 3)), atol=1e-4)
    assert torch.allclose(moved.std(dim=(1, 2, 3)), pattern.std(dim=(1, 2, 3)), atol=1e-4)
    assert torch.allclose(like(pattern, pattern), pattern, atol=1e-5)
    assert like(torch.zeros(1, 4), torch.zeros(1, 4)).isfinite().all()


class Scene:
    """A family at toy size with rows of its own, an adapter, and the answers of base and adapter."""

    def __init__(self, family: str, **words: Any) -> None:
        torch.manual_seed(0)
        self.pipeline = catalog.load("pipeline", family).Pipeline.tiny(0)
        self.slider = slider_recipe.parse(WORDS | words)
        self.phrases = self.slider.positive, self.slider.negative
        self.lesson = Lesson(self.slider, self.pipeline)
        module = "unet" if "unet" in self.pipeline.modules else "transformer"
        targets = {module: r".*\.(to_q|to_k|to_v|to_out\.0)"}
        made_for = Config(basis="axes", rank=4, alpha=4.0, targets=targets)
        self.adapter = Adapter.create(self.pipeline.modules, made_for)
        self.examples = self.pipeline.prepare([Example(noise(seed), "a tree", None, {}) for seed in (1, 2)])
        self.tensors = {**self.examples, POLE: torch.tensor([1.0, -1.0])}

    def loss(self, feel: Any, emotions: tuple[VAD, ...] = (UP, DOWN), seed: int = 3) -> Tensor:
        return self.lesson.loss(self.tensors, emotions, feel, torch.Generator().manual_seed(seed))

    def value(self, feel: Any, emotions: tuple[VAD, ...] = (UP, DOWN), seed: int = 3) -> float:
        with torch.no_grad():
            return float(self.loss(feel, emotions, seed))

    def answers(self, feel: Any, words: str, felt: VAD) -> Tensor:
        text = self.pipeline.prepare_text([words] * 2)
        draws = torch.Generator().manual_seed(5)
        with torch.no_grad():
            return self.pipeline.predict({**self.examples, **text}, [felt] * 2, feel, draws)[0].float()


def noise(seed: int) -> Any:
    from PIL import Image

    pixels = torch.randint(0, 255, (64, 64, 3), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(pixels.to(torch.uint8).numpy())


@pytest.mark.parametrize("family", FAMILIES)
def test_both_ends_move_to_their_targets_and_the_other_axes_stay(family: str) -> None:
    scene = Scene(family)
    adam = torch.optim.Adam(scene.adapter.parameters(), lr=5e-3)
    with scene.adapter.trainable(scene.pipeline.modules) as feel:
        losses = []
        for step in range(6):
            adam.zero_grad()
            loss = scene.loss(feel, seed=step % 2)
            loss.backward()
            adam.step()
            losses.append(float(loss.detach()))
        before = scene.value(feel, (NEUTRAL, NEUTRAL), 0)
        swapped = scene.value(feel, (DOWN, UP), 0)
        middle = scene.answers(feel, "the sea", NEUTRAL)
        upper, lower = (scene.answers(feel, f"the sea, {words}", NEUTRAL) for words in scene.phrases)
        up, down = (scene.answers(feel, "the sea", felt) for felt in (UP, DOWN))
        other = scene.answers(feel, "the sea", VAD(valence=1.0, dominance=-1.0))
    assert losses[-2] < 0.95 * losses[0] and losses[-1] < 0.95 * losses[1]
    assert losses[-2] < before < swapped, "the base lies between the right ends and the swapped ones"
    direction = upper - lower
    assert float(((up - middle) * direction).sum()) > 0 > float(((down - middle) * direction).sum())
    assert torch.equal(other, middle)


def test_recomputing_activations_gives_the_same_gradients() -> None:
    scene = Scene("image/sd", anchor="a tree")
    unet = scene.pipeline.modules["unet"]
    with scene.adapter.trainable(scene.pipeline.modules) as feel:
        with torch.no_grad():
            for name, weight in scene.adapter.weights.items():
                if "lora_B" in name:
                    weight.fill_(0.01)
        wanted = torch.autograd.grad(scene.loss(feel), scene.adapter.parameters())
        unet.enable_gradient_checkpointing()
        found = torch.autograd.grad(scene.loss(feel), scene.adapter.parameters())
    assert any(gradient.abs().max() > 0 for gradient in wanted)
    assert all(torch.allclose(one, other, atol=1e-7) for one, other in zip(found, wanted, strict=True))


def test_an_anchor_counts_only_what_the_adapter_changes() -> None:
    losses = []
    for words in ({}, {"anchor": "a tree", "anchor_strength": 2.0}):
        scene = Scene("image/sd", **words)
        with scene.adapter.trainable(scene.pipeline.modules) as feel:
            fresh = scene.value(feel)
            with torch.no_grad():
                for weight in scene.adapter.weights.values():
                    weight.add_(0.05)
            losses.append((fresh, scene.value(feel)))
    (fresh, changed), (anchored_fresh, anchored_changed) = losses
    assert fresh == anchored_fresh, "a fresh adapter changes nothing, so there is nothing to hold"
    assert anchored_changed > changed


def test_words_that_the_model_does_not_tell_apart_are_refused() -> None:
    pipeline = catalog.load("pipeline", "image/sd").Pipeline.tiny(0)
    same = slider_recipe.Slider(positive="bold", negative="BOLD")  # CLIP reads capitals as small letters
    with pytest.raises(InputError, match="reads the positive and the negative words alike"):
        Lesson(same, pipeline)


# --- a whole run ------------------------------------------------------------------------------------------


def test_a_slider_is_trained_on_pictures_that_the_model_renders_itself(tmp_path: Path) -> None:
    work = recipe(tmp_path)
    adapter = Adapter.load(train(work))
    moved = {name.split(".")[-1] for name, tensor in adapter.state_dict().items() if tensor.abs().max() > 0}
    assert "gate" in moved and any(
        tensor.abs().max() > 0 for name, tensor in adapter.state_dict().items() if "lora_B" in name
    )
    figures = next(line for line in log.read(tmp_path / "run") if "validation_loss" in line)
    assert figures["validation_loss"] != figures["validation_loss_base"]
    files = sorted((tmp_path / "base").rglob("*.png"))
    assert len(files) == 6
    times = [path.stat().st_mtime_ns for path in files]
    options = work.dataset.options
    again = base_samples.Dataset(**options)
    assert [example.emotion.vad for example in again] == [NEUTRAL] * 6
    assert again[0].prompt != again[1].prompt and again[0].media.dtype.name == "uint8"
    assert [path.stat().st_mtime_ns for path in files] == times, "kept, not rendered again"
    assert base_samples.Dataset(**{**options, "seed": 1}).description != again.description
