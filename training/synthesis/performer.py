"""Material for the motion model: lines said by many voices with many feelings, and performed by the rules.

`takes(count, seed, part)` yields speech, one feeling a frame, and the motion. Take number i depends on seed,
part and i alone, so any process can make any of them. Texts, larynxes and two languages of the part
"held_out" never occur in "train"; which ones, a checksum of their names decides.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pipelines.portrait._performer import perform
from pipelines.portrait._speech import speak
from studio.emotion import NEUTRAL, VAD, EmotionCurve, Key, lexicon
from studio.emotion.vad import Emotion
from studio.errors import InputError, ModelError, nearest
from studio.motion import RATE_HZ, Motion
from studio.muscles import prototypes
from studio.speech import Speech

PARTS = ("train", "held_out")
LINES = Path(__file__).with_name("spoken_lines.json")
VOICES = {  # of espeak-ng; the first of a language is said most
    "en": ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-029"),
    **{"fr": ("fr-fr", "fr-be"), "es": ("es", "es-419"), "pt": ("pt-br", "pt")},
}
LARYNXES = (
    *("", "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"),
    *("klatt", "klatt2", "klatt3", "Andy", "Annie", "belinda", "steph", "linda", "david", "grandpa"),
)
UNSEEN_LANGUAGES = ("fi", "tr")
_HELD_OUT_SHARE = 7  # one name in so many
_LANGUAGE_SHARE = 0.4  # of English, which the aligner knows best; the rest go equally to all languages
_SILENCE_S = (0.4, 2.5)


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One performance: `moods` one a frame of `motion`, `voice` as `speak` took it, `curve` as text."""

    speech: Speech
    moods: tuple[VAD, ...]
    motion: Motion
    voice: str
    curve: str
    seed: int


def takes(count: int, seed: int = 0, part: str = "train", variations: int = 1) -> Iterator[Take]:
    """`count` spoken lines, each performed `variations` times with seeds of its own.

    Raises InputError for another part than those of PARTS.
    """
    for index in range(count):
        yield from take(index, seed, part, variations)


def take(index: int, seed: int = 0, part: str = "train", variations: int = 1) -> list[Take]:
    """Line number `index`: the same for the same arguments, whoever asks first."""
    if part not in PARTS:
        why = f"{part!r} is not one of {', '.join(PARTS)}"
        raise InputError("part", part, why, nearest(part, PARTS))
    rng = np.random.default_rng((seed, PARTS.index(part), index))
    language = _language(rng, part)
    text, voice, curve = _text(rng, language, part), _voice(rng, language, part), _curve(rng)
    speech = _amid_silence(_said(text, curve, voice), rng)
    return performed(speech, curve, [int(one) for one in rng.integers(0, 2**31, variations)], voice)


def _said(text: str, curve: EmotionCurve, voice: str) -> Speech:
    """A few texts crash espeak-ng with a larynx of another kind: the voice's own says them."""
    try:
        return speak(text, curve, voice)
    except ModelError:
        return speak(text, curve, voice.partition("+")[0])


def performed(speech: Speech, curve: EmotionCurve, seeds: Sequence[int], voice: str = "") -> list[Take]:
    """Takes of any speech, a recording too (without phones the lips follow its sound), one for each seed."""
    moods = moods_of(speech, curve)
    return [Take(speech, moods, perform(speech, moods, seed), voice, curve.text, seed) for seed in seeds]


def moods_of(speech: Speech, curve: EmotionCurve, rate_hz: float = RATE_HZ) -> tuple[VAD, ...]:
    """The feeling at each frame of a motion for `speech`."""
    length = speech.length_s
    return tuple(
        curve.at(min(1.0, frame / rate_hz / length), length) for frame in range(speech.frames(rate_hz))
    )


def lines(language: str, part: str) -> tuple[str, ...]:
    """Sentences of a part; all of an unseen language are held out."""
    if language in UNSEEN_LANGUAGES:
        return _pool()[language] if part == "held_out" else ()
    return tuple(line for line in _pool()[language] if _part(line) == part)


def languages(part: str) -> tuple[str, ...]:
    """Languages with sentences in a part."""
    return tuple(language for language in _pool() if lines(language, part))


def larynxes(part: str) -> tuple[str, ...]:
    """Variants of a voice for a part; "" (the voice as it is) is always in "train"."""
    return tuple(name for name in LARYNXES if (_part(name) if name else "train") == part)


@cache
def _pool() -> dict[str, tuple[str, ...]]:
    return {name: tuple(said) for name, said in json.loads(LINES.read_text("utf-8")).items()}


def _part(name: str) -> str:
    return PARTS[zlib.crc32(name.encode()) % _HELD_OUT_SHARE == 0]


def _language(rng: np.random.Generator, part: str) -> str:
    return "en" if rng.random() < _LANGUAGE_SHARE else str(rng.choice(languages(part)))


def _text(rng: np.random.Generator, language: str, part: str) -> str:
    """One to three sentences in any order; now and then only the beginning of one."""
    pool = lines(language, part)
    count = min(int(rng.choice((1, 2, 3), p=(0.45, 0.35, 0.2))), len(pool))
    chosen = [pool[place] for place in rng.permutation(len(pool))[:count]]
    words = chosen[-1].split()
    if len(words) > 4 and rng.random() < 0.25:
        chosen[-1] = " ".join(words[: int(rng.integers(2, len(words)))]).rstrip(",;")
    return " ".join(chosen)


def _voice(rng: np.random.Generator, language: str, part: str) -> str:
    names = VOICES.get(language, (language,))
    name = names[0] if rng.random() < 0.5 else str(rng.choice(names))
    larynx = str(rng.choice(larynxes(part)))
    return f"{name}+{larynx}" if larynx else name


def _curve(rng: np.random.Generator) -> EmotionCurve:
    """Held for half of the lines, else two to four feelings one after another."""
    count = 1 if rng.random() < 0.5 else int(rng.integers(2, 5))
    places = np.sort(rng.uniform(0.0, 1.0, count)) if count > 1 else np.zeros(1)
    places = np.round((places + np.arange(count) * 1e-2) / (1 + 1e-2 * count), 3)  # never two at one place
    return EmotionCurve(tuple(Key(float(at), Emotion(_feeling(rng))) for at in places))


def _feeling(rng: np.random.Generator) -> VAD:
    return VAD(*(round(value, 3) for value in _point(rng).as_tuple()))


def _point(rng: np.random.Generator) -> VAD:
    """A face's own label at any strength, any word's point, any point at all, or none."""
    kind = rng.random()
    if kind < 0.1:
        return NEUTRAL
    if kind < 0.6:
        point = list(prototypes().values())[int(rng.integers(len(prototypes())))].point
        return point.scaled(min(float(rng.uniform(0.25, 1.2)), point.reach))
    if kind < 0.8:
        point = lexicon().labels("terms")[int(rng.integers(len(lexicon().labels("terms"))))].vad
        return point.scaled(float(rng.uniform(0.4, 1.0)))
    toward = rng.normal(size=3)
    toward *= rng.uniform(0.1, 1.1) / np.linalg.norm(toward)
    return VAD.clamped(*(float(value) for value in toward))


def _amid_silence(speech: Speech, rng: np.random.Generator) -> Speech:
    """Now and then with seconds of silence around it, so that a model learns to hold its mouth."""
    before, after = (float(rng.uniform(*_SILENCE_S)) if rng.random() < 0.3 else 0.0 for _ in range(2))
    if not before and not after:
        return speech
    counts = [round(seconds * speech.rate_hz) for seconds in (before, after)]
    later = counts[0] / speech.rate_hz
    phones, words = (
        tuple(dataclasses.replace(one, start_s=one.start_s + later, end_s=one.end_s + later) for one in row)
        for row in (speech.phones, speech.words)
    )
    quiet = [np.zeros(count, np.float32) for count in counts]
    samples = np.concatenate([quiet[0], speech.samples, quiet[1]])
    return dataclasses.replace(speech, samples=samples, phones=phones, words=words)
