"""Text as SSML with the prosody of each word, and the way back: from places in the markup to the text.

Knows how espeak-ng reads its attributes: rate in percent, pitch 0..100 where 50 more is an octave, range
0..100 around 50. Loudness and pauses are not written here: they are exact on the finished sound.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from pipelines.portrait._speech_prosody import Prosody

_WORD = re.compile(r"\S+")
_WIDTH = 0.45  # of a plain voice's melody, against its floor: 82 to 118 Hz for a man, 142 to 220 for a woman


@dataclass(frozen=True, slots=True)
class Token:
    """What stands between spaces: `start`..`end` in characters of the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Markup:
    """SSML, and for each of its characters the character of the text that it stands for or follows."""

    ssml: str
    origin: tuple[int, ...]

    def place(self, index: int) -> int:
        """The character of the text at character `index` of the SSML."""
        return self.origin[min(max(index, 0), len(self.origin) - 1)]


def clean(text: str) -> str:
    """The same text with a space for each control character: no place moves."""
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text
    )


def tokens(text: str) -> list[Token]:
    return [Token(found.start(), found.end()) for found in _WORD.finditer(text)]


def markup(text: str, prosodies: Sequence[Prosody | None]) -> Markup:
    """`text` as SSML; `prosodies`: one per token, None for the plain voice.

    Words in a row with the same values share an element, so that a steady mood leaves phrases whole.
    """
    built: list[str] = ["<speak>"]
    origin: list[int] = [0] * len(built[0])

    def add(piece: str, at: int) -> None:
        built.append(piece)
        origin.extend([at] * len(piece))

    now, done = "", 0
    for token, one in zip(tokens(text), prosodies, strict=True):
        for index in range(done, token.start):
            add(escape(text[index]), index)
        wanted = _attributes(one) if one else ""
        if wanted != now:
            add("</prosody>" if now else "", token.start)
            add(f"<prosody {wanted}>" if wanted else "", token.start)
            now = wanted
        for index in range(token.start, token.end):
            add(escape(text[index]), index)
        done = token.end
    add("</prosody>" if now else "", max(0, done - 1))
    add("</speak>", max(0, done - 1))
    return Markup("".join(built), tuple(origin))


def _attributes(one: Prosody) -> str:
    """In steps that nobody hears (4 % of rate, half a semitone): fewer elements for a slow curve.

    espeak-ng's pitch moves the floor of the melody and leaves its width in Hz; here both grow together.
    """
    factor = max(one.pitch, 0.5)
    floor = factor + (factor - 1.0) * _WIDTH / 2.0
    pitch = 50.0 + 50.0 * math.log2(floor)
    rate, height, width = (4 * round(25 * one.rate), 2 * round(pitch / 2), 5 * round(10 * one.range * factor))
    if (rate, height, width) == (100, 50, 50):
        return ""
    return f'rate="{rate}%" pitch="{_percent(height)}" range="{_percent(width)}"'


def _percent(value: int) -> int:
    return min(100, max(0, value))
