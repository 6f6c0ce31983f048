"""What a person asks for, as one value. `RenderRequest.parse` is the only validation in the house."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio import catalog, params
from studio.emotion import EmotionCurve, parse_curve
from studio.errors import InputError, nearest

MAX_SEED = 2**32 - 1
MAX_PROMPT_CHARS = 2000
DEFAULT_PIPELINE = catalog.DEFAULT_PIPELINE
FIELDS = ("pipeline", "model", "prompt", "negative_prompt", "emotion", "seed", "adapters", "inputs")


@dataclass(frozen=True, slots=True)
class AdapterUse:
    """An adapter by name or folder, and its strength in [-2, 2]; 0 is no effect, 1 as trained."""

    name: str
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not -2 <= self.strength <= 2:
            near = "1" if math.isnan(self.strength) else "2" if self.strength > 2 else "-2"
            why = f"strength of {self.name!r} must be in [-2, 2], got {self.strength}"
            raise InputError("adapters", self.strength, why, near)

    @classmethod
    def parse(cls, text: str) -> AdapterUse:
        """`name` or `name:strength`."""
        name, colon, strength = text.strip().rpartition(":")
        if not colon or "/" in strength or "\\" in strength:  # no strength: a plain name or a path
            return cls(text.strip())
        try:
            number = float(strength)
        except ValueError:
            why = f"expected name or name:strength, got {text!r}"
            raise InputError("adapters", text, why) from None
        return cls(name.strip(), number)

    @property
    def text(self) -> str:
        """`name:strength`, exactly as `parse` reads it back."""
        return f"{self.name}:{int(self.strength) if self.strength.is_integer() else self.strength}"


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One thing to render. Build it with `parse`, which checks and fills in every field."""

    pipeline: str
    model: str
    prompt: str
    negative_prompt: str
    curve: EmotionCurve
    seed: int
    adapters: tuple[AdapterUse, ...]
    params: Any  # the pipeline's own frozen Params
    inputs: tuple[tuple[str, str], ...] = ()
    told: tuple[str, ...] = ()  # a prompt for each key of the curve; made by studio.wording, never asked for

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> RenderRequest:
        """A request from text or typed values; what is not a field here is a parameter of the pipeline.

        Raises InputError, EmotionError, NotFoundError or ModelError with the field, the value and a hint.
        """
        given = {key: value for key, value in values.items() if value is not None}
        pipeline = str(given.pop("pipeline", DEFAULT_PIPELINE))
        module = catalog.load("pipeline", pipeline)
        model = str(given.pop("model", "") or module.DEFAULT_MODEL)
        catalog.find_model(model)
        fields: dict[str, Any] = {
            "prompt": _text(given, "prompt", required=not getattr(module, "PROMPT_IS_TITLE", False)),
            "negative_prompt": _text(given, "negative_prompt"),
            "curve": _curve(given.pop("emotion", "neutral")),
            "seed": _seed(given.pop("seed", None)),
            "adapters": _adapters(given.pop("adapters", None), model, pipeline),
            "inputs": _inputs(given.pop("inputs", {}), getattr(module, "INPUTS", ())),
        }
        request = cls(pipeline, model, params=_params(module.Params, given), **fields)
        getattr(module, "check", lambda _: None)(request)
        return request

    @property
    def batch_key(self) -> tuple[Any, ...]:
        """Requests with the same key can be rendered as rows of one batch."""
        return (self.pipeline, self.model, self.adapters, self.params)

    @property
    def title(self) -> str:
        """What is made, in words: the prompt, or what a parameter says in its place."""
        if self.prompt:
            return self.prompt
        family: Any = type(self.params)
        words = [getattr(self.params, spec.name) for spec in params.specs(family) if spec.is_title]
        return words[0] if words else ""

    @property
    def weights(self) -> tuple[str, ...]:
        """Folders or hub ids of weights that parameters name, besides the model and its adapters."""
        named = getattr(catalog.load("pipeline", self.pipeline), "weights", None)
        return tuple(named(self)) if named else ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `parse` reads back to an equal request."""
        settings = dataclasses.asdict(self.params)
        return {
            "pipeline": self.pipeline,
            "model": self.model,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "emotion": self.curve.text,
            "seed": self.seed,
            "adapters": [use.text for use in self.adapters],
            **({"inputs": dict(self.inputs)} if self.inputs else {}),
            **{name: value for name, value in settings.items() if value is not None},
        }

    def content_key(self) -> str:
        """Hash of everything that determines the output, model and adapter revisions included."""
        revisions = [catalog.revision(catalog.find_model(self.model))]
        revisions += [catalog.revision(catalog.find_adapter(use.name)) for use in self.adapters]
        revisions += [catalog.revision(folder) for folder in self.weights]
        files = [(name, _digest(path)) for name, path in self.inputs]
        text = json.dumps([self.to_dict(), revisions, files], sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class RenderResult:
    """What came of a request: the file, how long it took, what a person should know about it."""

    path: Path
    request: RenderRequest
    seconds: float
    notes: tuple[str, ...] = ()


def _text(given: dict[str, Any], name: str, required: bool = False) -> str:
    value = given.pop(name, "")
    if not isinstance(value, str):
        raise InputError(name, value, f"expected text, got {value!r}")
    text = value.strip()
    if "\0" in text or not _is_unicode(text):
        raise InputError(name, text, f"has a character that is not text: {text[:40]!r}")
    if required and not text:
        raise InputError(name, text, "is empty; say what the picture shows")
    if len(text) > MAX_PROMPT_CHARS:
        why = f"has {len(text)} characters; at most {MAX_PROMPT_CHARS} are read"
        raise InputError(name, text, why)
    return text


def _is_unicode(text: str) -> bool:
    """False for lone surrogates: bytes of a command line or file that were no UTF-8."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _curve(value: Any) -> EmotionCurve:
    if isinstance(value, EmotionCurve):
        return value
    return parse_curve(str(value).strip() or "neutral")  # an empty field of a form or a flag is none


def _seed(value: Any) -> int:
    if value is None or value == "":
        return secrets.randbelow(MAX_SEED + 1)
    spec = params.ParamSpec("seed", int, 0, "random seed", min=0, max=MAX_SEED)
    return int(params.check(spec, value))


def _adapters(value: Any, model: str, pipeline: str) -> tuple[AdapterUse, ...]:
    """`None` means the model's own; "" or "none" means bare; else names with optional strengths."""
    if value is None:
        return tuple(AdapterUse(name) for name in catalog.default_adapters(model, pipeline))
    uses = parse_adapters(value)
    for use in uses:
        catalog.check_base(use.name, model)
    return uses


def parse_adapters(value: Any) -> tuple[AdapterUse, ...]:
    """The adapters that `value` names, whatever model they are for. Raises as `RenderRequest.parse` does."""
    uses = tuple(_use(entry) for entry in _entries(value))
    for index, use in enumerate(uses):
        catalog.find_adapter(use.name)
        if use.name in {other.name for other in uses[:index]}:
            raise InputError("adapters", value, f"{use.name!r} is named twice")
    return uses


def _entries(value: Any) -> list[Any]:
    """One entry per adapter; none for "none"."""
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, Mapping):
        value = [f"{name}:{strength}" for name, strength in value.items()]
    if not isinstance(value, Sequence):
        raise InputError("adapters", value, f"expected names with optional strengths, got {value!r}")
    words = [entry.strip() if isinstance(entry, str) else entry for entry in value]
    words = [word for word in words if word != ""]
    if any(str(word).lower() == "none" for word in words):
        if len(words) > 1:
            raise InputError("adapters", value, "'none' cannot stand beside the name of an adapter")
        return []
    return words


def _use(entry: Any) -> AdapterUse:
    if isinstance(entry, AdapterUse):
        return entry
    if not isinstance(entry, str):
        raise InputError("adapters", entry, f"expected name or name:strength, got {entry!r}")
    return AdapterUse.parse(entry)


def _inputs(value: Any, known: Sequence[str]) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise InputError("inputs", value, f"expected names with files, got {value!r}")
    for name, path in value.items():
        if name not in known:
            why = f"this pipeline takes no input file {name!r}"
            raise InputError(f"inputs.{name}", path, why, nearest(str(name), known))
        if not isinstance(path, (str, Path)) or not os.path.isfile(path):
            raise InputError(f"inputs.{name}", path, f"no such file: {str(path)!r}")
    return tuple(sorted((name, str(path)) for name, path in value.items()))


def _params(params_class: type, given: Mapping[str, Any]) -> Any:
    known = {spec.name for spec in params.specs(params_class)}
    for name in given:
        if name not in known:
            near = nearest(name, [*known, *FIELDS])
            raise InputError(name, given[name], f"unknown field {name!r}", near)
    return params.build(params_class, given)


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=16)).hexdigest()
