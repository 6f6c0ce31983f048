"""Runs a command until it ends, or until whoever started it closes this process's standard input.

    python -m studio._guard LOG COMMAND ...

A closed input is a wish to stop, and what a killed parent leaves behind: so a long run never outlives the app
that shows it, however the app ends. The command and all it starts get SIGTERM then, and may finish what they
write. What they say is appended to LOG. Standard library only: it costs a few megabytes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

PATIENCE_S = 300.0  # a last step and a checkpoint may take that long
NICE = 5  # what a person does in front of the machine goes first
STOPPED = 130


def main(arguments: Sequence[str]) -> int:
    """The exit code of the command; STOPPED when it was asked to stop and did not end well by itself."""
    log, *command = arguments
    if os.name != "nt":
        os.nice(NICE)
        for number in (signal.SIGTERM, signal.SIGINT):  # a handler, because a command would inherit SIG_IGN
            signal.signal(number, lambda *_: None)
    asked = threading.Event()
    with Path(log).open("ab") as file, _started(command) as child:
        threading.Thread(target=_end_when_let_go, args=(child, asked), daemon=True).start()
        assert child.stdout is not None
        _copy(child.stdout, file)  # until the last process of the command has closed it
        code = child.wait()
    return STOPPED if asked.is_set() and code else code


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen(command, stdin=null, stdout=pipe, stderr=subprocess.STDOUT, bufsize=0)


def _copy(source: IO[bytes], file: IO[bytes]) -> None:
    while chunk := source.read(1 << 16):
        with contextlib.suppress(OSError):  # a full disk must not break the pipe of what is training
            file.write(chunk)
            file.flush()


def _end_when_let_go(child: subprocess.Popen[bytes], asked: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    asked.set()
    if os.name == "nt":  # no signal there reaches a command's children; it goes on from its last checkpoint
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(child.pid)], capture_output=True, check=False)
        return
    os.killpg(0, signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
