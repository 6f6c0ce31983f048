"""The form: into requests, and back from a request."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from studio import catalog
from studio.emotion import NEUTRAL
from studio.errors import InputError, NotFoundError, StudioError
from studio.params import ParamSpec
from studio.request import MAX_SEED, AdapterUse, RenderRequest
from studio.web import controls
from studio.web.form import BARE, OWN, Form, form_of, strength_span
from studio.web.page_form import strength_update


def form(**changes: Any) -> Form:
    plain = Form("a harbour", "", "awe:0.8", "image/sd", "", seed=7)
    return dataclasses.replace(plain, **changes)


def test_the_strength_multiplies_that_of_every_adapter() -> None:
    for adapter, expected in ((OWN, 0.6), ("vad-image", 0.6), ("vad-image:0.5", 0.3)):
        (request,) = form(adapter=adapter, strength=0.6).requests()
        assert request.adapters == (AdapterUse("vad-image", expected),)
    assert form(adapter=BARE).requests()[0].adapters == ()


def test_a_fixed_seed_counts_upwards_and_wraps() -> None:
    assert [request.seed for request in form(count=3).requests()] == [7, 8, 9]
    assert [request.seed for request in form(count=2, seed=MAX_SEED).requests()] == [MAX_SEED, 0]


def test_no_seed_is_a_new_one_each_time() -> None:
    assert len({request.seed for request in form(count=8, seed=None).requests()}) == 8


@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_emotion_is_neutral(blank: str) -> None:
    assert form(emotion=blank).requests()[0].curve.at(0.0) == NEUTRAL


@pytest.mark.parametrize("adapter", [OWN, BARE, "vad-image", "vad-image:0.5"])
@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_the_form_comes_back_from_its_request(adapter: str, strength: float) -> None:
    asked = form(params={"steps": 3, "width": 64}, negative_prompt="fog", adapter=adapter, strength=strength)
    (request,) = asked.requests()
    assert form_of(request.to_dict()).requests() == [request]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"prompt": " "}, "prompt"),
        ({"emotion": "contentmnt"}, "contentment"),
        ({"count": 99}, "count"),
        ({"count": 1.5}, "count"),
        ({"strength": 9}, "strength"),
        ({"seed": "x"}, "seed"),
        ({"seed": -1}, "seed"),
        ({"pipeline": "image/sdd"}, "image/sd"),
        ({"model": "nothing-like-it"}, "nothing-like-it"),
        ({"adapter": "nothing-like-it"}, "nothing-like-it"),
        ({"params": {"steps": 0}}, "steps"),
        ({"params": {"stepz": 3}}, "steps"),
    ],
)
def test_what_is_wrong_is_named(changes: Mapping[str, Any], word: str) -> None:
    with pytest.raises(StudioError, match=word):
        form(**changes).requests()


def test_a_record_of_a_model_that_is_not_here_is_refused() -> None:
    values = RenderRequest.parse({"prompt": "a harbour"}).to_dict()
    with pytest.raises(NotFoundError):
        form_of({**values, "model": "somebody-elses"})
    with pytest.raises(InputError):
        form_of({**values, "prompt": 3})


def test_every_parameter_of_every_image_pipeline_grows_a_control_that_holds_its_default() -> None:
    for pipeline in (name for name in catalog.names("pipeline") if name.startswith("image/")):
        for spec in catalog.param_specs(pipeline):
            shown = controls.control(spec)
            assert shown.value == ("" if spec.default is None else spec.default) or spec.default is None
            assert shown.info == spec.help


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (ParamSpec("steps", int, 20, "", min=1, max=150), "slider"),
        (ParamSpec("noise", float, 0.5, "", min=0, max=1), "slider"),
        (ParamSpec("frames", int, 20, "", min=1), "number"),
        (ParamSpec("number", int, 1, "", min=0, max=MAX_SEED), "number"),
        (ParamSpec("width", int, None, "", min=64, max=2048), "textbox"),
        (ParamSpec("tiling", bool, False, ""), "checkbox"),
        (ParamSpec("sampler", str, "a", "", choices=("a", "b")), "dropdown"),
        (ParamSpec("note", str, "", ""), "textbox"),
    ],
)
def test_the_kind_of_control_follows_from_the_declaration(spec: ParamSpec, kind: str) -> None:
    assert controls.control(spec).get_block_name() == kind


def test_an_empty_control_leaves_the_default() -> None:
    specs = (ParamSpec("width", int, None, ""), ParamSpec("steps", int, 20, ""))
    grown = controls.ParamControls("image/sd", specs, tuple(controls.control(spec) for spec in specs))
    assert grown.values(["", 5]) == {"steps": 5}


def test_the_slider_spans_where_the_worn_adapters_work(tmp_path: Path) -> None:
    for name, span in (("low", "[-0.5, 0.9]"), ("high", "[0.1, 1.3]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter.json").write_text(f'{{"kind": "emotion_lora", "strength_range": {span}}}')
    low, high = str(tmp_path / "low"), str(tmp_path / "high")
    assert strength_span("emotion-tiny", low) == (-0.5, 0.9)
    assert strength_span("emotion-tiny", f"{low}:0.5, {high}:1") == (-0.5, 1.3)  # the hull of both
    assert strength_span("emotion-tiny", OWN) == tuple(catalog.adapter_card("vad-image")["strength_range"])


def test_the_slider_goes_by_the_family_that_was_chosen() -> None:
    clips = strength_update("video/animatediff", "emotion-tiny", OWN, 2.0)
    span = tuple(catalog.adapter_card("vad-video")["strength_range"])
    assert (clips["minimum"], clips["maximum"], clips["value"]) == (*span, span[1])


@pytest.mark.parametrize("adapter", [BARE, "vad-ima", "vad-image:", "vad-image:9"])
def test_the_slider_spans_everything_where_nobody_measured(adapter: str) -> None:
    assert strength_span("emotion-tiny", adapter) == (-2, 2)
    assert strength_span("somebody/sd-1-5", OWN) == (-2, 2)
