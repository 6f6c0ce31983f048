"""Text to `Speech` with espeak-ng: the feeling of a curve in rate, pitch, range, loudness and pauses.

The curve needs times, times need the voice: the line is said plainly first, then again with the feeling each
word has at that time, until words stand where their feeling is. So a key in seconds means seconds of the
finished sound, and progress 1 is its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
_BLOCK = 32  # samples of one gain: its steps are too small to hear
_KNEE = 0.7  # a louder sample is bent, not cut

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Take:
    """One saying of the line: what came out and with which prosodies, and where it stands when finished.

    `middles`: sample of the middle of each word; `found`: its sounds and pauses in the raw sound, `moved`:
    the same in the finished sound, with other pauses and silence around.
    """

    spoken: Spoken
    marked: Markup
    prosodies: tuple[Prosody, ...]
    middles: tuple[float, ...]
    found: tuple[Span, ...]
    moved: tuple[Span, ...]

    @property
    def length_s(self) -> float:
        return self.moved[-1].end / self.spoken.rate_hz

    def places(self, samples: Sequence[float]) -> npt.NDArray[np.float64]:
        """Where samples of the raw sound are in the finished one, told by the sounds that both have."""
        before = [span.start for span in self.found if span.symbol]
        after = [span.start for span in self.moved if span.symbol]
        return np.asarray(np.interp(samples, before[: len(after)], after))


def speak(text: str, curve: EmotionCurve, voice: str = "en-gb") -> Speech:
    """`text` said by an espeak-ng voice: a name or language of `voices()`, "+f2" after it for another larynx.

    The same input gives the same bytes; a neutral curve gives the plain voice. Raises InputError for an empty
    text, one over 10,000 characters, one without anything to say, and for keys past the end of the sound;
    NotFoundError for an unknown voice; ModelError where espeak-ng is missing or crashes.
    """
    said = clean(check_text(text))
    info = find_voice(voice)
    take = _take(said, curve, info)
    check_keys(curve, take.length_s)
    timed = phones(take.moved, take.spoken.rate_hz)
    written = words(said, _finished_events(take), take.marked, timed)
    return Speech(_sound(take), take.spoken.rate_hz, timed, written, text.strip(), info.language)


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


def check_keys(curve: EmotionCurve, length_s: float) -> None:
    """Raises InputError for a key in seconds past the end of speech of this length."""
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
    loud = (spoken.samples > 32768 * SILENT) | (spoken.samples < -32768 * SILENT)
    if not any(event.symbol for event in spoken.events) or not loud.any():
        raise InputError("text", text, f"the voice {voice.name} finds nothing to say in it")
    times = token_times(text, spoken, marked)
    middles = tuple((start_s + end_s) / 2 * spoken.rate_hz for start_s, end_s in times)
    first, last = int(loud.argmax()), len(loud) - int(loud[::-1].argmax())
    found = _until(spans(spoken), last)
    moved = _moved(found, _pause_factors(found, middles, prosodies), spoken.rate_hz, first)
    return _Take(spoken, marked, tuple(prosodies), middles, tuple(found), tuple(moved))


def _felt(curve: EmotionCurve, take: _Take) -> list[Prosody]:
    """The prosody at the middle of each word of a take, as times of its finished sound."""
    places = take.places(take.middles) / take.spoken.rate_hz / take.length_s
    return [prosody(curve.at(min(1.0, max(0.0, float(place))), take.length_s)) for place in places]


def _until(found: Sequence[Span], end: int) -> list[Span]:
    """Without the silence after the last sound, of which some voices leave a second."""
    return [Span(span.symbol, span.start, min(span.end, end)) for span in found if span.start < end]


def _pause_factors(
    found: Sequence[Span], middles: Sequence[float], prosodies: Sequence[Prosody]
) -> npt.NDArray[np.float64]:
    """What each span's length is multiplied by: 1 for a sound."""
    factors = np.interp([span.start for span in found], middles, [one.pause for one in prosodies])
    return np.where([bool(span.symbol) for span in found], 1.0, factors)


def _moved(
    found: Sequence[Span], factors: npt.NDArray[np.float64], rate_hz: int, burst: int
) -> Iterator[Span]:
    """Spans of the finished sound. The silence around joins the pauses at both ends; a stop that begins the
    line closes before its burst, the first loud sample."""
    at = lead = int(_LEAD_S * rate_hz)
    spread: list[Span] = []
    for span, factor in zip(found, factors, strict=True):
        length = _length(span, factor)
        spread.append(Span(span.symbol, at, at + length))
        at += length
    sounding = [index for index, span in enumerate(spread) if span.symbol]
    inside = spread[sounding[0] : sounding[-1] + 1]
    if is_stop(inside[0].symbol):
        inside[0] = Span(inside[0].symbol, lead + burst - int(_CLOSURE_S * rate_hz), inside[0].end)
    yield Span("", 0, inside[0].start)
    yield from inside
    yield Span("", inside[-1].end, at + int(_TAIL_S * rate_hz))


def _length(span: Span, factor: float) -> int:
    return round((span.end - span.start) * float(factor))


def _sound(take: _Take) -> Floats:
    """The sound with its loudness, pauses and silence around, made piece by piece: lines are long."""
    rate_hz = take.spoken.rate_hz
    factors = _pause_factors(take.found, take.middles, take.prosodies)
    lengths = [_length(span, factor) for span, factor in zip(take.found, factors, strict=True)]
    lead, tail = (int(length_s * rate_hz) for length_s in (_LEAD_S, _TAIL_S))
    made = np.zeros(lead + sum(lengths) + tail, np.float32)
    gains, at = _gains(take), lead
    for span, length in zip(take.found, lengths, strict=True):
        blocks = np.arange(span.start, min(span.end, len(take.spoken.samples))) // _BLOCK
        samples = take.spoken.samples[span.start : span.end].astype(np.float32) / 32768.0
        made[at : at + length] = _resized(bent(samples * gains[blocks]), length)
        at += length
    return made


def _gains(take: _Take) -> Floats:
    """What each block of the raw sound is multiplied by."""
    blocks = np.arange(0, len(take.spoken.samples), _BLOCK)
    gains_db = np.interp(blocks, take.middles, [one.gain_db for one in take.prosodies])
    return np.asarray(10.0 ** (gains_db / 20.0), np.float32)


def _resized(piece: Floats, length: int) -> Floats:
    """A pause made longer or shorter in its middle, which is silent."""
    first = min(len(piece), length) // 2
    last = min(len(piece), length) - first
    silence = np.zeros(max(0, length - len(piece)), np.float32)
    return np.concatenate([piece[:first], silence, piece[len(piece) - last :]])


def bent(samples: Floats) -> Floats:
    """Loud samples approach full scale smoothly: a shout does not clip."""
    size = np.abs(samples)
    room = _LOUDEST - _KNEE
    bent = _KNEE + room * np.tanh((size - _KNEE) / room)
    return np.where(size > _KNEE, np.sign(samples) * bent, samples).astype(np.float32)


def _finished_events(take: _Take) -> Spoken:
    """The events on the time line of the finished sound, without its samples."""
    spoken = take.spoken
    places = take.places([event.sample for event in spoken.events])
    events = (replace(event, sample=int(place)) for event, place in zip(spoken.events, places, strict=True))
    return Spoken(np.zeros(take.moved[-1].end, np.int16), spoken.rate_hz, tuple(events))
