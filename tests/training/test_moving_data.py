"""Clips painted on the fly: the same example every time, a feeling for each frame, held or changing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from studio import catalog
from studio.emotion import VAD
from training.data.moving import Dataset
from training.synthesis.captions import scene_of

SMALL = Dataset(count=40, frames=6, size_px=32, seed=3)


@pytest.fixture(scope="module")
def moods() -> list[np.ndarray]:
    """What each frame of 200 clips feels, (16, 3); nothing is painted for it."""
    many = Dataset(count=200)
    return [np.array(many._points(np.random.default_rng(index))) for index in range(len(many))]


def test_an_example_is_a_clip_with_a_feeling_for_each_frame() -> None:
    assert catalog.dataset_medium("moving") == "video" and len(SMALL) == 40
    for example in (SMALL[0], SMALL[7]):
        assert example.media.shape == (6, 32, 32, 3) and example.media.dtype == np.uint8
        felt = example.attributes["bars"]
        assert len(felt) == 6 and all(isinstance(mood, VAD) for mood in felt)
        mean = np.mean([mood.as_tuple() for mood in felt], axis=0)
        assert example.emotion.vad.as_tuple() == pytest.approx(mean)
        assert scene_of(example.prompt) == example.attributes["scene"]
        assert np.abs(np.diff(example.media.astype(int), axis=0)).mean() > 0, "something moves"
    with pytest.raises(IndexError):
        SMALL[40]


def test_it_is_the_same_every_time_and_another_in_every_split_and_seed() -> None:
    first = SMALL[5]
    again = dataclasses.replace(SMALL, count=6)[5]
    assert np.array_equal(first.media, again.media) and first.prompt == again.prompt
    assert first.attributes["bars"] == again.attributes["bars"]
    for other in ({"split": "held-out"}, {"seed": 4}):
        assert dataclasses.replace(SMALL, **other)[5].attributes["bars"] != first.attributes["bars"]
        assert dataclasses.replace(SMALL, **other).description != SMALL.description
    assert SMALL.description == dataclasses.replace(SMALL).description
    assert list(dataclasses.replace(SMALL, count=2))[1].prompt == SMALL[1].prompt


def test_a_share_of_the_feelings_changes_smoothly_and_far(moods: list[np.ndarray]) -> None:
    ranges = np.array([np.ptp(one, axis=0) for one in moods])
    changing = ranges.max(axis=1) > 0
    assert changing.mean() == pytest.approx(0.6, abs=0.1)
    assert np.median(ranges[changing]) > 0.35, "far enough to be learnt from"
    steps = np.array([np.abs(np.diff(one, axis=0)).max() for one in moods])
    assert np.median(steps[changing]) < 0.4 and steps.max() < 2
    assert all(np.abs(one).max() <= 1 for one in moods)
    assert np.corrcoef(np.concatenate(moods).T)[np.triu_indices(3, 1)] == pytest.approx(np.zeros(3), abs=0.2)


def test_feelings_may_turn_more_slowly_than_a_clip_is_long(moods: list[np.ndarray]) -> None:
    quick = Dataset(count=200, longest=1.0)
    within = [np.array(quick._points(np.random.default_rng(index))) for index in range(len(quick))]
    slow, fast = (np.mean([np.ptp(one, axis=0).max() for one in some]) for some in (moods, within))
    assert 0.4 * fast < slow < 0.9 * fast


@pytest.mark.parametrize(("changing", "expected"), [(0.0, 0), (1.0, 30)])
def test_all_may_hold_and_all_may_change(changing: float, expected: int) -> None:
    data = dataclasses.replace(SMALL, changing=changing, longest=1.0)
    found = [data._points(np.random.default_rng(index)) for index in range(30)]
    assert sum(len(set(points)) > 1 for points in found) == expected


def test_a_clip_of_one_frame_holds_its_feeling() -> None:
    still = dataclasses.replace(SMALL, frames=1, changing=1.0)[0]
    assert still.media.shape == (1, 32, 32, 3) and len(still.attributes["bars"]) == 1


def test_the_law_edges_asks_for_strong_feelings() -> None:
    held = dataclasses.replace(SMALL, changing=0.0, frames=1)
    lengths = {
        law: np.mean(
            [
                np.abs(dataclasses.replace(held, law=law)._points(np.random.default_rng(index))).min()
                for index in range(200)
            ]
        )
        for law in ("uniform", "edges")
    }
    assert lengths["edges"] > lengths["uniform"] + 0.15
