"""Files are whole under their name or not there: full disks, killed processes, refused folders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from studio.errors import StorageError
from studio.storage import NameTakenError, check_writable, write_atomically


def run(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.bin"
    write_atomically(path, lambda file: file.write(b"one") and None)
    write_atomically(path, lambda file: file.write(b"two") and None)
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]


@pytest.mark.parametrize("problem", [RuntimeError("no"), KeyboardInterrupt()])
def test_any_failure_leaves_what_was_there(tmp_path: Path, problem: BaseException) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"before")

    def write(file: object) -> None:
        raise problem

    with pytest.raises(type(problem)):
        write_atomically(path, write)
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
def test_full_disk_is_a_storage_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A real limit of the operating system stops the write in its middle."""
    code = """
        import resource, signal, sys
        from pathlib import Path
        from studio.errors import StorageError
        from studio.storage import write_atomically
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_atomically(Path(sys.argv[1]), lambda file: file.write(bytes(100_000)))
        except StorageError as error:
            print(error)
    """
    done = run(code, tmp_path / "big.bin")
    assert done.stdout.strip() == f"{tmp_path / 'big.bin'}: cannot be written (disk full)", done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX")
def test_kill_in_mid_write_leaves_no_file_under_the_final_name(tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        from pathlib import Path
        from studio.storage import write_atomically

        def write(file):
            file.write(bytes(100_000))
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

        write_atomically(Path(sys.argv[1]), write)
    """
    done = run(code, tmp_path / "big.bin")
    assert done.returncode == -signal.SIGKILL
    left = [entry.name for entry in tmp_path.iterdir()]
    assert len(left) == 1 and left[0].startswith(".tmp-")


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        check_writable(tmp_path / "file" / "deeper")
    with pytest.raises(StorageError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "deeper" / "x.bin", lambda file: None)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="no permission"):
        check_writable(tmp_path / "new")


@pytest.mark.parametrize("name", ["a" * 5000, "nul\0"])
def test_folder_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError):
        check_writable(tmp_path / name)


def test_check_creates_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_drive_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: False)
    with pytest.raises(StorageError, match="there is no"):
        check_writable(tmp_path / "out")


@pytest.mark.parametrize("has_links", [True, False])
def test_of_two_writers_one_gets_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    """Both are in the middle of writing, with the name still free, when either goes on."""
    if not has_links:
        monkeypatch.setattr(os, "link", lambda *names: os.stat(tmp_path / "no such file system"))
    path, both, refused = tmp_path / "one.bin", threading.Barrier(2, timeout=20), list[str]()

    def write(text: str) -> None:
        def fill(file: BinaryIO) -> None:
            file.write(text.encode())
            both.wait()

        try:
            write_atomically(path, fill, replace=False)
        except NameTakenError:
            refused.append(text)

    threads = [threading.Thread(target=write, args=(text,)) for text in ("mine", "theirs")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1 and path.read_text() == {"mine": "theirs", "theirs": "mine"}[refused[0]]
    assert list(tmp_path.iterdir()) == [path]
