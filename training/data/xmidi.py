"""XMIDI (Tian et al., XMusic, 2025): multi-track MIDI files named by emotion and genre.

    root/.../XMIDI_<emotion>_<genre>_<8 letters>.midi      such as XMIDI_angry_classical_0631TTPB.midi

There are no other annotations. Its list of emotions is not published with the files, so any word of the
lexicon is taken, and WORDS for those it has not. The authors state no licence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.emotion import Emotion, parse_emotion
from studio.errors import EmotionError, InputError
from studio.params import param
from training.data._labels import chosen, plain_words
from training.data._music import MusicDataset, Row, midi_files
from training.data._tables import collect, no_layout

# This project's choice for words of the files that no taxonomy of the lexicon has.
WORDS = {
    "exciting": "parrott/excitement",
    "funny": "parrott/amusement",
    "lazy": "terms/relaxed",
    "magnificent": "terms/triumphant",
    "warm": "parrott/tenderness",
}
_PREFIX = "XMIDI"


@dataclass(frozen=True)
class Dataset(MusicDataset):
    """`attributes`: `label` and `genre`, as the file's name says them."""

    root: str = param("", "folder with XMIDI_<emotion>_<genre>_<id>.midi, at any depth")
    genres: str = param("", "genres to take, separated by commas; empty: all")
    windows: int = param(1, "windows of each file, evenly spread from its start to its end", min=1, max=64)

    def read_rows(self) -> list[Row]:
        """Raises InputError with every file whose name says no known emotion, or for an unknown genre."""
        files = [path for path in midi_files(self.folder) if path.stem.startswith(f"{_PREFIX}_")]
        if not files:
            raise no_layout(self.root, f"{_PREFIX}_*.midi", "XMIDI_<emotion>_<genre>_<id>.midi")
        rows = collect(self.folder, enumerate(files, 1), _row, "file")
        if not self.genres.strip():
            return rows
        known = sorted({row.attributes["genre"] for row in rows})
        wanted = chosen("genres", self.genres, known)
        return [row for row in rows if row.attributes["genre"] in wanted]


def _row(path: Path) -> Row:
    parts = path.stem.split("_")
    if len(parts) != 4 or not all(parts):
        near = "XMIDI_angry_classical_0631TTPB"
        raise InputError("file", path.name, f"{path.name!r} is not XMIDI_<emotion>_<genre>_<id>", near)
    _, label, genre, identity = parts
    title = plain_words(f"{genre} {identity}")
    return Row(path, title, _emotion(label, path.name), {"label": label, "genre": genre})


def _emotion(label: str, name: str) -> Emotion:
    try:
        return parse_emotion(WORDS.get(label.lower(), label))
    except EmotionError as error:
        raise InputError("label", label, f"{name}: unknown emotion {label!r}", error.suggestion) from None
