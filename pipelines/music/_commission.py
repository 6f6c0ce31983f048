"""From a request to a draft: a new piece, or somebody's piece with some of it opened; and back to a grid.

Knows requests, files that come with them and drafts. It knows no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _draft as drafts
from pipelines.music import _elements as elements
from pipelines.music import _fields as fields
from pipelines.music import _form as form
from pipelines.music import _grid as grid
from pipelines.music import _performance as performance
from pipelines.music._draft import Draft
from pipelines.music._fields import FIELDS
from studio.emotion import VAD
from studio.errors import InputError
from studio.lazy import lazy
from studio.request import RenderRequest
from studio.score import KEYS, METERS

midi_in = lazy("pipelines.music._midi_in")

PARTS = tuple(elements.PARTS)
ELEMENTS = elements.ELEMENTS
NOMINAL_BPM = 76.0  # what a curve in seconds is laid out with when no tempo is asked for
FAR = 0.4  # distance of feelings that costs a repeated bar a class of likeness; it stays akin
_FORM, _KEY = 1, 2  # streams of one seed


@dataclass(frozen=True, slots=True)
class Commission:
    """`draft`: what is to be filled in; `moods`: one a bar; `shift`: semitones from C; see Manner."""

    draft: Draft
    moods: tuple[VAD, ...]
    shift: int
    tempo_bpm: float | None

    def finished(self, request: RenderRequest) -> tuple[grid.Grid, performance.Manner]:
        """What was written, never without a note, and how it is to be played."""
        tokens = _sounding(self.draft.tokens).astype(np.int16)
        turns = _turns(request, len(tokens))
        manner = performance.Manner(self.moods, self.shift, self.tempo_bpm, request.prompt, turns)
        return grid.Grid(tokens, self.draft.meter), manner


def of(request: RenderRequest, library: form.Library) -> Commission:
    """The commission of a request. Raises InputError for a MIDI file that cannot be used."""
    inputs, params = dict(request.inputs), request.params
    forms = np.random.default_rng([request.seed, _FORM])
    if "midi" in inputs:
        source = midi_in.read(inputs["midi"])
        if params.go_on:
            draft = _going_on(source.grid, params, library, forms)
        else:
            draft = _changed(source.grid, params, forms)
        shift, tempo_bpm = source.shift, params.tempo_bpm or source.tempo_bpm
    else:
        draft = drafts.blank(params.bars, form.draw(params.bars, library, forms), params.meter)
        shift, tempo_bpm = _key(draft, params.key, request.seed), params.tempo_bpm
    if "donor" in inputs:
        _take(draft, midi_in.read(inputs["donor"]).grid, params)
    tempo_bpm = _tempo(draft, request, tempo_bpm)
    moods = _moods(request, draft, tempo_bpm)
    _loosen(draft, moods)
    draft.tension = np.array([(mood.arousal - mood.valence) / 2 for mood in moods])
    return Commission(draft, moods, shift, tempo_bpm)


def _changed(source: grid.Grid, params: Any, generator: np.random.Generator) -> Draft:
    tokens = source.tokens.astype(np.int64)
    lag, likeness = grid.repeats(source.tokens)
    draft = Draft(tokens.copy(), lag, likeness, source.meter)
    bars = elements.parse_bars("change_bars", params.change_bars, len(draft))
    elements.open_bars(draft, bars, params.change_part)
    for element in elements.parse("keep", params.keep):
        elements.hold(draft, tokens, element, bars)
    elements.keep_some(draft, tokens, 1 - params.strength, generator)
    return draft


def _going_on(source: grid.Grid, params: Any, library: form.Library, generator: np.random.Generator) -> Draft:
    """The piece and `params.bars` bars more, which may repeat bars of it."""
    known = len(source)
    lag, likeness = form.draw(known + params.bars, library, generator)
    lag[:known], likeness[:known] = grid.repeats(source.tokens)
    draft = drafts.blank(known + params.bars, (lag, likeness), source.meter)
    draft.tokens[:known] = source.tokens
    return draft


def _take(draft: Draft, donor: grid.Grid, params: Any) -> None:
    """Elements of the donor, bar by bar, from its beginning again when it ends."""
    if donor.meter != draft.meter:
        why = f"the donor is in {donor.meter}, the piece in {draft.meter}"
        raise InputError("inputs.donor", donor.meter, why, draft.meter)
    source = donor.tokens[np.arange(len(draft)) % len(donor)].astype(np.int64)
    bars = draft.unwritten.any(axis=1)
    for element in elements.parse("take", params.take):
        elements.hold(draft, source, element, bars)


def _key(draft: Draft, key: str, seed: int) -> int:
    """Semitones from C; an asked key also says its mode."""
    if key == "auto":
        return int(np.random.default_rng([seed, _KEY]).integers(-5, 7))
    tonic, minor = KEYS.index(key) % 12, KEYS.index(key) >= 12
    draft.tokens[:, FIELDS["mode"].start] = int(minor)
    return (tonic - (9 if minor else 0) + 5) % 12 - 5


def _tempo(draft: Draft, request: RenderRequest, tempo_bpm: float | None) -> float | None:
    """What is asked for; a curve in seconds needs one that is known before anything is composed."""
    if tempo_bpm is None and request.curve.unit == "seconds" and not request.curve.is_constant:
        mean = request.curve.at(0.5, 1.0)
        tempo_bpm = NOMINAL_BPM * 2 ** (performance.TEMPO_PER_AROUSAL * mean.arousal)
    if tempo_bpm is not None:
        open_here = draft.tokens[:, FIELDS["tempo"].start] == fields.BINS
        draft.tokens[open_here, FIELDS["tempo"].start] = performance.tempo_class(tempo_bpm)
    return tempo_bpm


def _moods(request: RenderRequest, draft: Draft, tempo_bpm: float | None) -> tuple[VAD, ...]:
    """One a bar, from the middle of each."""
    count = len(draft)
    length_s = count * METERS[draft.meter] * 60 / (tempo_bpm or NOMINAL_BPM)
    return tuple(request.curve.at((bar + 0.5) / count, length_s) for bar in range(count))


def _loosen(draft: Draft, moods: Sequence[VAD]) -> None:
    """A bar that feels otherwise than what it repeats did at first is the less like it."""
    roots = list(moods)  # of each bar the feeling that its material was made for
    for bar in np.flatnonzero(draft.lag):
        root = roots[draft.sources[bar]]
        likeness = max(1, int(draft.likeness[bar] - moods[bar].distance(root) / FAR))
        draft.likeness[bar] = min(draft.likeness[bar], likeness)
        if draft.likeness[bar] > 1:
            roots[bar] = root


def _turns(request: RenderRequest, bars: int) -> tuple[tuple[int, str], ...]:
    """Where a key of the curve lies, by bar, and its words."""
    keys = request.curve.keys
    if len(keys) == 1:
        return ((0, keys[0].emotion.text),)
    last = max(key.at for key in keys) or 1.0
    span = 1.0 if request.curve.unit == "progress" else last
    found = {min(int(key.at / span * bars), bars - 1): key.emotion.text for key in keys}
    return tuple(sorted(found.items()))


def _sounding(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """A piece is never empty: where no bar has a note, each gets the root of its chord."""
    pitches = [tokens[:, FIELDS[name].tokens] for name in ("melody", "voices")]
    if any((part > 0).any() for part in pitches):
        return tokens
    chords = tokens[:, FIELDS["chord"].start]
    roots = np.where(chords > 0, (chords - 1) // len(fields.QUALITIES), 0)
    tokens[:, FIELDS["voices"].start] = roots + 48 - fields.LOWEST + 1
    tokens[:, FIELDS["voices_length"].start] = fields.LENGTHS.index(16)
    return tokens
