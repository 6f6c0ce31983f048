"""Data sets of picture files: what they read, what they refuse and how, and what a broken picture does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio import catalog
from studio.emotion import NEUTRAL, VAD, lexicon
from studio.errors import InputError, PromptsFileError
from tests.training.data_files import Write, damaged, write_csv
from training import config
from training.data import folder, labels_folder, pictures
from training.data._labels import emotion_of
from training.run import train

NAMES = ("folder", "labels_folder", "pictures", "emoset", "emoart", "emoedit", "emotic")


def test_every_data_set_is_listed_with_its_options() -> None:
    names = catalog.names("dataset")
    assert set(NAMES) <= set(names)
    assert not any(name.startswith("_") for name in names)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_another_layout_is_told_what_is_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.md").write_text("nothing here", "utf-8")
    dataset = catalog.load("dataset", name).Dataset(root=str(tmp_path))
    with pytest.raises(InputError, match=r"no .* in folder .*; expected "):
        len(dataset)
    wrong = {
        "": "needs the data set's folder",
        str(tmp_path / "nowhere"): "nowhere' does not exist",
        str(tmp_path / "notes.md"): r"notes\.md' is a file, not a folder",
    }
    for root, message in wrong.items():
        with pytest.raises(InputError, match=message):
            len(catalog.load("dataset", name).Dataset(root=root))


@pytest.mark.parametrize(
    ("name", "file"), [("folder", "metadata.jsonl"), ("emoset", "train.json"), ("emoart", "annotation.json")]
)
def test_one_folder_too_high_is_told_which_one(tmp_path: Path, name: str, file: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / file).write_text("[]", "utf-8")
    with pytest.raises(InputError, match=r"; did you mean '.*data'\?"):
        len(catalog.load("dataset", name).Dataset(root=str(tmp_path)))


def test_a_label_that_resembles_none_is_told_where_they_are() -> None:
    with pytest.raises(InputError, match=r"unknown label 'xyz'.*'python -m studio list emotions mikels'"):
        emotion_of("xyz", "mikels")


def test_all_labels_with_a_point_become_that_point() -> None:
    for name, taxonomy in lexicon().taxonomies.items():
        for label in taxonomy.labels:
            if label.point is not None:
                assert emotion_of(label.word, name).vad == label.vad, label.name


def test_a_label_without_a_point_says_why() -> None:
    with pytest.raises(InputError, match=r"'iemocap/other' .*has no point"):
        emotion_of("other", "iemocap")


# --- folder ---------------------------------------------------------------------------------------------


def test_a_csv_says_the_same_as_lines_of_json(tmp_path: Path, paint: Write) -> None:
    paint("a.png"), paint("b.png"), paint("c.png")
    nothing = {"text": "", "emotion": "", "valence": "", "arousal": "", "dominance": "", "label": ""}
    rows = [
        {**nothing, "file_name": "a.png", "text": 'a "wall", orange', "emotion": "joy", "artist": "me"},
        {**nothing, "file_name": "b.png", "text": "b", "valence": -0.1, "arousal": 1, "dominance": 0},
        {**nothing, "file_name": "c.png", "text": "c", "label": "awe", "taxonomy": "mikels"},
    ]
    (tmp_path / "metadata.csv").unlink(missing_ok=True)
    write_csv(tmp_path / "metadata.csv", [{"taxonomy": "", "artist": "", **row} for row in rows])
    first, second, third = folder.Dataset(root=str(tmp_path), size_px=32)
    assert first.prompt == 'a "wall", orange' and first.attributes == {"artist": "me"}
    assert first.emotion.text == "joy" and second.emotion.vad == VAD(-0.1, 1.0, 0.0)
    assert third.emotion == emotion_of("awe", "mikels")
    assert third.attributes == {"label": "awe", "taxonomy": "mikels"}


def test_labels_of_lines_are_checked_against_their_taxonomy(tmp_path: Path) -> None:
    line = {"file_name": "a.png", "text": "x"}
    lines = [
        {**line, "label": "awee"},
        {**line, "label": "awe", "taxonomy": "mikel"},
        {**line, "label": "awe"},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    with pytest.raises(PromptsFileError) as caught:
        len(folder.Dataset(root=str(tmp_path)))
    assert [number for number, _ in caught.value.problems] == [1, 2, 3]
    assert "needs a taxonomy" in str(caught.value) and "did you mean 'mikels'?" in str(caught.value)
    with pytest.raises(PromptsFileError, match=r"line 1: .*'awee' of taxonomy 'mikels'; did you mean 'awe'"):
        len(folder.Dataset(root=str(tmp_path), taxonomy="mikels"))


def test_whole_pictures_are_kept_for_buckets(tmp_path: Path, paint: Write) -> None:
    paint("a.png", (60, 40))
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "x", "emotion": "joy"}', "utf-8")
    assert folder.Dataset(root=str(tmp_path), size_px=0)[0].media.shape == (40, 60, 3)
    assert folder.Dataset(root=str(tmp_path), size_px=32)[0].media.shape == (32, 32, 3)
    with pytest.raises(InputError, match=r"size_px: must be 0 .* or at least 32"):
        folder.Dataset(root=str(tmp_path), size_px=8)


def test_two_metadata_files_and_ragged_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,text,emotion\na.png,one, two,joy\n", "utf-8")
    with pytest.raises(InputError, match="line 2: more cells than columns"):
        len(folder.Dataset(root=str(tmp_path)))
    (tmp_path / "metadata.jsonl").write_text("", "utf-8")
    with pytest.raises(InputError, match="keep one of them"):
        len(folder.Dataset(root=str(tmp_path)))


# --- one folder per label, plain pictures -----------------------------------------------------------------


def test_folders_are_labels(tmp_path: Path, paint: Write) -> None:
    paint("awe/old_boat.png"), paint("awe/deep/2.jpg"), paint("anger/3.webp"), paint(".hidden/4.png")
    (tmp_path / "awe" / "deep" / "2.txt").write_text("a wave\n", "utf-8")
    examples = list(labels_folder.Dataset(root=str(tmp_path), size_px=32, template="a photo of {name}"))
    assert [example.prompt for example in examples] == ["a photo of 3", "a wave", "a photo of old boat"]
    assert [example.attributes["label"] for example in examples] == ["anger", "awe", "awe"]
    assert examples[1].emotion == emotion_of("awe", "mikels")


def test_a_picture_without_a_caption_is_an_error_unless_there_is_a_template(
    tmp_path: Path, paint: Write
) -> None:
    picture = paint("awe/1.png")
    dataset = labels_folder.Dataset(root=str(tmp_path), size_px=32)
    with pytest.raises(InputError, match=r"1\.png' has no 1\.txt beside it and there is no template"):
        len(dataset)
    picture.with_suffix(".txt").write_text(" \n", "utf-8")
    with pytest.raises(InputError, match=r"1\.txt' is empty"):
        len(labels_folder.Dataset(root=str(tmp_path), template="a photo"))
    picture.with_suffix(".txt").unlink()
    with pytest.raises(InputError, match=r"unknown word \{nam\}.*did you mean 'name'"):
        len(labels_folder.Dataset(root=str(tmp_path), template="a {nam}"))


def test_a_folder_that_is_no_label_is_named(paint: Write, tmp_path: Path) -> None:
    paint("contentmnt/1.png")
    with pytest.raises(InputError, match=r"folder .*contentmnt': .*did you mean 'contentment'"):
        len(labels_folder.Dataset(root=str(tmp_path), template="a photo"))


def test_plain_pictures_are_neutral(tmp_path: Path, paint: Write) -> None:
    paint("b/1.png"), paint("a.png")
    examples = list(pictures.Dataset(root=str(tmp_path), size_px=32))
    assert [example.prompt for example in examples] == ["a picture"] * 2
    assert all(example.emotion.vad == NEUTRAL for example in examples)


# --- broken pictures, all the way -------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
def test_a_picture_that_is_cut_short_or_garbled_is_an_input_error(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "awe" / f"1.{suffix}"
    path.parent.mkdir()
    noise = Image.fromarray(rng.integers(0, 255, (40, 48, 3), np.uint8))
    dataset = labels_folder.Dataset(root=str(tmp_path), size_px=32, template="x")
    for fraction in (0.02, 0.3, 0.9):
        noise.save(path)
        damaged(path, fraction)
        with pytest.raises(InputError, match=r"cannot read picture"):
            dataset[0]
    for _ in range(40):  # garbled bytes: an InputError or a picture, nothing else
        noise.save(path)
        data = bytearray(path.read_bytes())
        for place in rng.integers(0, min(len(data), 400), 12):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            assert dataset[0].media.shape == (32, 32, 3)
        except InputError as error:
            assert str(path) in str(error)


def run_recipe(root: Path, output: Path) -> config.Recipe:
    return config.parse(
        {
            "model": "tiny:0",
            "output": str(output),
            "steps": 1,
            "batch_size": 2,
            "dataset": {"name": "labels_folder", "root": str(root), "size_px": 64, "template": "a photo"},
            "adapter": {"kind": "emotion_lora", "rank": 2, "targets": "light"},
        }
    )


def test_one_broken_jpeg_in_a_hundred_is_named_and_skipped_and_two_stop(
    tmp_path: Path, paint: Write, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    root = tmp_path / "data"
    files = [paint(f"data/{label}/{number:03d}.jpg") for label in ("awe", "fear") for number in range(50)]
    damaged(files[70], 0.6)
    adapter = train(run_recipe(root, tmp_path / "run"))
    assert (adapter / "adapter.json").is_file()
    said = capfd.readouterr().err
    assert "left out: example 70" in said and "020.jpg" in said
    files[3].unlink()
    paint("data/awe/z.jpg")
    damaged(root / "awe" / "z.jpg", 0.5)
    with pytest.raises(InputError, match=r"2 of 100 examples cannot be used .*(z|020)\.jpg"):
        train(run_recipe(root, tmp_path / "second"))
    assert not (tmp_path / "second" / "adapter").exists()
