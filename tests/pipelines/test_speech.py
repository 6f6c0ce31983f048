"""Speech: what is said and heard stands where the sound has it. The real synthesiser and the real aligner."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest

from pipelines.portrait import _speech as speech
from pipelines.portrait import _speech_present as present
from pipelines.portrait._speech_ipa import PAUSE, parts
from pipelines.portrait._speech_markup import markup, tokens
from pipelines.portrait._speech_prosody import Prosody, prosody
from studio.audio_files import audio_bytes
from studio.emotion import NEUTRAL, VAD, EmotionCurve
from studio.emotion.grammar import parse_curve
from studio.errors import InputError, NotFoundError, StudioError
from studio.speech import CLOSED, VISEMES, VOWELS, Phone, Speech

PLAIN = EmotionCurve.constant(NEUTRAL)
LINE = "Bob's mother made a map of the bumpy park, maybe by the lamp."
NEAR_S = 0.05


def recorded(folder: Path, said: Speech, level: float = 1.0) -> Path:
    path = folder / "said.wav"
    path.write_bytes(audio_bytes(said.samples[None] * level, said.rate_hz, "wav", {}))
    return path


def at_16k(said: Speech) -> np.ndarray:
    times = np.arange(int(said.length_s * 16000)) / 16000
    return np.interp(times, np.arange(len(said.samples)) / said.rate_hz, said.samples).astype(np.float32)


def level_db(said: Speech, start_s: float, end_s: float) -> float:
    piece = said.samples[int(start_s * said.rate_hz) : int(end_s * said.rate_hz)]
    return float(10 * np.log10(np.square(piece).mean() + 1e-12))


def middles(said: Speech) -> list[float]:
    return [(phone.start_s + phone.end_s) / 2 for phone in said.phones if phone.viseme == CLOSED]


def near(wanted: list[float], found: list[float]) -> float:
    """Share of times that have one of the others within 50 ms."""
    return float(np.mean([min(abs(one - other) for other in found) < NEAR_S for one in wanted]))


@pytest.fixture(scope="module")
def plain() -> Speech:
    return speech.speak(LINE, PLAIN)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        *((letter, [CLOSED]) for letter in ("p", "b", "m", "pʰ", "mʲ", "ɓ", "ˈm̩")),
        *(("ˈaʊ", ["AA", "UU"]), ("aɪə", ["AA", "IH", "AX"]), ("tʃ", ["SH"]), ("dʒ", ["SH"]), ("ts", ["SS"])),
        *(("pf", [CLOSED, "FF"]), ("tɕh", ["SH"]), ("th", ["DD"]), ("ɜː", ["ER"]), ("ɜ", ["AX"])),
        *(("yː", ["UU"]), ("ø", ["OO"]), ("ʁ", ["KK"]), ("ɲ", ["JJ"]), ("ɨ", ["YI"]), ("ã", ["AA"])),
        *(
            ("ɥ", ["WW"]),
            ("ǃ", ["SS"]),
            ("ж", ["AX"]),
            ("", []),
            ("ʲ", []),
            ("(en)", []),
            ("(en)b", [CLOSED]),
        ),
    ],
)
def test_visemes_of_sounds(symbol: str, expected: list[str]) -> None:
    assert [viseme for _, viseme in parts(symbol)] == expected


@pytest.mark.parametrize("voice", ["de", "fr", "cmn", "ru", "ar", "hi", "sw"])
def test_every_language_has_closed_lips_and_open_vowels(voice: str) -> None:
    said = speech.speak("papa mama 1 2 3", PLAIN, voice)
    shown = {phone.viseme for phone in said.phones}
    assert shown <= set(VISEMES)
    assert {CLOSED, "AA", "SIL"} <= shown


def test_the_time_line_has_no_gap(plain: Speech) -> None:
    assert plain.phones[0].start_s == 0.0
    assert plain.phones[-1].end_s == pytest.approx(plain.length_s, abs=1e-6)
    for before, after in itertools.pairwise(plain.phones):
        assert before.end_s == pytest.approx(after.start_s, abs=1e-9)
    assert [phone.symbol for phone in plain.phones if phone.viseme == "SIL"] == [PAUSE] * 3


def test_words_are_as_written_over_their_sounds(plain: Speech) -> None:
    said = " ".join(word.text for word in plain.words)
    assert said == "Bob's mother made a map of the bumpy park maybe by the lamp"
    lamp = plain.words[-1]
    sounds = [phone for phone in plain.phones if lamp.start_s <= phone.start_s < lamp.end_s]
    assert [phone.viseme for phone in sounds] == ["LL", "AA", CLOSED, CLOSED]
    assert [phone.stressed for phone in sounds] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "voice", "words"),
    [
        ("It cost £3.50 & 5% <b>!", "en-gb", ["It", "cost", "£3.50", "&", "5%", "<b>"]),
        ("</speak> fish &amp; chips", "en-gb", ["</speak>", "fish", "amp", "chips"]),
        ("“Zwölf” Äpfel\x00für\tMünchen", "de", ["Zwölf", "Äpfel", "für", "München"]),
        ("你好，世界", "cmn", ["你好", "世", "界"]),
    ],
)
def test_words_of_odd_texts(text: str, voice: str, words: list[str]) -> None:
    assert [word.text for word in speech.speak(text, PLAIN, voice).words] == words


def test_lips_are_closed_before_a_p_is_heard() -> None:
    """The first half of a p is silent, of every vowel it is not: also at the start and after a pause."""
    said = speech.speak("Papa, papa. A puppy!", PLAIN)
    stops = [phone for phone in said.phones if phone.symbol == "p"]
    assert len(stops) == 6
    for phone in stops:
        assert 0.04 < phone.end_s - phone.start_s < 0.2
        assert level_db(said, phone.start_s, phone.start_s + 0.03) < -60
    vowels = [phone for phone in said.phones if phone.viseme in VOWELS]
    assert all(level_db(said, phone.start_s, phone.end_s) > -30 for phone in vowels)


def test_the_same_input_gives_the_same_bytes_from_any_thread(plain: Speech) -> None:
    found: list[Speech] = []
    makers = [
        threading.Thread(target=lambda text=text: found.append(speech.speak(text, PLAIN)))
        for text in ("Something else before.", LINE, LINE)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    same = [said for said in found if said.text == LINE]
    assert len(same) == 2
    assert all(said.samples.tobytes() == plain.samples.tobytes() for said in same)
    assert all(said.phones == plain.phones for said in same)


def test_the_library_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    speech.speak("Hush.", PLAIN)
    speech.voices()
    assert capfd.readouterr() == ("", "")


# The worked examples of the rules: pitch and rate in percent, range in semitones, loudness of 50.
@pytest.mark.parametrize(
    ("point", "pitch", "range_st", "rate", "loudness"),
    [
        (VAD(0.81, 0.51, 0.46), 18.8, 6.04, 41.7, 66.8),
        (VAD(-0.51, 0.59, 0.25), 10.1, 6.36, 19.3, 69.5),
        (VAD(-0.63, -0.27, -0.33), -11.1, 2.92, -26.1, 41.1),
    ],
)
def test_prosody_follows_schroeder(
    point: VAD, pitch: float, range_st: float, rate: float, loudness: float
) -> None:
    found = prosody(point)
    assert (found.pitch - 1) * 100 == pytest.approx(pitch, abs=0.06)
    assert found.range * 4 == pytest.approx(range_st, abs=0.006)
    assert (found.rate - 1) * 100 == pytest.approx(rate, abs=0.06)
    assert 50 * 10 ** (found.gain_db / 20) == pytest.approx(loudness, abs=0.06)


def test_neutral_is_the_plain_voice() -> None:
    assert prosody(NEUTRAL) == Prosody()
    assert markup("a < b", [prosody(NEUTRAL)] * 3).ssml == "<speak>a &lt; b</speak>"


@pytest.mark.parametrize("corner", list(itertools.product((-1.0, 1.0), repeat=3)))
def test_extreme_feelings_can_be_said(corner: tuple[float, float, float], plain: Speech) -> None:
    said = speech.speak(LINE, EmotionCurve.constant(VAD(*corner)))
    assert 0.4 < said.length_s / plain.length_s < 2.5
    assert np.abs(said.samples).max() <= 1.0
    symbols = [phone.symbol for phone in said.phones if phone.viseme != "SIL"]
    assert len(symbols) == pytest.approx(len([p for p in plain.phones if p.viseme != "SIL"]), abs=3)


def test_joy_is_quicker_and_louder_than_sadness() -> None:
    joy, sadness = (speech.speak(LINE, parse_curve(text)) for text in ("joy", "sadness"))
    assert joy.length_s < 0.75 * sadness.length_s
    loud, soft = (level_db(said, 0, said.length_s) for said in (joy, sadness))
    assert loud > soft + 3


def test_a_curve_moves_within_the_line() -> None:
    """Seconds are those of the finished sound: before the first key one feeling, after the second another."""
    text = "one two three four five six seven eight nine ten eleven twelve"
    turned = speech.speak(text, parse_curve("joy@1.3s, sadness@1.4s"))
    joyful, sad = (speech.speak(text, parse_curve(name)) for name in ("joy", "sadness"))

    def lasts(said: Speech, index: int) -> float:
        return said.words[index + 1].start_s - said.words[index].start_s

    early = [index for index, word in enumerate(turned.words[:-1]) if word.end_s < 1.2]
    late = [index for index, word in enumerate(turned.words[:-1]) if word.start_s > 1.7]
    assert len(early) >= 3 and len(late) >= 3
    for indices, like in ((early, joyful), (late, sad)):
        ratio = sum(lasts(turned, i) for i in indices) / sum(lasts(like, i) for i in indices)
        assert ratio == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("text", "voice", "curve", "why"),
    [
        ("", "en-gb", "joy", "^text: there is nothing to say"),
        (" \n ", "en-gb", "joy", "^text: there is nothing to say"),
        ("... ?!", "en-gb", "joy", "^text: has no word"),
        ("word " * 10_000, "en-gb", "joy", "^text: 50,000 characters; the longest text is 10,000$"),
        ("Hello", "en-gb", "joy@0s, fear@60s", r"^emotion: fear at 60 s is past the end of the speech"),
        ("Hello", "", "joy", "^voice: must be a voice"),
        ("Hello", "germn", "joy", "^unknown voice 'germn'; did you mean 'German'"),
        ("Hello", "de+f22", "joy", "^unknown voice variant 'f22'; did you mean 'f2'"),
    ],
)
def test_bad_requests(text: str, voice: str, curve: str, why: str) -> None:
    with pytest.raises(StudioError, match=why) as caught:
        speech.speak(text, parse_curve(curve), voice)
    assert "\n" not in str(caught.value)


def test_voices_by_language_name_and_title() -> None:
    assert len({voice.language.split("-")[0] for voice in speech.voices()}) > 100
    for name, expected in {
        "EN_us": "en-us",
        "en": "en-gb",
        "German": "de",
        "de-AT": "de",
        "zh": "cmn",
    }.items():
        assert speech.find_voice(name).name == expected
    assert speech.find_voice("fr+f3").file == "roa/fr+f3"
    assert {"f2", "m3"} <= set(speech.variants())


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("Please bring back my purple umbrella before the members complain.", "en-us"),
        ("Papa und Mama bummeln am Samstag bis zum Abend durch den Park.", "de+f2"),
    ],
)
def test_a_transcript_puts_lips_where_they_are(tmp_path: Path, text: str, voice: str) -> None:
    said = speech.speak(text, parse_curve("anger"), voice)
    heard = speech.listen(recorded(tmp_path, said), text, voice.partition("+")[0])
    assert near(middles(said), middles(heard)) >= 0.9
    assert near(middles(heard), middles(said)) >= 0.9
    assert [word.text for word in heard.words] == text.rstrip(".").split()
    assert heard.notes == ()
    assert len(heard.samples) == pytest.approx(len(said.samples), abs=2) and heard.rate_hz == said.rate_hz
    assert heard.phones[0].start_s == 0.0
    assert heard.phones[-1].end_s == pytest.approx(heard.length_s, abs=0.01)


def test_words_no_dictionary_has(tmp_path: Path) -> None:
    text = "Brillig Bandersnatch & 42 moppets"
    said = speech.speak(text, PLAIN, "en-us")
    heard = speech.listen(recorded(tmp_path, said), text)
    assert [word.text for word in heard.words] == ["Brillig", "Bandersnatch", "&", "42", "moppets"]
    starts = [abs(a.start_s - b.start_s) for a, b in zip(said.words, heard.words, strict=True)]
    assert max(starts) < 0.1


def test_without_words_the_phones_of_english_are_guessed(tmp_path: Path) -> None:
    said = speech.speak("Don't jump on the bed, my baby brother is asleep.", PLAIN, "en-us")
    heard = speech.listen(recorded(tmp_path, said))
    assert heard.words == () and heard.language == "" and "guessed" in heard.notes[0]
    assert near(middles(heard), middles(said)) >= 0.6
    assert len([phone for phone in heard.phones if phone.viseme in VOWELS]) >= 6


def test_without_words_other_languages_have_no_phones(tmp_path: Path) -> None:
    said = speech.speak("Mama und Papa kaufen Bananen.", PLAIN, "de")
    heard = speech.listen(recorded(tmp_path, said), language="de")
    assert heard.phones == () and heard.words == () and heard.language == "de"
    assert "follows the sound" in heard.notes[0]


def test_the_rest_of_a_transcript_that_is_not_said(tmp_path: Path) -> None:
    said = speech.speak("Please open the window for my mother", PLAIN, "en-us")
    text = "Please open the window for my mother, because tomorrow nobody remembers anything about summer"
    heard = speech.listen(recorded(tmp_path, said), text)
    assert "not hear" in heard.notes[0]
    assert [word.text for word in heard.words][:3] == ["Please", "open", "the"]


class Recorded:
    """A voice that gives sound and no times, as other synthesisers do."""

    language = "it"
    rates: tuple[float, ...] = ()

    def say(self, text: str, rate: float) -> tuple[np.ndarray, int]:
        self.rates += (rate,)
        feeling = VAD(0, max(-1, min(1, 2 * (rate - 1))), 0)
        made = speech.speak(text, EmotionCurve.constant(feeling), self.language)
        return made.samples, made.rate_hz


def test_another_synthesiser_is_listened_to() -> None:
    text, voice = "La mamma prepara una buona pasta per il bambino piccolo.", Recorded()
    said = speech.speak_with(voice, text, PLAIN)
    assert near(middles(speech.speak(text, PLAIN, "it")), middles(said)) >= 0.9
    assert [word.text for word in said.words] == text.rstrip(".").split()
    assert said.language == "it"
    slow = speech.speak_with(voice, text, parse_curve("sadness"))
    assert voice.rates == (1.0, 1.0, pytest.approx(prosody(parse_curve("sadness").at(0)).rate))
    assert slow.length_s > 1.15 * said.length_s
    assert level_db(slow, 0, slow.length_s) < level_db(said, 0, said.length_s)


def sounds() -> dict[str, np.ndarray]:
    rng, times = np.random.default_rng(1), np.arange(32000) / 16000
    chord = sum(np.sin(2 * np.pi * hz * times + 3 * np.sin(31 * times)) for hz in (220, 277, 330, 660))
    notes = [
        np.sin(2 * np.pi * hz * times[:6000]) * np.exp(-4 * times[:6000]) for hz in (262, 330, 392, 523, 392)
    ]
    return {
        "noise": rng.normal(0, 0.1, 32000),
        "clipped noise": np.clip(rng.normal(0, 3, 32000), -1, 1),
        "brown noise": np.cumsum(rng.normal(0, 0.01, 32000)),
        "tone": np.sin(2 * np.pi * 440 * times),
        "hum": np.sin(2 * np.pi * 50 * times) + rng.normal(0, 0.01, 32000),
        "trembling tone": np.sin(2 * np.pi * 220 * times) * (1 + np.sin(25 * times)),
        "chord": chord / 5,
        "tune": np.concatenate(notes),
        "clicks": (np.arange(32000) % 4000 < 20) * rng.normal(0, 0.5, 32000),
        "nothing": np.zeros(100),
    }


@pytest.mark.parametrize("name", sounds())
def test_what_is_no_speech(name: str) -> None:
    assert not present.has_speech(sounds()[name].astype(np.float32))


@pytest.mark.parametrize("how", ["soft", "clipped", "noisy", "short", "whispered", "high"])
def test_what_is_speech(how: str, plain: Speech) -> None:
    samples = at_16k(plain)
    noise = np.random.default_rng(0).normal(0, samples.std() / 2, len(samples)).astype(np.float32)
    said = {"short": ("Yes", "en"), "whispered": (LINE, "en+whisper"), "high": (LINE, "en+f5")}
    made = at_16k(speech.speak(said[how][0], PLAIN, said[how][1])) if how in said else samples
    changed = {"soft": samples * 0.01, "clipped": np.clip(samples * 20, -1, 1), "noisy": samples + noise}
    assert present.has_speech(changed.get(how, made))


def test_a_recording_without_speech(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 16000)).astype(np.float32)
    path = tmp_path / "wind.wav"
    path.write_bytes(audio_bytes(noise, 16000, "wav", {}))
    with pytest.raises(InputError, match=r"^inputs.audio: wind.wav is audio without speech$"):
        speech.listen(path, "There is no such thing.")


def test_bad_transcripts_and_languages(tmp_path: Path, plain: Speech) -> None:
    path = recorded(tmp_path, plain)
    with pytest.raises(InputError, match=r"^transcript: has no word"):
        speech.listen(path, "?!")
    with pytest.raises(InputError, match=r"^transcript: 50,000 characters"):
        speech.listen(path, "x" * 50_000)
    with pytest.raises(NotFoundError, match=r"^unknown language 'germn'; did you mean 'German'"):
        speech.listen(path, "", "germn")


def test_a_clipped_recording_is_told(tmp_path: Path, plain: Speech) -> None:
    heard = speech.listen(recorded(tmp_path, plain, 30.0), LINE)
    assert "clipped" in heard.notes[0]
    assert near(middles(plain), middles(heard)) >= 0.8


def test_phones_are_valid_values(plain: Speech) -> None:
    assert all(isinstance(phone, Phone) and phone.end_s - phone.start_s > 0.001 for phone in plain.phones)
    assert len(tokens(LINE)) >= len(plain.words)
