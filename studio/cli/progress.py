"""How far a job is, on stderr: a bar with the time left on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TextIO

_BAR_CHARS = 24
_PLAIN_LINE_SECONDS = 10.0
_REDRAW_SECONDS = 0.05


class Progress:
    """Use as a context manager, so that the bar is gone when anything else is written."""

    def __init__(self, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._is_terminal = self._stream.isatty()
        self._began: tuple[float, float] | None = None  # time and fraction of the first report
        self._last_shown = time.monotonic() - _REDRAW_SECONDS  # plain lines wait from the start
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    @property
    def columns(self) -> int:
        """Room for a line: one less than the terminal has, so that it never wraps."""
        return shutil.get_terminal_size().columns - 1

    def update(self, fraction: float, text: str) -> None:
        """Show `fraction` (0 to 1) of the job and `text`, for example "step 3/20"."""
        now = time.monotonic()
        self._began = self._began or (now, fraction)
        filled = round(fraction * _BAR_CHARS)
        bar = f"[{'#' * filled}{'.' * (_BAR_CHARS - filled)}]"
        self.show(f"{bar} {text}{self._left(now, fraction)}", is_last=fraction >= 1)

    def show(self, line: str, is_last: bool = False) -> None:
        """Put `line` in place of the one before, unless that is too fresh to have been read."""
        now = time.monotonic()
        pause = _REDRAW_SECONDS if self._is_terminal else _PLAIN_LINE_SECONDS
        if self._quiet or (now - self._last_shown < pause and not is_last):
            return
        self._last_shown = now
        if self._is_terminal:
            self._stream.write(f"\r\x1b[2K{line[: self.columns]}")
            self._stream.flush()
            self._drawn = True
        else:
            print(line, file=self._stream, flush=True)

    def clear(self) -> None:
        """Take the bar off the terminal, to write something else there."""
        if self._drawn:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._drawn = False

    def _left(self, now: float, fraction: float) -> str:
        if self._began is None or not self._began[1] < fraction < 1:
            return ""
        began, from_fraction = self._began
        return f", {duration((now - began) * (1 - fraction) / (fraction - from_fraction))} left"


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
