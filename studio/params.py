"""Parameters of a pipeline, declared once: a frozen dataclass whose fields carry their own documentation.

    @dataclass(frozen=True, slots=True)
    class Params:
        steps: int = param(20, "denoising steps", min=1, max=150)

From that one line come the check, the command-line flag, the prompts-file field, the control in the web app.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from studio.errors import InputError, nearest


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """What is known about one parameter. `type` is one of bool, int, float, str.

    `of`: the input file that it is about, without which it means nothing; `several`: words of which any
    number may be named, comma separated. `is_title`: names what is made where the prompt is empty.
    """

    name: str
    type: type
    default: Any
    help: str
    min: float | None = None
    max: float | None = None
    step: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    advanced: bool = True
    of: str = ""
    several: tuple[str, ...] = ()
    is_title: bool = False


def param(default: Any, help: str, **details: Any) -> Any:
    """A dataclass field with its help, range (`min`, `max`, `step`), `unit`, `choices`, `advanced`,
    `of`, `several`, `is_title`."""
    return dataclasses.field(default=default, metadata={"help": help, **details})


@lru_cache(maxsize=64)  # a batch asks for the same one a million times
def specs(params_class: type) -> tuple[ParamSpec, ...]:
    """The declared parameters of a Params class, in order."""
    hints = typing.get_type_hints(params_class)
    return tuple(
        ParamSpec(name=field.name, type=_plain(hints[field.name]), default=field.default, **field.metadata)
        for field in dataclasses.fields(params_class)
    )


def build(params_class: type, values: Mapping[str, Any]) -> Any:
    """An instance of `params_class` from raw values (text or typed). InputError names field and value."""
    known = {spec.name: spec for spec in specs(params_class)}
    for name in values:
        if name not in known:
            raise InputError(name, values[name], f"unknown field {name!r}", nearest(name, known))
    return params_class(**{name: check(known[name], value) for name, value in values.items()})


def check(spec: ParamSpec, value: Any) -> Any:
    """`value` as the type of `spec`, inside its range and choices."""
    converted = _convert(spec, value)
    if spec.choices and converted not in spec.choices:
        words = [str(choice) for choice in spec.choices]
        raise InputError(
            spec.name, value, f"{value!r} is not one of {', '.join(words)}", _nearest_choice(value, words)
        )
    if isinstance(converted, (int, float)) and not isinstance(converted, bool):
        _check_range(spec, converted)
    return converted


def _nearest_choice(value: Any, words: Sequence[str]) -> str | None:
    """Of numbers the nearest, of words the likest."""
    try:
        return min(words, key=lambda word: abs(float(word) - float(value)))
    except (TypeError, ValueError):
        return nearest(str(value), words)


def _check_range(spec: ParamSpec, value: float) -> None:
    low = -math.inf if spec.min is None else spec.min
    high = math.inf if spec.max is None else spec.max
    if not (low <= value <= high and math.isfinite(value)):
        near = spec.default if math.isnan(value) else min(max(value, low), high)
        hint = _number(near) if near is not None and math.isfinite(near) else None
        span = f"[{_bound(spec.min)}, {_bound(spec.max)}]"
        raise InputError(spec.name, value, f"must be in {span}, got {value}", hint)
    if spec.type is int and spec.step and (value - (spec.min or 0)) % spec.step:
        _refuse_between_steps(spec, value)


def _refuse_between_steps(spec: ParamSpec, value: float) -> None:
    first, step = spec.min or 0, spec.step or 1
    near = first + round((value - first) / step) * step
    if spec.max is not None and near > spec.max:
        near -= step
    why = f"must be a multiple of {_number(step)}, got {value}"
    if first % step:
        why = f"must be {_number(first)} plus a multiple of {_number(step)}, got {value}"
    raise InputError(spec.name, value, why, _number(near))


def _bound(value: float | None) -> str:
    return "any" if value is None else _number(value)


def _number(value: float) -> str:
    """A number as a person writes it: 4294967295, not 4.29497e+09."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def _convert(spec: ParamSpec, value: Any) -> Any:
    wrong = InputError(spec.name, value, f"expected {_kind(spec.type)}, got {value!r}")
    if spec.type is bool:
        found = _WORDS.get(str(value).strip().lower())
        if found is None:
            raise wrong
        return found
    if spec.type is str:
        if not isinstance(value, str):
            raise wrong
        return value
    if isinstance(value, bool) or value is None:
        raise wrong
    if isinstance(value, str) and spec.unit:  # "4s", "512 px"
        value = value.strip().removesuffix(spec.unit)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    if spec.type is float:
        return number
    if not number.is_integer():
        raise wrong
    return int(value) if isinstance(value, int) else int(number)


def _kind(kind: type) -> str:
    return {bool: "yes or no", int: "a whole number", float: "a number", str: "text"}[kind]


def _plain(hint: Any) -> type:
    """The plain type of an annotation: `int | None` counts as int."""
    if isinstance(hint, types.UnionType):
        options: Sequence[Any] = [option for option in typing.get_args(hint) if option is not type(None)]
        return _plain(options[0])
    return typing.cast(type, hint)
