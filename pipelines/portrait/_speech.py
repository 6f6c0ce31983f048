"""Speech for a face: text said with a feeling, or a recording listened to; both give a `Speech`.

    speak(text, curve, voice)             any of espeak-ng's languages, exact phones and words
    listen(path, transcript, language)    a recording; its words and phones where they can be known
    speak_with(voice, text, curve)        another synthesiser, as a `Voice`
    voices()                              who can speak

Knows no face.
"""

from __future__ import annotations

from pipelines.portrait._speech_espeak import VoiceInfo, find_voice, variants, voices
from pipelines.portrait._speech_listening import listen
from pipelines.portrait._speech_port import Voice, speak_with
from pipelines.portrait._speech_saying import LONGEST_TEXT, check_keys, check_text, speak

__all__ = [
    "LONGEST_TEXT",
    "Voice",
    "VoiceInfo",
    "check_keys",
    "check_text",
    "find_voice",
    "listen",
    "speak",
    "speak_with",
    "variants",
    "voices",
]
