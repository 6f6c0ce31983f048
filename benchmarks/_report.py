"""How every benchmark speaks: a table for people, or one flat JSON object of figures for programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

Figures = dict[str, float | bool | int]
# name of a figure -> ("at least" | "at most" | "is", bar)
Bars = Mapping[str, tuple[str, Any]]


def main(title: str, measure: Callable[[], Figures], bars: Bars, notes: str = "") -> None:
    """Run `measure` and print its figures; with --json nothing but one JSON object."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--json", action="store_true", help="one flat JSON object")
    as_json = parser.parse_args().json
    print(text(title, measure(), bars, notes, as_json))


def text(title: str, figures: Figures, bars: Bars, notes: str, as_json: bool) -> str:
    rounded = {name: _rounded(value) for name, value in figures.items()}
    return json.dumps(rounded) if as_json else table(title, rounded, bars, notes)


def table(title: str, figures: Figures, bars: Bars, notes: str) -> str:
    width = max(map(len, figures))
    lines = [title, ""]
    for name, value in figures.items():
        asked, bar = bars.get(name, ("", ""))
        verdict = "" if name not in bars else ("met" if meets(value, asked, bar) else "MISSED")
        lines.append(f"  {name:<{width}}  {value!s:>10}   {asked} {bar}   {verdict}".rstrip())
    return "\n".join([*lines, "", notes] if notes else lines)


def meets(value: float, asked: str, bar: Any) -> bool:
    return bool({"at least": value >= bar, "at most": value <= bar, "is": value == bar}[asked])


def _rounded(value: float | bool | int) -> float | bool | int:
    return round(value, 4) if isinstance(value, float) else value
