"""What is written as TOML is read back as it was."""

from __future__ import annotations

import tomllib

from studio.toml_text import to_toml

VALUES = {
    "steps": 7,
    "rate": 1e-05,
    "checked": True,
    "dataset": {"root": 'C:\\a "b"\n\t', "sizes": [64, 128], "empty": []},
    "said": "smile 😀 \x7f ümlaut",
    "adapter": {"labels": {"joy of it": [[0.8, 0.5, 0.3], [0.1, 0.1, 0.1]]}, "none": {}},
}


def test_values_come_back_equal() -> None:
    assert tomllib.loads(to_toml(VALUES)) == VALUES


def test_what_is_no_table_stands_before_the_tables() -> None:
    assert to_toml({"a": {"b": (1, "two")}, "c": False}) == 'c = false\n\n[a]\nb = [1, "two"]\n'
