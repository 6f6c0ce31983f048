"""Ctrl-C and SIGTERM as a question that a run asks itself between steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """Inside the block the first SIGINT or SIGTERM only raises a flag; the second one acts as always."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may take signals
        yield lambda: False
        return
    asked = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def raise_flag(_number: int, _frame: Any) -> None:
        asked.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, raise_flag)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
