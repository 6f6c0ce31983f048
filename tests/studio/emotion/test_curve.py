"""Keyframes: interpolation, units, sampling, the JSON form."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.emotion import NEUTRAL, VAD, Emotion, EmotionCurve, Key, parse_curve, parse_emotion
from studio.errors import EmotionError

unit = st.floats(-1, 1)
# Busy machines are slow: no deadline, and fewer examples keep the folder within seconds.
brief = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
emotions = st.builds(Emotion, st.builds(VAD, unit, unit, unit))
LOW, HIGH = Emotion(VAD(-1, 0, 0.5)), Emotion(VAD(1, 1, 0.5))


@st.composite
def curves(draw: st.DrawFn, name: str = "progress") -> EmotionCurve:
    places = sorted(draw(st.sets(st.floats(0, 1), min_size=1, max_size=5)))
    return EmotionCurve(tuple(Key(at, draw(emotions)) for at in places), name)


@brief
@given(curves(), st.floats(0, 1))
def test_interpolation_stays_between_the_keys(curve: EmotionCurve, progress: float) -> None:
    at = curve.at(progress)
    for axis in ("valence", "arousal", "dominance"):
        values = [getattr(key.emotion.vad, axis) for key in curve.keys]
        assert min(values) <= getattr(at, axis) <= max(values)


@brief
@given(curves())
def test_keys_are_met_exactly_and_the_ends_hold(curve: EmotionCurve) -> None:
    for key in curve.keys:
        assert curve.at(key.at) == key.emotion.vad
    assert curve.at(0) == curve.keys[0].emotion.vad
    assert curve.at(1) == curve.keys[-1].emotion.vad


def test_it_is_linear_between_and_constant_outside() -> None:
    curve = EmotionCurve((Key(0.2, LOW), Key(0.6, HIGH)))
    assert curve.at(0.1) == LOW.vad and curve.at(0.9) == HIGH.vad
    assert curve.at(0.3).as_tuple() == pytest.approx((-0.5, 0.25, 0.5))


def test_seconds_need_the_length() -> None:
    curve = EmotionCurve((Key(1.0, LOW), Key(3.0, HIGH)), "seconds")
    assert curve.at(0.5, length_s=4).as_tuple() == pytest.approx((0, 0.5, 0.5))
    assert curve.at(1.0, length_s=2).as_tuple() == pytest.approx((0, 0.5, 0.5))
    with pytest.raises(EmotionError, match="needs the length"):
        curve.at(0.5)
    for bad in (0, -1, math.nan, math.inf):
        with pytest.raises(EmotionError, match="length must be above 0 s"):
            curve.at(0.5, bad)


def test_keys_past_the_end_are_told() -> None:
    curve = parse_curve("fear@0s, relief@4s, joy@9s")
    assert [key.at for key in curve.keys_past(4.0)] == [9.0]
    assert curve.keys_past(9.0) == ()
    assert parse_curve("fear@0, joy@100%").keys_past(0.1) == ()


def test_samples_go_from_the_start_to_the_end() -> None:
    curve = EmotionCurve((Key(0.0, LOW), Key(1.0, HIGH)))
    assert [point.valence for point in curve.sample(5)] == pytest.approx([-1, -0.5, 0, 0.5, 1])
    assert curve.sample(1) == [LOW.vad]
    assert parse_curve("fear@0s, joy@2s").sample(3, 4.0)[1] == parse_emotion("joy").vad
    with pytest.raises(EmotionError, match="count must be 1 or more"):
        curve.sample(0)


def test_constant_and_neutral() -> None:
    joy = EmotionCurve.constant(parse_emotion("joy"))
    assert joy.is_constant and not joy.is_neutral and joy.text == "joy"
    assert EmotionCurve.constant(NEUTRAL).is_neutral
    assert parse_curve("joy@0, joyful@1").is_constant
    assert not parse_curve("neutral@0, joy@1").is_constant
    assert {joy, parse_curve("joy")} == {joy}


@pytest.mark.parametrize("progress", [-0.1, 1.1, math.nan])
def test_progress_outside_is_refused(progress: float) -> None:
    with pytest.raises(EmotionError, match="progress must be in"):
        EmotionCurve.constant(NEUTRAL).at(progress)


def test_a_curve_checks_itself() -> None:
    with pytest.raises(EmotionError, match="at least one key"):
        EmotionCurve(())
    with pytest.raises(EmotionError, match=r"unit must be one of .*did you mean 'seconds'"):
        EmotionCurve((Key(0, LOW),), "second")
    with pytest.raises(EmotionError, match=r"in order and apart, got 0.5 after 0.5"):
        EmotionCurve((Key(0.5, LOW), Key(0.5, HIGH)))
    with pytest.raises(EmotionError, match=r"progress must be in \[0, 1\], got 2"):
        EmotionCurve((Key(2, LOW),))
    for bad in (-0.1, math.nan, math.inf):
        with pytest.raises(EmotionError, match="must be at 0 or later"):
            Key(bad, LOW)


@brief
@given(st.sampled_from(["progress", "seconds"]).flatmap(curves))
def test_json_comes_back(curve: EmotionCurve) -> None:
    again = EmotionCurve.from_json(json.loads(json.dumps(curve.to_json())))
    assert again == curve and again.text == curve.text


def test_json_keeps_the_words_and_takes_points_alone() -> None:
    curve = parse_curve("joy:0.5@0, 0.5 mikels/awe + 0.5 fear@50%")
    assert EmotionCurve.from_json(curve.to_json()) == curve
    short = EmotionCurve.from_json([{"at": 0, "text": "joy"}, {"at": 1, "v": -0.5}])
    assert [key.emotion.vad for key in short.keys] == [parse_emotion("joy").vad, VAD(-0.5)]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("joy", "expected a list of keys, got str"),
        ([], "at least one key"),
        ([{"text": "joy"}], "key 1 must be an object with 'at'"),
        ([{"at": 0}, {"at": "1"}], "'at' of key 2 must be a number"),
        ([{"at": 0, "valance": 1}], "key 1 has an unknown field 'valance'"),
        ([{"at": 0, "unit": "seconds"}, {"at": 1}], "cannot be mixed"),
        ([{"at": 0, "v": 0.9, "text": "fear"}], "key 1 says 'fear', which is v=-0.64"),
        ([{"at": 0, "v": 2}], "valence must be in"),
        ([{"at": 0, "text": "sadnes"}], "did you mean 'sadness'"),
    ],
)
def test_bad_json_says_which_key(entries: object, message: str) -> None:
    with pytest.raises(EmotionError) as caught:
        EmotionCurve.from_json(entries)  # type: ignore[arg-type]
    assert message in str(caught.value)
