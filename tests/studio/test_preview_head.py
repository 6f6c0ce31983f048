"""The preview head moves as the shapes are named, and the glTF file that carries it keeps the rules."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from studio import head_picture
from studio._head_parts import EYE_CM, EYE_RADIUS_CM
from studio._head_points import mirrored
from studio._head_shapes import displacements, rest_face
from studio.errors import InputError
from studio.face_mesh import LEFT_EYE, LOWER_LIP_INNER, RIGHT_EYE, UPPER_LIP_INNER
from studio.motion import INDEX, SHAPES
from studio.motion_files import FORMATS, motion_bytes
from studio.preview_head import eye, head
from tests.studio import gltf_rules
from tests.studio.motions import moving, single

UPPER, LOWER, CHIN, LEFT_CORNER, RIGHT_CORNER = 13, 14, 152, 291, 61
LEFT_BROW, LEFT_LID, LEFT_UNDER, TIP = 336, 386, 374, 4


def face(**weights: float) -> np.ndarray:
    """(468, 3) cm under shapes."""
    return rest_face() + sum(displacements()[INDEX[name]] * value for name, value in weights.items())


def gap(points: np.ndarray, upper: int = UPPER, lower: int = LOWER) -> float:
    return float(points[upper, 1] - points[lower, 1])


def lid_gap(points: np.ndarray) -> float:
    return max(gap(points, a, b) for a, b in zip(LEFT_EYE.upper[1:-1], LEFT_EYE.lower[1:-1], strict=True))


# --- the head ---------------------------------------------------------------------------------


def test_the_head_is_small_and_whole() -> None:
    shape = head()
    assert 600 < len(shape.vertices) < 1500 and shape.moves.shape == (len(SHAPES), len(shape.vertices), 3)
    assert shape.triangles.max() == len(shape.vertices) - 1 and len(shape.layers) == len(shape.triangles)
    assert np.allclose(np.linalg.norm(shape.normals, axis=1), 1, atol=1e-5)
    assert 0.2 < np.ptp(shape.vertices[:, 1]) < 0.3  # metres
    outward = (eye().normals * eye().vertices).sum(axis=1)
    assert (outward > 0).all()
    assert not shape.vertices.flags.writeable and not shape.moves.flags.writeable


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_moves_something_and_nothing_too_far(name: str) -> None:
    length = np.linalg.norm(displacements()[INDEX[name]], axis=1)
    assert 0.04 < length.max() < 4 and np.isfinite(length).all()


@pytest.mark.parametrize("name", [name for name in SHAPES if name.endswith("Left")])
def test_sides_mirror_each_other(name: str) -> None:
    other = name.removesuffix("Left") + "Right"
    flipped = displacements()[INDEX[other]][mirrored()] * [-1, 1, 1]
    assert np.allclose(displacements()[INDEX[name]], flipped, atol=0.05)


def test_the_mouth_opens_and_closes() -> None:
    assert abs(gap(face())) < 0.02
    assert gap(face(jawOpen=1)) > 1.5
    assert abs(gap(face(jawOpen=1, mouthClose=1))) < 0.05
    assert face(jawOpen=1)[CHIN, 1] < face()[CHIN, 1] - 2
    assert np.allclose(face(jawOpen=1)[TIP], face()[TIP], atol=1e-6)
    for weights in (
        {"mouthFunnel": 1},
        {"mouthUpperUpLeft": 1, "mouthUpperUpRight": 1},
        {"mouthLowerDownLeft": 1},
    ):
        assert gap(face(**weights)) > 0.25


def test_corners_go_where_shapes_say() -> None:
    rest = face()
    smile, frown = face(mouthSmileLeft=1), face(mouthFrownLeft=1)
    assert (smile[LEFT_CORNER] - rest[LEFT_CORNER])[:2].min() > 0.5
    assert (frown[LEFT_CORNER] - rest[LEFT_CORNER])[1] < -0.5
    assert np.linalg.norm(smile[RIGHT_CORNER] - rest[RIGHT_CORNER]) < 0.05
    pucker, stretch = face(mouthPucker=1), face(mouthStretchLeft=1, mouthStretchRight=1)
    wide = [points[LEFT_CORNER, 0] - points[RIGHT_CORNER, 0] for points in (pucker, rest, stretch)]
    assert wide[0] < wide[1] - 1 and wide[2] > wide[1] + 1
    assert face(mouthLeft=1)[UPPER, 0] > 0.4 > -0.4 > face(mouthRight=1)[UPPER, 0]
    assert face(jawLeft=1)[CHIN, 0] > 0.4 and face(jawForward=1)[CHIN, 2] > rest[CHIN, 2] + 0.4


def test_lids_and_brows_go_where_shapes_say() -> None:
    rest = face()
    assert lid_gap(rest) > 0.6 and lid_gap(face(eyeBlinkLeft=1)) < 0.08
    assert lid_gap(face(eyeSquintLeft=1)) < lid_gap(rest) < lid_gap(face(eyeWideLeft=1))
    assert lid_gap(face(eyeBlinkRight=1)) == pytest.approx(lid_gap(rest))
    for shape, way in (("browInnerUp", 1), ("browDownLeft", -1)):
        assert (face(**{shape: 1.0})[LEFT_BROW] - rest[LEFT_BROW])[1] * way > 0.5
    assert face(eyeLookDownLeft=1)[LEFT_LID, 1] < rest[LEFT_LID, 1] < face(eyeLookUpLeft=1)[LEFT_LID, 1]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 1.0])
def test_the_eye_never_shows_through_a_closing_lid(share: float) -> None:
    closing = face(eyeBlinkLeft=share)
    lids = closing[[*LEFT_EYE.upper, *LEFT_EYE.lower]]
    assert np.linalg.norm(lids - EYE_CM, axis=1).min() > EYE_RADIUS_CM
    assert len(RIGHT_EYE.upper) == len(LEFT_EYE.upper)


def test_lips_do_not_pass_through_each_other_at_rest() -> None:
    rest = face()
    pairs = zip(UPPER_LIP_INNER[1:-1], LOWER_LIP_INNER[1:-1], strict=True)
    assert all(gap(rest, upper, lower) > -0.02 for upper, lower in pairs)


# --- pictures of it ---------------------------------------------------------------------------


def test_pictures_show_the_motion() -> None:
    plain = np.asarray(head_picture.picture(single(), 0, 120), dtype=int)
    opened = np.asarray(head_picture.picture(single(jawOpen=1.0), 0, 120), dtype=int)
    assert plain.shape == (120, 120, 3)
    changed = np.abs(opened - plain).sum(axis=2) > 60
    assert changed[60:].sum() > 100 and changed[:45].sum() == 0
    assert head_picture.strip(moving(60), 5, 60).size == (300, 60)
    assert head_picture.strip(single(), 5, 60).size == (60, 60)


def test_a_head_that_turns_to_its_left_goes_to_the_right_of_the_picture() -> None:
    def middle(yaw: float) -> float:
        image = np.asarray(head_picture.picture(single(yaw=yaw), 0, 160), dtype=int)
        lips = (image[:, :, 0] - image[:, :, 1] > 45) & (image[:, :, 0] < 215)
        return float(np.argwhere(lips)[:, 1].mean())

    assert middle(30) > middle(0) + 5 > middle(-30) + 10


# --- glTF -------------------------------------------------------------------------------------


def test_the_file_keeps_the_rules() -> None:
    document = gltf_rules.check(motion_bytes(moving(), "gltf", {"schema": 1}))
    assert document["asset"]["extras"]["emotion_studio"] == {"schema": 1}
    assert document["meshes"][0]["extras"]["targetNames"] == list(SHAPES)
    moved = {(one["target"]["node"], one["target"]["path"]) for one in document["animations"][0]["channels"]}
    assert moved == {(0, "rotation"), (0, "translation"), (1, "weights"), (2, "rotation"), (3, "rotation")}
    gltf_rules.check(motion_bytes(single(jawOpen=1.0), "gltf"))


def turned(quaternion: np.ndarray, point: list[float]) -> np.ndarray:
    vector, real = quaternion[:3].astype(float), float(quaternion[3])
    cross = np.cross(vector, point) + real * np.array(point)
    return point + 2 * np.cross(vector, cross)


@pytest.mark.parametrize(
    ("angles", "point", "axis", "sign"),
    [
        ({"yaw": 30.0}, [0, 0, 1], 0, 1),  # the nose goes to the person's left, which is +x
        ({"pitch": 30.0}, [0, 0, 1], 1, 1),  # the nose goes up
        ({"roll": 30.0}, [0, 1, 0], 0, 1),  # the top of the head goes to the left shoulder
    ],
)
def test_the_head_node_turns_as_motion_says(
    angles: dict[str, float], point: list[float], axis: int, sign: int
) -> None:
    document, data = gltf_rules.chunks(motion_bytes(single(**angles), "gltf"))
    animation = document["animations"][0]
    channel = next(one for one in animation["channels"] if one["target"] == {"node": 0, "path": "rotation"})
    sampler = animation["samplers"][channel["sampler"]]
    rotation = gltf_rules.values(document, data, sampler["output"])[0]
    assert turned(rotation, point)[axis] * sign == pytest.approx(0.5, abs=1e-5)


def changed(change: str, to: str) -> bytes:
    """A file of ours whose description says something else."""
    content = motion_bytes(moving(4), "gltf")
    size = struct.unpack_from("<I", content, 12)[0]
    text = content[20 : 20 + size].decode().rstrip().replace(change, to).encode()
    text += b" " * (-len(text) % 4)
    rest = content[20 + size :]
    return (
        struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + rest
    )


def test_files_of_others_with_fewer_targets_in_other_case() -> None:
    names = json.dumps(list(SHAPES), separators=(",", ":"))
    others = json.dumps([name.upper() for name in SHAPES[:50]] + ["smirk", "x"], separators=(",", ":"))
    found = FORMATS["gltf"].read(changed(names, others), "x.glb")
    assert np.abs(found.weights[:, 14:50] - moving(4).weights[:, 14:50]).max() < 1e-6
    assert (found.column("tongueOut") == 0).all()
    apart = FORMATS["gltf"].read(changed('"name":"head"', '"name":"skull"'), "x.glb")
    assert (apart.head == 0).all()


@pytest.mark.parametrize(
    ("change", "to", "why"),
    [
        ("targetNames", "names", "no animation of morph targets with ARKit's names"),
        ('"buffers":[{', '"buffers":[{"uri":"x.bin",', "keeps its data in another file"),
        ('"count":4,', '"count":4000000,', "reaches past the end"),
        ('"componentType":5126', '"componentType":5130', "unknown type"),
        ('"samplers":[', '"sampled":[', "sampler is not there"),
        ('"nodes":[{"name":"head"', '"nodes":5,"old":[{"name":"head"', "is damaged"),
    ],
)  # fmt: skip
def test_bad_files(change: str, to: str, why: str) -> None:
    with pytest.raises(InputError, match=f"x.glb: .*{why}"):
        FORMATS["gltf"].read(changed(change, to), "x.glb")


def test_gltf_1_is_not_read() -> None:
    content = motion_bytes(moving(4), "gltf")
    with pytest.raises(InputError, match="is glTF 1; only glTF 2 is read"):
        FORMATS["gltf"].read(content[:4] + struct.pack("<I", 1) + content[8:], "x.glb")
    with pytest.raises(InputError, match="ends after 100 of"):
        FORMATS["gltf"].read(content[:100], "x.glb")
