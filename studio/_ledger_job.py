"""What a job is: a request as plain values, where it stands, what came of it. Knows no file and no worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.request import RenderRequest

QUEUED, LEASED, DONE, FAILED, CANCELLED = STATES = ("queued", "leased", "done", "failed", "cancelled")
COLUMNS = (  # the fields of a Job
    "id, number, line, content_key, batch_key, request, generation, state, attempts, progress, preview, "
    "result, seconds, notes, error, traceback"
)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be added: `number` is the row it renders, `batch_key` what it may share a batch with."""

    number: int
    content_key: str
    batch_key: str
    request: str  # JSON of RenderRequest.to_dict()
    line: int = 0

    @classmethod
    def of(cls, request: RenderRequest, number: int = 0, line: int = 0) -> NewJob:
        values = json.dumps(request.to_dict(), ensure_ascii=False)
        return cls(number, request.content_key(), repr(request.batch_key), values, line)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands. `progress` in [0, 1]; `result` is a file name in the worker's folder."""

    id: int
    number: int
    line: int
    content_key: str
    batch_key: str
    request: str
    generation: int
    state: str
    attempts: int
    progress: float
    preview: str | None
    result: str | None
    seconds: float | None
    notes: tuple[str, ...]
    error: str | None
    traceback: str | None

    @property
    def values(self) -> dict[str, Any]:
        """The request as plain values; `RenderRequest.parse` reads them."""
        return dict(json.loads(self.request))

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Job:
        """The job of a row of COLUMNS."""
        values = dict(zip(COLUMNS.split(", "), row, strict=True))
        return cls(**{**values, "notes": tuple(json.loads(values["notes"]))})
