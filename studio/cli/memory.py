"""What `inspect` says of a model: its parts, and the memory that they need here or on any other machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio import catalog, preflight
from studio.cli.tables import table
from studio.preflight import Model, Training, Work, in_gb

_DTYPES = ("float16", "float32")  # bfloat16 needs what float16 does


def model(name: str) -> Model | None:
    """The model that `inspect NAME` means: embedded, a folder, or a hub id that was downloaded; else None."""
    is_folder = name in catalog.models() or Path(name).is_dir()
    if not is_folder and (Path(name).exists() or not catalog.HUB_ID.fullmatch(name)):
        return None
    return preflight.read(catalog.find_model(name))


def facts(found: Model) -> dict[str, Any]:
    """Parameters of each part; of what makes pictures also bytes to render and to train one at a time, at the
    model's size."""
    known = {
        "model": found.name,
        "parameters": {name: part.parameters for name, part in found.components.items()},
    }
    if found.decoder is None:
        return known
    return known | {
        "size_px": list(found.native_px),
        "render_bytes": {dtype: _render(found, dtype) for dtype in _DTYPES},
        "training_bytes": {dtype: _training(found, dtype) for dtype in _DTYPES},
    }


def text(name: str, found: Model) -> str:
    """The same for people."""
    parts = ", ".join(f"{part} {one.parameters / 1e6:,.1f} million" for part, one in found.components.items())
    named = [f"model       {name}", f"parameters  {parts}"]
    if found.decoder is None:
        return "\n".join(named)
    known = facts(found)
    rows = [
        [
            dtype,
            *map(in_gb, known["render_bytes"][dtype].values()),
            *map(in_gb, known["training_bytes"][dtype]),
        ]
        for dtype in _DTYPES
    ]
    head = ("", *known["render_bytes"][_DTYPES[0]], "training", "checkpointing")
    size = "{}x{}".format(*found.native_px)
    what = f"clip of {found.native_frames} frames" if found.makes_clips else "picture"
    return "\n".join(
        [
            *named,
            table(f"memory on an accelerator, about, for one {size} px {what}", head, rows),
            "  'fast' to 'sequential' are values of EMOTION_STUDIO_MEMORY; training is one example,",
            "  without and with gradient_checkpointing, and 16 bytes for each number of the adapter on top",
        ]
    )


def _render(found: Model, dtype: str) -> dict[str, int]:
    return dict(preflight.estimate(found, Work(dtype=dtype)).needs)


def _training(found: Model, dtype: str) -> list[int]:
    work = Work(dtype=dtype)
    return [
        preflight.estimate(found, work, Training(0, checkpointing)).needs["fast"]
        for checkpointing in (False, True)
    ]
