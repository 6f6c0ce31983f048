"""What each slice of a MusER latent is shown of half a bar, and the ordinal attributes that order it.

An element is shown only what is its own: how many notes, where they begin, how they move around their middle,
where that middle lies, which chord, how loud. What is not shown cannot be held, so a slice tells of the other
elements no more than music itself does. Half bars are described one by one: a bar that comes again has the
same description.

Shapes: (..., WIDTH) tokens of a bar give (..., HALVES, features). Knows the grid; it knows no network.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pipelines.music import _fields as fields
from pipelines.music._fields import FIELDS, LENGTHS, QUALITIES, VOICES
from pipelines.music._grid import EDGES

HALVES = 2  # groups of a bar; each has its own codes
CELLS = fields.CELLS // HALVES
POINTS = 5  # of a contour, evenly over the onsets whatever their number
ELEMENTS = ("density", "rhythm", "harmony", "register", "pitch", "velocity")
# The codes of half a bar and whose they are: tune and accompaniment move by themselves.
SLICES = {
    "density": "density",
    "rhythm_melody": "rhythm",
    "rhythm_voices": "rhythm",
    "harmony": "harmony",
    "register": "register",
    "pitch_melody": "pitch",
    "pitch_voices": "pitch",
    "velocity": "velocity",
}
ATTRIBUTES = {  # ordinal ones: more is more
    "density": ("notes",),
    "rhythm": ("legato", "offbeat", "tempo"),
    "harmony": ("majorness", "tension"),
    "register": ("height",),
    "pitch": ("rise", "leap"),
    "velocity": ("level",),
}
# Distance from the beat of every sixteenth of half a bar, and how rough a chord quality sounds: the number of
# its dissonant intervals (seconds, sevenths, tritones, the augmented triad's thirds), weighed by harshness.
_OFFBEAT = (0.0, 1.0, 0.5, 1.0, 0.0, 1.0, 0.5, 1.0)
_HARSHNESS = (0.0, 1.0, 0.5, 0.0, 0.1, 0.0, 0.8)  # of interval classes 0..6
_CENTRES = torch.arange(36, 96, 3.0)  # of overlapping pitch ranges
_SIXTEENTHS = torch.tensor([*map(float, LENGTHS), 1.0])


class Half:
    """The notes of half bars, all (..., HALVES, ...).

    `melody` (CELLS,) and `voices` (CELLS, VOICES) MIDI pitches or 0, their lengths in sixteenths, `counts`
    (CELLS,) of voices, `chord` classes, `silent_height` (2,) pitches that silent parts are taken to have.
    """

    def __init__(self, tokens: Tensor) -> None:
        self.tokens = tokens
        self.melody = _pitch(self._cells("melody")[..., 0])
        self.voices = _pitch(self._cells("voices"))
        self.melody_length = _SIXTEENTHS[self._cells("melody_length")[..., 0]]
        self.voices_length = _SIXTEENTHS[self._cells("voices_length")]
        self.chord = tokens[..., FIELDS["chord"].tokens]
        self.counts = (self.voices > 0).sum(-1)
        self.silent_height = torch.stack([self._height(n) for n in ("melody_register", "register")], -1)

    def _cells(self, name: str) -> Tensor:
        spec = FIELDS[name]
        return tokens_of(self.tokens, name).view(*self.tokens.shape[:-1], HALVES, CELLS, spec.voices)

    def _height(self, name: str) -> Tensor:
        """(..., HALVES) pitch that a silent part is taken to have: that of its bar."""
        edges = torch.tensor(_middles(name))
        return edges[tokens_of(self.tokens, name)].expand(*self.tokens.shape[:-1], HALVES)

    def whole(self, name: str) -> Tensor:
        """(..., HALVES) a field that holds for the whole bar."""
        return tokens_of(self.tokens, name).expand(*self.tokens.shape[:-1], HALVES)


def tokens_of(tokens: Tensor, name: str) -> Tensor:
    """(..., tokens of the field)."""
    return tokens[..., FIELDS[name].tokens]


def _middles(name: str) -> tuple[float, ...]:
    edges = EDGES[name]
    between = [(low + high) / 2 for low, high in pairwise(edges)]
    return (edges[0] - 3, *between, edges[-1] + 3)


def _pitch(tokens: Tensor) -> Tensor:
    return torch.where(tokens > 0, tokens + fields.LOWEST - 1, 0)


def features(tokens: Tensor) -> dict[str, Tensor]:
    """Of each slice what its encoder is shown: float32 (..., HALVES, features)."""
    half = Half(tokens)
    return {
        "density": _density(half),
        "rhythm_melody": _rhythm(half.melody[..., None], half.melody_length[..., None]),
        "rhythm_voices": torch.cat(
            [_rhythm(half.voices, half.voices_length), one_hot(half.whole("tempo"), fields.BINS).float()], -1
        ),
        "harmony": torch.cat(
            [one_hot(half.chord, fields.CHORDS), one_hot(half.whole("mode"), 2)], -1
        ).float(),
        "register": _register(half),
        "pitch_melody": _movement(half, half.melody[..., None]),
        "pitch_voices": _movement(half, half.voices),
        "velocity": _velocity(half),
    }


def _density(half: Half) -> Tensor:
    melody, moments = (half.melody > 0).sum(-1), (half.counts > 0).sum(-1)
    thickness = half.counts.sum(-1) / moments.clamp(min=1)
    steps = torch.relu(thickness[..., None] - torch.arange(0, VOICES, 0.5))
    return torch.cat([one_hot(melody, CELLS + 1), one_hot(moments, CELLS + 1), steps], -1).float()


def _rhythm(pitches: Tensor, lengths: Tensor) -> Tensor:
    """Where a part begins notes, as shares that sum to one; how thick and how long each moment is."""
    counts = (pitches > 0).sum(-1).float()
    begins = (counts > 0).float()
    shares = begins / begins.sum(-1, keepdim=True).clamp(min=1)
    thicker = (counts - counts.sum(-1, keepdim=True) / begins.sum(-1, keepdim=True).clamp(min=1)) * begins
    held = _legato(pitches, lengths)
    longest = (lengths * (pitches > 0)).amax(-1).clamp(min=1).log2() * begins
    return torch.cat([2 * shares, thicker / 2, held, longest / 4], -1)


def _legato(pitches: Tensor, lengths: Tensor) -> Tensor:
    """(..., CELLS) octaves by which notes outlast the time to the next moment of their part or half bar."""
    begins = (pitches > 0).any(-1)
    place = torch.arange(CELLS).expand(begins.shape)
    at = torch.where(begins, place, CELLS)
    later = torch.cat([at[..., 1:], torch.full_like(at[..., :1], CELLS)], -1)
    until = later.flip(-1).cummin(-1).values.flip(-1) - place
    sounding = (pitches > 0).float()
    mean = (lengths * sounding).sum(-1) / sounding.sum(-1).clamp(min=1)
    return (mean.clamp(min=1) / until).log2().clamp(-3, 3) * begins


def _register(half: Half) -> Tensor:
    heights = torch.stack([_mean(half.melody[..., None]), _mean(half.voices)], -1)
    heights = torch.where(heights > 0, heights, half.silent_height)
    near = torch.exp(-(((heights[..., None] - _CENTRES) / 3) ** 2))
    return torch.cat([near.flatten(-2), (heights - 60) / 12], -1)


def _mean(pitches: Tensor) -> Tensor:
    """(..., CELLS, voices) -> (...,) mean pitch, 0 where there is none."""
    return pitches.sum((-2, -1)) / (pitches > 0).sum((-2, -1)).clamp(min=1)


def _movement(half: Half, pitches: Tensor) -> Tensor:
    """Lowest and highest notes around the part's middle, and which degrees of the chord it has."""
    middle = _mean(pitches)[..., None]
    lowest = torch.where(pitches > 0, pitches, 999).amin(-1)
    lines = (torch.where(lowest < 999, lowest, 0), pitches.amax(-1))
    contours = [_contour(line, middle) / 6 for line in lines]
    root = torch.where(half.chord > 0, (half.chord - 1) // len(QUALITIES), 0)[..., None, None]
    degrees = one_hot((pitches - root) % 12, 12) * (pitches > 0)[..., None]
    total = degrees.sum((-3, -2))
    shares = total / total.sum(-1, keepdim=True).clamp(min=1)
    first = degrees[..., 0, :].sum(-2) / degrees[..., 0, :].sum((-2, -1))[..., None].clamp(min=1)
    return torch.cat([*contours, 2 * shares, first], -1)


def _contour(line: Tensor, middle: Tensor) -> Tensor:
    """(..., CELLS) pitches or 0 -> (..., POINTS) semitones from `middle`, evenly over the onsets."""
    begins = line > 0
    count = begins.sum(-1, keepdim=True)
    order = torch.argsort((~begins).long(), dim=-1, stable=True)  # onsets first, in time
    points = torch.arange(POINTS) / (POINTS - 1) * (count - 1).clamp(min=0)
    before, share = points.floor().long(), points.frac()
    sorted_line = line.gather(-1, order).float()
    after = torch.minimum(before + 1, (count - 1).clamp(min=0))
    value = sorted_line.gather(-1, before) * (1 - share) + sorted_line.gather(-1, after) * share
    return torch.where(count > 0, (value - middle).clamp(-24, 24), 0.0)


def _velocity(half: Half) -> Tensor:
    levels = tokens_of(half.tokens, "velocity").view(*half.tokens.shape[:-1], HALVES, -1)
    steps = torch.relu(levels[..., None] - torch.arange(0, fields.LOUDNESS_LEVELS, 2)) / 6
    return torch.cat([steps.flatten(-2), one_hot(half.whole("loudness"), fields.BINS)], -1).float()


def attributes(tokens: Tensor) -> dict[str, Tensor]:
    """Every ordinal attribute by name, (..., HALVES); NaN where there is nothing to measure.

    `notes` onsets, `legato` octaves of length against time to the next onset, `offbeat` share of onsets off
    the beat, `tempo` class, `majorness` -1..1, `tension` of the chord, `height` mean MIDI pitch, `rise` and
    `leap` semitones of the melody, `level` loudness class.
    """
    half = Half(tokens)
    on = half.melody > 0
    moments = torch.stack([on, half.counts > 0], -1).float()
    offbeat = (moments * torch.tensor(_OFFBEAT)[:, None]).sum((-2, -1)) / moments.sum((-2, -1))
    parts = ((half.melody[..., None], half.melody_length[..., None]), (half.voices, half.voices_length))
    legato = torch.stack([_legato(*part) for part in parts], -1).sum((-2, -1)) / moments.sum((-2, -1))
    notes = on.sum(-1) + half.counts.sum(-1)
    pitches = torch.cat([half.melody[..., None], half.voices], -1)
    contour = _contour(half.melody, _mean(half.melody[..., None])[..., None])
    steps = contour.diff(dim=-1)
    tune = torch.where(on.sum(-1) > 1, 1.0, torch.nan)
    levels = tokens_of(tokens, "velocity").view(*tokens.shape[:-1], HALVES, -1).float()
    return {
        "notes": notes.float(),
        "legato": legato,
        "offbeat": offbeat,
        "tempo": half.whole("tempo").float(),
        "majorness": torch.tensor(_MAJORNESS)[half.chord],
        "tension": torch.tensor(_TENSION)[half.chord],
        "height": torch.where(notes > 0, _mean(pitches), torch.nan),
        "rise": steps.sum(-1) * tune,
        "leap": steps.abs().sum(-1) * tune,
        "level": levels.mean(-1),
    }


def _harshness(steps: tuple[int, ...]) -> float:
    classes = [min((b - a) % 12, (a - b) % 12) for i, a in enumerate(steps) for b in steps[i + 1 :]]
    return sum(_HARSHNESS[one] for one in classes) + (steps == QUALITIES["aug"]) * 0.9


def _chord_values() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of every chord class how major it is and how tense: harshness, and fifths away from C major's triad or

    A minor's, whose keys all grids are in."""
    majorness, tension = [0.0], [0.0]
    for chord in range(1, fields.CHORDS):
        root, quality = divmod(chord - 1, len(QUALITIES))
        steps = list(QUALITIES.values())[quality]
        majorness.append(float((4 in steps) - (3 in steps)))
        fifths = min((root * 7) % 12, 12 - (root * 7) % 12)
        relative = min(((root + 3) * 7) % 12, 12 - ((root + 3) * 7) % 12)
        tension.append(_harshness(steps) + min(fifths, relative) / 6)
    return tuple(majorness), tuple(tension)


_MAJORNESS, _TENSION = _chord_values()
