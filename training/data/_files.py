"""What every data set of files shares: rows that are read when asked for, and the digest of the files.

Knows files and their time stamps. Knows no layout and no medium.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from studio.errors import InputError
from studio.params import param
from studio.ports import Example

R = TypeVar("R")


@dataclass(frozen=True)
class FileDataset(Generic[R]):
    """Examples from files under `root`; R is a row, an example before its file is opened.

    A subclass says in `read_rows` which rows there are, in `said` what the annotations say of one, and in
    `files` what it is made of. Wrong annotations are errors in `read_rows`, before anything runs; a file that
    is missing or broken is an InputError of its examples alone.
    """

    root: str = param("", "folder of the data set")

    def read_rows(self) -> Sequence[R]:
        """All rows, in an order that never changes. InputError for another layout or bad annotations."""
        raise NotImplementedError

    def said(self, row: R) -> tuple[Any, ...]:
        """All that determines an example besides files and options, as plain values."""
        raise NotImplementedError

    def files(self, row: R) -> Sequence[Path]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        """InputError names a file that is missing or cannot be read."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    @property
    def description(self) -> dict[str, Any]:
        """What determines the examples: options, rows, and size and time of every file. Opens no medium."""
        options = {
            one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "root"
        }
        name = type(self).__module__.rpartition(".")[2]
        return {"dataset": name, **options, "count": len(self), "content": self._digest()}

    @property
    def folder(self) -> Path:
        """`root`, which must be a folder."""
        if not self.root:
            raise InputError("dataset.root", self.root, "needs the data set's folder")
        folder = Path(self.root).expanduser()
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "does not exist"
            raise InputError("dataset.root", self.root, f"{self.root!r} {what}")
        return folder

    @cached_property
    def _rows(self) -> tuple[R, ...]:
        rows = tuple(self.read_rows())
        if not rows:
            raise InputError("dataset.root", self.root, f"no usable examples in {self.root!r}")
        return rows

    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for row in self._rows:
            files = [(_under(self.root, path), _stamp(path)) for path in self.files(row)]
            digest.update(repr((self.said(row), files)).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _under(root: str, path: Path) -> str:
    """The path inside the data set, so that a moved folder keeps its digest."""
    try:
        return path.relative_to(Path(root).expanduser()).as_posix()
    except ValueError:
        return path.as_posix()
