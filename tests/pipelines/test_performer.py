"""The performer: lips that meet, mouths that rest, lids that blink, feelings that show, takes that differ."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pipelines.portrait._performer import perform
from pipelines.portrait._performer_lips import lip_gap
from pipelines.portrait._speech import speak
from studio import muscles
from studio.emotion import NEUTRAL, VAD, EmotionCurve, lexicon
from studio.errors import InputError
from studio.motion import SHAPES, Motion
from studio.speech import CLOSED, DENTAL, VOWELS, Phone, Speech

RATE = 16000
TEXT = "Bob and Pam moved five blue boxes up to the farm. Maybe we have to leave before the evening."
CLOSED_GAP = 0.03
FEELINGS = ("joy", "sadness", "anger", "fear", "disgust", "surprise", "contempt")
MOUTH = [index for index, name in enumerate(SHAPES) if name.startswith(("jaw", "mouth", "cheekPuff"))]


@pytest.fixture(scope="module")
def spoken() -> Speech:
    """A line said by the synthesiser."""
    return speak(TEXT, EmotionCurve.constant(NEUTRAL), "en-gb")


def hand_made(length_s: float, pauses: bool = True) -> Speech:
    """Syllables with a hum for sound, four seconds of talk, two of silence, over and over."""
    consonants, rng = ("PP", "DD", "FF", "SS", "KK", "LL"), np.random.default_rng(3)
    phones, samples, at = [], np.zeros(round(length_s * RATE), np.float32), 0.3
    while at < length_s - 0.6:
        for viseme, lasts in ((str(rng.choice(consonants)), 0.08), (str(rng.choice(VOWELS)), 0.12)):
            phones.append(Phone(viseme, viseme, at, at + lasts, viseme in VOWELS and len(phones) % 3 == 0))
            first, after = round(at * RATE), round((at + lasts) * RATE)
            loud = 0.3 if viseme in VOWELS else 0.03
            samples[first:after] = loud * np.sin(2 * np.pi * 180 / RATE * np.arange(after - first))
            at += lasts
        if pauses and at % 6 > 4:
            at += 6 - at % 6
    return Speech(samples, RATE, tuple(phones))


def performed(speech: Speech, feeling: VAD = NEUTRAL, seed: int = 0, **more: object) -> Motion:
    frames = speech.frames(float(str(more.get("rate_hz", 30.0))))
    return perform(speech, [feeling] * frames, seed, **more)  # type: ignore[arg-type]


def point(word: str) -> VAD:
    return lexicon().lookup(word).vad


def around(motion: Motion, phone: Phone, margin_s: float) -> np.ndarray:
    times = np.arange(len(motion)) / motion.rate_hz
    return np.flatnonzero((times >= phone.start_s - margin_s) & (times <= phone.end_s + margin_s))


def closures_s(motion: Motion, speech: Speech) -> np.ndarray:
    """For each p, b, m the moment with closed lips that is nearest to its middle: before a word lips may have
    been closed all along, so the first or the mean of such moments would measure the pause.
    """
    closed = np.flatnonzero(lip_gap(motion.weights) < CLOSED_GAP) / motion.rate_hz
    middles = [(phone.start_s + phone.end_s) / 2 for phone in speech.phones if phone.viseme == CLOSED]
    return np.array([closed[np.abs(closed - middle).argmin()] for middle in middles])


@pytest.mark.parametrize("word", ["neutral", *FEELINGS])
def test_lips_meet_for_every_p_b_m_whatever_the_feeling(spoken: Speech, word: str) -> None:
    motion = performed(spoken, point(word))
    gap = lip_gap(motion.weights)
    visemes = {phone.viseme for phone in spoken.phones}
    assert {CLOSED, DENTAL} <= visemes
    for phone in spoken.phones:
        frames = around(motion, phone, 0.08)
        if phone.viseme == CLOSED:
            assert gap[frames].min() < CLOSED_GAP, phone
        elif phone.viseme == DENTAL:
            bitten = motion.column("mouthRollLower")[frames].max() > 0.3
            assert bitten and motion.column("jawOpen")[frames].min() < 0.15, phone


@pytest.mark.parametrize("rate_hz", [24.0, 25.0, 60.0])
def test_lips_meet_at_any_frame_rate(spoken: Speech, rate_hz: float) -> None:
    motion = performed(spoken, rate_hz=rate_hz)
    gap = lip_gap(motion.weights)
    closed = [phone for phone in spoken.phones if phone.viseme == CLOSED]
    assert all(gap[around(motion, phone, 0.08)].min() < CLOSED_GAP for phone in closed)


def test_the_lips_seal_never_farther_than_the_jaw_is_open(spoken: Speech) -> None:
    for word in FEELINGS:
        motion = performed(spoken, point(word))
        assert (motion.column("mouthClose") <= motion.column("jawOpen") + 1e-6).all()


def test_open_vowels_are_open_and_round_ones_round() -> None:
    speech = hand_made(40.0)
    motion = performed(speech)
    peak = {
        viseme: np.mean([
            motion.weights[around(motion, phone, 0.0)].max(axis=0)
            for phone in speech.phones
            if phone.viseme == viseme and len(around(motion, phone, 0.0))
        ], axis=0)
        for viseme in VOWELS
    }  # fmt: skip
    shape = SHAPES.index
    assert peak["AA"][shape("jawOpen")] > 0.3
    assert peak["AA"][shape("jawOpen")] > 1.5 * peak["UU"][shape("jawOpen")]
    assert peak["UU"][shape("mouthPucker")] > 0.25 > 0.1 > peak["AA"][shape("mouthPucker")]
    assert peak["IH"][shape("mouthStretchLeft")] > 2 * peak["OO"][shape("mouthStretchLeft")]


@pytest.mark.parametrize("with_phones", [True, False])
@pytest.mark.parametrize("word", ["neutral", "anger", "joy", "surprise"])
def test_the_mouth_rests_in_silence(word: str, with_phones: bool) -> None:
    speech = hand_made(30.0)
    motion = performed(speech if with_phones else replace(speech, phones=()), point(word))
    moved = np.abs(np.diff(motion.weights[:, MOUTH], axis=0)).mean(axis=1)
    times = np.arange(len(moved)) / 30.0
    near = np.array([min(abs(time - (p.start_s + p.end_s) / 2) for p in speech.phones) for time in times])
    assert moved[near > 0.4].mean() < 0.02 * moved[near < 0.1].mean()
    if word == "neutral":
        assert lip_gap(motion.weights)[:-1][near > 0.4].max() < 0.01


def test_a_voice_without_phones_opens_where_it_is_loud() -> None:
    speech = hand_made(30.0)
    gaps = [lip_gap(performed(one).weights) for one in (speech, replace(speech, phones=()))]
    assert np.corrcoef(*gaps)[0, 1] > 0.5


def test_digital_silence_gives_a_still_closed_mouth() -> None:
    motion = performed(Speech(np.zeros(5 * RATE, np.float32), RATE))
    assert not motion.weights[:, MOUTH].any()
    assert motion.column("eyeBlinkLeft").max() > 0.9  # it lives


@pytest.mark.parametrize(("word", "minutes"), [("neutral", 10), ("boredom", 3)])
def test_blinks_of_minutes(word: str, minutes: int) -> None:
    motion = performed(hand_made(60.0 * minutes), point(word), seed=4)
    down = motion.column("eyeBlinkLeft") > 0.5
    edges = np.flatnonzero(np.diff(np.pad(down.astype(int), 1)))
    starts, lasts = edges[::2], (edges[1::2] - edges[::2]) / motion.rate_hz
    assert 15 < len(starts) / minutes < 30
    assert lasts.max() <= 0.4
    waits = np.diff(starts) / motion.rate_hz
    assert waits.std() > 0.25 * waits.mean() and waits.min() > 0.4  # no metronome
    peaks = [motion.column("eyeBlinkLeft")[a:b].max() for a, b in edges.reshape(-1, 2)]
    assert min(peaks) > 0.95  # no half blinks


@pytest.mark.parametrize("word", FEELINGS)
def test_a_feeling_shows_and_grows_while_somebody_talks(spoken: Speech, word: str) -> None:
    strengths, totals = (0.25, 0.5, 0.75, 1.0), []
    asked = muscles.prototypes()[word].units
    for strength in strengths:
        motion = performed(spoken, muscles.prototypes()[word].point.scaled(strength))
        read = muscles.measure(motion.weights).mean(axis=0)
        found = dict(zip(muscles.units(), read.tolist(), strict=True))
        totals.append(sum(found[number] for number in asked))
    assert all(later > earlier for earlier, later in itertools.pairwise(totals))
    upper = {
        number: found[number] for number, unit in muscles.units().items() if unit.region in ("brow", "eye")
    }
    for number, value in upper.items():
        assert value == pytest.approx(asked.get(number, 0.0), abs=0.15), number


def test_anger_survives_speech(spoken: Speech) -> None:
    angry, plain = (performed(spoken, point(word)) for word in ("anger", "neutral"))
    open_ = lip_gap(plain.weights) > 0.25
    for name in ("browDownLeft", "eyeSquintLeft", "mouthUpperUpLeft", "mouthLowerDownLeft"):
        assert angry.column(name)[open_].mean() > plain.column(name)[open_].mean() + 0.1, name


def test_a_feeling_does_not_move_the_closures(spoken: Speech) -> None:
    plain = closures_s(performed(spoken), spoken)
    for word in FEELINGS:
        assert np.abs(closures_s(performed(spoken, point(word)), spoken) - plain).max() < 0.04


def test_the_same_twice_and_another_take(spoken: Speech) -> None:
    first, again, other = (performed(spoken, point("joy"), seed) for seed in (1, 1, 2))
    for part in ("weights", "head", "gaze"):
        assert np.array_equal(getattr(first, part), getattr(again, part))
        assert np.abs(getattr(first, part) - getattr(other, part)).max() > 0.05
    assert np.array_equal(closures_s(first, spoken), closures_s(other, spoken))


def test_the_head_moves_and_never_jerks(spoken: Speech) -> None:
    for word in ("neutral", "anger", "sadness"):
        head = performed(spoken, point(word)).head
        assert head[:, :3].std(axis=0).min() > 0.1
        assert np.abs(head[:, :3]).max() < 15
        assert np.abs(np.diff(head[:, :3], 2, axis=0)).max() < 1.0  # degrees per frame, per frame
    chin = [performed(spoken, point(word)).head[:, 0].mean() for word in ("pride", "sadness")]
    assert chin[0] > chin[1] + 3


def test_dialled_units_stay_where_they_are_put(spoken: Speech) -> None:
    motion = performed(spoken, point("anger"), units={4: 0.0, 2: 0.8})
    assert not motion.column("browDownLeft").any()
    assert motion.column("browOuterUpLeft") == pytest.approx(0.8, abs=0.1)
    gap = lip_gap(performed(spoken, units={10: 1.0, 26: 1.0, 25: 1.0}).weights)
    closed = [phone for phone in spoken.phones if phone.viseme == CLOSED]
    assert all(gap[around(motion, phone, 0.08)].min() < CLOSED_GAP for phone in closed)


def test_a_change_of_feeling_takes_its_time() -> None:
    speech = Speech(np.zeros(4 * RATE, np.float32), RATE)
    moods = [NEUTRAL] * 60 + [point("surprise")] * 60
    brows = perform(speech, moods, 0).column("browOuterUpLeft")
    assert not brows[:60].any()
    assert 0.02 < brows[62] < 0.5 and brows[75] > 0.7
    assert np.diff(brows).max() < 0.25


def test_it_is_far_faster_than_real_time() -> None:
    import time

    speech = hand_made(120.0)
    performed(speech)
    start = time.process_time()
    performed(speech, point("joy"))
    assert time.process_time() - start < 120 / 50


def test_bad_arguments_are_named(spoken: Speech) -> None:
    with pytest.raises(InputError, match="moods"):
        perform(spoken, [NEUTRAL], 0)
    with pytest.raises(InputError, match="AU99"):
        performed(spoken, units={99: 1.0})
    with pytest.raises(InputError, match="AU4"):
        performed(spoken, units={4: 2.0})


def test_a_single_frame_works() -> None:
    assert len(performed(Speech(np.zeros(10, np.float32), RATE))) == 1
