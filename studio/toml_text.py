"""Plain values as the text of a TOML file, which Python itself reads and does not write. Knows no recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def to_toml(values: Mapping[str, Any]) -> str:
    """`values` as a whole file: first what is no table, then every table; tables inside tables on one line.

    Texts, numbers, truth values, lists or tuples, and mappings; names outside inner tables must be bare ones
    (letters, digits, `_` and `-`).
    """
    lines = [f"{key} = {_written(value)}" for key, value in values.items() if not isinstance(value, Mapping)]
    for table, inside in values.items():
        if isinstance(inside, Mapping):
            lines += ["", f"[{table}]", *(f"{key} = {_written(value)}" for key, value in inside.items())]
    return "\n".join(lines) + "\n"


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_written(str(key))} = {_written(item)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    # TOML writes text, numbers and truth values as JSON does, but knows neither surrogates nor a bare delete.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
