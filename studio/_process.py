"""Whether another process of this machine is still there. Knows numbers and start times, not what they do."""

from __future__ import annotations

import os
from pathlib import Path


def may_live(pid: int) -> bool:
    """False when the process of that number is known to be gone; True when it lives or nobody can tell."""
    if os.name == "nt":  # asking with signal 0 would end it there
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # gone, or no number that a process can have
        return False
    except PermissionError:  # it lives, as somebody else's
        pass
    return True


def started(pid: int) -> str:
    """The start time of a process in clock ticks since boot; empty where the system does not tell, and
    "ended" for one that has ended and only waits to be noticed."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()
    return "ended" if state in {"Z", "X"} else fields[18]
