"""Metadata files beside media: which one a folder has, its lines, and the emotion that a line says.

An emotion stands in the common grammar (`emotion`), as coordinates in [-1, 1] (`valence`, `arousal`,
`dominance`), or as a `label` of a taxonomy (a line's own, else the data set's). Knows no medium.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.emotion import Emotion, parse_emotion
from studio.emotion.vad import AXES
from studio.errors import InputError
from studio.params import param
from training.data._labels import TAXONOMIES, emotion_of, vad_of
from training.data._tables import csv_rows, jsonl_rows, no_layout

EMOTION_KEYS = ("emotion", *AXES)


def taxonomy_option() -> Any:
    """The field `taxonomy` of a data set."""
    return param(
        "",
        "taxonomy of labels on lines that name none; empty: every label needs one",
        choices=("", *TAXONOMIES),
    )


def metadata_file(folder: Path, root: str, names: Sequence[str]) -> Path:
    """The one of `names` that is there. InputError for none and for several."""
    found = [path for name in names if (path := folder / name).is_file()]
    if not found:
        raise no_layout(root, names[0], " or ".join(names))
    if len(found) > 1:
        why = f"{' and '.join(names)} are both in {root!r}; keep one of them"
        raise InputError("dataset.root", root, why)
    return found[0]


def lines(path: Path) -> Iterator[tuple[int, Any]]:
    """(number, what it says) of each: a mapping of a CSV row, the text of a JSON line; see `values_of`."""
    return csv_rows(path) if path.suffix == ".csv" else jsonl_rows(path)


def values_of(line: Any) -> Mapping[str, Any]:
    """The keys and values of one of `lines`. InputError for a JSON line that is no object."""
    if isinstance(line, Mapping):
        return line
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError("line", line, f"not JSON: {error}") from None
    if not isinstance(values, dict):
        raise InputError("line", line, "expected an object { ... }")
    return values


def emotion_in(values: Mapping[str, Any], taxonomy: str, least: int = len(AXES)) -> Emotion:
    """From whichever of the three ways a line uses. A label may stand beside an exact emotion: it is kept.

    `least`: how many coordinates there must be; those that may be left out are 0.
    """
    axes = [axis for axis in AXES if axis in values]
    if "emotion" in values and axes:
        raise InputError("emotion", values["emotion"], f"give either emotion or {', '.join(AXES)}, not both")
    if "emotion" in values:
        return parse_emotion(str(values["emotion"]))
    if not axes and "label" in values:
        return _of_label(str(values["label"]), str(values.get("taxonomy", taxonomy)))
    if missing := [axis for axis in AXES[:least] if axis not in values]:
        needed = f"{', '.join(AXES[: least - 1])} and {AXES[least - 1]}"
        raise InputError("emotion", None, f"needs emotion, label, or {needed} (no {', '.join(missing)})")
    return Emotion(vad_of([values.get(axis, 0.0) for axis in AXES]))


def _of_label(label: str, taxonomy: str) -> Emotion:
    if not taxonomy:
        why = f"label {label!r} needs a taxonomy: on its line, or as the data set's option `taxonomy`"
        raise InputError("taxonomy", "", why)
    return emotion_of(label, taxonomy)
