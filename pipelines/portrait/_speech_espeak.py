"""espeak-ng: voices, sound with a phoneme time line, and phonemes of words. Knows no emotion and no face.

The library and its data come from the package espeakng-loader; each request runs in a process of its own (see
_speech_child), so calls may come from any thread and the same request gives the same bytes.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.errors import InputError, ModelError, NotFoundError
from studio.lazy import lazy

espeakng_loader = lazy("espeakng_loader")

TIMEOUT_S = 120
_CHILD = Path(__file__).with_name("_speech_child.py")
WORD, PHONEME = 1, 7  # kinds of events


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice that can be asked for by `name`; `language` as BCP 47 writes it, `title` for people."""

    name: str
    language: str
    title: str
    file: str
    also: tuple[str, ...] = ()  # other languages it stands for, the best first


@dataclass(frozen=True, slots=True)
class Event:
    """`place` in the text in characters from 0; `symbol` of a phoneme in the IPA, "" for a pause."""

    kind: int
    place: int
    length: int
    sample: int
    symbol: str


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """`samples` (n,) int16 at `rate_hz`, and what happens when."""

    samples: npt.NDArray[np.int16]
    rate_hz: int
    events: tuple[Event, ...]


def synthesise(markup: str, file: str) -> Spoken:
    """Speaks SSML with the voice `file`. Raises ModelError when espeak-ng cannot."""
    head, sound = _ask({"task": "speak", "voice": file, "text": markup})
    events = tuple(
        Event(kind, max(0, place - 1), length, sample, symbol)
        for kind, place, length, sample, symbol in head["events"]
        if kind in (WORD, PHONEME)
    )
    return Spoken(np.frombuffer(sound, "<i2").astype(np.int16), int(head["rate_hz"]), events)


def phonemes(texts: Sequence[str], file: str) -> list[list[str]]:
    """Symbols of the IPA, stress marks included, for each text as the voice would say it alone."""
    head, _ = _ask({"task": "phonemes", "voice": file, "texts": list(texts)})
    return [[one for one in said.replace(" ", "_").split("_") if one] for said in head["phonemes"]]


@functools.cache
def voices() -> tuple[VoiceInfo, ...]:
    """Every voice whose language has a dictionary, by name. Raises ModelError without espeak-ng."""
    data, used, found = _places()[1], set(), []
    for one in _ask({"task": "voices"})[0]["voices"]:
        codes = [code.lower() for _, code in sorted(one["languages"], key=lambda pair: pair[0])]
        if not any((data / f"{code.split('-')[0]}_dict").is_file() for code in codes):
            continue
        first = one["languages"][0][1].lower()
        name = first if first not in used else one["file"].rpartition("/")[2].lower()
        used.add(name)
        others = tuple(code for code in codes if code != first)
        found.append(VoiceInfo(name, first, one["title"].strip(), one["file"], others))
    return tuple(sorted(found, key=lambda voice: voice.name))


@functools.cache
def variants() -> tuple[str, ...]:
    """Other larynxes for any voice: written after it, as in `de+f2`."""
    names = {file.name for file in (_places()[1] / "voices" / "!v").iterdir() if file.is_file()}
    return tuple(sorted(name for name in names if " " not in name))


def find_voice(name: str) -> VoiceInfo:
    """The voice of a name, a language or a title, with `+variant` after it if wanted.

    `file` of the answer is what `synthesise` takes. Raises InputError for no text, NotFoundError for an
    unknown voice or variant, with the nearest.
    """
    if not isinstance(name, str) or not name.strip():
        raise InputError("voice", name, "must be a voice or a language", "en-gb")
    base, plus, variant = name.strip().partition("+")
    wanted = base.strip().lower().replace("_", "-")
    voice = _matching(wanted)
    if voice is None:
        raise NotFoundError("voice", name, _choices(wanted))
    if not plus:
        return voice
    if variant not in variants():
        raise NotFoundError("voice variant", variant, variants())
    return VoiceInfo(
        f"{voice.name}+{variant}", voice.language, f"{voice.title}, {variant}", f"{voice.file}+{variant}"
    )


def _matching(wanted: str) -> VoiceInfo | None:
    """By name, then by title, then by another language of a voice, then for the language before a dash."""
    for voice in voices():
        if wanted in (voice.name, voice.title.lower()):
            return voice
    ranked = sorted(
        (voice.also.index(wanted), len(voice.file), voice.name, voice)
        for voice in voices()
        if wanted in voice.also
    )
    if ranked:
        return ranked[0][-1]
    head = wanted.rpartition("-")[0]
    return _matching(head) if head else None


def _choices(wanted: str) -> list[str]:
    """Names for a short text, titles too for a long one: "germn" is no code."""
    names = [voice.name for voice in voices()]
    return names if len(wanted) < 4 else [*names, *(voice.title for voice in voices())]


@functools.cache
def _places() -> tuple[Path, Path]:
    """Library and data. Raises ModelError where the package is missing."""
    try:
        return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    except ImportError as error:
        raise ModelError("espeak-ng: not installed; `pip install espeakng-loader` brings it") from error


def _ask(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    library, data = _places()
    body = json.dumps({"library": str(library), "data": str(data), **request}).encode()
    command = [sys.executable, "-I", "-S", str(_CHILD)]
    try:
        # A session of its own: Ctrl-C is ours to handle, and `run` ends the child on the way out.
        done = subprocess.run(
            command, input=body, capture_output=True, timeout=TIMEOUT_S, check=False, start_new_session=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"espeak-ng: cannot be run ({error})") from error
    line, _, sound = done.stdout.partition(b"\n")
    if done.returncode or not line:
        voice = request.get("voice", "no voice")
        raise ModelError(f"espeak-ng: crashed on this text with {voice!r} (code {done.returncode})")
    head = json.loads(line)
    if "error" in head:
        raise ModelError(f"espeak-ng: {head['error']}")
    return head, sound
