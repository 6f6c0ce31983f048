"""The networks of `music/muser`: an autoencoder of bars with codebooks for elements, a prior of its codes.

After MusER (Ji & Yang, AAAI 2024): slices of the latent belong to musical elements, attributes order each
slice, a global decoder comes before a decoder for each element. Ours differs where that recipe leaks: a slice
is shown its own element only (_muser_features), has its own codebook, and is ordered by ordinal attributes;
the state of an element is made of the slices that it may see (SEES), so an exchanged slice changes what
depends on it and nothing else.

Shapes: R rows, B bars, H = 2 halves a bar, S slices, P = 8 positions a bar, C channels, D latent numbers.
"""

from __future__ import annotations

import math

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from pipelines.music import _fields as fields
from pipelines.music import _muser_features as features
from pipelines.music._fields import BINS, CHORDS, FIELDS, LENGTHS, LOUDNESS_LEVELS, PITCHES, POSITIONS, VOICES
from pipelines.music._muser_codes import Codebook
from pipelines.music._muser_features import ATTRIBUTES, CELLS, ELEMENTS, HALVES, SLICES
from pipelines.music._network import Block, _turns

SIZES = {  # of the codebooks: about what their element has to say in half a bar
    "density": 64,
    "rhythm_melody": 128,
    "rhythm_voices": 256,
    "harmony": 128,
    "register": 64,
    "pitch_melody": 256,
    "pitch_voices": 256,
    "velocity": 64,
}
SEES = {  # whose slices an element's state is made of
    "density": ("density",),
    "rhythm": ("density", "rhythm"),
    "harmony": ("harmony",),
    "register": ("register",),
    "pitch": ("density", "rhythm", "harmony", "register", "pitch"),
    "velocity": ("velocity",),
}
MOST_ADDED = 24  # notes beyond one per moment in half a bar
FRAME = {  # what each element decoder writes of half a bar, as (moments, classes)
    "density": {
        "melody_moments": (1, CELLS + 1),
        "voices_moments": (1, CELLS + 1),
        "added": (1, MOST_ADDED + 1),
    },
    "rhythm": {
        "melody_begins": (CELLS, 2),
        "counts": (CELLS, VOICES + 1),
        "melody_length": (CELLS, len(LENGTHS)),
        "voices_length": (CELLS * VOICES, len(LENGTHS)),
        "tempo": (1, BINS),
    },
    "harmony": {"chord": (1, CHORDS), "mode": (1, 2)},
    "register": {"melody_register": (1, BINS), "register": (1, BINS)},
    "velocity": {"velocity": (4, LOUDNESS_LEVELS), "loudness": (1, BINS)},
}
OF_BARS = ("tempo", "mode", "melody_register", "register", "loudness")  # one token a bar: halves are averaged
COLUMNS = 2 + 2 * VOICES  # pitch tokens of one position: two sixteenths
Latents = dict[str, Tensor]  # slice -> (R, B, H, D)


class MuserCodec(ModelMixin, ConfigMixin):
    """Bars to codes and back. `channels`: of the global decoder; `pitch_channels`: of the pitch decoder."""

    @register_to_config
    def __init__(
        self,
        channels: int = 128,
        layers: int = 2,
        pitch_channels: int = 160,
        pitch_layers: int = 4,
        heads: int = 4,
        width: int = 16,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        shown = features.features(torch.zeros(1, fields.WIDTH, dtype=torch.long))
        self.encoders = nn.ModuleDict(
            {name: _encoder(shown[name].shape[-1], channels, width) for name in SLICES}
        )
        self.books = nn.ModuleDict({name: Codebook(SIZES[name], width) for name in SLICES})
        self.read_outs = nn.ModuleDict(
            {e: nn.Linear(width * len(slices_of(e)), len(ATTRIBUTES[e])) for e in ELEMENTS}
        )
        self.rise = nn.ModuleDict({name: nn.Linear(width, channels, bias=False) for name in SLICES})
        self.own = nn.ModuleDict({name: nn.Linear(width, channels, bias=False) for name in SLICES})
        sizes = {"element": len(ELEMENTS), "part": HALVES, "meter": len(fields.METERS)}
        self.embeddings = nn.ModuleDict({name: nn.Embedding(size, channels) for name, size in sizes.items()})
        self.blocks = nn.ModuleList([Block(channels, heads, dropout) for _ in range(layers)])
        self.norms = nn.ModuleDict({e: nn.LayerNorm(channels) for e in ELEMENTS})
        self.writers = nn.ModuleDict(
            {e: nn.Linear(channels, sum(math.prod(shape) for shape in FRAME[e].values())) for e in FRAME}
        )
        self.pitch = PitchDecoder(channels, pitch_channels, pitch_layers, heads, dropout)
        _start_embeddings(self)

    def encode(self, tokens: Tensor) -> Latents:
        """(R, B, WIDTH) -> unquantised latents, each a function of its half bar alone."""
        shown = features.features(tokens)
        with torch.autocast(tokens.device.type, enabled=False):
            return {name: self.encoders[name](shown[name].float()) for name in SLICES}

    def quantise(self, latents: Latents) -> tuple[Latents, Tensor, Tensor]:
        """Quantised latents with the gradient of what they stand for, codes (R, B, H, S), commitment."""
        with torch.autocast(latents["density"].device.type, enabled=False):
            found = {name: self.books[name](latents[name].flatten(0, -2)) for name in SLICES}
        quantised = {name: found[name].vectors.view_as(latents[name]) for name in SLICES}
        shape = latents["density"].shape[:-1]
        codes = torch.stack([one.codes.view(shape) for one in found.values()], -1)
        return quantised, codes, torch.stack([one.commitment for one in found.values()]).sum()

    def codes(self, tokens: Tensor) -> Tensor:
        """(R, B, WIDTH) -> (R, B, H, S)."""
        latents = self.encode(tokens)
        return torch.stack(
            [self.books[name].nearest(latents[name].flatten(0, -2)) for name in SLICES], -1
        ).view(*tokens.shape[:2], HALVES, len(SLICES))

    def look_up(self, codes: Tensor) -> Latents:
        return {name: self.books[name].vectors[codes[..., i]] for i, name in enumerate(SLICES)}

    def states(self, latents: Latents, meter: Tensor) -> dict[str, Tensor]:
        """The global decoder: element -> (R, B, H, C). `meter` (R, B) classes."""
        risen = {name: self.rise[name](latents[name]) for name in SLICES}
        known = self.embeddings
        bars = known["meter"](meter)[:, :, None] + known["part"].weight
        seen = [sum(risen[s] for s, e in SLICES.items() if e in SEES[element]) for element in ELEMENTS]
        x = torch.stack([one + bars for one in seen]) + known["element"].weight[:, None, None, None]
        count, rows, length, halves, channels = x.shape
        x = x.reshape(count * rows, length * halves, channels)
        turns = _turns(x.shape[1], channels // self.config.heads, x)
        for block in self.blocks:
            x = block(x, turns)
        states = x.view(count, rows, length, halves, channels)
        own = {e: sum(self.own[s](latents[s]) for s in slices_of(e)) for e in ELEMENTS}
        return {e: self.norms[e](states[i] + own[e]) for i, e in enumerate(ELEMENTS)}

    def frame(self, states: dict[str, Tensor]) -> dict[str, Tensor]:
        """All that is written but pitches: name -> logits (R, B, H, moments, classes); H is 1 for OF_BARS."""
        found: dict[str, Tensor] = {}
        for element, shapes in FRAME.items():
            out = self.writers[element](states[element])
            parts = out.split([math.prod(shape) for shape in shapes.values()], dim=-1)
            for (name, shape), part in zip(shapes.items(), parts, strict=True):
                logits = part.view(*part.shape[:-1], *shape)
                found[name] = logits.mean(2, keepdim=True) if name in OF_BARS else logits
        return found

    def ordered(self, latents: Latents) -> dict[str, Tensor]:
        """The read-out of every attribute: name -> (R, B, H). One linear map per element is all it takes."""
        found: dict[str, Tensor] = {}
        for element in ELEMENTS:
            whole = torch.cat([latents[name] for name in slices_of(element)], -1)
            values = self.read_outs[element](whole.float())
            found |= dict(zip(ATTRIBUTES[element], values.unbind(-1), strict=True))
        return found


class PitchDecoder(nn.Module):
    """The element decoder that needs several steps: pitches of onsets, given those that are written.

    An onset without a pitch has the class PITCHES; where nothing begins stands 0.
    """

    def __init__(self, state: int, channels: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.state = nn.Linear(state, channels)
        self.columns = nn.Linear(channels // 4, COLUMNS * channels)
        self.embeddings = nn.ModuleDict(
            {
                "pitch": nn.Embedding(PITCHES + 1, channels // 4),
                "chord": nn.Embedding(CHORDS, channels),
                "position": nn.Embedding(POSITIONS, channels),
            }
        )
        self.blocks = nn.ModuleList([Block(channels, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(channels)
        self.writers = nn.ModuleDict(
            {name: nn.Linear(channels, 2 * FIELDS[name].voices * PITCHES) for name in ("melody", "voices")}
        )

    def forward(self, state: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """`state` (R, B, H, C), `tokens` (R, B, WIDTH), of which chord, melody and voices are read.

        Returns melody and voices logits (R, B, cells, voices, PITCHES).
        """
        rows, bars, _ = tokens.shape
        known = self.embeddings
        table = (
            self.columns(known["pitch"].weight).view(PITCHES + 1, COLUMNS, -1).transpose(0, 1).flatten(0, 1)
        )
        melody = tokens[..., FIELDS["melody"].tokens].view(rows, bars, POSITIONS, 2)
        voices = tokens[..., FIELDS["voices"].tokens].view(rows, bars, POSITIONS, 2 * VOICES)
        index = torch.cat([melody, voices], -1) + torch.arange(COLUMNS, device=tokens.device) * (PITCHES + 1)
        x = nn.functional.embedding_bag(index.flatten(0, 2), table, mode="sum").view(
            rows, bars, POSITIONS, -1
        )
        share = POSITIONS // HALVES
        halves = self.state(state) + known["chord"](tokens[..., FIELDS["chord"].tokens])
        x = x + halves.repeat_interleave(share, dim=2) + known["position"].weight
        x = x.flatten(1, 2)
        turns = _turns(x.shape[1], x.shape[2] // self.heads, x)
        for block in self.blocks:
            x = block(x, turns)
        x = self.norm(x).view(rows, bars, POSITIONS, -1)
        return {
            name: writer(x).view(rows, bars, fields.CELLS, FIELDS[name].voices, PITCHES)
            for name, writer in self.writers.items()
        }


class MuserPrior(ModelMixin, ConfigMixin):
    """Logits of the codes of half bars, given those that are known and those of the bars that are repeated.

    The class after a codebook's last is "not written yet".
    """

    @register_to_config
    def __init__(self, channels: int = 192, layers: int = 5, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = {name: size + 1 for name, size in SIZES.items()}
        sizes |= {"likeness": len(fields.LIKENESSES) + 1, "meter": len(fields.METERS)}
        sizes |= {"place": 2 * fields.PLACES, "part": HALVES}
        self.embeddings = nn.ModuleDict({name: nn.Embedding(size, channels) for name, size in sizes.items()})
        self.repeated = nn.Linear(channels, channels)
        self.blocks = nn.ModuleList([Block(channels, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(channels)
        self.writers = nn.ModuleDict({name: nn.Linear(channels, size) for name, size in SIZES.items()})
        _start_embeddings(self)

    def forward(self, codes: Tensor, repeated: Tensor, facts: Tensor) -> dict[str, Tensor]:
        """`codes`, `repeated` (R, B, H, S): of the bars and of those they repeat (anything where none).

        `facts` (R, B, 4): meter, likeness, place from the start and from the end. Returns for each slice
        logits (R, B, H, codes).
        """
        rows, bars = codes.shape[:2]
        meter, likeness, start, end = facts.unbind(-1)
        known = self.embeddings
        bar = known["meter"](meter) + known["likeness"](likeness)
        bar = bar + known["place"](start) + known["place"](end + fields.PLACES)
        copied = self.repeated(self._seen(repeated)) * (likeness > 0).view(rows, bars, 1, 1)
        x = self._seen(codes) + copied + bar[:, :, None] + known["part"].weight
        x = x.flatten(1, 2)
        turns = _turns(x.shape[1], x.shape[2] // self.config.heads, x)
        for block in self.blocks:
            x = block(x, turns)
        x = self.norm(x).view(rows, bars, HALVES, -1)
        return {name: writer(x) for name, writer in self.writers.items()}

    def _seen(self, codes: Tensor) -> Tensor:
        return sum(self.embeddings[name](codes[..., i]) for i, name in enumerate(SLICES))


def slices_of(element: str) -> tuple[str, ...]:
    return tuple(name for name, of in SLICES.items() if of == element)


def _encoder(shown: int, channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(shown, 2 * channels),
        nn.GELU(),
        nn.Linear(2 * channels, channels),
        nn.GELU(),
        nn.Linear(channels, width),
    )


def _start_embeddings(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=0.2)
