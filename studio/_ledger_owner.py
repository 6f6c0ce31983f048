"""Who holds a job: a name that another process on the same machine can find dead.

A process is recognised by host, number and start time, so that a number given out again is not taken for the
old process. On another host, or where processes cannot be asked for, only the end of the lease tells.
"""

from __future__ import annotations

import os
import secrets
import socket

from studio._process import may_live, started


def new_owner() -> str:
    """A name for a worker of this process."""
    return f"{socket.gethostname()}|{os.getpid()}|{started(os.getpid())}|{secrets.token_hex(4)}"


def is_dead(owner: str | None) -> bool:
    """True when the process behind `owner` is known to be gone; False when it lives or nobody can tell."""
    parts = (owner or "").split("|")
    if len(parts) != 4:
        return owner is None
    host, pid, begun, _ = parts
    if host != socket.gethostname() or os.name == "nt":
        return False
    return not may_live(int(pid)) or started(int(pid)) not in {begun, ""}
