"""The embedded portraits: their landmarks lie on what is drawn, and the drawing can be made again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from studio import landmarks as marks
from studio import portraits
from studio.errors import InputError
from studio.face_mesh import EYES, LOWER_LIP, OVAL, UPPER_LIP, Eye
from studio.landmarks import Landmarks
from training.synthesis.portraits import PEOPLE, drawn_landmarks, portrait

NAMES = portraits.names()
HUMANS = [name for name in NAMES if name != "fox"]
CLOSED_PX = 1.2


def found(name: str) -> Landmarks:
    picture = portraits.path(name)
    with Image.open(picture) as opened:
        saved = marks.load(picture, *opened.size)
    assert saved is not None
    return saved


def pixels(name: str) -> npt.NDArray[np.float64]:
    with Image.open(portraits.path(name)) as opened:
        return np.asarray(opened.convert("RGB"), dtype=np.float64)


def inside(ring: npt.NDArray[np.floating], point: npt.NDArray[np.floating]) -> bool:
    """Even-odd rule."""
    (x, y), crossings = point, 0
    for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
            crossings += 1
    return crossings % 2 == 1


def opening(points: npt.NDArray[np.float32], eye: Eye) -> npt.NDArray[np.float32]:
    return points[[*eye.upper, *eye.lower[-2:0:-1]], :2]


def test_there_are_eight_and_all_can_be_drawn_again() -> None:
    assert set(NAMES) == set(PEOPLE)
    assert len(NAMES) == 8


@pytest.mark.parametrize("name", NAMES)
def test_the_landmarks_are_those_it_was_drawn_along(name: str) -> None:
    saved = found(name)
    assert saved.origin == "drawn"
    assert np.abs(saved.points - drawn_landmarks(name).points).max() < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_of_the_face_are_in_order(name: str) -> None:
    points = found(name).points
    oval = points[list(OVAL), :2]
    for eye in EYES:
        assert all(inside(oval, point) for point in opening(points, eye))
        assert inside(opening(points, eye), points[eye.iris[0], :2])
        gaps = points[list(eye.lower[1:-1]), 1] - points[list(eye.upper[1:-1]), 1]
        assert (gaps > 0).all()
        assert points[list(eye.brow_bottom), 1].max() < points[list(eye.upper), 1].max()
        rim = np.linalg.norm(points[list(eye.iris[1:]), :2] - points[eye.iris[0], :2], axis=1)
        assert np.ptp(rim) < 0.01
    assert points[EYES[0].iris[0], 0] < points[EYES[1].iris[0], 0]  # her right eye is on the left
    assert points[168, 1] < points[1, 1] < points[0, 1] < points[17, 1] < points[152, 1]


@pytest.mark.parametrize("name", NAMES)
def test_the_mouth_is_closed_and_its_rings_are_nested(name: str) -> None:
    points = found(name).points
    gap = points[list(LOWER_LIP[-1]), 1] - points[list(UPPER_LIP[-1]), 1]
    assert (gap >= 0).all()
    assert gap.max() < CLOSED_PX
    for rings, sign in ((UPPER_LIP, 1), (LOWER_LIP, -1)):
        heights = np.stack([points[list(ring)[1:-1], 1] for ring in rings]) * sign
        assert (np.diff(heights, axis=0) > 0).all()


@pytest.mark.parametrize("name", HUMANS)
def test_irises_are_darker_than_the_white_beside_them(name: str) -> None:
    points, picture = found(name).points, pixels(name)
    for eye in EYES:
        centre, radius = points[eye.iris[0], :2], points[eye.iris[1], 0] - points[eye.iris[0], 0]
        y, x = np.mgrid[0:768, 0:768]
        far = np.hypot(x - centre[0], y - centre[1])
        mask = Image.new("1", (768, 768))
        ImageDraw.Draw(mask).polygon([tuple(point) for point in opening(points, eye).tolist()], fill=1)
        within = np.asarray(mask)
        iris, white = within & (far < radius * 0.9), within & (far > radius * 1.1)
        assert iris.sum() > 60
        assert picture[iris].mean() < picture[white].mean() - 25


@pytest.mark.parametrize("name", NAMES)
def test_the_line_between_the_lips_is_darker_than_the_lips(name: str) -> None:
    points, picture = found(name).points, pixels(name)

    def shade(at: npt.NDArray[np.floating]) -> float:
        near = [picture[round(y) + dy, round(x)] for x, y in at for dy in (-1, 0, 1)]
        return float(np.mean(near))

    middle = slice(3, 8)
    line = shade(points[list(UPPER_LIP[-1][middle]), :2])
    lower = (points[list(LOWER_LIP[1][middle]), :2] + points[list(LOWER_LIP[2][middle]), :2]) / 2
    assert line < shade(lower) - 8


@pytest.mark.parametrize("name", ["anna", "kofi", "luna", "mei"])
def test_lips_are_pinker_than_the_skin_around(name: str) -> None:
    points, picture = found(name).points, pixels(name)

    def pinkness(numbers: list[int]) -> float:
        colours = np.stack([picture[round(y), round(x)] for x, y in points[numbers, :2].tolist()])
        return float(((colours[:, 2] - colours[:, 1]) / colours.sum(axis=1)).mean())

    assert pinkness(list(LOWER_LIP[1][3:8])) > pinkness([36, 266, 50, 205, 425]) + 0.02


def test_files_are_small() -> None:
    for name in NAMES:
        assert portraits.path(name).stat().st_size < 520 * 1024


def test_a_portrait_is_drawn_again() -> None:
    drawn, _ = portrait("diego")
    difference = np.abs(drawn - pixels("diego"))
    assert difference.mean() < 0.5  # exact with the pinned libraries, nearly so with others


def test_a_name_or_a_path_is_resolved() -> None:
    assert portraits.resolve("anna") == portraits.path("anna")
    assert portraits.resolve(str(portraits.path("fox"))) == portraits.path("fox")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ana", "no portrait 'ana'.*did you mean 'anna'"),
        ("somebody", "there are anna, diego, fox"),
        ("faces/anna.png", "there is no file 'faces/anna.png'"),
        ("anna.jpg", "there is no file"),
        ("x" * 5000, "no portrait|no file"),
        ("a\0b", "no portrait|no file"),
        ("", "no portrait|no file"),
    ],
)
def test_what_is_neither_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        portraits.resolve(text)
    assert caught.value.field == "inputs.image"
