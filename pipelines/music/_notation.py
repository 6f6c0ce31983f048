"""A grid as text that travels inside our MIDI files, so that a piece of ours is read back exactly.

Notes alone would lose what was asked of tempo, the classes of loudness, chords and mode. Knows the grid; it
knows no file format.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.music import _fields as fields
from pipelines.music._grid import Grid
from studio.emotion import VAD
from studio.errors import StudioError
from studio.score import LEAST_BPM, MOST_BPM

VERSION = 1
MOST_BYTES = 2048 * (fields.WIDTH + 256) + 1024  # more is no piece of ours


@dataclass(frozen=True, slots=True)
class Notation:
    """`shift`: semitones from C that the piece sounds at, `modulations` of every bar where they differ;
    `tempo_bpm`: what was asked, None: as written; `emotions`: of every bar; `turns`: see Piece.emotions."""

    grid: Grid
    shift: int
    tempo_bpm: float | None
    modulations: tuple[int, ...] = ()
    emotions: tuple[VAD, ...] = ()
    turns: tuple[tuple[int, str], ...] = ()


def to_text(one: Notation) -> str:
    head = {"version": VERSION, "meter": one.grid.meter, "shift": one.shift, "tempo_bpm": one.tempo_bpm}
    head |= {
        "modulations": one.modulations,
        "emotions": [mood.as_tuple() for mood in one.emotions],
        "turns": one.turns,
    }
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
        modulations, emotions, turns = _by_bar(head, len(tokens))
    except (ValueError, KeyError, TypeError, OverflowError, zlib.error, RecursionError, StudioError):
        return None
    if not is_ours or not (tempo_bpm is None or LEAST_BPM <= tempo_bpm <= MOST_BPM):
        return None
    return Notation(Grid(tokens, head["meter"]), shift, tempo_bpm, modulations, emotions, turns)


def _by_bar(
    head: Mapping[str, Any], bars: int
) -> tuple[tuple[int, ...], tuple[VAD, ...], tuple[tuple[int, str], ...]]:
    """What is said of every bar; files of before said none of it. Raises ValueError for what cannot be."""
    modulations = tuple(int(shift) for shift in head.get("modulations", ()))
    emotions = tuple(VAD(*map(float, point)) for point in head.get("emotions", ()))
    turns = tuple((int(bar), str(text)) for bar, text in head.get("turns", ()))
    fits = all(len(said) in (0, bars) for said in (modulations, emotions))
    if not (fits and all(-6 <= shift <= 6 for shift in modulations) and all(0 <= t[0] < bars for t in turns)):
        raise ValueError("not about the bars of this piece")
    return modulations, emotions, turns
