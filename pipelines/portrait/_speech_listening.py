"""A recording to `Speech`: its sound as it is, words and phones where they can be known.

With a transcript, phones are aligned in any language espeak-ng can read: each sound is sought as the nearest
English one. Without, the phones of English are guessed: on synthetic speech nearly half of the closures of
the lips are found, and four of five that are found are true (recognising words first finds fewer, and is
slower). On real German such guesses agree with aligned phones in one case of three, so that other languages
get none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.portrait import _speech_align as align
from pipelines.portrait._speech_dictionary import pronunciations
from pipelines.portrait._speech_espeak import VoiceInfo, find_voice, voices
from pipelines.portrait._speech_ipa import PAUSE, parts
from pipelines.portrait._speech_markup import clean, tokens
from pipelines.portrait._speech_present import has_speech
from pipelines.portrait._speech_timeline import bare, with_onsets
from studio.audio_in import FIELD, audio_rate, read_audio
from studio.errors import InputError, NotFoundError
from studio.speech import Phone, Speech, Word

LONGEST_TRANSCRIPT = 40_000
_HIGHEST_HZ = 48_000
_LOWEST_HZ = 8_000
_CLIPPED, _CLIPPED_SHARE = 0.999, 0.001
_SHORTEST_PAUSE_S = 0.08
_LEAST_SHARE = 0.3  # of the words of a transcript; where fewer are heard, it is another text
_NO_MATCH = "the transcript does not fit the recording"
_GUESSED = "phones are guessed from the sound, as English; a transcript makes the lips exact"
_NO_PHONES = "without a transcript phones are known for English only: the mouth follows the sound alone"


def listen(path: Path | str, transcript: str = "", language: str = "") -> Speech:
    """The speech in any audio or video file, up to 30 minutes.

    `language`: a voice or language of `voices()`, "" for English; only a transcript needs it. Samples keep
    the file's own rate, up to 48 kHz. `notes` say what is guessed. Raises InputError named `inputs.audio` for
    a file that cannot be heard or holds no speech, NotFoundError for an unknown language, ModelError where
    pocketsphinx or espeak-ng is missing.
    """
    voice = _voice(language)
    said = _checked(transcript)
    rate_hz = min(max(audio_rate(path), _LOWEST_HZ), _HIGHEST_HZ)
    samples = read_audio(path, rate_hz)
    low = read_audio(path, align.RATE_HZ)
    if not has_speech(low):
        raise InputError(FIELD, str(path), f"{Path(path).name} is audio without speech")
    found = understood(samples, rate_hz, low, said, voice)
    known = language.strip() or transcript.strip()
    return replace(found, language=voice.language if known else "", text=transcript.strip())


def understood(samples: align.Floats, rate_hz: int, low: align.Floats, text: str, voice: VoiceInfo) -> Speech:
    """`samples` at `rate_hz` with what is heard in them. `low`: the same sound at 16 kHz; `text`: what is
    said, "" where nobody knows."""
    heard, written, notes = _heard(low, text, voice)
    length_s = len(samples) / rate_hz
    return Speech(
        samples,
        rate_hz,
        _phones(heard, length_s) if heard else (),
        _words(heard, written, length_s),
        text.strip(),
        voice.language,
        (*_sound_notes(samples), *notes),
    )


def _voice(language: str) -> VoiceInfo:
    try:
        return find_voice(language or "en-us")
    except NotFoundError as error:
        choices = [one for voice in voices() for one in (voice.name, voice.title)]
        raise NotFoundError("language", error.name, choices) from error


def _checked(transcript: str) -> str:
    if len(transcript) > LONGEST_TRANSCRIPT:
        why = f"{len(transcript):,} characters; the longest transcript is {LONGEST_TRANSCRIPT:,}"
        raise InputError("transcript", len(transcript), why)
    if transcript.strip() and not any(character.isalnum() for character in transcript):
        raise InputError("transcript", transcript, "has no word")
    return clean(transcript)


def _sound_notes(samples: align.Floats) -> tuple[str, ...]:
    clipped = float(((samples >= _CLIPPED) | (samples <= -_CLIPPED)).mean())
    return (f"{clipped:.1%} of the recording is clipped",) if clipped > _CLIPPED_SHARE else ()


def _heard(
    low: align.Floats, transcript: str, voice: VoiceInfo
) -> tuple[list[align.Heard], list[str], tuple[str, ...]]:
    """Sounds with their times, the words they count, and what a person should know."""
    found, written = _aligned(low, transcript, voice) if transcript.strip() else ([], [])
    said = found[-1].word + 1 if found else 0
    if not said or said < _LEAST_SHARE * len(written):
        notes = (_NO_MATCH,) if transcript.strip() else ()
        if not voice.language.startswith("en"):
            return [], [], (*notes, _NO_PHONES)
        return align.recognised(low), [], (*notes, _GUESSED)
    missing = len(written) - said
    return found, written, (f"the last {missing} words of the transcript are not heard",) if missing else ()


def _aligned(low: align.Floats, text: str, voice: VoiceInfo) -> tuple[list[align.Heard], list[str]]:
    """Signs that nobody says are left out of the words."""
    written = [text[token.start : token.end] for token in tokens(text)]
    kept = [(word, way) for word, way in zip(written, pronunciations(text, voice), strict=True) if way]
    if not kept:
        return [], []
    return align.aligned(low, [way for _, way in kept]), [bare(word) or word for word, _ in kept]


def _words(heard: Iterable[align.Heard], written: Sequence[str], length_s: float) -> tuple[Word, ...]:
    spans: dict[int, tuple[float, float]] = {}
    for one in heard:
        if one.word >= 0:
            start_s, _ = spans.get(one.word, (one.start_s, 0.0))
            spans[one.word] = (start_s, min(one.end_s, length_s))
    return tuple(Word(written[index], *span) for index, span in sorted(spans.items()) if span[1] > span[0])


def _phones(heard: Sequence[align.Heard], length_s: float) -> tuple[Phone, ...]:
    """Without gaps from 0 to the end: pauses are phones too, and short ones belong to the sound before."""
    built: list[Phone] = []
    at_s = 0.0
    for one in heard:
        start_s, end_s = max(one.start_s, at_s), min(one.end_s, length_s)
        if end_s - start_s < 0.001:
            continue
        if start_s - at_s >= _SHORTEST_PAUSE_S or (not built and start_s > 0):
            built.append(Phone(PAUSE, "SIL", at_s, start_s))
        elif built and start_s > at_s:
            built[-1] = replace(built[-1], end_s=start_s)
        built += _sounds(one, start_s, end_s)
        at_s = end_s
    if length_s - at_s > 0.001:
        built.append(Phone(PAUSE, "SIL", at_s, length_s))
    return with_onsets(built)


def _sounds(one: align.Heard, start_s: float, end_s: float) -> list[Phone]:
    sounds = parts(one.sound.ipa)
    bounds = np.linspace(start_s, end_s, len(sounds) + 1)
    return [
        Phone(ipa, viseme, float(low), float(high), one.sound.stressed)
        for (ipa, viseme), low, high in zip(sounds, bounds, bounds[1:], strict=False)
    ]
