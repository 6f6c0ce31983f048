"""The curve editor on the server's side: what it takes and refuses, and that all faces say the same."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from studio.emotion import NEUTRAL, VAD, lexicon, parse_curve
from studio.errors import StudioError
from studio.piano_roll import colour
from studio.web import curve_editor, emotion_entry
from studio.web.curve_editor import CurveEditor, Drawn, drawn_of, drawn_wire

ARC = "sadness@0%, calm@50%, joy@100%"
MIDDLE = Drawn(parse_curve(ARC), 1)
KEY = {"at": 0.0, "v": 0.2, "a": 0.1, "d": 0.0}
BAD = [
    (None, "expected {keys, selected}"),
    ({"keys": {}}, "expected {keys, selected}"),
    ({"keys": []}, "at least one key"),
    ({"keys": [3]}, "key 1 must be an object"),
    ({"keys": [{**KEY, "v": 3}]}, "valence"),
    ({"keys": [{**KEY, "v": "x"}]}, "valence"),
    ({"keys": [{**KEY, "at": -1}]}, "0 or later"),
    ({"keys": [{**KEY, "at": 1.5}]}, "progress must be in [0, 1]"),
    ({"keys": [{**KEY, "at": "now"}]}, "must be a number"),
    ({"keys": [KEY, KEY]}, "in order and apart"),
    ({"keys": [KEY, {**KEY, "at": 1.0, "unit": "seconds"}]}, "cannot be mixed"),
    ({"keys": [{**KEY, "text": "joy"}]}, "says 'joy'"),
    ({"keys": [{"at": 0.0, "text": "joi"}]}, "did you mean 'joy'"),
    ({"keys": [KEY], "selected": 1}, "selected: must be 0 to 0"),
    ({"keys": [KEY], "selected": True}, "selected: must be 0 to 0"),
    ({"keys": [{**KEY, "at": index / 40} for index in range(33)]}, "at most 32 points"),
]


@pytest.mark.parametrize(("value", "message"), BAD)
def test_a_bad_curve_is_refused_in_one_line(value: Any, message: str) -> None:
    with pytest.raises(StudioError) as caught:
        drawn_of(value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    with pytest.raises(gr.Error) as shown:
        CurveEditor().preprocess(value)
    assert not shown.value.print_exception


@pytest.mark.parametrize("text", [ARC, "joy", "fear@0s, relief@4s", "0.6 joy + 0.4 fear@20%, v=0.1@90%"])
def test_the_wire_value_goes_round(text: str) -> None:
    drawn = Drawn(parse_curve(text))
    assert CurveEditor(drawn).preprocess(CurveEditor(drawn).value) == drawn
    assert drawn_of(drawn_wire(drawn)).curve.text == drawn.curve.text


def test_a_moved_point_has_the_text_of_its_place_and_the_others_keep_their_words() -> None:
    keys = drawn_wire(MIDDLE)["keys"]
    keys[1] = {"at": 0.605, "unit": "progress", "v": 0.44, "a": 0.17, "d": 0.0}
    drawn = drawn_of({"keys": keys, "selected": 1})
    assert drawn.curve.text == "sadness@0%, v=0.44 a=0.17 d=0@60.5%, joy@100%"
    assert drawn.point_text == "v=0.44 a=0.17 d=0"


def test_an_untouched_editor_is_neutral() -> None:
    drawn = CurveEditor().preprocess(CurveEditor().value)
    assert drawn == Drawn(parse_curve("neutral")) and drawn.is_plain and drawn.curve.is_neutral


def test_the_band_has_the_colours_of_the_piano_roll() -> None:
    *rim, middle = curve_editor.tints()
    assert middle == colour(NEUTRAL)
    assert rim[0] == colour(VAD(1.0, 0.0, 0.0))
    assert rim[len(rim) // 4] == colour(VAD(0.0, 1.0, 0.0))


# ---- faces in step: updates of pad, label, intensity, text, problem, curve


def test_the_curve_moves_pad_and_text_and_is_left_alone() -> None:
    pad, label, _, text, problem, curve = emotion_entry._from_curve(MIDDLE, "emoart")
    assert pad["value"] == lexicon().lookup("calm").vad and len(pad["trail"]) > 2
    assert (label, text, problem) == ("calm", ARC, "")
    assert "value" not in curve and curve["heard"] == drawn_wire(MIDDLE)


def test_the_pad_moves_the_chosen_point_alone() -> None:
    pad, _, _, text, _, curve = emotion_entry._from_pad(VAD(0.5, 0.25, 0.0), "emoart", MIDDLE)
    assert text == "sadness@0%, v=0.5 a=0.25 d=0@50%, joy@100%" == curve["value"].curve.text
    assert "value" not in pad and pad["heard"] == {"valence": 0.5, "arousal": 0.25, "dominance": 0.0}


def test_a_label_replaces_the_chosen_point_alone() -> None:
    *_, text, _, curve = emotion_entry._from_label("emoart", "bored", 0.5, MIDDLE)
    assert text == "sadness@0%, bored:0.5@50%, joy@100%" == curve["value"].curve.text


def test_a_text_replaces_the_curve_and_keeps_the_number_of_the_point() -> None:
    pad, _, _, text, _, curve = emotion_entry._from_text("fear@0, joy@30%, calm@100%", "emoart", MIDDLE)
    assert curve["value"].selected == 1 and pad["value"] == lexicon().lookup("joy").vad
    assert text == gr.skip()  # never write where somebody types
    *_, curve = emotion_entry._from_text("fear", "emoart", MIDDLE)
    assert curve["value"] == Drawn(parse_curve("fear"))


def test_a_curve_in_seconds_is_drawn_too() -> None:
    pad, *_, problem, curve = emotion_entry._from_text("fear@0s, calm@6s, joy@10s", "emoart", MIDDLE)
    assert problem == "" and curve["value"].curve.unit == "seconds"
    joy = lexicon().lookup("joy").vad
    assert pad["trail"][-1] == [round(joy.valence, 4), round(joy.arousal, 4)]


def test_a_bad_text_moves_nothing_and_is_named() -> None:
    *others, problem, curve = emotion_entry._from_text("joi@0, calm@100%", "emoart", MIDDLE)
    assert "did you mean &#x27;joy&#x27;" in problem
    assert all(update == gr.skip() for update in [*others, curve])


def test_one_emotion_keeps_the_words_that_it_was_written_with() -> None:
    plain = Drawn(parse_curve("neutral"))
    assert emotion_entry._from_label("mikels", "awe", 1, plain)[3] == "mikels/awe"
    assert emotion_entry._from_pad(VAD(0.1, 0.0, 0.0), "emoart", plain)[3] == "v=0.1 a=0 d=0"
