"""Landmarks: placed by hand, saved, read back, found. What needs the detector runs when its file is there."""

from __future__ import annotations

import http.server
import json
import math
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipelines.portrait import _face_model
from pipelines.portrait._landmarks import check_face, find, landmarks_for, turn_deg
from pipelines.portrait._portrait_picture import read_picture
from studio import landmarks as marks
from studio import portraits
from studio.errors import InputError, ModelError, StudioError
from studio.face_mesh import EYES, LOWER_LIP, UPPER_LIP, mean_face
from studio.landmarks import NAMES, NEEDED, Landmarks, placed

SIZE = 400
Named = dict[str, tuple[float, float]]


def by_hand(names: tuple[str, ...] = NEEDED, tilt_deg: float = 0.0, scale: float = 14.0) -> Named:
    """A wide-eyed face as a person would click it: the mean one, tilted, with lids further apart."""
    angle = math.radians(tilt_deg)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    found = {}
    for name in names:
        x, y = mean_face()[NAMES[name], :2]
        y += {"upper": -0.6, "lower": 0.5}.get(name.rpartition("_")[2], 0.0) if "lid" in name else 0.0
        at = turn @ (x, y) * scale + SIZE / 2
        found[name] = (float(at[0]), float(at[1]))
    return found


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "aunt.png"
    Image.new("RGB", (SIZE, SIZE), "grey").save(path)
    return path


@pytest.mark.parametrize("tilt_deg", [0.0, 25.0, -90.0])
@pytest.mark.parametrize("names", [NEEDED, tuple(NAMES)])
def test_points_placed_by_hand_are_met_exactly(names: tuple[str, ...], tilt_deg: float) -> None:
    named = by_hand(names, tilt_deg)
    fitted = placed(named, SIZE, SIZE)
    for name, point in named.items():
        assert fitted.named[name] == pytest.approx(point, abs=1e-4)
    assert fitted.origin == "placed by hand"
    for eye in EYES:  # what was not placed follows: irises are round, lids enclose them
        rim = np.linalg.norm(fitted.points[list(eye.iris[1:]), :2] - fitted.points[eye.iris[0], :2], axis=1)
        assert np.ptp(rim) < 1e-3


def test_the_mean_face_placed_by_hand_is_the_mean_face() -> None:
    scale = 14.0
    named = {name: tuple(mean_face()[NAMES[name], :2] * scale + SIZE / 2) for name in NEEDED}
    fitted = placed(named, SIZE, SIZE)  # type: ignore[arg-type]
    wanted = mean_face()[:468] * scale
    lips = {number for ring in (*UPPER_LIP[1:], *LOWER_LIP[1:]) for number in ring}
    skin = [number for number in range(468) if number not in lips]
    assert np.abs(fitted.points[skin, :2] - wanted[skin, :2] - SIZE / 2).max() < 0.01
    assert np.abs(fitted.points[:468, 2] - wanted[:, 2]).max() < 0.01
    upper, lower = (fitted.points[list(lip[-1]), :2] for lip in (UPPER_LIP, LOWER_LIP))
    assert np.abs(upper - lower).max() < 1e-4  # the mouth is closed
    for lip, sign in ((UPPER_LIP, 1), (LOWER_LIP, -1)):
        heights = np.stack([fitted.points[list(ring)[2:-2], 1] for ring in lip]) * sign
        assert (np.diff(heights, axis=0) > 0).all()


@pytest.mark.parametrize("name", portraits.names())
def test_a_dozen_points_are_enough_for_every_portrait(name: str) -> None:
    exact = landmarks_for(portraits.path(name))
    fitted = placed({one: exact.named[one] for one in NEEDED}, exact.width_px, exact.height_px)
    eyes = float(np.linalg.norm(exact.points[33, :2] - exact.points[263, :2]))
    off = np.linalg.norm(fitted.points[:, :2] - exact.points[:, :2], axis=1) / eyes
    lids = [number for eye in EYES for number in (*eye.upper, *eye.lower)]
    assert off[lids].mean() < 0.02
    assert off.mean() < 0.12


def moved(name: str, x: float, y: float) -> Named:
    return {**by_hand(), name: (x, y)}


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({}, "missing: right_eye_outer"),
        ({**by_hand(), "right_eye_outr": (1.0, 1.0)}, "unknown point.*did you mean 'right_eye_outer'"),
        (moved("chin", 10, 4000), "chin is at .10, 4000., outside a picture of 400 x 400 px"),
        (moved("chin", math.nan, 3), "chin must be two numbers"),
        (moved("chin", 200, 20), "the chin is above the eyes"),
        (moved("left_lid_upper", *by_hand()["chin"]), "left_lid_upper must be above left_lid_lower"),
        (moved("mouth_left", 20, 260), "mouth_left and mouth_right are exchanged"),
        (moved("left_eye_outer", *by_hand()["right_eye_outer"]), "the eyes are 0.0 px apart"),
    ],
)
def test_points_that_make_no_face_are_refused(named: Named, why: str) -> None:
    with pytest.raises(InputError, match=why):
        placed(named, SIZE, SIZE)


def test_saved_and_read_back(picture: Path) -> None:
    placed_points = placed(by_hand(tuple(NAMES)), SIZE, SIZE)
    file = marks.save(placed_points, picture)
    assert file.name == "aunt.landmarks.json"
    again = landmarks_for(picture)
    assert again.origin == "placed by hand"
    assert np.abs(again.points - placed_points.points).max() < 0.001


def test_named_points_alone_are_enough(picture: Path) -> None:
    head = {"format": "face landmarks", "version": 1, "width_px": SIZE, "height_px": SIZE}
    marks.beside(picture).write_text(json.dumps({**head, "named": by_hand()}), "utf-8")
    assert landmarks_for(picture).named["chin"] == pytest.approx(by_hand()["chin"], abs=1e-3)


def test_a_saved_file_needs_no_detector(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_face_model.SETTING, "/nowhere/at/all.task")
    marks.save(placed(by_hand(), SIZE, SIZE), picture)
    assert landmarks_for(picture).width_px == SIZE
    with pytest.raises(ModelError, match=r"FACE_MODEL: there is no file"):
        landmarks_for(picture, face=1)


def stored(**changes: Any) -> str:
    base = {"format": "face landmarks", "version": 1, "width_px": SIZE, "height_px": SIZE}
    return json.dumps({**base, "named": by_hand(), **changes})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no JSON"),
        ("[" * 20000, "is no JSON"),
        ("[]", "is no landmarks file"),
        (stored(format="faces"), "is no landmarks file"),
        (stored(version=2), "has version 2; this program reads 1"),
        (stored(width_px=401), "was made for 401 x 400 px, the picture has 400 x 400"),
        (stored(named={}), "missing: right_eye_outer"),
        (stored(named={"chin": [1]}), r"chin must be \[x, y\]"),
        (stored(named={"chin": ["a", 2]}), r"chin must be \[x, y\]"),
        (stored(named=[1]), "must be names with"),
        (stored(points=[[1, 2, 3]]), r"must have the shape \(478, 3\)"),
        (stored(points="x"), "must be 478 times three numbers"),
        (stored(points=[[1, 2, None]] * 478), "no number"),
        (
            stored(points=[[200, 200, 0]] * 478),
            "right_eye_outer is at .137.76, 162.70. here and at .200.00, 200.00. in points",
        ),
        (stored(points=[[900, 200, 0]] * 478, named={}), "outside a picture of 400 x 400 px"),
        (stored(points=[[200, 200, 0]] * 478, named={}, origin="dreamt"), "'dreamt' is not one of"),
        (" " * (2**20 + 1), "larger than 1 MiB"),
    ],
)
def test_a_damaged_file_is_named(picture: Path, text: str, why: str) -> None:
    marks.beside(picture).write_text(text, "utf-8")
    with pytest.raises(InputError, match=why) as caught:
        landmarks_for(picture)
    assert caught.value.field == "aunt.landmarks.json"
    assert "\n" not in str(caught.value)


def test_landmarks_are_checked_and_cannot_be_written_to() -> None:
    points = mean_face() * 10 + 200
    made = Landmarks(points, SIZE, SIZE)
    assert made.points.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        made.points[0] = 0
    with pytest.raises(InputError, match=r"\(478, 3\)"):
        Landmarks(points[:468], SIZE, SIZE)


def saved_picture(tmp_path: Path, size: tuple[int, int], mode: str = "RGB") -> Path:
    path = tmp_path / "p.png"
    Image.new(mode, size).save(path)
    return path


@pytest.mark.parametrize(
    ("size", "why"),
    [
        ((20, 20), "20 x 20 px is too small"),
        ((300, 63), "too small"),
        ((20000, 70), "20000 x 70 px is too large"),
    ],
)
def test_sizes_that_cannot_be_used(tmp_path: Path, size: tuple[int, int], why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        landmarks_for(saved_picture(tmp_path, size, "1"))
    assert caught.value.field == "inputs.image"


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"p.jpg cannot be read as a picture"):
        read_picture(path)


def test_a_missing_picture_and_a_cut_one(tmp_path: Path) -> None:
    for missing in (tmp_path / "none.png", tmp_path, tmp_path / ("x" * 5000)):
        with pytest.raises(InputError, match=r"there is no file|cannot be read"):
            read_picture(missing)
    whole = portraits.path("diego").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read as a picture"):
        read_picture(tmp_path / "cut.png")


def test_a_picture_is_turned_as_the_camera_says(tmp_path: Path) -> None:
    lying = Image.new("RGB", (200, 100), "black")
    tags = lying.getexif()
    tags[0x0112] = 6  # the right side of what was seen is at the top
    lying.save(tmp_path / "p.jpg", exif=tags)
    assert read_picture(tmp_path / "p.jpg").shape == (200, 100, 3)


def test_transparency_becomes_white(tmp_path: Path) -> None:
    assert read_picture(saved_picture(tmp_path, (80, 80), "RGBA")).min() == 255


def turned(yaw: float, scale: float = 12.0) -> npt.NDArray[np.float32]:
    angle = math.radians(yaw)
    turn = [[math.cos(angle), 0, -math.sin(angle)], [0, 1, 0], [math.sin(angle), 0, math.cos(angle)]]
    return (mean_face() @ np.transpose(turn) * scale + 300).astype(np.float32)


@pytest.mark.parametrize("yaw", [0.0, 20.0, -35.0, 60.0])
def test_a_turned_head_is_measured(yaw: float) -> None:
    assert turn_deg(turned(yaw)) == pytest.approx((yaw, 0, 0), abs=0.01)
    assert np.sign(round(float(turned(yaw)[1, 0]) - 300, 3)) == np.sign(yaw)  # to her left is to our right


def test_profiles_and_small_faces_are_refused() -> None:
    check_face(turned(-35))
    with pytest.raises(InputError, match="the face is turned 60 degrees to its left; 40 is the most"):
        check_face(turned(60))
    with pytest.raises(InputError, match="turned 55 degrees to its right"):
        check_face(turned(-55))
    with pytest.raises(InputError, match="the face is 35 px high; 48 are needed"):
        check_face(turned(0, scale=2))


@pytest.mark.parametrize("name", portraits.names())
def test_saved_portraits_say_how_they_are_turned(name: str) -> None:
    assert abs(turn_deg(landmarks_for(portraits.path(name)).points)[0]) <= 8


# The file of the detector.


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(_face_model.SETTING, raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "emotion-studio" / _face_model.NAME


def bundle(path: Path, parts: tuple[str, ...] = _face_model.PARTS) -> bytes:
    with zipfile.ZipFile(path, "w") as file:
        for part in parts:
            file.writestr(part, b"weights")
    return path.read_bytes()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address and the folder that is served there."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/{_face_model.NAME}", folder
        running.shutdown()
        thread.join()


def test_the_setting_comes_first(tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle(tmp_path / _face_model.NAME)
    monkeypatch.setenv(_face_model.SETTING, str(tmp_path))
    assert _face_model.model_file() == tmp_path / _face_model.NAME


@pytest.mark.parametrize(
    ("content", "why"), [(b"weights", "is no face landmarker"), (None, "without face_det")]
)
def test_a_file_that_is_not_the_model(empty_cache: Path, content: bytes | None, why: str) -> None:
    empty_cache.parent.mkdir(parents=True)
    if content is None:
        bundle(empty_cache, ("other.tflite",))
    else:
        empty_cache.write_bytes(content)
    with pytest.raises(ModelError, match=why):
        _face_model.model_file()


def test_offline_says_what_to_do(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError) as caught:
        _face_model.model_file()
    message = str(caught.value)
    assert _face_model.URL in message and str(empty_cache) in message and _face_model.SETTING in message


def test_a_server_out_of_reach_says_what_to_do(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_face_model, "URL", "http://127.0.0.1:9/face_landmarker.task")
    with pytest.raises(ModelError, match=r"no download .*save it as .*emotion-studio"):
        _face_model.model_file()
    assert not empty_cache.exists()


def test_a_download_is_checked_and_kept(
    tmp_path: Path, empty_cache: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = server
    content = bundle(folder / _face_model.NAME)
    monkeypatch.setattr(_face_model, "URL", url)
    with pytest.raises(ModelError, match="what was downloaded is not the file"):
        _face_model.model_file()
    assert not empty_cache.exists()
    monkeypatch.setattr(_face_model, "BYTES", len(content))
    monkeypatch.setattr(_face_model, "SHA256", _face_model.hashlib.sha256(content).hexdigest())
    assert _face_model.model_file() == empty_cache
    assert empty_cache.read_bytes() == content
    monkeypatch.setattr(_face_model, "URL", "http://127.0.0.1:9/gone")
    assert _face_model.model_file() == empty_cache


# The detector itself.


def available() -> bool:
    try:
        return _face_model.present() is not None
    except StudioError:
        return False


needs_detector = pytest.mark.skipif(not available(), reason="face_landmarker.task is not on this machine")


def drawn(name: str) -> npt.NDArray[np.uint8]:
    return read_picture(portraits.path(name))


@needs_detector
@pytest.mark.parametrize("name", ["anna", "kofi", "ruth"])
def test_a_drawn_face_is_found_where_it_was_drawn(name: str) -> None:
    found, exact = find(drawn(name)).points, landmarks_for(portraits.path(name)).points
    eyes = float(np.linalg.norm(exact[33, :2] - exact[263, :2]))
    lids = [number for eye in EYES for number in (*eye.upper, *eye.lower)]
    assert np.linalg.norm(found[lids, :2] - exact[lids, :2], axis=1).mean() < 0.05 * eyes
    assert np.linalg.norm(found[:, :2] - exact[:, :2], axis=1).mean() < 0.08 * eyes


@needs_detector
def test_of_several_faces_one_is_chosen(capfd: pytest.CaptureFixture[str]) -> None:
    both = np.hstack([drawn("anna"), drawn("kofi")])
    with pytest.raises(
        InputError, match=r"2 faces; choose one with face=1 ..: 1 at \(3\d\d, .*; 2 at \(11\d\d,"
    ):
        find(both)
    assert find(both, 2).points[1, 0] > 768
    with pytest.raises(InputError, match="there is no face 3; the picture has 2 faces"):
        find(both, 3)
    assert capfd.readouterr().err == ""  # MediaPipe's diary is not shown


@needs_detector
def test_no_face_and_a_small_one() -> None:
    with pytest.raises(InputError, match="no face found; place a dozen points by hand"):
        find(np.full((300, 300, 3), 128, np.uint8))
    small = np.full((300, 300, 3), 200, np.uint8)
    small[100:190, 100:190] = np.asarray(Image.fromarray(drawn("anna")).resize((90, 90)))
    with pytest.raises(InputError, match=r"the face is \d\d px high; 48 are needed"):
        find(small)


@needs_detector
def test_a_face_that_fills_the_picture_is_found() -> None:
    tight = np.ascontiguousarray(drawn("anna")[215:520, 250:520])
    assert abs(find(tight).points[1, 0] - (392 - 250)) < 12
