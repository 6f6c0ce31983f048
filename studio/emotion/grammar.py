"""The emotion text, one grammar everywhere:

    emotion  =  part { "+" part }  |  point              `0.6 joy + 0.4 fear`
    part     =  [ share ] word [ ":" intensity ]         `joy`, `joy:0.6`, `mikels/awe`
    point    =  axis "=" number { [","] axis "=" number }    `v=0.7 a=-0.2 d=0.1`, a missing axis is 0
    curve    =  emotion  |  key { "," key }              `sadness@0, calm@50%, joy:0.8@100%`
    key      =  emotion "@" place                        `fear@0s`, `joy@50%`, `joy@0.5`

An intensity scales the distance from neutral: 1 is the label's own point, 0 is neutral, and it may exceed 1
as far as the cube reaches. Shares count by their ratio; a blend without shares is equal parts. Every error
names the word and its column (from 1).
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from studio.emotion.curve import EmotionCurve, Key
from studio.emotion.lexicon import lexicon
from studio.emotion.tables import Label, normalised
from studio.emotion.vad import VAD, Emotion, axes_text, number
from studio.errors import EmotionError, nearest

EXAMPLE = "joy"
_AXES = {"v": 0, "valence": 0, "a": 1, "arousal": 1, "d": 2, "dominance": 2}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)\b"
_SHARE = re.compile(rf"\s*({_NUMBER})(?![\w.%])\s*\*?\s*", re.IGNORECASE)
_AXIS = re.compile(r"[\s,]*([^\W\d]+)\s*=\s*([^\s,=]*)")
_PLACE = re.compile(rf"({_NUMBER})\s*(%|s)?", re.IGNORECASE)
_MINUS = re.compile(r"(?:^|\s)-\s*(?=[\d.])")


class _Piece(NamedTuple):
    """Part of the text with the column of its first character."""

    text: str
    column: int

    def stripped(self) -> _Piece:
        left = self.text.lstrip()
        return _Piece(left.rstrip(), self.column + len(self.text) - len(left))

    def split(self, mark: str) -> list[_Piece]:
        pieces, column = [], self.column
        for text in self.text.split(mark):
            pieces.append(_Piece(text, column))
            column += len(text) + len(mark)
        return pieces

    def from_(self, index: int) -> _Piece:
        return _Piece(self.text[index:], self.column + index)


class _Part(NamedTuple):
    share: float | None
    label: Label
    text: str  # `joy:0.6`
    name: str  # `joy`, `mikels/awe`
    vad: VAD
    piece: _Piece


def parse_emotion(text: str) -> Emotion:
    """One emotion. Raises EmotionError with the word, its column and the nearest right one."""
    if not isinstance(text, str):
        raise EmotionError("emotion", text, f"expected text, got {type(text).__name__}", EXAMPLE)
    return _emotion(_Piece(text, 1))


def parse_curve(text: str) -> EmotionCurve:
    """A curve, or one emotion as a constant curve. Raises EmotionError as `parse_emotion` does."""
    if not isinstance(text, str) or "@" not in text:
        return EmotionCurve.constant(parse_emotion(text))
    places: list[tuple[float, str, _Piece]] = []
    keys: list[Key] = []
    for emotion, place in _keys(_Piece(text, 1)):
        at, unit = _place(place)
        _check_order(places, at, unit, place)
        places.append((at, unit, place))
        keys.append(Key(at, _emotion(emotion)))
    return EmotionCurve(tuple(keys), next((unit for _, unit, _ in places if unit), "progress"))


def format_emotion(emotion: Emotion | VAD) -> str:
    """Canonical text, which parses back to an equal emotion."""
    return emotion.text if isinstance(emotion, Emotion) else axes_text(emotion)


def _emotion(piece: _Piece) -> Emotion:
    piece = piece.stripped()
    if not piece.text:
        raise _error(piece, f"no emotion at column {piece.column}", EXAMPLE)
    if "@" in piece.text:
        raise _error(piece, f"'@' at column {piece.column + piece.text.index('@')} belongs to a curve")
    if "=" in piece.text:
        return lexicon().emotion(_point(piece))
    if "," in piece.text:
        column = piece.column + piece.text.index(",")
        raise _error(
            piece, f"',' at column {column}: blend with '+', or give each emotion a place as in joy@50%"
        )
    return _blend([_part(part) for part in piece.split("+")])


def _point(piece: _Piece) -> VAD:
    values: dict[int, float] = {}
    end = 0
    while end < len(piece.text.rstrip(" ,")):
        found = _AXIS.match(piece.text, end)
        if not found:
            rest = piece.from_(end).stripped()
            raise _error(
                rest, f"cannot read {rest.text!r} at column {rest.column}; a point is v=0.7 a=-0.2 d=0.1"
            )
        name, column = found[1].lower(), piece.column + found.start(1)
        if name not in _AXES:
            raise _error(
                piece, f"unknown axis {found[1]!r} at column {column}", nearest(name, _AXES) or "v, a or d"
            )
        if _AXES[name] in values:
            raise _error(piece, f"axis {found[1]!r} at column {column} is given twice")
        values[_AXES[name]] = _in_range(_Piece(found[2], piece.column + found.start(2)), name, -1.0, 1.0)
        end = found.end()
    return VAD(*(values.get(axis, 0.0) for axis in range(3)))


def _part(piece: _Piece) -> _Part:
    piece = piece.stripped()
    if not piece.text:
        raise _error(piece, f"no emotion at column {piece.column}; '+' stands between two")
    share, rest = _share(piece)
    word, colon, strength = rest.text.partition(":")
    if minus := _MINUS.search(word):
        column = rest.column + minus.start() + len(minus[0]) - len(minus[0].lstrip())
        raise _error(rest, f"'-' at column {column}: a share must be above 0")
    label = lexicon().lookup(word, rest.column)
    name = label.name if lexicon().is_qualified(word) else normalised(word)
    if not colon:
        return _Part(share, label, name, name, _vad(label, rest), piece)
    factor, vad = _intensity(label, name, _Piece(strength, rest.column + len(word) + 1), rest)
    return _Part(share, label, name if factor == 1.0 else f"{name}:{number(factor)}", name, vad, piece)


def _share(piece: _Piece) -> tuple[float | None, _Piece]:
    found = _SHARE.match(piece.text)
    if not found:
        return None, piece
    share, rest = float(found[1]), piece.from_(found.end())
    if not rest.text:
        why = f"{found[1]!r} at column {piece.column} has no emotion"
        raise _error(piece, why, f"joy:{found[1]}" if 0 < share <= 1 else EXAMPLE)
    if not 0.0 < share < math.inf:
        raise _error(piece, f"share {found[1]} at column {piece.column} must be a number above 0")
    return share, rest


def _intensity(label: Label, name: str, piece: _Piece, word: _Piece) -> tuple[float, VAD]:
    vad = _vad(label, word)
    factor = _in_range(piece.stripped(), f"intensity of {name!r}", 0.0, vad.reach)
    return factor, vad.scaled(factor)


def _vad(label: Label, piece: _Piece) -> VAD:
    if label.point is None:
        raise _error(piece, f"{label.name!r} at column {piece.column} has {label.warning}")
    return label.point


def _blend(parts: list[_Part]) -> Emotion:
    if len(parts) == 1:
        part = parts[0]
        if part.share is not None:
            why = f"a share at column {part.piece.column} needs a second emotion"
            raise _error(part.piece, why, f"{part.name}:{number(part.share)}")
        return Emotion(part.vad, ((part.name, 1.0),), part.text)
    seen: set[str] = set()
    for part in parts:
        if (part.share is None) != (parts[0].share is None):
            odd = next(each for each in parts if each.share is None)
            raise _error(
                odd.piece, f"{odd.text!r} at column {odd.piece.column} has no share; give all or none"
            )
        if part.label.name in seen:
            raise _error(part.piece, f"{part.text!r} at column {part.piece.column} is in the blend twice")
        seen.add(part.label.name)
    shares = _normalised_shares([1.0 if part.share is None else part.share for part in parts])
    pairs = list(zip(shares, parts, strict=True))
    mean = (math.fsum(share * part.vad.as_tuple()[axis] for share, part in pairs) for axis in range(3))
    weights = tuple((part.name, share) for share, part in pairs)
    return Emotion(
        VAD.clamped(*mean), weights, " + ".join(f"{number(share)} {part.text}" for share, part in pairs)
    )


def _normalised_shares(shares: list[float]) -> list[float]:
    total = math.fsum(shares)
    if abs(total - 1.0) <= 1e-9:  # as written: dividing again would move the last bit at every reading
        return shares
    return [share / total for share in shares]


def _keys(piece: _Piece) -> list[tuple[_Piece, _Piece]]:
    """(emotion, place) per key. A comma inside a point (`v=.7, a=.2@50%`) does not end the key."""
    keys, open_ = [], ""
    for part in piece.split(","):
        text, column = open_ + part.text, part.column - len(open_)
        before, mark, place = text.rpartition("@")
        if mark:
            keys.append((_Piece(before, column), _Piece(place, column + len(before) + 1).stripped()))
            open_ = ""
        elif "=" in part.text:
            open_ = text + ","
        else:
            bare = part.stripped()
            what = repr(bare.text) if bare.text else "the key"
            near = f"{bare.text or EXAMPLE}@50%"
            raise _error(bare, f"{what} at column {bare.column} has no place", near)
    if open_:
        rest = _Piece(open_[:-1], piece.column + len(piece.text) - len(open_) + 1).stripped()
        raise _error(rest, f"{rest.text!r} at column {rest.column} has no place", f"{rest.text}@50%")
    return keys


def _place(piece: _Piece) -> tuple[float, str]:
    """(place, unit); a bare number is progress, and a bare 0 goes with either unit ("")."""
    found = _PLACE.fullmatch(piece.text)
    if not found:
        why = f"cannot read place {piece.text!r} at column {piece.column}; write 50%, 0.5 or 4s"
        raise _error(piece, why)
    value, mark = _Piece(found[1], piece.column), (found[2] or "").lower()
    if mark == "s":
        return _in_range(value, "a place in seconds", 0.0, math.inf), "seconds"
    if mark == "%":
        return _in_range(value, "a place in percent", 0.0, 100.0) / 100.0, "progress"
    if float(found[1]) > 1.0:
        why = f"place {found[1]} at column {piece.column} is past the end (1); as a percentage or in seconds"
        raise _error(piece, why, f"{found[1]}%" if float(found[1]) <= 100.0 else f"{found[1]}s")
    at = _in_range(value, "a place", 0.0, 1.0)
    return at, "progress" if at else ""


def _check_order(before: list[tuple[float, str, _Piece]], at: float, unit: str, place: _Piece) -> None:
    where = f"place {place.text!r} at column {place.column}"
    for _, other, piece in before:
        if unit and other and unit != other:
            raise _error(place, f"{where} is in {unit}, {piece.text!r} before it in {other}; use one unit")
    if before and at == before[-1][0]:
        raise _error(place, f"{where} is taken by the key before it")
    if before and at < before[-1][0]:
        raise _error(place, f"{where} is before {before[-1][2].text!r}; put the keys in order")


def _in_range(piece: _Piece, what: str, low: float, high: float) -> float:
    """A finite number of [low, high], or an error with the nearest right one."""
    if not re.fullmatch(_NUMBER, piece.text, re.IGNORECASE):
        raise _error(piece, f"{what} at column {piece.column} must be a number, got {piece.text!r}")
    value = float(piece.text)
    if low <= value <= high and math.isfinite(value):
        return value
    limits = f"in [{low:g}, {math.floor(high * 100) / 100:g}]" if math.isfinite(high) else f"{low:g} or more"
    bound = low if value < low else math.floor(high * 100) / 100 if math.isfinite(high) else None
    near = None if bound is None or math.isnan(value) else f"{bound:g}"
    raise _error(piece, f"{what} at column {piece.column} must be {limits}, got {piece.text}", near)


def _error(piece: _Piece, why: str, suggestion: str | None = None) -> EmotionError:
    return EmotionError("emotion", piece.text, why, suggestion)
