"""The embedded actor, `motion-tiny` with `vad-motion`: lips on the words, feelings on the face."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks import _portrait_measures as measures
from benchmarks import portrait
from benchmarks.portrait import Stage
from pipelines.portrait._speech import speak
from studio import catalog, muscles
from studio.emotion import NEUTRAL, EmotionCurve, parse_emotion
from studio.speech import Speech

FAMILY = "portrait/rig"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with portrait.staged(FAMILY) as found:
        yield found


@pytest.fixture(scope="module")
def line() -> Speech:
    return speak("Maybe Pam found five brown moths above the river.", EmotionCurve.constant(NEUTRAL), "en-us")


def test_lips_close_where_they_must_and_rest_in_silence(stage: Stage, line: Speech) -> None:
    motion = stage.act(line, NEUTRAL, seed=4)
    closed, opened = measures.reached(motion, line)
    assert len(closed) >= 7
    assert np.mean(closed) >= 0.95
    assert all(opened)
    assert 0.2 < measures.gap(motion).max() < 1.0


def test_the_sound_alone_moves_the_lips(stage: Stage, line: Speech) -> None:
    from dataclasses import replace

    told, heard = (stage.act(one, NEUTRAL, seed=4) for one in (line, replace(line, phones=())))
    assert np.corrcoef(measures.gap(told), measures.gap(heard))[0, 1] > 0.7


@pytest.mark.parametrize("feeling", ["joy", "sadness", "anger", "fear", "disgust", "surprise"])
def test_a_feeling_shows_its_own_muscles(stage: Stage, line: Speech, feeling: str) -> None:
    mood = parse_emotion(feeling).vad
    shown = measures.shown_units(stage.act(line, mood, 4)) - measures.shown_units(stage.act(line, NEUTRAL, 4))
    likeness = {
        name: measures.cosine(shown, measures.asked_units(muscles.of(parse_emotion(name).vad)))
        for name in portrait.FEELINGS
    }
    assert max(likeness, key=lambda name: likeness[name]) == feeling, likeness


def test_neutral_is_the_bare_model_bit_for_bit(stage: Stage, line: Speech) -> None:
    worn = stage.act(line, NEUTRAL, seed=4)
    bare_pipeline = stage.module.Pipeline.load(catalog.find_model(stage.module.DEFAULT_MODEL))
    bare = Stage(FAMILY, stage.module, bare_pipeline, lambda rows: None).act(line, NEUTRAL, seed=4)
    assert np.array_equal(worn.weights, bare.weights)
    assert np.array_equal(worn.head, bare.head)
