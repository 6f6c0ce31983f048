"""A line of speech as a picture over time: its waveform, its words and its phones.

Drawing is in speech_strip.js, .html and .css beside this file; its scale is that of the curve editor below
it. Knows values of studio.speech; knows no synthesiser.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from studio.speech import CLOSED, DENTAL, VISEMES, VOWELS, Phone, Speech
from studio.web.component import HTMLComponent

FOLDER = Path(__file__).parent
BARS = 320  # of the waveform
MOST = 4000  # phones that are sent: beyond, nothing of them can be seen
SILENT = VISEMES[0]
KINDS = {SILENT: "silent", CLOSED: "closed", DENTAL: "dental", **dict.fromkeys(VOWELS, "vowel")}


class SpeechStrip(HTMLComponent):
    """Value: what `wire_of` makes of a `Speech`, or None. It only shows."""

    def __init__(self, value: dict[str, Any] | None = None, **how: Any) -> None:
        super().__init__(
            value,
            html_template=(FOLDER / "speech_strip.html").read_text("utf-8"),
            css_template=(FOLDER / "speech_strip.css").read_text("utf-8"),
            js_on_load=(FOLDER / "speech_strip.js").read_text("utf-8"),
            apply_default_css=False,
            **how,
        )

    def preprocess(self, payload: Any) -> None:
        """Nothing comes back from a browser."""

    def postprocess(self, value: Any) -> Any:
        return value


def wire_of(speech: Speech) -> dict[str, Any]:
    """{"length_s", "bars": loudest sample 0..100 of each slice, "words": [text, start_s, end_s],

    "phones": [symbol, kind, start_s, end_s]}; `kind` says what the mouth does: silent, closed, dental, vowel,
    other.
    """
    phones = [
        [_symbol(phone), KINDS.get(phone.viseme, "other"), round(phone.start_s, 3), round(phone.end_s, 3)]
        for phone in speech.phones[:MOST]
    ]
    words = [[word.text, round(word.start_s, 3), round(word.end_s, 3)] for word in speech.words[:MOST]]
    return {"length_s": round(speech.length_s, 3), "bars": _bars(speech), "words": words, "phones": phones}


def _symbol(phone: Phone) -> str:
    return "" if phone.viseme == SILENT else phone.symbol


def _bars(speech: Speech) -> list[int]:
    slices = np.array_split(np.abs(speech.samples), min(BARS, len(speech.samples)))
    peaks = np.array([part.max() for part in slices])
    return [round(100 * float(peak)) for peak in peaks / max(float(peaks.max()), 1e-9)]
