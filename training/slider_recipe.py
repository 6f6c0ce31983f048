"""The table [slider] of a recipe: an axis of feeling learnt from words alone. Knows values, no torch.

[slider]
axis = "arousal"
positive = "bold strokes, vivid colour"
negative = "smooth brushwork, pale colours"
attributes = ["the sea", "a forest", "a portrait of a woman"]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio import params
from studio.emotion import VAD
from studio.emotion.vad import AXES
from studio.errors import InputError, nearest
from studio.params import param

# What a slider has no use for: its words, feelings and weights of noise are its own.
_UNUSED = ("emotion_dropout", "caption_dropout", "snr_gamma")


@dataclass(frozen=True, slots=True)
class Slider:
    """What the ends of an axis look like, in words that the base model knows.

    `attributes` go before every phrase, one at a time: what they name, the slider leaves alone, because both
    ends show it. `anchor`: something that must stay as it is at both ends.
    """

    positive: str = param("", "words of the upper end, +1")
    negative: str = param("", "words of the lower end, -1")
    neutral: str = param("", "words of the middle; may be empty")
    anchor: str = param("", "words whose picture the slider must not change; empty is none")
    axis: str = param("arousal", "axis of the adapter that learns", choices=AXES)
    guidance: float = param(3.0, "how far the ends reach along the words' direction", min=0.1, max=30.0)
    anchor_strength: float = param(1.0, "weight of the anchor", min=0.0, max=100.0)
    attributes: tuple[str, ...] = param((), "what stands before every phrase, one at a time")

    def __post_init__(self) -> None:
        for name in ("positive", "negative"):
            if not getattr(self, name).strip():
                raise InputError(f"slider.{name}", "", "needs words", "vivid colour")
        if self.positive.strip() == self.negative.strip():
            why = "is the same as positive: there would be no direction to learn"
            raise InputError("slider.negative", self.negative, why)

    @property
    def has_anchor(self) -> bool:
        return bool(self.anchor.strip() and self.anchor_strength)

    @property
    def pole(self) -> VAD:
        """The upper end of the axis."""
        return VAD(**{self.axis: 1.0})

    def prompts(self, phrase: str) -> tuple[str, ...]:
        """A phrase once with every attribute before it, or alone where there is none."""
        pairs = [(attribute.strip(), phrase.strip()) for attribute in self.attributes or ("",)]
        return tuple(", ".join(part for part in pair if part) for pair in pairs)


def parse(table: Mapping[str, Any]) -> Slider:
    """A slider from plain values. InputError names the key and the nearest right one."""
    specs = {
        spec.name: dataclasses.replace(spec, name=f"slider.{spec.name}") for spec in params.specs(Slider)
    }
    for key in table:
        if key not in specs:
            why = f"unknown key {key!r} in [slider]"
            raise InputError(f"slider.{key}", table[key], why, nearest(key, specs))
    plain = {key: params.check(specs[key], value) for key, value in table.items() if key != "attributes"}
    return Slider(**plain, attributes=_attributes(table.get("attributes", ())))


def refuse_unused(recipe: Any) -> None:
    """Raise InputError for values of a recipe that a slider would silently do nothing with."""
    for name in _UNUSED:
        if value := getattr(recipe, name):
            why = f"has no effect on a slider, got {value:g}"
            raise InputError(name, value, why, "0")
    basis = getattr(recipe.adapter.config, "basis", "")
    if basis != "axes":
        why = f"a slider needs an adapter with a block per axis, got {basis!r}"
        raise InputError("adapter.basis", basis, why, "axes")


def _attributes(value: Any) -> tuple[str, ...]:
    lines = isinstance(value, Sequence) and not isinstance(value, str)
    if not lines or not all(isinstance(one, str) and one.strip() for one in value):
        why = f'expected a list of words, such as ["the sea", "a forest"], got {value!r}'
        raise InputError("slider.attributes", value, why)
    return tuple(value)
