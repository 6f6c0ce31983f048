"""Annotation files as plain values with the number of their line or record. Knows formats, no data set."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from studio.errors import InputError, StudioError

Made = TypeVar("Made")
_SHOWN = 20  # problems that a message lists


def read_text(path: Path) -> str:
    """The whole of a UTF-8 file. InputError says what is wrong with it."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"{str(path)!r} is not UTF-8 text (byte {error.start})"
        raise InputError("dataset.root", str(path), why) from None
    except OSError as error:
        why = f"cannot read {str(path)!r}: {error.strerror or error}"
        raise InputError("dataset.root", str(path), why) from None


def read_json(path: Path) -> Any:
    """A whole JSON file. InputError names file, line and column of the first mistake."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError("dataset.root", str(path), f"{str(path)!r} is not JSON: {error}") from None


def read_records(path: Path) -> list[Any]:
    """A JSON file that holds a list."""
    records = read_json(path)
    if not isinstance(records, list):
        raise InputError("dataset.root", str(path), f"{str(path)!r} must hold a list [ ... ]")
    return records


def jsonl_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number, text) of every line that is not empty; lines end at line feeds only, for captions may
    hold any other separator."""
    lines = enumerate(read_text(path).split("\n"), 1)
    return ((number, line) for number, line in lines if line.strip())


def csv_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, column -> text) of every row; empty cells are left out."""
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for row in reader:
            if None in row:
                why = f"{path.name} line {reader.line_num}: more cells than columns (quote text with commas)"
                raise InputError("dataset.root", str(path), why)
            yield reader.line_num, {name: cell for name, cell in row.items() if cell and cell.strip()}
    except csv.Error as error:
        why = f"{path.name} line {reader.line_num}: {error}"
        raise InputError("dataset.root", str(path), why) from None


def collect(
    path: Path, rows: Iterable[tuple[int, Any]], make: Callable[[Any], Made], unit: str
) -> list[Made]:
    """`make` of every row. InputError lists the bad ones with their number: `metadata.csv line 3: ...`."""
    made: list[Made] = []
    problems: list[str] = []
    for number, row in rows:
        try:
            made.append(make(row))
        except StudioError as error:
            problems.append(f"  {unit} {number}: {error}")
    if problems:
        more = [f"  and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        count = f"{len(problems)} bad {unit}{'s' if len(problems) > 1 else ''}"
        raise InputError(str(path), str(path), "\n".join([count, *problems[:_SHOWN], *more]))
    return made


def no_layout(root: str, kind: str, expected: str) -> InputError:
    """The error for a folder of another layout; `expected` names the files that would be right.

    Where `kind` is a file's name and it lies one folder further down, that folder is suggested.
    """
    deeper = next((str(path.parent) for path in Path(root).expanduser().glob(f"*/{kind}")), None)
    return InputError("dataset.root", root, f"no {kind} in folder {root!r}; expected {expected}", deeper)
