"""Motion as a binary glTF 2.0 file: the preview head with 52 morph targets, moved by one animation.

Nodes: `head` turns in the neck and has as children `face` (the mesh whose weights are animated; target names
stand in `mesh.extras.targetNames`, as Khronos' note on them and Blender, three.js and Unity importers have
it) and `eye_left`, `eye_right`. Metres; +y up, +z to the front, so the person's left is +x. Our record of
origin is in `asset.extras.emotion_studio`. Source: glTF 2.0 specification, Khronos, version 2.0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from studio import _gltf_binary as binary
from studio._motion_time import Times, evened, rate_of
from studio.errors import InputError
from studio.motion import HEAD, INDEX, SHAPES, Array, Motion, gaze_of
from studio.preview_head import PIVOT_M, UNIT_M, Shape, eye, eye_centres_m, head

RECORD = "emotion_studio"
_HEAD, _FACE, _EYES = 0, 1, (2, 3)  # nodes
_NAMES = ("head", "face", "eye_left", "eye_right")
_BY_LOWER = {name.lower(): name for name in SHAPES}


def write(motion: Motion, record: Mapping[str, Any] | None = None) -> bytes:
    """Times start at 0 and stand at the motion's own rate; between frames players interpolate."""
    if not len(motion):
        raise InputError("motion", 0, "has no frames; a glTF animation needs one")
    file = binary.Builder()
    meshes = [_mesh(file, head(), "face", True), _mesh(file, eye(), "eye", False)]
    extras = {"extras": {RECORD: dict(record)}} if record else {}
    document = {
        "asset": {"version": "2.0", "generator": "Emotion Studio", **extras},
        "scene": 0,
        "scenes": [{"nodes": [_HEAD]}],
        "nodes": _nodes(),
        "meshes": meshes,
        "materials": [
            {
                "name": "skin",
                "doubleSided": True,
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.7},
            }
        ],
        "animations": [_animation(file, motion)],
    }
    return file.finished(document)


def read(content: bytes, name: str = "motion.glb") -> Motion:
    """Of any binary glTF file whose animation moves morph targets with ARKit's names (in any case); targets
    it has not are 0. Head and gaze come from nodes `head`, `eye_left`, `eye_right`, where they are named so.
    Raises InputError."""
    try:
        return _read(binary.Reader(content, name))
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError) as error:
        why = f"is damaged: its description is not as glTF has it ({' '.join(str(error).split())})"
        raise InputError(name, "", why) from None


def _read(file: binary.Reader) -> Motion:
    times, weights = _weights(file)
    place = np.zeros((len(times), len(HEAD)), np.float32)
    if (turned := file.channel(_NAMES[_HEAD], "rotation")) is not None:
        place[:, :3] = _angles(_at(times, *turned))
    if (moved := file.channel(_NAMES[_HEAD], "translation")) is not None:
        place[:, 3:] = (_at(times, *moved) - PIVOT_M) / UNIT_M
    looks = [found for at in _EYES if (found := file.channel(_NAMES[at], "rotation")) is not None]
    eyes = [_angles(_at(times, *look))[:, [1, 0]] for look in looks]
    gaze = np.asarray(np.mean(eyes, axis=0), np.float32) if eyes else gaze_of(weights.clip(0, 1))
    rate = rate_of(times, 30.0)
    weights, place, gaze = evened(times, rate, [weights, place, gaze])
    return Motion(weights, place, gaze, rate)


def _mesh(file: binary.Builder, shape: Shape, name: str, with_targets: bool) -> dict[str, Any]:
    attributes = {
        "POSITION": file.add(shape.vertices, "VEC3", binary.VERTICES, bounds=True),
        "NORMAL": file.add(shape.normals, "VEC3", binary.VERTICES),
        # sRGB on the screen; vertex colours are linear
        "COLOR_0": file.add(np.asarray(shape.colours**2.2, dtype=np.float32), "VEC3", binary.VERTICES),
    }
    indices = file.add(shape.triangles.astype(np.uint16).reshape(-1), "SCALAR", binary.INDICES)
    primitive = {"attributes": attributes, "indices": indices, "material": 0, "mode": 4}
    if not with_targets:
        return {"name": name, "primitives": [primitive]}
    primitive["targets"] = [
        {"POSITION": file.add(moves, "VEC3", binary.VERTICES, bounds=True)} for moves in shape.moves
    ]
    names = {"targetNames": list(SHAPES)}
    return {"name": name, "primitives": [primitive], "weights": [0.0] * len(SHAPES), "extras": names}


def _nodes() -> list[dict[str, Any]]:
    pivot = [float(value) for value in PIVOT_M]
    nodes: list[dict[str, Any]] = [
        {"name": _NAMES[_HEAD], "translation": pivot, "children": [_FACE, *_EYES]},
        {"name": _NAMES[_FACE], "mesh": 0, "translation": [-value for value in pivot]},
    ]
    for at, centre in zip(_EYES, eye_centres_m(), strict=True):
        place = [float(value) for value in centre - PIVOT_M]
        nodes.append({"name": _NAMES[at], "mesh": 1, "translation": place})
    return nodes


def _animation(file: binary.Builder, motion: Motion) -> dict[str, Any]:
    times = (np.arange(len(motion)) / motion.rate_hz).astype(np.float32)
    clock = file.add(times, "SCALAR", bounds=True)
    zero = np.zeros(len(motion), np.float32)
    look = _quaternions(motion.gaze[:, 1], motion.gaze[:, 0], zero)
    outputs = {
        (_FACE, "weights"): (motion.weights.reshape(-1), "SCALAR"),
        (_HEAD, "rotation"): (_quaternions(*motion.head[:, :3].T), "VEC4"),
        (_HEAD, "translation"): (PIVOT_M + motion.head[:, 3:] * UNIT_M, "VEC3"),
        **{(at, "rotation"): (look, "VEC4") for at in _EYES},
    }
    samplers, channels = [], []
    for index, ((node, path), (values, kind)) in enumerate(outputs.items()):
        output = file.add(np.asarray(values, dtype=np.float32), kind)
        samplers.append({"input": clock, "output": output, "interpolation": "LINEAR"})
        channels.append({"sampler": index, "target": {"node": node, "path": path}})
    return {"name": "performance", "samplers": samplers, "channels": channels}


def _weights(file: binary.Reader) -> tuple[Times, Array]:
    """Times in seconds and (frames, 52) of the channel whose targets are named as ARKit's shapes."""
    for node, (times, values) in file.channels("weights"):
        mesh = file.mesh_of(node)
        names = [_BY_LOWER.get(str(one).lower()) for one in mesh.get("extras", {}).get("targetNames", [])]
        if any(names) and len(names) and values.size == len(times) * len(names):
            values = values.reshape(len(times), len(names))
            weights = np.zeros((len(times), len(SHAPES)), np.float32)
            for column, shape in enumerate(names):
                if shape is not None:
                    weights[:, INDEX[shape]] = values[:, column]
            return times, weights
    why = "has no animation of morph targets with ARKit's names (mesh.extras.targetNames)"
    raise InputError(file.name, "", why)


def _at(times: Times, stamps: Times, values: Array) -> Array:
    """Rows of values at other times; quaternions must not be far apart for that."""
    if len(stamps) == len(times) and np.array_equal(stamps, times):
        return values
    found = np.stack([np.interp(times, stamps, column) for column in values.T], axis=1)
    return np.asarray(found, dtype=np.float32)


def _quaternions(pitch_deg: Array, yaw_deg: Array, roll_deg: Array) -> Array:
    """(n, 4) x y z w: first the roll, then the pitch, then the yaw. Up is against the turn about x, and
    towards the left shoulder against that about z."""
    half = np.radians(np.stack([-pitch_deg, yaw_deg, -roll_deg]).astype(np.float64)) / 2
    (sx, sy, sz), (cx, cy, cz) = np.sin(half), np.cos(half)
    x, y = cy * sx * cz + sy * cx * sz, sy * cx * cz - cy * sx * sz
    z, w = cy * cx * sz - sy * sx * cz, cy * cx * cz + sy * sx * sz
    return np.stack([x, y, z, w], axis=1).astype(np.float32)


def _angles(turns: Array) -> Array:
    """(n, 3) pitch, yaw, roll in degrees of quaternions (n, 4)."""
    x, y, z, w = (turns / np.linalg.norm(turns, axis=1, keepdims=True)).astype(np.float64).T
    pitch = -np.arcsin(np.clip(2 * (w * x - y * z), -1, 1))
    yaw = np.arctan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y))
    roll = -np.arctan2(2 * (x * y + w * z), 1 - 2 * (x * x + z * z))
    return np.asarray(np.degrees(np.stack([pitch, yaw, roll], axis=1)), dtype=np.float32)
