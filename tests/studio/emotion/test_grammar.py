"""The text of an emotion and of a curve: what it means, that it comes back, what its errors say."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.emotion import (
    NEUTRAL,
    VAD,
    Emotion,
    EmotionCurve,
    Key,
    format_emotion,
    lexicon,
    parse_curve,
    parse_emotion,
)
from studio.errors import EmotionError

JOY, FEAR = lexicon().lookup("joy").vad, lexicon().lookup("fear").vad
QUALIFIED = [label.name for name in lexicon().taxonomies for label in lexicon().labels(name)]
NAMES = [name for name in (*QUALIFIED, *lexicon().words()) if lexicon().lookup(name).point]

unit = st.floats(-1, 1)
# Busy machines are slow: no deadline, and fewer examples keep the folder within seconds.
brief = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
points = st.builds(Emotion, st.builds(VAD, unit, unit, unit))
spaces = st.sampled_from(["", " ", "  "])


@st.composite
def part_texts(draw: st.DrawFn, name: str) -> str:
    reach = min(lexicon().lookup(name).vad.reach, 10.0)
    strength = draw(st.none() | st.floats(0, reach) | st.sampled_from([0.25, 0.5, 1.0]))
    return name if strength is None else f"{name}{draw(spaces)}:{draw(spaces)}{strength!r}"


@st.composite
def emotion_texts(draw: st.DrawFn) -> str:
    chosen = st.lists(
        st.sampled_from(NAMES), min_size=1, max_size=4, unique_by=lambda name: lexicon().lookup(name).name
    )
    parts = [draw(part_texts(name)) for name in draw(chosen)]
    if len(parts) > 1 and draw(st.booleans()):
        parts = [f"{draw(st.floats(1e-6, 1e6))!r} {part}" for part in parts]
    return f"{draw(spaces)}+{draw(spaces)}".join(parts)


emotions = points | emotion_texts().map(parse_emotion)


@st.composite
def curves(draw: st.DrawFn) -> EmotionCurve:
    name = draw(st.sampled_from(["progress", "seconds"]))
    hundredths = st.integers(0, 100).map(lambda value: value / 100)
    place = st.floats(0, 1) | hundredths if name == "progress" else st.floats(0, 1e6)
    places = sorted(set(draw(st.lists(place, min_size=1, max_size=5))))
    return EmotionCurve(tuple(Key(at, draw(emotions)) for at in places), name)


@brief
@given(emotions)
def test_the_text_of_an_emotion_comes_back(emotion: Emotion) -> None:
    again = parse_emotion(format_emotion(emotion))
    assert again == emotion and hash(again) == hash(emotion)
    assert math.fsum(share for _, share in again.weights) == pytest.approx(1.0)
    assert parse_emotion(format_emotion(emotion.vad)).vad == emotion.vad


@brief
@given(curves())
def test_the_text_of_a_curve_comes_back(curve: EmotionCurve) -> None:
    again = parse_curve(curve.text)
    assert again == curve and hash(again) == hash(curve) and again.text == curve.text


def test_a_label_is_its_point_and_an_intensity_scales_it() -> None:
    assert parse_emotion("joy") == Emotion(JOY, text="joy")
    assert parse_emotion("joy:0.6").vad == JOY.scaled(0.6)
    assert parse_emotion("joy:0").vad == NEUTRAL
    assert parse_emotion("joy:1.3").vad.intensity == pytest.approx(1.3 * JOY.intensity)
    assert parse_emotion("joy : 1.0").text == "joy"
    assert parse_emotion("neutral").vad == NEUTRAL


def test_a_blend_is_the_mean_by_shares() -> None:
    blend = parse_emotion("0.6 joy + 0.4 fear")
    expected = [0.6 * joy + 0.4 * fear for joy, fear in zip(JOY.as_tuple(), FEAR.as_tuple(), strict=True)]
    assert blend.vad.as_tuple() == pytest.approx(expected)
    assert blend.weights == (("joy", 0.6), ("fear", 0.4))
    assert blend.text == "0.6 joy + 0.4 fear"


@pytest.mark.parametrize(
    "text", ["3 joy + 1 fear", "0.75*joy+.25*fear", "75e-2 joy + 0.25 fear", "6 joy+2 fear"]
)
def test_only_the_ratio_of_shares_counts(text: str) -> None:
    assert parse_emotion(text) == parse_emotion("0.75 joy + 0.25 fear")


def test_a_blend_without_shares_is_equal_parts_and_intensities_hold_within() -> None:
    assert parse_emotion("joy + fear").vad.as_tuple() == pytest.approx(JOY.mixed(FEAR, 0.5).as_tuple())
    assert parse_emotion("joy:0.5 + fear:0.3").vad.as_tuple() == pytest.approx(
        JOY.scaled(0.5).mixed(FEAR.scaled(0.3), 0.5).as_tuple()
    )


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("v=0.7 a=-0.2 d=0.1", VAD(0.7, -0.2, 0.1)),
        ("v=.7, a=-.2,d=+1e-1", VAD(0.7, -0.2, 0.1)),
        ("Arousal = 1", VAD(0.0, 1.0, 0.0)),
        ("d=-1 valence=0.5", VAD(0.5, 0.0, -1.0)),
    ],
)
def test_points_in_numbers(text: str, point: VAD) -> None:
    emotion = parse_emotion(text)
    assert emotion.vad == point
    assert emotion.weights == lexicon().emotion(point).weights != ()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  Joy ", "joy"),
        ("EMOSET/Awe", "mikels/awe"),
        ("emotic / doubt / confusion", "emotic/Doubt/Confusion"),
        ("cremad/anger hi", "cremad/ANG HI"),
        ("joyful:0.50", "joyful:0.5"),
        ("v=1", "v=1 a=0 d=0"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert parse_emotion(text).text == canonical


def test_curves_by_progress_and_by_seconds() -> None:
    curve = parse_curve("sadness@0, calm@50%,joy:0.8 @ 100 %")
    keys = [(key.at, key.emotion.text) for key in curve.keys]
    assert keys == [(0, "sadness"), (0.5, "calm"), (1, "joy:0.8")]
    assert curve.text == "sadness@0%, calm@50%, joy:0.8@100%"
    seconds = parse_curve("fear@0, relief@4s")
    assert seconds.unit == "seconds" and seconds == parse_curve("fear@0s, relief@4.0S")
    assert parse_curve("joy") == EmotionCurve.constant(parse_emotion("joy"))
    assert parse_curve("joy@0").text == "joy"
    assert parse_curve("joy@0.25") == parse_curve("joy@25%")


def test_a_comma_inside_a_point_does_not_end_a_key() -> None:
    curve = parse_curve("v=0.7, a=-0.2@0, fear@50%, a=1,d=.5,v=0@1")
    assert [key.emotion.vad for key in curve.keys] == [VAD(0.7, -0.2), FEAR, VAD(0, 1, 0.5)]


BAD = [
    ("", "no emotion at column 1", "joy"),
    ("   ", "no emotion at column 4", "joy"),
    ("contentmnt", "unknown emotion 'contentmnt' at column 1", "contentment"),
    ("0.6 joy + 0.4 contentmnt", "unknown emotion 'contentmnt' at column 15", "contentment"),
    ("joy@0, contentmnt@1", "unknown emotion 'contentmnt' at column 8", "contentment"),
    ("0.5 joy + 0.5 mikels/aww", "unknown emotion 'aww' in mikels at column 22", "awe"),
    ("mikel/awe", "unknown taxonomy 'mikel' at column 1", "mikels"),
    ("joy:2", "intensity of 'joy' at column 5 must be in [0, 1.31], got 2", "1.31"),
    ("joy:-1", "intensity of 'joy' at column 5 must be in [0, 1.31], got -1", "0"),
    ("joy:nan", "intensity of 'joy' at column 5 must be in [0, 1.31], got nan", None),
    ("neutral:inf", "must be 0 or more, got inf", None),
    ("joy: loud", "intensity of 'joy' at column 6 must be a number, got 'loud'", None),
    ("joy:", "intensity of 'joy' at column 5 must be a number, got ''", None),
    ("0 joy + 1 fear", "share 0 at column 1 must be a number above 0", None),
    ("1 joy + -0.5 fear", "share -0.5 at column 9 must be a number above 0", None),
    ("nan joy + 1 fear", "share nan at column 1 must be a number above 0", None),
    ("1e999 joy + 1 fear", "share 1e999 at column 1 must be a number above 0", None),
    ("joy - 0.4 fear", "'-' at column 5: a share must be above 0", None),
    ("0.6 joy", "a share at column 1 needs a second emotion", "joy:0.6"),
    ("0.6", "'0.6' at column 1 has no emotion", "joy:0.6"),
    ("0.3 joy + fear", "'fear' at column 11 has no share", None),
    ("joy + joy:0.5", "'joy:0.5' at column 7 is in the blend twice", None),
    ("joy +", "no emotion at column 6", None),
    ("joy, fear", "',' at column 4", None),
    ("v=1.7", "v at column 3 must be in [-1, 1], got 1.7", "1"),
    ("a=0.1 d=-3", "d at column 9 must be in [-1, 1], got -3", "-1"),
    ("v=", "v at column 3 must be a number, got ''", None),
    ("v=nan", "v at column 3 must be in [-1, 1], got nan", None),
    ("v=0.1 v=0.2", "axis 'v' at column 7 is given twice", None),
    ("v=0.1 arousl=0.2", "unknown axis 'arousl' at column 7", "arousal"),
    ("v=0.1 joy", "cannot read 'joy' at column 7", None),
    ("joy@0, fear@4s, awe@50%", "'50%' at column 21 is in progress, '4s' before it in seconds", None),
    ("joy@50%, fear@20%", "'20%' at column 15 is before '50%'", None),
    ("joy@50%, fear@0.5", "'0.5' at column 15 is taken", None),
    ("joy@50", "place 50 at column 5 is past the end", "50%"),
    ("joy@400", "place 400 at column 5 is past the end", "400s"),
    ("joy@120%", "at column 5 must be in [0, 100], got 120", "100"),
    ("joy@-1s", "at column 5 must be 0 or more, got -1", "0"),
    ("joy@soon", "cannot read place 'soon' at column 5", None),
    ("joy@", "cannot read place '' at column 5", None),
    ("@50%", "no emotion at column 1", "joy"),
    ("joy@0, calm, fear@1", "'calm' at column 8 has no place", "calm@50%"),
    ("joy@0, v=.3, a=.2", "'v=.3, a=.2' at column 8 has no place", "v=.3, a=.2@50%"),
    ("joy@0,", "the key at column 7 has no place", "joy@50%"),
    ("joy@0@1", "'@' at column 4 belongs to a curve", None),
    ("iemocap/other", "'iemocap/other' at column 1 has no point", None),
]


@pytest.mark.parametrize(("text", "message", "near"), BAD, ids=[text or "empty" for text, _, _ in BAD])
def test_errors_name_the_word_its_column_and_the_nearest(text: str, message: str, near: str | None) -> None:
    with pytest.raises(EmotionError) as caught:
        parse_curve(text)
    assert message in str(caught.value)
    assert caught.value.suggestion == near


@pytest.mark.parametrize("value", [None, 3, ["joy"]])
def test_only_text_is_read(value: object) -> None:
    with pytest.raises(EmotionError, match="expected text"):
        parse_curve(value)  # type: ignore[arg-type]


@brief
@given(st.text(alphabet="joyfear mikels/awe@:+-=,.%0159svad\t", max_size=24) | st.text(max_size=12))
def test_any_text_is_read_or_refused_with_our_error(text: str) -> None:
    try:
        curve = parse_curve(text)
    except EmotionError as error:
        assert str(error)
    else:
        assert parse_curve(curve.text) == curve
