"""Prompts files in, requests out: every line checked and every bad one named before anything is rendered.

It knows how lines, defaults, variants, grids and seeds become rows; `RenderRequest.parse` alone decides
whether a row is right. A file is read twice and never held: ten rows and ten million take the same memory.
The syntax is in docs/prompts.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio import catalog
from studio._prompt_files import Line, read_lines
from studio._prompt_grid import PROSE, expand
from studio._prompt_tags import for_pipeline, with_canonical_names
from studio.errors import InputError, PromptsFileError, StudioError
from studio.params import ParamSpec
from studio.request import DEFAULT_PIPELINE, FIELDS, RenderRequest, parse_adapters

MAX_LISTED_PROBLEMS = 50
_SAME_FOR_ALL = ("pipeline", "model", "negative_prompt", "emotion", "seed")


@dataclass(frozen=True, slots=True)
class PromptRow:
    """One request of a file. `number` counts rows from 1 after expansion; `line` is where it was written."""

    number: int
    line: int
    request: RenderRequest


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line, or one row that a line stands for, cannot be rendered."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """What the first pass found: how many rows are good, how many problems, and the first of these."""

    rows: int
    problem_count: int
    problems: tuple[Problem, ...]


def check_prompts(path: Path | str, defaults: Mapping[str, Any] | None = None) -> Check:
    """Read the whole file and keep nothing but counts and the first MAX_LISTED_PROBLEMS problems.

    Raises InputError or StorageError when the file cannot be read at all, or holds no prompt; what
    `RenderRequest.parse` raises when a default is wrong, which is no line's fault.
    """
    _check_defaults(defaults or {})
    rows = count = 0
    problems: list[Problem] = []
    for item in _items(Path(path), defaults or {}):
        if isinstance(item, PromptRow):
            rows += 1
            continue
        count += 1
        if count <= MAX_LISTED_PROBLEMS:
            problems.append(item)
    if not rows and not count:
        raise InputError(str(path), path, "holds no prompts")
    return Check(rows, count, tuple(problems))


def _check_defaults(defaults: Mapping[str, Any]) -> None:
    """Refuse defaults that are wrong for every line."""
    given = {name: defaults[name] for name in _SAME_FOR_ALL if defaults.get(name) is not None}
    adapters = defaults.get("adapters")
    if adapters is not None:
        parse_adapters(adapters)
    if "model" not in given:  # each line may name its own, and the adapters may be for that
        adapters = "none"
    if given.keys() - {"pipeline"}:
        RenderRequest.parse({**given, "prompt": "any", "adapters": adapters})


def read_prompts(
    path: Path | str,
    defaults: Mapping[str, Any] | None = None,
    keep_going: bool = False,
    on_problem: Callable[[Problem], None] | None = None,
) -> Iterator[PromptRow]:
    """The rows of a prompts file, checked in full before the first one comes out.

    `defaults` fill what a row leaves open. A row without a seed gets one from its number and its own fields,
    so that the same file gives the same pictures. With `keep_going` bad lines go to `on_problem` and good
    rows come out; without it any bad line raises PromptsFileError, which lists them.
    """
    require_good(path, check_prompts(path, defaults), keep_going)
    return checked_rows(path, defaults, (on_problem or _ignore) if keep_going else None)


def require_good(path: Path | str, check: Check, keep_going: bool) -> None:
    """Raise PromptsFileError when a file with these problems is not to be rendered."""
    if check.problem_count and not (keep_going and check.rows):
        listed = [(problem.line, problem.reason) for problem in check.problems]
        raise PromptsFileError(path, listed, check.problem_count)


def checked_rows(
    path: Path | str,
    defaults: Mapping[str, Any] | None = None,
    on_problem: Callable[[Problem], None] | None = None,
) -> Iterator[PromptRow]:
    """The rows of a file that `check_prompts` has passed. Without `on_problem` a bad line still raises
    PromptsFileError: the file was changed meanwhile."""
    for item in _items(Path(path), defaults or {}):
        if isinstance(item, PromptRow):
            yield item
        elif on_problem is None:
            raise PromptsFileError(path, [(item.line, item.reason)])
        else:
            on_problem(item)


def _ignore(problem: Problem) -> None:
    """What is bad has been counted by the check already."""


def _items(path: Path, defaults: Mapping[str, Any]) -> Iterator[PromptRow | Problem]:
    reader = _Reader(defaults)
    for line in read_lines(path, reader.known_names()):
        yield from reader.items(line)


@dataclass
class _Reader:
    """Counts rows over the lines of one file. A row that cannot be rendered has its number all the same, so
    that repairing it later moves no other row."""

    defaults: Mapping[str, Any]
    count: int = 0
    _specs: dict[str, dict[str, ParamSpec]] = field(default_factory=dict)

    def known_names(self) -> frozenset[str]:
        pipeline = str(self.defaults.get("pipeline") or DEFAULT_PIPELINE)
        return frozenset({*FIELDS, *self.specs(pipeline)})

    def specs(self, pipeline: str) -> dict[str, ParamSpec]:
        if pipeline not in self._specs:
            self._specs[pipeline] = {spec.name: spec for spec in catalog.param_specs(pipeline)}
        return self._specs[pipeline]

    def items(self, line: Line) -> Iterator[PromptRow | Problem]:
        try:
            if line.values is None:
                raise _Unread(line.problem)
            rows = expand(_given(line.values))
        except StudioError as error:
            self.count += 1
            yield Problem(line.number, str(error))
            return
        said: set[str] = set()
        for values in rows:
            self.count += 1
            item = self._item(line.number, values)
            if isinstance(item, PromptRow):
                yield item
            elif item.reason not in said and len(said) < MAX_LISTED_PROBLEMS:
                said.add(item.reason)  # a wrong field in a grid is one problem, not one a row
                yield item

    def _item(self, line: int, values: dict[str, Any]) -> PromptRow | Problem:
        try:
            return PromptRow(self.count, line, self._request(values))
        except StudioError as error:
            return Problem(line, str(error))

    def _request(self, values: dict[str, Any]) -> RenderRequest:
        pipeline = str(values.get("pipeline") or self.defaults.get("pipeline") or DEFAULT_PIPELINE)
        fields = {**self.defaults, **for_pipeline(values, self.specs(pipeline))}
        if fields.get("seed") in (None, ""):
            fields["seed"] = seed_of(self.count, values)
        return RenderRequest.parse(fields)


class _Unread(StudioError):
    """A line that its own reader already refused."""


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in values.items() if value is not None}
    found = with_canonical_names(given)
    for name, value in found.items():
        _check_kind(name, value)
    return found


def _check_kind(name: str, value: Any) -> None:
    """Refuse what would otherwise be turned into text unseen: {"prompt": 5}, {"emotion": {"v": 1}}."""
    for item in value if isinstance(value, list) and name != "adapters" else [value]:
        if isinstance(item, dict) and name != "inputs":
            raise InputError(name, item, "is an object; write a text or a number")
        if (name in PROSE or name == "emotion") and name != "adapters" and not isinstance(item, str | list):
            raise InputError(name, item, f"expected text, got {item!r}")


def seed_of(number: int, values: Mapping[str, Any]) -> int:
    """The seed of a row that names none, in [0, 2**32): a hash of its number and of the fields it has."""
    text = json.dumps([number, values], sort_keys=True, ensure_ascii=False, default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
