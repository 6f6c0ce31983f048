"""Plain pictures without any emotion: what a slider is trained on, since its words say what to feel.

Every example is neutral, so an adapter of any other objective learns nothing from them.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.emotion import NEUTRAL, Emotion
from studio.errors import InputError
from studio.params import param
from training.data._labels import caption_beside, caption_file, filled, plain_words
from training.data._pictures import SUFFIXES, PictureDataset, Row, pictures_in
from training.data._tables import no_layout

HAS_FEELINGS = False  # for sliders, whose words say what to feel


@dataclass(frozen=True)
class Dataset(PictureDataset):
    """Every picture under `root`, neutral. Captions from `a.txt` beside `a.jpg`, else from the template."""

    root: str = param("", "folder of pictures")
    template: str = param("a picture", "caption of a picture without a text file, with {name} of the file")

    def read_rows(self) -> list[Row]:
        found = pictures_in(self.folder)
        if not found:
            raise no_layout(self.root, "pictures", f"files ending in {', '.join(sorted(SUFFIXES))}")
        rows = []
        for picture in found:
            values = {"name": plain_words(picture.stem)}
            prompt = caption_beside(picture) or filled("template", self.template, values)
            if not prompt:
                raise InputError("dataset.template", self.template, f"{str(picture)!r} would have no caption")
            rows.append(Row(picture, prompt, Emotion(NEUTRAL), besides=(caption_file(picture),)))
        return rows
