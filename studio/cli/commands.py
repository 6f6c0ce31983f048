"""What each command does. Heavy modules stand behind `lazy`, so that `--help` and mistakes answer at once."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli import clip_facts, memory, tables
from studio.cli.progress import Progress, duration
from studio.errors import InputError, NotFoundError, StorageError
from studio.lazy import lazy
from studio.params import ParamSpec, check
from studio.settings import Settings

if TYPE_CHECKING:
    from studio import batch as batches
    from studio import provenance, request
    from studio import render as rendering
    from studio.batch import BatchProgress
    from studio.ports import OnStep, Step
    from studio.request import RenderRequest
    from studio.web import launch as web
else:
    batches, provenance, rendering = lazy("studio.batch"), lazy("studio.provenance"), lazy("studio.render")
    request, web = lazy("studio.request"), lazy("studio.web.launch")

MAX_COUNT = 10_000
TOPICS = tuple(tables.TOPICS)
_REQUEST_FLAGS = ("pipeline", "model", "prompt", "negative_prompt", "emotion", "seed", "adapters")
Say = Callable[[str], None]


def recorded(path: str) -> Mapping[str, Any]:
    """The record inside a rendered file."""
    return provenance.read_provenance(path)


def run_render(args: argparse.Namespace) -> int:
    """Render one request, or `--count` of them with seeds one apart; the paths go to stdout."""
    record = recorded(args.source) if args.source else None
    given = _given(args, (*_REQUEST_FLAGS, *args.param_names))
    recorded_values = record["request"] if record else {}
    if files := _files(args):
        given["inputs"] = {**recorded_values.get("inputs", {}), **files}
    first = request.RenderRequest.parse({**recorded_values, **given})
    count = _whole("count", args.count, 1, MAX_COUNT)
    seeds = [(first.seed + index) % (request.MAX_SEED + 1) for index in range(count)]
    requests = [dataclasses.replace(first, seed=seed) for seed in seeds]
    say = _say(args.quiet)
    if record is not None and first.to_dict() == record["request"]:
        for note in _changes(record["versions"], rendering.versions(first)):
            say(f"note: {note}; the bytes may differ")
    _render_all(requests, args, say)
    return 0


def _render_all(requests: Sequence[RenderRequest], args: argparse.Namespace, say: Say) -> None:
    studio = rendering.Studio()
    folder = Path(args.out) if args.out else studio.settings.outputs
    done = 0
    with Progress(args.quiet) as progress:
        on_step = _counter(progress, len(requests), studio.settings.batch_size, lambda: done)
        for result in studio.render(requests, folder, on_step=on_step):
            progress.clear()
            print(result.path, flush=True)
            say(f"seed {result.request.seed}, {result.seconds:.1f} s")
            for note in result.notes if not done else ():  # the others only differ by their seed
                say(f"note: {note}")
            done += 1


def _counter(progress: Progress, total: int, batch_size: int, done: Callable[[], int]) -> OnStep:
    def on_step(step: Step) -> None:
        rows = min(batch_size, total - done())
        fraction = (done() + rows * step.done / step.total) / total
        progress.update(fraction, f"step {step.done}/{step.total}")

    return on_step


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"made with {name} {then[name]}, here is {now.get(name)}"
        for name in then
        if then[name] != now.get(name)
    ]


def run_batch(args: argparse.Namespace) -> int:
    """Render a prompts file; run again, it goes on where it stopped. Returns 1 when rows failed."""
    settings = Settings.from_environment()
    folder = Path(args.out) if args.out else settings.outputs / Path(args.file).stem
    options = batches.BatchOptions(_given(args, _REQUEST_FLAGS), args.keep_going, args.retry_failed)
    say = _say(args.quiet)
    with Progress(args.quiet) as progress:

        def on_progress(now: BatchProgress) -> None:
            progress.show(now.line(progress.columns), is_last=now.done + now.failed == now.total)

        summary = batches.run_batch(args.file, folder, settings, options, on_progress)
    for problem in summary.problems:
        say(f"skipped line {problem.line}: {problem.reason}")
    before = summary.done - summary.rendered
    already = f", {before} there before" if before else ""
    say(f"{summary.rendered} rendered{already}, {summary.failed} failed, {duration(summary.seconds)}")
    if summary.failed:
        print(
            f"{summary.failed} of {summary.total} rows failed; {folder / batches.MANIFEST_NAME} says why",
            file=sys.stderr,
        )
    print(folder / batches.SHEET_NAME)
    return 1 if summary.failed else 0


def run_list(args: argparse.Namespace) -> int:
    """Print one table, or all of them."""
    if args.topic is not None and args.topic not in TOPICS:
        raise NotFoundError("topic", args.topic, TOPICS)
    if args.name is not None and args.topic != "emotions":
        raise InputError(
            "command line", args.name, f"unexpected word {args.name!r}: only 'emotions' takes one"
        )
    if args.name is not None:
        print(tables.labels(args.name))
        return 0
    topics = [args.topic] if args.topic else [topic for topic in TOPICS if topic not in tables.LONG]
    print("\n\n".join(tables.TOPICS[topic]() for topic in topics))
    return 0


def run_inspect(args: argparse.Namespace) -> int:
    """Print how a file was made and what a clip shows; of a model, its parts and the memory they need."""
    model = memory.model(args.file)
    if model is not None:
        facts = memory.facts(model)
        print(json.dumps(facts, indent=2) if args.json else memory.text(args.file, model))
        return 0
    record, measured = _inspected(args.file)
    if args.json:
        found = {**(record or {}), **({"measured": measured} if measured else {})}
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(tables.record(args.file, record, clip_facts.text(measured)))
    return 0


def _inspected(path: str) -> tuple[Mapping[str, Any] | None, dict[str, Any]]:
    """A file's record, and what a clip shows by itself; a stranger's clip has no record."""
    try:
        record = recorded(path)
    except StorageError:
        if measured := clip_facts.measured(path):
            return None, measured
        raise
    with contextlib.suppress(InputError):  # damaged; the record beside it can be read
        return record, clip_facts.measured(path)
    return record, {}


def run_app(args: argparse.Namespace) -> int:
    """Serve the web page until Ctrl-C."""
    settings = Settings.from_environment()
    if args.host:
        settings = dataclasses.replace(settings, host=args.host)
    if args.port:
        settings = dataclasses.replace(settings, port=_whole("port", args.port, 1, 65535))
    web.launch(settings)
    return 0


def _given(args: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(args, name, None)) is not None}


def _files(args: argparse.Namespace) -> dict[str, str]:
    """`NAME=FILE` of every --input, and what the flags of single files say."""
    found: dict[str, str] = {}
    flags = _given(args, [f"file_{name}" for name in args.file_names])
    for pair in [*(args.inputs or ()), *(f"{name[5:]}={file}" for name, file in flags.items())]:
        name, equals, file = pair.partition("=")
        if not (equals and name and file):
            raise InputError("--input", pair, f"expected NAME=FILE, got {pair!r}")
        if name in found:
            raise InputError("--input", pair, f"{name!r} is named twice")
        found[name] = file
    return found


def _whole(name: str, text: str, low: int, high: int) -> int:
    return int(check(ParamSpec(name, int, low, "", min=low, max=high), text))


def _say(quiet: bool) -> Say:
    return (lambda text: None) if quiet else (lambda text: print(text, file=sys.stderr, flush=True))
