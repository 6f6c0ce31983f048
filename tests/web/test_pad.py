"""The affect pad on the server's side: what it takes, what it refuses, where its words stand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from studio.emotion import NEUTRAL, VAD, lexicon, parse_curve
from studio.errors import InputError
from studio.web import affect_pad, affect_words
from studio.web.affect_pad import AffectPad, describe, nearest_text, point_of, trail_of

GOOD = {"valence": 0.42, "arousal": -0.1, "dominance": 0}
BAD = [
    (None, "expected {valence, arousal, dominance}, got None"),
    ([0.1, 0.2, 0.3], "expected {valence, arousal, dominance}"),
    ({}, "valence: must be a number in [-1, 1], got None"),
    ({**GOOD, "valence": 50}, "valence: must be in [-1, 1], got 50; did you mean '1'?"),
    ({**GOOD, "arousal": -1.01}, "arousal: must be in [-1, 1], got -1.01; did you mean '-1'?"),
    ({**GOOD, "arousal": "x"}, "arousal: must be a number in [-1, 1], got 'x'"),
    ({**GOOD, "dominance": True}, "dominance: must be a number in [-1, 1], got True"),
    ({**GOOD, "dominance": math.nan}, "dominance: must be in [-1, 1], got nan"),
    ({**GOOD, "dominance": math.inf}, "dominance: must be in [-1, 1], got inf; did you mean '1'?"),
    ({**GOOD, "valence": 10**400}, "valence: must be in [-1, 1], got 1000"),
    ({**GOOD, "valance": 1}, "valance: unknown axis 'valance'; did you mean 'valence'?"),
    ({**GOOD, "valence": {"$ne": 1}}, "valence: must be a number in [-1, 1], got {'$ne': 1}"),
]


def test_a_point_is_read_exactly() -> None:
    assert point_of(GOOD) == VAD(0.42, -0.1, 0.0)


@pytest.mark.parametrize(("value", "message"), BAD)
def test_a_bad_value_is_refused_in_one_line(value: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        point_of(value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("value", "message"), BAD)
def test_the_component_turns_it_into_a_message_for_the_page(value: Any, message: str) -> None:
    with pytest.raises(gr.Error) as caught:
        AffectPad().preprocess(value)
    assert message in caught.value.message
    assert not caught.value.print_exception


@pytest.mark.parametrize(("value", "message"), BAD)
def test_the_live_readout_refuses_it_too(value: Any, message: str) -> None:
    answer = describe(value)
    assert set(answer) == {"error"}
    assert "\n" not in answer["error"]


def test_the_live_readout_refuses_an_unknown_taxonomy() -> None:
    assert "unknown taxonomy 'mikel'" in describe({**GOOD, "taxonomy": "mikel"})["error"]


def test_the_wire_value_goes_round() -> None:
    pad = AffectPad(VAD(0.25, -0.5, 1.0))
    assert pad.value == {"valence": 0.25, "arousal": -0.5, "dominance": 1.0}
    assert pad.preprocess(pad.value) == VAD(0.25, -0.5, 1.0)
    assert AffectPad().value == dict.fromkeys(("valence", "arousal", "dominance"), 0.0)


def test_the_readout_names_the_nearest_words_with_their_shares() -> None:
    happy = lexicon().lookup("emoart/happy").vad
    shares = lexicon().weights(happy, "emoart")
    assert nearest_text(happy, "emoart").startswith(f"nearest: happy {shares['happy']:.0%}, ")
    assert nearest_text(NEUTRAL, "emoart").startswith("neutral")


def test_a_curve_leaves_a_trail_and_a_constant_none() -> None:
    points = trail_of(parse_curve("sadness@0, joy@100%"))
    assert points[0] == list(lexicon().lookup("sadness").vad.as_tuple()[:2])
    assert points[-1] == list(lexicon().lookup("joy").vad.as_tuple()[:2])
    assert trail_of(parse_curve("joy")) == []


def test_gradio_sees_the_properties_and_not_listeners_of_their_names() -> None:
    pad = AffectPad(trail=[[0.0, 0.5]])
    assert pad.get_config()["trail"] == [[0.0, 0.5]]
    assert pad.get_config()["words"] == affect_pad.words_of(affect_pad.DEFAULT_TAXONOMY)


def test_making_the_component_writes_nothing_beside_its_source() -> None:
    assert not list(Path(affect_pad.__file__).parent.glob("*.pyi"))


@pytest.mark.parametrize("taxonomy", sorted(lexicon().taxonomies))
def test_words_stand_at_their_own_points_and_touch_nothing(taxonomy: str) -> None:
    words = affect_words.placed_words(taxonomy)
    assert words
    assert len(words) <= affect_words.MAX_WORDS
    for word in words:
        assert word.vad == lexicon().lookup(f"{taxonomy}/{word.label}").vad
    boxes = [affect_words.text_box(word.label, word.text_x, word.text_y, word.anchor) for word in words]
    assert all(box.inside for box in boxes)
    assert not any(one.meets(other) for one, other in itertools.combinations(boxes, 2))


def test_a_small_taxonomy_is_drawn_whole() -> None:
    for taxonomy in ("emoart", "mikels", "ekman", "plutchik8"):
        drawn = {word.label for word in affect_words.placed_words(taxonomy)}
        assert drawn == {label.word for label in lexicon().labels(taxonomy)}
