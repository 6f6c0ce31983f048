"""The rules of glTF 2.0 (Khronos, 2.0.1) that a file of ours must keep, read with nothing but `struct`."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

SIZES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
OUTPUTS = {"rotation": "VEC4", "translation": "VEC3", "scale": "VEC3", "weights": "SCALAR"}


def chunks(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and chunks: magic, version, lengths, kinds, padding (section 4.4)."""
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    found, at = [], 12
    while at < length:
        size, kind = struct.unpack_from("<I4s", content, at)
        assert size % 4 == 0 and at % 4 == 0
        found.append((kind, content[at + 8 : at + 8 + size]))
        at += 8 + size
    assert at == length and [kind for kind, _ in found] == [b"JSON", b"BIN\0"]
    return json.loads(found[0][1]), found[1][1]


def values(document: dict[str, Any], data: bytes, index: int) -> np.ndarray:
    """Rows of an accessor, after checking it: alignment, bounds, types, min and max (section 3.6.2)."""
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    size, width = SIZES[accessor["componentType"]], WIDTHS[accessor["type"]]
    start = view["byteOffset"] + accessor.get("byteOffset", 0)
    assert start % size == 0 and accessor.get("byteOffset", 0) % size == 0 and accessor["count"] >= 1
    if view.get("target") == 34962:  # vertex attributes: every row at a multiple of four
        assert view["byteOffset"] % 4 == 0 and size * width % 4 == 0
    length = accessor["count"] * size * width
    assert accessor.get("byteOffset", 0) + length <= view["byteLength"]
    assert (
        view["byteOffset"] + view["byteLength"]
        <= document["buffers"][view["buffer"]]["byteLength"]
        <= len(data)
    )
    kind = {5123: "<u2", 5125: "<u4", 5126: "<f4"}[accessor["componentType"]]
    rows = np.frombuffer(data, kind, accessor["count"] * width, start).reshape(-1, width)
    assert np.isfinite(rows).all()
    for key, bound in (("min", rows.min(0)), ("max", rows.max(0))):
        assert key not in accessor or np.allclose(accessor[key], bound)
    return rows


def check(content: bytes) -> dict[str, Any]:
    """Every rule; returns the description."""
    document, data = chunks(content)
    assert document["asset"]["version"] == "2.0"
    for index in range(len(document["accessors"])):
        values(document, data, index)
    children = [child for node in document["nodes"] for child in node.get("children", [])]
    assert len(children) == len(set(children))  # a strict tree
    assert not set(document["scenes"][document["scene"]]["nodes"]) & set(children)
    for mesh in document["meshes"]:
        _check_mesh(document, data, mesh)
    for animation in document["animations"]:
        _check_animation(document, data, animation)
    return document


def _check_mesh(document: dict[str, Any], data: bytes, mesh: dict[str, Any]) -> None:
    targets = {len(primitive.get("targets", [])) for primitive in mesh["primitives"]}
    assert len(targets) == 1
    assert len(mesh.get("weights", [0] * targets.copy().pop())) == targets.copy().pop()
    assert len(mesh.get("extras", {}).get("targetNames", [0] * targets.copy().pop())) == targets.pop()
    for primitive in mesh["primitives"]:
        position = primitive["attributes"]["POSITION"]
        count = document["accessors"][position]["count"]
        for attributes in (primitive["attributes"], *primitive.get("targets", [])):
            assert {document["accessors"][index]["count"] for index in attributes.values()} == {count}
            assert {"min", "max"} <= document["accessors"][attributes["POSITION"]].keys()
        normals = values(document, data, primitive["attributes"]["NORMAL"])
        assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
        indices = values(document, data, primitive["indices"])
        assert document["accessors"][primitive["indices"]]["componentType"] in (5121, 5123, 5125)
        assert indices.max() < count and len(indices) % 3 == 0
        assert 0 <= primitive["material"] < len(document["materials"])


def _check_animation(document: dict[str, Any], data: bytes, animation: dict[str, Any]) -> None:
    aims = [(one["target"]["node"], one["target"]["path"]) for one in animation["channels"]]
    assert len(aims) == len(set(aims))  # no two channels move the same
    for channel in animation["channels"]:
        sampler, path = animation["samplers"][channel["sampler"]], channel["target"]["path"]
        times, out = values(document, data, sampler["input"]), values(document, data, sampler["output"])
        assert {"min", "max"} <= document["accessors"][sampler["input"]].keys()
        assert times[0, 0] >= 0 and (np.diff(times[:, 0]) > 0).all()
        assert document["accessors"][sampler["output"]]["type"] == OUTPUTS[path]
        node, each = document["nodes"][channel["target"]["node"]], 1
        if path == "weights":
            each = len(document["meshes"][node["mesh"]]["primitives"][0]["targets"])
        assert len(out) == len(times) * each
        if path == "rotation":
            assert np.allclose(np.linalg.norm(out, axis=1), 1, atol=1e-5)
