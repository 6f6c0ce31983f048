"""Pairs in the manner of EmoEditSet (EmoEdit, CVPR 2025): a picture, and the same one edited to feel.

    root/train_v2/<source>_<x>/<emotion>/<name>_<summary>.jpg    the edited picture (or .png)
    root/<source>_crop/<name>.jpg                                the original

The edited picture is the example; its prompt is the instruction "add <summary>", and the path of the original
is among the attributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from studio.errors import InputError
from studio.params import param
from studio.ports import Example
from training.data._labels import TAXONOMIES, emotion_of, plain_words
from training.data._pictures import SUFFIXES, PictureDataset, Row, pictures_in
from training.data._tables import collect, no_layout


@dataclass(frozen=True)
class Dataset(PictureDataset):
    """`attributes`: label, `original` (path), `instruction`, `source` and `name` of the original."""

    root: str = param("", "folder with train_v2/ and the folders of originals, <source>_crop/")
    edited: str = param("train_v2", "folder of the edited pictures")
    taxonomy: str = param("mikels", "whose labels the folders' names are", choices=TAXONOMIES)
    verb: str = param("add", "first word of an instruction")

    def read_rows(self) -> list[Row]:
        folder = self.folder / self.edited
        found = [path for path in pictures_in(folder) if len(path.relative_to(folder).parts) == 3]
        if not found:
            expected = (
                f"{self.edited}/<source>_<x>/<emotion>/<name>_<summary>.jpg and <source>_crop/<name>.jpg"
            )
            raise no_layout(self.root, "pairs", expected)
        return collect(folder, enumerate(found, 1), self._row, "picture")

    def example(self, row: Row) -> Example:
        """A pair. InputError also where the original is missing."""
        if not row.besides:
            attributes = row.attributes
            why = f"{str(row.picture)!r} has no original in {attributes['source']}_crop"
            raise InputError("file_name", str(row.picture), why)
        return super().example(row)

    def _row(self, picture: Path) -> Row:
        label, batch = picture.parent.name, picture.parent.parent.name
        try:
            emotion = emotion_of(label, self.taxonomy)
        except InputError as error:
            raise InputError("label", label, f"{str(picture)!r}: {error.why}", error.suggestion) from None
        source = batch.rpartition("_")[0] or batch
        name, summary = self._split(picture.stem, source)
        if not summary:
            why = f"{picture.name!r} is not <name>_<summary>: the instruction would be empty"
            raise InputError("file_name", str(picture), why)
        instruction = f"{self.verb} {plain_words(summary)}".strip()
        original = self._originals(source).get(name)
        about = {"label": label, "instruction": instruction, "source": source, "name": name}
        if original:
            about["original"] = str(original)
        return Row(picture, instruction, emotion, about, besides=(original,) if original else ())

    def _split(self, stem: str, source: str) -> tuple[str, str]:
        """Name of the original, and summary. Both may hold underscores: the longest name there is counts."""
        cuts = [place for place, sign in enumerate(stem) if sign == "_" and place > 0]
        known = self._originals(source)
        cut = next((cut for cut in reversed(cuts) if stem[:cut] in known), cuts[0] if cuts else len(stem))
        return stem[:cut], stem[cut + 1 :]

    def _originals(self, source: str) -> dict[str, Path]:
        if source not in self._known_originals:
            folder = self.folder / f"{source}_crop"
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            pictures = {path.stem: path for path in files if path.suffix.lower() in SUFFIXES}
            self._known_originals[source] = pictures
        return self._known_originals[source]

    @cached_property
    def _known_originals(self) -> dict[str, dict[str, Path]]:
        return {}
