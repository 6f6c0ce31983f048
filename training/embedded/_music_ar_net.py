"""The autoregressive network that `music/score` is compared with: a causal transformer over compound events.

Positions turn queries and keys by the number of the event and by musical time, half of each head: so "the
same beat eight bars ago" is one angle, however many notes lie between. What an event consists of is written
column after column, each knowing those before it. Shapes: R rows, T events, C channels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from training.embedded import _music_events as events
from training.embedded._music_events import AT, COLUMNS

Turns = tuple[Tensor, Tensor]
CHAINS = {"bar": events.fields.PLAN, "chords": events.HARMONY, "note": events.NOTE}
BEFORE = {
    "bar": events.GIVEN,
    "chords": (),
    "note": ("what", "chord"),
}  # what is known of an event before its chain


class Cache:
    """Keys and values of the events read so far, room for `length` of them, in every layer."""

    def __init__(self, net: MusicEventTransformer, rows: int, length: int) -> None:
        shape = (len(net.blocks), 2, rows, net.heads, length, net.channels // net.heads)
        self.held = torch.zeros(shape)
        self.count = 0

    def extended(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        end = self.count + keys.shape[2]
        held = self.held[layer, :, :, :, :end]
        held[0, :, :, self.count :], held[1, :, :, self.count :] = keys, values
        return held[0], held[1]


class Attention(nn.Module):
    """Causal self-attention; `hidden` (R or 1, 1, T, T) is added to the scores."""

    def __init__(self, channels: int, heads: int, layer: int) -> None:
        super().__init__()
        self.heads, self.layer = heads, layer
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, turns: Turns, hidden: Tensor | None, cache: Cache | None) -> Tensor:
        rows, length, channels = x.shape
        q, k, v = (
            part(x).view(rows, length, self.heads, -1).transpose(1, 2)
            for part in (self.to_q, self.to_k, self.to_v)
        )
        q, k = _rotate(q, turns), _rotate(k, turns)
        if cache is not None:
            k, v = cache.extended(self.layer, k, v)
        scores = q @ k.transpose(-1, -2) * (channels // self.heads) ** -0.5
        if hidden is not None:
            scores = scores + hidden.to(scores.dtype)
        mixed = scores.softmax(dim=-1) @ v
        return self.to_out(mixed.transpose(1, 2).reshape(rows, length, channels))


class Block(nn.Module):
    def __init__(self, channels: int, heads: int, dropout: float, layer: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn = Attention(channels, heads, layer)
        self.norm2 = nn.LayerNorm(channels)
        self.ff_in = nn.Linear(channels, 4 * channels)
        self.ff_out = nn.Linear(4 * channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, turns: Turns, hidden: Tensor | None, cache: Cache | None) -> Tensor:
        x = x + self.dropout(self.attn(self.norm1(x), turns, hidden, cache))
        return x + self.dropout(self.ff_out(nn.functional.gelu(self.ff_in(self.norm2(x)))))


class Chain(nn.Module):
    """Writes columns of one event one after the other, from the state before it and what is known of it."""

    def __init__(self, known: tuple[str, ...], names: tuple[str, ...], channels: int) -> None:
        super().__init__()
        self.known, self.names = known, names
        sizes = {name: COLUMNS[name] + 1 for name in (*known, *names)}
        self.embeddings = nn.ModuleDict({name: nn.Embedding(size, channels) for name, size in sizes.items()})
        self.norm = nn.LayerNorm(channels)
        self.mix_in = nn.Linear(channels, channels)
        self.mix_out = nn.Linear(channels, channels)
        self.writers = nn.ModuleDict({name: nn.Linear(channels, COLUMNS[name]) for name in names})

    def begin(self, state: Tensor, rows: Tensor) -> Tensor:
        """`state` (N, C), `rows` (N, columns) of which the known columns are read."""
        for name in self.known:
            state = state + self.embeddings[name](rows[:, AT[name]])
        return state

    def logits(self, state: Tensor, name: str) -> Tensor:
        mixed = self.mix_out(nn.functional.gelu(self.mix_in(self.norm(state))))
        return self.writers[name](state + mixed)

    def after(self, state: Tensor, name: str, values: Tensor) -> Tensor:
        """`values` (N,) of a column as an event holds them, from 1 on."""
        return state + self.embeddings[name](values)

    def forward(self, state: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Logits (N, classes) of every column when the ones before it are those of `rows`."""
        state, found = self.begin(state, rows), {}
        for name in self.names:
            found[name] = self.logits(state, name)
            state = self.after(state, name, rows[:, AT[name]])
        return found


class MusicEventTransformer(nn.Module):
    """States after every event, from which `what` the next one is and its columns are written."""

    def __init__(self, channels: int = 256, layers: int = 6, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.channels, self.heads = channels, heads
        self.taste: Any = None  # a Taste that was chosen for these weights
        sizes = torch.tensor([classes + 1 for classes in COLUMNS.values()])
        self.offsets: Tensor
        self.register_buffer("offsets", torch.cumsum(sizes, 0) - sizes, persistent=False)
        self.embeddings = nn.Embedding(int(sizes.sum()), channels)
        self.blocks = nn.ModuleList([Block(channels, heads, dropout, layer) for layer in range(layers)])
        self.norm = nn.LayerNorm(channels)
        self.writers = nn.ModuleDict({"what": nn.Linear(channels, events.BAR + 1)})
        self.chains = nn.ModuleDict(
            {name: Chain(BEFORE[name], columns, channels) for name, columns in CHAINS.items()}
        )
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.2)

    def forward(
        self, rows: Tensor, cells: Tensor, hidden: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """`rows` (R, T, columns), `cells` (R, T): sixteenths from anywhere. Returns states (R, T, C).

        `hidden` (R or 1, 1, T, all): 0 where an event may be seen, -inf else; without it and without a cache
        every event sees itself and those before it. With a cache the T events follow those in it.
        """
        first = 0 if cache is None else cache.count
        if hidden is None and rows.shape[1] > 1:
            hidden = causal(rows.shape[1], first)
        x = nn.functional.embedding_bag(
            (rows + self.offsets).flatten(0, 1), self.embeddings.weight, mode="sum"
        )
        x = x.view(*rows.shape[:2], -1)
        number = torch.arange(first, first + rows.shape[1]).expand_as(cells)
        turns = _turns(number, cells, self.channels // self.heads)
        for block in self.blocks:
            x = block(x, turns, hidden, cache)
        if cache is not None:
            cache.count += rows.shape[1]
        return self.norm(x)


def causal(length: int, before: int = 0) -> Tensor:
    """(1, 1, length, before + length): 0 on and below the diagonal, -inf above."""
    return torch.full((length, before + length), -math.inf).triu(before + 1)[None, None]


def _turns(number: Tensor, cells: Tensor, width: int) -> Turns:
    """Cosines and sines (R, 1, T, width) of rotary positions (Su et al. 2021), wavelengths up to 4096."""
    rates = torch.exp(-math.log(4096) * torch.arange(0, width, 4) / width)
    angles = torch.cat([number[..., None] * rates, cells[..., None] * rates], dim=-1)
    angles = torch.cat([angles, angles], dim=-1)[:, None]
    return angles.cos(), angles.sin()


def _rotate(x: Tensor, turns: Turns) -> Tensor:
    cos, sin = (part.to(x.dtype) for part in turns)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
