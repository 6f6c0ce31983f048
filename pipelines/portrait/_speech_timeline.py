"""espeak-ng's events as phones without gaps and words as they are written. Knows no emotion.

The library tells where a phoneme begins to sound. A p sounds when the lips open, so the silence before the
burst of a stop is given to the stop: it is when the lips are closed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipelines.portrait._speech_espeak import PHONEME, WORD, Event, Spoken
from pipelines.portrait._speech_ipa import PAUSE, STRESS, is_stop, is_vowel, parts
from pipelines.portrait._speech_markup import Markup, Token, tokens
from studio.speech import Phone, Word

_CLOSURE_S = 0.09  # no stop is closed for longer
_KEPT_S = 0.03  # what the sound before a closure keeps
_SHORTEST_PAUSE_S = 0.06
SILENT = 0.002  # of full scale: the largest sample that counts as silence
_FIRST_OF_TWO = 0.6  # share of a diphthong that its first vowel has
_SPACELESS = (  # scripts in which words are not set apart
    *((0x0E00, 0x0EFF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF)),
    *((0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)


@dataclass(frozen=True, slots=True)
class Span:
    """A phoneme of the synthesiser: samples from `start` to `end`; "" is a pause."""

    symbol: str
    start: int
    end: int


def spans(spoken: Spoken) -> list[Span]:
    """Every phoneme in order, with no gap from the first sample to the last; closures belong to stops."""
    events = [event for event in spoken.events if event.kind == PHONEME]
    total = len(spoken.samples)
    bounds = [min(event.sample, total) for event in events] + [total]
    if bounds[0] > 0:
        events, bounds = [Event(PHONEME, 0, 0, 0, ""), *events], [0, *bounds]
    found: list[Span] = []
    for event, start, end in zip(events, bounds, bounds[1:], strict=False):
        if event.symbol and not parts(event.symbol) and found:  # a sign of the sound before it
            found[-1] = Span(found[-1].symbol, found[-1].start, end)
        elif end > start:
            found.append(Span(event.symbol if parts(event.symbol) else "", start, end))
    return _with_pauses(_with_closures(found, spoken), spoken.rate_hz)


def phones(found: Sequence[Span], rate_hz: int) -> tuple[Phone, ...]:
    """The spans as phones, diphthongs in two; stress goes to the vowel and the consonant right before it."""
    built: list[Phone] = []
    for span in found:
        sounds = parts(span.symbol) or [(PAUSE, "SIL")]
        stressed = STRESS in span.symbol
        cuts = _cuts(len(sounds), span.start / rate_hz, span.end / rate_hz)
        for (ipa, viseme), start_s, end_s in zip(sounds, cuts, cuts[1:], strict=False):
            built.append(Phone(ipa, viseme, start_s, end_s, stressed))
    return with_onsets(built)


def with_onsets(found: Sequence[Phone]) -> tuple[Phone, ...]:
    """The consonant right before a stressed vowel is stressed as well."""
    built = list(found)
    for index, vowel in enumerate(built[1:]):
        onset = built[index]
        if vowel.stressed and is_vowel(vowel.viseme) and not is_vowel(onset.viseme) and onset.viseme != "SIL":
            built[index] = replace(onset, stressed=True)
    return tuple(built)


def words(text: str, spoken: Spoken, marked: Markup, found: Sequence[Phone]) -> tuple[Word, ...]:
    """Words as they are written, over their sounds; a "£3.50" that is said in five words is one."""
    sounding = [phone for phone in found if phone.viseme != "SIL"]
    middles = [(phone.start_s + phone.end_s) / 2 * spoken.rate_hz for phone in sounding]
    pieces = list(_pieces(text, spoken, marked))
    starts = np.searchsorted(middles, [sample for _, sample in pieces])
    return tuple(
        Word(written, sounding[first].start_s, sounding[after - 1].end_s)
        for (written, _), first, after in zip(pieces, starts, [*starts[1:], len(sounding)], strict=True)
        if after > first
    )


def token_times(text: str, spoken: Spoken, marked: Markup) -> list[tuple[float, float]]:
    """Seconds from and to for each token of the text; one that is not said has the place of the next."""
    starts: dict[int, int] = {}
    for event, token in _placed(tokens(text), spoken, marked):
        starts.setdefault(token, event.sample)
    total, built = len(spoken.samples), []
    after = total
    for index in reversed(range(len(tokens(text)))):
        start = starts.get(index, after)
        built.append((start / spoken.rate_hz, after / spoken.rate_hz))
        after = start
    return built[::-1]


def token_symbols(text: str, spoken: Spoken, marked: Markup) -> list[list[str]]:
    """Phonemes of each token as they are said among the others; none where two are said as one."""
    begun = [(event.sample, index) for event, index in _placed(tokens(text), spoken, marked)]
    starts = np.array([sample for sample, _ in begun])
    found: list[list[str]] = [[] for _ in tokens(text)]
    for event in spoken.events:
        at = int(np.searchsorted(starts, event.sample, side="right")) - 1
        if event.kind == PHONEME and event.symbol and at >= 0:
            found[begun[at][1]].append(event.symbol)
    return found


def _placed(written: Sequence[Token], spoken: Spoken, marked: Markup) -> Iterator[tuple[Event, int]]:
    """Word events with the index of their token; an event between tokens goes to the one before."""
    ends = np.array([token.end for token in written])
    for event in spoken.events:
        if event.kind == WORD and len(written):
            place = marked.place(event.place)
            yield event, min(int(np.searchsorted(ends, place, side="right")), len(written) - 1)


def _pieces(text: str, spoken: Spoken, marked: Markup) -> Iterator[tuple[str, int]]:
    """(text, first sample) of each word. In a script without spaces the events tell words apart; two words
    that are said as one, such as "of the", stay one."""
    written = tokens(text)
    begun: dict[int, int] = {}  # first character -> sample
    for event, index in _placed(written, spoken, marked):
        token = written[index]
        apart = any(map(_spaceless, text[token.start : token.end]))
        start = max(token.start, marked.place(event.place)) if apart else token.start
        begun.setdefault(start, event.sample)
    starts = sorted(begun)
    for start, after in zip(starts, [*starts[1:], len(text)], strict=True):
        whole = text[start:after].strip()
        yield bare(whole) or whole, begun[start]


def bare(piece: str) -> str:
    """Without the punctuation around it; signs that are said stay."""
    inside = [index for index, character in enumerate(piece) if character.isalnum() or _sign(character)]
    return piece[inside[0] : inside[-1] + 1] if inside else ""


def _sign(character: str) -> bool:
    return character == "%" or unicodedata.category(character) in ("Sc", "Sm", "So")


def _spaceless(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in _SPACELESS)


def _cuts(count: int, start_s: float, end_s: float) -> list[float]:
    """Bounds of `count` sounds; the first has the larger share."""
    if count == 1:
        return [start_s, end_s]
    first = _FIRST_OF_TWO if count == 2 else 1.3 / count
    rest = np.linspace(start_s + first * (end_s - start_s), end_s, count)
    return [start_s, *map(float, rest)]


def _with_closures(found: list[Span], spoken: Spoken) -> list[Span]:
    rate_hz = spoken.rate_hz
    quiet = (spoken.samples <= SILENT * 32768) & (spoken.samples >= -SILENT * 32768)
    built = list(found)
    for index in range(1, len(built)):
        span, before = built[index], built[index - 1]
        if not is_stop(span.symbol):
            continue
        earliest = max(before.start + (0 if not before.symbol else int(_KEPT_S * rate_hz)), 0)
        start = _silence_start(quiet, max(earliest, span.start - int(_CLOSURE_S * rate_hz)), span.start)
        if start < span.start:
            built[index] = Span(span.symbol, start, span.end)
            built[index - 1] = Span(before.symbol, before.start, start)
    return [span for span in built if span.end > span.start]


def _silence_start(quiet: npt.NDArray[np.bool_], low: int, high: int) -> int:
    """First sample of the silence that ends at `high`, not before `low`."""
    loud = np.flatnonzero(~quiet[low:high])
    return high if low >= high else low + (int(loud[-1]) + 1 if len(loud) else 0)


def _with_pauses(found: list[Span], rate_hz: int) -> list[Span]:
    """Pauses in a row become one; one too short for a mouth to close goes to the sound before it."""
    built: list[Span] = []
    for span in found:
        if not span.symbol and built and not built[-1].symbol:
            built[-1] = Span("", built[-1].start, span.end)
        else:
            built.append(span)
    shortest = int(_SHORTEST_PAUSE_S * rate_hz)
    kept: list[Span] = []
    for index, span in enumerate(built):
        inside = 0 < index < len(built) - 1
        if inside and not span.symbol and span.end - span.start < shortest:
            kept[-1] = Span(kept[-1].symbol, kept[-1].start, span.end)
        else:
            kept.append(span)
    return kept
