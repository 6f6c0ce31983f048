"""What composers of any family share: their choices, and the way from requests to scores.

Rows are composed one after the other, so that none depends on its neighbours. Knows no network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.music import _elements as elements
from pipelines.music import _form as form
from pipelines.music import _performance as performance
from pipelines.music._fields import METERS
from pipelines.music._grid import Grid
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

    from pipelines.music import _drawing as drawing
else:
    torch = lazy("torch")
    drawing = lazy("pipelines.music._drawing")

INPUTS = ("midi", "donor", "soundfont")
MAX_BARS = 256


@dataclass(frozen=True, slots=True)
class Params:
    """What a person chooses, whoever composes."""

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
    temperature: float = param(1.0, "how freely is drawn", min=0.1, max=2.0, step=0.05)
    top_p: float = param(0.95, "share of likely choices that is drawn from", min=0.05, max=1, step=0.01)
    keep: str = param("", "elements of the midi input to keep", of="midi", several=elements.ELEMENTS)
    take: str = param("", "elements to take from the donor input", of="donor", several=elements.ELEMENTS)


def check(request: RenderRequest) -> None:
    """Raise InputError for elements of a piece that is not there, and for a donor that gives nothing."""
    inputs, params = dict(request.inputs), request.params
    kept, taken = elements.parse("keep", params.keep), elements.parse("take", params.take)
    if kept and "midi" not in inputs:
        raise InputError("keep", params.keep, "needs a piece to keep it of: inputs.midi")
    if taken and "donor" not in inputs:
        raise InputError("take", params.take, "needs a piece to take it from: inputs.donor")
    if "donor" in inputs and not taken:
        why = f"name what the donor gives: {', '.join(elements.ELEMENTS)}"
        raise InputError("take", params.take, why, elements.ELEMENTS[0])
    if both := sorted(set(kept) & set(taken)):
        raise InputError("take", params.take, f"{both[0]!r} cannot be kept and taken at once")


class Composer:
    """A loaded composer. A family adds `load`, `tiny`, `compose`, and `prepare` and `loss` for training."""

    def __init__(self, pipe: Any, library: form.Library) -> None:
        self.pipe = pipe
        self.library = library

    @property
    def modules(self) -> Mapping[str, Any]:
        return {"transformer": self.pipe.transformer}

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Score per request; all share their Params. Whatever `on_step` raises ends the render."""
        made: list[Artifact] = []
        for row, request in enumerate(batch):
            written, manner = self.compose(request, set_emotion, _share(on_step, row, len(batch)))
            made.append(Score(performance.perform(written, manner), _sound(request), notes=manner.notes))
        return made

    def compose(
        self, request: RenderRequest, set_emotion: SetEmotion, on_step: OnStep
    ) -> tuple[Grid, performance.Manner]:
        """The grid of one request, and how it is to be played. Raises InputError for unusable files."""
        raise NotImplementedError


def way(params: Params, moods: Sequence[VAD]) -> drawing.Way:
    """How to draw; without a feeling there is nothing to emphasise."""
    guided = params.emphasis != 1 and any(mood != NEUTRAL for mood in moods)
    return drawing.Way(params.temperature, params.top_p, params.emphasis if guided else None)


def felt_bars(
    moods: Sequence[VAD], way: drawing.Way, set_emotion: SetEmotion
) -> Callable[[slice | None], None]:
    """Tells adapters the feelings of the bars that the network sees next: see _drawing.BeforeBars."""

    def before_bars(bars: slice | None) -> None:
        felt = NEUTRAL if bars is None else _row(moods[bars])
        set_emotion([felt] if way.emphasis is None else [NEUTRAL, felt])

    return before_bars


def stacked(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Windows of songs (training.data), rows first."""
    names = ("tokens", "repeated", "lag", "facts")
    return {
        name: torch.stack([torch.as_tensor(getattr(example.media, name)) for example in examples])
        for name in names
    }


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
