"""A training recipe: one TOML file, every value typed and checked before anything is loaded.

Knows which values there are and what they may be. Knows nothing of torch, of models or of how the loop
works: the dataset and the adapter kind say themselves what options they take.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from studio import catalog, params
from studio.emotion import lexicon
from studio.errors import InputError, nearest
from studio.params import param
from studio.toml_text import to_toml
from training import data_layout, slider_recipe
from training.slider_recipe import Slider

# Fields that change what is kept, told or where it lies, never the weights: a run may be resumed with other
# values. What is in `dataset.root` is part of the data's key.
FREE_FIELDS = frozenset(
    {"output", "checkpoint_every", "keep_last", "validate_every", "log_every", "save_half"}
    | {"reader", "validation_pictures", "validation_prompts", "gradient_checkpointing"}
    | {"dataset.root"}
)

_DTYPES = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True, slots=True)
class DatasetChoice:
    """A file of `training/data/` by name, and the checked options its `Dataset` is built with."""

    name: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AdapterChoice:
    """A file of `adapters/` by name, and its own `Config` value."""

    kind: str
    config: Any


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that determines a training run. Build it with `read` or `parse`."""

    dataset: DatasetChoice
    adapter: AdapterChoice
    slider: Slider | None = None  # an axis learnt from words, in place of the examples' own emotions
    pipeline: str = param("image/sd", "model family, a file of pipelines/")
    model: str = param("emotion-tiny", "embedded name, folder, hub id, or tiny:SEED for random toy weights")
    output: str = param("outputs/training/run", "folder of the run")
    start_from: str = param("", "adapter to begin with, of the same layers or fewer; empty is a fresh one")
    seed: int = param(0, "seed of weights, order and noise", min=0, max=2**31 - 1)
    steps: int = param(1000, "optimiser steps", min=1, max=10_000_000)
    batch_size: int = param(8, "examples per optimiser step, over all processes", min=1, max=65536)
    gradient_accumulation: int = param(1, "micro-batches a step is made of", min=1, max=4096)
    learning_rate: float = param(1e-4, "peak learning rate", min=0.0, max=1.0)
    schedule: str = param("cosine", "learning rate after the warm-up", choices=("cosine", "constant"))
    warmup_steps: int = param(0, "steps of linear warm-up", min=0, max=1_000_000)
    weight_decay: float = param(0.0, "AdamW weight decay", min=0.0, max=1.0)
    max_gradient_norm: float = param(1.0, "gradients are clipped to this length", min=1e-6, max=1e6)
    ema_decay: float = param(0.0, "decay of the saved weight average; 0 is off", min=0.0, max=0.99999)
    mixed_precision: str = param("no", "number type of the base model", choices=tuple(_DTYPES))
    gradient_checkpointing: bool = param(False, "recompute activations: far less memory, slower steps")
    snr_gamma: float = param(0.0, "min-SNR weighing of timesteps, usually 5; 0 is off", min=0.0, max=100.0)
    resolution_px: int = param(
        0, "side of a square of the pictures' area; 0 is the model's own", min=0, max=4096, step=8, unit="px"
    )
    buckets: bool = param(False, "keep pictures wide or tall: cut each to the nearest of several shapes")
    balance: str = param("none", "what comes equally often: nothing, or labels", choices=("none", "labels"))
    emotion_dropout: float = param(0.0, "share of rows trained as neutral", min=0.0, max=1.0)
    caption_dropout: float = param(0.0, "share of rows trained without their caption", min=0.0, max=1.0)
    checkpoint_every: int = param(500, "steps between checkpoints", min=1, max=10_000_000)
    keep_last: int = param(2, "checkpoints kept", min=1, max=1000)
    validate_every: int = param(0, "steps between validations; 0 is never", min=0, max=10_000_000)
    validation_count: int = param(0, "examples held out for validation", min=0, max=65536)
    validation_pictures: int = param(
        32, "pictures rendered to measure control; 0 renders nothing", min=0, max=4096
    )
    validation_prompts: str = param(
        "", "text file, a prompt a line, for those pictures; empty is a short list"
    )
    reader: str = param(
        "", "what reads them: picture-reader, a CLIP folder or hub id, none; empty: automatic"
    )
    save_half: bool = param(False, "write the adapter in float16, half the bytes")
    log_every: int = param(10, "steps between lines of the log", min=1, max=1_000_000)

    def __post_init__(self) -> None:
        if self.warmup_steps > self.steps:
            why = f"must not exceed steps ({self.steps}), got {self.warmup_steps}"
            raise InputError("warmup_steps", self.warmup_steps, why, str(self.steps))
        if self.batch_size % self.gradient_accumulation:
            parts = self.gradient_accumulation
            why = f"must be a multiple of gradient_accumulation ({parts}), got {self.batch_size}"
            raise InputError(
                "batch_size", self.batch_size, why, str(max(1, self.batch_size // parts) * parts)
            )
        if self.validate_every and not self.validation_count:
            why = f"validate_every is {self.validate_every} but no example is held out"
            raise InputError("validation_count", 0, why, "64")
        if self.slider:
            slider_recipe.refuse_unused(self)

    @property
    def dtype(self) -> str:
        """The number type of the base model, as torch calls it."""
        return _DTYPES[self.mixed_precision]

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `parse` reads back to an equal recipe."""
        plain = {name: getattr(self, name) for name in _plain_fields()}
        dataset = {"name": self.dataset.name, **self.dataset.options}
        adapter = {"kind": self.adapter.kind, **dataclasses.asdict(self.adapter.config)}
        slider = {"slider": dataclasses.asdict(self.slider)} if self.slider else {}
        return {**plain, "dataset": dataset, "adapter": _without_none(adapter), **slider}

    def to_toml(self) -> str:
        """The whole recipe as a file that `read` understands."""
        return to_toml(self.to_dict())

    def weight_fields(self) -> dict[str, Any]:
        """The values that the trained weights depend on, dotted; a checkpoint carries them."""
        free = FREE_FIELDS | ({"steps"} if self.schedule == "constant" else set())
        flat = json.loads(json.dumps(_flat(self.to_dict())))  # what a file would give back: lists, not tuples
        return {name: value for name, value in flat.items() if name not in free}


def read(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a TOML file with `key=value` overrides (dotted for tables: `dataset.count=64`).

    `data=FOLDER` stands for the dataset whose layout the folder has, and for its root.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError("recipe", path, f"cannot read {str(path)!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("recipe", path, f"{str(path)!r} is not TOML: {error}") from None
    for text in overrides:
        _override(values, text)
    if "data" in values:
        folder = str(values.pop("data"))
        values["dataset"] = data_layout.dataset(folder, values)
    return parse(values)


def parse(values: Mapping[str, Any]) -> Recipe:
    """A recipe from nested plain values. InputError names the key and the nearest right one."""
    known = [*_plain_fields(), "dataset", "adapter", "slider"]
    for name in values:
        if name not in known:
            raise InputError(name, values[name], f"unknown key {name!r} in the recipe", nearest(name, known))
    specs = _plain_fields()
    plain = {name: params.check(specs[name], value) for name, value in values.items() if name in specs}
    model = str(plain.get("model", specs["model"].default))
    adapter = _adapter(_table(values, "adapter"), model)
    slider = slider_recipe.parse(_table(values, "slider")) if "slider" in values else None
    return Recipe(_dataset(_table(values, "dataset")), adapter, slider, **plain)


def _plain_fields() -> dict[str, params.ParamSpec]:
    """What is known of the values outside the two tables."""
    hints = typing.get_type_hints(Recipe)
    return {
        field.name: params.ParamSpec(field.name, hints[field.name], field.default, **field.metadata)
        for field in dataclasses.fields(Recipe)
        if field.metadata
    }


def _override(values: dict[str, Any], text: str) -> None:
    """Put `key=value` or `table.key=value` into `values`; what is no TOML value is text."""
    key, equals, written = text.partition("=")
    if not equals or not key.strip():
        raise InputError("override", text, f"expected key=value, got {text!r}")
    *tables, name = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise InputError(key.strip(), written, f"{table!r} is a single value, not a table")
    try:
        values[name] = tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        values[name] = written.strip()


def _table(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = values.get(name)
    if not isinstance(table, dict):
        raise InputError(name, table, f"the recipe needs a table [{name}]")
    return dict(table)


def _dataset(table: dict[str, Any]) -> DatasetChoice:
    name = _word(table, "dataset", "name", catalog.names("dataset"))
    specs = {spec.name: spec for spec in params.specs(_dataset_module(name).Dataset)}
    _known("dataset", table, specs)
    given = {key: _checked("dataset", specs[key], value) for key, value in table.items()}
    return DatasetChoice(name, {key: spec.default for key, spec in specs.items()} | given)


def _dataset_module(name: str) -> ModuleType:
    try:
        return catalog.load("dataset", name)
    except ImportError as error:  # drawing libraries are no part of what rendering installs
        help = "pip install -r requirements-dev.txt; on Linux also the system's libegl1 and libgl1"
        why = f"{name!r} cannot be used ({error}): {help}"
        raise InputError("dataset.name", name, why) from error


def _adapter(table: dict[str, Any], model: str) -> AdapterChoice:
    """The adapter's Config says what it takes; `targets` may name a preset of it, `labels` a taxonomy."""
    table.setdefault("base_model", model)
    kind = _word(table, "adapter", "kind", catalog.names("adapter kind"))
    module = catalog.load("adapter kind", kind)
    if not hasattr(module.Adapter, "create"):
        raise InputError("adapter.kind", kind, f"{kind!r} has nothing that could be trained", "emotion_lora")
    hints = typing.get_type_hints(module.Config)
    _known("adapter", table, hints)
    if isinstance(targets := table.get("targets"), str):
        if targets not in module.PRESETS:
            near = nearest(targets, module.PRESETS)
            raise InputError("adapter.targets", targets, f"no preset {targets!r}", near)
        table["targets"] = module.PRESETS[targets]
    if isinstance(taxonomy := table.get("labels"), str):
        table["labels"] = {one.word: [one.mean, one.sd] for one in lexicon().kernels(taxonomy)}
    typed = {key: _typed(key, hints[key], value) for key, value in table.items()}
    return AdapterChoice(kind, module.Config(**typed))


def _word(table: dict[str, Any], where: str, field: str, choices: Sequence[str]) -> str:
    word = str(table.pop(field, ""))
    if word not in choices:
        why = f"{word!r} is not one of {', '.join(choices)}"
        raise InputError(f"{where}.{field}", word, why, nearest(word, choices))
    return word


def _known(where: str, table: Mapping[str, Any], choices: Mapping[str, Any]) -> None:
    for key in table:
        if key not in choices:
            name = f"{where}.{key}"
            raise InputError(name, table[key], f"unknown key {key!r} in [{where}]", nearest(key, choices))


def _checked(where: str, spec: params.ParamSpec, value: Any) -> Any:
    return params.check(dataclasses.replace(spec, name=f"{where}.{spec.name}"), value)


def _typed(name: str, hint: Any, value: Any) -> Any:
    """A plain field through the common check; tables stay, lists become tuples."""
    if hint in (bool, int, float, str):
        return params.check(params.ParamSpec(f"adapter.{name}", hint, None, ""), value)
    if isinstance(value, str | int | float):
        raise InputError(f"adapter.{name}", value, f"expected a table or a list, got {value!r}")
    return tuple(value) if isinstance(value, list) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        inner = isinstance(value, Mapping)
        flat.update(_flat(value, f"{prefix}{name}.") if inner else {prefix + name: value})
    return flat


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
