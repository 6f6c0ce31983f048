"""The folder tree is the registry: a file's path is its name, and listing imports nothing.

`load` is the single dynamic import of the house. Files that begin with `_` are helpers, not entries.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from studio import params
from studio.errors import InputError, ModelError, NotFoundError
from studio.lazy import lazy
from studio.settings import Settings

hub = lazy("huggingface_hub")

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"
DEFAULT_PIPELINE = "image/sd"
TINY = "tiny:"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
RUN_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}", re.ASCII)  # one folder, never above or below it
KINDS = {
    "pipeline": "pipelines",
    "adapter kind": "adapters",
    "dataset": "training/data",
    "medium": "training/media",
}
CLASSES = {"pipeline": "Pipeline", "adapter kind": "Adapter", "dataset": "Dataset", "medium": "Medium"}


def names(kind: str) -> list[str]:
    """Names of a kind of KINDS: `pipelines/image/sd.py` is `image/sd`."""
    folder = ROOT / KINDS[kind]
    depth = "*/*.py" if kind == "pipeline" else "*.py"
    entries = (path for path in folder.glob(depth) if _offers(path, CLASSES[kind]))
    found = (path.relative_to(folder).with_suffix("") for path in entries)
    return sorted(path.as_posix() for path in found if not any(part.startswith("_") for part in path.parts))


def _offers(path: Path, name: str) -> bool:
    """Whether a file defines a class of that name: gates beside adapters are no kind of adapter."""
    return f"\nclass {name}" in path.read_text("utf-8")


def load(kind: str, name: str) -> ModuleType:
    """The module of that name. Raises NotFoundError with the nearest name."""
    known = names(kind)
    if name not in known:
        raise NotFoundError(kind, name, known)
    return importlib.import_module(f"{KINDS[kind]}/{name}".replace("/", "."))


def dataset_medium(name: str) -> str:
    """The medium of a dataset's examples, as names of pipelines begin; `MEDIUM` of its class says it where

    they are no pictures."""
    return str(getattr(load("dataset", name).Dataset, "MEDIUM", "image"))


def param_specs(pipeline: str) -> tuple[params.ParamSpec, ...]:
    """The parameters a pipeline takes, in the order it declares them."""
    return params.specs(load("pipeline", pipeline).Params)


def models() -> dict[str, Path]:
    """Embedded models: name -> folder."""
    return _asset_folders("models", "model_index.json")


def adapters() -> dict[str, Path]:
    """Embedded adapters: name -> folder."""
    return _asset_folders("adapters", "adapter.json")


def training_folder() -> Path:
    """Where the runs of this installation are, a folder each: `training` in EMOTION_STUDIO_OUTPUTS."""
    return Settings.from_environment().outputs / "training"


def imported_folder() -> Path:
    """Where adapters from elsewhere are, a folder each: `adapters` in EMOTION_STUDIO_OUTPUTS."""
    return Settings.from_environment().outputs / "adapters"


def own_adapters() -> dict[str, Path]:
    """Adapters of this installation, name -> folder: trained here (`training_folder`), or imported.

    One with the name of an embedded adapter is not among them, nor an imported one with the name of a run;
    their folders can still be named.
    """
    imported = {path.parent.name: path.parent for path in imported_folder().glob("*/adapter.json")}
    runs = training_folder().glob("*/adapter/adapter.json")
    found = {**imported, **{path.parent.parent.name: path.parent for path in runs}}
    embedded = adapters()
    return {name: found[name] for name in sorted(found) if name not in embedded and RUN_NAME.fullmatch(name)}


def _asset_folders(kind: str, marker: str) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sorted((ASSETS / kind).glob(f"*/{marker}"))}


def find_model(name: str) -> str:
    """What a pipeline loads for `name`: the folder of an embedded model, a user's folder, or a hub id."""
    embedded = models()
    if name in embedded:
        return str(embedded[name])
    folder = _folder(name)
    if folder is not None:
        return str(_usable_model_folder(folder))
    if _is_file(name):
        how = "from_single_file(FILE).save_pretrained(FOLDER) of its diffusers pipeline makes one"
        raise ModelError(f"model: {name!r} is a file; a model is a folder in diffusers format: {how}")
    if HUB_ID.fullmatch(name):
        return name
    raise NotFoundError("model", name, embedded)


def pipeline_of(model: str) -> str:
    """The family that a model's files name; DEFAULT_PIPELINE where they are not here or name none.

    A pipeline's file says what it loads: `CLASSES`, as model_index.json calls them.
    """
    folder = models().get(model) or _folder(model)
    try:
        index = json.loads((folder / "model_index.json").read_text("utf-8")) if folder else {}
        kind = index.get("_class_name")
    except (OSError, ValueError, AttributeError):  # it is no model, as its pipeline will say
        return DEFAULT_PIPELINE
    found = (name for name in names("pipeline") if kind in getattr(load("pipeline", name), "CLASSES", ()))
    return next(found, DEFAULT_PIPELINE)


def tiny_seed(model: str, field: str = "model") -> int | None:
    """The seed of `tiny:SEED`, a family's toy-size model with random weights; None for any other model.

    Raises InputError, of `field`, when SEED is no whole number.
    """
    if not model.startswith(TINY):
        return None
    seed = model.removeprefix(TINY)
    if not seed.isdecimal():
        why = f"expected {TINY}SEED with a whole number, got {model!r}"
        raise InputError(field, model, why, f"{TINY}0")
    return int(seed)


def _folder(name: str) -> Path | None:
    """The folder a person means by `name`, if there is one."""
    try:
        folder = Path(name).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long for a path, no such home, a NUL
        return None


def _is_file(name: str) -> bool:
    try:
        return Path(name).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def _usable_model_folder(folder: Path) -> Path:
    if not (folder / "model_index.json").is_file():
        raise ModelError(f"model: {str(folder)!r} is not a model folder (no model_index.json in it)")
    if not any(folder.rglob("*.safetensors")):
        raise ModelError(f"model: {str(folder)!r} has no .safetensors weights; other formats are not loaded")
    return folder


def find_adapter(name: str) -> Path:
    """The folder of an adapter: an embedded name, one of `own_adapters`, or a folder with an adapter.json."""
    known = {**own_adapters(), **adapters()}
    if name in known:
        return known[name]
    folder = _folder(name)
    if folder is None:
        raise NotFoundError("adapter", name, known)
    if not (folder / "adapter.json").is_file():
        raise ModelError(f"adapter: {str(folder)!r} is not an adapter folder (no adapter.json in it)")
    return folder


def adapter_card(name: str) -> dict[str, Any]:
    """The `adapter.json` of an adapter: its kind, basis, base model, usable strengths."""
    path = find_adapter(name) / "adapter.json"
    try:
        card = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"adapter: {str(path)!r} cannot be read as JSON") from error
    if not isinstance(card, dict):
        raise ModelError(f"adapter: {str(path)!r} holds no JSON object")
    if not _is_range(card.get("strength_range", [-2, 2])):
        why = f"strength_range must be two numbers, got {card['strength_range']!r}"
        raise ModelError(f"adapter: {str(path)!r}: {why}")
    return card


def _is_range(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(end, int | float) and not isinstance(end, bool) for end in value)
    )


def check_base(adapter: str, model: str) -> None:
    """Raise ModelError when the names alone say that an adapter was made for another model than this one.

    Folders may hold the same model under any name: there only the shapes of the weights decide, at loading.
    """
    base = adapter_card(adapter).get("base_model")
    if model not in models() or not isinstance(base, str) or base == model:
        return
    if base in models() or (HUB_ID.fullmatch(base) and _folder(base) is None):
        raise ModelError(f"adapter: {adapter!r} was made for model {base!r}, not for {model!r}")


def default_adapters(model: str, pipeline: str = DEFAULT_PIPELINE) -> tuple[str, ...]:
    """The adapters an embedded model wears when nobody names any: those that were trained in this family,
    and only where there is none, those that name no family."""
    found = {name: adapter_card(name).get("pipeline") for name in adapters() if _is_default_for(name, model)}
    own = tuple(name for name, family in found.items() if family == pipeline)
    return own or tuple(name for name, family in found.items() if not family)


def _is_default_for(name: str, model: str) -> bool:
    card = adapter_card(name)
    return bool(card.get("default", False)) and card.get("base_model") == model


@lru_cache(maxsize=64)
def _file_digest(path: Path, size: int, mtime_ns: int) -> bytes:
    """Digest of a file; of head and tail only beyond 64 MiB, where reading everything would cost seconds."""
    digest = hashlib.blake2b(f"{path.name}:{size}".encode(), digest_size=16)
    with path.open("rb") as file:
        if size <= 1 << 26:
            digest.update(file.read())
        else:
            digest.update(file.read(1 << 20))
            file.seek(-(1 << 20), 2)
            digest.update(file.read())
    return digest.digest()


def revision(folder: str | Path) -> str:
    """Short fingerprint of what a folder holds; of a hub id its commit, or the id until it is downloaded.

    Raises ModelError for a file that cannot be read.
    """
    root = Path(folder)
    try:
        if not root.is_dir():
            return _downloaded_commit(str(folder))
        digest = hashlib.blake2b(digest_size=8)
        for path in _weight_files(root):
            stat = path.stat()
            digest.update(_file_digest(path, stat.st_size, stat.st_mtime_ns))
    except OSError as error:
        where = error.filename or folder
        raise ModelError(f"{str(where)!r} cannot be read ({error.strerror or error})") from error
    return digest.hexdigest()


def _downloaded_commit(hub_id: str) -> str:
    files = ("model_index.json", "config.json") if HUB_ID.fullmatch(hub_id) else ()  # a model, one network
    found = (hub.try_to_load_from_cache(hub_id, file) for file in files)
    return next((Path(one).parent.name for one in found if isinstance(one, str)), hub_id)


def _weight_files(root: Path) -> Iterable[Path]:
    found = (path for path in root.rglob("*") if path.suffix in {".safetensors", ".json", ".txt"})
    return sorted(path for path in found if not path.is_dir())
