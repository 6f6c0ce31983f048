"""The prompt baseline: the feeling is a sentence behind the prompt, and the network stays as it is.

EmoVid's authors tell their models a feeling by the words `The video is in the "amusement" emotion` after the
caption, one of Mikels' eight, and train a plain LoRA on such captions (Qiu et al., AAAI 2026, arXiv
2511.11002). Rendered with a model that was not trained so, the same words show what a prompt alone can do:
what every emotion adapter is to be compared with. A sentence has no degrees: neutral and what is `least`
beside it say nothing, and from there on the nearest label is said in full.

Knows words and the lexicon. Knows no network: Studio puts the words into the prompt (studio.ports.Wording).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters._adapter_files import read_card, write_card
from studio.emotion import VAD, lexicon
from studio.errors import InputError, ModelError
from studio.ports import RowEmotion, SetEmotion

KIND = "prompt_words"
TAXONOMY = "mikels"
SENTENCE = 'The {medium} is in the "{label}" emotion'
_ENDS = (".", "!", "?", ";", ":", ",")


@dataclass(frozen=True, slots=True)
class Config:
    """What is said. `sentence`: with {label}, and {medium} if it is to name it: image, video."""

    taxonomy: str = TAXONOMY
    sentence: str = SENTENCE
    least: float = 0.1  # distance from neutral, 0 to 1, from which on a feeling is said
    base_model: str = ""  # words are for any model
    default: bool = False
    strength_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not lexicon().kernels(self.taxonomy):  # which raises for a word that is no taxonomy
            why = f"no label of {self.taxonomy!r} has a point in valence, arousal and dominance"
            raise InputError("taxonomy", self.taxonomy, why, TAXONOMY)
        if not 0.0 <= self.least <= 1.0:
            raise InputError("least", self.least, f"must be in [0, 1], got {self.least}", "0.1")
        try:
            said = self.sentence.format(medium="", label="\0")
        except (LookupError, ValueError, AttributeError):
            said = ""
        if "\0" not in said:
            why = f"needs {{label}} and may have {{medium}}, nothing else in braces, got {self.sentence!r}"
            raise InputError("sentence", self.sentence, why, SENTENCE)


class Adapter:
    """Words for a feeling. Modules that wear it are as they were."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def load(cls, path: Path) -> Adapter:
        """Read an adapter folder, which has no weights. Raises ModelError when it is not one."""
        card = read_card(path, KIND)
        known = {spec.name for spec in dataclasses.fields(Config)}
        values = {name: value for name, value in card.items() if name in known}
        try:
            values["strength_range"] = tuple(card.get("strength_range", (0.0, 1.0)))
            return cls(Config(**values))
        except (TypeError, ValueError, AttributeError) as error:  # a card that somebody wrote by hand
            raise ModelError(f"adapter: {str(path)!r}: a value is of the wrong kind: {error}") from None

    def save(self, path: Path) -> None:
        """Write `adapter.json`. Raises StorageError."""
        write_card(path, {"kind": KIND, **dataclasses.asdict(self.config)})

    def parameters(self) -> list[Any]:
        """None: there is nothing to train."""
        return []

    @contextmanager
    def applied(self, modules: Mapping[str, Any], strength: float = 1.0) -> Iterator[SetEmotion]:
        """Nothing is put on: the words are in the prompt already, or there are none."""
        yield _unheard

    def reworded(self, prompt: str, feeling: VAD, medium: str, strength: float = 1.0) -> str:
        """See studio.ports.Wording. The strength makes the feeling stronger or weaker, not the words."""
        scaled = VAD.clamped(*(axis * strength for axis in feeling.as_tuple()))
        label = label_of(scaled, self.config.taxonomy, self.config.least)
        return said(prompt, self.config.sentence.format(medium=medium, label=label)) if label else prompt


def label_of(feeling: VAD, taxonomy: str = TAXONOMY, least: float = 0.0) -> str:
    """The nearest label of a point; "" for NEUTRAL and what is nearer to it than `least`."""
    intensity = feeling.intensity
    return lexicon().nearest(feeling, taxonomy).word if intensity and intensity >= least else ""


def said(prompt: str, sentence: str) -> str:
    """A sentence behind a caption, whether that ends like one or not; alone where there is no caption."""
    plain = prompt.rstrip()
    if not plain:
        return sentence
    return f"{plain} {sentence}" if plain.endswith(_ENDS) else f"{plain}. {sentence}"


def _unheard(_rows: Sequence[RowEmotion]) -> None:
    pass
