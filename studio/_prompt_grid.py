"""One line of a prompts file that stands for many: `{a|b}` variants, lists, and `lo..hi/count` ranges.

It knows how to multiply values and refuses to multiply them without end. It does not know which fields a
pipeline has; it only knows which fields hold prose, where `..` is punctuation and not a range.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from studio.errors import InputError

MAX_ROWS_PER_LINE = 100_000
MAX_DEPTH = 20
PROSE = frozenset({"prompt", "negative_prompt", "pipeline", "model", "adapters"})

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:/(\d{{1,9}}))?")

Text = list["str | list[Text]"]  # literal pieces and choices between texts


def expand(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the values' alternatives; the last field varies fastest.

    Raises InputError for an unbalanced brace, a range without a count, an empty list, or when the line would
    stand for more than MAX_ROWS_PER_LINE rows.
    """
    axes = [_alternatives(name, value) for name, value in values.items()]
    _check_size("row", math.prod(len(axis) for axis in axes))
    return (dict(zip(values, row, strict=True)) for row in itertools.product(*axes))


def _alternatives(name: str, value: Any) -> list[Any]:
    if name == "adapters" and isinstance(value, list):
        return _adapter_sets(value)
    if isinstance(value, list):
        return _listed(name, value)
    if isinstance(value, str):
        texts = _variants(name, value)
        return texts if name in PROSE else _with_ranges(name, texts)
    return [value]


def _adapter_sets(value: list[Any]) -> list[Any]:
    """A list of names is one set of adapters; only a list of lists is a choice between sets."""
    return value if value and all(isinstance(item, list) for item in value) else [value]


def _listed(name: str, items: list[Any]) -> list[Any]:
    if not items:
        raise InputError(name, items, "is an empty list; leave the field out to get its default")
    if any(isinstance(item, list) for item in items):
        raise InputError(name, items, "is a list inside a list; write one flat list")
    found: list[Any] = []
    for item in items:
        found += _alternatives(name, item)
        _check_size(name, len(found))
    return found


def _check_size(name: str, count: int) -> None:
    if count > MAX_ROWS_PER_LINE:
        raise InputError(name, count, f"stands for {count:,} rows; at most {MAX_ROWS_PER_LINE:,} a line")


def _variants(name: str, text: str) -> list[str]:
    """The texts that `{a|b}` in `text` stand for. Text without any brace is taken exactly as written."""
    if "{" not in text and "}" not in text:
        return [text]
    tree = _Braces(name, text).parse()
    _check_size(name, _count(tree))
    return list(_texts(tree))


class _Braces:
    """A reader of nested `{a|b}`; a backslash before `{`, `|`, `}` or a backslash makes it plain."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text, self.at = name, text, 0

    def parse(self) -> Text:
        tree = self._sequence(depth=0)
        if self.at < len(self.text):
            raise self._wrong("'}' without a '{' before it")
        return tree

    def _sequence(self, depth: int) -> Text:
        parts: Text = []
        stops = "|}" if depth else "}"
        while self.at < len(self.text) and self.text[self.at] not in stops:
            char = self.text[self.at]
            if char == "{":
                parts.append(self._choice(depth + 1))
                continue
            self.at += 1
            if char == "\\" and self.text[self.at : self.at + 1] in {"{", "|", "}", "\\"}:
                char = self.text[self.at]
                self.at += 1
            parts.append(char)
        return parts

    def _choice(self, depth: int) -> list[Text]:
        opened = self.at
        if depth > MAX_DEPTH:
            raise self._wrong(f"braces nested more than {MAX_DEPTH} deep")
        options: list[Text] = []
        while not options or self.text[self.at] == "|":
            self.at += 1
            options.append(self._sequence(depth))
            if self.at >= len(self.text):
                self.at = opened
                raise self._wrong("'{' is never closed")
        self.at += 1
        if "$$" in self.text[opened : self.at]:
            self.at = opened
            raise self._wrong("'$$' is not read here; all combinations are made")
        return options

    def _wrong(self, why: str) -> InputError:
        hint = r"; write \{ or \} for a plain brace"
        return InputError(self.name, self.text, f"column {self.at + 1}: {why}{hint}")


def _count(tree: Text) -> int:
    return math.prod(sum(map(_count, part)) for part in tree if not isinstance(part, str))


def _texts(tree: Text) -> Iterator[str]:
    pools = [[part] if isinstance(part, str) else [t for sub in part for t in _texts(sub)] for part in tree]
    return ("".join(pieces) for pieces in itertools.product(*pools))


def _with_ranges(name: str, texts: list[str]) -> list[Any]:
    found: list[Any] = []
    for text in texts:
        found += _emotions(text) if name == "emotion" else _numbers(name, text)
        _check_size(name, len(found))
    return found


def _numbers(name: str, text: str) -> list[Any]:
    match = _RANGE.fullmatch(text.strip())
    return _span(name, match) if match else [text]


def _emotions(text: str) -> list[str]:
    """Every `lo..hi/count` inside an emotion text is an axis: two of them make a plane of emotions."""
    matches = list(_RANGE.finditer(text))
    if not matches:
        return [text]
    edges = [0, *(edge for match in matches for edge in match.span()), len(text)]
    between = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    spans = [_span("emotion", match) for match in matches]
    _check_size("emotion", math.prod(map(len, spans)))
    return [_woven(between, points) for points in itertools.product(*spans)]


def _woven(between: list[str], points: tuple[Any, ...]) -> str:
    ends = [f"{point:.4f}".rstrip("0").rstrip(".") for point in points]
    return between[0] + "".join(end + rest for end, rest in zip(ends, between[1:], strict=True))


def _span(name: str, match: re.Match[str]) -> list[Any]:
    """`count` evenly spaced values, both ends included; without a count every whole number of the range."""
    low, high, count = float(match[1]), float(match[2]), match[3]
    whole = low.is_integer() and high.is_integer()
    if count is None and (name == "emotion" or not whole):
        raise InputError(name, match[0], f"{match[0]!r} needs a count, such as {match[0]}/5")
    steps = int(abs(high - low)) + 1 if count is None else int(count)
    if steps < 1:
        raise InputError(name, match[0], f"{match[0]!r} must have a count of 1 or more")
    _check_size(name, steps)
    points = [_tidy(low + (high - low) * index / max(steps - 1, 1)) for index in range(steps)]
    return points


def _tidy(value: float) -> int | float:
    rounded = round(value, 6)
    return int(rounded) if rounded.is_integer() else rounded
