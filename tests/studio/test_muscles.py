"""Action units: the table, feelings as muscles, muscles as shapes and back, and the text people write."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from studio import muscles
from studio.emotion import NEUTRAL, VAD, lexicon
from studio.errors import InputError
from studio.motion import INDEX, SHAPES

BASIC = ("joy", "sadness", "anger", "fear", "disgust", "surprise", "contempt")
EVERY = tuple(muscles.prototypes())


def test_the_table_is_whole() -> None:
    for number, unit in muscles.units().items():
        assert unit.number == number and unit.name and unit.plain and unit.region in muscles.REGIONS
        assert set(unit.shapes) <= set(SHAPES) and all(0 < weight <= 1 for weight in unit.shapes.values())
        assert any(muscles.region_of(shape) == unit.region for shape in unit.shapes)
    assert EVERY[: len(BASIC)] == BASIC
    for prototype in muscles.prototypes().values():
        assert prototype.point == lexicon().lookup(prototype.label).vad
        assert prototype.source and prototype.units


def test_at_neutral_no_muscle_moves() -> None:
    assert muscles.of(NEUTRAL) == {}
    assert not muscles.weights({}).any()
    assert muscles.describe(muscles.of(NEUTRAL)) == "at rest"


@pytest.mark.parametrize("name", EVERY)
def test_a_label_shows_its_own_face_in_full(name: str) -> None:
    prototype = muscles.prototypes()[name]
    shown = muscles.of(prototype.point)
    others = [one.units for other, one in muscles.prototypes().items() if other != name]
    own, *rest = muscles.distinctness([shown, prototype.units, *others])[0, 1:]
    assert own > 0.99 and own > max(rest)
    assert shown == pytest.approx(dict(prototype.units), abs=0.03)


@pytest.mark.parametrize("name", EVERY)
def test_intensity_grows_with_the_feeling(name: str) -> None:
    prototype = muscles.prototypes()[name]
    steps = [muscles.of(prototype.point.scaled(share)) for share in np.linspace(0, 1, 21)]
    for number in prototype.units:
        values = [step.get(number, 0.0) for step in steps]
        assert all(later >= earlier - 1e-4 for earlier, later in itertools.pairwise(values))
    total = [sum(step.values()) for step in steps]
    assert all(later > earlier for earlier, later in itertools.pairwise(total))
    half = sum(steps[10].values()) / total[-1]
    assert half == pytest.approx(0.5, abs=0.02)


def test_faces_that_are_mixed_up_easily_are_apart() -> None:
    faces = [muscles.of(muscles.prototypes()[name].point) for name in BASIC]
    near = muscles.distinctness(faces)
    at = BASIC.index
    assert near[at("fear"), at("sadness")] < 0.5
    assert near[at("disgust"), at("anger")] < 0.3
    assert (near - 2 * np.eye(len(BASIC))).max() < 0.9


@pytest.mark.parametrize(
    ("word", "name"), [("rage", "anger"), ("terror", "fear"), ("happiness", "joy"), ("mead/sad", "sadness")]
)
def test_words_near_a_label_look_like_it(word: str, name: str) -> None:
    shown = muscles.of(lexicon().lookup(word).vad)
    assert muscles.distinctness([shown, muscles.prototypes()[name].units])[0, 1] > 0.97


def test_a_small_step_of_feeling_is_a_small_step_of_the_face() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (5000, 3)).astype(np.float32)
    steps = rng.normal(size=points.shape)
    steps *= 1e-4 / np.linalg.norm(steps, axis=1, keepdims=True)
    there = muscles.track((points + steps).astype(np.float32))
    assert np.abs(there - muscles.track(points)).max() < 0.03
    assert there.min() >= 0 and there.max() <= 1


def test_contempt_is_on_one_side() -> None:
    units = muscles.of(muscles.prototypes()["contempt"].point)
    left, right = (muscles.weights(units, lean) for lean in (1.0, -1.0))
    dimples = INDEX["mouthDimpleLeft"], INDEX["mouthDimpleRight"]
    assert left[dimples[0]] > 0.9 and left[dimples[1]] < 0.1
    assert right[dimples[1]] > 0.9 and right[dimples[0]] < 0.1
    even = muscles.weights(units, 0.0)
    assert even[dimples[0]] == even[dimples[1]]


@pytest.mark.parametrize("lean", [-0.8, 0.0, 0.7])
def test_units_come_back_from_the_shapes(lean: float) -> None:
    given = {1: 0.7, 4: 0.4, 6: 0.5, 7: 0.3, 9: 0.6, 12: 0.8, 15: 0.2, 20: 0.3, 24: 0.45, 26: 0.5}
    assert muscles.units_of(muscles.weights(given, lean)) == pytest.approx(given, abs=0.03)
    assert muscles.units_of(np.zeros(len(SHAPES), np.float32)) == {}


def test_composite_units_come_back_as_their_parts() -> None:
    assert set(muscles.units_of(muscles.weights({25: 1.0}))) == {10, 16, 26}


def test_describe_goes_down_the_face() -> None:
    text = muscles.describe({12: 0.9, 7: 0.3, 1: 0.1})
    assert text == "inner brows up (AU1, slight), lids tight (AU7), smiling mouth corners (AU12, strong)"


def test_parse_reads_what_people_write() -> None:
    assert muscles.parse("AU4=0.8, 12:0.3, inner brow raiser=.5") == {4: 0.8, 12: 0.3, 1: 0.5}
    assert muscles.parse("au07 = 1; Eyes Wide\nAU 26:0") == {7: 1.0, 5: 1.0, 26: 0.0}
    assert muscles.parse("  ") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AU3=1", "muscles: unknown action unit 'AU3'; did you mean 'AU2'?"),
        ("inner brow raser=1", "did you mean 'inner brow raiser'?"),
        ("AU4=1.5", "AU4 must be in [0, 1], got 1.5; did you mean '1'?"),
        ("AU4=-1", "did you mean '0'?"),
        ("AU4=nan", "AU4 must be in [0, 1]"),
        ("AU4=much", "AU4 needs a number in [0, 1], got 'much'"),
        ("AU4=1, brow lowerer=.5", "AU4 is given twice"),
        ("=", "cannot read '='"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        muscles.parse(text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_units_are_refused_everywhere() -> None:
    for call in (muscles.weights, muscles.describe):
        with pytest.raises(InputError, match="AU99"):
            call({99: 1.0})


def test_points_outside_the_labels_have_a_face_too() -> None:
    for point in (VAD(1, 0, 0), VAD(-1, 0, 0), VAD(0, -1, 0), VAD(0, 0, 1), VAD(-1, -1, 1)):
        assert muscles.of(point)
