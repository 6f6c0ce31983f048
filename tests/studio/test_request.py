"""The only validation in the house: what is refused, with which words, and what comes back equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.emotion import parse_curve
from studio.errors import InputError, ModelError, NotFoundError, StudioError
from studio.request import MAX_SEED, AdapterUse, RenderRequest
from tests.studio import sketch


@pytest.fixture(autouse=True)
def assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    sketch.install(monkeypatch, tmp_path / "assets")
    return tmp_path / "assets"


def test_only_a_prompt_is_needed() -> None:
    made = RenderRequest.parse({"pipeline": sketch.NAME, "prompt": " a harbour "})
    assert (made.prompt, made.negative_prompt, made.model) == ("a harbour", "", "sketch-model")
    assert made.curve.is_neutral and made.adapters == (AdapterUse("warm", 1.0),)
    assert made.params == sketch.Params() and 0 <= made.seed <= MAX_SEED


def test_none_means_not_given() -> None:
    assert sketch.request(emotion=None, steps=None, model=None) == sketch.request()


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        ({"prompt": ""}, InputError, "prompt: is empty; say what the picture shows"),
        ({"prompt": " \n"}, InputError, "prompt: is empty"),
        ({"prompt": ["a"]}, InputError, "prompt: expected text"),
        ({"prompt": "x" * 2001}, InputError, "has 2001 characters; at most 2000"),
        ({"prompt": "bad \udcff byte"}, InputError, "not text"),
        ({"negative_prompt": "nul\0"}, InputError, "negative_prompt: has a character that is not text"),
        ({"emotion": "contentmnt"}, InputError, r"'contentmnt'.*did you mean 'contentment'\?"),
        ({"emotion": "mikles/awe"}, InputError, r"'mikles'.*did you mean 'mikels'\?"),
        ({"emotion": "joy:9"}, InputError, "emotion"),
        ({"emotion": "v=2"}, InputError, r"valence|v"),
        ({"seed": -1}, InputError, r"seed: must be in \[0, 4294967295\], got -1; did you mean '0'"),
        ({"seed": "abc"}, InputError, "seed: expected a whole number, got 'abc'"),
        ({"seed": 2**32}, InputError, "did you mean '4294967295'"),
        ({"pipeline": "image/sketchy"}, NotFoundError, "unknown pipeline.*did you mean 'image/sketch'"),
        ({"model": "sketch-modl"}, NotFoundError, "unknown model 'sketch-modl'; did you mean 'sketch-model'"),
        ({"adapters": "wram"}, NotFoundError, "unknown adapter 'wram'; did you mean 'warm'"),
        ({"adapters": "warm:3"}, InputError, r"'warm' must be in \[-2, 2\], got 3.0; did you mean '2'"),
        ({"adapters": "warm:nan"}, InputError, "must be in .* did you mean '1'"),
        ({"adapters": "warm:much"}, InputError, "expected name or name:strength"),
        ({"adapters": "warm,warm:0.5"}, InputError, "'warm' is named twice"),
        ({"adapters": "none,warm"}, InputError, "'none' cannot stand beside"),
        ({"adapters": 5}, InputError, "adapters: expected names"),
        ({"adapters": [5]}, InputError, "adapters: expected name or name:strength"),
        ({"steps": 0}, InputError, "steps: must be in"),
        ({"width": 9}, InputError, "width: must be a multiple of 8, got 9; did you mean '8'"),
        ({"scheduler": "dim"}, InputError, "did you mean 'ddim'"),
        ({"stepz": 5}, InputError, "unknown field 'stepz'; did you mean 'steps'"),
        ({"promt": "x"}, InputError, "unknown field 'promt'; did you mean 'prompt'"),
        ({"inputs": "photo.png"}, InputError, "inputs: expected names with files"),
        ({"inputs": {"phto": "x.png"}}, InputError, "takes no input file 'phto'; did you mean 'photo'"),
        ({"inputs": {"photo": "missing.png"}}, InputError, "no such file: 'missing.png'"),
        ({"inputs": {"photo": 5}}, InputError, "no such file"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_with_their_name(values: dict[str, Any], kind: type, why: str) -> None:
    with pytest.raises(kind, match=why) as caught:
        sketch.request(**values)
    assert "\n" not in str(caught.value)


def test_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a model folder"):
        sketch.request(model=str(tmp_path))


def test_ways_to_name_adapters() -> None:
    both = (AdapterUse("warm", 0.5), AdapterUse("cold", -1.0))
    assert sketch.request(adapters="warm:0.5, cold:-1").adapters == both
    assert sketch.request(adapters=["warm:0.5", "cold:-1"]).adapters == both
    assert sketch.request(adapters={"warm": 0.5, "cold": -1}).adapters == both
    assert sketch.request(adapters=list(both)).adapters == both
    for bare in ("none", "", [], "None"):
        assert sketch.request(adapters=bare).adapters == ()


def test_adapter_folder_with_a_colon_free_strength(assets: Path) -> None:
    folder = assets / "adapters" / "cold"
    assert sketch.request(adapters=f"{folder}:0.25").adapters == (AdapterUse(str(folder), 0.25),)
    assert sketch.request(adapters=str(folder)).adapters == (AdapterUse(str(folder), 1.0),)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    prompt=st.text(min_size=1, max_size=80),
    seed=st.integers(0, MAX_SEED),
    strength=st.floats(-2, 2),
    emotion=st.sampled_from(
        ["joy", "joy:0.61", "0.6 joy + 0.4 fear", "v=0.123456789 a=-0.2", "awe@0, calm@100%"]
    ),
    steps=st.integers(1, 150),
    fine=st.booleans(),
)
def test_to_dict_comes_back_equal(
    prompt: str, seed: int, strength: float, emotion: str, steps: int, fine: bool
) -> None:
    try:
        made = sketch.request(
            prompt=prompt, seed=seed, adapters=f"warm:{strength}", emotion=emotion, steps=steps, fine=fine
        )
    except InputError as error:
        assert error.field == "prompt"
        return
    again = RenderRequest.parse(made.to_dict())
    assert again == made
    assert again.to_dict() == made.to_dict()
    assert again.content_key() == made.content_key()


def test_inputs_come_back(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    photo.write_bytes(b"1")
    made = sketch.request(inputs={"photo": photo})
    assert RenderRequest.parse(made.to_dict()) == made
    before = made.content_key()
    photo.write_bytes(b"2")
    assert made.content_key() != before


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "b"},
        {"seed": 8},
        {"emotion": "joy"},
        {"adapters": "warm:0.9"},
        {"adapters": "none"},
        {"steps": 5},
    ],
)
def test_content_key_sees_every_field(change: dict[str, Any]) -> None:
    assert sketch.request(**change).content_key() != sketch.request().content_key()


def test_content_key_sees_model_and_adapter_weights(assets: Path) -> None:
    keys = {sketch.request().content_key()}
    (assets / "models" / "sketch-model" / "weights.safetensors").write_bytes(b"trained on")
    keys.add(sketch.request().content_key())
    (assets / "adapters" / "warm" / "adapter.safetensors").write_bytes(b"trained on")
    keys.add(sketch.request().content_key())
    assert len(keys) == 3


def test_batch_key_joins_what_can_share_a_batch() -> None:
    one = sketch.request()
    assert sketch.request(seed=1, prompt="b", emotion="joy", negative_prompt="c").batch_key == one.batch_key
    for change in ({"steps": 5}, {"adapters": "none"}, {"width": 16}):
        assert sketch.request(**change).batch_key != one.batch_key


def test_curves_may_be_given_as_values() -> None:
    curve = parse_curve("joy@0, calm@100%")
    assert sketch.request(emotion=curve).curve == curve


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from(
            ["prompt", "negative_prompt", "emotion", "seed", "adapters", "inputs", "steps", "model"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    )
)
def test_whatever_json_says_only_studio_errors_come_out(values: dict[str, Any]) -> None:
    try:
        RenderRequest.parse({"pipeline": sketch.NAME, **values})
    except StudioError as error:
        assert str(error)


@pytest.mark.parametrize("emotion", ["", "  ", "\t"])
def test_a_blank_emotion_is_neutral(emotion: str) -> None:
    assert sketch.request(emotion=emotion) == sketch.request()


def test_adapter_of_another_model_is_refused_by_name(assets: Path, tmp_path: Path) -> None:
    sketch.add_adapter(assets, "foreign", base_model="some/backbone")
    with pytest.raises(ModelError, match="made for model 'some/backbone', not for 'sketch-model'"):
        sketch.request(adapters="foreign:0.5")


def test_the_same_model_under_another_name_is_for_the_weights_to_tell(assets: Path, tmp_path: Path) -> None:
    folder = sketch.add_model(tmp_path / "mine", "copy")
    sketch.add_adapter(assets, "of-a-folder", base_model=str(folder))
    sketch.add_adapter(assets, "of-nothing", base_model="")
    for name in ("of-a-folder", "of-nothing"):
        assert sketch.request(adapters=name).adapters == (AdapterUse(name),)
    assert sketch.request(model=str(folder), adapters="warm").adapters == (AdapterUse("warm"),)
