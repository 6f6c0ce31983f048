"""BEAT (Liu et al., ECCV 2022): people who talk with many feelings, faces as 51 shapes at 60 frames a second.

    <speaker>/<name>.json, <name>.wav, <name>.TextGrid, e.g. 1/1_wayne_0_65_65
    name: speaker's number, speaker, what was recorded, first and last number of the text

What was recorded is even for speeches and odd for conversations (0 and 1 English, 2 and 3 Chinese, 4 and 5
Spanish, 6 and 7 Japanese). The number of a speech's text says what it was to feel like; conversations have no
such number and are left out. Words come from the TextGrid, where there is one. The head is not in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.errors import InputError
from studio.params import param
from training.data._labels import emotion_of
from training.data._motion import MotionDataset, Row
from training.data._tables import collect, no_layout

NAME = re.compile(r"(\d+)_([a-z]+)_(\d)_(\d+)_(\d+)", re.IGNORECASE | re.ASCII)
LANGUAGES = ("en", "zh", "es", "ja")
TAXONOMY = "mead"
# First number of the text, and what texts from it on are to feel like.
FEELINGS = (
    (0, "neutral"), (65, "happy"), (73, "angry"), (81, "sad"), (87, "contempt"), (95, "surprised"),
    (103, "fear"), (111, "disgusted"),
)  # fmt: skip
LAST_TEXT = 118
_ITEM = re.compile(r'name = "([^"]*)"|text = "((?:[^"]|"")*)"')


@dataclass(frozen=True)
class Dataset(MotionDataset):
    """Speeches of `root`, of one language or all."""

    root: str = param("", "BEAT's folder, with a folder for each speaker")
    language: str = param("", "of the speeches; empty: all", choices=("", *LANGUAGES))

    def read_rows(self) -> list[Row]:
        """Raises InputError without speeches, and with every file whose name no text could have."""
        found = sorted(path for path in self.folder.rglob("*.json") if NAME.fullmatch(path.stem))
        if not found:
            raise no_layout(
                self.root, "1_wayne_0_1_8.json", "files such as 1/1_wayne_0_1_8.json with their .wav"
            )
        speeches = [path for path in found if _parts(path)[2] % 2 == 0 and self._is_asked(path)]
        return collect(self.folder, enumerate(speeches, 1), _row, "file")

    def _is_asked(self, path: Path) -> bool:
        return self.language in ("", _language(path))


def _parts(path: Path) -> tuple[int, str, int, int, int]:
    found = NAME.fullmatch(path.stem)
    assert found is not None
    return int(found[1]), found[2], int(found[3]), int(found[4]), int(found[5])


def _language(path: Path) -> str:
    return LANGUAGES[min(_parts(path)[2] // 2, len(LANGUAGES) - 1)]


def _row(path: Path) -> Row:
    number, speaker, _, first, last = _parts(path)
    labels = {_feeling(path, text) for text in (first, last)}
    if len(labels) > 1:
        why = f"{path.name!r} goes over texts of several feelings: {' and '.join(sorted(labels))}"
        raise InputError("file", path.name, why)
    label = labels.pop()
    grid = path.with_suffix(".TextGrid")
    facts = {"speaker": speaker, "number": number, "label": label, "text": first}
    words = " ".join(_words(grid)) if grid.is_file() else ""
    emotion, language = emotion_of(label, TAXONOMY), _language(path)
    return Row(path, path.with_suffix(".wav"), words, emotion, facts, "beat", language, (grid,))


def _feeling(path: Path, text: int) -> str:
    if not 0 <= text <= LAST_TEXT:
        why = f"{path.name!r} names text {text}; BEAT has texts 0 to {LAST_TEXT}"
        raise InputError("file", path.name, why, str(LAST_TEXT))
    return [label for start, label in FEELINGS if start <= text][-1]


def _words(grid: Path) -> Iterator[str]:
    """Of the tier "words" of a Praat TextGrid; those of its first tier where none is called so."""
    content = grid.read_bytes()
    coding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    tiers: list[tuple[str, list[str]]] = []
    for item in _ITEM.finditer(content.decode(coding, "replace")):
        if item[1] is not None:
            tiers.append((item[1], []))
        elif tiers and item[2].strip():
            tiers[-1][1].append(item[2].replace('""', '"').strip())
    named = [words for name, words in tiers if name == "words"]
    return iter((named or [words for _, words in tiers] or [[]])[0])
