"""From the states of the element decoders to the tokens of bars: how many onsets, where, then which pitches.

The density slice says how many notes begin, the rhythm slice where: of all sixteenths the likeliest that many
are taken, so that either can be exchanged without the other. Pitches follow in a few masked steps. Shapes as
in _muser_network, without rows. Draws are deterministic in the noise that is handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from pipelines.music._draft import Draft
from pipelines.music._drawing import Way, gumbel, nucleus
from pipelines.music._fields import FIELDS, NO_LENGTH, PITCHES, VOICES
from pipelines.music._muser_features import CELLS, ELEMENTS, HALVES
from pipelines.music._muser_network import SEES, MuserCodec

OWN = {  # tokens of an element, for exchanges; rhythm and pitch share the onsets
    "harmony": ("chord", "mode"),
    "rhythm": ("melody_length", "voices_length", "tempo"),
    "velocity": ("velocity", "loudness"),
}
# Steps of the pitch decoder: sixteenths of the melody by strength; then the accompaniment from the bass up.
_STRONG, _BEATS, _EIGHTHS, _WEAK = (0, 8), (4, 12), (2, 6, 10, 14), (1, 3, 5, 7, 9, 11, 13, 15)
STEPS: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = (
    *(("melody", cells, (0,)) for cells in (_STRONG, _BEATS, _EIGHTHS, _WEAK)),
    *(("voices", cells, (0,)) for cells in ((*_STRONG, *_BEATS), _EIGHTHS, _WEAK)),
    *(("voices", cells, (1,)) for cells in ((*_STRONG, *_BEATS), (*_EIGHTHS, *_WEAK))),
    *(("voices", cells, (2, 3, 4)) for cells in ((*_STRONG, *_BEATS), (*_EIGHTHS, *_WEAK))),
)


def drawn(logits: Tensor, noise: Tensor, way: Way) -> Tensor:
    """One class of each row of logits (N, classes), from the smallest set that holds `top_p` of the mass.

    `noise` (N, classes): standard Gumbel. The same noise draws the same class from logits that are alike.
    """
    return (nucleus(logits / way.temperature, way.top_p) + noise).argmax(dim=-1)


def pitch_noise(sources: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Noise for the pitches of every bar, (bars, cells, voices, PITCHES - 1); repeats have their source's."""
    found = {}
    for name in ("melody", "voices"):
        shape = (len(sources), fields.CELLS, FIELDS[name].voices, PITCHES - 1)
        found[name] = gumbel(torch.rand(shape, generator=generator))
    for bar in torch.nonzero(sources != torch.arange(len(sources))).flatten():
        for noise in found.values():
            noise[bar] = noise[sources[bar]]
    return found


def frame_tokens(logits: Mapping[str, Tensor], meter: int) -> Tensor:
    """(bars, WIDTH) all but pitches, which are PITCHES where a note begins. `logits`: MuserCodec.frame's."""
    found = {name: one[0].float().cpu() for name, one in logits.items()}
    bars = len(found["counts"])
    tokens = torch.zeros(bars, fields.WIDTH, dtype=torch.long)
    for name in ("chord", "velocity", "tempo", "mode", "loudness"):
        tokens[:, FIELDS[name].tokens] = found[name].argmax(-1).reshape(bars, -1)
    melody, counts = _onsets(found, meter)
    voices = torch.arange(VOICES) < counts[..., None]
    for name, begins in (("melody", melody[..., None]), ("voices", voices)):
        begins = begins.reshape(bars, -1)
        lengths = found[f"{name}_length"].argmax(-1).reshape(bars, -1)
        tokens[:, FIELDS[name].tokens] = begins * PITCHES
        tokens[:, FIELDS[f"{name}_length"].tokens] = torch.where(begins, lengths, NO_LENGTH)
    return tokens


def _onsets(logits: Mapping[str, Tensor], meter: int) -> tuple[Tensor, Tensor]:
    """Where the melody begins notes (bars, H, CELLS), and how many voices begin there."""
    place = torch.arange(HALVES)[:, None] * CELLS + torch.arange(CELLS)
    beyond = place >= list(fields.METERS.values())[meter]
    begins = logits["melody_begins"]
    melody = _likeliest(begins[..., 1] - begins[..., 0], logits["melody_moments"], beyond)
    counts = logits["counts"]
    sounds = counts[..., 1:].logsumexp(-1) - counts[..., 0]
    moments = _likeliest(sounds, logits["voices_moments"], beyond)
    more = counts[..., 1:].softmax(-1).flip(-1).cumsum(-1).flip(-1)[..., 1:]  # P(at least 2), ... P(all)
    more = more.masked_fill(~moments[..., None], -1).flatten(-2)
    added = torch.minimum(logits["added"].argmax(-1), moments.sum(-1, keepdim=True) * (VOICES - 1))
    thicker = _first(more, added).view(*moments.shape, VOICES - 1).sum(-1)
    return melody, moments + thicker


def _likeliest(scores: Tensor, number: Tensor, beyond: Tensor) -> Tensor:
    """As many of the cells (bars, H, CELLS) as `number` says, those with the highest scores."""
    count = torch.minimum(number.argmax(-1), (~beyond).sum(-1, keepdim=True))
    return _first(scores.masked_fill(beyond, -torch.inf), count)


def _first(scores: Tensor, count: Tensor) -> Tensor:
    """Mask of the `count` (..., 1) highest scores (..., N)."""
    rank = scores.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    return rank < count


def write_pitches(
    codec: MuserCodec, state: Tensor, tokens: Tensor, noise: Mapping[str, Tensor], way: Way
) -> None:
    """Write every PITCHES of `tokens` (bars, WIDTH) in place. `state` (1, bars, H, C)."""
    for name, cells, voices in STEPS:
        spec = FIELDS[name]
        pitches = tokens[:, spec.tokens].view(len(tokens), fields.CELLS, spec.voices)
        chosen = torch.zeros_like(pitches, dtype=torch.bool)
        chosen[:, torch.tensor(cells)[:, None], torch.tensor(voices)] = True
        chosen &= pitches == PITCHES
        if chosen.any():
            logits = codec.pitch(state, tokens[None].to(state.device))[name][0].float().cpu()[..., 1:]
            logits = logits.masked_fill(~_between(pitches), -torch.inf)
            found = drawn(logits[chosen], noise[name][chosen], way) + 1
            tokens[:, spec.tokens].view_as(pitches)[chosen] = found


def _between(pitches: Tensor) -> Tensor:
    """(bars, cells, voices, PITCHES - 1) what is above the voices below it and below those above it."""
    known = (pitches > 0) & (pitches < PITCHES)
    room = torch.arange(pitches.shape[-1])
    low = torch.where(known, pitches - room, 0).cummax(-1).values + room  # leaves room for those between
    low = torch.cat([torch.zeros_like(low[..., :1]), low[..., :-1]], -1)
    classes = torch.arange(1, PITCHES)
    legal = classes > low[..., None]
    return legal | ~legal.any(-1, keepdim=True)


def untouched(changed: Collection[str]) -> tuple[str, ...]:
    """Elements that see no slice of the changed ones."""
    return tuple(element for element in ELEMENTS if not set(SEES[element]) & set(changed))


def keep(tokens: Tensor, source: Tensor, bars: slice, kept: Collection[str]) -> None:
    """Put what belongs to the elements `kept` back from `source`, in place."""
    for element in kept:
        for name in OWN.get(element, ()):
            tokens[bars, FIELDS[name].tokens] = source[bars, FIELDS[name].tokens]
    for name in ("melody", "voices"):
        place = FIELDS[name].tokens
        if "pitch" in kept:
            tokens[bars, place] = source[bars, place]
        elif "rhythm" in kept:
            tokens[bars, place] = (source[bars, place] > 0) * PITCHES


def copy_equal(tokens: Tensor, codes: Tensor, draft: Draft) -> None:
    """Halves with the codes of the half that they repeat become the same notes."""
    for bar in np.flatnonzero(draft.lag):
        source = int(draft.sources[bar])
        for half in torch.nonzero((codes[bar] == codes[source]).all(-1)).flatten().tolist():
            for spec in FIELDS.values():
                if spec.per_bar > 1:
                    share = spec.size // HALVES
                    place = slice(spec.start + half * share, spec.start + (half + 1) * share)
                    tokens[bar, place] = tokens[source, place]


def finished(tokens: Tensor) -> np.ndarray:
    """(bars, WIDTH) int16: chords low to high without doubles, and the fields that sum a bar up as it is."""
    found = tokens.numpy().astype(np.int16)
    _without_doubles(found)
    for name, values in grid.measures(found).items():
        found[:, FIELDS[name].start] = np.digitize(values, grid.EDGES[name])
    return found


def _without_doubles(tokens: np.ndarray) -> None:
    spec, lengths = FIELDS["voices"], FIELDS["voices_length"].tokens
    shape = (len(tokens), fields.CELLS, VOICES)
    pitches, length = tokens[:, spec.tokens].reshape(shape), tokens[:, lengths].reshape(shape)
    key = np.where(pitches == 0, np.iinfo(np.int16).max, pitches)
    order = np.argsort(key, axis=-1, kind="stable")
    key, length = np.take_along_axis(key, order, -1), np.take_along_axis(length, order, -1)
    double = np.zeros(shape, dtype=bool)
    double[..., 1:] = key[..., 1:] == key[..., :-1]
    key[double] = np.iinfo(np.int16).max
    order = np.argsort(key, axis=-1, kind="stable")
    key, length = np.take_along_axis(key, order, -1), np.take_along_axis(length, order, -1)
    silent = key == np.iinfo(np.int16).max
    tokens[:, spec.tokens] = np.where(silent, 0, key).reshape(len(tokens), -1)
    tokens[:, lengths] = np.where(silent, NO_LENGTH, length).reshape(len(tokens), -1)
