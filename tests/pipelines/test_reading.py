"""The emotion that is read from words and from voices, by the shipped readers."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.portrait import _reading as reading
from pipelines.portrait import _voice_features as voice_features
from pipelines.portrait import _word_features as word_features
from pipelines.portrait._read_voice import VoiceReading, read_voice
from pipelines.portrait._read_words import WordReading, read_words
from studio import catalog
from studio.emotion import NEUTRAL, VAD, EmotionCurve, parse_curve
from studio.errors import EmotionError, InputError
from studio.speech import Speech, Word

RATE_HZ = 16000
MIB = 2**20


def voice(
    pitch_hz: float, syllables_hz: float, tilt: float, length_s: float, rate_hz: int = RATE_HZ
) -> np.ndarray:
    """Harmonics that fall by 1 / n ** tilt, with a wandering pitch, in syllables, and a little breath."""
    rng = np.random.default_rng(0)
    time_s = np.arange(round(length_s * rate_hz)) / rate_hz
    pitch = pitch_hz * 2 ** (0.25 * np.sin(2 * np.pi * 0.7 * time_s))
    phase = 2 * np.pi * np.cumsum(pitch) / rate_hz
    count = int(4500 / pitch_hz)
    tone = sum(np.sin(n * phase) / n**tilt for n in range(1, count))
    shape = np.clip(np.sin(np.pi * syllables_hz * time_s) ** 2, 0.05, 1)
    sound = tone / np.abs(tone).max() * shape * 0.5 + rng.standard_normal(len(time_s)) * 0.001
    return sound.astype(np.float32)


FAST = voice(300, 6, 0.7, 3.0)
SLOW = voice(95, 2.5, 2.0, 3.0)


def said(text: str, samples: np.ndarray = FAST, rate_hz: int = RATE_HZ) -> Speech:
    return Speech(samples, rate_hz, text=text)


def test_a_fast_high_voice_is_more_aroused_than_a_slow_low_one() -> None:
    fast, slow = read_voice(FAST, RATE_HZ), read_voice(SLOW, RATE_HZ)
    assert fast.vad.arousal > slow.vad.arousal + 0.3
    assert all(abs(sum(share for _, share in one.shares) - 1) < 1e-6 for one in (fast, slow))
    assert [moment.at_s for moment in fast.moments] == pytest.approx([0.75, 1.25, 1.75, 2.25])


def test_level_and_rate_of_a_recording_hardly_count() -> None:
    plain = read_voice(FAST, RATE_HZ).vad
    assert read_voice(FAST * 0.05, RATE_HZ).vad.distance(plain) < 0.1
    assert read_voice(voice(300, 6, 0.7, 3.0, 44100), 44100).vad.distance(plain) < 0.3


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(RATE_HZ, np.float32),
        np.zeros(0, np.float32),
        np.zeros(1, np.float32),
        voice(200, 4, 1, 0.05),
        np.random.default_rng(0).standard_normal(2 * RATE_HZ).astype(np.float32) * 0.1,
    ],
    ids=["silence", "nothing", "one sample", "too short", "noise"],
)
def test_no_voice_is_neutral_and_says_so(samples: np.ndarray) -> None:
    found = read_voice(samples, RATE_HZ)
    assert (found.vad, found.confidence, found.moments) == (NEUTRAL, 0.0, ())
    assert found.note == "no voice was heard"


def test_a_pause_is_not_read_and_a_long_voice_follows_its_windows() -> None:
    halves = np.concatenate([FAST, np.zeros(3 * RATE_HZ, np.float32), SLOW])
    found = read_voice(halves, RATE_HZ)
    times = [moment.at_s for moment in found.moments]
    assert not [at_s for at_s in times if 3.7 < at_s < 5.2]
    early = np.mean([each.vad.arousal for each in found.moments if each.at_s < 3])
    late = np.mean([each.vad.arousal for each in found.moments if each.at_s > 6])
    assert early > late + 0.2


def test_what_a_voice_cannot_be_read_from_is_refused() -> None:
    with pytest.raises(InputError, match="8000 samples a second on, got 4000"):
        read_voice(FAST, 4000)
    with pytest.raises(InputError, match="finite"):
        read_voice(np.array([0.0, np.nan], np.float32), RATE_HZ)


def test_the_pitch_of_a_voice_is_found() -> None:
    rng = np.random.default_rng(1)
    for pitch_hz in (90.0, 180.0, 360.0):
        frames = voice_features.analyse(
            sum(
                np.sin(2 * np.pi * n * pitch_hz * np.arange(RATE_HZ) / RATE_HZ) / n for n in range(1, 9)
            ).astype(np.float32)
            + rng.standard_normal(RATE_HZ).astype(np.float32) * 0.01,
            RATE_HZ,
        )
        assert frames.voiced.mean() > 0.95
        assert np.median(frames.pitch) == pytest.approx(12 * np.log2(pitch_hz / 100), abs=0.1)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I am so happy to see you!", "joy"),
        ("I am afraid of the dark.", "fear"),
        ("This is disgusting, I feel sick.", "disgust"),
        ("I hate you. I hate you so much.", "anger"),
        ("Thank you so much, you saved my life.", "gratitude"),
        ("I love you.", "love"),
        ("I'm sorry, it was my fault.", "remorse"),
        ("I am so sad, I have been crying all day.", "sadness"),
        ("😭😭", "sadness"),
    ],
)
def test_clear_feelings_are_read(text: str, label: str) -> None:
    found = read_words(text)
    assert (found.shares[0][0], found.confidence >= 0.5) == (label, True)


@pytest.mark.parametrize(
    ("plain", "denied"),
    [
        ("I am happy about this.", "I am not happy about this."),
        ("I love you any more.", "I don't love you any more."),
        ("I am proud of you.", "I am not proud of you."),
    ],
)
def test_negation_turns_the_words(plain: str, denied: str) -> None:
    assert read_words(plain).vad.valence > 0.4
    assert read_words(denied).vad.valence < 0.1
    assert (
        read_words("I'm not afraid of you.").vad.valence > read_words("I'm afraid of you.").vad.valence + 0.5
    )


@pytest.mark.parametrize(
    "text",
    [
        "Ich bin so glücklich, dich zu sehen!",
        "Je suis très triste ce soir.",
        "Я очень рад",
        "我很高兴",
        "qwoei zx",
    ],
)
def test_other_languages_are_neutral_with_a_note(text: str) -> None:
    found = read_words(text)
    assert (found.vad, found.confidence) == (NEUTRAL, 0.0)
    assert "English only" in found.note


@pytest.mark.parametrize("text", ["", "  \n ", "...", "?!", "42"])
def test_no_words_are_neutral_with_a_note(text: str) -> None:
    found = read_words(text)
    assert (found.vad, found.confidence, found.note) == (NEUTRAL, 0.0, "there are no words to read")


def test_sentences_are_read_each_and_cover_the_text() -> None:
    text = "I was afraid. But now I am so happy!! 😀 And you?"
    found = read_words(text)
    assert "".join(text[each.start : each.stop] for each in found.sentences) == text
    assert found.sentences[0].vad.valence < -0.4 < 0.4 < found.sentences[1].vad.valence
    assert sum(each.words for each in found.sentences) == len(word_features.words(text))


def test_capitals_punctuation_and_negation_are_features() -> None:
    names = word_features.names("I do NOT like it, sooooo good!!")
    assert {"w not like", "w soo", "drawn out", "u not", "capitals", "p good !!", "w good"} <= set(names)


def test_a_reading_follows_the_words_in_time() -> None:
    words = ("I", "am", "so", "happy", "today", "But", "then", "I", "was", "very", "afraid")
    spoken = tuple(Word(word, 0.3 * number, 0.3 * number + 0.25) for number, word in enumerate(words))
    speech = Speech(FAST, RATE_HZ, words=spoken, text="I am so happy today! But then I was very afraid.")
    found = reading.read(speech, voice=False)
    assert found.curve.unit == "seconds"
    assert found.curve.at(0.2, 3.0).valence > 0.5 > -0.3 > found.curve.at(0.9, 3.0).valence
    assert found.voice is None and found.text.startswith("the words say ")


def test_both_are_read_and_a_conflict_is_told() -> None:
    words = WordReading(VAD(0.76, 0.48, 0.35), 1.0, shares=(("joy", 0.9), ("love", 0.1)))
    sad = VoiceReading(VAD(-0.63, -0.27, -0.33), 0.9, shares=(("sadness", 0.8), ("boredom", 0.2)))
    told = reading.conflict_of(words, sad)
    assert told == "the words say joy, the voice sounds like sadness: distance 1.7"
    assert reading.conflict_of(words, VoiceReading(words.vad, 0.9)) == ""
    assert reading.conflict_of(words, VoiceReading(sad.vad, 0.1)) == "", "an unsure voice claims nothing"
    assert reading.conflict_of(words, VoiceReading(NEUTRAL, 0.9)) == ""


def test_the_voice_moves_what_the_words_say() -> None:
    text = "The train leaves at nine."
    fast, slow = (reading.read(said(text, samples)) for samples in (FAST, SLOW))
    assert fast.vad.arousal > slow.vad.arousal + 0.2
    assert fast.words is not None and fast.voice is not None
    silent = reading.read(said("I am so happy!", np.zeros(RATE_HZ, np.float32)))
    assert silent.vad.valence > 0.5
    assert silent.notes == ("no voice was heard",)


def test_nothing_that_can_be_read_is_neutral() -> None:
    found = reading.read(said("", np.zeros(RATE_HZ, np.float32)))
    assert (found.curve.is_neutral, found.confidence, len(found.notes)) == (True, 0.0, 2)
    with pytest.raises(InputError, match="the words, the voice or both"):
        reading.read(said("hello"), words=False, voice=False)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_blending_is_the_straight_line_at_all_times(share: float) -> None:
    asked = parse_curve("fear@0%, joy@50%, calm@100%")
    read = parse_curve("sadness@1s, anger@2.5s, joy@9s")
    found = reading.blended(asked, read, share, 4.0)
    for progress in np.linspace(0, 1, 41):
        wanted = asked.at(progress, 4.0).mixed(read.at(progress, 4.0), share)
        assert found.at(progress, 4.0).distance(wanted) < 1e-6


def test_blending_refuses_what_makes_no_sense() -> None:
    joy = parse_curve("joy")
    assert reading.blended(joy, EmotionCurve.constant(NEUTRAL), 0.0, 2.0) is joy
    with pytest.raises(EmotionError, match="share must be in"):
        reading.blended(joy, joy, 1.5, 2.0)
    with pytest.raises(EmotionError, match="length must be above 0"):
        reading.blended(joy, joy, 0.5, 0.0)


def test_the_readers_are_small_and_no_models_of_pipelines() -> None:
    for name in ("word-reader", "voice-reader"):
        folder = catalog.ASSETS / "models" / name
        assert sum(path.stat().st_size for path in folder.iterdir()) < 4 * MIB
        assert "Licence" in (folder / "README.md").read_text("utf-8")
        assert name not in catalog.models()
