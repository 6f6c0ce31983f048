"""The point: its range, its arithmetic, its messages."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.emotion import NEUTRAL, VAD, Emotion
from studio.errors import EmotionError

unit = st.floats(-1, 1)
# Busy machines are slow: no deadline, and fewer examples keep the folder within seconds.
brief = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
vads = st.builds(VAD, unit, unit, unit)
SHIFT = 1e-12


@pytest.mark.parametrize("axis", ["valence", "arousal", "dominance"])
@pytest.mark.parametrize(
    ("value", "near"), [(1.5, "1"), (-1.0001, "-1"), (math.inf, "1"), (-math.inf, "-1"), (math.nan, "0")]
)
def test_a_bad_number_names_axis_value_and_nearest(axis: str, value: float, near: str) -> None:
    with pytest.raises(EmotionError) as caught:
        VAD(**{axis: value})
    assert caught.value.field == axis
    assert caught.value.suggestion == near
    assert axis in str(caught.value) and repr(value) in str(caught.value)


@pytest.mark.parametrize("value", ["0.5", b"0", None, True, [0.1], 1j])
def test_only_numbers_are_coordinates(value: object) -> None:
    with pytest.raises(EmotionError, match="arousal must be a number"):
        VAD(0.0, value, 0.0)  # type: ignore[arg-type]


def test_numpy_scalars_become_floats() -> None:
    point = VAD(np.float32(0.5), np.int64(1), np.float64(-0.25))  # type: ignore[arg-type]
    assert point == VAD(0.5, 1.0, -0.25)
    assert {type(value) for value in point.as_tuple()} == {float}


def test_minus_zero_is_zero_and_the_point_is_frozen() -> None:
    assert math.copysign(1.0, VAD(-0.0).valence) == 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        NEUTRAL.valence = 1.0  # type: ignore[misc]


def test_intensity_and_distance() -> None:
    assert VAD(0.6, 0.0, -0.8).intensity == pytest.approx(1.0)
    assert VAD(1, 1, 1).distance(VAD(-1, -1, -1)) == pytest.approx(2 * math.sqrt(3))
    assert VAD.clamped(2, -3, 0.5) == VAD(1, -1, 0.5)


@brief
@given(vads, st.floats(0, 1))
def test_scaling_scales_the_intensity(point: VAD, factor: float) -> None:
    assert point.scaled(factor).intensity == pytest.approx(point.intensity * factor, abs=SHIFT)


@brief
@given(vads.filter(lambda point: max(map(abs, point.as_tuple())) > 1e-300))
def test_reach_touches_the_boundary_and_no_further(point: VAD) -> None:
    edge = point.scaled(point.reach)
    assert max(map(abs, edge.as_tuple())) == pytest.approx(1.0)
    with pytest.raises(EmotionError):
        point.scaled(point.reach * 1.001)


@brief
@given(vads, vads, st.floats(0, 1))
def test_mixing_stays_between(start: VAD, end: VAD, share: float) -> None:
    mixed = start.mixed(end, share)
    for low, value, high in zip(start.as_tuple(), mixed.as_tuple(), end.as_tuple(), strict=True):
        assert min(low, high) <= value <= max(low, high)
    assert start.distance(mixed) == pytest.approx(share * start.distance(end), abs=1e-9)


@brief
@given(vads, vads)
def test_mixing_ends_are_exact(start: VAD, end: VAD) -> None:
    assert start.mixed(end, 0.0) == start
    assert start.mixed(end, 1.0) == end


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_outside_is_refused(share: float) -> None:
    with pytest.raises(EmotionError, match="share must be in"):
        NEUTRAL.mixed(VAD(1, 1, 1), share)


def test_emotion_checks_itself() -> None:
    with pytest.raises(EmotionError, match="vad must be a VAD"):
        Emotion((0.1, 0.2, 0.3))  # type: ignore[arg-type]
    with pytest.raises(EmotionError, match="sum to 1"):
        Emotion(NEUTRAL, (("joy", 0.5),))
    with pytest.raises(EmotionError, match="'fear' must be above 0"):
        Emotion(NEUTRAL, (("joy", 1.2), ("fear", -0.2)))
    assert Emotion(VAD(0.5, -1, 0)).text == "v=0.5 a=-1 d=0"
