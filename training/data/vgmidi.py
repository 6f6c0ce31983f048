"""VGMIDI (Ferreira and Whitehead, ISMIR 2019): piano arrangements of game music, rated bar by bar.

    root/labelled/annotations/vgmidi_raw_1.json  vgmidi_raw_2.json
    root/labelled/midi/<game>_<piece>.mid

as in the published repository; `root` may be `labelled` itself. Each JSON file has `pieces` (id -> name,
midi, measures, duration in seconds) and `annotations` (`<piece>_<rater>` -> valence and arousal, lists in
[-1, 1] with a number a measure, and who the rater is). About 30 people rated each piece; a bar's point is
their mean, where the authors' own scripts take one cluster of them. Measures are equal shares of the
duration, as there. Nobody was asked for dominance: it is 0. The music is under copyright.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from studio.emotion import VAD
from studio.errors import InputError
from studio.params import param
from training.data._labels import vad_of
from training.data._music import MusicDataset, Row, Song, mean, stepped
from training.data._tables import collect, no_layout, read_json


@dataclass(frozen=True)
class Dataset(MusicDataset):
    """`attributes`: `bars` (VAD of each bar), `raters` (how many), `piece` (its id)."""

    root: str = param("", "folder with labelled/annotations/*.json and labelled/midi/")
    windows: int = param(4, "windows of each file, evenly spread from its start to its end", min=1, max=64)

    def read_rows(self) -> list[Row]:
        """Raises InputError with every piece whose ratings are outside [-1, 1], ragged or missing."""
        home = self.folder / "labelled" if (self.folder / "labelled").is_dir() else self.folder
        files = sorted((home / "annotations").glob("*.json"))
        if not files:
            raise no_layout(self.root, "annotations", "labelled/annotations/*.json and labelled/midi/")
        return [row for path in files for row in _rows(home, path)]

    def feelings(self, row: Row, song: Song, at: slice) -> list[VAD]:
        """By where the middle of a bar lies in the piece."""
        middles = (song.start_s[at] + song.end_s[at]) / 2
        return stepped(row.curve, middles.tolist())


def _rows(home: Path, path: Path) -> list[Row]:
    found = read_json(path)
    pieces = found.get("pieces") if isinstance(found, dict) else None
    raters = found.get("annotations") if isinstance(found, dict) else None
    if not isinstance(pieces, dict) or not isinstance(raters, dict):
        why = f"{str(path)!r} must hold an object with pieces and annotations"
        raise InputError("dataset.root", str(path), why)
    ratings: dict[str, list[Mapping[str, Any]]] = {}
    for name, said in raters.items():
        ratings.setdefault(name.rpartition("_")[0], []).append(said)
    rated = [name for name in sorted(pieces) if name in ratings]
    return collect(
        path,
        enumerate(rated, 1),
        lambda name: _row(home, path, name, pieces[name], ratings[name]),
        "rated piece",
    )


def _row(
    home: Path, path: Path, identity: str, about: Mapping[str, Any], said: Sequence[Mapping[str, Any]]
) -> Row:
    try:
        midi, duration_s, measures = str(about["midi"]), float(about["duration"]), int(about["measures"])
    except (KeyError, TypeError, ValueError):
        raise InputError("piece", identity, f"{identity!r} needs midi, measures and duration") from None
    if not (duration_s > 0 and measures > 0):
        raise InputError("piece", identity, f"{identity!r} lasts {duration_s:g} s and {measures} measures")
    try:
        points = list(_points(said))
    except InputError as error:
        raise InputError(error.field, error.value, f"{identity}: {error.why}", error.suggestion) from None
    step_s = duration_s / max(measures, len(points))
    curve = tuple((index * step_s, point) for index, point in enumerate(points))
    title = " ".join(str(about.get("name", identity)).split())
    file = home / "midi" / PureWindowsPath(midi).name  # which also splits at "/"
    attributes = {"raters": len(said), "piece": f"{path.stem}/{identity}"}
    return Row(file, title, None, attributes, curve, (path,))


def _points(said: Sequence[Mapping[str, Any]]) -> Iterator[VAD]:
    """The mean of all raters in each measure; raters stop at different measures at times."""
    each = [_rated(one) for one in said]
    for index in range(max(map(len, each))):
        yield mean([points[index] for points in each if index < len(points)])


def _rated(one: Mapping[str, Any]) -> list[VAD]:
    valence, arousal = one.get("valence"), one.get("arousal")
    if not isinstance(valence, list) or not isinstance(arousal, list) or len(valence) != len(arousal):
        raise InputError("valence", valence, "needs lists valence and arousal of the same length")
    if not valence:
        raise InputError("valence", valence, "is empty")
    return [vad_of((v, a, 0.0)) for v, a in zip(valence, arousal, strict=True)]
