"""Binary glTF 2.0 (.glb): accessors in, bytes out, and back. Knows nodes and accessors, no face."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from studio._motion_time import Times
from studio.errors import InputError
from studio.motion import Array

VERTICES, INDICES = 34962, 34963  # what a view of the buffer is for
_MAGIC, _VERSION, _JSON, _BIN = b"glTF", 2, b"JSON", b"BIN\0"
_TYPES: dict[int, tuple[str, float]] = {  # component type -> what NumPy calls it, what 1 is where normalised
    5120: ("<i1", 127), 5121: ("<u1", 255), 5122: ("<i2", 32767), 5123: ("<u2", 65535),
    5125: ("<u4", 1), 5126: ("<f4", 1),
}  # fmt: skip
_COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_CODES = {"float32": 5126, "uint16": 5123}


class Builder:
    """Collects arrays; every view begins at a multiple of four bytes, as accessors need."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []

    def add(
        self, values: npt.NDArray[Any], kind: str, target: int | None = None, bounds: bool = False
    ) -> int:
        """The number of a new accessor over rows of `values` (float32 or uint16); `bounds`: with min, max."""
        rows = values.reshape(-1, _COMPONENTS[kind])
        content = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<")).tobytes()
        view = {"buffer": 0, "byteOffset": len(self._data), "byteLength": len(content)}
        self._views.append({**view, **({"target": target} if target else {})})
        self._data += content + b"\0" * (-len(content) % 4)
        accessor = {
            "bufferView": len(self._views) - 1,
            "componentType": _CODES[rows.dtype.name],
            "count": len(rows),
            "type": kind,
        }
        if bounds:
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self._accessors.append(accessor)
        return len(self._accessors) - 1

    def finished(self, document: dict[str, Any]) -> bytes:
        """The file; `document` is all of it but buffers, views and accessors."""
        buffers = [{"byteLength": len(self._data)}]
        whole = {**document, "accessors": self._accessors, "bufferViews": self._views, "buffers": buffers}
        text = json.dumps(whole, separators=(",", ":"), allow_nan=False).encode("ascii")
        text += b" " * (-len(text) % 4)
        chunks = [
            struct.pack("<I4s", len(part), kind) + part
            for kind, part in ((_JSON, text), (_BIN, bytes(self._data)))
        ]
        length = 12 + sum(len(chunk) for chunk in chunks)
        return struct.pack("<4sII", _MAGIC, _VERSION, length) + b"".join(chunks)


class Reader:
    """Animated channels of a file. Raises InputError for what is no binary glTF 2.0 file, or is torn."""

    def __init__(self, content: bytes, name: str) -> None:
        self.name = name
        self.document, self._data = self._chunks(content)

    def channel(self, node: str, path: str) -> tuple[Times, Array] | None:
        """Times and values of the first channel of a node of that name."""
        for index, found in self.channels(path):
            if self._entry("nodes", index).get("name") == node:
                return found
        return None

    def channels(self, path: str) -> Iterator[tuple[int, tuple[Times, Array]]]:
        """(node, (times, values)) of all channels of a path: weights, rotation, translation."""
        for animation in self.document.get("animations", []):
            for channel in animation.get("channels", []):
                target = channel.get("target", {})
                if target.get("path") == path and "node" in target:
                    yield target["node"], self._sampled(animation, channel)

    def mesh_of(self, node: int) -> dict[str, Any]:
        found = self._entry("nodes", node)
        return self._entry("meshes", found["mesh"]) if "mesh" in found else {}

    def _sampled(self, animation: dict[str, Any], channel: dict[str, Any]) -> tuple[Times, Array]:
        try:
            sampler = animation["samplers"][channel["sampler"]]
            times, values = self._accessor(sampler["input"]), self._accessor(sampler["output"])
        except (KeyError, IndexError, TypeError) as error:
            raise self._torn(f"an animation's sampler is not there ({error})") from None
        if sampler.get("interpolation") == "CUBICSPLINE":  # tangent, value, tangent for every time
            values = values.reshape(len(times), 3, -1)[:, 1].reshape(-1, values.shape[1])
        stamps = times[:, 0].astype(np.float64)
        if not len(stamps) or (np.diff(stamps) <= 0).any():
            raise self._torn("the times of an animation do not rise")
        return stamps, values

    def _accessor(self, index: int) -> Array:
        """(count, components) float32. Sparse accessors and other buffers are not read."""
        accessor = self._entry("accessors", index)
        if "sparse" in accessor or "bufferView" not in accessor:
            raise self._torn("holds an animation in a sparse accessor, which is not read here")
        view = self._entry("bufferViews", accessor["bufferView"])
        if view.get("buffer", 0) != 0 or "uri" in self._entry("buffers", 0):
            raise self._torn("keeps its data in another file; save it as one .glb")
        kind, one = _TYPES.get(accessor.get("componentType", 0), ("", 1.0))
        width, count = _COMPONENTS.get(accessor.get("type", ""), 0), accessor.get("count", 0)
        if not kind or not width:
            raise self._torn(f"accessor {index} has an unknown type")
        item = np.dtype(kind).itemsize * width
        step = view.get("byteStride", item)
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        if count < 1 or start + step * (count - 1) + item > len(self._data):
            raise self._torn(f"accessor {index} reaches past the end of the data")
        rows = np.ndarray((count, width), kind, self._data, start, (step, np.dtype(kind).itemsize))
        return np.asarray(rows, dtype=np.float32) / np.float32(one if accessor.get("normalized") else 1)

    def _entry(self, table: str, index: Any) -> dict[str, Any]:
        entries = self.document.get(table, [])
        if not isinstance(index, int) or not 0 <= index < len(entries):
            raise self._torn(f"{table} has no number {index}")
        return dict(entries[index])

    def _chunks(self, content: bytes) -> tuple[dict[str, Any], bytes]:
        if len(content) < 20 or content[:4] != _MAGIC:
            raise InputError(self.name, "", "is no binary glTF file (.glb)")
        version, length = struct.unpack_from("<II", content, 4)
        if version != _VERSION:
            raise InputError(self.name, version, f"is glTF {version}; only glTF 2 is read")
        if length > len(content):
            raise self._torn(f"ends after {len(content)} of {length} bytes")
        found: dict[bytes, bytes] = {}
        at = 12
        while at + 8 <= length:
            size, kind = struct.unpack_from("<I4s", content, at)
            found.setdefault(kind, content[at + 8 : at + 8 + size])
            at += 8 + size
        try:
            document = json.loads(found[_JSON])
        except (KeyError, ValueError, RecursionError):
            raise self._torn("its description is no JSON") from None
        if not isinstance(document, dict):
            raise self._torn("its description is no JSON object")
        return document, found.get(_BIN, b"")

    def _torn(self, why: str) -> InputError:
        return InputError(self.name, "", why)
