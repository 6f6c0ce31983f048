"""Speech with its time line: sound, words and phones. Knows no synthesiser, no recogniser and no face."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from studio.errors import InputError, nearest

# Shapes of the mouth that phones of any language are sorted into; SIL is rest.
VISEMES = (
    *("SIL", "PP", "FF", "TH", "DD", "LL", "SS", "SH", "RR", "KK", "HH", "JJ", "WW"),
    *("AA", "EE", "IH", "YI", "OO", "UU", "ER", "AX"),
)
VOWELS = ("AA", "EE", "IH", "YI", "OO", "UU", "ER", "AX")
CLOSED = "PP"  # p, b, m: the lips meet
DENTAL = "FF"  # f, v: the lower lip meets the teeth


@dataclass(frozen=True, slots=True)
class Phone:
    """One sound: `symbol` in the IPA, `viseme` of VISEMES, when, and whether its syllable is stressed."""

    symbol: str
    viseme: str
    start_s: float
    end_s: float
    stressed: bool = False

    def __post_init__(self) -> None:
        if self.viseme not in VISEMES:
            why = f"{self.viseme!r} is not one of {', '.join(VISEMES)}"
            raise InputError("viseme", self.viseme, why, nearest(self.viseme, VISEMES))
        _check_span(self.symbol, self.start_s, self.end_s)


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written, and when it is said."""

    text: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        _check_span(self.text, self.start_s, self.end_s)


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """`samples` (n,) mono float32 in [-1, 1] at `rate_hz`; phones and words in order, where they are known.

    `language`: as BCP 47 writes it ("en-gb"), "" where unknown.
    """

    samples: npt.NDArray[np.float32]
    rate_hz: int
    phones: tuple[Phone, ...] = ()
    words: tuple[Word, ...] = ()
    text: str = ""
    language: str = ""
    notes: tuple[str, ...] = field(default=())  # what a person should know: noise, no phones, ...

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or not len(self.samples):
            why = f"must be a row of samples, got the shape {self.samples.shape}"
            raise InputError("audio", self.samples.shape, why)

    @property
    def length_s(self) -> float:
        return len(self.samples) / self.rate_hz

    def frames(self, rate_hz: float) -> int:
        """How many frames of motion it lasts, at least one."""
        return max(1, round(self.length_s * rate_hz))


def _check_span(what: str, start_s: float, end_s: float) -> None:
    if not 0 <= start_s < end_s:
        raise InputError(
            "time", (start_s, end_s), f"{what!r} must end after it starts, got {start_s} to {end_s} s"
        )
