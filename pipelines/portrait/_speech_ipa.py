"""Sounds of any language as visemes: what the mouth shows of a symbol of the IPA. Knows no sound wave.

A viseme follows from place and manner, so one table over base characters serves all languages. Diphthongs are
two phones, affricates one (with the mouth of their fricative), unless the lips meet in one half: pf.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from studio.speech import CLOSED, VOWELS

PAUSE = "(.)"  # the extended IPA's short pause: the symbol of a phone with the viseme SIL
STRESS, SECOND_STRESS = "ˈ", "ˌ"
_LONG = "ːˑ"
_SWITCH = re.compile(r"\([^)]*\)?")  # espeak-ng's note of a change of language: "(en)"

# Rounded vowels show their rounding whatever the tongue does: œ goes with ɔ, y with u.
_CHARACTERS = {
    **{"PP": "pbmɓʙʘ", "FF": "fvɱʋⱱɸβ", "TH": "θð", "DD": "tdnɾʈɖɳɗɽᶑǀ", "LL": "lɫɭʎɬɮɺʟǁ"},
    **{"SS": "szǃʦʣ", "SH": "ʃʒɕʑʂʐɧʧʤʨʥS", "RR": "ɹɻr", "KK": "kɡgŋqxɣχʁʀɢɴɰɠʛNX", "HH": "hɦħʕʔʜʡʢ?"},
    **{"JJ": "jcɟçʝɲʄǂ", "WW": "wʍɥ"},
    **{"AA": "aɑɐæʌɒɶA", "EE": "eɛε", "IH": "iɪᵻ", "YI": "ɨɯ", "OO": "oɔøœɵ", "UU": "uʊʉyʏᵿ"},
    **{"ER": "ɚɝɞ", "AX": "əɘɤɜᵊ"},
}
_VISEME = {character: viseme for viseme, row in _CHARACTERS.items() for character in row}
_STOPS = frozenset("pbtdʈɖcɟkɡgqɢʔ")
_FRICATIVES = frozenset("fvθðszʃʒɕʑʂʐçʝxɣχʁɬɮɸβ")
UNKNOWN = "AX"  # a mouth a little open, which any neighbour outweighs
# The phones of CMU's dictionary; an unstressed AH is the ə.
ARPABET = {
    **{"AA": "ɑː", "AE": "æ", "AH": "ʌ", "AO": "ɔː", "AW": "aʊ", "AY": "aɪ", "EH": "ɛ", "ER": "ɝ"},
    **{"EY": "eɪ", "IH": "ɪ", "IY": "iː", "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "uː"},
    **{"B": "b", "CH": "tʃ", "D": "d", "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "dʒ", "K": "k"},
    **{"L": "l", "M": "m", "N": "n", "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t"},
    **{"TH": "θ", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ"},
}
_TO_ARPABET = {ipa.rstrip(_LONG): name for name, ipa in ARPABET.items()} | {
    **{"a": "AE", "ɐ": "AH", "ə": "AH", "ɒ": "AA", "e": "EH", "ɜ": "ER", "ɚ": "ER", "ᵻ": "IH", "o": "OW"},
    **{"i": "IY", "u": "UW", "əʊ": "OW", "ɔ": "AO", "ɑ": "AA", "r": "R", "ɾ": "D", "g": "G", "x": "K"},
    **{"ɬ": "L", "ɫ": "L", "ʔ": "T", "ç": "HH", "y": "UW", "ø": "ER", "œ": "ER", "ɲ": "N", "ʁ": "R"},
    **{"β": "B", "ɣ": "G", "ʍ": "W", "ɕ": "SH", "ʑ": "ZH", "ʂ": "SH", "ʐ": "ZH", "c": "K", "ɟ": "G"},
}
_NEAR_ARPABET = {
    **{"PP": "B", "FF": "V", "TH": "DH", "DD": "D", "LL": "L", "SS": "S", "SH": "SH", "RR": "R", "KK": "K"},
    **{"HH": "HH", "JJ": "Y", "WW": "W", "AA": "AA", "EE": "EH", "IH": "IH", "YI": "IH", "OO": "AO"},
    **{"UU": "UW", "ER": "ER", "AX": "AH"},
}


def is_stop(symbol: str) -> bool:
    """Whether it begins with a closed mouth or tongue, so that its first part is silent."""
    bare = symbol.lstrip(STRESS + SECOND_STRESS)
    return bool(bare) and bare[0] in _STOPS


def parts(symbol: str) -> list[tuple[str, str]]:
    """(IPA without stress marks, viseme) of each sound in a symbol: `ˈaʊ` is a and ʊ, `tʃ` is one.

    Length marks, tones and other signs stay with the character before them; a symbol without a known
    character has the viseme UNKNOWN, one of signs alone has no parts.
    """
    sounds: list[list[str]] = []
    for character in _SWITCH.sub("", symbol):
        base = _base(character)
        if base == "h" and sounds and sounds[-1][1] in _STOPS | _FRICATIVES:
            sounds[-1][0] += "ʰ"
        elif base:
            sounds.append([character, base])
        elif sounds and character not in STRESS + SECOND_STRESS:
            sounds[-1][0] += character
    return [(ipa, viseme_of(ipa, base)) for ipa, base in _joined(sounds)]


def viseme_of(ipa: str, base: str = "") -> str:
    """The viseme of one sound. A long ɜ is the vowel of "nurse", a short one nearly a schwa."""
    base = base or next(filter(None, map(_base, ipa)), "")
    if base == "ɜ" and any(mark in ipa for mark in _LONG):
        return "ER"
    return _VISEME.get(base, UNKNOWN)


def arpabet(symbols: Iterable[str]) -> list[tuple[str, str]]:
    """(phone of CMU's dictionary, IPA) nearest to each sound of espeak-ng's symbols; nothing for signs."""
    found: list[tuple[str, str]] = []
    for symbol in symbols:
        bare = "".join(filter(_base, _SWITCH.sub("", symbol)))
        if bare in _TO_ARPABET:
            found.append((_TO_ARPABET[bare], symbol))
        else:
            found += [(_nearest_arpabet(ipa, viseme), ipa) for ipa, viseme in parts(symbol)]
    return found


def _nearest_arpabet(ipa: str, viseme: str) -> str:
    return _TO_ARPABET.get("".join(filter(_base, ipa)), _NEAR_ARPABET[viseme])


def _base(character: str) -> str:
    """The table's character for it, itself for an unknown letter, "" for a sign."""
    if character in _VISEME:
        return character
    bare = unicodedata.normalize("NFD", character)[0]
    if bare in _VISEME:
        return bare
    return character if unicodedata.category(character) in ("Ll", "Lo") else ""


def _joined(sounds: list[list[str]]) -> Iterable[tuple[str, str]]:
    """Stop and fricative become one with the fricative's base, unless the lips meet for the stop."""
    index = 0
    while index < len(sounds):
        ipa, base = sounds[index]
        after = sounds[index + 1] if index + 1 < len(sounds) else None
        if after and base in _STOPS and after[1] in _FRICATIVES and _VISEME[base] != CLOSED:
            ipa, base = ipa + after[0], after[1]
            index += 1
        yield ipa, base
        index += 1


def is_vowel(viseme: str) -> bool:
    return viseme in VOWELS
