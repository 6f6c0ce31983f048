"""Words for a picture's content: a small grammar that composes subject, scene, style and attributes.

It names what is in the picture and how it is made, never what it feels: feeling reaches the model as numbers
only. Text is lower case, letters with spaces and commas. `scene_of` reads the same grammar backwards.
"""

import re

import numpy as np

from training.synthesis.grammar import (
    ATTRIBUTE_WORDS,
    HOUR_WORDS,
    OUTDOORS,
    SCENE_NOUNS,
    SIDE_WORDS,
    STYLE_WORDS,
    SUBJECT_PHRASES,
)
from training.synthesis.spec import Spec

_FRONTS = ("", "", "", "a picture of ", "a view of ", "a painting of ")
_TOKEN = re.compile(r"[a-z]+")
_NOUN = re.compile(
    r"\b("
    + "|".join(sorted((n for nouns in SCENE_NOUNS.values() for n in nouns), key=len, reverse=True))
    + r")\b"
)
_SCENE_OF_NOUN = {noun: scene for scene, nouns in SCENE_NOUNS.items() for noun in nouns}


def _choose(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[rng.integers(len(options))]


def _attribute_words(spec: Spec, rng: np.random.Generator) -> list[str]:
    """Words for the attributes that stand out clearly; each is said two times in three."""
    words = []
    for name, (low, high) in ATTRIBUTE_WORDS.items():
        value = getattr(spec.attributes, name)
        said = rng.random() < 0.67
        if said and value < 0.25:
            words.append(_choose(low, rng))
        elif said and value > 0.75:
            words.append(_choose(high, rng))
    return words


def caption(spec: Spec, rng: np.random.Generator) -> str:
    """Describe `spec`; phrasing, order and what is left out vary with `rng`."""
    text = _choose(SUBJECT_PHRASES[spec.scene, spec.subject], rng)
    if spec.scene in OUTDOORS and spec.hour != "day" and rng.random() < 0.6:
        text += " " + _choose(HOUR_WORDS[spec.hour], rng)
    if spec.side != "centre" and rng.random() < 0.25:
        text += " " + SIDE_WORDS[spec.side]
    before, after = STYLE_WORDS[spec.style]
    tags = _attribute_words(spec, rng)
    style_place = rng.random()
    if style_place < 0.35:
        text = _choose(before, rng) + " " + text
    else:
        text = _choose(_FRONTS, rng) + text
        if style_place < 0.85:  # else the style is left unsaid
            tags.insert(int(rng.integers(len(tags) + 1)), _choose(after, rng))
    return ", ".join([text, *tags])


def scene_of(prompt: str) -> str | None:
    """The scene that a prompt asks for: the one whose noun comes first; None without a known noun."""
    found = _NOUN.search(prompt.lower())
    return _SCENE_OF_NOUN[found.group(1)] if found else None


def _all_words() -> tuple[str, ...]:
    texts = [*_FRONTS, *SIDE_WORDS.values()]
    for phrases in (*SUBJECT_PHRASES.values(), *HOUR_WORDS.values(), *SCENE_NOUNS.values()):
        texts.extend(phrases)
    for pair in (*STYLE_WORDS.values(), *ATTRIBUTE_WORDS.values()):
        texts.extend([*pair[0], *pair[1]])
    return tuple(sorted({word for text in texts for word in _TOKEN.findall(text)}))


WORDS: tuple[str, ...] = _all_words()
