"""Motion as a NumPy archive: everything it holds, exactly. No pickles are written or read."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from studio.errors import InputError
from studio.motion import GAZE, HEAD, SHAPES, Motion

VERSION = 1
_TABLES = {"shapes": ("weights", SHAPES), "head_names": ("head", HEAD), "gaze_names": ("gaze", GAZE)}
# What NumPy and zipfile raise for archives that are torn, encrypted, packed otherwise, or none.
_UNREADABLE = (
    *(ValueError, OSError, EOFError, KeyError, TypeError, MemoryError, RuntimeError, NotImplementedError),
    *(struct.error, zipfile.BadZipFile, zlib.error, SyntaxError, OverflowError),
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same motion makes the same bytes


def write(motion: Motion, record: Mapping[str, Any] | None = None) -> bytes:
    """weights (frames, 52), head (frames, 6), gaze (frames, 2) with the names of their columns; rate_hz."""
    arrays: dict[str, Any] = {"version": np.int64(VERSION), "rate_hz": np.float64(motion.rate_hz)}
    for names, (table, columns) in _TABLES.items():
        arrays[table], arrays[names] = getattr(motion, table), np.array(columns)
    if record is not None:
        arrays["record"] = np.array(json.dumps(record, ensure_ascii=False))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, np.asanyarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), part.getvalue(), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def read(content: bytes, name: str = "motion.npz") -> Motion:
    """Raises InputError for another archive, a newer version, or columns of other names."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            found = {key: archive[key] for key in archive.files}
    except _UNREADABLE as error:
        why = f"is no NPZ archive of motion ({' '.join(str(error).split())})"
        raise InputError(name, "", why) from None
    needed = {"version", "rate_hz", *_TABLES, *(table for table, _ in _TABLES.values())}
    if missing := sorted(needed - found.keys()):
        raise InputError(name, missing[0], f"has no {missing[0]!r}: it is no archive of motion")
    kinds = {"version": "iu", "rate_hz": "iuf", "weights": "fiu", "head": "fiu", "gaze": "fiu"}
    for key, kind in kinds.items():
        if found[key].dtype.kind not in kind or (key in ("version", "rate_hz") and found[key].size != 1):
            raise InputError(name, key, f"{key!r} holds no numbers of motion")
    version = int(found["version"].item())
    if version > VERSION:
        why = f"is version {version}, made by a newer Emotion Studio; this one reads {VERSION}"
        raise InputError(name, version, why)
    for names, (_, columns) in _TABLES.items():
        if found[names].tolist() != list(columns):
            raise InputError(name, names, f"{names} are not {', '.join(columns)}")
    return Motion(found["weights"], found["head"], found["gaze"], float(found["rate_hz"].item()))
