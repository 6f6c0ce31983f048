"""A folder of clips with a `metadata.jsonl` or `metadata.csv`: what each one feels like, or its moments.

    {"file_name": "a.mp4", "text": "waves under a lighthouse", "emotion": "calm@0s, fear@2s, relief@4s"}
    {"file_name": "b/b.mov", "text": "a dog runs", "valence": 0.6, "arousal": 0.5}
    {"file_name": "c.gif", "caption": "rain on a window", "label": "sadness", "taxonomy": "mikels"}
    {"file_name": "d.mp4", "text": "a speech", "feelings": ["calm", [-0.2, 0.4], [-0.6, 0.7, -0.3]]}

    file_name,text,time_s,valence,arousal      in a CSV these keys are the columns; a clip may have several
    e.mp4,a crowd at night,0,-0.1,0.2          lines, each from a moment on
    e.mp4,a crowd at night,3.5,-0.6,0.8

The emotion stands in the common grammar, a curve in seconds or in per cent if it changes; as coordinates in
[-1, 1] (dominance may be left out); as a label of a taxonomy (a line's own, else the option's); or as
`feelings`, one for each second, which hold in its middle. Between moments it goes in a straight line. The
caption is `text` or `caption` of the line, else the text file beside the clip (`a.txt`). Everything else on a
line is kept among the attributes. Wrong lines are an error before anything runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio.emotion import Emotion, EmotionCurve, parse_curve, parse_emotion
from studio.emotion.curve import Key
from studio.emotion.vad import AXES
from studio.errors import InputError
from studio.params import param
from training.data._clips import ClipDataset, Row
from training.data._labels import caption_beside, caption_file, vad_of
from training.data._metadata import (
    EMOTION_KEYS,
    emotion_in,
    lines,
    metadata_file,
    taxonomy_option,
    values_of,
)
from training.data._tables import collect

METADATA = ("metadata.jsonl", "metadata.csv")
_KNOWN = ("file_name", "text", "caption", "time_s", "feelings", *EMOTION_KEYS)


@dataclass(frozen=True, slots=True)
class _Line:
    """`time_s`: from when on; None for the whole clip."""

    file_name: str
    text: str
    time_s: float | None
    curve: EmotionCurve
    rest: Mapping[str, Any]


@dataclass(frozen=True)
class Dataset(ClipDataset):
    """Clips of `root`."""

    root: str = param("", "folder with metadata.jsonl or metadata.csv")
    taxonomy: str = taxonomy_option()

    def read_rows(self) -> list[Row]:
        """Raises InputError without metadata, with every bad line, or where lines of a clip disagree."""
        path = metadata_file(self.folder, self.root, METADATA)
        clips: dict[str, list[_Line]] = {}
        for line in collect(path, lines(path), partial(_line, self.taxonomy), "line"):
            clips.setdefault(line.file_name, []).append(line)
        return collect(path, enumerate(clips.values(), 1), partial(_row, self.folder), "clip")


def _line(taxonomy: str, said: Any) -> _Line:
    values = values_of(said)
    name = str(values.get("file_name", "")).strip()
    if not name:
        raise InputError("file_name", name, "needs the name of a video file")
    text = " ".join(str(values.get("text", values.get("caption", ""))).split())
    rest = {key: value for key, value in values.items() if key not in _KNOWN}
    return _Line(name, text, _time_s(values.get("time_s")), _curve(values, taxonomy), rest)


def _time_s(value: Any) -> float | None:
    if value is None:
        return None
    try:
        time_s = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        time_s = math.nan
    if not 0 <= time_s < math.inf:
        raise InputError("time_s", value, f"must be seconds from 0 on, got {value!r}", "0")
    return time_s


def _curve(values: Mapping[str, Any], taxonomy: str) -> EmotionCurve:
    others = [key for key in ("emotion", *AXES, "label") if key in values]
    if "feelings" in values:
        if others and others != ["label"]:
            raise InputError("feelings", values["feelings"], f"give either feelings or {others[0]}, not both")
        return _by_seconds(values["feelings"])
    if "emotion" in values and not set(AXES) & set(values):
        return parse_curve(str(values["emotion"]))
    return EmotionCurve.constant(emotion_in(values, taxonomy, least=2))


def _by_seconds(feelings: Any) -> EmotionCurve:
    """The first is that of the second from 0 s to 1 s, and holds at 0.5 s."""
    if not isinstance(feelings, list) or not feelings:
        raise InputError("feelings", feelings, f"must be a list with one for each second, got {feelings!r}")
    return EmotionCurve(
        tuple(Key(second + 0.5, _feeling(second, one)) for second, one in enumerate(feelings)), "seconds"
    )


def _feeling(second: int, said: Any) -> Emotion:
    """Words of the common grammar, or two or three coordinates."""
    if isinstance(said, str):
        return parse_emotion(said)
    if isinstance(said, Mapping):
        said = [said.get(axis) for axis in AXES[:2]] + [said.get(AXES[2], 0.0)]
    if not isinstance(said, Sequence) or not 2 <= len(said) <= 3:
        why = f"of second {second} must be words or [valence, arousal, dominance], got {said!r}"
        raise InputError("feelings", said, why)
    return Emotion(vad_of([*said, 0.0][:3]))


def _row(folder: Path, lines: list[_Line]) -> Row:
    first = lines[0]
    clip = folder / first.file_name
    times = [line.time_s for line in lines]
    curve = first.curve if times == [None] else _through(first.file_name, lines)
    text = first.text or caption_beside(clip)
    if not text:
        beside = caption_file(clip).name
        why = f"{first.file_name!r} needs a caption: `text` on its line, or {beside} beside it"
        raise InputError("text", first.text, why)
    return Row(clip, text, curve, dict(first.rest), () if first.text else (caption_file(clip),))


def _through(name: str, lines: list[_Line]) -> EmotionCurve:
    """Several lines of a clip as the keys of one curve."""
    times = [line.time_s for line in lines]
    known = [time_s for time_s in times if time_s is not None]
    if len(known) < len(times) or sorted(set(known)) != known:
        why = f"{name!r} has several lines; each needs its time_s, in order, none twice (got {times})"
        raise InputError("time_s", times, why)
    if not all(line.curve.is_constant for line in lines):
        raise InputError("emotion", name, f"{name!r}: a line with time_s has one feeling, not a curve")
    keys = zip(known, (line.curve.keys[0].emotion for line in lines), strict=True)
    return EmotionCurve(tuple(Key(time_s, emotion) for time_s, emotion in keys), "seconds")
