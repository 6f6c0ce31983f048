"""Which tokens the music network must fill in while it learns: the states that composing passes through.

Most rows stand somewhere inside one stage of composing, with all stages before it written and none after it;
the others hold any mixture, as infilling and locked elements make them. Half of the rows know some bars
wholly. Knows the grid's order; it knows no network and no songs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pipelines.music import _order as order
from pipelines.music._fields import FIELDS, STAGES, WIDTH

STAGE_SHARES = (0.13, 0.17, 0.27, 0.31, 0.12)
STAGED = 0.65  # share of rows that stand inside one stage; the others are mixtures
KNOWN_BARS = 0.5  # share of rows that know some bars
LATER = 0.1  # weight of what a later stage writes


def draw(rows: int, bars: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Of (rows, bars, WIDTH) tokens: which are masked, and what each masked one weighs in the loss."""
    masked = torch.empty(rows, bars, WIDTH, dtype=torch.bool)
    weight = torch.ones(rows, bars, WIDTH)
    for row in range(rows):
        if _chance(generator) < STAGED:
            stage = int(torch.multinomial(torch.tensor(STAGE_SHARES), 1, generator=generator))
            masked[row] = _inside(stage, bars, generator)
            for later in STAGES[stage + 1 :]:
                for name in later:
                    weight[row, :, FIELDS[name].tokens] = LATER
        else:
            masked[row] = _mixture(bars, generator)
        if _chance(generator) < KNOWN_BARS:
            masked[row] &= ~_known(bars, generator)[:, None]
    return masked, weight


def _inside(stage: int, bars: int, generator: torch.Generator) -> Tensor:
    """(bars, WIDTH): a stage part of the way through, in its own order or in any."""
    masked = torch.zeros(bars, WIDTH, dtype=torch.bool)
    for later in STAGES[stage + 1 :]:
        for name in later:
            masked[:, FIELDS[name].tokens] = True
    ordered = _chance(generator) < 0.7
    for name in STAGES[stage]:
        tokens = FIELDS[name].tokens
        masked[:, tokens] = (
            _ordered(stage, name, bars, generator) if ordered else _anyhow(name, bars, generator)
        )
    return masked


def _ordered(stage: int, name: str, bars: int, generator: torch.Generator) -> Tensor:
    """Written up to a moment of the order; bars that repeat others come a little later than those do."""
    moments = torch.from_numpy(order.schedule(stage, np.zeros(bars, dtype=np.int64))[name])
    now = torch.rand((), generator=generator) * (moments.max() + 2) - 1
    behind = torch.randint(0, 3, (bars, 1), generator=generator)
    return moments + behind > now


def _anyhow(name: str, bars: int, generator: torch.Generator) -> Tensor:
    share = torch.cos(torch.rand((), generator=generator) * torch.pi / 2)
    return torch.rand(bars, FIELDS[name].size, generator=generator) < share


def _mixture(bars: int, generator: torch.Generator) -> Tensor:
    masked = torch.zeros(bars, WIDTH, dtype=torch.bool)
    for stage in STAGES:
        for name in stage:
            chance = _chance(generator)
            if chance < 0.3:
                masked[:, FIELDS[name].tokens] = True
            elif chance < 0.65:
                masked[:, FIELDS[name].tokens] = _anyhow(name, bars, generator)
    return masked


def _known(bars: int, generator: torch.Generator) -> Tensor:
    """(bars,) those that are there: the beginning, both ends, or any."""
    kind = _chance(generator)
    known = torch.zeros(bars, dtype=torch.bool)
    first = int(torch.randint(1, bars, (), generator=generator))
    if kind < 0.6:
        known[:first] = True
    elif kind < 0.8:
        last = int(torch.randint(first, bars, (), generator=generator))
        known[:first] = known[last:] = True
    else:
        known = torch.rand(bars, generator=generator) < torch.rand((), generator=generator)
    return known


def _chance(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
