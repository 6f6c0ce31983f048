"""The strength sweep of an adapter as files: at the end of a run, or for any adapter by command.

    python -m training.sweep ADAPTER [--out FOLDER]

    sweep.json   everything measured        sweep.png   one prompt and feeling a row, one strength a column

Knows where results go and what is already measured; how is `training.strength`'s to say.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from studio import catalog
from studio.errors import InputError, StudioError
from studio.ports import OnStep
from studio.settings import Settings
from studio.storage import check_writable, write_atomically
from training import control, medium, strength
from training.card import add_facts
from training.config import Recipe
from training.medium import Reader
from training.pictures import save_png
from training.strength import PICTURES, STRENGTHS, Plan, Sweep
from training.validation import prompts_of, rows_of

RESULT, STRIP = "sweep.json", "sweep.png"


def of_run(
    recipe: Recipe,
    pipeline: Any,
    adapter: Any,
    reader: Reader | None,
    on_step: OnStep,
    writes: bool = True,
) -> Sweep | None:
    """The sweep at the end of a run: into its folder, and the range into its adapter, which is saved there.

    What was measured before of the same weights in the same way is taken as it is. None without a reader or
    with too few pictures to measure by. Without `writes` it is only measured, by a process that helps the one
    that writes. Raises StorageError, and what `on_step` raises.
    """
    if reader is None or recipe.validation_pictures < control.MIN_SAMPLES:
        return None
    folder, axis = Path(recipe.output), recipe.slider.axis if recipe.slider else ""
    count = min(recipe.validation_pictures, PICTURES)
    how = {"prompts": prompts_of(recipe), "axis": axis, "rows": rows_of(recipe)}
    plan = Plan(pictures=count, pipeline=recipe.pipeline, **how)
    key = _key(folder / "adapter", plan, reader)
    found = _measured_before(folder, key)
    if found is None:
        found, strip = strength.sweep(pipeline, adapter, reader, plan, on_step)
        if writes:
            save(found, strip, folder, key)
    if writes:
        write_range(folder / "adapter", found)
    return found


def save(found: Sweep, strip: Image.Image, folder: Path, key: str = "") -> None:
    """Write `sweep.png`, then `sweep.json`; `key`: of what was measured and how. Raises StorageError."""
    save_png(strip, folder / STRIP)
    data = json.dumps(found.to_dict() | {"key": key}, indent=1).encode()
    write_atomically(folder / RESULT, lambda file: file.write(data))


def _key(adapter: Path, plan: Plan, reader: Reader) -> str:
    weights = (adapter / "adapter.safetensors").read_bytes()
    how = repr((plan, reader.name)).encode()
    return hashlib.blake2b(weights + how, digest_size=8).hexdigest()


def _measured_before(folder: Path, key: str) -> Sweep | None:
    try:
        values = json.loads((folder / RESULT).read_text("utf-8"))
        return Sweep.of(values) if values["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):  # none, or of another version
        return None


def write_range(adapter: Path, found: Sweep) -> None:
    """Put the usable range into an adapter's `adapter.json`, where there is one. Raises StudioError."""
    if found.strength_range is not None:
        add_facts(adapter, {"strength_range": list(found.strength_range)})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0 done, 2 something to put right."""
    parser = argparse.ArgumentParser("training.sweep", description="Find an adapter's usable strengths.")
    parser.add_argument("adapter", help="an adapter's name or folder")
    parser.add_argument("--out", type=Path, help="folder for sweep.json and sweep.png; outputs/sweeps/NAME")
    parser.add_argument("--pipeline", help="model family; by default the one it was trained in")
    parser.add_argument("--model", help="base model; by default the one the adapter was made for")
    parser.add_argument(
        "--reader", help="picture-reader, music-cues, a CLIP folder or hub id; by default the model's own"
    )
    parser.add_argument("--pictures", type=int, default=PICTURES, help="rendered at each strength")
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS, metavar="S")
    try:
        _command(parser.parse_args(arguments))
    except StudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _command(given: argparse.Namespace) -> None:
    folder = catalog.find_adapter(given.adapter)
    embedded = folder in catalog.adapters().values()  # what is shipped is not rewritten by trying it out
    out = given.out or _out_folder(folder)
    check_writable(out)
    found, strip = _measured(given, folder)
    save(found, strip, out)
    if not embedded:
        write_range(folder, found)
    print(f"{found.table()}\n\n{found.verdict}\n{out / RESULT}, {out / STRIP}")
    if embedded:
        print("an embedded adapter keeps the range it was shipped with")


def _out_folder(adapter: Path) -> Path:
    """Not the adapter's own: what lies there counts as part of it. A run calls each of its own `adapter`."""
    run = adapter.absolute()
    name = run.parent.name if run.name == "adapter" else run.name
    return Settings.from_environment().outputs / "sweeps" / name


def _measured(given: argparse.Namespace, folder: Path) -> tuple[Sweep, Image.Image]:
    card, settings = catalog.adapter_card(str(folder)), Settings.from_environment()
    kind = catalog.load("adapter kind", str(card.get("kind"))).Adapter
    if not hasattr(kind, "create"):
        why = f"{given.adapter!r} has no weights whose strength could be found"
        raise InputError("adapter", given.adapter, why)
    model = given.model or str(card.get("base_model") or "")
    name = given.pipeline or str(card.get("pipeline") or catalog.pipeline_of(model))
    looks = medium.of(name)
    plan = Plan(tuple(given.strengths), given.pictures, looks.prompts, pipeline=name)
    if looks.reader(given.reader or "", model) is None:
        raise InputError("--reader", None, f"nothing here reads {looks.words.many} of {model!r}; name one")
    family = catalog.load("pipeline", name).Pipeline
    pipeline = family.load(catalog.find_model(model), settings.device, settings.dtype)
    reader = looks.reader(given.reader or "", model, next(iter(pipeline.modules.values())).device)
    assert reader  # none is refused above
    return strength.sweep(pipeline, kind.load(folder), reader, plan)


if __name__ == "__main__":
    sys.exit(main())
