"""The face that moves: what stays, what moves, where it moves to."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipelines.portrait import _face_head as heads
from pipelines.portrait._face_points import LOWER_LIP, SIDES, UPPER_LIP
from pipelines.portrait._face_warp import Face
from studio.errors import InputError
from studio.motion import INDEX, SHAPES, Motion, still

PORTRAITS = Path(__file__).parents[2] / "assets" / "portraits"
SIZE = 256
HEAD, AHEAD = np.zeros(6, np.float32), np.zeros(2, np.float32)


def given(name="anna"):
    picture = np.array(Image.open(PORTRAITS / f"{name}.png").convert("RGB"))
    points = json.loads((PORTRAITS / f"{name}.landmarks.json").read_text())["points"]
    return picture, np.array(points, np.float32)


@cache
def face_of(name):
    return Face(*given(name), SIZE)


@pytest.fixture(scope="module")
def face():
    return face_of("anna")


@pytest.fixture(scope="module")
def rest(face):
    return shown(face)


def weights(**given):
    row = np.zeros(len(SHAPES), np.float32)
    for name, value in given.items():
        for full in (name,) if name in INDEX else (f"{name}Left", f"{name}Right"):
            row[INDEX[full]] = value
    return row


def shown(face, head=HEAD, gaze=AHEAD, **given):
    return face.frame(weights(**given), np.asarray(head, np.float32), np.asarray(gaze, np.float32)).astype(
        int
    )


def box(face, landmarks, grow=0.0):
    points = face.landmarks[list(landmarks), :2]
    low, high = points.min(0) - grow * face.axes.unit_px, points.max(0) + grow * face.axes.unit_px
    (x0, y0), (x1, y1) = low.astype(int), np.ceil(high).astype(int) + 1
    return slice(max(y0, 0), y1), slice(max(x0, 0), x1)


def changed(one, other, where=(slice(None), slice(None))):
    return np.abs(one[where] - other[where]).max(-1)


def eye_of(side):
    return (*side.upper, *side.lower)


MOUTH = (*UPPER_LIP[3], *LOWER_LIP[3])


def test_a_face_at_rest_is_the_picture(face, rest):
    from pipelines.portrait._face_crop import crop

    cut = crop(*given(), SIZE)
    wanted = cut.picture.reshape(SIZE, 2, SIZE, 2, 3).astype(float).mean((1, 3))
    error = np.abs(rest - wanted)
    assert error.mean() < 1
    assert np.percentile(error, 99) < 6
    inside = box(face, (10, 152, 234, 454))
    assert error[inside].mean() < 1.5


@pytest.mark.parametrize("name", ["luna", "kofi"])
def test_other_styles_rest_too(name):
    face = face_of(name)
    assert np.isfinite(shown(face)).all()
    assert (changed(shown(face), shown(face, jawOpen=0.7)) > 20).sum() > 30


def test_the_background_stays_when_the_head_moves(face, rest):
    moved = shown(face, head=(8, 8, 6, 0.1, 0.1, 0.2))
    head = changed(moved, rest, box(face, (10, 152, 234, 454)))
    assert (head > 12).mean() > 0.2
    rim = np.ones((SIZE, SIZE), bool)
    rim[10:, 24:-24] = False
    assert changed(moved, rest)[rim].max() <= 2
    assert changed(moved, rest, (slice(-12, None), slice(None))).max() <= 8  # the shoulders


@pytest.mark.parametrize("name", [name for name in SHAPES if not name.startswith("eyeLook")])
def test_every_shape_moves_its_own_region(face, rest, name):
    brows = [i for side in SIDES for i in (*side.brow_top, *side.brow_edge)]
    eyes = [i for side in SIDES for i in eye_of(side)]
    places = {"brow": brows, "eye": eyes, "nose": (1, 2, 64, 294), "cheek": (50, 280, 205, 425, 234, 454)}
    places |= {"mouth": MOUTH, "jaw": (*MOUTH, 152), "tongue": MOUTH}
    kind = next(kind for kind in places if name.startswith(kind))
    with_it = {name: 1.0, "jawOpen": 0.4} if name in ("mouthClose", "tongueOut") else {name: 1.0}
    before = shown(face, jawOpen=0.4) if "jawOpen" in with_it and name != "jawOpen" else rest
    moved = changed(shown(face, **with_it), before)
    region = box(face, places[kind], 0.12)
    assert (moved[region] > 8).sum() >= 12
    far = moved.copy()
    far[box(face, (10, 152, 234, 454), 0.35)] = 0
    assert far.max() <= 2


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
def test_a_side_is_the_persons_own(face, rest, side):
    other = SIDES[1] if side is SIDES[0] else SIDES[0]
    moved = changed(shown(face, **{f"eyeBlink{side.name}": 1.0}), rest)
    assert (moved[box(face, eye_of(side))] > 20).mean() > 0.3
    assert (moved[box(face, eye_of(other))] > 8).mean() < 0.02
    assert np.sign(face.landmarks[side.iris, 0] - face.landmarks[1, 0]) == side.sign


@pytest.mark.parametrize("name", ["anna", "kofi", "luna"])
def test_a_blink_closes(name):
    face = face_of(name)
    closed, awake = shown(face, eyeBlink=1.0), shown(face)
    for side in SIDES:
        iris = face.landmarks[list(side.rim), :2]
        x, y = face.landmarks[side.iris, :2].astype(int)
        half = max(int((iris[:, 0].max() - iris[:, 0].min()) / 4), 1)
        spot = (slice(y - half, y + half + 1), slice(x - half, x + half + 1))
        assert (changed(closed, awake, spot) > 25).mean() > 0.6
        white = next(eye.white for eye in face._eyes if eye.side is side)
        open_, shut = (
            np.abs(frame[box(face, eye_of(side))] - white).max(-1) < 12 for frame in (awake, closed)
        )
        assert shut.sum() <= max(0.25 * open_.sum(), 2)


def test_cartoon_eyes_that_landmarks_miss_get_a_painted_lid():
    picture, landmarks = given()
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    for side in SIDES:
        x, y = landmarks[[*eye_of(side)], :2].mean(0)
        wide = abs(landmarks[side.upper[0], 0] - landmarks[side.upper[-1], 0])
        pen.ellipse((x - 0.55 * wide, y - 0.6 * wide, x + 0.55 * wide, y + 0.6 * wide), (250, 250, 250))
        pen.ellipse((x - 0.1 * wide, y - 0.1 * wide, x + 0.1 * wide, y + 0.1 * wide), (20, 20, 30))
    face = Face(np.array(image), landmarks, SIZE)
    awake, closed = ((shown(face, eyeBlink=blink).min(-1) > 235) for blink in (0.0, 1.0))
    for side in SIDES:
        area = box(face, eye_of(side), 0.15)
        assert awake[area].sum() > 100
        assert closed[area].sum() < 0.1 * awake[area].sum()


def test_lids_never_cross_and_lips_neither(face):
    random = np.random.default_rng(5)
    for _ in range(40):
        row = random.uniform(0, 1, len(SHAPES)).astype(np.float32)
        amounts, lids = face._solver.amounts(row, random.uniform(-40, 40, 2).astype(np.float32))
        assert all(lid.upper + lid.lower <= 1 + 1e-6 for lid in lids.values())
        gaps = face._solver.rest + amounts @ face._solver.gaps
        assert gaps.min() > -0.35  # px


def test_the_jaw_opens_a_dark_mouth(face, rest):
    opened = shown(face, jawOpen=0.8)
    lips = box(face, MOUTH)
    below = (slice(lips[0].start, lips[0].stop + SIZE // 16), lips[1])
    dark = lambda frame: (frame[below].sum(-1) < 150).sum()  # noqa: E731
    assert dark(opened) > dark(rest) + 60
    wider = shown(face, jawOpen=0.4)
    assert dark(opened) > dark(wider) > dark(rest)


def test_closing_the_mouth_undoes_the_jaw(face):
    opened, closed = (face._solver.amounts(weights(jawOpen=0.5, mouthClose=w), AHEAD)[0] for w in (0.0, 0.5))
    gap = [face._solver.rest + amounts @ face._solver.gaps for amounts in (opened, closed)]
    assert gap[0].max() > 8 * max(gap[1].max(), 0.1)


def test_the_gaze_moves_the_iris(face, rest):
    def darkest(frame, side):
        area = box(face, eye_of(side))
        light = frame[area].sum(-1).astype(float)
        weight = np.clip(np.percentile(light, 30) - light, 0, None)
        rows, columns = np.indices(light.shape)
        return (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()

    for side in SIDES:
        middle = darkest(rest, side)
        assert darkest(shown(face, gaze=(25, 0)), side)[0] > middle[0] + 1
        assert darkest(shown(face, gaze=(-25, 0)), side)[0] < middle[0] - 1


def test_turns_are_softly_limited(face):
    still_ = face._head.turn(np.array([0, 10, 0, 0, 0, 0], np.float32)).rotation
    assert np.degrees(np.arcsin(abs(still_[0, 2]))) == pytest.approx(10, abs=0.01)
    far = face._head.turn(np.array([0, 80, 0, 0, 0, 0], np.float32)).rotation
    assert 10 < np.degrees(np.arcsin(abs(far[0, 2]))) <= heads.MOST_DEG + 0.01


def test_the_head_turns_to_the_persons_left(face):
    nose = face.landmarks[1].copy()
    turned = face._head.turn(np.array([0, 8, 0, 0, 0, 0], np.float32)).of(nose)
    raised = face._head.turn(np.array([8, 0, 0, 0, 0, 0], np.float32)).of(nose)
    tilted = face._head.turn(np.array([0, 0, 8, 0, 0, 0], np.float32)).of(face.landmarks[10].copy())
    assert turned[0] > nose[0] + 1
    assert raised[1] < nose[1] - 1
    assert tilted[0] > face.landmarks[10, 0] + 1


def test_extreme_weights_give_pictures(face):
    random = np.random.default_rng(3)
    for row in (np.ones(len(SHAPES)), random.uniform(0, 1, len(SHAPES))):
        frame = face.frame(row.astype(np.float32), np.full(6, 500, np.float32), np.full(2, -500, np.float32))
        assert frame.shape == (SIZE, SIZE, 3) and frame.dtype == np.uint8
        assert frame.std() > 20


def test_frames_come_one_by_one_and_the_same_again(face):
    motion = Motion(np.tile(weights(jawOpen=0.3, mouthSmile=0.4), (3, 1)), np.zeros((3, 6)), np.zeros((3, 2)))
    frames = face.frames(motion)
    first = next(frames)
    kept = first.copy()
    rest_of = list(frames)
    assert len(rest_of) == 2
    assert (first == kept).all()  # a frame is the caller's own
    again = list(Face(*given(), SIZE).frames(motion))
    assert all((one == other).all() for one, other in zip([first, *rest_of], again, strict=True))


@pytest.mark.parametrize("shape", [(64, 64), (300, 120), (120, 300), (2400, 1800)])
def test_pictures_of_any_shape(shape):
    picture, landmarks = given()
    high, wide = shape
    scale = min(high, wide) / picture.shape[0]
    image = Image.fromarray(picture).resize(
        (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    )
    canvas = np.full((high, wide, 3), 128, np.uint8)
    top, left = (high - image.height) // 2, (wide - image.width) // 2
    canvas[top : top + image.height, left : left + image.width] = np.array(image)
    moved = landmarks * scale + np.array([left, top, 0], np.float32)
    frame = next(Face(canvas, moved, 64).frames(still(1)))
    assert frame.shape == (64, 64, 3)
    assert frame.std() > 20


def test_a_smiling_picture_is_brought_to_rest():
    picture, landmarks = given()
    before = face_of("anna").shown[INDEX["mouthSmileLeft"]]
    unit = np.linalg.norm(landmarks[33, :2] - landmarks[263, :2])
    for ring in (*UPPER_LIP, *LOWER_LIP):
        across = np.linspace(-1, 1, 11) ** 3
        landmarks[list(ring), 0] += 0.1 * unit * across / 2
        landmarks[list(ring), 1] -= 0.1 * unit * np.abs(across) / 2
    after = Face(picture, landmarks, 64).shown[INDEX["mouthSmileLeft"]]
    assert before < 0.3 < after


@pytest.mark.parametrize(
    ("field", "picture", "landmarks", "size"),
    [
        ("picture", np.zeros((64, 64), np.uint8), np.zeros((478, 3), np.float32), 64),
        ("picture", np.zeros((64, 64, 3), np.float32), np.zeros((478, 3), np.float32), 64),
        ("landmarks", np.zeros((64, 64, 3), np.uint8), np.zeros((468, 3), np.float32), 64),
        ("landmarks", np.zeros((64, 64, 3), np.uint8), np.full((478, 3), np.nan, np.float32), 64),
        ("landmarks", np.zeros((64, 64, 3), np.uint8), np.zeros((478, 3), np.float32), 64),
        ("size_px", *given(), 20),
    ],
)
def test_bad_input_is_named(field, picture, landmarks, size):
    with pytest.raises(InputError, match=field):
        Face(picture, landmarks, size)
