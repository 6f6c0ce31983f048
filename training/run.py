"""Train an emotion adapter from a recipe:

    accelerate launch -m training.run training/recipes/vad-image.toml [key=value ...]

Started again with the same output folder it goes on from the newest checkpoint. Ctrl-C or SIGTERM saves one.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import inspect
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import InitProcessGroupKwargs

from studio import catalog
from studio.errors import Cancelled, InputError, StudioError
from studio.run_lock import only_one
from studio.storage import check_writable, write_atomically
from training import cache, checkpoint, config, medium, memory, report, sharding, sweep
from training.cache import Cache, Source
from training.card import add_facts, write_card
from training.checkpoint import Checkpoint
from training.config import Recipe
from training.job import CHECKPOINTS, Job, OnStep, Progress
from training.loop import Trainer, check_share
from training.parts import Parts
from training.sharding import Plan
from training.signals import stop_signal
from training.slider import Lesson, PoleRows
from training.strength import Sweep
from training.validation import Validator

_PATIENCE = timedelta(hours=6)  # one process may prepare much longer than the others
_NEEDS = {  # recipe's field: what a family must have for it, what is said of one without, the right value
    "caption_dropout": ("prepare_text", "reads no captions", "0"),
    "resolution_px": ("native_size", "has no pictures that could be scaled", "0"),
    "buckets": ("native_size", "has no pictures that could be cut", "false"),
    "slider": ("predict", "cannot learn from the words of a [slider]", None),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0 done, 2 something to put right, 130 stopped and resumable."""
    parser = argparse.ArgumentParser("training.run", description="Train an emotion adapter from a recipe.")
    parser.add_argument("recipe", type=Path, help="a TOML file; see docs/training.md")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="values that replace the recipe's")
    given = parser.parse_args(arguments)
    try:
        recipe = config.read(given.recipe, given.overrides)
        with _alone(Path(recipe.output)):
            folder = train(recipe)
    except StudioError as error:
        print(f"error: {error}" if error.exit_code == 2 else str(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:  # while preparing, or the second one: in between a signal only asks
        print("stopped at once; start it again to go on from what is written", file=sys.stderr)
        return Cancelled.exit_code
    if PartialState().is_main_process:
        print(f"adapter: {folder}")
    return 0


def _alone(folder: Path) -> contextlib.AbstractContextManager[None]:
    """No two runs train one folder at a time; of the processes of a run the first one speaks for all."""
    return only_one(folder) if os.environ.get("RANK", "0") == "0" else contextlib.nullcontext()


def train(recipe: Recipe, on_step: OnStep = lambda step, loss: None) -> Path:
    """Run a recipe to its end, from its newest checkpoint if there is one; the folder of the adapter.

    Raises the StudioError family; Cancelled after a signal, with a checkpoint written.
    """
    with sharding.asked() as asked:
        accelerator = _accelerator(recipe)
        several = accelerator.num_processes > 1
        return _train(recipe, accelerator, sharding.plan() if asked and several else None, on_step)


def _train(recipe: Recipe, accelerator: Accelerator, plan: Plan | None, on_step: OnStep) -> Path:
    folder = Path(recipe.output)
    check_writable(folder)
    check_share(recipe, accelerator.num_processes)
    dataset = catalog.load("dataset", recipe.dataset.name).Dataset(**recipe.dataset.options)
    data, identity = _data_key(recipe, dataset), _identity(recipe)
    newest = checkpoint.latest(folder / CHECKPOINTS)
    saved = checkpoint.load(newest, identity, data) if newest else None
    pipeline = _pipeline(recipe, torch.device("cpu") if plan else accelerator.device)
    parts = Parts(pipeline.modules, accelerator.device)
    shards = _shards(parts, plan, accelerator) if plan else {}
    adapter = _adapter(recipe, pipeline, accelerator.device)  # before preparing takes hours: it may not fit
    main = accelerator.is_main_process
    validator = Validator.of(recipe, pipeline, writes=main) if main or shards else None
    prepared = _prepared(folder / "cache" / data, recipe, dataset, pipeline, accelerator)
    if main:
        write_atomically(folder / "recipe.toml", lambda file: file.write(recipe.to_toml().encode()))
    lesson, rows = _lesson(recipe, pipeline, prepared)
    with stop_signal() as stop_asked:
        with (
            parts.training(recipe.gradient_checkpointing),
            adapter.trainable(pipeline.modules) as set_emotion,
        ):
            show = partial(validator.show, set_emotion=set_emotion) if validator else None
            work = (recipe, pipeline, adapter, set_emotion, rows, data, identity, parts.awake)
            job = Job(*work, show, lesson, shards)
            progress = _run(job, accelerator, saved, on_step, stop_asked)
        facts = _facts(job, dataset, progress) if main else {}
        if main:
            adapter.save(folder / "adapter", half=recipe.save_half)  # whole before strengths are measured
            add_facts(folder / "adapter", {"pipeline": recipe.pipeline})
            _describe(recipe, facts, progress)
        if shards:
            accelerator.wait_for_everyone()  # for the adapter that all help to measure
            stop_asked = sharding.asked_of_all(accelerator, stop_asked)
        swept = _sweep(job, validator, stop_asked, main) if validator else None
        if swept and main:
            _describe(recipe, facts, progress, swept)
    accelerator.wait_for_everyone()
    return folder / "adapter"


def _shards(parts: Parts, plan: Plan, accelerator: Accelerator) -> dict[str, int]:
    """The network that learns goes to the device in pieces, the others whole."""
    shards = sharding.shard(parts.learner, plan, accelerator)
    for other in parts.others:
        other.to(accelerator.device)
    return shards


def _run(
    job: Job,
    accelerator: Accelerator,
    saved: Checkpoint | None,
    on_step: OnStep,
    stop_asked: Callable[[], bool],
) -> Progress:
    trainer = Trainer(job, accelerator)
    if saved:
        trainer.resume(saved)
    return trainer.run(on_step, stop_asked)


def _accelerator(recipe: Recipe) -> Accelerator:
    try:
        return Accelerator(
            mixed_precision=recipe.mixed_precision,
            gradient_accumulation_steps=recipe.gradient_accumulation,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)],
        )
    except ValueError as error:  # a number type that this device cannot do
        raise InputError("mixed_precision", recipe.mixed_precision, str(error), "no") from error


def _revision(recipe: Recipe) -> str:
    """What the base model is, to the byte where its files are here."""
    if recipe.model.startswith(catalog.TINY):
        return recipe.model
    return catalog.revision(catalog.find_model(recipe.model))


def _data_key(recipe: Recipe, dataset: Any) -> str:
    """Of what is prepared: the examples, what they are cut to, and the model that encodes them."""
    shapes = {"buckets": recipe.buckets, "resolution_px": recipe.resolution_px}
    description = {"examples": dataset.description, **shapes}
    return cache.key(description, _revision(recipe), recipe.dtype)


def _identity(recipe: Recipe) -> dict[str, Any]:
    """What the weights depend on: an adapter to start from by its content, not its name."""
    fields = recipe.weight_fields()
    if recipe.start_from:
        fields["start_from"] = f"content {catalog.revision(catalog.find_adapter(recipe.start_from))}"
    return fields


def _family(recipe: Recipe) -> Any:
    family = catalog.load("pipeline", recipe.pipeline).Pipeline
    if not hasattr(family, "loss"):
        raise InputError("pipeline", recipe.pipeline, f"{recipe.pipeline!r} has no loss to train with")
    if recipe.snr_gamma and "snr_gamma" not in inspect.signature(family.loss).parameters:
        raise InputError("snr_gamma", recipe.snr_gamma, f"{recipe.pipeline!r} cannot weigh by min-SNR", "0")
    for field, (method, what, off) in _NEEDS.items():
        value = getattr(recipe, field)
        if value and not hasattr(family, method):
            raise InputError(field, value, f"{recipe.pipeline!r} {what}", off)
    return family


def _pipeline(recipe: Recipe, device: torch.device) -> Any:
    family = _family(recipe)
    seed = catalog.tiny_seed(recipe.model)
    if seed is None:
        memory.check(recipe, device, PartialState().num_processes)
        return family.load(catalog.find_model(recipe.model), str(device), recipe.dtype, memory="fast")
    pipeline = family.tiny(seed)
    for module in pipeline.modules.values():
        module.to(device)
        if recipe.dtype != "float32":  # as it is; naming it makes diffusers warn
            module.to(getattr(torch, recipe.dtype))
    return pipeline


def _prepared(folder: Path, recipe: Recipe, dataset: Any, pipeline: Any, accelerator: Accelerator) -> Cache:
    """The cache of the data, made now as far as it is missing; every process does its share."""
    blank = recipe.caption_dropout > 0
    fit = medium.of(recipe.pipeline).fit(recipe, pipeline)
    if not cache.is_complete(folder, blank):
        text = pipeline.prepare_text if blank else None
        source = Source(dataset, pipeline.prepare, fit, text, getattr(pipeline, "unread", _reads_all))
        cache.fill(folder, source, (accelerator.process_index, accelerator.num_processes))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            for line in cache.finish(folder, source):
                print(f"left out: {line}", file=sys.stderr)
            if too_long := Cache(folder).too_long:
                told = f"{too_long} captions are longer than the model reads"
                print(f"{told}; what is beyond is not learnt", file=sys.stderr)
        accelerator.wait_for_everyone()
    return Cache(folder)


def _reads_all(_captions: Sequence[str]) -> list[str]:
    """Of a family that reads no captions, or all of them: there is no end that it does not read."""
    return []


def _lesson(recipe: Recipe, pipeline: Any, prepared: Cache) -> tuple[Any, Any]:
    """What gives the loss, and the rows it is taken on: of the examples' emotions, or of a slider's words."""
    if not recipe.slider:
        return pipeline, prepared
    return Lesson(recipe.slider, pipeline), PoleRows(prepared, recipe.slider)


def _adapter(recipe: Recipe, pipeline: Any, device: torch.device) -> Any:
    kind = catalog.load("adapter kind", recipe.adapter.kind).Adapter
    fresh = kind.create(pipeline.modules, recipe.adapter.config, seed=recipe.seed)
    if recipe.start_from:
        begun = kind.load(catalog.find_adapter(recipe.start_from)).state_dict()
        if not _shapes(begun).items() <= _shapes(fresh.state_dict()).items():
            why = f"{recipe.start_from!r} has other layers or shapes than this recipe's adapter"
            raise InputError("start_from", recipe.start_from, why)
        fresh.load_state_dict({**fresh.state_dict(), **begun})  # layers that it does not have stay fresh
    return fresh.to(device)


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _facts(job: Job, dataset: Any, progress: Progress) -> dict[str, Any]:
    """What the card says of a run besides its recipe."""
    return {
        "steps": progress.step,
        "examples": len(job.cache),
        "data": dataset.description,
        "base model revision": _revision(job.recipe),
        "time": f"{progress.seconds / 60:.1f} minutes",
        **{name: importlib.metadata.version(name) for name in ("torch", "diffusers", "peft", "accelerate")},
    }


def _describe(
    recipe: Recipe, facts: Mapping[str, Any], progress: Progress, swept: Sweep | None = None
) -> None:
    """Card and report of the adapter that is written."""
    run = Path(recipe.output)
    write_card(run / "adapter", recipe, facts, progress.figures, swept)
    report.write(run)


def _sweep(job: Job, validator: Validator, stop_asked: Callable[[], bool], writes: bool) -> Sweep | None:
    """The strengths at which the adapter that is written can be used."""

    def on_step(_step: object) -> None:
        if stop_asked():
            why = "stopped while measuring strengths; the adapter is whole; start it again to measure them"
            raise Cancelled(why)

    with contextlib.nullcontext() if writes else contextlib.redirect_stderr(io.StringIO()):  # one bar will do
        return sweep.of_run(job.recipe, job.pipeline, job.adapter, validator.reader, on_step, writes)


if __name__ == "__main__":
    sys.exit(main())
