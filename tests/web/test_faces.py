"""One emotion, three faces: whichever is changed, the others say the same."""

from __future__ import annotations

import pytest

from studio.emotion import NEUTRAL, VAD, lexicon
from studio.errors import InputError, StudioError
from studio.web.emotion_faces import Faces, labels, point_text, taxonomies


@pytest.mark.parametrize("taxonomy", sorted(lexicon().taxonomies))
@pytest.mark.parametrize("intensity", [1.0, 0.5])
def test_a_picked_label_writes_a_text_that_means_the_same_point(taxonomy: str, intensity: float) -> None:
    for label in labels(taxonomy):
        picked = Faces.of_label(taxonomy, label, intensity)
        read = Faces.of_text(picked.text, taxonomy)
        assert read.vad == picked.vad == lexicon().lookup(f"{taxonomy}/{label}").vad.scaled(intensity)


def test_a_text_finds_its_label_and_intensity() -> None:
    faces = Faces.of_text("joy:0.6", "goemotions")
    assert (faces.label, faces.text) == ("joy", "joy:0.6")
    assert Faces.of_text("mikels/awe:0.6", "mikels").intensity == 0.6


def test_a_word_that_the_taxonomy_has_elsewhere_is_not_its_label() -> None:
    awe, positive = lexicon().lookup("awe").vad, lexicon().lookup("mikels/awe").vad
    assert awe != positive
    assert Faces.of_text("awe", "mikels").label == lexicon().nearest(awe, "mikels").word
    assert Faces.of_text("awe:0.6", "plutchik").label == "awe"


@pytest.mark.parametrize("taxonomy", sorted(lexicon().taxonomies))
def test_touching_the_intensity_keeps_the_direction_of_a_written_word(taxonomy: str) -> None:
    for label in labels(taxonomy):
        written = Faces.of_text(f"{taxonomy}/{label}", taxonomy)
        touched = Faces.of_label(taxonomy, written.label, 0.5)
        assert touched.vad == written.vad.scaled(0.5)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_text_is_neutral(blank: str) -> None:
    faces = Faces.of_text(blank, "emoart")
    assert (faces.text, faces.vad) == (blank, NEUTRAL)


def test_a_point_becomes_text_of_two_decimals() -> None:
    assert Faces.of_point(VAD(0.4199, -0.1, 0.0), "emoart").text == "v=0.42 a=-0.1 d=0"
    assert Faces.of_point(VAD(0.001, -0.001, 0.0), "emoart").text == "neutral"
    assert point_text(NEUTRAL) == "neutral"


def test_no_intensity_is_neutral() -> None:
    assert Faces.of_label("mikels", "awe", 0).vad == NEUTRAL


def test_a_curve_shows_where_it_begins() -> None:
    faces = Faces.of_text("sadness@0, joy@100%", "ekman")
    assert (faces.label, faces.vad) == ("sadness", lexicon().lookup("sadness").vad)
    assert not faces.curve.is_constant


@pytest.mark.parametrize("text", ["contentmnt", "joy +", "v=3", "joy@150%", "x" * 501])
def test_a_bad_text_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Faces.of_text(text, "emoart")


@pytest.mark.parametrize(
    ("taxonomy", "label", "intensity"), [("mikels", "ave", 1), ("mikel", "awe", 1), ("mikels", "awe", 2)]
)
def test_a_bad_pick_is_refused(taxonomy: str, label: str, intensity: float) -> None:
    with pytest.raises(StudioError):
        Faces.of_label(taxonomy, label, intensity)


def test_every_taxonomy_is_offered_under_its_own_title() -> None:
    offered = taxonomies()
    assert [name for _, name in offered] == list(lexicon().taxonomies)
    assert len({title for title, _ in offered}) == len(offered)
