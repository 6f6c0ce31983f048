"""Files that appear under their name whole or not at all. Knows bytes and folders, not what is in them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from studio.errors import StorageError

TEMPORARY_PREFIX = ".tmp-"
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Make `path` hold what `write` puts into the open file; on any failure leave `path` as it was.

    Creates missing folders. Raises StorageError with the reason (disk full, no permission).
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:  # Ctrl-C too must not leave a half file behind
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({_reason(error)})") from error


def check_writable(folder: Path) -> None:
    """Raise StorageError when files cannot be made in `folder`; creates nothing. For before long work."""
    nearest = folder.absolute()
    if "\0" in str(folder):
        raise StorageError(f"{str(folder)!r}: cannot be a folder (a NUL in its name)")
    try:
        while not nearest.exists():
            nearest = nearest.parent
    except OSError as error:
        raise StorageError(f"{str(folder)[:80]!r}: cannot be a folder ({error.strerror})") from error
    if not nearest.is_dir():
        raise StorageError(f"{folder}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise StorageError(f"{folder}: cannot be written (no permission)")


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders, and keeps renames itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems know no fsync of a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return "disk full" if error.errno in _DISK_FULL else error.strerror or str(error)
