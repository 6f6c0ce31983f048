"""The network of `music/score`: a transformer over half-beats that fills in masked tokens of a bar grid.

Shapes: R rows, B bars, W tokens a bar (see _fields), P = 8 positions a bar, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from pipelines.music import _fields as fields
from pipelines.music._fields import FIELDS, PLACES, POSITIONS

PITCH_FIELDS = ("melody", "voices")


class Known(NamedTuple):
    """Sums of `table` (classes of all columns, C) are what a position sees; `turns` of positions."""

    table: Tensor
    turns: tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Self-attention with rotary positions. Explicit softmax: in bfloat16 a CPU is faster with it."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        rows, length, channels = x.shape
        q, k, v = (part(x).view(rows, length, self.heads, -1) for part in (self.to_q, self.to_k, self.to_v))
        q, k, v = (part.transpose(1, 2).contiguous() for part in (_rotate(q, turns), _rotate(k, turns), v))
        scores = q @ k.transpose(-1, -2) * (channels // self.heads) ** -0.5
        mixed = scores.softmax(dim=-1) @ v
        return self.to_out(mixed.transpose(1, 2).reshape(rows, length, channels))


class Block(nn.Module):
    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.ff_in = nn.Linear(channels, 4 * channels)
        self.ff_out = nn.Linear(4 * channels, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        dtype = self.ff_in.weight.dtype  # the stream of `x` may be wider than what is multiplied
        x = x + self.dropout(self.attn(self.norm1(x).to(dtype), turns))
        return x + self.dropout(self.ff_out(nn.functional.gelu(self.ff_in(self.norm2(x).to(dtype)))))


class MusicTransformer(ModelMixin, ConfigMixin):
    """Logits of every token of a grid, given those that are known, and the bars that it repeats."""

    @register_to_config
    def __init__(self, channels: int = 256, layers: int = 6, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.layout: Tensor
        layout = torch.from_numpy(fields.layout())
        sizes = torch.from_numpy(fields.classes()) + 1  # with "not written"
        offsets = torch.cumsum(sizes[layout[0]], 0) - sizes[layout[0]]
        self.register_buffer("layout", layout, persistent=False)
        self.register_buffer("offsets", offsets, persistent=False)
        self.pitch_columns = nn.ModuleDict(
            {name: nn.Linear(channels // 4, 2 * FIELDS[name].voices * channels) for name in PITCH_FIELDS}
        )
        sizes = {
            name: _columns(name) * (field.classes + 1)
            for name, field in FIELDS.items()
            if name not in PITCH_FIELDS
        }
        sizes |= {"likeness": len(fields.LIKENESSES) + 1, "meter": len(fields.METERS)}
        sizes |= {"place": 2 * PLACES, "position": POSITIONS}
        self.embeddings = nn.ModuleDict({name: nn.Embedding(size, channels) for name, size in sizes.items()})
        self.embeddings["pitch"] = nn.Embedding(fields.PITCHES + 1, channels // 4)
        self.repeated = nn.Linear(channels, channels)
        self.blocks = nn.ModuleList([Block(channels, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(channels)
        self.writers = nn.ModuleDict(
            {name: nn.Linear(channels, _outputs(name) * field.classes) for name, field in FIELDS.items()}
        )
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.2)

    def forward(
        self,
        tokens: Tensor,
        repeated: Tensor,
        bars: Tensor,
        names: Sequence[str] = tuple(FIELDS),
        known: Known | None = None,
    ) -> dict[str, Tensor]:
        """`tokens`, `repeated` (R, B, W): the grid, and of each bar the one it repeats (anything where none).

        `bars` (R, B, 4): meter, likeness to the repeated bar, place from the start and from the end. `known`:
        `self.known(B)` or of more bars, for whoever asks often. Returns for each field of `names` logits
        (R, B, per_bar, voices, classes).
        """
        rows, count, _ = tokens.shape
        known = known or self.known(count)
        meter, likeness, start, end = bars.unbind(-1)
        said = self.embeddings
        bar = said["meter"](meter) + said["likeness"](likeness)
        bar = bar + said["place"](start) + said["place"](end + PLACES)
        here, there = self._seen(torch.stack([tokens, repeated]), known.table)
        copied = self.repeated(there.to(self.repeated.weight.dtype)) * (likeness > 0).view(rows, count, 1, 1)
        x = here + copied + bar[:, :, None] + said["position"].weight
        x = x.flatten(1, 2)
        cos, sin = (part[: x.shape[1]] for part in known.turns)
        for block in self.blocks:
            x = block(x, (cos, sin))
        x = self.norm(x).view(rows, count, POSITIONS, -1)
        return {name: self._logits(x, name) for name in names}

    def known(self, bars: int) -> Known:
        """What does not depend on tokens, for up to `bars` bars; good as long as the weights stay."""
        width = self.config.channels // self.config.heads
        turns = _turns(bars * POSITIONS, width, self.norm.weight)
        dtype = self.repeated.weight.dtype
        return Known(self._table(), (turns[0].to(dtype), turns[1].to(dtype)))

    def halve(self) -> None:
        """Multiply in bfloat16 from now on; sums and norms stay as they are."""
        for module in self.modules():
            if isinstance(module, nn.Linear) and module not in self.pitch_columns.values():
                module.to(torch.bfloat16)

    def _table(self) -> Tensor:
        """(sum of classes over columns, C); pitches share what they are, each column says what that does."""
        parts = []
        for name, field in FIELDS.items():
            if name in PITCH_FIELDS:
                columns = 2 * field.voices
                mixed = self.pitch_columns[name](self.embeddings["pitch"].weight)  # (pitches, columns * C)
                parts.append(mixed.view(len(mixed), columns, -1).transpose(0, 1).flatten(0, 1))
            else:
                parts.append(self.embeddings[name].weight)
        return torch.cat(parts)

    def _seen(self, tokens: Tensor, table: Tensor) -> Tensor:
        """(..., W) -> (..., P, C): the sum of the embeddings of all that a position sees."""
        indices = tokens[..., self.layout] + self.offsets
        flat = nn.functional.embedding_bag(indices.flatten(0, -2), table, mode="sum")
        return flat.view(*tokens.shape[:-1], POSITIONS, -1)

    def _logits(self, x: Tensor, name: str) -> Tensor:
        field = FIELDS[name]
        stride = max(1, POSITIONS // field.per_bar)
        out = self.writers[name](x[:, :, ::stride].to(self.writers[name].weight.dtype))
        return out.view(*x.shape[:2], field.per_bar, field.voices, field.classes)


def _columns(name: str) -> int:
    """Tokens of a field that one position sees."""
    field = FIELDS[name]
    return max(1, field.per_bar // POSITIONS) * field.voices


_outputs = _columns  # and those that it writes


def _turns(length: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (length, 1, width) of rotary positions (Su et al. 2021), wavelengths up to 4096.

    The first half of the sines is negative, see `_rotate`."""
    rates = torch.exp(-math.log(4096) * torch.arange(0, width, 2, device=like.device) / width)
    angles = torch.arange(length, device=like.device)[:, None, None] * rates
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


def _rotate(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """`x` (rows, length, heads, width): first and second half of the width are the two parts of a point."""
    cos, sin = (part.to(x.dtype) for part in turns)
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, dims=-1), sin)
