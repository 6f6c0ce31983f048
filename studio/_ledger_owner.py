"""Who holds a job: a name that another process on the same machine can find dead.

A process is recognised by host, number and start time, so that a number given out again is not taken for the
old process. On another host, or where processes cannot be asked for, only the end of the lease tells.
"""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path


def new_owner() -> str:
    """A name for a worker of this process."""
    return f"{socket.gethostname()}|{os.getpid()}|{_started(os.getpid())}|{secrets.token_hex(4)}"


def is_dead(owner: str | None) -> bool:
    """True when the process behind `owner` is known to be gone; False when it lives or nobody can tell."""
    parts = (owner or "").split("|")
    if len(parts) != 4:
        return owner is None
    host, pid, started, _ = parts
    if host != socket.gethostname() or os.name == "nt":  # on Windows asking with signal 0 would end it
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    """The start time of a process in clock ticks since boot, where the system tells; empty elsewhere."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else fields[18]
