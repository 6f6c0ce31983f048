"""Symbolic music from codes of its elements: `music/muser`.

Half a bar is eight codes: how many notes, where they begin, which chord, how high, which way they move, how
loud. A prior composes codes, an autoencoder turns them into notes, and an element of one piece becomes that
of another by exchanging its codes. Every bar has its own emotion; adapters reach the prior through `modules`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.music import _commission as commission
from pipelines.music import _composer as composer
from pipelines.music import _elements as elements
from pipelines.music import _performance as performance
from pipelines.music._grid import Grid, repeats
from studio.errors import InputError
from studio.lazy import lazy
from studio.ports import Example, OnStep, RowEmotion, SetEmotion, Step
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pipelines.music import _muser_decoding as decoding
    from pipelines.music import _muser_loading as loading
    from pipelines.music import _muser_loss as muser_loss
    from pipelines.music import _muser_sampling as sampling
else:
    torch = lazy("torch")
    decoding = lazy("pipelines.music._muser_decoding")
    loading = lazy("pipelines.music._muser_loading")
    muser_loss = lazy("pipelines.music._muser_loss")
    sampling = lazy("pipelines.music._muser_sampling")
midi_in = lazy("pipelines.music._midi_in")

DEFAULT_MODEL = "muser-tiny"
CLASSES = ("MuserPipeline",)  # what model_index.json calls such a model
INPUTS = composer.INPUTS
PROMPT_IS_TITLE = True
WITHOUT_ADAPTER = "moves only tempo and touch"  # which are rules, and no model's


Params = composer.Params  # elements that are neither kept nor taken are composed anew
check = composer.check


@dataclass(frozen=True, slots=True)
class _Wish:
    """A commission, the pieces that came with it, and which of their elements are wanted."""

    asked: commission.Commission
    source: Grid | None
    donor: Grid | None
    kept: tuple[str, ...]
    taken: tuple[str, ...]

    @property
    def is_exchange(self) -> bool:
        """Nothing is to be composed: all that is not taken is kept, and can stay as it was written."""
        return bool(self.source and self.donor) and {*self.kept, *self.taken} == set(elements.ELEMENTS)


class Pipeline(composer.Composer):
    """A loaded composer; adapters touch its prior alone: what codes stand for is no matter of feeling."""

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Pipeline:
        """A folder or a hub id, safetensors only. Raises ModelError. Small enough to fit everywhere."""
        return cls(*loading.load(model, device, dtype))

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """Random weights at toy size, in memory."""
        return cls(loading.toy(seed), {})

    def compose(
        self, request: RenderRequest, set_emotion: SetEmotion, on_step: OnStep
    ) -> tuple[Grid, performance.Manner]:
        """The grid of one request, and how it is to be played. Raises InputError for unusable files."""
        wish = self._wish(request)
        generator = torch.Generator().manual_seed(request.seed)
        way = composer.way(request.params, wish.asked.moods)
        if wish.is_exchange:
            written = self.pipe.transfer(wish.source, wish.donor, wish.taken, generator, way)
            on_step(Step(1, 1))
        else:
            written = self.pipe(
                wish.asked.draft,
                generator,
                way,
                self._given(wish),
                composer.felt_bars(wish.asked.moods, way, set_emotion),
                lambda done, total: on_step(Step(done, total)),
            )
        wish.asked.draft.tokens = written.tokens.astype(np.int64)
        return wish.asked.finished()

    def _wish(self, request: RenderRequest) -> _Wish:
        """What the request and its files ask for. A piece that came along gives its length, form and key."""
        files, params = dict(request.inputs), request.params
        kept, taken = elements.parse("keep", params.keep), elements.parse("take", params.take)
        source = midi_in.read(files["midi"]) if "midi" in files else None
        donor = midi_in.read(files["donor"]).grid if "donor" in files else None
        if source:
            tempo_bpm = params.tempo_bpm or source.tempo_bpm
            params = dataclasses.replace(
                params, bars=len(source.grid), meter=source.grid.meter, tempo_bpm=tempo_bpm
            )
        asked = commission.of(dataclasses.replace(request, inputs=(), params=params), self.library)
        if source:
            manner = dataclasses.replace(asked.manner, shift=source.shift, notes=source.notes)
            asked = dataclasses.replace(asked, manner=manner)
            asked.draft.lag, asked.draft.likeness = repeats(source.grid.tokens)
        if donor and donor.meter != asked.draft.meter:
            why = f"the donor is in {donor.meter}, the piece in {asked.draft.meter}"
            raise InputError("inputs.donor", donor.meter, why, asked.draft.meter)
        return _Wish(asked, source.grid if source else None, donor, kept, taken)

    def _given(self, wish: _Wish) -> Tensor:
        """(bars, H, S) codes of what is kept and taken; a donor begins again when it ends."""
        bars = len(wish.asked.draft)
        codes: Tensor = sampling.UNDRAWN.expand(bars, sampling.HALVES, -1)
        for piece, chosen in ((wish.source, wish.kept), (wish.donor, wish.taken)):
            if piece is not None and chosen:
                again = self.pipe.codes(piece)[torch.arange(bars) % len(piece)]
                codes = sampling.exchanged(codes, again, chosen)
        return codes

    def prepare(self, examples: Sequence[Example], size: Any = None) -> dict[str, Tensor]:
        """Codes of windows of songs, rows first: see _muser_loss.masked_codes. Media as of music/score."""
        rows = {name: part.long() for name, part in composer.stacked(examples).items()}
        with torch.no_grad():
            codes, repeated = (self.pipe.codec.codes(rows[name]) for name in ("tokens", "repeated"))
        return {"codes": codes, "repeated": repeated, "lag": rows["lag"], "facts": rows["facts"]}

    def loss(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[RowEmotion],
        set_emotion: SetEmotion,
        generator: torch.Generator,
    ) -> Tensor:
        """How wrong masked codes are filled in."""
        codes, facts = tensors["codes"].long(), tensors["facts"].long()
        given, seen, hidden = muser_loss.masked_codes(
            codes, tensors["repeated"].long(), tensors["lag"].long(), generator
        )
        set_emotion(list(emotions))
        each = muser_loss.prior_losses(self.pipe.transformer(given, seen, facts), codes, hidden)
        return torch.stack(list(each.values())).mean()
