"""Lines of our own for the word reader: what the lexicon knows of single words, and what emoji mean.

Some feelings have a few dozen comments among 43,000 and some words none; a reader that knows `nervousness`
must not miss "I am nervous". Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from studio.emotion import VAD, lexicon

TAXONOMY = "goemotions"
TRUSTED = ("exact", "inflection", "synonym")
SHARPNESS = 3.0
REPEATS = 4  # against 43,000 comments
DENIED = -0.4  # "not happy" is some way to the other side
_SAID = (
    "I am {}.",
    "I feel so {}",
    "you look {}",
    "she was very {} today",
    "{}",
    "I'm {}!",
    "he is {} again",
)
_DENIED = ("I am not {}.", "I'm not {} any more", "she was never {}", "he doesn't feel {}")
_SIGNED = ("{}", "{}{}", "ok {}", "that is it {}", "I was there {}{}{}")
_SIGNS = {
    "joy": "😀 😃 😄 😁 😊 🙂 ☺ 🎉 :) :-) :D =)",
    "amusement": "😂 🤣 😆 😜 😝 😹 ;) xD :P",
    "love": "😍 🥰 😘 ❤ 💕 💖 💗 💋 <3",
    "admiration": "👏 🙌 🤩 👍 💪",
    "gratitude": "🙏",
    "relief": "😌 😅",
    "pride": "😎 🏆",
    "sadness": "😢 😭 ☹ 🙁 😞 😔 😿 :( :-( :'(",
    "grief": "💔 🥀",
    "disappointment": "😒 😩 😫 👎 :/",
    "anger": "😡 😠 🤬 👿 💢",
    "fear": "😱 😨 🙀",
    "nervousness": "😰 😬 😟 😥",
    "disgust": "🤢 🤮",
    "surprise": "😮 😲 😯 🤯 :o",
    "confusion": "🤔 😕 🤷 🙄",
    "embarrassment": "😳 🙈",
    "caring": "🤗 🥺",
}


def lines() -> tuple[list[str], npt.NDArray[np.float32]]:
    """Texts and the shares (n, 28) of the data set's labels that each tells."""
    texts, told = zip(*list(_lines()) * REPEATS, strict=True)
    return list(texts), np.array(told, np.float32)


def _lines() -> Iterator[tuple[str, list[float]]]:
    labels = [label.word for label in lexicon().labels(TAXONOMY)]
    for word in lexicon().words():
        label = lexicon().lookup(word)
        if not (word.isascii() and word.isalpha()) or label.point is None or label.match not in TRUSTED:
            continue
        yield from ((said.format(word), _shares(label.vad)) for said in _SAID)
        denied = VAD(DENIED * label.vad.valence, max(0.0, label.vad.arousal * 0.3), 0.0)
        yield from ((said.format(word), _shares(denied)) for said in _DENIED)
    for word, signs in _SIGNS.items():
        told = [float(label == word) for label in labels]
        yield from ((said.replace("{}", sign), told) for sign in signs.split() for said in _SIGNED)


def _shares(vad: VAD) -> list[float]:
    """Of the labels that the lexicon finds near a point, the near ones more."""
    weights = [weight**SHARPNESS for weight in lexicon().weights(vad, TAXONOMY).values()]
    return [weight / sum(weights) for weight in weights]
