"""A process of its own for espeak-ng: one request as JSON on stdin, the answer on stdout, then it ends.

The library keeps state for ever that no call resets (the same text sounds different the second time), is not
safe with threads and may write to stdout. A new process for each request settles all three, and a crash in
the library is an error instead of the end of the studio. Runs as a script; imports the standard library only.
Answer: one line of JSON, then the sound as 16-bit little-endian samples.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any, BinaryIO

_SYNCHRONOUS, _EVENTS_AS_IPA, _DO_NOT_EXIT = 2, 3, 0x8000
_UTF8, _SSML = 1, 0x10
_RATE = 1  # of the numbered parameters
_IPA_PHONEMES = 2 | ord("_") << 8  # of text without sound: IPA, with _ between phonemes


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("type", "message", "place", "length", "time_ms", "sample")),
        ("user", ctypes.c_void_p),
        ("id", _Name),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        *((name, ctypes.c_ubyte) for name in ("gender", "age", "variant", "unused")),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def main() -> None:
    """Keeps the real stdout for the answer and gives the library another one."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    request = json.loads(sys.stdin.buffer.read())
    library = ctypes.CDLL(request["library"])
    options = _EVENTS_AS_IPA | _DO_NOT_EXIT
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(request["data"]), options)
    if rate_hz <= 0:
        _send(answer, {"error": "its data cannot be read"})
    elif request["task"] == "voices":
        _send(answer, {"voices": _voices(library)})
    elif library.espeak_SetVoiceByName(request["voice"].encode()):
        _send(answer, {"error": f"it has no voice {request['voice']!r}"})
    elif request["task"] == "phonemes":
        _send(answer, {"phonemes": [_phonemes(library, text) for text in request["texts"]]})
    else:
        _speak(library, request, rate_hz, answer)


def _send(answer: BinaryIO, head: dict[str, Any], sound: bytes = b"") -> None:
    answer.write(json.dumps(head).encode() + b"\n" + sound)
    answer.close()


def _speak(library: Any, request: dict[str, Any], rate_hz: int, answer: BinaryIO) -> None:
    sound, events = bytearray(), []

    def heard(samples: Any, count: int, event: Any) -> int:
        if samples and count > 0:
            sound.extend(ctypes.string_at(samples, 2 * count))
        index = 0
        while event[index].type:
            events.append(_event(event[index]))
            index += 1
        return 0

    callback = _Callback(heard)
    library.espeak_SetSynthCallback(callback)
    text = request["text"].encode()
    failed = library.espeak_Synth(
        text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, _UTF8 | _SSML, None, ctypes.c_void_p()
    )
    head = {"error": f"it gave up ({failed})"} if failed else {"rate_hz": rate_hz, "events": events}
    _send(answer, head, bytes(sound))


def _event(event: Any) -> list[Any]:
    """Kind, place in the text (characters from 1), length in characters, sample, symbol of a phoneme."""
    raw = ctypes.string_at(ctypes.addressof(event.id), 8).split(b"\0")[0]
    symbol = raw.decode("utf-8", "ignore") if event.type == 7 else ""
    return [event.type, event.place, event.length, event.sample, symbol]


def _phonemes(library: Any, text: str) -> str:
    """All clauses of the text, in the IPA with _ between phonemes and a space between words."""
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    rest = ctypes.c_char_p(text.encode())
    clauses = []
    while rest.value:
        said = library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA_PHONEMES)
        clauses.append((said or b"").decode("utf-8", "ignore"))
    return " ".join(clauses)


def _voices(library: Any) -> list[dict[str, Any]]:
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    listed, found, index = library.espeak_ListVoices(None), [], 0
    while listed[index]:
        voice = listed[index].contents
        found.append(
            {
                "title": voice.name.decode(),
                "file": voice.identifier.decode(),
                "languages": _languages(voice.languages),
            }
        )
        index += 1
    return found


def _languages(at: int) -> list[list[Any]]:
    """[priority, code] each: a byte and a text that ends in 0, until the byte is 0."""
    found = []
    while priority := ctypes.string_at(at, 1)[0]:
        code = ctypes.string_at(at + 1)
        found.append([priority, code.decode()])
        at += 2 + len(code)
    return found


if __name__ == "__main__":
    main()
