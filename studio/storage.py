"""Files that appear under their name whole or not at all. Knows bytes and folders, not what is in them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from studio._process import may_live
from studio.errors import StorageError

TEMPORARY_PREFIX = ".tmp-"
STALE_TEMPORARY_S = 600.0  # nothing here takes that long to write
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class NameTakenError(StorageError):
    """Somebody else has a file of this name, and it is not to be replaced."""


def write_atomically(path: Path, write: Callable[[BinaryIO], None], replace: bool = True) -> None:
    """Make `path` hold what `write` puts into the open file; on any failure leave `path` as it was.

    Creates missing folders. Raises StorageError with the reason (disk full, no permission), and without
    `replace` NameTakenError for a name that is taken, even one that was free a moment ago.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            _publish(temporary, path, replace)
        except BaseException:  # Ctrl-C too must not leave a half file behind
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({_reason(error)})") from error


def _publish(temporary: Path, path: Path, replace: bool) -> None:
    """Give the file its name in one step, so that of several writers without `replace` just one gets it."""
    if replace:
        os.replace(temporary, path)
        return
    try:
        if os.name == "nt":
            os.rename(temporary, path)
        else:
            _link(temporary, path)
    except FileExistsError as error:
        raise NameTakenError(f"{path}: is there already") from error


def _link(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: an empty file holds the name until it is replaced
        path.open("xb").close()
        os.replace(temporary, path)
    else:
        temporary.unlink()


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written in `folder`; what a living one writes now stays."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        with contextlib.suppress(OSError):
            young = path.stat().st_mtime > time.time() - STALE_TEMPORARY_S
            if not (young and _writer_lives(path)):
                path.unlink()


def _writer_lives(path: Path) -> bool:
    """False when the process whose number the name carries is known to be gone."""
    number = path.name.removeprefix(TEMPORARY_PREFIX).partition("-")[0]
    return number.isdecimal() and may_live(int(number))


def check_writable(folder: Path) -> None:
    """Raise StorageError when files cannot be made in `folder`; creates nothing. For before long work."""
    nearest = folder.absolute()
    if "\0" in str(folder):
        raise StorageError(f"{str(folder)!r}: cannot be a folder (a NUL in its name)")
    try:
        while not nearest.exists() and nearest != nearest.parent:
            nearest = nearest.parent
    except OSError as error:
        raise StorageError(f"{str(folder)[:80]!r}: cannot be a folder ({error.strerror})") from error
    if nearest == nearest.parent and not nearest.exists():  # a drive that is not there
        raise StorageError(f"{folder}: there is no {nearest}")
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
