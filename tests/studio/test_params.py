"""One declaration of a parameter: its check, its hints, its defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import catalog
from studio.errors import InputError
from studio.params import ParamSpec, build, check, param, specs


@dataclass(frozen=True, slots=True)
class Params:
    steps: int = param(20, "denoising steps", min=1, max=150)
    size: int = param(128, "width", min=64, max=1000, step=8, unit="px")
    odd: int = param(3, "odd sizes", min=1, max=9, step=2)
    guidance: float | None = param(None, "pull", min=0, max=30)
    free: float = param(0.0, "any finite number")
    style: str = param("plain", "style", choices=("plain", "fine"))
    fast: bool = param(False, "fast")


SPECS = {spec.name: spec for spec in specs(Params)}


def test_defaults_are_valid_and_described() -> None:
    assert build(Params, {}) == Params()
    assert SPECS["guidance"].type is float and SPECS["guidance"].default is None
    assert (SPECS["size"].unit, SPECS["size"].step) == ("px", 8)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("steps", "12", 12), ("steps", " 12 ", 12), ("steps", 12.0, 12), ("steps", 1, 1), ("steps", 150, 150),
        ("size", 72, 72), ("size", "72px", 72), ("size", " 72 px", 72),
        ("odd", "5", 5), ("guidance", "7.5", 7.5), ("guidance", 0, 0.0),
        ("free", "-1e3", -1e3),
        ("style", "fine", "fine"), ("fast", "Yes", True), ("fast", True, True), ("fast", 0, False),
        ("fast", "off", False),
    ],
)  # fmt: skip
def test_values_become_the_declared_type(name: str, value: Any, wanted: Any) -> None:
    made = getattr(build(Params, {name: value}), name)
    assert made == wanted and type(made) is type(wanted)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("steps", 0, r"steps: must be in \[1, 150\], got 0; did you mean '1'\?"),
        ("steps", "151", r"did you mean '150'\?"),
        ("steps", "ten", "steps: expected a whole number, got 'ten'"),
        ("steps", 1.5, "expected a whole number, got 1.5"),
        ("steps", True, "expected a whole number"),
        ("steps", None, "expected a whole number"),
        ("steps", "1e999", "expected a whole number"),
        ("steps", 10**400, "expected a whole number"),
        ("steps", [5], "expected a whole number"),
        ("steps", "", "expected a whole number"),
        ("size", 100, r"must be a multiple of 8, got 100; did you mean '96'\?"),
        ("size", 999, r"did you mean '1000'\?"),
        ("odd", 4, r"must be 1 plus a multiple of 2, got 4; did you mean '5'\?"),
        ("guidance", "nan", r"must be in \[0, 30\], got nan$"),
        ("guidance", -0.5, r"did you mean '0'\?"),
        ("free", "inf", r"must be in \[any, any\], got inf$"),
        ("style", "fin", r"'fin' is not one of plain, fine; did you mean 'fine'\?"),
        ("style", 3, "expected text, got 3"),
        ("fast", "maybe", "fast: expected yes or no, got 'maybe'"),
        ("stepz", 5, r"unknown field 'stepz'; did you mean 'steps'\?"),
    ],
)
def test_wrong_values_are_named_with_a_right_one(name: str, value: Any, why: str) -> None:
    with pytest.raises(InputError, match=why):
        build(Params, {name: value})


def test_large_bounds_are_written_in_full() -> None:
    with pytest.raises(InputError, match=r"must be in \[0, 4294967295\].*did you mean '4294967295'"):
        check(ParamSpec("seed", int, 0, "", min=0, max=2**32 - 1), 2**32)


@given(st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none(), st.binary()))
def test_whatever_comes_is_in_range_or_refused(value: Any) -> None:
    for name in ("steps", "size", "odd", "guidance", "free"):
        spec = SPECS[name]
        try:
            made = check(spec, value)
        except InputError as error:
            assert error.field == name
            continue
        assert type(made) is spec.type and math.isfinite(made)
        assert (spec.min is None or made >= spec.min) and (spec.max is None or made <= spec.max)


@given(st.integers(-(10**6), 10**6), st.sampled_from(["steps", "size", "odd"]))
def test_the_suggestion_is_itself_right(value: int, name: str) -> None:
    try:
        check(SPECS[name], value)
    except InputError as error:
        assert error.suggestion is not None
        suggested = error.suggestion
        try:
            check(SPECS[name], suggested)
        except InputError as second:  # clamped into the range first, onto a step next
            assert second.suggestion is not None
            check(SPECS[name], second.suggestion)


@pytest.mark.parametrize("name", catalog.names("pipeline"))
def test_every_pipeline_declares_valid_defaults(name: str) -> None:
    for spec in catalog.param_specs(name):
        assert spec.help and spec.type in (bool, int, float, str)
        if spec.default is not None:
            assert check(spec, spec.default) == spec.default


def test_a_number_that_is_no_choice_gets_the_nearest() -> None:
    @dataclass(frozen=True)
    class Sized:
        size_px: int = param(512, "side", choices=(256, 512, 1024))

    assert build(Sized, {"size_px": "256"}).size_px == 256
    with pytest.raises(InputError, match=r"500 is not one of 256, 512, 1024; did you mean '512'\?"):
        build(Sized, {"size_px": 500})
