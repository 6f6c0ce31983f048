"""Composing by absorbing-state discrete diffusion: every step writes some of the tokens that are missing.

A diffusers pipeline of a transformer and a scheduler. The scheduler's timesteps are the moments of _order:
tokens of one timestep are drawn independently of each other, given all that is written before. Shapes as in
_network. Knows no feeling: whoever wears an adapter is told which bars the network is about to see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import ConfigMixin, DiffusionPipeline, SchedulerMixin
from diffusers.configuration_utils import register_to_config
from numpy.typing import NDArray
from torch import Tensor

from pipelines.music import _fields as fields
from pipelines.music import _order as order
from pipelines.music._draft import Draft
from pipelines.music._drawing import CONTEXT_BARS, WINDOW_BARS, BeforeBars, Taste, Way, gumbel, nucleus
from pipelines.music._fields import FIELDS, STAGES
from pipelines.music._network import MusicTransformer

# What is added to the logit of the token that a bar repeats, by likeness, so that bars become as alike as
# their form says; without it errors add up, and repeats drift apart.
PULL = (0.0, 1.7, 2.9, 4.7)
# What is added to logits of tones and chords outside the key. At no tension: drawn side by side, from the
# likeliest, rare tones are lost, and with this NEUTRAL pieces leave the key as often as songs do.
WELCOME = 0.3
# More by this at full tension, less in calm bars, but never below nothing: fear and anger are dissonant and
# chromatic (Gabrielsson & Lindström 2010); songs to learn from hardly ever are.
STRAIN = 1.7
# Chosen by what NEUTRAL pieces of other seeds than the benchmark's measure like, beside songs: melodies leap
# less when they are drawn from fewer choices, and accompaniments are fuller when drawn from all.
TASTES = {
    "chord": Taste(temperature=0.92, cut=0.6),
    "melody": Taste(temperature=0.95, cut=2.0),
    "voices": Taste(temperature=1.01, cut=0.0),
    "melody_length": Taste(temperature=1.1, cut=0.0),
    "voices_length": Taste(temperature=1.4, cut=0.0),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One timestep: of each of its fields which tokens (bars, tokens of the field) are written now."""

    tokens: dict[str, np.ndarray]


class AbsorbingScheduler(SchedulerMixin, ConfigMixin):
    """Which tokens are written when, and how they are drawn from logits."""

    config_name = "scheduler_config.json"
    order = 1

    @register_to_config
    def __init__(self) -> None:
        self.timesteps: list[Moment] = []

    def set_timesteps(self, draft: Draft) -> None:
        """All moments at which something of `draft` is still missing, in order."""
        missing = draft.unwritten
        self.timesteps = []
        for stage in range(len(STAGES)):
            moments = order.schedule(stage, draft.lag)
            last = max(int(found.max()) for found in moments.values())
            for now in range(last + 1):
                chosen = {name: (at == now) & missing[:, FIELDS[name].tokens] for name, at in moments.items()}
                chosen = {name: tokens for name, tokens in chosen.items() if tokens.any()}
                if chosen:
                    self.timesteps.append(Moment(chosen))

    def step(
        self,
        logits: dict[str, Tensor],
        timestep: Moment,
        draft: Draft,
        repeated: NDArray[np.int64],
        way: Way,
        generator: torch.Generator,
    ) -> None:
        """Write the tokens of `timestep`; `repeated` (bars, WIDTH): the bars that those of `draft` repeat.

        `logits`: field -> (bars, per_bar, voices, classes).
        """
        for name, chosen in timestep.tokens.items():
            spec = FIELDS[name]
            where = torch.from_numpy(chosen)
            found = logits[name].flatten(1, 2)[where].float()
            found = found + torch.from_numpy(_pull(draft, repeated, name, chosen))
            found = found + torch.from_numpy(_strain(draft, name, chosen))
            legal = torch.from_numpy(_legal(draft, name)[chosen])
            drawn = draw(found, legal, way.of(TASTES.get(name)), generator, name in ("melody", "voices"))
            draft.tokens[:, spec.tokens][chosen] = drawn.numpy()


def _pull(
    draft: Draft, repeated: NDArray[np.int64], name: str, chosen: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(tokens chosen, classes) what the repeated bars add to logits."""
    spec = FIELDS[name]
    bar, _ = np.nonzero(chosen)
    token = repeated[:, spec.tokens][chosen]
    pull = np.zeros((len(token), spec.classes + 1), dtype=np.float32)
    pull[np.arange(len(token)), token] = np.asarray(PULL, dtype=np.float32)[draft.likeness[bar]]
    return pull[:, :-1]  # the last class is "not written"


def _strain(draft: Draft, name: str, chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(tokens chosen, classes) what is added to the logits of what lies outside the key."""
    bar, _ = np.nonzero(chosen)
    tension = np.zeros(len(draft)) if draft.tension is None else draft.tension
    welcome = np.maximum(0.0, WELCOME + STRAIN * tension[bar, None])
    return (welcome * fields.outside_key(name)).astype(np.float32)


def draw(
    logits: Tensor,
    legal: Tensor,
    way: Way,
    generator: torch.Generator,
    onsets: bool = False,
    alike: bool = False,
) -> Tensor:
    """One `legal` class of each row of logits (N, classes), from the likeliest that hold `top_p` of the mass.

    `onsets`: class 0 is silence, the others are pitches. Then the choice is among pitches, and how likely it
    is that anything sounds stays as it was: silence, one class against many, would gain by whatever is cut.
    `alike`: one throw of the dice for all rows; equal logits give equal classes.
    """
    logits = (logits / way.temperature).log_softmax(dim=-1)
    if onsets:
        sounds = logits[:, 1:].logsumexp(dim=-1, keepdim=True)
        pitches = _likeliest(logits[:, 1:], legal[:, 1:], way.top_p) + sounds
        logits = torch.cat([logits[:, :1].masked_fill(~legal[:, :1], -torch.inf), pitches], dim=-1)
    else:
        logits = _likeliest(logits, legal, way.top_p)
    thrown = torch.rand((1 if alike else len(logits), logits.shape[1]), generator=generator)
    return (logits + gumbel(thrown)).argmax(dim=-1)


def _likeliest(logits: Tensor, legal: Tensor, top_p: float) -> Tensor:
    """Log-probabilities of the likeliest legal classes that hold `top_p` together; all others -inf."""
    kept = nucleus(logits.masked_fill(~legal, -torch.inf), top_p).log_softmax(dim=-1)
    return kept.nan_to_num(-torch.inf, neginf=-torch.inf)  # where nothing is legal


def _legal(draft: Draft, name: str) -> np.ndarray:
    """(bars, tokens of the field, classes) that may be chosen: what is allowed, chords from low to high."""
    spec = FIELDS[name]
    legal = np.ones((len(draft), spec.size, spec.classes), dtype=bool)
    if name in draft.allowed:
        legal &= draft.allowed[name]
    if name.endswith("_length"):
        begins = draft.tokens[:, FIELDS[name.removesuffix("_length")].tokens] > 0
        legal[..., : fields.NO_LENGTH] &= begins[..., None]
        legal[..., fields.NO_LENGTH] = ~begins
    if spec.voices > 1 and name == "voices":
        lowest = draft.tokens[:, spec.tokens].reshape(len(draft), spec.per_bar, spec.voices)
        known = lowest < spec.classes
        floor = np.maximum.accumulate(np.where(known, lowest, 0), axis=-1)
        ended = np.maximum.accumulate(known & (lowest == 0), axis=-1)
        classes = np.arange(spec.classes)
        above = (classes > floor[..., :-1, None]) & ~ended[..., :-1, None]
        legal.reshape(*lowest.shape, spec.classes)[..., 1:, :] &= above | (classes == 0)
    legal[~legal.any(axis=-1), 0] = True  # nothing is allowed: silence is
    return legal


class MusicDiffusionPipeline(DiffusionPipeline):
    """Fills in what a draft lacks, window by window."""

    def __init__(self, transformer: MusicTransformer, scheduler: AbsorbingScheduler) -> None:
        super().__init__()
        self.register_modules(transformer=transformer, scheduler=scheduler)

    @torch.inference_mode()
    def __call__(
        self,
        draft: Draft,
        generator: torch.Generator,
        way: Way,
        before_bars: BeforeBars,
        on_step: Callable[[int, int], None],
    ) -> Draft:
        """Write all that is missing, in place. `on_step(done, total)` after every step, by an estimate."""
        self._known = self.transformer.known(min(len(draft), WINDOW_BARS))
        self._tune(draft, generator, way, before_bars)
        done = 0
        while (missing := draft.unwritten.any(axis=1)).any():
            bars = _window(missing)
            part = _part(draft, bars)
            self.scheduler.set_timesteps(part)
            before_bars(bars)
            windows = 1 + -(-int(missing[bars.stop :].sum()) // (WINDOW_BARS - CONTEXT_BARS))
            total = done + windows * len(self.scheduler.timesteps)
            for moment in self.scheduler.timesteps:
                logits = self._logits(draft, bars, tuple(moment.tokens), way)
                self.scheduler.step(logits, moment, part, draft.tokens[draft.sources[bars]], way, generator)
                _tidy(part, moment)
                done += 1
                on_step(done, max(total, done))
        return draft

    def _tune(self, draft: Draft, generator: torch.Generator, way: Way, before_bars: BeforeBars) -> None:
        """Mode of all bars of a new piece, each by its own feeling and by one throw of the dice; one tempo.

        In songs modes hardly ever change: given the bars before, they would not turn with a curve either. The
        tempo that is written is unfelt, the feeling's share is the performance's: lively songs are dense or
        fast, seldom both, so that a felt tempo would thin out the notes.
        """
        state = generator.get_state()
        tempo, mode = (FIELDS[name].start for name in ("tempo", "mode"))
        is_open = draft.unwritten.copy()
        if is_open[:, tempo].all():
            before_bars(None)
            self._throw(draft, slice(0, min(len(draft), WINDOW_BARS)), "tempo", way, generator)
            draft.tokens[:, tempo] = draft.tokens[0, tempo]
        for start in range(0, len(draft), WINDOW_BARS) if is_open[:, mode].all() else ():
            bars = slice(start, min(start + WINDOW_BARS, len(draft)))
            before_bars(bars)
            generator.set_state(state)
            self._throw(draft, bars, "mode", way, generator)

    def _throw(self, draft: Draft, bars: slice, name: str, way: Way, generator: torch.Generator) -> None:
        """Write a field of one token a bar for all bars at once, by one throw of the dice."""
        found = self._logits(draft, bars, (name,), way)[name].flatten(0, 2).float()
        free = torch.ones_like(found, dtype=torch.bool)
        drawn = draw(found, free, way, generator, alike=True)
        draft.tokens[bars, FIELDS[name].start] = drawn.numpy()

    def _logits(self, draft: Draft, bars: slice, names: tuple[str, ...], way: Way) -> dict[str, Tensor]:
        """Of each field (bars, per_bar, voices, classes), on the CPU."""
        seen = (draft.tokens[bars], draft.tokens[draft.sources[bars]], draft.facts[bars])
        inputs = way.rows([torch.from_numpy(part) for part in seen], self.transformer.norm.weight.device)
        logits = self.transformer(*inputs, names, self._known)
        return {name: way.felt(found) for name, found in logits.items()}


def _window(missing: np.ndarray) -> slice:
    """Bars around the first one that is missing something, with some before it."""
    first = int(np.flatnonzero(missing)[0])
    start = max(0, min(first - CONTEXT_BARS, len(missing) - WINDOW_BARS))
    return slice(start, min(start + WINDOW_BARS, len(missing)))


def _part(draft: Draft, bars: slice) -> Draft:
    """The bars of a window, which share their tokens with the whole; what they repeat may lie before it."""
    inside = draft.sources[bars] >= bars.start
    allowed = {name: choices[bars] for name, choices in draft.allowed.items()}
    lag = np.where(inside, draft.lag[bars], 0)
    tension = None if draft.tension is None else draft.tension[bars]
    return Draft(draft.tokens[bars], lag, draft.likeness[bars], draft.meter, allowed, tension)


def _tidy(part: Draft, moment: Moment) -> None:
    """Chords low to high without doubles once all their voices are there."""
    for name in ("melody", "voices"):
        if name not in moment.tokens:
            continue
        spec = FIELDS[name]
        pitches = part.tokens[:, spec.tokens].reshape(len(part), spec.per_bar, spec.voices)
        whole = (pitches < spec.classes).all(axis=-1)
        ordered = np.where(whole[..., None], _ordered(pitches), pitches)
        part.tokens[:, spec.tokens] = ordered.reshape(len(part), -1)


def _ordered(pitches: np.ndarray) -> np.ndarray:
    """Low to high, doubles and gaps taken out."""
    found = np.sort(np.where(pitches == 0, np.iinfo(np.int64).max, pitches), axis=-1)
    double = np.zeros_like(found, dtype=bool)
    double[..., 1:] = found[..., 1:] == found[..., :-1]
    found = np.sort(np.where(double, np.iinfo(np.int64).max, found), axis=-1)
    return np.where(found == np.iinfo(np.int64).max, 0, found)
