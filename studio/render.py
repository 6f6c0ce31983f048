"""The single path from requests to files: group, load, dress in adapters, render, write.

Knows the contracts of pipelines and adapters (studio.ports), never a model or a tensor. Every surface comes
through here: command line, batch, web, Python.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any, TypeVar

from studio import __version__, catalog, naming, provenance, wording
from studio.errors import ModelError, StudioError
from studio.ports import Adapter, Artifact, OnStep, Pipeline, RowEmotion, SetEmotion, Step
from studio.preflight import MemoryShortage
from studio.request import RenderRequest, RenderResult
from studio.settings import Settings
from studio.storage import NameTakenError, check_writable

T = TypeVar("T")
log = logging.getLogger("studio")
_ADAPTERS_IN_MEMORY = 8
_SPEAKING = (OSError, ValueError, RuntimeError)  # their texts stand without their names
_LIBRARIES = ("torch", "diffusers", "transformers", "peft")


class Studio:
    """Holds the models that were used last, and renders with them. One render at a time; others wait."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.from_environment()
        self._pipelines: OrderedDict[tuple[str, ...], Pipeline] = OrderedDict()
        self._adapters: OrderedDict[tuple[str, ...], Adapter] = OrderedDict()
        self._row_limits: dict[tuple[Any, ...], int] = {}  # what memory was found to hold
        self._lock = threading.Lock()

    def make(self, batch: Sequence[RenderRequest], on_step: OnStep | None = None) -> list[Artifact]:
        """One artifact per request, in order, rendered as rows of one batch; all share a `batch_key`.

        When memory runs out the batch is halved and tried again. Raises ModelError, Cancelled.
        """
        if len({request.batch_key for request in batch}) > 1:
            raise ValueError("requests of one batch must have the same batch_key")
        with self._lock, ExitStack() as stack:
            if not batch:
                return []
            pipeline, adapters = self._loaded(batch[0])
            setters = [
                stack.enter_context(adapter.applied(pipeline.modules, use.strength))
                for adapter, use in zip(adapters, batch[0].adapters, strict=True)
            ]
            told = [wording.worded(request, adapters) for request in batch]
            made = self._render_rows(
                partial(pipeline.render, set_emotion=partial(_fan_out, setters)), told, on_step
            )
            return [wording.noted(*one) for one in zip(made, batch, told, strict=True)]

    def render(
        self,
        requests: Sequence[RenderRequest],
        folder: Path,
        numbers: Sequence[int] | None = None,
        on_step: OnStep | None = None,
    ) -> Iterator[RenderResult]:
        """Render `requests` into `folder`; yields a result as each file is whole, batch by batch.

        `numbers` begin the file names, one per request; without them they go on from the highest there.
        With them a file of the same name is replaced; without them none ever is. Raises what `make` raises,
        and StorageError.
        """
        check_writable(folder)
        chosen = naming.next_numbers(folder, len(requests)) if numbers is None else numbers
        numbered = list(zip(chosen, requests, strict=True))
        for rows in _batches(numbered, self.settings.batch_size):
            with self._lock:
                pipeline, worn = self._loaded(rows[0][1])  # now, so that the seconds are those of rendering
                found = [
                    (*notes(request), *_unread(pipeline, wording.worded(request, worn)))
                    for _, request in rows
                ]
            started = time.perf_counter()
            artifacts = self.make([request for _, request in rows], on_step)
            seconds = (time.perf_counter() - started) / len(rows)
            for (number, request), artifact, said in zip(rows, artifacts, found, strict=True):
                path = _saved(artifact, folder, number, request, replace=numbers is not None)
                yield RenderResult(path, request, seconds, (*said, *getattr(artifact, "notes", ())))

    def _render_rows(
        self, render: Callable[..., list[Artifact]], batch: Sequence[RenderRequest], on_step: OnStep | None
    ) -> list[Artifact]:
        key = batch[0].batch_key
        limit = min(self._row_limits.get(key, len(batch)), len(batch))
        while True:
            parts = [batch[start : start + limit] for start in range(0, len(batch), limit)]
            try:
                made = [render(rows, on_step=_part(on_step, i, len(parts))) for i, rows in enumerate(parts)]
                return [artifact for artifacts in made for artifact in artifacts]
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                if limit == 1:
                    remedy = "ask for a smaller size or set EMOTION_STUDIO_MEMORY=offload or sequential"
                    why = f"not enough memory for a single one; {remedy}"
                    raise ModelError(f"model: {batch[0].model!r}: {why}") from error
            limit = self._row_limits[key] = (limit + 1) // 2  # outside `except`: its frames hold the tensors
            gc.collect()
            log.info("memory ran out; trying %d at a time", limit)

    def _loaded(self, request: RenderRequest) -> tuple[Pipeline, list[Adapter]]:
        pipeline = self._pipeline(request)
        if dress := getattr(pipeline, "dress", None):  # before adapters are put on what it changes
            _translated(f"model: {request.model!r}", lambda: dress(request))
        return pipeline, [self._adapter(use.name) for use in request.adapters]

    def _pipeline(self, request: RenderRequest) -> Pipeline:
        location = catalog.find_model(request.model)
        key = (request.pipeline, location, catalog.revision(location))
        pipeline = _recent(
            self._pipelines, key, self.settings.models_in_memory, partial(self._load, request, location)
        )
        if key[-1] == location:  # a hub id that loading has downloaded: from now on it goes by its commit
            now = (request.pipeline, location, catalog.revision(location))
            self._pipelines[now] = self._pipelines.pop(key)
        return pipeline

    def _load(self, request: RenderRequest, location: str) -> Pipeline:
        first_use = (
            ""
            if Path(location).is_dir()
            else " from the hub; its first use downloads it, which can take minutes"
        )
        log.info("loading %s%s", request.model, first_use)
        gc.collect()  # models that just left the cache hold reference cycles
        load = catalog.load("pipeline", request.pipeline).Pipeline.load
        return self._with_room(
            lambda memory: _translated(
                f"model: {request.model!r}",
                lambda: load(location, self.settings.device, self.settings.dtype, memory=memory),
            )
        )

    def _with_room(self, load: Callable[[str], Pipeline]) -> Pipeline:
        """What `load(memory)` returns; the models that are held leave before this one has to be offloaded."""
        memory = self.settings.memory
        if self._pipelines:
            try:
                return load("fits" if memory == "auto" else memory)
            except MemoryShortage:
                log.info("memory is short: %d loaded before make room", len(self._pipelines))
                self._pipelines.clear()
            gc.collect()  # outside `except`: its frames may hold what has to go
        return load(memory)

    def _adapter(self, name: str) -> Adapter:
        path = catalog.find_adapter(name)
        return _recent(
            self._adapters,
            (str(path), catalog.revision(path)),
            _ADAPTERS_IN_MEMORY,
            partial(_load_adapter, name),
        )


def versions(request: RenderRequest) -> dict[str, Any]:
    """What a file was made with: this program, its libraries, revisions of model and adapters."""
    return {
        "studio": __version__,
        "python": python_version(),
        **{name: _library_version(name) for name in _LIBRARIES},
        "model": catalog.revision(catalog.find_model(request.model)),
        "adapters": {use.name: catalog.revision(catalog.find_adapter(use.name)) for use in request.adapters},
        **({"weights": named} if (named := _named_weights(request)) else {}),
    }


def _named_weights(request: RenderRequest) -> dict[str, str]:
    """Revisions of what parameters name, by folder name or hub id."""
    folders = {one: Path(one).name if Path(one).is_dir() else one for one in request.weights}
    return {name: catalog.revision(folder) for folder, name in folders.items()}


def notes(request: RenderRequest) -> tuple[str, ...]:
    """What a person should know about a result: an emotion without effect, an unusual strength."""
    found = [note for use in request.adapters if (note := _strength_note(use.name, use.strength))]
    found += wording.unheard(request)
    if not request.curve.is_neutral and not any(use.strength for use in request.adapters):
        effect = getattr(catalog.load("pipeline", request.pipeline), "WITHOUT_ADAPTER", "has no effect")
        found += [f"emotion {request.curve.text!r} {effect}: no adapter is worn"] if effect else []
    return tuple(found)


def _unread(pipeline: Pipeline, request: RenderRequest) -> Iterator[str]:
    """What of its prompts a model with room for so many tokens leaves out."""
    if find := getattr(pipeline, "unread", None):
        names = ("prompt", "negative_prompt")
        for name, end in zip(names, find([request.prompt, request.negative_prompt]), strict=True):
            if end:
                yield f"{name}: too long for this model, which does not read its end: {end!r}"


def _strength_note(name: str, strength: float) -> str | None:
    low, high = catalog.adapter_card(name).get("strength_range", (-2, 2))
    if low <= strength <= high:
        return None
    return f"strength {strength:g} of {name!r} is outside [{low:g}, {high:g}], where it was found to work"


def _load_adapter(name: str) -> Adapter:
    path = catalog.find_adapter(name)
    kind = str(catalog.adapter_card(name).get("kind"))
    module = catalog.load("adapter kind", kind)
    adapter: Adapter = _translated(f"adapter: {name!r}", lambda: module.Adapter.load(path))
    return adapter


def _translated(what: str, load: Callable[[], T]) -> T:
    """What `load` returns; the many ways a library says that files are no good become one ModelError."""
    try:
        return load()
    except StudioError:
        raise
    except Exception as error:  # foreign code on files of strangers: no list of its exceptions is complete
        reason = next(iter(str(error).strip().splitlines()), "")
        kind = "" if reason and isinstance(error, _SPEAKING) else type(error).__name__
        raise ModelError(f"{what} cannot be loaded: {': '.join(filter(None, (kind, reason)))}") from error


def _recent(
    cache: OrderedDict[tuple[str, ...], T], key: tuple[str, ...], room: int, load: Callable[[], T]
) -> T:
    """`cache[key]`, loaded if missing; the least recently used leaves first, to make room for it."""
    if key not in cache:
        while len(cache) >= room:
            cache.popitem(last=False)
        cache[key] = load()
    cache.move_to_end(key)
    return cache[key]


def _batches(
    numbered: Sequence[tuple[int, RenderRequest]], size: int
) -> Iterator[list[tuple[int, RenderRequest]]]:
    """Rows that share a `batch_key`, at most `size` of them; all batches of one model follow each other."""
    groups: dict[tuple[Any, ...], dict[tuple[Any, ...], list[tuple[int, RenderRequest]]]] = {}
    for number, request in numbered:
        same_model = groups.setdefault((request.pipeline, request.model), {})
        same_model.setdefault(request.batch_key, []).append((number, request))
    for same_model in groups.values():
        for rows in same_model.values():
            yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _fan_out(setters: Sequence[SetEmotion], rows: Sequence[RowEmotion]) -> None:
    for set_emotion in setters:
        set_emotion(rows)


def _part(on_step: OnStep | None, index: int, count: int) -> OnStep:
    """Progress of part `index` of `count` as progress of the whole."""

    def report(step: Step) -> None:
        if on_step is not None:
            on_step(Step(step.done + index * step.total, step.total * count, step.preview))

    return report


def _saved(artifact: Artifact, folder: Path, number: int, request: RenderRequest, replace: bool) -> Path:
    """The file, under the next free number when somebody else who renders into this folder took the name."""
    record = provenance.record(request.to_dict(), versions(request))
    while True:
        path = folder / naming.file_name(number, request.title, request.curve.text, artifact.suffix)
        try:
            artifact.save(path, record, replace)
            return path
        except NameTakenError:
            number = naming.next_number(folder)


def _is_out_of_memory(error: BaseException) -> bool:
    """By name and text, because the classes live in libraries that this package does not import."""
    named = any(cls.__name__ == "OutOfMemoryError" for cls in type(error).__mro__)
    texts = ("out of memory", "can't allocate memory", "ALLOC_FAILED")
    return named or isinstance(error, MemoryError) or any(text in str(error) for text in texts)


@lru_cache
def _library_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
