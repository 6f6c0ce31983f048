"""What a recipe switches on has its effect in a real run, and what a model cannot do is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D
from safetensors.torch import load_file

from pipelines.image.sd import Pipeline
from studio.errors import InputError, ModelError
from tests.training.small_runs import STEPS, one_quiet_cpu, pictures_of_three_shapes, recipe, weights  # noqa: F401
from training import buckets, log
from training.cache import Cache
from training.parts import Parts
from training.run import train


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Any]:
    return pictures_of_three_shapes(tmp_path / "pictures")


def cache_of(run: Path) -> Cache:
    (folder,) = (run / "cache").iterdir()
    return Cache(folder)


def test_recomputing_activations_changes_no_weight_and_does_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    forward = ResnetBlock2D.forward

    def counted(self: Any, *given: Any, **named: Any) -> Any:
        passes.append(self)
        return forward(self, *given, **named)

    monkeypatch.setattr(ResnetBlock2D, "forward", counted)
    train(recipe(tmp_path / "plain", steps=3))
    plain = len(passes)
    train(recipe(tmp_path / "again", steps=3, gradient_checkpointing=True))
    assert len(passes) - plain > plain
    assert weights(tmp_path / "plain") == weights(tmp_path / "again")


def test_min_snr_weighs_the_loss_and_is_off_by_default(tmp_path: Path) -> None:
    def losses(run: Path, **changed: Any) -> list[float]:
        train(recipe(run, steps=2, **changed))
        return [line["loss"] for line in log.read(run)]

    assert losses(tmp_path / "weighed", snr_gamma=0.1)[0] < losses(tmp_path / "plain")[0]


def test_pictures_of_many_shapes_train_in_buckets_with_labels_in_balance(
    tmp_path: Path, pictures: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    held_out = {"validation_count": 4, "validate_every": STEPS}
    train(recipe(run, dataset=pictures, buckets=True, balance="labels", **held_out))
    rows = cache_of(run)
    assert Counter(rows.sizes) == {"96x48": 14, "48x80": 13, "64x64": 13}
    tall = rows.rows([row for row, size in enumerate(rows.sizes) if size == "48x80"])[0]
    assert tall["latents"].shape[-2:] == (10, 6)
    first = log.read(run)[0]
    assert sum(first["sizes"].values()) == sum(first["labels"].values()) == 36
    assert set(first["labels"]) == {"calm", "fear"}
    assert any("validation_loss" in line for line in log.read(run))


def test_a_resolution_of_its_own_reaches_the_latents(tmp_path: Path) -> None:
    train(recipe(tmp_path / "run", steps=1, warmup_steps=0, resolution_px=96))
    (shard,) = (tmp_path / "run").glob("cache/*/shard-*.safetensors")
    assert load_file(shard)["96x96/latents"].shape[-2:] == (12, 12)


@pytest.mark.parametrize(
    ("native", "changed", "found"),
    [
        ((512, 512), {}, {(512, 512)}),
        ((512, 512), {"resolution_px": 768}, {(768, 768)}),
        ((832, 480), {"resolution_px": 512}, {(672, 384)}),
        ((1024, 1024), {"buckets": True}, {(1024, 1024), (1152, 896), (704, 1472)}),
        ((512, 512), {"buckets": True, "resolution_px": 256}, {(256, 256), (192, 320)}),
    ],
)
def test_sizes_follow_the_recipe_and_the_model(
    tmp_path: Path, native: buckets.Size, changed: dict[str, Any], found: set[buckets.Size]
) -> None:
    sizes = buckets.sizes(recipe(tmp_path, **changed), native)
    assert found <= set(sizes) and (len(sizes) > 1) == bool(changed.get("buckets"))
    assert all(width % 16 == height % 16 == 0 for width, height in sizes)


def test_a_resolution_that_does_not_divide_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="resolution_px: must be a multiple of 64") as caught:
        buckets.sizes(recipe(tmp_path, resolution_px=760), (512, 512))
    assert caught.value.suggestion == "768"


def test_one_label_alone_cannot_be_balanced(tmp_path: Path, pictures: dict[str, Any]) -> None:
    path = Path(pictures["root"]) / "metadata.jsonl"
    path.write_text(path.read_text("utf-8").replace("fear", "calm"), "utf-8")
    with pytest.raises(InputError, match="balance: all examples have one label"):
        train(recipe(tmp_path / "run", dataset=pictures, balance="labels"))


def test_a_base_without_a_network_to_train_is_refused() -> None:
    with pytest.raises(ModelError, match="nothing to train: it has vae, neither unet nor transformer"):
        Parts({"vae": torch.nn.Linear(1, 1)}, torch.device("cpu"))


def test_a_network_that_cannot_recompute_is_refused() -> None:
    parts = Parts({"unet": torch.nn.Linear(1, 1)}, torch.device("cpu"))
    with (
        pytest.raises(InputError, match="gradient_checkpointing: Linear cannot recompute"),
        parts.training(gradient_checkpointing=True),
    ):
        pass


def test_recomputing_ends_with_the_training_also_after_an_error() -> None:
    unet = Pipeline.tiny(0).modules["unet"]
    parts = Parts({"unet": unet}, torch.device("cpu"))
    with pytest.raises(InputError), parts.training(gradient_checkpointing=True):
        assert unet.is_gradient_checkpointing
        raise InputError("any", 1, "error")
    assert not unet.is_gradient_checkpointing


@pytest.mark.gpu
def test_only_the_network_that_learns_stays_on_the_card() -> None:
    pipeline, card = Pipeline.tiny(0), torch.device("cuda")
    for module in pipeline.modules.values():
        module.to(card)
    parts = Parts(pipeline.modules, card)

    def places() -> Mapping[str, str]:
        return {name: module.device.type for name, module in pipeline.modules.items()}

    everywhere = {"unet": "cuda", "vae": "cuda", "text_encoder": "cuda"}
    with parts.training(gradient_checkpointing=False):
        assert places() == {"unet": "cuda", "vae": "cpu", "text_encoder": "cpu"}
        with parts.awake():
            assert places() == everywhere
    assert places() == everywhere
