"""A grid as text that travels inside our MIDI files, so that a piece of ours is read back exactly.

Notes alone would lose what was asked of tempo, the classes of loudness, chords and mode. Knows the grid; it
knows no file format.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass

import numpy as np

from pipelines.music import _fields as fields
from pipelines.music._grid import Grid

VERSION = 1
MOST_BYTES = 2048 * fields.WIDTH + 1024  # more is no piece of ours


@dataclass(frozen=True, slots=True)
class Notation:
    """`shift`: semitones from C that the piece sounds at; `tempo_bpm`: what was asked, None: as written."""

    grid: Grid
    shift: int
    tempo_bpm: float | None


def to_text(one: Notation) -> str:
    head = {"version": VERSION, "meter": one.grid.meter, "shift": one.shift, "tempo_bpm": one.tempo_bpm}
    content = json.dumps(head).encode() + b"\n" + one.grid.tokens.astype(np.uint8).tobytes()
    return base64.b64encode(zlib.compress(content, 9)).decode()


def from_text(text: str) -> Notation | None:
    """None for whatever is not the notation of this version: the notes of the file are there to be read."""
    try:
        content = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), MOST_BYTES)
        line, _, rest = content.partition(b"\n")
        head = json.loads(line)
        tokens = np.frombuffer(rest, np.uint8).reshape(-1, fields.WIDTH).astype(np.int16)
        shift, tempo_bpm = int(head["shift"]), head["tempo_bpm"]
        is_ours = head["version"] == VERSION and head["meter"] in fields.METERS and len(tokens) > 0
        is_ours = is_ours and bool((tokens < fields.classes()).all()) and -6 <= shift <= 6
    except (ValueError, KeyError, TypeError, zlib.error, RecursionError):
        return None
    if not is_ours or not (tempo_bpm is None or 10 <= tempo_bpm <= 400):
        return None
    return Notation(Grid(tokens, head["meter"]), shift, tempo_bpm)
