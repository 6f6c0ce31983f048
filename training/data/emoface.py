"""EmoFace (Liu et al., IEEE VR 2024): Chinese lines, 174 controls of a MetaHuman face board at 60 Hz.

    WAV/angry_gd04_001_021.wav
    VALID_CTR/angry_gd04_001_021.txt       rows of 174 numbers, no header

The first three letters of a name say the feeling: ang, dis, fea, hap, neu, sad, sur. `root` may also be the
folder above, with such folders in `train` and `validation`. The controls are read as the ARKit shapes they
mean, as far as they do; the head is not among them, and neither are the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.errors import InputError, nearest
from studio.params import param
from training.data._labels import emotion_of
from training.data._motion import MotionDataset, Row
from training.data._tables import collect, no_layout

TAXONOMY = "mead"
FEELINGS = {
    "ang": "angry", "dis": "disgusted", "fea": "fear", "hap": "happy", "neu": "neutral", "sad": "sad",
    "sur": "surprised",
}  # fmt: skip
CONTROLS, SOUND = "VALID_CTR", "WAV"


@dataclass(frozen=True)
class Dataset(MotionDataset):
    """Lines of `root`, those of `train` and `validation` too."""

    root: str = param("", "folder with VALID_CTR and WAV, or with train and validation")

    def read_rows(self) -> list[Row]:
        """Raises InputError without controls, and with every file whose name says no feeling."""
        folders = [self.folder, *sorted(path for path in self.folder.iterdir() if path.is_dir())]
        files = [path for folder in folders for path in sorted((folder / CONTROLS).glob("*.txt"))]
        if not files:
            raise no_layout(self.root, CONTROLS, f"{CONTROLS}/<name>.txt and {SOUND}/<name>.wav")
        return collect(self.folder, enumerate(files, 1), _row, "file")


def _row(path: Path) -> Row:
    start = path.stem[:3].lower()
    if start not in FEELINGS:
        why = f"{path.name!r} must begin with one of {', '.join(FEELINGS)}"
        raise InputError("file", path.name, why, nearest(path.stem.split("_")[0], FEELINGS.values()))
    label = FEELINGS[start]
    sound = path.parent.with_name(SOUND) / f"{path.stem}.wav"
    facts = {"label": label, "part": path.parent.parent.name}
    return Row(path, sound, "", emotion_of(label, TAXONOMY), facts, "metahuman", "zh")
