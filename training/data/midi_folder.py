"""A folder of MIDI files with a `metadata.csv` or `metadata.jsonl`: what a piece feels like, or its bars.

    file_name,text,emotion                     one line a file: the emotion in the common grammar,
    a.mid,a march,joy:0.6
    file_name,valence,arousal,dominance        or as three coordinates in [-1, 1] (dominance may be left out),
    b.mid,-0.4,0.1,0
    file_name,label,taxonomy                   or as a label of a taxonomy (a line's own, else the option's)
    c.mid,Q3,emopia
    file_name,bar,valence,arousal              several lines a file: from which bar on it feels so
    d.mid,1,-0.4,-0.2
    d.mid,9,0.5,0.3

Bars are counted as the file counts them, from 1 on. Everything else on a line is kept among the attributes.
Wrong lines are an error before anything runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio.emotion import VAD, Emotion
from studio.errors import InputError
from studio.params import param
from training.data._labels import plain_words
from training.data._metadata import (
    EMOTION_KEYS,
    emotion_in,
    lines,
    metadata_file,
    taxonomy_option,
    values_of,
)
from training.data._music import MusicDataset, Row, Song, stepped
from training.data._tables import collect

METADATA = ("metadata.csv", "metadata.jsonl")
_KNOWN = ("file_name", "text", "bar", *EMOTION_KEYS)
_Line = tuple[str, int, Emotion, dict[str, Any]]  # file, bar (0: the whole piece), feeling, everything said


@dataclass(frozen=True)
class Dataset(MusicDataset):
    """MIDI files of `root`. `prompt`: the text of a line, else the file's name as words."""

    root: str = param("", "folder with metadata.csv or metadata.jsonl")
    taxonomy: str = taxonomy_option()

    def read_rows(self) -> list[Row]:
        """Raises InputError without metadata, with every bad line, or where lines of a file disagree."""
        path = metadata_file(self.folder, self.root, METADATA)
        files: dict[str, list[_Line]] = {}
        for line in collect(path, lines(path), partial(_line, self.taxonomy), "line"):
            files.setdefault(line[0], []).append(line)
        return collect(path, enumerate(files.values(), 1), partial(_row, self.folder), "file")

    def feelings(self, row: Row, song: Song, at: slice) -> list[VAD]:
        """InputError where lines speak of bars that the piece has not."""
        last = int(song.numbers.max())
        if row.curve[-1][0] > last:
            where = int(row.curve[-1][0])
            raise InputError(
                "bar", where, f"{row.midi.name!r} has no bar {where}; its last is {last}", str(last)
            )
        return stepped(row.curve, song.numbers[at].tolist())


def _line(taxonomy: str, said: Any) -> _Line:
    values = values_of(said)
    name = str(values.get("file_name", "")).strip()
    if not name:
        raise InputError("file_name", name, "needs the name of a MIDI file")
    rest = {key: value for key, value in values.items() if key not in _KNOWN}
    text = " ".join(str(values.get("text", "")).split())
    return name, _bar(values.get("bar")), emotion_in(values, taxonomy, least=2), {**rest, "text": text}


def _bar(value: Any) -> int:
    if value is None:
        return 0
    try:
        bar = int(value)
    except (TypeError, ValueError):
        bar = 0
    if bar < 1:
        raise InputError("bar", value, f"must be a whole number from 1 on, got {value!r}", "1")
    return bar


def _row(folder: Path, lines: list[_Line]) -> Row:
    name, _, emotion, said = lines[0]
    bars = [line[1] for line in lines]
    attributes = {key: value for key, value in said.items() if key != "text"}
    title = said["text"] or plain_words(Path(name).stem)
    if bars == [0]:
        return Row(folder / name, title, emotion, attributes)
    if 0 in bars or sorted(set(bars)) != bars:
        why = f"{name!r} has several lines; each needs a bar, in order, none twice (got {bars})"
        raise InputError("bar", bars, why)
    curve = tuple((float(bar), felt.vad) for _, bar, felt, _ in lines)
    return Row(folder / name, title, None, attributes, curve)
