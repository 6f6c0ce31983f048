"""File names: readable, plain ASCII, never a way out of the folder."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from studio.naming import file_name, next_number, slug


def test_prompt_and_emotion_make_the_name() -> None:
    assert file_name(7, "A harbour, at dusk!", "awe:0.8", ".png") == "00007-a-harbour-at-dusk-awe-0-8.png"


def test_neutral_is_not_mentioned_and_accents_are_folded() -> None:
    assert slug("Café à la mer", "neutral") == "cafe-a-la-mer"


def test_prompt_without_ascii_still_has_a_name() -> None:
    assert slug("港の夕暮れ", "neutral") == "untitled"
    assert slug("港の夕暮れ", "joy") == "joy"


def test_long_prompt_ends_at_a_word() -> None:
    made = slug("word " * 40, "joy")
    assert len(made) <= 60 and made.endswith("word-joy")


@given(st.text(max_size=300), st.text(max_size=100))
def test_never_more_than_plain_characters(prompt: str, emotion: str) -> None:
    made = slug(prompt, emotion)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", made) and len(made) <= 60


def test_numbers_go_on_after_the_highest(tmp_path: Path) -> None:
    assert next_number(tmp_path / "missing") == 1
    assert next_number(tmp_path) == 1
    for name in ("00003-x.png", "00012-y.png", "123-short.png", "notes.txt", ".tmp-1"):
        (tmp_path / name).touch()
    assert next_number(tmp_path) == 13


def test_numbers_beyond_five_digits(tmp_path: Path) -> None:
    (tmp_path / file_name(123456, "x", "neutral", ".png")).touch()
    assert next_number(tmp_path) == 123457
