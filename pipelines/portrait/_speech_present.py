"""Whether a sound holds speech: voiced stretches whose colour changes, as no hiss and no held tone has.

A rule, not a recogniser: it lets singing and busy music through, and a whisper by its rhythm.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

RATE_HZ = 16_000
_FRAME, _HOP = 640, 160  # samples: 40 ms, every 10 ms
_PITCHES_HZ = (70, 450)
_BANDS_HZ = (80, 500, 1000, 2000, 4000, 7600)
_ACTIVE_DB = 35.0  # below the loudest frame: what is softer says nothing
_VOICED = 0.55  # correlation of a frame with itself a pitch period later; noise stays below .35
_LEAST_VOICED_S = 0.12
_CHANGE_DB = 2.0  # how far the bands move against each other; hiss and a held chord stay below 1.1
_TONE_SHARE, _TONE_DB = 0.95, -35.0  # voiced nearly throughout with nothing above 2 kHz: a tune of pure tones
_WHISPER_DB, _WHISPER_CHANGE_DB = 18.0, 4.0  # how far a whisper's level moves, and its bands
_BLOCK = 512


def has_speech(samples: Floats) -> bool:
    """`samples` (n,) at 16 kHz, at any level."""
    if len(samples) < 2 * _FRAME:
        return False
    levels, voicing, colours = _measured(samples)
    active = levels > levels.max() - _ACTIVE_DB
    voiced = active & (voicing >= _VOICED)
    if voiced.sum() * _HOP / RATE_HZ >= _LEAST_VOICED_S:
        pure = voiced.sum() > _TONE_SHARE * active.sum() and _brightness_db(colours[voiced]) < _TONE_DB
        return _change_db(colours[voiced]) >= _CHANGE_DB and not pure
    low, high = np.percentile(levels, (10, 90))
    return bool(high - low >= _WHISPER_DB and _change_db(colours[active]) >= _WHISPER_CHANGE_DB)


def _change_db(colours: Floats) -> float:
    """Mean standard deviation of the bands, each against the frame's mean."""
    return float((colours - colours.mean(1, keepdims=True)).std(0).mean())


def _brightness_db(colours: Floats) -> float:
    """How strong the bands above 2 kHz get, against the strongest band."""
    return float(np.percentile(colours[:, 3:].max(1) - colours.max(1), 90))


def _measured(samples: Floats) -> tuple[Floats, Floats, Floats]:
    """Per frame: level in dB, voicing 0..1, level of each band in dB (frames, 5)."""
    count = 1 + (len(samples) - _FRAME) // _HOP
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP][:count]
    parts = [_block(frames[start : start + _BLOCK]) for start in range(0, count, _BLOCK)]
    levels, voicing, colours = (np.concatenate(part) for part in zip(*parts, strict=True))
    return levels, voicing, np.maximum(colours, colours.max() - 60.0)


def _block(frames: Floats) -> tuple[Floats, Floats, Floats]:
    frames = frames - frames.mean(1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), 2 * _FRAME)) ** 2
    frequencies = np.fft.rfftfreq(2 * _FRAME, 1 / RATE_HZ)
    bands = [
        spectrum[:, (frequencies >= low) & (frequencies < high)].sum(1)
        for low, high in itertools.pairwise(_BANDS_HZ)
    ]
    # Above 1.5 kHz breath hides the pitch.
    correlation = np.fft.irfft(np.where(frequencies < 1500, spectrum, 0.0))
    first, last = RATE_HZ // _PITCHES_HZ[1], RATE_HZ // _PITCHES_HZ[0]
    lags = np.arange(first, last + 1)
    # The window's own correlation falls with the lag and would hide low voices.
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(_FRAME), 2 * _FRAME)) ** 2)
    raised = correlation[:, lags] / np.maximum(window[lags] / window[0], 0.2)
    voicing = raised.max(1) / np.maximum(correlation[:, 0], 1e-12)
    levels = 10 * np.log10(np.maximum(spectrum.sum(1), 1e-12))
    colours = 10 * np.log10(np.maximum(np.stack(bands, axis=1), 1e-12))
    return levels.astype(np.float32), voicing.astype(np.float32), colours.astype(np.float32)
