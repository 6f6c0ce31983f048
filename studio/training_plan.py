"""What a person asks for when they train an adapter from the app, and the recipe that follows from it.

The recipe is the same TOML file that the command line takes. Knows names, ranges and presets; the trainer
reads the file and checks all of it again. Knows no queue and no process.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import catalog, naming, params
from studio.emotion import lexicon
from studio.errors import InputError, NotFoundError, StudioError
from studio.params import ParamSpec, param

BASES = {
    "vad": "every feeling in one, the usual choice",
    "axes": "three sliders (pleasant, energetic, in control), learnt apart",
    "labels": "a part for each word of a taxonomy, mixed by how well each fits",
}
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NOT_FOLDERS = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_TAKEN_WORDS = {"own", "none"}  # what the image page's adapter list says for something else
HELD_OUT_SHARE, HELD_OUT_MOST = 10, 64  # a tenth of the examples, and no more than that many


@dataclass(frozen=True, slots=True)
class Preset:
    """How long and how hard to train. `learning_rate`: of the embedded models, which are small;
    `large_rate`: of everything else. `validation_pictures`: each time that the figures are taken.

    `time`: with `emotion-tiny`, and no longer than that on two CPU cores: reckoned from what one core does,
    50 pictures learnt from in a second, and 3 made for grids, figures and the final sweep.
    """

    title: str
    time: str
    steps: int
    batch_size: int
    learning_rate: float
    large_rate: float
    warmup_steps: int
    ema_decay: float
    checkpoint_every: int
    validate_every: int
    validation_pictures: int
    log_every: int


PRESETS = {
    "quick": Preset("quick look", "a few minutes", 120, 32, 2e-3, 1e-4, 10, 0.95, 20, 120, 16, 2),
    "good": Preset("good", "about 20 minutes", 1800, 32, 2e-3, 1e-4, 100, 0.99, 50, 600, 32, 10),
    "long": Preset("long", "about 2 hours", 10000, 32, 2e-3, 1e-4, 200, 0.999, 100, 2000, 64, 20),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The values of the form. Those that are None come from the preset. Build it with `parse`."""

    name: str = param("", "lower-case letters, digits and hyphens; the adapter is used under it")
    model: str = param("emotion-tiny", "an embedded name, a folder or a hub id")
    pipeline: str = param(catalog.DEFAULT_PIPELINE, "model family")
    dataset: str = param("folder", "what kind of data")
    basis: str = param("vad", "how a feeling steers the adapter", choices=tuple(BASES))
    taxonomy: str = param("mikels", "whose words the basis 'labels' learns")
    preset: str = param("quick", "how long to train", choices=tuple(PRESETS))
    rank: int = param(16, "size of the adapter; with 'axes' and 'labels' of each part", min=1, max=256)
    steps: int | None = param(None, "empty: as the preset says", min=1, max=10_000_000)
    batch_size: int | None = param(None, "pictures a step; empty: as the preset says", min=1, max=65536)
    learning_rate: float | None = param(None, "empty: as the preset says", min=0.0, max=1.0)
    mixed_precision: str = param("no", "number type of the base model", choices=("no", "bf16", "fp16"))
    seed: int = param(0, "of weights, order and noise", min=0, max=2**31 - 1)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Plan:
        """A checked plan; empty values are defaults. Raises InputError, NotFoundError or ModelError."""
        plan: Plan = params.build(
            cls, {name: value for name, value in values.items() if value not in (None, "")}
        )
        _check_name(plan.name)
        _check_model(plan.model)
        families, kinds = trainable(), datasets(plan.pipeline)
        if plan.pipeline not in families:
            why = f"{plan.pipeline!r} cannot be trained; {', '.join(families)} can"
            raise InputError("pipeline", plan.pipeline, why)
        if plan.dataset not in kinds:
            raise NotFoundError("dataset", plan.dataset, kinds)
        if plan.basis == "labels":
            _check_taxonomy(plan.taxonomy)
        return plan


def plan_specs() -> dict[str, ParamSpec]:
    """What is known of the values of a plan; a page grows its controls from it."""
    return {spec.name: spec for spec in params.specs(Plan)}


def trainable() -> list[str]:
    """The pipelines that offer a loss."""
    return [name for name in catalog.names("pipeline") if hasattr(_family(name), "loss")]


def _family(pipeline: str) -> Any:
    return catalog.load("pipeline", pipeline).Pipeline


def datasets(pipeline: str = "") -> list[str]:
    """The datasets whose examples carry feelings and that can be used here; a file says that its own carry
    none by `HAS_FEELINGS = False`. With a `pipeline` only those of its medium."""
    usable = [name for name in catalog.names("dataset") if _is_usable(name)]
    medium = pipeline.partition("/")[0]
    return [name for name in usable if not medium or catalog.dataset_medium(name) == medium]


def dataset_title(name: str) -> str:
    """What a dataset is, in the few words that its file begins with."""
    said = catalog.load("dataset", name).__doc__ or name
    return re.split(r"[:(]|\.\s", said)[0].replace("`", "").strip()


def _is_usable(name: str) -> bool:
    try:
        return bool(getattr(catalog.load("dataset", name), "HAS_FEELINGS", True))
    except ImportError:
        return False


def dataset_specs(name: str) -> tuple[ParamSpec, ...]:
    """The options of a dataset."""
    return params.specs(catalog.load("dataset", name).Dataset)


def dataset_options(plan: Plan, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the plan's dataset, checked. Folders are made absolute; pictures get the model's own
    size where no other is asked for. Raises InputError: field, value and what would be right."""
    specs = {spec.name: spec for spec in dataset_specs(plan.dataset)}
    options: dict[str, Any] = {}
    for name, value in values.items():
        if name not in specs:
            raise InputError(f"dataset.{name}", value, f"{plan.dataset!r} has no such option")
        if value not in (None, ""):
            spec = dataclasses.replace(specs[name], name=f"dataset.{name}")
            options[name] = params.check(spec, value)
    if "size_px" in specs and "size_px" not in options and (size := native_size_px(plan.model)):
        options["size_px"] = size
    if "root" in specs:
        options["root"] = _existing_folder("dataset.root", str(options.get("root", "")))
    return options


def _existing_folder(field: str, text: str) -> str:
    if not text.strip():
        raise InputError(field, text, "is empty; name the folder with the pictures")
    try:
        folder = Path(text.strip()).expanduser()
        if folder.is_dir():
            return str(folder.absolute())
    except (OSError, RuntimeError, ValueError):
        pass
    raise InputError(field, text, f"there is no folder {text!r}")


def count_examples(plan: Plan, options: Mapping[str, Any]) -> int:
    """How many examples there are; reads what the dataset needs for it. Raises the StudioError family with
    all that is wrong in the labels, and InputError where there is nothing to learn from."""
    try:
        count = len(catalog.load("dataset", plan.dataset).Dataset(**options))
    except StudioError:
        raise
    except OSError as error:
        raise InputError("dataset", plan.dataset, f"cannot be read ({error})") from error
    if not count:
        raise InputError("dataset.root", options.get("root", ""), "holds no example to learn from")
    return count


def recipe(plan: Plan, options: Mapping[str, Any], examples: int, output: Path) -> dict[str, Any]:
    """The recipe as nested plain values. `examples`: how many there are; a tenth is held out."""
    preset = PRESETS[plan.preset]
    steps = plan.steps or preset.steps
    rate = preset.learning_rate if _is_small(plan.model) else preset.large_rate
    held_out = min(HELD_OUT_MOST, examples // HELD_OUT_SHARE)
    adapter = {"kind": "emotion_lora", "basis": plan.basis, "rank": plan.rank, "alpha": float(plan.rank)}
    if plan.basis == "labels":
        adapter["labels"] = plan.taxonomy
    return {
        "pipeline": plan.pipeline,
        "model": _absolute_if_folder(plan.model),
        "output": str(output.absolute()),
        "seed": plan.seed,
        "steps": steps,
        "batch_size": plan.batch_size or preset.batch_size,
        "learning_rate": rate if plan.learning_rate is None else plan.learning_rate,
        "warmup_steps": min(preset.warmup_steps, steps // 10),
        "ema_decay": preset.ema_decay,
        "caption_dropout": 0.1 if hasattr(_family(plan.pipeline), "prepare_text") else 0.0,
        "mixed_precision": plan.mixed_precision,
        "checkpoint_every": preset.checkpoint_every,
        "validate_every": preset.validate_every if held_out else 0,
        "validation_count": held_out,
        "validation_pictures": preset.validation_pictures,
        "log_every": min(preset.log_every, max(1, steps // 20)),
        "dataset": {"name": plan.dataset, **options},
        "adapter": {**adapter, "targets": "standard"},
    }


def native_size_px(model: str) -> int | None:
    """The side of the pictures that a model on this disk was made for; None where its files do not say."""
    if catalog.tiny_seed(model) is not None:
        return 64
    folder = Path(catalog.find_model(model))
    for name in ("unet", "transformer"):
        network, vae = _json(folder / name / "config.json"), _json(folder / "vae" / "config.json")
        side, blocks = network.get("sample_size"), vae.get("block_out_channels")
        if isinstance(side, int) and isinstance(blocks, list):
            return int(side * 2 ** (len(blocks) - 1))
    return None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_small(model: str) -> bool:
    return model in catalog.models() or model.startswith(catalog.TINY)


def _absolute_if_folder(model: str) -> str:
    if _is_small(model):
        return model
    found = catalog.find_model(model)  # a folder, or a hub id as it is
    return str(Path(found).absolute()) if Path(found).is_dir() else found


def _check_model(model: str) -> None:
    if catalog.tiny_seed(model) is None:
        catalog.find_model(model)


def _check_taxonomy(taxonomy: str) -> None:
    if not lexicon().kernels(taxonomy):  # which names the nearest for a word that is no taxonomy
        why = f"no word of {taxonomy!r} has a point in valence, arousal and dominance"
        raise InputError("taxonomy", taxonomy, why, "mikels")


def _is_adapter(name: str) -> bool:
    """Whether an adapter that was not trained here has the name; the runs' own are another matter."""
    return name in catalog.adapters() or (catalog.imported_folder() / name).exists()


def _check_name(name: str) -> None:
    if not name:
        raise InputError("name", name, "is empty; the adapter needs one", "my-adapter")
    if not NAME.fullmatch(name) or len(name) > naming.SLUG_CHARS:
        why = (
            f"must be at most {naming.SLUG_CHARS} lower-case letters, digits and single hyphens, got {name!r}"
        )
        raise InputError("name", name, why, naming.slug(name))
    if name in _NOT_FOLDERS | _TAKEN_WORDS or _is_adapter(name):
        raise InputError("name", name, f"{name!r} has another meaning already", f"my-{name}")
