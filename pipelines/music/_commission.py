"""From a request to a draft: a new piece, or somebody's piece with some of it opened; and back to a grid.

Knows requests, files that come with them and drafts. It knows no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _course as courses
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

if TYPE_CHECKING:
    from pipelines.music import _midi_in as midi_in
    from pipelines.music import _revision as revision
    from pipelines.music._midi_in import Imported
else:
    midi_in = lazy("pipelines.music._midi_in")
    revision = lazy("pipelines.music._revision")

PARTS = tuple(elements.PARTS)
ELEMENTS = elements.ELEMENTS
FAR = 0.4  # distance of feelings that costs a repeated bar a class of likeness; it stays akin
_FORM, _KEY = 1, 2  # streams of one seed


@dataclass(frozen=True, slots=True)
class Commission:
    """`draft`: what is to be filled in; `manner`: how it is to be played."""

    draft: Draft
    manner: performance.Manner

    @property
    def moods(self) -> Sequence[VAD]:
        """One a bar."""
        return self.manner.emotions

    def finished(self) -> tuple[grid.Grid, performance.Manner]:
        """What was written, never without a note, and how it is to be played."""
        tokens = _sounding(self.draft.tokens).astype(np.int16)
        return grid.Grid(tokens, self.draft.meter), self.manner


def of(request: RenderRequest, library: form.Library) -> Commission:
    """The commission of a request. Raises InputError for a MIDI file that cannot be used."""
    inputs, params = dict(request.inputs), request.params
    forms = np.random.default_rng([request.seed, _FORM])
    if "midi" not in inputs:
        draft = drafts.blank(params.bars, form.draw(params.bars, library, forms), params.meter)
        shift = _key(draft, params.key, request.seed)
        return _commissioned(request, draft, performance.Manner((), shift, params.tempo_bpm))
    source = midi_in.read(inputs["midi"])
    manner = performance.Manner((), source.shift, params.tempo_bpm or source.tempo_bpm)
    manner = replace(manner, notes=(*_unused(params, source), *source.notes))
    if params.go_on:
        draft = _going_on(source.grid, params, library, forms)
        return _commissioned(request, draft, _in_keys(manner, source, len(draft)))
    draft, opened = _changed(source, params, forms)
    made = _commissioned(request, draft, _in_keys(manner, source, len(draft)), (source, opened))
    if params.tempo_bpm:
        return made
    return replace(made, manner=replace(made.manner, tempi_bpm=revision.tempi_bpm(source, made.moods)))


def _commissioned(
    request: RenderRequest,
    draft: Draft,
    manner: performance.Manner,
    changed: tuple[Imported, elements.Bars] | None = None,
) -> Commission:
    """`changed`: the piece that is changed, and in which of its bars."""
    inputs = dict(request.inputs)
    if "donor" in inputs:
        donor = midi_in.read(inputs["donor"])
        _take(draft, donor.grid, request.params)
        manner = replace(manner, notes=(*manner.notes, *(f"donor: {note}" for note in donor.notes)))
    course = courses.of(request.curve, len(draft), METERS[draft.meter], manner.tempo_bpm)
    moods, turns = course.moods, course.turns
    if changed:
        source, opened = changed
        moods, turns = revision.moods(source, moods, opened), revision.turns(source, turns, opened)
    _write_tempo(draft, course.tempo_bpm)
    _loosen(draft, moods)
    draft.tension = np.array([(mood.arousal - mood.valence) / 2 for mood in moods])
    felt = {"emotions": moods, "turns": turns, "tempo_bpm": course.tempo_bpm, "title": request.prompt}
    return Commission(draft, replace(manner, **felt))


def _in_keys(manner: performance.Manner, source: Imported, bars: int) -> performance.Manner:
    """In the keys of the piece's bars; what is added at its end is in that of its last."""
    shifts = (-source.shifts).tolist()
    if set(shifts) == {manner.shift}:
        return manner
    return replace(manner, modulations=tuple(shifts + shifts[-1:] * (bars - len(shifts))))


def _unused(params: Any, source: Imported) -> tuple[str, ...]:
    """What is asked of a new piece, and a piece that came along has already."""
    asked = {"key": (params.key, "auto", source.key), "meter": (params.meter, "4/4", source.grid.meter)}
    return tuple(
        f"{name} {wanted} is for new pieces; the midi input is in {own}"
        for name, (wanted, usual, own) in asked.items()
        if wanted not in (usual, own)
    )


def _changed(source: Imported, params: Any, generator: np.random.Generator) -> tuple[Draft, elements.Bars]:
    """The piece with some of it open, and in which bars that is."""
    tokens = source.grid.tokens.astype(np.int64)
    lag, likeness = grid.repeats(source.grid.tokens)
    draft = Draft(tokens.copy(), lag, likeness, source.grid.meter)
    bars = elements.parse_bars("change_bars", params.change_bars, source.numbers)
    elements.open_bars(draft, bars, params.change_part)
    for element in elements.parse("keep", params.keep):
        elements.hold(draft, tokens, element, bars)
    elements.keep_some(draft, tokens, 1 - params.strength, generator)
    return draft, bars


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


def _write_tempo(draft: Draft, tempo_bpm: float | None) -> None:
    """A tempo that is known need not be composed."""
    if tempo_bpm is not None:
        open_here = draft.tokens[:, FIELDS["tempo"].start] == fields.BINS
        draft.tokens[open_here, FIELDS["tempo"].start] = performance.tempo_class(tempo_bpm)


def _loosen(draft: Draft, moods: Sequence[VAD]) -> None:
    """A bar that feels otherwise than what it repeats did at first is the less like it."""
    roots = list(moods)  # of each bar the feeling that its material was made for
    for bar in np.flatnonzero(draft.lag):
        root = roots[draft.sources[bar]]
        likeness = max(1, int(draft.likeness[bar] - moods[bar].distance(root) / FAR))
        draft.likeness[bar] = min(draft.likeness[bar], likeness)
        if draft.likeness[bar] > 1:
            roots[bar] = root


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
