"""Motion files keep what they can hold, have the documented columns, and say what is wrong with them."""

from __future__ import annotations

import csv
import io
import json
import math
import random
from pathlib import Path

import numpy as np
import pytest

from studio import motion_files
from studio.errors import InputError
from studio.motion import INDEX, SHAPES, Motion, still
from studio.motion_files import FORMATS, metahuman_table, motion_bytes, read_motion
from tests.studio.motions import moving, single
from tests.studio.rig_orders import BEAT, LIVE_LINK, METAHUMAN


def back(motion: Motion, format: str) -> Motion:
    return FORMATS[format].read(motion_bytes(motion, format), f"a{FORMATS[format].suffix}")


def cells(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode())))


def livelink(rows: list[dict[str, str]], columns: list[str] = LIVE_LINK) -> bytes:
    """A file with those columns; what a row does not say is 0."""
    lines = [",".join(columns)]
    lines += [
        ",".join(row.get(column, "61" if column == LIVE_LINK[1] else "0") for column in columns)
        for row in rows
    ]
    return "\n".join(lines).encode()


def read_livelink(content: bytes) -> Motion:
    return FORMATS["livelink"].read(content, "take.csv")


# --- all formats ------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_shapes_and_gaze_come_back(format: str) -> None:
    motion = moving()
    found = back(motion, format)
    wanted = motion.at_rate(found.rate_hz)
    assert found.rate_hz == (60 if format in ("beat", "metahuman") else 30) and len(found) == len(wanted)
    lost = [INDEX["tongueOut"]] if format == "beat" else []
    kept = [index for index in range(len(SHAPES)) if index not in lost]
    assert np.abs(found.weights - wanted.weights)[:, kept].max() < 2e-6
    assert (found.weights[:, lost] == 0).all()
    assert np.abs(found.gaze - wanted.gaze).max() < 1e-4


@pytest.mark.parametrize(
    ("format", "kept"), [("gltf", 6), ("npz", 6), ("livelink", 3), ("beat", 0), ("metahuman", 0)]
)
def test_the_head_comes_back_as_far_as_the_format_has_it(format: str, kept: int) -> None:
    motion = moving()
    head = back(motion, format).head
    if kept:
        assert np.abs(head[:, :kept] - motion.head[:, :kept]).max() < 1e-4
    assert (head[:, kept:] == 0).all()


def test_npz_is_exact() -> None:
    motion, found = moving(seed=3), back(moving(seed=3), "npz")
    for part in ("weights", "head", "gaze"):
        assert np.array_equal(getattr(motion, part), getattr(found, part))


@pytest.mark.parametrize("format", ["gltf", "livelink", "npz"])
@pytest.mark.parametrize("rate_hz", [23.976, 24.0, 25.0, 29.97, 30.0, 37.5, 60.0, 120.0])
def test_the_rate_comes_back(format: str, rate_hz: float) -> None:
    motion = moving(400, rate_hz)
    found = back(motion, format)
    assert found.rate_hz == pytest.approx(rate_hz, rel=2e-5) and len(found) == len(motion)


@pytest.mark.parametrize("format", FORMATS)
def test_content_tells_the_format_and_the_same_motion_makes_the_same_bytes(
    tmp_path: Path, format: str
) -> None:
    content = motion_bytes(moving(), format, {"schema": 1})
    assert content == motion_bytes(moving(), format, {"schema": 1})
    path = tmp_path / "unnamed"
    path.write_bytes(content)
    assert motion_files.format_of(content, "x") == format
    assert len(read_motion(path)) == len(back(moving(), format))


@pytest.mark.parametrize("format", FORMATS)
def test_one_frame_is_a_motion_and_none_is_not(format: str) -> None:
    assert len(back(single(jawOpen=0.5), format).weights) >= 1
    assert back(single(jawOpen=0.5), format).column("jawOpen")[0] == pytest.approx(0.5, abs=1e-6)
    with pytest.raises(InputError, match="motion: has no frames"):
        motion_bytes(still(0), format)


@pytest.mark.parametrize("format", FORMATS)
def test_torn_and_flipped_files_are_refused_or_read_but_never_crash(format: str) -> None:
    whole, chance, refused = motion_bytes(moving(8), format), random.Random(1), 0
    damaged = [whole[: len(whole) * part // 12] for part in range(12)]
    for _ in range(40):
        flipped = bytearray(whole)
        for _ in range(3):
            flipped[chance.randrange(min(len(flipped), 4000))] = chance.randrange(256)
        damaged.append(bytes(flipped))
    for content in damaged:
        try:
            assert np.isfinite(FORMATS[format].read(content, "x").weights).all()
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 5


def test_files_that_are_something_else(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(
        InputError, match=r"a\.txt: is none of the motion files that are known: gltf \(\.glb\)"
    ):
        read_motion(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"cannot read .*nowhere"):
        read_motion(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="did you mean 'livelink'"):
        motion_bytes(moving(), "livelnk")
    for format, why in (
        ("gltf", "no binary glTF"),
        ("npz", "no NPZ"),
        ("beat", "no JSON"),
        ("livelink", "no column"),
    ):
        with pytest.raises(InputError, match=why):
            read_motion(tmp_path / "a.txt", format)


# --- Live Link Face ---------------------------------------------------------------------------


def test_live_link_columns_are_the_documented_ones() -> None:
    rows = cells(motion_bytes(moving(3), "livelink"))
    assert rows[0] == LIVE_LINK and len(rows[0]) == 63
    assert [row[1] for row in rows[1:]] == ["61"] * 3
    assert [row[0] for row in rows[1:]] == ["00:00:00:00.000", "00:00:00:02.000", "00:00:00:04.000"]


@pytest.mark.parametrize(
    "shape", ["jawLeft", "jawRight", "mouthLeft", "mouthRight", "eyeBlinkLeft", "tongueOut"]
)
def test_live_link_values_stand_under_their_names(shape: str) -> None:
    row = dict(zip(LIVE_LINK, cells(motion_bytes(single(**{shape: 0.75}), "livelink"))[1], strict=True))
    filled = {
        name for name, value in row.items() if float(value.replace(":", "")) and name != "BlendShapeCount"
    }
    assert filled == {shape[0].upper() + shape[1:]}


def test_live_link_angles_are_radians_and_turn_as_in_recordings_of_the_app() -> None:
    """There a left eye that looks out has a negative yaw, and eyes that look down have a positive pitch."""
    motion = single(yaw=10, pitch=20, roll=30, look=12, look_up=6)
    row = dict(zip(LIVE_LINK, cells(motion_bytes(motion, "livelink"))[1], strict=True))
    degrees = {"HeadYaw": -10, "HeadPitch": -20, "HeadRoll": 30, "LeftEyeYaw": -12, "RightEyePitch": -6}
    for column, wanted in degrees.items():
        assert math.degrees(float(row[column])) == pytest.approx(wanted, abs=1e-4)
    assert float(row["EyeLookOutLeft"]) > 0 and float(row["EyeLookInRight"]) > 0
    assert float(row["EyeLookUpLeft"]) > 0 and float(row["LeftEyeRoll"]) == 0


@pytest.mark.parametrize(
    ("frame", "timecode"), [(29, "00:00:00:58.000"), (30, "00:00:01:00.000"), (3600, "01:00:00:00.000")]
)
def test_timecodes_carry_over(frame: int, timecode: str) -> None:
    motion = still(frame + 1, 30.0 if frame < 60 else 1.0)
    assert motion_bytes(motion, "livelink").rstrip().rsplit(b"\n", 1)[1].startswith(timecode.encode())


def test_a_recording_of_the_app_is_read() -> None:
    """30 frames a second, counted in sixtieths that drift a little; over midnight, with a face lost."""
    frames = 90
    rows = []
    for index in range(frames):
        total = 23 * 3600 * 60 + 59 * 60 * 60 + 58 * 60 + 19.960 + index * 1.9997
        clock = f"{int(total // 216000) % 24:02d}:{int(total // 3600) % 60:02d}:{int(total // 60) % 60:02d}"
        value = f"{index / 100:.10f}"
        rows.append(
            {
                "Timecode": f"{clock}:{total % 60:06.3f}",
                "JawOpen": value,
                "LeftEyeYaw": "-0.2",
                "RightEyeYaw": "-0.1",
            }
        )
    rows[10]["BlendShapeCount"] = "0"
    rows[10]["JawOpen"] = ""
    motion = read_livelink(livelink(rows))
    assert motion.rate_hz == 30 and len(motion) == frames
    assert np.allclose(motion.column("jawOpen"), np.arange(frames) / 100, atol=1e-4)
    assert motion.gaze[0] == pytest.approx([math.degrees(0.15), 0], abs=1e-4)


@pytest.mark.parametrize("base", [24, 25, 30, 60])
def test_timecodes_may_count_in_other_frames(base: int) -> None:
    rows = [
        {"Timecode": f"10:00:{index // base:02d};{index % base:02d}", "JawOpen": str(index / 200)}
        for index in range(base * 3)
    ]
    motion = read_livelink(livelink(rows))
    assert motion.rate_hz == base and len(motion) == base * 3


def test_frames_that_are_missing_are_filled_in() -> None:
    motion = moving(120)
    lines = motion_bytes(motion, "livelink").decode().splitlines()
    found = read_livelink("\n".join(lines[:40] + lines[47:]).encode())
    assert found.rate_hz == 30 and len(found) == len(motion)
    assert np.abs(found.weights[:38] - motion.weights[:38]).max() < 1e-3
    assert np.abs(found.weights[60:] - motion.weights[60:]).max() < 1e-3


def test_columns_may_be_in_any_order_and_some_missing() -> None:
    motion = moving(5)
    rows = [dict(zip(LIVE_LINK, row, strict=True)) for row in cells(motion_bytes(motion, "livelink"))[1:]]
    fewer = [
        name for name in LIVE_LINK if name not in ("TongueOut", "BlendShapeCount") and name[-3:] != "Eye"
    ]
    fewer = [name for name in fewer if not name.startswith(("Head", "LeftEye", "RightEye"))]
    shuffled = ["Comment", *fewer[::-1]]
    content = livelink([{**row, "Comment": "take 1"} for row in rows], shuffled).decode()
    found = read_livelink(("\ufeff" + content.replace("JawOpen", "jawopen")).encode())
    kept = [index for index, name in enumerate(SHAPES) if name != "tongueOut"]
    assert np.abs(found.weights - motion.weights)[:, kept].max() < 1e-6
    assert (found.head == 0).all() and np.abs(found.gaze - motion.gaze).max() < 1e-3


NUMBER, JAW = "0.5000000000", "line 2, column JawOpen: expected a number"
SECOND, THIRD = "00:00:00:02.000", "00:00:00:04.000"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("JawOpen", "Jaw_Open", "line 1 has no column JawOpen; did you mean 'Jaw_Open'?"),
        (NUMBER, "wide", f"{JAW}, got 'wide'"),
        (NUMBER, "nan", f"{JAW}, got 'nan'"),
        (SECOND, "0.033", "line 3, column Timecode: expected HH:MM:SS:FF.sub, got '0.033'"),
        (THIRD, "00:00:00:01.000", "line 4: its timecode goes back"),
        ("00:00", "#", "line 2, column Timecode"),
        (",61,", ",0,", "has no frame with a face"),
        (f"{SECOND},61,", f"{SECOND},61\n#", "line 3, column EyeBlinkLeft: expected a number, got ''"),
    ],
)
def test_bad_live_link_files_name_line_and_column(old: str, new: str, why: str) -> None:
    weights = np.zeros((3, len(SHAPES)))
    weights[:, INDEX["jawOpen"]] = 0.5
    text = motion_bytes(Motion(weights, np.zeros((3, 6)), np.zeros((3, 2))), "livelink").decode()
    with pytest.raises(InputError) as caught:
        read_livelink(text.replace(old, new).encode())
    assert str(caught.value).startswith("take.csv: ") and why in str(caught.value)


def test_a_live_link_file_needs_frames() -> None:
    with pytest.raises(InputError, match="has no frames"):
        read_livelink(",".join(LIVE_LINK).encode())


# --- BEAT -------------------------------------------------------------------------------------


def test_beat_names_and_frames() -> None:
    found = json.loads(motion_bytes(moving(30), "beat", {"schema": 1}))
    assert found["names"] == BEAT and len(BEAT) == 51
    assert len(found["frames"]) == 60
    assert found["frames"][1].keys() == {"weights", "time", "rotation"}
    assert [frame["time"] for frame in found["frames"][:3]] == [
        0,
        pytest.approx(1 / 60, abs=1e-6),
        pytest.approx(1 / 30, abs=1e-6),
    ]
    assert found["emotion_studio"] == {"schema": 1}


def beat(**changes: object) -> bytes:
    frames = [{"weights": [0.25] * 51, "time": index / 60, "rotation": []} for index in range(4)]
    return json.dumps({"names": BEAT, "frames": frames, **changes}).encode()


def test_beat_files_of_others() -> None:
    frame = {"weights": [0.5] * 52}
    found = FORMATS["beat"].read(beat(names=[*BEAT, "tongueOut"], frames=[frame] * 3), "x")
    assert found.rate_hz == 60 and found.column("tongueOut")[0] == 0.5


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (beat(names=BEAT[1:]), "names has no 'browDownLeft'"),
        (beat(frames=[]), "has no frames"),
        (beat(frames=[{"weights": [0.5] * 50}]), "frame 0 needs 51 weights, one for each name, got 50"),
        (beat(frames=[{"weights": [0.5] * 50 + ["a"]}]), "frame 0, weight 50: expected a number, got 'a'"),
        (beat(frames=[{"weights": [0] * 51, "time": 1}] * 2), "frame 1: its time 1 is not after"),
        (b'{"names": 3}', "needs lists 'names' and 'frames'"),
    ],
)  # fmt: skip
def test_bad_beat_files_name_the_frame(content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=f"^x.json: .*{why}"):
        FORMATS["beat"].read(content, "x.json")


# --- MetaHuman --------------------------------------------------------------------------------


def board(**weights: float) -> dict[str, float]:
    """What is not 0 on the board, by name; the doubled names never are."""
    row = cells(motion_bytes(single(**weights), "metahuman"))[0]
    return {name: float(cell) for name, cell in zip(METAHUMAN, row, strict=True) if float(cell)}


def test_metahuman_rows_are_those_of_emoface() -> None:
    rows = cells(motion_bytes(moving(30), "metahuman"))
    assert len(rows) == 60 and {len(row) for row in rows} == {174}
    assert all(len(cell.split(".")[1]) == 6 for cell in rows[7])
    assert cells(metahuman_table(moving(30))) == [METAHUMAN, *rows]
    assert FORMATS["metahuman"].read(metahuman_table(moving(30)), "x").rate_hz == 60


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        ({"eyeBlinkLeft": 0.8}, {"CTRL_L_eye_blink-translateY": 0.8}),
        ({"eyeWideRight": 0.5}, {"CTRL_R_eye_blink-translateY": -0.5}),
        ({"look": 15.0, "look_up": -30.0}, {"CTRL_C_eye-translateX": 0.5, "CTRL_C_eye-translateY": -1.0}),
        ({"jawOpen": 1.0}, {"CTRL_C_jaw-translateY": 1.0}),
        ({"jawLeft": 0.5}, {"CTRL_C_jaw-translateX": -0.5}),
        ({"mouthLeft": 0.5}, {"CTRL_C_mouth-translateX": 0.5}),
        ({"jawForward": 1.0}, {"CTRL_C_jaw_fwdBack-translateY": -1.0}),
        ({"mouthSmileRight": 1.0}, {"CTRL_R_mouth_cornerPull-translateY": 1.0}),
        ({"browInnerUp": 0.5}, {f"CTRL_{side}_brow_raiseIn-translateY": 0.5 for side in "LR"}),
    ],
)  # fmt: skip
def test_what_a_shape_does_to_the_board(weights: dict[str, float], wanted: dict[str, float]) -> None:
    assert board(**weights) == pytest.approx(wanted)


def test_opposites_keep_their_difference() -> None:
    found = back(single(eyeBlinkLeft=0.8, eyeWideLeft=0.3, jawLeft=0.2, jawRight=0.5), "metahuman")
    values = [found.column(name)[0] for name in ("eyeBlinkLeft", "eyeWideLeft", "jawLeft", "jawRight")]
    assert values == pytest.approx([0.5, 0, 0, 0.3], abs=1e-5)


def test_boards_of_others_are_read_as_far_as_shapes_mean_them() -> None:
    row = ["0.000000"] * 174
    row[30] = row[99] = "0.500000"  # brow_lateral: how EmoFace's actors frown
    row[34] = row[103] = "-0.500000"  # each eye by its own control
    found = FORMATS["metahuman"].read("\n".join([",".join(row)] * 2).encode(), "x")
    assert found.column("browDownLeft")[0] == pytest.approx(0.25)
    assert found.gaze[0] == pytest.approx([-15, 0])


BOARD = ",".join(["0"] * 174)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (",".join(["0"] * 173), "line 1 has 173 columns, not 174"),
        ("\n".join([BOARD, BOARD[:-1] + "x"]), r"line 2, column 173 \(CTRL_neck_throatUpDown-translateY\)"),
        (",".join(METAHUMAN[::-1]), "line 1, column 0: expected CTRL_C_eye-translateX"),
        ("", "has no frames"),
    ],
)  # fmt: skip
def test_bad_metahuman_files_name_line_and_column(content: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        FORMATS["metahuman"].read(content.encode(), "x.txt")


# --- NPZ --------------------------------------------------------------------------------------


def test_npz_names_its_columns_and_carries_its_record() -> None:
    with np.load(io.BytesIO(motion_bytes(moving(), "npz", {"schema": 1})), allow_pickle=False) as found:
        assert tuple(found["shapes"]) == SHAPES and found["weights"].dtype == np.float32
        assert json.loads(str(found["record"])) == {"schema": 1} and float(found["rate_hz"]) == 30


def npz(**changes: object) -> bytes:
    with np.load(io.BytesIO(motion_bytes(moving(4), "npz"))) as found:
        arrays = {**dict(found), **changes}
    file = io.BytesIO()
    np.savez(file, **{name: np.asarray(value) for name, value in arrays.items() if value is not None})
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (npz(version=2), "is version 2, made by a newer"),
        (npz(gaze=None), "has no 'gaze'"),
        (npz(shapes=np.array(SHAPES[::-1])), "shapes are not eyeBlinkLeft, "),
        (npz(weights=np.zeros((4, 51))), "must have the shape"),
        (npz(rate_hz=0), "must be in"),
        (npz(weights=np.array([{}])), "is no NPZ archive of motion"),
    ],
)  # fmt: skip
def test_bad_archives(content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        FORMATS["npz"].read(content, "x.npz")
