"""A row of the cache is its example, prepared once; what cannot be used is counted, named and left out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.image.sd import Pipeline
from studio.emotion import VAD, Emotion, parse_emotion
from studio.errors import InputError, ModelError
from studio.ports import Example
from training import cache
from training.buckets import Size, cut

SHAPES = ((64, 64), (96, 48), (48, 96))


class Pictures:
    """A data set in memory, three pictures wide by turns; those numbered in `broken` cannot be read."""

    def __init__(self, count: int, broken: Sequence[int] = ()) -> None:
        self.count, self.broken = count, set(broken)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        if index in self.broken:
            raise InputError("file_name", index, f"cannot read picture {index}")
        emotion = parse_emotion(f"v={index / 1000} a=0 d=0")
        width, height = ((40, 40), (70, 35), (30, 60))[index % 3]
        media = np.full((height, width, 3), index % 256, dtype=np.uint8)
        return Example(media, f"picture {index}", emotion, {"label": f"group {index % 2}"})


def prepare(examples: Sequence[Example], size: Size) -> dict[str, torch.Tensor]:
    """A pixel, the size it was asked for and the length of the caption."""
    pixels = [[float(np.asarray(example.media)[0, 0, 0])] for example in examples]
    pictures = {"pixels": torch.tensor(pixels), "size": torch.tensor([size] * len(examples))}
    return pictures | prepare_text([example.prompt for example in examples])


def prepare_text(prompts: Sequence[str]) -> dict[str, torch.Tensor]:
    return {"words": torch.tensor([[float(len(prompt))] for prompt in prompts])}


def source(pictures: Any, blank: bool = False, sizes: Sequence[Size] = SHAPES[:1]) -> cache.Source:
    return cache.Source(pictures, prepare, partial(cut, among=sizes), prepare_text if blank else None)


def filled(path: Path, source: cache.Source) -> cache.Cache:
    cache.fill(path, source)
    cache.finish(path, source)
    return cache.Cache(path)


def test_a_row_of_the_cache_is_its_example(tmp_path: Path) -> None:
    rows = filled(tmp_path, source(Pictures(300)))
    tensors, emotions = rows.rows([299, 0, 255, 256])
    assert len(rows) == 300
    assert tensors["pixels"][:, 0].tolist() == [43, 0, 255, 0]
    assert tensors["words"][:, 0].tolist() == [11, 9, 11, 11]
    assert [emotion.valence for emotion in emotions] == [0.299, 0.0, 0.255, 0.256]
    assert set(rows.sizes) == {"64x64"} and rows.labels[:3] == ["group 0", "group 1", "group 0"]


def test_in_buckets_every_picture_gets_the_nearest_shape_and_keeps_its_row(tmp_path: Path) -> None:
    rows = filled(tmp_path, source(Pictures(300, broken=[1]), sizes=SHAPES))
    assert rows.sizes[:4] == ["64x64", "48x96", "64x64", "96x48"]
    wide = [row for row, size in enumerate(rows.sizes) if size == "96x48"]
    tensors, emotions = rows.rows(wide)
    assert set(map(tuple, tensors["size"].tolist())) == {(96, 48)}
    numbers = [rows.numbers[row] for row in wide]
    assert numbers == list(range(4, 300, 3))
    assert tensors["pixels"][:, 0].tolist() == [number % 256 for number in numbers]
    assert [emotion.valence for emotion in emotions] == [number / 1000 for number in numbers]
    assert [emotion.valence for emotion in rows.emotions([1, 0, 3])] == [0.002, 0.0, 0.004]


def test_in_buckets_media_may_be_paths_and_a_broken_one_is_counted(tmp_path: Path) -> None:
    paths = []
    for index in range(101):
        paths.append(tmp_path / f"{index}.png")
        Image.new("RGB", (20, 10), (index, 0, 0)).save(paths[-1])
    paths[7].write_bytes(paths[7].read_bytes()[:40])
    rows = [Example(path, "a picture", parse_emotion("joy"), {}) for path in paths]
    work = source(rows, sizes=SHAPES)
    cache.fill(tmp_path / "cache", work)
    (left_out,) = cache.finish(tmp_path / "cache", work)
    assert left_out.startswith("example 7: media: cannot read picture") and "7.png" in left_out
    assert cache.Cache(tmp_path / "cache").sizes == ["96x48"] * 100


def test_a_row_keeps_its_label_or_the_nearest_word_for_its_emotion(tmp_path: Path) -> None:
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    blend = Example(picture, "", parse_emotion("0.3 joy + 0.7 fear"), {})
    given = Example(picture, "", parse_emotion("joy"), {"label": "Blithe"})
    point = Example(picture, "", Emotion(VAD(0.8, 0.5, 0.4)), {})
    labels = filled(tmp_path, source([blend, given, point])).labels
    assert labels[:2] == ["fear", "Blithe"] and labels[2].isalpha()


def test_one_percent_may_be_broken_and_is_named(tmp_path: Path) -> None:
    work = source(Pictures(300, broken=[1, 260]))
    cache.fill(tmp_path, work)
    left_out = cache.finish(tmp_path, work)
    rows = cache.Cache(tmp_path)
    assert [line.split(":")[0] for line in left_out] == ["example 1", "example 260"]
    assert len(rows) == 298 and rows.rows([1])[0]["pixels"].item() == 2
    assert rows.numbers[:3] == [0, 2, 3], "a message names examples by their place in the data set"


def test_more_than_one_percent_stops(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"4 of 300 examples cannot be used.*example 0: file_name"):
        cache.fill(tmp_path, source(Pictures(300, broken=[0, 1, 2, 3])))
    assert not cache.is_complete(tmp_path, blank=False)


def test_a_data_set_without_a_usable_example_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="dataset: has no usable example"):
        filled(tmp_path / "none", source(Pictures(0)))
    with pytest.raises(InputError, match="2 of 2 examples cannot be used"):
        filled(tmp_path / "all broken", source(Pictures(2, broken=[0, 1])))


def test_two_processes_make_the_same_cache(tmp_path: Path) -> None:
    work = source(Pictures(600), sizes=SHAPES)
    for rank in (1, 0):
        cache.fill(tmp_path / "two", work, (rank, 2))
    cache.finish(tmp_path / "two", work)
    filled(tmp_path / "one", work)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_an_interrupted_cache_is_completed_not_redone(tmp_path: Path) -> None:
    cache.fill(tmp_path, source(Pictures(600)), (0, 2))
    seen: list[str] = []

    def watched(examples: Sequence[Example], size: Size) -> dict[str, torch.Tensor]:
        seen.extend(example.prompt for example in examples)
        return prepare(examples, size)

    cache.fill(tmp_path, cache.Source(Pictures(600), watched, partial(cut, among=SHAPES[:1])))
    assert seen == [f"picture {index}" for index in range(256, 512)]


def test_an_empty_caption_is_what_the_pipeline_makes_of_no_words(tmp_path: Path) -> None:
    rows = filled(tmp_path, source(Pictures(1), blank=True))
    assert rows.blank.keys() == {"words"} and rows.blank["words"].tolist() == [0.0]
    assert cache.is_complete(tmp_path, blank=True)


def test_numbers_that_are_none_are_refused_at_once(tmp_path: Path) -> None:
    def overflowing(examples: Sequence[Example], _size: Size) -> dict[str, torch.Tensor]:
        return {"pixels": torch.full((len(examples), 1), float("nan"))}

    with pytest.raises(ModelError, match="'pixels' is not finite"):
        cache.fill(tmp_path, cache.Source(Pictures(3), overflowing, partial(cut, among=SHAPES[:1])))


def test_the_key_follows_data_model_and_number_type() -> None:
    keys = {cache.key({"a": 1}, "m", "float32"), cache.key({"a": 2}, "m", "float32")}
    keys |= {cache.key({"a": 1}, "n", "float32"), cache.key({"a": 1}, "m", "float16")}
    assert len(keys) == 4


def test_what_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 of 200 examples"):
        cache.fill(tmp_path, source(Pictures(200, broken=[0, 1, 2])))
    assert len(filled(tmp_path, source(Pictures(200)))) == 200


def test_captions_that_the_model_does_not_read_whole_are_counted(tmp_path: Path) -> None:
    pipeline, picture = Pipeline.tiny(0), np.zeros((64, 64, 3), dtype=np.uint8)
    said = ["short", "x" * 75, "x" * 76, "a long caption " * 30]  # a token a byte and two marks, of 77
    rows = [Example(picture, text, parse_emotion("joy"), {}) for text in said]
    work = cache.Source(rows, pipeline.prepare, partial(cut, among=[(64, 64)]), unread=pipeline.unread)
    assert filled(tmp_path, work).too_long == 2
