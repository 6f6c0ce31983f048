"""Trains `assets/models/voice-reader` on a folder of Emo-DB: acted German, CC0 (Burkhardt et al. 2005).

`python -m training.embedded.voice_reader FOLDER [--out FOLDER] [--seed N]`. A file's name says who speaks,
which of ten sentences and how it is acted: `03a01Fa.wav` is speaker 03, sentence a01, F for Freude, take a.
Every utterance is heard whole and in windows, as it is and through made-up microphones and rooms' noise: the
studio's recordings are all alike, and a reader that knows only them takes a microphone for a mood.
"""

from __future__ import annotations

import argparse
import json
import re
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save as serialised

from pipelines.portrait import _voice_features as features
from pipelines.portrait._read_voice import FOLDER, STEP_S, TAXONOMY, WINDOW_S, VoiceModel, kernel
from studio.emotion import lexicon
from studio.errors import InputError
from training.embedded._voice_lines import spoken

NAME = re.compile(r"(\d\d)([ab]\d\d)([WLEAFTN])[a-z]?\.wav", re.IGNORECASE)
WIDTH, RIDGE, SHARPNESS = 0.3, 0.3, 2.0
BALANCE = 0.7  # 0: labels count as often as they are there, 1: all the same
WORN_COPIES = 2
OURS = "synthetic "  # how the names of the studio's own voices begin
OURS_WEIGHT, OURS_PLAIN_WEIGHT = 0.5, 2.0
LARGER = 0.13  # logarithm of the most that a throat is made larger or smaller
WINDOW_WEIGHT = 0.5
LEAST_WINDOW_S = 0.3  # of voice in a window that is learnt from
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """Samples in [-1, 1]; `label` as the lexicon's Emo-DB taxonomy has it."""

    speaker: str
    label: str
    samples: npt.NDArray[np.float32]
    rate_hz: int


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Rows of figures (n, F) and of what utterance (n,) each is; whole or a window, clean or worn."""

    figures: Array
    utterance: npt.NDArray[np.int64]
    whole: npt.NDArray[np.bool_]
    worn: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.str_]  # of each row
    speakers: npt.NDArray[np.str_]

    def only(self, chosen: npt.NDArray[np.bool_]) -> Examples:
        return Examples(*(getattr(self, name)[chosen] for name in self.__slots__))


def read_folder(root: Path) -> list[Utterance]:
    """Every file that is named as Emo-DB names them. Raises InputError when there is none."""
    letters = {
        alias: label.word
        for label in lexicon().labels(TAXONOMY)
        for alias in label.aliases
        if len(alias) == 1
    }
    found = []
    for path in sorted(root.glob("*.wav")):
        if parts := NAME.fullmatch(path.name):
            samples, rate_hz = _wave(path)
            found.append(Utterance(parts[1], letters[parts[3].upper()], samples, rate_hz))
    if not found:
        raise InputError("root", root, f"{str(root)!r} has no files named as in Emo-DB", "03a01Fa.wav")
    return found


def our_voices() -> list[Utterance]:
    """Lines of the studio's own voices (`_voice_lines`): examples to learn from, never to be measured on."""
    return [
        Utterance(f"{OURS}{voice}", label, speech.samples, speech.rate_hz)
        for voice, label, speech in spoken()
    ]


def examples(utterances: list[Utterance], seed: int) -> Examples:
    """Whole and windows, clean once and worn WORN_COPIES times."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[Array, int, bool, bool, str, str]] = []
    for number, each in enumerate(utterances):
        for copy in range(1 + WORN_COPIES):
            samples = worn(each.samples, each.rate_hz, rng) if copy else each.samples
            frames = features.analyse(samples, each.rate_hz)
            for cut, whole in _cuts(frames):
                said = features.figures(cut)
                rows.append((said, number, whole, copy > 0, each.label, each.speaker))
    return Examples(*(np.array(column) for column in zip(*rows, strict=True)))


def worn(samples: npt.NDArray[np.float32], rate_hz: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Said by somebody a little larger or smaller (up to 14%, pitch and pace with it), through a microphone

    (tilt of up to 4 dB an octave, no lows), and with noise of 12 to 40 dB less."""
    pace = np.exp(rng.uniform(-LARGER, LARGER))
    samples = np.interp(np.arange(0, len(samples) - 1, pace), np.arange(len(samples)), samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    tilt_db = rng.uniform(-4, 4) * np.log2(np.clip(hertz, 100, 8000) / 1000)
    lows_db = 12 * np.clip(np.log2(rng.uniform(50, 200) / np.maximum(hertz, 1)), 0, 3)
    gain = 10 ** ((np.clip(tilt_db, -12, 12) - lows_db) / 20)
    heard = np.fft.irfft(np.fft.rfft(samples) * gain, len(samples))
    colour = np.maximum(hertz, 100) ** -rng.uniform(0, 1)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(len(samples))) * colour, len(samples))
    noise *= heard.std() / noise.std() * 10 ** (-rng.uniform(12, 40) / 20)
    return np.asarray(heard + noise, np.float32)


def fit(rows: Examples) -> VoiceModel:
    """Kernel ridge regression on the labels, against "everything is neutral" far from all examples."""
    plain = rows.figures[rows.whole & ~rows.worn & ~np.char.startswith(rows.speakers, OURS)]
    labels = tuple(label.word for label in lexicon().labels(TAXONOMY))
    middle, deviation = np.median(plain, axis=0), plain.std(axis=0) + 1e-6
    empty = np.zeros((0, len(labels)))
    blank = VoiceModel(empty, empty, middle, deviation, labels, WIDTH, SHARPNESS)
    told = (rows.labels[:, None] == np.array(labels)).astype(np.float64)
    weight = np.where(rows.whole, 1.0, WINDOW_WEIGHT) / np.sqrt(1 + WORN_COPIES)
    often = (told * weight[:, None]).sum(0)
    weight = weight * (told @ (often.sum() / len(labels) / np.maximum(often, 1e-9)) ** BALANCE)
    weight = weight * _trust(rows)
    where = blank.standard(rows.figures).astype(np.float16).astype(np.float64)  # as it will be stored
    far = np.array(labels) == "neutral"
    matrix = kernel(where, where, WIDTH)
    matrix[np.diag_indices_from(matrix)] += RIDGE / weight
    said = np.linalg.solve(matrix, told - far)
    return VoiceModel(where, said, middle, deviation, labels, WIDTH, SHARPNESS)


def _trust(rows: Examples) -> Array:
    """(n,): the studio's own voices count less than people, but what is plain there must be read as plain."""
    ours = np.where(rows.labels == "neutral", OURS_PLAIN_WEIGHT, OURS_WEIGHT)
    return np.where(np.char.startswith(rows.speakers, OURS), ours, 1.0)


def cross_validated(rows: Examples) -> dict[str, float]:
    """Every speaker read by a reader that never heard that speaker; `window_` of 1.5 s, `worn_` whole."""
    labels = tuple(label.word for label in lexicon().labels(TAXONOMY))
    shares = np.zeros((len(rows.labels), len(labels)))
    people = ~np.char.startswith(rows.speakers, OURS)
    for speaker in np.unique(rows.speakers[people]):
        out = rows.speakers == speaker
        shares[out] = fit(rows.only(~out)).read(rows.figures[out])[0]
    kinds = {
        "": (rows.whole, ~rows.worn),
        "window_": (~rows.whole, ~rows.worn),
        "worn_": (rows.whole, rows.worn),
    }
    found: dict[str, float] = {}
    for prefix, (one, other) in kinds.items():
        chosen = one & other & people
        found |= {f"{prefix}{k}": v for k, v in _scores(rows.labels[chosen], shares[chosen], labels).items()}
    return found


def save(model: VoiceModel, folder: Path, seed: int, quality: dict[str, float]) -> None:
    """`model.safetensors` and `config.json`; nothing of a recording can be heard from the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "examples": model.examples.astype(np.float16),
        "weights": model.weights.astype(np.float32),
        "middle": model.middle.astype(np.float32),
        "deviation": model.deviation.astype(np.float32),
    }
    (folder / "model.safetensors").write_bytes(serialised(tensors))
    config = {
        "labels": model.labels,
        "width": model.width,
        "sharpness": model.sharpness,
        "seed": seed,
        "quality": {name: round(value, 3) for name, value in quality.items()},
        "features": features.names(),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def _scores(labels: npt.NDArray[np.str_], shares: Array, words: tuple[str, ...]) -> dict[str, float]:
    by_word = {label.word: label.vad.as_tuple() for label in lexicon().labels(TAXONOMY)}
    points = np.array([by_word[word] for word in words])
    true, read = np.array([by_word[word] for word in labels]), shares @ points
    right = np.array(words)[shares.argmax(1)] == labels
    found = {
        "accuracy": float(right.mean()),
        "recall_mean": float(np.mean([right[labels == word].mean() for word in np.unique(labels)])),
    }
    for axis, (one, other) in enumerate(zip(true.T, read.T, strict=True)):
        name = ("valence", "arousal", "dominance")[axis]
        found |= {f"{name}_r": float(np.corrcoef(one, other)[0, 1]), f"{name}_ccc": concordance(one, other)}
    return found


def concordance(one: Array, other: Array) -> float:
    """Lin's concordance correlation: 1 only where both agree in level and scale as well."""
    together = ((one - one.mean()) * (other - other.mean())).mean()
    return float(2 * together / (one.var() + other.var() + (one.mean() - other.mean()) ** 2))


def _cuts(frames: features.Frames) -> Iterator[tuple[features.Frames, bool]]:
    yield frames, True
    size, step = round(WINDOW_S / features.HOP_S), round(1.5 * STEP_S / features.HOP_S)
    for start in range(0, len(frames) - size + 1, step):
        cut = frames.part(start, start + size)
        if features.voiced_s(cut) >= LEAST_WINDOW_S:
            yield cut, False


def _wave(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    try:
        with wave.open(str(path)) as file:
            if (file.getsampwidth(), file.getnchannels()) != (2, 1):
                raise InputError(
                    "file", path, f"{str(path)!r} must be mono with 16 bits a sample, as in Emo-DB"
                )
            data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return data.astype(np.float32) / 32768, file.getframerate()
    except (OSError, EOFError, wave.Error) as error:
        raise InputError("file", path, f"{str(path)!r} cannot be read as WAV: {error}") from error


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = examples([*read_folder(options.root), *our_voices()], options.seed)
    quality = cross_validated(rows)
    save(fit(rows), options.out, options.seed, quality)
    print("\n".join(f"{name:<20} {value:.3f}" for name, value in quality.items()))


if __name__ == "__main__":
    main()
