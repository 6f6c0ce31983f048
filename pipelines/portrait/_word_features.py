"""A sentence as hashed features: words, pairs of words, pieces of words, negation, capitals, punctuation.

Knows no emotion and no model. Pieces of words follow Bojanowski et al. 2017 ("Enriching word vectors with
subword information"), the marking of what stands under a negation Das and Chen 2001 (by way of Pang, Lee and
Vaithyanathan 2002).
"""

from __future__ import annotations

import re
import zlib

_TOKEN = re.compile(
    r"\[[A-Za-z]+\]"  # a masked name
    r"|[^\W\d_]+(?:['’][^\W\d_]+)*"
    r"|\d+"
    r"|[:;=8][-o*']?[)\](\[dDpP/\\|]|<3|[)(][-o*']?[:;=]"
    r"|[!?]+|\.{2,}|…|[.,;:]"
    r"|[\u2600-\u27bf\u2b50-\u2b55\U0001f000-\U0001faff]"
)
_LONG = re.compile(r"(.)\1{2,}")
_ENDS = re.compile(r"[.!?…]+|[,;:]")
_NEGATORS = frozenset(
    (
        *("not", "no", "never", "neither", "nor", "nobody", "nothing", "nowhere", "without", "hardly"),
        *("cannot", "cant", "dont", "wont", "didnt", "doesnt", "isnt", "wasnt", "arent", "werent", "aint"),
        *("couldnt", "wouldnt", "shouldnt", "hasnt", "havent"),
    )
)
_BUT = frozenset(("but", "because", "though", "although", "however"))
SPAN = 4  # words that a negation reaches
PIECES = (3, 4, 5)  # letters
LONGEST_WORD = 24  # longer ones are links and noise: no pieces of them
_SENTENCE = re.compile(r"[^.!?…\n]*[.!?…]*[\"'”’)]*\s*|\n+")


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, stop) of the sentences of a text; together they hold every word of it."""
    found: list[tuple[int, int]] = []
    for match in _SENTENCE.finditer(text):
        start, stop = match.span()
        if not text[start:stop].strip():
            continue
        if found and not any(sign.isalnum() for sign in text[start:stop]) and not _has_sign(text[start:stop]):
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found


def tokens(text: str) -> list[str]:
    """Words, numbers, punctuation, emoticons and emoji as they are written; masked names are left out."""
    return [token for token in _TOKEN.findall(text) if not token.startswith("[")]


def words(text: str) -> list[str]:
    """Of the tokens the words, as `plain` writes them."""
    return [plain(token) for token in tokens(text) if token[0].isalpha()]


def plain(token: str) -> str:
    """Lower case, straight apostrophes, at most two of a letter in a row."""
    return _LONG.sub(r"\1\1", token.lower().replace("’", "'"))


def is_mark(token: str) -> bool:
    """Whether it is punctuation or a number: nothing that speaks of a feeling by itself."""
    return token.isdigit() or _ENDS.fullmatch(token) is not None


def hashed(text: str) -> dict[int, float]:
    """32-bit hash -> how often the feature is there."""
    found: dict[int, float] = {}
    for name in names(text):
        key = zlib.crc32(name.encode())
        found[key] = found.get(key, 0.0) + 1.0
    return found


def word_key(word: str) -> int:
    """The hash of a plain word that stands under no negation."""
    return zlib.crc32(f"w {word}".encode())


def names(text: str) -> list[str]:
    """Of the features of a text, as often as they are there."""
    found: list[str] = []
    before, reach = "^", 0
    for token in tokens(text):
        word = plain(token)
        if _ENDS.fullmatch(token) or word in _BUT:
            reach = 0
        under = "not " if reach > 0 else ""
        found += [f"w {under}{word}", f"p {before} {word}"]
        if token[0].isalpha():
            found += _of_word(token, word, under)
            reach -= 1
        if word in _NEGATORS or word.endswith("n't"):
            reach = SPAN
        before = word
    return [*found, f"p {before} $"]


def _of_word(token: str, word: str, under: str) -> list[str]:
    found = []
    if len(token) > 2 and token.isupper():
        found += [f"u {word}", "capitals"]
    if _LONG.search(token.lower()):
        found.append("drawn out")
    if len(word) <= LONGEST_WORD:
        edged = f"<{word}>"
        found += [
            f"c {under}{edged[at : at + size]}"
            for size in PIECES
            for at in range(len(edged) - size + 1)
            if size < len(edged)
        ]
    return found


def _has_sign(text: str) -> bool:
    """Whether there is more than punctuation: an emoji or an emoticon."""
    return any(not is_mark(token) for token in tokens(text))
