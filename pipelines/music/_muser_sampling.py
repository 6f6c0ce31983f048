"""How `music/muser` composes: codes are drawn by its prior, then bars are decoded from them in a few steps.

A diffusers pipeline of an autoencoder and a prior. Where a piece repeats a bar, the prior is shown its codes
and decoding uses the same random numbers; halves with the same codes become the same notes. Shapes as in
_muser_network, without rows: one piece. Knows no feeling: whoever wears an adapter is told which bars the
prior is about to see.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from pipelines.music import _muser_decoding as decoding
from pipelines.music._draft import Draft, blank
from pipelines.music._drawing import CONTEXT_BARS, WINDOW_BARS, BeforeBars, Way, gumbel
from pipelines.music._fields import FIELDS, METER_NAMES
from pipelines.music._grid import Grid, repeats
from pipelines.music._muser_features import HALVES, SLICES
from pipelines.music._muser_network import SIZES, MuserCodec, MuserPrior

UNDRAWN = torch.tensor(list(SIZES.values()))  # (S,) the class of a code that is not drawn yet
_HALF_ORDER = torch.tensor([0, 2, 1, 3, 0, 2, 1, 3])  # moments of the halves of four bars
_MOST_DELAY = 3  # moments that a repetition of repetitions waits

OnStep = Callable[[int, int], None]  # (done, total)
PLAIN = Way()


@dataclass(frozen=True, slots=True)
class Window:
    """Bars that a network sees at once; those before `first` are written already."""

    bars: slice
    first: int

    @property
    def new(self) -> slice:
        return slice(self.first, self.bars.stop)


class MuserPipeline(DiffusionPipeline):
    """Composes pieces, takes them apart into codes, and exchanges elements between them."""

    def __init__(self, codec: MuserCodec, transformer: MuserPrior) -> None:
        super().__init__()
        self.register_modules(codec=codec, transformer=transformer)

    @torch.no_grad()
    def __call__(
        self,
        draft: Draft,
        generator: torch.Generator,
        way: Way = PLAIN,
        codes: Tensor | None = None,
        before_bars: BeforeBars = lambda bars: None,
        on_step: OnStep = lambda done, total: None,
    ) -> Grid:
        """A new piece of the draft's length, meter and form, any number of bars.

        `codes` (bars, H, S): those that are given, UNDRAWN where one is to be drawn; all are without it.
        """
        found = UNDRAWN.expand(len(draft), HALVES, -1).clone() if codes is None else codes.clone()
        modes = draft.tokens[:, FIELDS["mode"].start].copy()  # those that are asked for
        allowed = self._harmonies()[torch.from_numpy(modes)]
        plan = [(window, self._code_steps(found, draft, window)) for window in windows(len(draft))]
        total = sum(len(steps) + 1 for _, steps in plan)
        done = 0
        for window, steps in plan:
            before_bars(window.bars)
            for chosen in steps:
                self._draw(found, draft, window.bars, chosen, way, generator, allowed)
                on_step(done := done + 1, total)
        piece = self.decode(found, draft, generator, way, on_window=lambda n: on_step(done + n, total))
        asked = modes < FIELDS["mode"].classes
        piece.tokens[asked, FIELDS["mode"].start] = modes[asked]
        return piece

    def _harmonies(self) -> Tensor:
        """(3, codes) which codes of harmony are major, which minor, and all for no asked mode."""
        book = self.codec.books["harmony"].vectors
        alone = {
            name: book.new_zeros(len(book), 1, HALVES, book.shape[-1])
            + (name == "harmony") * book[:, None, None]
            for name in SLICES
        }
        meter = torch.zeros(len(book), 1, dtype=torch.long, device=book.device)
        mode = self.codec.frame(self.codec.states(alone, meter))["mode"].argmax(-1).flatten().cpu()
        return torch.stack([mode == 0, mode == 1, torch.ones_like(mode, dtype=torch.bool)])

    def _code_steps(self, codes: Tensor, draft: Draft, window: Window) -> list[Tensor]:
        """Masks (bars, H, S) over the window of the codes that are drawn at the same moment, in order."""
        bars = torch.arange(window.bars.start, window.bars.stop)
        missing = (codes[window.bars] == UNDRAWN) & (bars >= window.first)[:, None, None]
        depth = _depth(draft)[window.bars].clamp(max=_MOST_DELAY)
        moment = _HALF_ORDER[(2 * bars[:, None] + torch.arange(HALVES)) % len(_HALF_ORDER)] + depth[:, None]
        found = []
        for index in range(len(SLICES)):
            for now in moment.unique():
                chosen = torch.zeros_like(missing)
                chosen[..., index] = missing[..., index] & (moment == now)
                if chosen.any():
                    found.append(chosen)
        return found

    def _draw(
        self,
        codes: Tensor,
        draft: Draft,
        bars: slice,
        chosen: Tensor,
        way: Way,
        generator: torch.Generator,
        allowed: Tensor,
    ) -> None:
        """Draw the codes of one moment, all of one slice, into `codes`; of harmonies those `allowed`."""
        index = int(chosen.any(0).any(0).nonzero())
        name = tuple(SLICES)[index]
        seen = (
            codes[bars],
            codes[torch.from_numpy(draft.sources[bars])],
            torch.from_numpy(draft.facts[bars]),
        )
        felt = way.felt(self.transformer(*way.rows(seen, self.transformer.norm.weight.device))[name].float())
        legal = allowed[bars, None] if name == "harmony" else torch.tensor(True)
        felt = felt.masked_fill(~(legal | ~legal.any(-1, keepdim=True)), -torch.inf)
        where = chosen[..., index]
        noise = torch.rand(*where.shape, felt.shape[-1], generator=generator)
        codes[bars][..., index][where] = decoding.drawn(felt[where], gumbel(noise)[where], way)

    @torch.no_grad()
    def decode(
        self,
        codes: Tensor,
        draft: Draft,
        generator: torch.Generator,
        way: Way = PLAIN,
        kept: Collection[str] = (),
        on_window: Callable[[int], None] = lambda done: None,
    ) -> Grid:
        """Bars of codes (bars, H, S). Elements `kept` are taken from the draft's tokens as they are there.

        `on_window` is told how many windows are decoded."""
        tokens = torch.zeros(draft.tokens.shape, dtype=torch.long)
        noise = decoding.pitch_noise(torch.from_numpy(draft.sources), generator)
        source = torch.from_numpy(draft.tokens)
        meter = METER_NAMES.index(draft.meter)
        for number, window in enumerate(windows(len(draft)), 1):
            states = self.codec.states(self._latents(codes[window.bars]), self._meters(window.bars, meter))
            frame = decoding.frame_tokens(self.codec.frame(states), meter)
            tokens[window.new] = frame[window.first - window.bars.start :]
            decoding.keep(tokens, source, window.new, kept)
            if "pitch" not in kept:
                seen = {name: found[window.bars] for name, found in noise.items()}
                decoding.write_pitches(self.codec, states["pitch"], tokens[window.bars], seen, way)
            on_window(number)
        if not kept:
            decoding.copy_equal(tokens, codes, draft)
        return Grid(decoding.finished(tokens), draft.meter)

    def _latents(self, codes: Tensor) -> dict[str, Tensor]:
        return self.codec.look_up(codes[None].to(self.device))

    def _meters(self, bars: slice, meter: int) -> Tensor:
        return torch.full((1, bars.stop - bars.start), meter, device=self.device)

    @torch.no_grad()
    def codes(self, piece: Grid) -> Tensor:
        """(bars, H, S) of a whole piece."""
        tokens = torch.from_numpy(piece.tokens.astype(np.int64))
        return self.codec.codes(tokens[None])[0]

    def transfer(
        self,
        piece: Grid,
        donor: Grid,
        elements: Collection[str],
        generator: torch.Generator,
        way: Way = PLAIN,
    ) -> Grid:
        """`piece` with `elements` of the donor, bar by bar, from its beginning again when it ends.

        What does not depend on an exchanged element stays as it was written, token by token.
        """
        own, other = self.codes(piece), self.codes(donor)
        codes = exchanged(own, other[torch.arange(len(own)) % len(other)], elements)
        draft = blank(len(piece), repeats(piece.tokens), piece.meter)
        draft.tokens = piece.tokens.astype(np.int64)
        return self.decode(codes, draft, generator, way, decoding.untouched(elements))


def exchanged(codes: Tensor, donor: Tensor, elements: Collection[str]) -> Tensor:
    """`codes` (..., S) with the slices of `elements` from `donor`: exchanging a slice is exchanging codes."""
    taken = torch.tensor([element in elements for element in SLICES.values()])
    return torch.where(taken, donor, codes)


def _depth(draft: Draft) -> Tensor:
    """(bars,) through how many bars each repeats back to an original."""
    depth = torch.zeros(len(draft), dtype=torch.long)
    for bar in np.flatnonzero(draft.lag):
        depth[bar] = depth[draft.sources[bar]] + 1
    return depth


def windows(bars: int) -> list[Window]:
    """What is seen one after the other when `bars` bars are written."""
    found = [Window(slice(0, min(bars, WINDOW_BARS)), 0)]
    while found[-1].bars.stop < bars:
        first = found[-1].bars.stop
        stop = min(first - CONTEXT_BARS + WINDOW_BARS, bars)
        found.append(Window(slice(max(0, stop - WINDOW_BARS), stop), first))
    return found
