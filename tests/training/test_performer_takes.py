"""Material for the motion model: the same for the same seed, split by rule, of many kinds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from studio.errors import InputError
from training.synthesis import performer


def test_the_parts_share_no_line_and_no_larynx() -> None:
    for language in performer.languages("held_out"):
        train, held_out = (performer.lines(language, part) for part in performer.PARTS)
        assert not set(train) & set(held_out)
        assert bool(train) == (language not in performer.UNSEEN_LANGUAGES)
        assert len(set(train + held_out)) == len(train + held_out)
    assert not set(performer.larynxes("train")) & set(performer.larynxes("held_out"))
    assert len(performer.languages("train")) > 10
    assert sum(len(performer.lines(language, "train")) for language in performer.languages("train")) > 100


def test_a_take_is_its_number_and_nothing_else() -> None:
    first, second = performer.takes(2, seed=7)
    again = performer.take(1, seed=7)[0]
    assert np.array_equal(second.motion.weights, again.motion.weights)
    assert np.array_equal(second.speech.samples, again.speech.samples)
    assert (second.voice, second.curve, second.seed) == (again.voice, again.curve, again.seed)
    assert first.speech.text != second.speech.text or first.voice != second.voice
    assert len(second.moods) == len(second.motion) == second.speech.frames(30.0)
    assert second.speech.phones and second.speech.words


def test_variations_are_takes_of_one_line() -> None:
    one, two = performer.take(3, seed=7, part="held_out", variations=2)
    assert one.speech is two.speech and one.moods == two.moods and one.seed != two.seed
    assert not np.array_equal(one.motion.weights, two.motion.weights)


def test_silence_moves_phones_and_words_along() -> None:
    rng = np.random.default_rng(0)
    speech = performer.take(0, seed=7)[0].speech
    padded = next(
        found
        for found in (performer._amid_silence(speech, rng) for _ in itertools.count())
        if found != speech
    )
    lead = padded.phones[0].start_s - speech.phones[0].start_s
    start = round(lead * speech.rate_hz)
    assert np.array_equal(padded.samples[start : start + len(speech.samples)], speech.samples)
    assert padded.words[-1].end_s == pytest.approx(speech.words[-1].end_s + lead)
    assert padded.phones[-1].end_s <= padded.length_s + 1e-6


def test_curves_are_held_or_turn_and_stay_in_the_cube() -> None:
    rng = np.random.default_rng(1)
    curves = [performer._curve(rng) for _ in range(200)]
    held = sum(curve.is_constant for curve in curves)
    assert 70 < held < 130
    assert any(curve.is_neutral for curve in curves)
    assert max(len(curve.keys) for curve in curves) == 4


def test_another_part_is_named() -> None:
    with pytest.raises(InputError, match=r"part: 'tain' is not one of train, held_out; did you mean 'train'"):
        performer.take(0, part="tain")
