"""Music in training: windows of bars, short pieces as piano rolls, read by their musical cues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from studio.ports import Example, OnStep
from training import pieces
from training.config import Recipe
from training.medium import Fit, Reader, Reading, Size, Words, by_steps, wants_reader
from training.pictures import sheet


class Medium:
    """See training.medium.Medium."""

    words = Words(
        one="piece",
        many="pieces",
        kept="music",
        lost="the same rhythms with pitches drawn by lot",
        loss="Cross-entropy of the masked tokens, weighted by field",
    )
    prompts = ("Prelude", "Song")  # titles: nothing in the notes hangs on them

    def fit(self, recipe: Recipe, pipeline: Any) -> Fit:
        return _by_bars

    def camera(self, pipeline: Any, rows: int, on_step: OnStep) -> pieces.Camera:
        return pieces.Camera(pipeline, on_step)

    def sheet(
        self,
        made: Sequence[Any],
        across: Sequence[str],
        down: Sequence[str],
        title: str,
        axes: tuple[str, str],
    ) -> Image.Image:
        return sheet([pieces.roll(one) for one in made], across, down, title, axes)

    def files(self, made: Sequence[Any], names: Sequence[str]) -> dict[str, bytes]:
        """Each as a MIDI file."""
        return {f"{name}.mid": pieces.midi(one) for name, one in zip(names, made, strict=True)}

    def reader(self, name: str, model: str, device: Any = "cpu") -> Reader | None:
        """`music-cues`, which knows every model, or `none`."""
        wanted = wants_reader(name, (pieces.CUES, pieces.NONE), "music")
        return pieces.CueReader() if wanted else None

    def lost(self, reader: Reader, made: Any, prompts: Sequence[str]) -> Reading:
        return reader.read(pieces.spoiled(made), prompts)


def _by_bars(example: Example) -> tuple[Example, Size]:
    return by_steps(example, len(example.media.tokens), "bars")
