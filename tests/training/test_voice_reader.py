"""The readers of words and voices learn: on tiny made-up data, not on the real sets."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from pipelines.portrait import _read_voice, _read_words
from studio.errors import InputError, ModelError
from training.embedded import _word_lines, voice_reader, word_reader

RATE_HZ = 8000
# Letter -> pitch in Hz, syllables a second
ACTED = {"W": (320, 6), "T": (110, 2), "N": (180, 4)}


def _write(path: Path, pitch_hz: float, syllables_hz: float) -> None:
    time_s = np.arange(round(1.6 * RATE_HZ)) / RATE_HZ
    tone = sum(np.sin(2 * np.pi * n * pitch_hz * time_s) / n for n in range(1, 8))
    sound = tone * np.sin(np.pi * syllables_hz * time_s) ** 2
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((sound / np.abs(sound).max() * 30000).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def emodb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("emodb")
    for speaker, size in (("03", 1.0), ("08", 1.1), ("11", 0.9)):
        for letter, (pitch_hz, syllables_hz) in ACTED.items():
            for take, more in (("a", 1.0), ("b", 1.05)):
                _write(root / f"{speaker}a01{letter}{take}.wav", pitch_hz * size * more, syllables_hz)
    (root / "notes.wav").write_bytes(b"no recording")
    return root


@pytest.fixture(scope="module")
def rows(emodb: Path) -> voice_reader.Examples:
    return voice_reader.examples(voice_reader.read_folder(emodb), 0)


def test_the_names_of_files_say_who_and_how(emodb: Path) -> None:
    found = voice_reader.read_folder(emodb)
    assert len(found) == 18
    assert {each.speaker for each in found} == {"03", "08", "11"}
    assert {each.label for each in found} == {"anger", "sadness", "neutral"}
    with pytest.raises(InputError, match="no files named as in Emo-DB"):
        voice_reader.read_folder(emodb / "nowhere")


def test_an_unheard_speaker_is_read(rows: voice_reader.Examples) -> None:
    found = voice_reader.cross_validated(rows)
    assert found["accuracy"] > 0.8 and found["arousal_r"] > 0.7
    mixed = np.random.default_rng(0).permutation(rows.labels)
    wrong = voice_reader.Examples(rows.figures, rows.utterance, rows.whole, rows.worn, mixed, rows.speakers)
    assert voice_reader.cross_validated(wrong)["arousal_r"] < 0.4, "labels at random teach nothing"


def test_a_saved_voice_reader_reads_the_same(rows: voice_reader.Examples, tmp_path: Path) -> None:
    model = voice_reader.fit(rows)
    voice_reader.save(model, tmp_path, 0, {"accuracy": 1.0})
    again = _read_voice.model(tmp_path)
    np.testing.assert_allclose(again.read(rows.figures)[0], model.read(rows.figures)[0], atol=1e-3)
    with pytest.raises(ModelError, match="cannot be read"):
        _read_voice.model(tmp_path / "nowhere")


def test_far_from_everything_is_neutral(rows: voice_reader.Examples) -> None:
    model = voice_reader.fit(rows)
    far = model.middle + 100 * model.deviation * np.resize([1, -1], len(model.middle))
    shares, familiar = model.read(far[None])
    assert model.labels[int(shares[0].argmax())] == "neutral" and familiar[0] == 0


def test_wear_changes_the_sound_and_no_more(emodb: Path) -> None:
    one = voice_reader.read_folder(emodb)[0]
    first, again = (voice_reader.worn(one.samples, RATE_HZ, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert 0.85 < len(first) / len(one.samples) < 1.16 and np.isfinite(first).all()


def test_concordance_wants_the_same_scale() -> None:
    line = np.linspace(-1, 1, 50)
    assert voice_reader.concordance(line, line) == pytest.approx(1)
    assert voice_reader.concordance(line, line / 4) < 0.5


def test_a_word_reader_learns_and_is_saved(tmp_path: Path) -> None:
    words = word_reader.labels()
    lines = [
        ("what a joy", "joy"),
        ("so much joy here", "joy"),
        ("pure rage", "anger"),
        ("rage again", "anger"),
    ]
    path = tmp_path / "train.tsv"
    path.write_text("".join(f"{text}\t{words.index(label)}\tx\n" for text, label in lines * 20), "utf-8")
    comments = word_reader.read_file(path)
    model = word_reader.fit(comments, seed=0, epochs=150, keep=200)
    figures = word_reader.quality(model, comments)
    assert figures["label_accuracy"] == 1 and figures["valence_mae"] < figures["valence_mae_mean"] / 2
    word_reader.save(model, tmp_path / "out", 0, figures)
    again = _read_words.model(tmp_path / "out")
    np.testing.assert_allclose(again.shares("such joy"), model.shares("such joy"), atol=1e-5)


def test_bad_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("fine\t3\tx\nbroken\t99\tx\n", "utf-8")
    with pytest.raises(InputError, match=r"line 2 of train\.tsv must be text, label numbers below 28"):
        word_reader.read_file(path)


def test_our_lines_tell_all_of_their_share() -> None:
    texts, told = _word_lines.lines()
    assert len(texts) == len(told) > 2000
    np.testing.assert_allclose(told.sum(1), 1, atol=1e-5)
    labels = word_reader.labels()
    assert labels[int(told[texts.index("I am nervous.")].argmax())] == "nervousness"
