"""The autoregressive baseline of the music benchmark.

As large as the network of `music/score`, the same songs, the same hours on one core, the same optimiser.
`python -m training.embedded.music_ar --data POP909 --folder runs/music/ar --threads 1` starts or resumes it.
It serves comparison only: its weights stay in the folder of the run and are no part of the product.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipelines.music import _fields as fields
from training.embedded import _music_ar_tastes as tastes
from training.embedded import _music_events as events
from training.embedded._fit import Fit, Plan
from training.embedded._music_ar_net import MusicEventTransformer
from training.embedded._music_ar_sampling import CONTEXT, Taste, compose
from training.embedded._music_events import AT, BAR, COLUMNS, START
from training.embedded.music_net import BARS, starts
from training.embedded.music_set import Songs, songs

__all__ = ["PLAN", "Taste", "compose", "find_or_train", "new", "quality", "train"]

ROWS = 8
# 1.58 s a step on the core on which the other network's take 1.31 s: two hours.
PLAN = Plan(steps=4600, learning_rate=2e-3, warmup_steps=150, weight_decay=0.02, ema=0.999)
# As the other network's: lengths, loudness and what sums a bar up count for less than notes do.
WEIGHTS = {"what": 1.0, "pitch": 1.0, "length": 0.5, "velocity": 0.3, "chord": 1.0, "chord_2": 1.0} | (
    dict.fromkeys(fields.PLAN, 0.3)
)


class Row(NamedTuple):
    """All songs as one row of N events, as tensors; see _music_events.Events."""

    rows: Tensor
    cell: Tensor
    loud: Tensor
    bar: Tensor


def new(seed: int) -> MusicEventTransformer:
    torch.manual_seed(seed)
    return MusicEventTransformer(channels=256, layers=6, heads=4, dropout=0.1)


def as_events(songs: Songs) -> Row:
    found = events.to_events(songs.tokens.numpy(), songs.bars.numpy())
    rows = found.rows.astype("int16")  # 1.5 million events
    return Row(*map(torch.from_numpy, (rows, found.cell, found.loud, found.bar)))


def batch(row: Row, songs: Songs, first: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Windows that begin at the bars `first` (R,).

    Returns what is read (R, length, columns), its sixteenths (R, length), what follows each event
    (R, length, columns) and which velocities count. After the end of a stretch all columns are 0, but that
    its last bar is over is still to be said.
    """
    begin, end = row.bar[first][:, None], row.bar[first + songs.left[first]][:, None]
    index = begin + torch.arange(length)
    inside = index < end
    index = index.clamp(max=len(row.rows) - 1)
    after = row.rows[index].long() * inside[..., None]
    after[..., AT["what"]] += (begin + torch.arange(length) == end) * (BAR + 1)
    start = torch.zeros(len(first), 1, len(COLUMNS), dtype=torch.long)
    start[..., AT["what"]] = START + 1
    cells = row.cell[index]
    cells = torch.cat([cells[:, :1], cells[:, :-1]], dim=1)
    return torch.cat([start, after[:, :-1]], dim=1), cells, after, row.loud[index] & inside


def losses(net: MusicEventTransformer, states: Tensor, after: Tensor, loud: Tensor) -> dict[str, Tensor]:
    """Sums of cross-entropies of each column over the events (R, T) that follow."""
    states, after, loud = states.flatten(0, 1), after.flatten(0, 1), loud.flatten()
    what = after[:, AT["what"]] - 1
    note, bar = after[:, AT["pitch"]] > 0, after[:, AT["mode"]] > 0
    choice = note | ((what == BAR) & (after[:, AT["start"]] != 1) | (what == BAR) & ~bar)
    found = {"what": _entropy(net.writers["what"](states[choice]), what[choice])}
    for name, mine in (("note", note), ("bar", bar), ("chords", after[:, AT["chord_2"]] > 0)):
        place = torch.nonzero(mine).flatten()
        rows = after[place]
        for column, logits in net.chains[name](states[place], rows).items():
            wanted = rows[:, AT[column]] - 1
            if column == "velocity":
                wanted = torch.where(loud[place], wanted, -100)
            found[column] = _entropy(logits, wanted)
    return found


def _entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits.float(), wanted, reduction="sum")


def train(net: MusicEventTransformer, songs: Songs, folder: Path, seed: int, plan: Plan = PLAN) -> None:
    row = as_events(songs)
    bars, often = starts(songs, BARS)

    def loss_of(_step: int, generator: torch.Generator) -> Tensor:
        first = bars[torch.multinomial(often, ROWS, generator=generator)]
        rows, cells, after, loud = batch(row, songs, first, CONTEXT)
        net.train()
        with torch.autocast("cpu", torch.bfloat16):
            each = losses(net, net(rows, cells), after, loud)
        count = (after[..., AT["what"]] > 0).sum()
        return torch.stack([WEIGHTS[name] * value for name, value in each.items()]).sum() / count

    Fit(net, plan, folder, seed).run(loss_of, "autoregressive baseline")


@torch.no_grad()
def quality(net: MusicEventTransformer, songs: Songs, count: int = 64) -> dict[str, float]:
    """Mean nats of each column an event, and of all a bar, over `count` windows spread over the songs."""
    row = as_events(songs)
    places, _ = starts(songs, BARS)
    first = places[torch.linspace(0, len(places) - 1, count).long()]
    sums: dict[str, float] = {}
    seen = bars = 0
    net.eval()
    for some in first.split(ROWS):
        rows, cells, after, loud = batch(row, songs, some, CONTEXT)
        for name, value in losses(net, net(rows, cells), after, loud).items():
            sums[name] = sums.get(name, 0.0) + float(value)
        seen += int((after[..., AT["what"]] > 0).sum())
        bars += int((after[..., AT["mode"]] > 0).sum())
    found = {name: value / seen for name, value in sums.items()}
    return found | {"nats_per_bar": sum(sums.values()) / bars}


def find_or_train(data: Path, folder: Path, seed: int = 0) -> MusicEventTransformer:
    """The trained baseline of `folder`, with its taste; where unfinished it is gone on with (two hours).

    The songs are those kept beside `folder`, else read from `data`.
    """
    net, known = new(seed), songs(folder.parent, data, "train")
    train(net, known, folder, seed)
    net.taste = tastes.taste(net, known, folder)
    return net.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="folder of POP909")
    parser.add_argument("--folder", type=Path, default=Path("runs/music/ar"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves it to torch")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    net = find_or_train(asked.data, asked.folder, asked.seed)
    print(json.dumps(quality(net, songs(asked.folder.parent, asked.data, "held_out")), indent=1))


if __name__ == "__main__":
    main()
