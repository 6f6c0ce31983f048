"""Which word and which phone is when in a recording: pocketsphinx with its English acoustic model.

With the words known, windows of half a minute are aligned one after the other: each is offered more words
than it can hold, and says how many it heard. Without them, phones alone are recognised. Knows no text: words
are lists of pronunciations.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.portrait._speech_dictionary import Pronunciation, Sound, model_path
from pipelines.portrait._speech_ipa import ARPABET
from studio.errors import StorageError
from studio.lazy import lazy

pocketsphinx = lazy("pocketsphinx")

Floats = npt.NDArray[np.float32]

RATE_HZ = 16_000
_FRAME_S = 0.01
_CENTRE_S = 0.0128  # a frame hears 25.6 ms from where it begins
_WINDOW_S, _SEARCHED_S = 28.0, 10.0  # cut at the softest place of the last seconds
_WORDS_PER_S = 7  # more than anybody says
_UNSURE = 2  # last words of a window, which the next hears again
# Default beams lose one line in five of synthetic speech; the wide one is slow and seldom needed.
_BEAMS = (1e-80, 1e-160)
_TRUST = 0.1  # in which sound follows which: that is English, what is heard may be another language
_HISS = 3.0  # of 32767: digital silence has no logarithm
_LEVEL = 0.6


@dataclass(frozen=True, slots=True)
class Heard:
    """A sound at its time; `word` counts the words, -1 where none is known."""

    sound: Sound
    word: int
    start_s: float
    end_s: float


def aligned(samples: Floats, words: Sequence[Sequence[Pronunciation]]) -> list[Heard]:
    """Sounds of `words` in `samples` (16 kHz): of the first words only where the rest is not heard, of none
    when the words do not fit the sound."""
    heard: list[Heard] = []
    at, following = 0, 0
    while following < len(words) and at < len(samples):
        end = _window_end(samples, at)
        count, found = len(words) - following, None
        if end == len(samples):
            found = _window(samples[at:end], words[following:])
        if found is None:
            count, end = _held(samples, at, end, words[following:])
            found = _window(samples[at:end], words[following : following + count]) if count else []
        if found is None:
            break
        heard += [_moved(one, following, at / RATE_HZ) for one in found]
        following, at = following + count, end
    return heard


def _moved(one: Heard, words: int, offset_s: float) -> Heard:
    return Heard(one.sound, one.word + words, one.start_s + offset_s, one.end_s + offset_s)


def _held(samples: Floats, at: int, end: int, words: Sequence[Sequence[Pronunciation]]) -> tuple[int, int]:
    """How many of the words are surely said between two samples, and the sample where the last one ends."""
    offered = words[: max(1, int((end - at) / RATE_HZ * _WORDS_PER_S))]
    for beam in _BEAMS:
        decoder = _offering(offered, beam, must_finish=False)
        _hear(decoder, samples[at:end])
        sure = [part for part in decoder.seg() or () if part.word.startswith("w")][:-_UNSURE]
        if sure:
            return len(sure), at + int((sure[-1].end_frame + 1) * _FRAME_S * RATE_HZ)
    return 0, end


def recognised(samples: Floats) -> list[Heard]:
    """Phones of `samples` (16 kHz) without any word: nearly half of all p, b and m, one in five wrong."""
    heard: list[Heard] = []
    at = 0
    while at < len(samples):
        end = _window_end(samples, at)
        model = model_path("en-us/en-us-phone.lm.bin")
        decoder = _decoder(allphone=model, lw=_TRUST, pip=0.01, beam=1e-30, pbeam=1e-30)
        _hear(decoder, samples[at:end])
        for part in decoder.seg() or ():
            if part.word in ARPABET:
                start_s = at / RATE_HZ + part.start_frame * _FRAME_S + _CENTRE_S
                length_s = (part.end_frame + 1 - part.start_frame) * _FRAME_S
                heard.append(Heard(_plain(part.word), -1, start_s, start_s + length_s))
        at = end
    return heard


def _plain(phone: str) -> Sound:
    return Sound(phone, ARPABET[phone])


def _window_end(samples: Floats, at: int) -> int:
    """The end, or the middle of the softest fifth of a second near the end of a window."""
    longest = at + int(_WINDOW_S * RATE_HZ)
    if longest >= len(samples):
        return len(samples)
    first = longest - int(_SEARCHED_S * RATE_HZ)
    step = RATE_HZ // 20
    energy = np.square(samples[first:longest]).reshape(-1, step).sum(1)
    softest = int(np.convolve(energy, np.ones(4), "valid").argmin())
    return first + (softest + 2) * step


def _window(samples: Floats, words: Sequence[Sequence[Pronunciation]]) -> list[Heard] | None:
    """Words first, then the phones within them; None when that fails with every beam."""
    for beam in _BEAMS:
        decoder = _offering(words, beam, must_finish=True)
        _hear(decoder, samples)
        if decoder.hyp() is None:
            continue
        try:
            decoder.set_alignment()
            _hear(decoder, samples)
        except RuntimeError:  # a word too short for its phones
            continue
        return _read(decoder.get_alignment(), words)
    return None


def _offering(words: Sequence[Sequence[Pronunciation]], beam: float, must_finish: bool) -> Any:
    """A decoder that hears these words in this order and nothing else."""
    with tempfile.TemporaryDirectory(prefix="emotion-studio-") as folder:
        path = Path(folder, "words.dict")
        try:
            path.write_text(_dictionary(words), "utf-8")
        except OSError as error:
            raise StorageError(f"{path}: cannot be written ({error.strerror or error})") from error
        decoder = _decoder(lm=None, dict=str(path), bestpath=False, beam=beam, pbeam=beam, wbeam=beam)
    grammar = decoder.create_fsg("words", 0, len(words), _steps(len(words), must_finish))
    decoder.add_fsg("words", grammar)
    decoder.activate_search("words")
    return decoder


def _steps(count: int, must_finish: bool) -> list[tuple[Any, ...]]:
    """A chain of words; unless all must be said, one may stop after any."""
    chain: list[tuple[Any, ...]] = [(index, index + 1, 1.0, f"w{index}") for index in range(count)]
    stops = [] if must_finish else [(index, count, 1.0) for index in range(1, count)]
    return chain + stops


def _dictionary(words: Sequence[Sequence[Pronunciation]]) -> str:
    lines = []
    for index, ways in enumerate(words):
        for number, way in enumerate(ways, start=1):
            key = f"w{index}" if number == 1 else f"w{index}({number})"
            lines.append(f"{key} {' '.join(sound.name for sound in way)}")
    return "\n".join([*lines, ""])


def _read(alignment: Any, words: Sequence[Sequence[Pronunciation]]) -> list[Heard]:
    heard = []
    for entry in alignment or ():
        if not entry.name.startswith("w"):
            continue  # silence or breath
        index = int(entry.name[1:].partition("(")[0])
        timed = [(phone.name, phone.start, phone.duration) for phone in entry]
        names = [name for name, _, _ in timed]
        way = next((way for way in words[index] if [sound.name for sound in way] == names), None)
        for sound, (_, start, length) in zip(way or map(_plain, names), timed, strict=True):
            start_s = start * _FRAME_S + _CENTRE_S
            heard.append(Heard(sound, index, start_s, start_s + length * _FRAME_S))
    return heard


def _hear(decoder: Any, samples: Floats) -> None:
    peak = float(np.abs(samples).max(initial=0.0))
    hiss = np.random.default_rng(0).normal(0.0, _HISS, len(samples))
    loud = samples * (_LEVEL * 32767 / max(peak, 1e-6)) + hiss
    decoder.start_utt()
    decoder.process_raw(np.clip(loud, -32768, 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()


def _decoder(**options: Any) -> Any:
    """A new one each time: the last recording would colour how the next is heard."""
    sounds = model_path("en-us/en-us")
    return pocketsphinx.Decoder(hmm=sounds, loglevel="FATAL", logfn=os.devnull, **options)
