"""The network of the embedded music model `music-tiny`: how it is made, what it sees, for how long."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pipelines.music import _fields as fields
from pipelines.music import _loss as music_loss
from pipelines.music._network import MusicTransformer
from training.embedded._fit import Fit, Plan
from training.embedded.music_set import Songs

BATCH = 32
BARS = 16
SHORT = 8  # bars of one batch in five, so that short pieces are known too
RARE_METER = 3.0  # how much oftener than its share 6/8 is seen
PLAN = Plan(steps=5600, learning_rate=2e-3, warmup_steps=150, weight_decay=0.02, ema=0.999)


def new(seed: int) -> MusicTransformer:
    torch.manual_seed(seed)
    return MusicTransformer(channels=256, layers=6, heads=4, dropout=0.1)


def starts(songs: Songs, bars: int) -> tuple[Tensor, Tensor]:
    """First bars of all windows of `bars` bars, and how often each should be seen."""
    first = torch.nonzero(songs.left >= bars).flatten()
    rare = songs.bars[first, 0] == fields.METER_NAMES.index("6/8")
    return first, torch.where(rare, RARE_METER, 1.0)


def windows(songs: Songs, first: Tensor, bars: int) -> dict[str, Tensor]:
    """What the loss takes, for windows of `bars` bars that begin at `first` (R,)."""
    index = first[:, None] + torch.arange(bars)
    lag = songs.lag[index]
    return {
        "tokens": songs.tokens[index],
        "repeated": songs.tokens[index - lag],
        "lag": lag,
        "facts": songs.bars[index],
    }


def train(net: MusicTransformer, songs: Songs, folder: Path, seed: int) -> None:
    choices = {bars: starts(songs, bars) for bars in (BARS, SHORT)}

    def loss_of(_step: int, generator: torch.Generator) -> Tensor:
        bars = SHORT if torch.rand((), generator=generator) < 0.2 else BARS
        begin, often = choices[bars]
        rows = BATCH * BARS // bars
        first = begin[torch.multinomial(often, rows, generator=generator)]
        inputs, truth, weight = music_loss.masked(windows(songs, first, bars), generator)
        net.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(*inputs)
        return music_loss.loss(logits, truth, weight)

    Fit(net, PLAN, folder, seed).run(loss_of, "music network")
