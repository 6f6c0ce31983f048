"""Datasets give the same examples every time and name what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.emotion import VAD, parse_emotion
from studio.errors import InputError, PromptsFileError
from training.data import folder, painter


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


def test_captions_may_hold_odd_separators_and_other_encodings_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    line = '{"file_name": "a.png", "text": "one\u2028two", "emotion": "joy"}\n'
    (tmp_path / "metadata.jsonl").write_text(line, "utf-8")
    dataset = folder.Dataset(root=str(tmp_path), size_px=32)
    assert [example.prompt for example in dataset] == ["one\u2028two"]
    (tmp_path / "metadata.jsonl").write_bytes(line.replace("\u2028", "é").encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        len(folder.Dataset(root=str(tmp_path), size_px=32))
