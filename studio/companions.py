"""Files that belong together: a piece of music is a MIDI file with its sound, its picture and its record.

They have one stem and lie in one folder. The record names their suffixes under "files", the main one first;
it is written last, as `<main file>.json`. A picture by itself has none of this.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from studio.storage import write_atomically

PICTURE = ".png"  # carries its record inside and stands alone, unless the record says otherwise
Writer = Callable[[BinaryIO], None]


def write_together(files: Sequence[tuple[Path, Writer]], replace: bool) -> None:
    """Write all in order; the first one reserves the name. When one cannot be written, those before it go
    again, unless they may replace others. Raises StorageError, NameTakenError."""
    written: list[Path] = []
    try:
        for path, write in files:
            write_atomically(path, write, replace)
            written.append(path)
    except BaseException:  # Ctrl-C too
        for path in () if replace else written:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise


def paths_of(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """A main file, those that belong to it (`suffixes` after the first), and its record."""
    return [path, *_named(path, suffixes[1:]), path.with_name(f"{path.name}.json")]


def companions(path: Path) -> list[Path]:
    """The files beside a main file that belong to it, in the order of its record; those that are there."""
    return [other for other in _named(path, _suffixes(path)) if other != path and other.is_file()]


def is_whole(path: Path) -> bool:
    """Whether a main file and all that belongs to it is there, and not empty."""
    suffixes = _suffixes(path)
    complete = bool(suffixes) or path.suffix == PICTURE
    return complete and all(_has_content(other) for other in (path, *_named(path, suffixes)))


def is_main(path: Path, record: Mapping[str, Any]) -> bool:
    """False for a file that only belongs to another one, which the record inside both tells."""
    suffixes = record.get("files")
    return not (isinstance(suffixes, list) and suffixes and suffixes[0] != path.suffix)


def _suffixes(path: Path) -> list[str]:
    """What the record beside a main file lists; nothing where there is none, as with pictures."""
    if path.suffix == PICTURE:
        return []
    try:
        record = json.loads(path.with_name(f"{path.name}.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    listed = record.get("files", [path.suffix]) if isinstance(record, dict) else []
    if not isinstance(listed, list):
        return []
    return [end for end in listed if isinstance(end, str) and end[:1] == "." and end[1:].isalnum()]


def _named(path: Path, suffixes: Sequence[str]) -> list[Path]:
    return [path.with_suffix(end) for end in suffixes]


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
