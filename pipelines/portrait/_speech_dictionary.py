"""How written words may sound: CMU's dictionary where it knows them, espeak-ng's rules for any word.

Each word has several pronunciations, of which the aligner takes what it hears; the phones are those of the
English acoustic model, nearest to the sounds of other languages, and remember which sound they stand for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.portrait._speech_espeak import VoiceInfo, phonemes, synthesise
from pipelines.portrait._speech_ipa import ARPABET, STRESS, arpabet, is_vowel, parts
from pipelines.portrait._speech_markup import markup, tokens
from pipelines.portrait._speech_timeline import token_symbols
from studio.errors import ModelError
from studio.lazy import lazy

pocketsphinx = lazy("pocketsphinx")

_NOT_A_WORD = re.compile(r"[^a-z'\-.]")
_MOST = 4  # pronunciations of a word


@dataclass(frozen=True, slots=True)
class Sound:
    """A phone of the acoustic model (ARPABET), the sound it stands for (IPA), and its stress."""

    name: str
    ipa: str
    stressed: bool = False


Pronunciation = tuple[Sound, ...]


def pronunciations(text: str, voice: VoiceInfo) -> list[list[Pronunciation]]:
    """For each token of a text at least one way to say it; none for signs that nobody says.

    The stress is that of the whole line: alone, every word has some.
    """
    written = [text[token.start : token.end] for token in tokens(text)]
    plain = markup(text, [None] * len(written))
    said = token_symbols(text, synthesise(plain.ssml, voice.file), plain)
    alone = _alone([word for word, symbols in zip(written, said, strict=True) if not symbols], voice)
    english = voice.language.startswith("en")
    found = []
    for word, symbols in zip(written, said, strict=True):
        ruled = _ruled(symbols or alone[word])
        known = [_known(phones, ruled) for phones in _cmu(word)] if english else []
        found.append(_different([*known, ruled]))
    return found


def _alone(words: Sequence[str], voice: VoiceInfo) -> dict[str, list[str]]:
    unique = list(dict.fromkeys(words))
    return dict(zip(unique, phonemes(unique, voice.file), strict=True)) if unique else {}


def _ruled(symbols: Sequence[str]) -> Pronunciation:
    return tuple(Sound(name, ipa, STRESS in symbol) for symbol in symbols for name, ipa in arpabet([symbol]))


def _known(phones: Sequence[str], ruled: Pronunciation) -> Pronunciation:
    """CMU's phones have no stress here: it comes from the same vowel of espeak-ng's way to say it."""
    stresses = [sound.stressed for sound in ruled if _is_vowel(sound.name)]
    vowels = [phone for phone in phones if _is_vowel(phone)]
    if len(stresses) != len(vowels):
        stresses = [index == 0 and len(vowels) > 1 for index in range(len(vowels))]
    left = iter(stresses)
    return tuple(_sound(phone, _is_vowel(phone) and next(left)) for phone in phones)


def _sound(phone: str, stressed: bool) -> Sound:
    return Sound(phone, "ə" if phone == "AH" and not stressed else ARPABET[phone], stressed)


def _is_vowel(phone: str) -> bool:
    return is_vowel(parts(ARPABET[phone])[0][1])


def _different(ways: Sequence[Pronunciation]) -> list[Pronunciation]:
    found: dict[tuple[str, ...], Pronunciation] = {}
    for way in ways:
        if way:
            found.setdefault(tuple(sound.name for sound in way), way)
    return list(found.values())[:_MOST]


def _cmu(word: str) -> list[list[str]]:
    """Pronunciations in CMU's dictionary; none for what is no plain English word."""
    plain = word.lower().replace("’", "'").strip(".,;:!?\"'()[]-–—“”…")
    if not plain or _NOT_A_WORD.search(plain):
        return []
    entries, found = _cmu_text(), []
    for number in range(1, _MOST + 1):
        key = f"\n{plain} " if number == 1 else f"\n{plain}({number}) "
        at = entries.find(key)
        if at < 0:
            break
        found.append(entries[at + len(key) : entries.index("\n", at + 1)].split())
    return found


@functools.cache
def _cmu_text() -> str:
    return f"\n{Path(model_path('en-us/cmudict-en-us.dict')).read_text('utf-8')}\n"


def model_path(name: str) -> str:
    """A file that pocketsphinx brings. Raises ModelError where it is not installed."""
    try:
        return str(pocketsphinx.get_model_path(name))
    except ImportError as error:
        raise ModelError("pocketsphinx: not installed; `pip install pocketsphinx` brings it") from error
