"""Text to `Speech` with espeak-ng: the feeling of a curve in rate, pitch, range, loudness and pauses.

The curve needs times, times need the voice: the line is said plainly first, then again with the feeling each
word has at that time, until words stand where their feeling is. So a key in seconds means seconds of the
finished sound, and progress 1 is its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.portrait._speech_espeak import Spoken, VoiceInfo, find_voice, synthesise
from pipelines.portrait._speech_ipa import is_stop
from pipelines.portrait._speech_markup import Markup, clean, markup, tokens
from pipelines.portrait._speech_prosody import Prosody, prosody
from pipelines.portrait._speech_timeline import SILENT, Span, phones, spans, token_times, words
from studio.emotion.curve import EmotionCurve
from studio.emotion.vad import NEUTRAL
from studio.errors import InputError
from studio.speech import Speech

LONGEST_TEXT = 10_000
_ROUNDS = 2  # of saying it again; a third moves no word by more than some milliseconds
_LEAD_S, _TAIL_S = 0.2, 0.35  # silence around, in which a mouth opens and closes
_CLOSURE_S = 0.07  # of a stop that begins the line
_LOUDEST = 0.97
_KNEE = 0.7  # a louder sample is bent, not cut

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Take:
    """One saying of the line: what came out, how it was asked for, its prosodies and when they begin."""

    spoken: Spoken
    marked: Markup
    prosodies: tuple[Prosody, ...]
    times: tuple[tuple[float, float], ...]


def speak(text: str, curve: EmotionCurve, voice: str = "en-gb") -> Speech:
    """`text` said by an espeak-ng voice: a name or language of `voices()`, "+f2" after it for another larynx.

    The same input gives the same bytes; a neutral curve gives the plain voice. Raises InputError for an empty
    text, one over 10,000 characters, one without anything to say, and for keys past the end of the sound;
    NotFoundError for an unknown voice; ModelError where espeak-ng is missing.
    """
    said = clean(check_text(text))
    info = find_voice(voice)
    take = _take(said, curve, info)
    found = spans(take.spoken)
    samples, moved = _finished(take, found)
    rate_hz = take.spoken.rate_hz
    length_s = len(samples) / rate_hz
    _check_keys(curve, length_s)
    timed = phones(moved, rate_hz)
    shifted = _shifted(take.spoken, found, moved)
    return Speech(
        samples, rate_hz, timed, words(said, shifted, take.marked, timed), text.strip(), info.language
    )


def check_text(text: str, field: str = "text") -> str:
    """`text`, if there is something to say in it. Raises InputError of `field`."""
    if not isinstance(text, str) or not text.strip():
        raise InputError(field, text, "there is nothing to say")
    if len(text) > LONGEST_TEXT:
        why = f"{len(text):,} characters; the longest text is {LONGEST_TEXT:,}"
        raise InputError(field, len(text), why)
    if not any(character.isalnum() for character in text):
        raise InputError(field, text, "has no word to say")
    return text


def _check_keys(curve: EmotionCurve, length_s: float) -> None:
    past = curve.keys_past(length_s)
    if past:
        why = f"{past[0].emotion.text} at {past[0].at:g} s is past the end of the speech at {length_s:.2f} s"
        raise InputError("emotion", past[0].at, why)


def _take(text: str, curve: EmotionCurve, voice: VoiceInfo) -> _Take:
    count = len(tokens(text))
    if curve.is_constant:
        return _say(text, [prosody(curve.at(0.0, 1.0))] * count, voice)
    take = _say(text, [prosody(NEUTRAL)] * count, voice)
    for _ in range(_ROUNDS):
        take = _say(text, _felt(curve, take), voice)
    return take


def _say(text: str, prosodies: Sequence[Prosody], voice: VoiceInfo) -> _Take:
    marked = markup(text, prosodies)
    spoken = synthesise(marked.ssml, voice.file)
    if not any(event.symbol for event in spoken.events) or not np.abs(spoken.samples).max() > 32768 * SILENT:
        raise InputError("text", text, f"the voice {voice.name} finds nothing to say in it")
    return _Take(spoken, marked, tuple(prosodies), tuple(token_times(text, spoken, marked)))


def _felt(curve: EmotionCurve, take: _Take) -> list[Prosody]:
    """The prosody at the middle of each word of a take, as times of its finished sound."""
    found = spans(take.spoken)
    samples, moved = _finished(take, found)
    rate_hz = take.spoken.rate_hz
    length_s = len(samples) / rate_hz
    middles = [(start_s + end_s) / 2 * rate_hz for start_s, end_s in take.times]
    places = _places(middles, found, moved) / rate_hz / length_s
    return [prosody(curve.at(min(1.0, max(0.0, float(place))), length_s)) for place in places]


def _finished(take: _Take, found: Sequence[Span]) -> tuple[Floats, list[Span]]:
    """The sound with its loudness, pauses and silence around, and the spans where they are then."""
    rate_hz = take.spoken.rate_hz
    middles = [(start_s + end_s) / 2 * rate_hz for start_s, end_s in take.times]
    samples = take.spoken.samples.astype(np.float32) / 32768.0
    loud = np.flatnonzero(np.abs(samples) > SILENT)
    gains = np.interp(np.arange(len(samples)), middles, [one.gain_db for one in take.prosodies])
    samples = _bent(samples * (10.0 ** (gains / 20.0)).astype(np.float32))
    factors = np.interp([span.start for span in found], middles, [one.pause for one in take.prosodies])
    pieces, moved, at = [np.zeros(int(_LEAD_S * rate_hz), np.float32)], [], int(_LEAD_S * rate_hz)
    for span, factor in zip(found, factors, strict=True):
        if span.start > loud[-1]:
            break
        piece = samples[span.start : min(span.end, loud[-1] + 1)]
        pieces.append(piece if span.symbol else _resized(piece, factor))
        moved.append(Span(span.symbol, at, at + len(pieces[-1])))
        at += len(pieces[-1])
    pieces.append(np.zeros(int(_TAIL_S * rate_hz), np.float32))
    burst = int(_LEAD_S * rate_hz) + int(loud[0])
    return np.concatenate(pieces), _framed(moved, at + len(pieces[-1]), burst - int(_CLOSURE_S * rate_hz))


def _framed(moved: list[Span], total: int, closing: int) -> list[Span]:
    """The silence around joins the pauses at both ends; a stop that begins the line closes at `closing`."""
    sounding = [index for index, span in enumerate(moved) if span.symbol]
    inside = moved[sounding[0] : sounding[-1] + 1]
    if is_stop(inside[0].symbol):
        inside[0] = Span(inside[0].symbol, closing, inside[0].end)
    return [Span("", 0, inside[0].start), *inside, Span("", inside[-1].end, total)]


def _resized(pause: Floats, factor: float) -> Floats:
    """A pause made longer or shorter in its middle, which is silent."""
    middle = len(pause) // 2
    change = round(len(pause) * (factor - 1.0))
    if change >= 0:
        return np.concatenate([pause[:middle], np.zeros(change, np.float32), pause[middle:]])
    half = -change // 2
    return np.concatenate([pause[: middle - half], pause[middle + (-change - half) :]])


def _bent(samples: Floats) -> Floats:
    """Loud samples approach full scale smoothly: a shout does not clip."""
    size = np.abs(samples)
    room = _LOUDEST - _KNEE
    bent = _KNEE + room * np.tanh((size - _KNEE) / room)
    return np.where(size > _KNEE, np.sign(samples) * bent, samples).astype(np.float32)


def _places(
    samples: Sequence[float], found: Sequence[Span], moved: Sequence[Span]
) -> npt.NDArray[np.float64]:
    """Where samples of a take are in its finished sound, told by the sounds that both have."""
    before = [span.start for span in found if span.symbol]
    after = [span.start for span in moved if span.symbol]
    return np.asarray(np.interp(samples, before[: len(after)], after))


def _shifted(spoken: Spoken, found: Sequence[Span], moved: Sequence[Span]) -> Spoken:
    """The events on the time line of the finished sound."""
    places = _places([event.sample for event in spoken.events], found, moved)
    events = tuple(
        type(event)(event.kind, event.place, event.length, int(place), event.symbol)
        for event, place in zip(spoken.events, places, strict=True)
    )
    end = moved[-1].end
    return Spoken(np.zeros(end, np.int16), spoken.rate_hz, events)
