"""The one error family. Everything a person can cause is in this tree; each message is one line.

    StudioError
    ├── InputError            a value somebody wrote: names the field, the value and what would be right
    │   ├── EmotionError      ... in an emotion text or curve
    │   └── PromptsFileError  ... in lines of a prompts file (all of them, with their numbers)
    ├── NotFoundError         no such pipeline, model, adapter, taxonomy or file: names the nearest
    ├── ModelError            a model or adapter that cannot be used as asked
    ├── StorageError          a file that cannot be read or written (disk full, no permission)
    └── Cancelled             somebody pressed cancel

Foreign exceptions are translated where they enter; only the item boundary of a batch catches everything.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class StudioError(Exception):
    """A problem that a person can understand and act on. `exit_code` is what the command line returns."""

    exit_code = 2


class InputError(StudioError):
    """A value that cannot be used: says which field, which value, why, and the nearest right one."""

    def __init__(self, field: str, value: object, why: str, suggestion: str | None = None) -> None:
        self.field, self.value, self.why, self.suggestion = field, value, why, suggestion
        super().__init__(self._message())

    def _message(self) -> str:
        hint = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{self.field}: {self.why}{hint}"


class EmotionError(InputError):
    """An emotion text or curve that cannot be read. `why` holds the word and its column."""


class PromptsFileError(InputError):
    """A prompts file with bad lines. `problems` lists (line number, reason) for the first of `total`."""

    def __init__(self, path: object, problems: Sequence[tuple[int, str]], total: int | None = None) -> None:
        self.problems = tuple(problems)
        count = self.total = len(self.problems) if total is None else total
        lines = "\n".join(f"  line {number}: {reason}" for number, reason in self.problems)
        if count > len(self.problems):
            lines += f"\n  and {count - len(self.problems)} more"
        super().__init__(str(path), path, f"{count} bad line{'s' if count != 1 else ''}\n{lines}")


class NotFoundError(StudioError):
    """Something named that does not exist: `kind` and `name`, and the nearest that does."""

    def __init__(self, kind: str, name: str, choices: Iterable[str] = ()) -> None:
        self.kind, self.name, self.suggestion = kind, name, nearest(name, choices)
        hint = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        super().__init__(f"unknown {kind} {name!r}{hint}")


class ModelError(StudioError):
    """A model or adapter that exists but cannot be used as asked."""


class StorageError(StudioError):
    """A file that cannot be read or written."""


class Cancelled(StudioError):
    """The person who asked for the work asked for it to stop."""

    exit_code = 130


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice spelled most like `word`, or None when nothing is close (ratio below 0.6)."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None
