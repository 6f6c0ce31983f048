"""Symbolic music from codes of its elements: `music/muser`.

Half a bar is eight codes: how many notes, where they begin, which chord, how high, which way they move, how
loud. A prior composes codes, an autoencoder turns them into notes, and an element of one piece becomes that
of another by exchanging its codes. Every bar has its own emotion; adapters reach the prior through `modules`.
Rows are composed one after the other, so that none depends on its neighbours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.music import _commission as commission
from pipelines.music import _elements as elements
from pipelines.music import _form as form
from pipelines.music import _performance as performance
from pipelines.music._fields import METERS
from pipelines.music._grid import Grid, repeats
from studio import audio_files, instruments
from studio.artifacts import Score
from studio.emotion import NEUTRAL, VAD
from studio.errors import InputError
from studio.lazy import lazy
from studio.params import param
from studio.ports import Artifact, Example, OnStep, RowEmotion, SetEmotion, Step
from studio.request import RenderRequest
from studio.score import KEYS
from studio.sound import LUFS, SoundOptions

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
INPUTS = ("midi", "donor", "soundfont")
PROMPT_IS_TITLE = True
MAX_BARS = 256


@dataclass(frozen=True, slots=True)
class Params:
    """What a person chooses. Elements that are neither kept nor taken are composed anew."""

    bars: int = param(16, "length of a new piece", min=1, max=MAX_BARS, advanced=False)
    meter: str = param("4/4", "of a new piece", choices=tuple(METERS), advanced=False)
    key: str = param("auto", "of a new piece", choices=("auto", *KEYS), advanced=False)
    tempo_bpm: float | None = param(
        None, "mean, in quarters; open: as the feeling wants", min=30, max=240, unit="bpm", advanced=False
    )
    instruments: str = param("auto", "who plays", choices=instruments.names(), advanced=False)
    format: str = param("wav", "of the sound beside the MIDI file", choices=audio_files.FORMATS)
    lufs: float = param(LUFS, "integrated loudness of the sound", min=-40, max=-8, step=0.5, unit="LUFS")
    emphasis: float = param(1.0, "how strongly the feeling is followed", min=0, max=4, step=0.1)
    temperature: float = param(1.0, "how freely codes and pitches are drawn", min=0.1, max=2.0, step=0.05)
    top_p: float = param(0.95, "share of likely choices that is drawn from", min=0.05, max=1, step=0.01)
    keep: str = param("", "elements of the midi input to keep", of="midi", several=elements.ELEMENTS)
    take: str = param("", "elements to take from the donor input", of="donor", several=elements.ELEMENTS)


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other."""
    given, params = dict(request.inputs), request.params
    kept, taken = elements.parse("keep", params.keep), elements.parse("take", params.take)
    if kept and "midi" not in given:
        raise InputError("keep", params.keep, "needs a piece to keep it of: inputs.midi")
    if taken and "donor" not in given:
        raise InputError("take", params.take, "needs a piece to take it from: inputs.donor")
    if both := sorted(set(kept) & set(taken)):
        raise InputError("take", params.take, f"{both[0]!r} cannot be kept and taken at once")


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


class Pipeline:
    """A loaded composer."""

    def __init__(self, pipe: Any, library: form.Library) -> None:
        self.pipe = pipe
        self.library = library

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Pipeline:
        """A folder or a hub id, safetensors only. Raises ModelError. Small enough to fit everywhere."""
        return cls(*loading.load(model, device, dtype))

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """Random weights at toy size, in memory."""
        return cls(loading.toy(seed), {})

    @property
    def modules(self) -> Mapping[str, Any]:
        """The prior alone: what codes stand for is no matter of feeling."""
        return {"transformer": self.pipe.transformer}

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Score per request; all share their Params. Whatever `on_step` raises ends the render."""
        made: list[Artifact] = []
        for row, request in enumerate(batch):
            written, manner = self.compose(request, set_emotion, _share(on_step, row, len(batch)))
            made.append(Score(performance.perform(written, manner), _sound(request)))
        return made

    def compose(
        self, request: RenderRequest, set_emotion: SetEmotion, on_step: OnStep
    ) -> tuple[Grid, performance.Manner]:
        """The grid of one request, and how it is to be played. Raises InputError for unusable files."""
        wish = self._wish(request)
        generator, way = torch.Generator().manual_seed(request.seed), self._way(request, wish.asked.moods)

        def before_bars(bars: slice) -> None:
            felt = _row(wish.asked.moods[bars])
            set_emotion([felt] if way.emphasis is None else [NEUTRAL, felt])

        if wish.is_exchange:
            written = self.pipe.transfer(wish.source, wish.donor, wish.taken, generator, way)
            on_step(Step(1, 1))
        else:
            draft, codes = wish.asked.draft, self._given(wish)
            written = self.pipe(
                draft, generator, way, codes, before_bars, lambda done, total: on_step(Step(done, total))
            )
        wish.asked.draft.tokens = written.tokens.astype(np.int64)
        return wish.asked.finished(request)

    def _way(self, request: RenderRequest, moods: Sequence[VAD]) -> decoding.Way:
        params = request.params
        guided = params.emphasis != 1 and any(mood != NEUTRAL for mood in moods)
        return decoding.Way(params.temperature, params.top_p, params.emphasis if guided else None)

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
            asked = dataclasses.replace(asked, shift=source.shift)
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
        names = ("tokens", "repeated", "lag", "facts")
        rows = {
            name: torch.stack([torch.as_tensor(getattr(example.media, name)) for example in examples]).long()
            for name in names
        }
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


def _sound(request: RenderRequest) -> SoundOptions:
    asked = request.params
    return SoundOptions(
        asked.format, asked.instruments, dict(request.inputs).get("soundfont", ""), asked.lufs
    )


def _row(moods: Sequence[VAD]) -> RowEmotion:
    return moods[0] if len(set(moods)) == 1 else tuple(moods)


def _share(on_step: OnStep, row: int, rows: int) -> OnStep:
    """Progress of one row of `rows` as progress of all."""

    def report(step: Step) -> None:
        on_step(Step(row * step.total + step.done, rows * step.total))

    return report
