"""A recipe says what is wrong with it before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.errors import InputError
from training import config
from training.config import Recipe

RECIPES = Path(config.__file__).parent / "recipes"


def values(**changed: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"model": "tiny:3", "steps": 20}
    tables = {"dataset": {"name": "painter", "count": 8}, "adapter": {"kind": "emotion_lora", "rank": 4}}
    return plain | tables | changed


def refused(match: str, **changed: Any) -> InputError:
    with pytest.raises(InputError, match=match) as caught:
        config.parse(values(**changed))
    return caught.value


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_house_is_valid(path: Path) -> None:
    assert config.read(path).steps > 0


def test_values_arrive_typed_and_the_adapter_knows_its_base() -> None:
    recipe = config.parse(values(learning_rate="1e-3"))
    assert (recipe.learning_rate, recipe.dataset.options["count"]) == (1e-3, 8)
    assert recipe.adapter.config.rank == 4
    assert recipe.adapter.config.base_model == "tiny:3"


def test_the_resolved_recipe_reads_back_equal(tmp_path: Path) -> None:
    recipe = config.parse(values(adapter={"kind": "emotion_lora", "targets": "light", "basis": "axes"}))
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml(), "utf-8")
    assert config.read(path) == recipe


def test_any_path_survives_the_file(tmp_path: Path) -> None:
    output = 'runs/smile 😀 "quoted" \\back\x7f\tümlaut'
    path = tmp_path / "recipe.toml"
    path.write_text(config.parse(values(output=output)).to_toml(), "utf-8")
    assert config.read(path).output == output


def test_overrides_replace_values_and_reach_into_tables(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(config.parse(values()).to_toml(), "utf-8")
    recipe = config.read(path, ["steps=7", "model=tiny:9", "dataset.count=5", "adapter.basis=axes"])
    assert (recipe.steps, recipe.model, recipe.dataset.options["count"]) == (7, "tiny:9", 5)
    assert recipe.adapter.config.basis == "axes"


@pytest.mark.parametrize(
    ("changed", "near"),
    [
        ({"learning_rat": 1e-3}, "learning_rate"),
        ({"dataset": {"name": "painter", "size": 64}}, "size_px"),
        ({"adapter": {"kind": "emotion_lora", "ranks": 4}}, "rank"),
        ({"dataset": {"name": "paintr"}}, "painter"),
        ({"adapter": {"kind": "emotion_lra"}}, "emotion_lora"),
        ({"adapter": {"kind": "emotion_lora", "targets": "lite"}}, "light"),
    ],
)
def test_a_wrong_name_gets_the_nearest_right_one(changed: dict[str, Any], near: str) -> None:
    assert refused("did you mean", **changed).suggestion == near


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"steps": 0}, "steps: must be in"),
        ({"ema_decay": 1.0}, "ema_decay: must be in"),
        ({"steps": "many"}, "steps: expected a whole number"),
        ({"schedule": "linear"}, "not one of cosine, constant"),
        ({"warmup_steps": 21}, "warmup_steps: must not exceed steps"),
        ({"batch_size": 8, "gradient_accumulation": 3}, "multiple of gradient_accumulation"),
        ({"validate_every": 5}, "no example is held out"),
        ({"balance": "label"}, "not one of none, labels.*did you mean 'labels'"),
        ({"snr_gamma": -1}, "snr_gamma: must be in"),
        ({"resolution_px": 100}, "resolution_px: must be a multiple of 8.*did you mean '96'"),
        ({"buckets": "perhaps"}, "buckets: expected"),
        ({"gradient_checkpointing": 3}, "gradient_checkpointing: expected"),
        ({"dataset": {"name": "painter", "count": 0}}, "dataset.count: must be in"),
        ({"adapter": {"kind": "emotion_lora", "rank": "big"}}, "adapter.rank: expected a whole number"),
        ({"adapter": {"kind": "emotion_lora", "basis": "vda"}}, "basis"),
        ({"dataset": "painter"}, r"needs a table \[dataset\]"),
    ],
)
def test_a_wrong_value_is_named(changed: dict[str, Any], match: str) -> None:
    refused(match, **changed)


def test_a_missing_or_broken_file_and_a_broken_override_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        config.read(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("steps = = 3", "utf-8")
    with pytest.raises(InputError, match="is not TOML"):
        config.read(broken)
    broken.write_text("steps = 3", "utf-8")
    with pytest.raises(InputError, match="expected key=value"):
        config.read(broken, ["steps"])
    with pytest.raises(InputError, match="single value, not a table"):
        config.read(broken, ["steps.more=1"])


def test_weight_fields_leave_out_what_changes_no_weight() -> None:
    def fields(**changed: Any) -> dict[str, Any]:
        return config.parse(values(**changed)).weight_fields()

    assert fields(output="elsewhere", keep_last=9, gradient_checkpointing=True) == fields()
    folders = [{"dataset": {"name": "folder", "root": root}} for root in ("here", "there")]
    assert fields(**folders[0]) == fields(**folders[1]), "what lies there is in the key of the data"
    assert fields(learning_rate=0.5) != fields()
    assert fields(buckets=True) != fields() != fields(balance="labels")
    assert fields(steps=30) != fields(), "a cosine depends on its length"
    assert fields(steps=30, schedule="constant") == fields(schedule="constant"), "a constant rate does not"


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        config.parse(values()).steps = 3  # type: ignore[misc]
    assert Recipe.__dataclass_params__.frozen  # type: ignore[attr-defined]
