"""One process at a time in the folder of a training run, whoever started it: the app or a command line.

The lock is the operating system's own, on a file in the folder, so it ends with its process however that
ends. Knows nothing of what a run does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from studio.errors import StorageError

LOCK = ".lock"
PATIENCE_S = 2.0  # somebody may only be looking, or be about to end
_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


@contextlib.contextmanager
def only_one(folder: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold `folder`, which is made when it is missing, for the length of the block.

    Raises StorageError when another process holds it after `patience_s` seconds. A file system without locks
    protects nothing, and stops nobody.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror or error})") from error
    with file:
        end = time.monotonic() + patience_s
        while not _taken(file):
            if time.monotonic() > end:
                raise StorageError(f"{folder}: another process is training this run; wait for it or stop it")
            time.sleep(0.05)
        yield  # closing the file lets go


def is_held(folder: Path) -> bool:
    """Whether a process holds `folder` right now."""
    try:
        with (folder / LOCK).open("rb+") as file:
            return not _taken(file)
    except OSError:
        return False


def _taken(file: BinaryIO) -> bool:
    """Try to lock; False when another process has it."""
    try:
        _lock(file)
    except OSError as error:
        return error.errno not in _TAKEN
    return True


if os.name == "nt":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
