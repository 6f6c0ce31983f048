"""Which parts of a piece are held, taken from another piece, or composed anew: MusER's elements on a grid.

An element is a set of tokens (harmony, velocity, density, register), or a condition on what may be written
(rhythm: where notes begin and how long they are; pitch: which pitches a bar has). Knows the grid; it knows
no network and no feeling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music._draft import UNWRITTEN, Draft
from pipelines.music._fields import FIELDS
from studio.errors import InputError, nearest

TOKENS = {
    "harmony": ("chord", "mode"),
    "velocity": ("velocity", "loudness"),
    "density": ("activity", "melody_activity"),
    "register": ("register", "melody_register"),
}
ELEMENTS = ("pitch", "harmony", "rhythm", "velocity", "density", "register")
PARTS = {"melody": ("melody",), "accompaniment": ("voices",), "all": ("melody", "voices")}
_OF_PART = {
    "melody": ("melody", "melody_length", "melody_activity", "melody_register"),
    "voices": ("voices", "voices_length", "activity", "register"),
}
_SHARED = ("mode", "tempo", "loudness", "chord", "velocity")

Bars = NDArray[np.bool_]  # (bars,)


def parse(field: str, text: str) -> tuple[str, ...]:
    """Names of elements, comma separated. InputError of `field` names the nearest."""
    names = tuple(word.strip().lower() for word in text.split(",") if word.strip())
    for name in names:
        if name not in ELEMENTS:
            why = f"{name!r} is not an element; they are {', '.join(ELEMENTS)}"
            raise InputError(field, name, why, nearest(name, ELEMENTS))
    return names


def parse_bars(field: str, text: str, numbers: NDArray[np.int64]) -> Bars:
    """Bars such as "5-8, 13" as a mask of those that are called `numbers`, rising, where a number between two
    is the first one's; all for "". InputError of `field`."""
    least, most = int(numbers[0]), int(numbers[-1])
    chosen = np.zeros(len(numbers), dtype=bool)
    for word in filter(None, (word.strip() for word in text.split(","))):
        first, dash, last = (part.strip() for part in word.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(field, word, f"expected bars such as 5-8 or 13, got {word!r}", "5-8")
        begin, end = int(first), int(last or first)
        if not least <= begin <= end <= most:
            why = f"there are bars {least} to {most}, got {word!r}"
            raise InputError(field, word, why, f"{least}-{most}")
        first_bar = np.searchsorted(numbers, begin, side="right") - 1
        chosen[first_bar : np.searchsorted(numbers, end, side="right")] = True
    return chosen if chosen.any() else np.ones(len(numbers), dtype=bool)


def open_bars(draft: Draft, bars: Bars, part: str) -> None:
    """Make `bars` of the draft unwritten: all of them, or only one part over the same chords."""
    names = [name for voice in PARTS[part] for name in _OF_PART[voice]]
    names += _SHARED if part == "all" else ()
    for name in names:
        tokens = FIELDS[name].tokens
        draft.tokens[bars, tokens] = UNWRITTEN[tokens]
    _silence_beyond(draft)


def keep_some(draft: Draft, source: NDArray[np.int64], share: float, generator: np.random.Generator) -> None:
    """Write a share of what is unwritten back from `source`: a variation. Chords of notes stay together."""
    if share <= 0:
        return
    kept = generator.random((len(draft), fields.CELLS)) < share
    for field in FIELDS.values():
        cells = np.arange(field.size) // field.voices * fields.CELLS // field.per_bar
        back = kept[:, cells] & draft.unwritten[:, field.tokens]
        tokens = draft.tokens[:, field.tokens]
        tokens[back] = source[:, field.tokens][back]


def hold(draft: Draft, source: NDArray[np.int64], element: str, bars: Bars) -> None:
    """In `bars`, an element of `source` (bars, WIDTH): its tokens, or what they allow to be written. What is
    written already stays."""
    for name in TOKENS.get(element, ()):
        _copy(draft, source, name, bars)
    if element == "rhythm":
        for name in ("melody", "voices"):
            _hold_rhythm(draft, source, name, bars)
    if element == "pitch":
        for name in ("melody", "voices"):
            _hold_pitch(draft, source, name, bars)


def _hold_rhythm(draft: Draft, source: NDArray[np.int64], name: str, bars: Bars) -> None:
    """Silence where there was silence, notes where there were notes, as long as they were."""
    field = FIELDS[name]
    sounds = source[:, field.tokens] > 0
    open_here = draft.unwritten[:, field.tokens] & bars[:, None]
    tokens = draft.tokens[:, field.tokens]
    tokens[open_here & ~sounds] = 0
    choices = _allowed(draft, name)
    choices[open_here & sounds, 0] = False
    _copy(draft, source, f"{name}_length", bars)
    _copy(draft, source, "activity" if name == "voices" else "melody_activity", bars)


def _hold_pitch(draft: Draft, source: NDArray[np.int64], name: str, bars: Bars) -> None:
    """Only the pitches that the bar had in this part."""
    field = FIELDS[name]
    had = np.zeros((len(draft), field.classes), dtype=bool)
    had[np.arange(len(draft))[:, None], source[:, field.tokens]] = True
    had[:, 0] = True
    choices = _allowed(draft, name)
    choices[bars] &= had[bars, None, :]


def _allowed(draft: Draft, name: str) -> NDArray[np.bool_]:
    field = FIELDS[name]
    known = dict(draft.allowed)
    known.setdefault(name, np.ones((len(draft), field.size, field.classes), dtype=bool))
    draft.allowed = known
    return known[name]


def _copy(draft: Draft, source: NDArray[np.int64], name: str, bars: Bars) -> None:
    field = FIELDS[name]
    open_here = draft.unwritten[:, field.tokens] & np.asarray(bars)[:, None]
    draft.tokens[:, field.tokens][open_here] = source[:, field.tokens][open_here]


def _silence_beyond(draft: Draft) -> None:
    cells = fields.METERS[draft.meter]
    for name in ("melody", "voices"):
        beyond = np.arange(FIELDS[name].size) // FIELDS[name].voices >= cells
        draft.tokens[:, FIELDS[name].tokens][:, beyond] = 0
