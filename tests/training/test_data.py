"""Datasets give the same examples every time and name what is wrong; the cache counts what it leaves out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from studio.emotion import VAD, parse_emotion
from studio.errors import InputError, ModelError, PromptsFileError
from studio.ports import Example
from training import cache
from training.data import folder, painter


class Pictures:
    """A data set in memory; the examples numbered in `broken` cannot be read."""

    def __init__(self, count: int, broken: Sequence[int] = ()) -> None:
        self.count, self.broken = count, set(broken)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        if index in self.broken:
            raise InputError("file_name", index, f"cannot read picture {index}")
        emotion = parse_emotion(f"v={index / 1000} a=0 d=0")
        return Example(np.full((2, 2), index), f"picture {index}", emotion, {})


def prepare(examples: Sequence[Example]) -> dict[str, torch.Tensor]:
    """Pixels and the length of the caption: one tensor from the picture, one from the words."""
    return {
        "pixels": torch.tensor(np.stack([example.media for example in examples]), dtype=torch.float32),
        "words": torch.tensor([[float(len(example.prompt))] for example in examples]),
    }


def filled(path: Path, pictures: Pictures, blank: bool = False) -> cache.Cache:
    cache.fill(path, pictures, prepare)
    cache.finish(path, pictures, prepare, blank)
    return cache.Cache(path)


def write_folder(root: Path, lines: Sequence[dict[str, Any] | str]) -> folder.Dataset:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (root / "metadata.jsonl").write_text(text, "utf-8")
    return folder.Dataset(root=str(root), size_px=32)


def write_picture(path: Path, size: tuple[int, int] = (60, 40)) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, (200, 100, 50)).save(path)


def test_a_painting_depends_on_seed_and_index_alone() -> None:
    many, few = painter.Dataset(count=9, seed=4, size_px=32), painter.Dataset(count=4, seed=4, size_px=32)
    assert np.array_equal(many[3].media, few[3].media)
    assert (many[3].prompt, many[3].emotion) == (few[3].prompt, few[3].emotion)
    assert many[3].media.shape == (32, 32, 3) and many[3].media.dtype == np.uint8
    assert not np.array_equal(many[3].media, painter.Dataset(count=9, seed=5, size_px=32)[3].media)
    with pytest.raises(IndexError):
        few[4]


def test_held_out_paintings_are_others() -> None:
    train = painter.Dataset(count=20, size_px=32)
    held_out = painter.Dataset(count=20, size_px=32, split="held-out")
    assert {example.emotion.text for example in train}.isdisjoint(
        example.emotion.text for example in held_out
    )
    assert train.description != held_out.description


@pytest.mark.parametrize("law", ["uniform", "edges"])
def test_feelings_fill_the_cube(law: str) -> None:
    points = np.array([e.emotion.vad.as_tuple() for e in painter.Dataset(count=100, size_px=32, law=law)])
    assert (points.min(axis=0) < -0.9).all() and (points.max(axis=0) > 0.9).all()
    assert np.abs(points.mean(axis=0)).max() < 0.25


def test_a_folder_is_read_with_words_or_numbers(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_picture(tmp_path / "sub" / "b.jpg", (20, 90))
    words = {"file_name": "a.png", "text": "an orange wall", "emotion": "joy", "artist": "me"}
    numbers = {"file_name": "sub/b.jpg", "caption": "a door", "valence": -0.5, "arousal": 1, "dominance": 0}
    dataset = write_folder(tmp_path, [words, "", numbers])
    first, second = dataset
    assert (first.prompt, first.emotion) == ("an orange wall", parse_emotion("joy"))
    assert first.attributes == {"artist": "me"}
    assert second.emotion.vad == VAD(-0.5, 1.0, 0.0)
    assert first.media.shape == second.media.shape == (32, 32, 3)


def test_every_bad_line_is_reported_with_its_number(tmp_path: Path) -> None:
    good = {"file_name": "a.png", "text": "x", "emotion": "joy"}
    bad = [
        "{not json",
        {**good, "emotion": "contentmnt"},
        {"file_name": "a.png", "text": " ", "emotion": "joy"},
        {"file_name": "a.png", "text": "x", "valence": 0.1},
        {"file_name": "a.png", "text": "x", "valence": 2, "arousal": 0, "dominance": 0},
        {**good, "valence": 0.5},
    ]
    dataset = write_folder(tmp_path, [good, *bad])
    with pytest.raises(PromptsFileError) as caught:
        len(dataset)
    assert [number for number, _ in caught.value.problems] == [2, 3, 4, 5, 6, 7]
    assert "contentment" in str(caught.value)


def test_a_folder_without_metadata_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no metadata\.jsonl in folder"):
        len(folder.Dataset(root=str(tmp_path)))


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n broken"])
def test_a_missing_or_broken_picture_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    dataset = write_folder(tmp_path, [{"file_name": "a.png", "text": "x", "emotion": "joy"}])
    with pytest.raises(InputError, match=r"cannot read picture .*a\.png"):
        dataset[0]


def test_a_changed_picture_changes_the_description(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    dataset = write_folder(tmp_path, [{"file_name": "a.png", "text": "x", "emotion": "joy"}])
    before = dataset.description
    assert dataset.description == before
    write_picture(tmp_path / "a.png", (61, 40))
    assert dataset.description != before


def test_a_row_of_the_cache_is_its_example(tmp_path: Path) -> None:
    rows = filled(tmp_path, Pictures(300))
    tensors, emotions = rows.rows([299, 0, 255, 256])
    assert len(rows) == 300
    assert tensors["pixels"][:, 0, 0].tolist() == [299, 0, 255, 256]
    assert [emotion.valence for emotion in emotions] == [0.299, 0.0, 0.255, 0.256]


def test_one_percent_may_be_broken_and_is_named(tmp_path: Path) -> None:
    cache.fill(tmp_path, Pictures(300, broken=[1, 260]), prepare)
    left_out = cache.finish(tmp_path, Pictures(300, broken=[1, 260]), prepare, blank=False)
    rows = cache.Cache(tmp_path)
    assert [line.split(":")[0] for line in left_out] == ["example 1", "example 260"]
    assert len(rows) == 298 and rows.rows([1])[0]["pixels"][0, 0, 0] == 2


def test_more_than_one_percent_stops(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"4 of 300 examples cannot be used.*example 0: file_name"):
        cache.fill(tmp_path, Pictures(300, broken=[0, 1, 2, 3]), prepare)
    assert not cache.is_complete(tmp_path, blank=False)


def test_two_processes_make_the_same_cache(tmp_path: Path) -> None:
    pictures = Pictures(600)
    for rank in (1, 0):
        cache.fill(tmp_path / "two", pictures, prepare, (rank, 2))
    cache.finish(tmp_path / "two", pictures, prepare, blank=False)
    filled(tmp_path / "one", pictures)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_an_interrupted_cache_is_completed_not_redone(tmp_path: Path) -> None:
    cache.fill(tmp_path, Pictures(600), prepare, (0, 2))
    seen: list[str] = []

    def watched(examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        seen.extend(example.prompt for example in examples)
        return prepare(examples)

    cache.fill(tmp_path, Pictures(600), watched)
    assert seen == [f"picture {index}" for index in range(256, 512)]


def test_an_empty_caption_replaces_what_comes_from_words_alone(tmp_path: Path) -> None:
    rows = filled(tmp_path, Pictures(20), blank=True)
    assert rows.blank.keys() == {"words"} and rows.blank["words"].tolist() == [0.0]
    with pytest.raises(InputError, match="two different pictures"):
        filled(tmp_path / "one", Pictures(1), blank=True)


def test_numbers_that_are_none_are_refused_at_once(tmp_path: Path) -> None:
    def overflowing(examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        return {"pixels": torch.full((len(examples), 1), float("nan"))}

    with pytest.raises(ModelError, match="'pixels' is not finite"):
        cache.fill(tmp_path, Pictures(3), overflowing)


def test_the_key_follows_data_model_and_number_type() -> None:
    keys = {cache.key({"a": 1}, "m", "float32"), cache.key({"a": 2}, "m", "float32")}
    keys |= {cache.key({"a": 1}, "n", "float32"), cache.key({"a": 1}, "m", "float16")}
    assert len(keys) == 4


def test_captions_may_hold_odd_separators_and_other_encodings_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    line = '{"file_name": "a.png", "text": "one\u2028two", "emotion": "joy"}\n'
    (tmp_path / "metadata.jsonl").write_text(line, "utf-8")
    dataset = folder.Dataset(root=str(tmp_path), size_px=32)
    assert [example.prompt for example in dataset] == ["one\u2028two"]
    (tmp_path / "metadata.jsonl").write_bytes(line.replace("\u2028", "é").encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        len(folder.Dataset(root=str(tmp_path), size_px=32))
