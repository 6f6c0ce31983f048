"""A slider without data: one axis of an adapter learnt from the words of its two ends.

The frozen base is the teacher. Where it looks at noised pictures, its answer to the upper words minus its
answer to the lower words is a direction; the adapter is to answer the neutral words with the base's own
neutral answer moved along that direction at +1, and against it at -1:

    target(+-1) = like_neutral(neutral +- guidance * (positive - negative))

`like_neutral` gives mean and spread of the neutral answer, or large guidance would burn the picture. Both
signs are rows of one batch, because here an emotion belongs to its row: one pass where an adapter with a
single multiplier needs two. Only +1 and -1 differ in their target; "more of the one end" and "less of the
other" are the same target, so neither is counted twice. An optional anchor holds its own words in place.

After Concept Sliders (Gandikota et al., ECCV 2024, arXiv 2311.12092), with noised pictures in place of
denoising from pure noise. Works with any family by its `predict` and `prepare_text`; knows no recipe file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from studio.emotion import NEUTRAL, VAD
from studio.errors import InputError
from studio.ports import SetEmotion
from training.cache import Cache
from training.slider_recipe import Slider

POLE = "slider_pole"  # (R,) +1 or -1: the end that a row's emotion stands at
_SMALLEST_SPREAD = 1e-6


class PoleRows:
    """The rows of a cache with the axis' ends as emotions, in turn, whatever the data says.

    Held-out rows then have an emotion each, so the loop's usual validation holds: the loss with their own
    ends, with each other's, and with none.
    """

    def __init__(self, cache: Cache, slider: Slider) -> None:
        self._cache, self._ends = cache, (slider.pole, slider.pole.scaled(-1.0))
        self.numbers, self.sizes, self.labels, self.blank = cache.numbers, cache.sizes, cache.labels, {}
        self.files = cache.files

    def __len__(self) -> int:
        return len(self._cache)

    def rows(self, indices: Sequence[int]) -> tuple[dict[str, Tensor], list[VAD]]:
        """Tensors (rows, ...) with POLE among them, and the emotion of every row."""
        tensors, _ = self._cache.rows(indices)
        tensors[POLE] = torch.tensor([1.0 - 2.0 * (index % 2) for index in indices])
        return tensors, self.emotions(indices)

    def emotions(self, indices: Sequence[int]) -> list[VAD]:
        """The end that every row stands at."""
        return [self._ends[index % 2] for index in indices]


class Lesson:
    """What a pipeline is to the loop while a slider is learnt: `loss` is the slider's."""

    def __init__(self, slider: Slider, pipeline: Any) -> None:
        """The phrases are encoded now, while every part of the pipeline is on its device."""
        self._slider, self._pipeline = slider, pipeline
        phrases = {"positive": slider.positive, "negative": slider.negative, "neutral": slider.neutral}
        if slider.has_anchor:
            phrases["anchor"] = slider.anchor
        self._texts = _encoded(pipeline, {name: slider.prompts(text) for name, text in phrases.items()})
        self._count = len(slider.attributes) or 1
        _refuse_unheard(self._texts)

    def loss(
        self,
        tensors: Mapping[str, Tensor],
        emotions: Sequence[VAD],
        set_emotion: SetEmotion,
        generator: torch.Generator,
    ) -> Tensor:
        """Mean squared distance to the targets of both ends. Every row stands at `emotions` and opposite."""
        doubled = {name: torch.cat([tensor, tensor]) for name, tensor in tensors.items()}
        pole = torch.cat([tensors[POLE], -tensors[POLE]])
        felt = [*emotions, *(emotion.scaled(-1.0) for emotion in emotions)]
        del doubled[POLE]
        look = self._looker(doubled, set_emotion, generator)
        with torch.no_grad():
            target = self._target(look, pole)
        loss = mse_loss(look("neutral", felt), target)
        if "anchor" in self._texts:
            with torch.no_grad():
                kept = look("anchor", [NEUTRAL] * len(felt))
            loss = loss + self._slider.anchor_strength * mse_loss(look("anchor", felt), kept)
        return loss

    def _target(self, look: Look, pole: Tensor) -> Tensor:
        """Where the rows at `pole` (R,) are to go: (R, ...)."""
        still = [NEUTRAL] * len(pole)
        neutral, positive, negative = (look(words, still) for words in ("neutral", "positive", "negative"))
        sign = pole.to(neutral).view(-1, *[1] * (neutral.ndim - 1))
        moved = neutral + sign * self._slider.guidance * (positive - negative)
        return like(moved, neutral)

    def _looker(self, tensors: Mapping[str, Tensor], set_emotion: SetEmotion, generator: Any) -> Look:
        """Predictions of the same noised rows for other words and feelings, in float32."""
        rows = len(next(iter(tensors.values())))
        attributes = torch.randint(self._count, (rows,), generator=generator)
        noise = generator.get_state()

        def look(words: str, felt: Sequence[VAD]) -> Tensor:
            generator.set_state(noise)
            said = {name: rows[attributes] for name, rows in self._texts[words].items()}
            device = next(iter(tensors.values())).device
            given = {**tensors, **{name: tensor.to(device) for name, tensor in said.items()}}
            made: Tensor = self._pipeline.predict(given, felt, set_emotion, generator)[0]
            return made.float()

        return look


Look = Callable[[str, Sequence[VAD]], Tensor]


def like(moved: Tensor, pattern: Tensor) -> Tensor:
    """`moved` (R, ...) with the mean and the standard deviation that each row of `pattern` has."""
    axes = tuple(range(1, moved.ndim))
    spread, mean = torch.std_mean(moved, dim=axes, keepdim=True)
    wanted_spread, wanted_mean = torch.std_mean(pattern, dim=axes, keepdim=True)
    return (moved - mean) / spread.clamp(min=_SMALLEST_SPREAD) * wanted_spread + wanted_mean


def _encoded(pipeline: Any, prompts: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Tensor]]:
    """Phrase -> text tensors (attributes, ...). All are encoded together, so they have one length."""
    tensors = pipeline.prepare_text([prompt for group in prompts.values() for prompt in group])
    count = len(next(iter(prompts.values())))
    return {
        words: {name: rows[at * count : (at + 1) * count] for name, rows in tensors.items()}
        for at, words in enumerate(prompts)
    }


def _refuse_unheard(texts: Mapping[str, Mapping[str, Tensor]]) -> None:
    """A vocabulary without these words would make both ends the same, and the slider would do nothing."""
    pairs = [(tensor, texts["negative"][name]) for name, tensor in texts["positive"].items()]
    if all(torch.equal(one, other) for one, other in pairs):
        why = "the model reads the positive and the negative words alike: it knows none of them"
        raise InputError("slider.positive", None, why)
