"""The three shapes of a prompts file, read line by line: objects (.jsonl), a table (.csv, .tsv), text.

It turns each line into named values or into a reason why not, and holds one line at a time. It knows nothing
of pipelines or emotions; only a table's header is checked here, once, against the names it is given.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from studio._prompt_tags import ALIASES, REFUSED, canonical, parse_line
from studio.errors import InputError, StorageError, StudioError, nearest

MAX_LINE_CHARS = 100_000
_NOT_TEXT = {".json", ".yaml", ".yml", ".toml", ".xlsx", ".xls", ".ods", ".docx", ".pdf"}
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # how undecodable bytes are carried through the readers


@dataclass(frozen=True, slots=True)
class Line:
    """A line and its values, or the reason why it has none."""

    number: int
    values: dict[str, Any] | None
    problem: str = ""


def read_lines(path: Path, known: frozenset[str] | None = None) -> Iterator[Line]:
    """The lines of `path` that are not blank and not comments, by the shape its suffix names.

    `known`: the field names a table's header may use, when they are the same for every row.
    Raises InputError or StorageError when the file as a whole cannot be read.
    """
    suffix = path.suffix.lower()
    _refuse(path, suffix)
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            if suffix in {".jsonl", ".ndjson"}:
                yield from _each(file, _json_values)
            elif suffix in {".csv", ".tsv"}:
                yield from _table(path, file, known)
            else:
                yield from _each(file, parse_line)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error})") from error


def _refuse(path: Path, suffix: str) -> None:
    """Say what is wrong with a file that can hold no prompts, before any line is read."""
    if path.is_dir():
        raise InputError(str(path), path, "is a folder, not a prompts file")
    if not path.exists():
        near = nearest(path.name, _siblings(path))
        raise InputError(str(path), path, "no such prompts file", near)
    if not path.is_file():
        raise InputError(str(path), path, "is not a regular file; it is read twice, so it must be one")
    if suffix in _NOT_TEXT:
        why = f"{suffix} files are not read; write .jsonl (one object a line), .csv or .txt"
        raise InputError(str(path), path, why)
    try:
        with path.open("rb") as file:
            head = file.read(8192)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error})") from error
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(str(path), path, "is UTF-16 text; save it as UTF-8")
    if b"\0" in head:
        raise InputError(str(path), path, "is not text; a prompts file is .jsonl, .csv or .txt")


def _siblings(path: Path) -> list[str]:
    try:
        return [other.name for other in path.parent.iterdir()]
    except OSError:
        return []


def _each(file: TextIO, read: Callable[[str], dict[str, Any]]) -> Iterator[Line]:
    for number, text in _numbered(file):
        stripped = text.strip()
        if not stripped or stripped.startswith("#"):
            continue
        problem = _unreadable(text)
        values = None
        if not problem:
            try:
                values = read(stripped)
            except StudioError as error:
                problem = str(error)
        yield Line(number, values, problem)


def _numbered(file: TextIO) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; of an endless line only the beginning, so that memory stays flat."""
    number = 0
    while text := file.readline(MAX_LINE_CHARS + 1):
        number += 1
        yield number, text
        while len(text) > MAX_LINE_CHARS and not text.endswith("\n"):
            text = file.readline(MAX_LINE_CHARS + 1)


def _unreadable(text: str) -> str:
    if len(text) > MAX_LINE_CHARS:
        return f"is longer than {MAX_LINE_CHARS:,} characters"
    bad = _SURROGATE.search(text)
    if bad:
        byte = ord(bad[0]) - 0xDC00
        return f"column {bad.start() + 1}: byte 0x{byte:02X} is not UTF-8; save the file as UTF-8"
    if "\0" in text:
        return f"column {text.index(chr(0)) + 1}: a zero byte is not text"
    return ""


def _json_values(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InputError("JSON", text, f"column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise InputError("JSON", text, "is nested too deeply") from error
    except ValueError as error:  # a number with thousands of digits
        raise InputError("JSON", text, "has a number that is too long") from error
    if _SURROGATE.search(json.dumps(values, ensure_ascii=False)):
        raise InputError("JSON", text, "has half a character (a lone \\ud800 .. \\udfff)")
    if not isinstance(values, dict):
        raise InputError("JSON", text, 'is not an object; write {"prompt": "..."} on each line')
    return values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise InputError(name, value, "is given twice")
        values[name] = value
    return values


def _no_constant(name: str) -> Any:
    raise InputError("JSON", name, f"{name} is not a number here")


def _table(path: Path, file: TextIO, known: frozenset[str] | None) -> Iterator[Line]:
    first, header_text = next(((n, text) for n, text in _numbered(file) if text.strip()), (1, ""))
    if not header_text:
        return
    reader = csv.reader(_lines_of(file), delimiter=_delimiter(path, header_text), strict=True)
    try:
        header = [name.strip() for name in next(csv.reader([header_text], reader.dialect), [])]
    except csv.Error as error:
        yield Line(first, None, f"the header cannot be read: {error}")
        return
    problem = _header_problem(header, None if "pipeline" in header else known)
    if problem:
        yield Line(first, None, problem)
        return
    yield from _table_rows(reader, header, first + 1)


def _lines_of(file: TextIO) -> Iterator[str]:
    return (text for _, text in _numbered(file))


def _delimiter(path: Path, header: str) -> str:
    """Spreadsheets write a semicolon where the comma is the decimal mark."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max(",;\t", key=header.count)


def _header_problem(header: list[str], known: frozenset[str] | None) -> str:
    bad = next((name for name in header if _SURROGATE.search(name)), None)
    if bad is not None:
        return "the header is not UTF-8; save the file as UTF-8"
    if "" in header[:-1] or not any(header):
        return "the header has a column without a name"
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        return f"the header names {twice!r} twice"
    for name in header:
        if name in REFUSED:
            return f"{name}: {REFUSED[name]}"
        if name and known is not None and not _is_known(name, known):
            near = nearest(name, [*known, *ALIASES])
            return f"{name}: unknown field {name!r}" + (f"; did you mean {near!r}?" if near else "")
    return ""


def _is_known(name: str, known: frozenset[str]) -> bool:
    if canonical(name) in known or name.startswith("inputs."):
        return True
    return any(meant in known or meant.startswith("inputs.") for meant in ALIASES.get(name, ()))


def _table_rows(reader: Any, header: list[str], first: int) -> Iterator[Line]:
    """One row a record; a quoted cell may span lines, and a record's number is that of its first line."""
    while True:
        number = first + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, None, f"cannot be read as a table row: {error}")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        yield _row(number, header, cells)


def _row(number: int, header: list[str], cells: list[str]) -> Line:
    problem = _unreadable("\t".join(cells))
    extra = [cell for cell in cells[len(header) :] if cell.strip()]
    if not problem and extra:
        hint = "put a text that holds the separator in quotes"
        problem = f"has {len(cells)} cells for {len(header)} columns; {hint}"
    if problem:
        return Line(number, None, problem)
    pairs = zip(header, cells, strict=False)
    return Line(number, {name: cell.strip() for name, cell in pairs if name and cell.strip()})
