"""One folder per label: `root/awe/001.jpg`, `root/anger/a/b.png`; the folders are named by a taxonomy.

A caption comes from a text file beside its picture (`001.txt`), else from a template. Captions say what is in
a picture, not how it feels: the feeling is the adapter's to learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.emotion import Emotion
from studio.errors import InputError, StudioError
from studio.params import param
from training.data._labels import TAXONOMIES, caption_beside, caption_file, emotion_of, filled, plain_words
from training.data._pictures import PictureDataset, Row, pictures_in
from training.data._tables import no_layout


@dataclass(frozen=True)
class Dataset(PictureDataset):
    """Every picture under `root/<label>/`. Raises InputError for a folder that is no label, or no caption."""

    root: str = param("", "folder with one folder per label")
    taxonomy: str = param("mikels", "whose labels the folders' names are", choices=TAXONOMIES)
    template: str = param(
        "", "caption without a text file, with {name} of the picture or {label}; empty: an error instead"
    )

    def read_rows(self) -> list[Row]:
        folders = sorted(path for path in self.folder.iterdir() if path.is_dir() and path.name[0] != ".")
        if not folders:
            expected = f"folders named by labels of {self.taxonomy!r}, such as {self.root}/awe/001.jpg"
            raise no_layout(self.root, "folders", expected)
        emotions = [(folder, self._emotion(folder)) for folder in folders]
        return [row for folder, emotion in emotions for row in self._rows_of(folder, emotion)]

    def _emotion(self, folder: Path) -> Emotion:
        try:
            return emotion_of(folder.name, self.taxonomy)
        except StudioError as error:
            raise InputError("dataset.root", self.root, f"folder {str(folder)!r}: {error}") from None

    def _rows_of(self, folder: Path, emotion: Emotion) -> Iterator[Row]:
        for picture in pictures_in(folder):
            prompt = caption_beside(picture) or self._from_template(picture, folder.name)
            yield Row(picture, prompt, emotion, {"label": folder.name}, besides=(caption_file(picture),))

    def _from_template(self, picture: Path, label: str) -> str:
        values = {"name": plain_words(picture.stem), "label": plain_words(label)}
        text = filled("template", self.template, values)
        if not text:
            why = f"{str(picture)!r} has no {caption_file(picture).name} beside it and there is no template"
            raise InputError("dataset.template", self.template, why, "a photo")
        return text
