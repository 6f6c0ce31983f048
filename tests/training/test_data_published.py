"""EmoSet, EmoArt, EmoEdit and EMOTIC in the layouts they are published in, at toy size."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.emotion import VAD, lexicon
from studio.errors import InputError
from studio.lazy import lazy
from tests.training.data_files import Write, write_csv, write_json
from training.data import emoart, emoedit, emoset, emotic
from training.data._labels import emotion_of

# --- EmoSet ----------------------------------------------------------------------------------------------


def emoset_root(root: Path, paint: Write) -> Path:
    records = []
    for label in ("amusement", "fear"):
        for number in (1, 2):
            name = f"{label}/{label}_{number:05d}"
            paint(f"image/{name}.jpg")
            said = {"image_id": number, "emotion": label, "brightness": 0.1, "colorfulness": 0.5}
            more = {"scene": "amusement_park", "object": ["Person", "Wheel"], "human_action": "riding"}
            write_json(root / "annotation" / f"{name}.json", said | (more if number == 1 else {}))
            records.append([label, f"{label}_{number:05d}", f"image/{name}.jpg", f"annotation/{name}.json"])
    write_json(root / "train.json", records)
    write_json(root / "val.json", records[:1])
    write_json(root / "test.json", [])
    write_json(root / "info.json", {"label2idx": {}})
    return root


def test_emoset_captions_come_from_annotations(tmp_path: Path, paint: Write) -> None:
    root = str(emoset_root(tmp_path, paint))
    examples = list(emoset.Dataset(root=root, size_px=32))
    assert [example.prompt for example in examples] == [
        "Person, Wheel, amusement park, riding",
        "a photo",
    ] * 2
    assert examples[2].emotion == emotion_of("fear", "mikels")
    assert examples[2].attributes["label"] == "fear" and examples[2].attributes["brightness"] == 0.1
    assert (
        emoset.Dataset(root=root, parts="brightness, scene", size_px=32)[0].prompt == "dark, amusement park"
    )
    assert len(emoset.Dataset(root=root, split="all")) == 5
    with pytest.raises(InputError, match=r"parts: 'sceen' is not one of .*did you mean 'scene'"):
        len(emoset.Dataset(root=root, parts="sceen"))


def test_emoset_files_that_are_missing_belong_to_their_example(tmp_path: Path, paint: Write) -> None:
    root = emoset_root(tmp_path, paint)
    (root / "annotation/fear/fear_00001.json").write_text("{", "utf-8")
    dataset = emoset.Dataset(root=str(root), size_px=32, fallback="")
    assert dataset[0].prompt
    with pytest.raises(InputError, match=r"amusement_00002\.jpg': none of .* no fallback"):
        dataset[1]
    with pytest.raises(InputError, match=r"fear_00001\.json' is not JSON"):
        dataset[2]
    before = dataset.description
    (root / "annotation/fear/fear_00001.json").write_text("{}", "utf-8")
    assert emoset.Dataset(root=str(root), size_px=32, fallback="").description != before


def test_emoset_labels_are_checked(tmp_path: Path) -> None:
    write_json(
        tmp_path / "train.json", [["fear", "1", "image/1.jpg"], ["feer", "2", "image/2.jpg"], ["fear"]]
    )
    with pytest.raises(InputError, match=r"train\.json: 2 bad records") as caught:
        len(emoset.Dataset(root=str(tmp_path)))
    assert "record 2: label: unknown label 'feer'" in str(caught.value)
    assert "did you mean 'fear'?" in str(caught.value) and "record 3: record: expected" in str(caught.value)


# --- EmoArt ----------------------------------------------------------------------------------------------


def emoart_record(**changed: Any) -> dict[str, Any]:
    third = {"dominant_emotion": "Contentment", "emotional_valence": "Positive", "healing_effects": "rest"}
    visual = {
        "brushstroke": "loose",
        "color": "soft blues",
        "composition": "open",
        "light_and_shadow": "low sun",
    }
    second = {"visual_attributes": visual, "emotional_impact": "It is quiet."}
    sections = {
        "first_section": {"description": "A river\nat dawn."},
        "second_section": second,
        "third_section": third | changed,
    }
    return {
        "request_id": "r1",
        "image_path": "Images\\Art_Nouveau\\one.jpg",
        "description": sections,
        "extra": 7,
    }


@pytest.mark.parametrize("name", ["annotation.json", "Annotation.json"])
def test_emoart_paths_and_sections_are_read(tmp_path: Path, paint: Write, name: str) -> None:
    paint("Images/Art_Nouveau/one.jpg")
    write_json(tmp_path / name, [emoart_record()])
    (example,) = emoart.Dataset(root=str(tmp_path), size_px=32)
    assert example.prompt == "Art Nouveau. A river at dawn"
    assert example.emotion == emotion_of("content", "emoart")
    known = example.attributes
    assert (known["label"], known["style"], known["extra"]) == ("Contentment", "Art Nouveau", 7)
    assert known["color"] == "soft blues" and known["healing_effects"] == "rest"
    parts = emoart.Dataset(root=str(tmp_path), parts="light, color", size_px=32)
    assert parts[0].prompt == "low sun. soft blues"


def test_emoart_archives_may_be_unpacked_without_the_folder_images(tmp_path: Path, paint: Write) -> None:
    paint("Art_Nouveau/one.jpg")
    write_json(tmp_path / "annotation.json", [emoart_record()])
    assert emoart.Dataset(root=str(tmp_path), size_px=32)[0].media.shape == (32, 32, 3)


def test_emoart_records_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    outside = {**emoart_record(), "image_path": "..\\..\\secret.jpg"}
    silent = {"image_path": "Images\\A\\b.jpg", "dominant_emotion": "Calm"}
    records = [emoart_record(), emoart_record(dominant_emotion="Calmm"), outside, silent, "text"]
    write_json(tmp_path / "annotation.json", records)
    with pytest.raises(InputError, match="4 bad records") as caught:
        len(emoart.Dataset(root=str(tmp_path), parts="description"))
    message = str(caught.value)
    assert "record 2: label: unknown label 'Calmm'" in message and "did you mean 'calm'?" in message
    assert "record 3: image_path: must lie inside" in message and "record 4: caption: none of" in message


# --- EmoEdit ---------------------------------------------------------------------------------------------


def test_emoedit_pairs_know_their_original(tmp_path: Path, paint: Write) -> None:
    original = paint("MA5K_crop/a0001_jmac.jpg")
    paint("train_v2/MA5K_0/awe/a0001_jmac_starry_night sky.png")
    paint("train_v2/MA5K_0/fear/lost_fog.jpg")
    dataset = emoedit.Dataset(root=str(tmp_path), size_px=32)
    assert len(dataset) == 2
    assert dataset[0].prompt == "add starry night sky" and dataset[0].emotion == emotion_of("awe", "mikels")
    assert dataset[0].attributes == {
        "label": "awe",
        "instruction": "add starry night sky",
        "source": "MA5K",
        "name": "a0001_jmac",
        "original": str(original),
    }
    with pytest.raises(InputError, match=r"lost_fog\.jpg' has no original in MA5K_crop"):
        dataset[1]


def test_emoedit_names_what_is_no_pair(tmp_path: Path, paint: Write) -> None:
    paint("train_v2/MA5K_0/aw/a_b.png"), paint("train_v2/MA5K_0/awe/alone.png")
    with pytest.raises(InputError, match="2 bad pictures") as caught:
        len(emoedit.Dataset(root=str(tmp_path)))
    assert "did you mean 'awe'?" in str(caught.value) and "is not <name>_<summary>" in str(caught.value)


# --- EMOTIC ----------------------------------------------------------------------------------------------


def lists_line(number: int, **changed: Any) -> dict[str, Any]:
    line = {
        "Index": number,
        "Folder": "mscoco/images",
        "Filename": "1.jpg",
        "Image Size": [48, 40],
        "BBox": [8, 0, 28, 60],
        "Categorical_Labels": ["Doubt/Confusion", "Fear"],
        "Continuous_Labels": [1.0, 10.0, 5.5],
        "Gender": "Female",
        "Age": "Adult",
    }
    return line | changed


def test_emotic_lists_are_persons(tmp_path: Path, paint: Write) -> None:
    paint("emotic/mscoco/images/1.jpg")
    unrated = lists_line(1, Continuous_Labels="[nan, nan, nan]")
    write_csv(tmp_path / "emotic_pre/train.csv", [lists_line(0), unrated])
    (example,) = emotic.Dataset(root=str(tmp_path), size_px=0, template="a {gender} {age}")
    assert example.emotion.vad == VAD(-1, 1, 0) and example.prompt == "a female adult"
    assert example.media.shape == (40, 20, 3), "the box ends where the picture does"
    assert example.attributes["label"] == "Doubt/Confusion"
    assert example.attributes["categories"] == ["Doubt/Confusion", "Fear"]
    whole = emotic.Dataset(root=str(tmp_path), size_px=0, cut="whole", feeling="categories")
    assert whole[0].media.shape == (40, 48, 3) and len(whole) == 2
    points = [emotion_of(word, "emotic").vad for word in ("Doubt/Confusion", "Fear")]
    assert whole[1].emotion.vad.valence == pytest.approx(sum(point.valence for point in points) / 2)


def test_emotic_ratings_and_categories_are_checked_by_line(tmp_path: Path) -> None:
    lines = [
        lists_line(0),
        lists_line(1, Continuous_Labels=[0, 5, 5]),
        lists_line(2, Categorical_Labels=["Peac"]),
    ]
    write_csv(tmp_path / "emotic_pre/train.csv", lines)
    with pytest.raises(InputError, match="2 bad lines") as caught:
        len(emotic.Dataset(root=str(tmp_path)))
    assert "line 3: valence: must be in [1, 10], got 0" in str(caught.value)
    assert "line 4: label: unknown label 'Peac'" in str(caught.value)
    write_csv(tmp_path / "emotic_pre/train.csv", [lists_line(0, BBox="nowhere")])
    with pytest.raises(InputError, match=r"train\.csv line 2: BBox must be a list"):
        len(emotic.Dataset(root=str(tmp_path)))


def test_emotic_columns_and_arrays(tmp_path: Path) -> None:
    (tmp_path / "img_arrs").mkdir()
    np.save(tmp_path / "img_arrs/img_arr_0.npy", np.zeros((40, 60, 3), np.uint8))
    np.save(tmp_path / "img_arrs/crop_arr_0.npy", np.full((30, 20, 3), 9, np.uint8))
    line = {
        "Filename": "1.jpg",
        "Gender": "Male",
        "Age": "Kid",
        "Valence": 10,
        "Arousal": 1.0,
        "Dominance": 5.5,
    }
    labels = {label.word: 0 for label in lexicon().labels("emotic")} | {"Peace": 1, "Esteem": 1}
    arrays = {"Arr_name": "img_arr_0.npy", "Crop_name": "crop_arr_0.npy"}
    write_csv(tmp_path / "annots_arrs/annot_arrs_val.csv", [line | labels | arrays])
    example = emotic.Dataset(root=str(tmp_path), size_px=0, split="val")[0]
    assert example.media.shape == (30, 20, 3) and example.emotion.vad == VAD(1, -1, 0)
    assert example.attributes["categories"] == ["Esteem", "Peace"]
    assert emotic.Dataset(root=str(tmp_path), size_px=0, split="val", cut="whole")[0].media.shape == (
        40,
        60,
        3,
    )


def test_emotic_without_scipy_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "Annotations.mat").touch()
    monkeypatch.setattr("training.data._emotic_files.scipy_io", lazy("scipy.io"))
    monkeypatch.setitem(sys.modules, "scipy.io", None)  # as where it is not installed
    with pytest.raises(InputError, match=r"Annotations\.mat' needs scipy: python -m pip install scipy"):
        len(emotic.Dataset(root=str(tmp_path)))


def test_emotic_original_mat_file(tmp_path: Path, paint: Write) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    paint("emotic/mscoco/images/1.jpg"), paint("emotic/ade20k/images/2.jpg")

    def rated(*values: float) -> dict[str, float]:
        return dict(zip(("valence", "arousal", "dominance"), values, strict=True))

    def words(*names: str) -> np.ndarray:
        cells = np.empty((1, len(names)), object)
        cells[0, :] = names
        return cells

    person = {"body_bbox": np.array([[8.0, 2.0, 28.0, 30.0]]), "gender": "Male", "age": "Adult"}
    trained = person | {
        "annotations_categories": {"categories": words("Peace")},
        "annotations_continuous": rated(10, 5.5, 1),
    }
    unrated = trained | {"annotations_continuous": rated(np.nan, np.nan, np.nan)}
    tested = person | {
        "annotations_categories": {"categories": words("Anger")},
        "combined_categories": words("Fear", "Pain"),
        "annotations_continuous": rated(1, 1, 1),
        "combined_continuous": rated(1, 10, 5.5),
    }
    people = np.array([trained, unrated], dtype=object)
    pictures_of = {
        "train": {"filename": "1.jpg", "folder": "mscoco/images", "person": people},
        "test": {"filename": "2.jpg", "folder": "ade20k/images", "person": tested},
    }
    (tmp_path / "Annotations").mkdir()
    scipy_io.savemat(tmp_path / "Annotations" / "Annotations.mat", pictures_of)
    (train_one,) = emotic.Dataset(root=str(tmp_path), size_px=0)
    (test_one,) = emotic.Dataset(root=str(tmp_path), size_px=0, split="test")
    assert train_one.emotion.vad == VAD(1, 0, -1) and train_one.attributes["categories"] == ["Peace"]
    assert test_one.emotion.vad == VAD(-1, 1, 0) and test_one.attributes["categories"] == ["Fear", "Pain"]
    assert train_one.media.shape == (28, 20, 3)
    (tmp_path / "Annotations" / "Annotations.mat").write_bytes(b"no matlab")
    with pytest.raises(InputError, match=r"cannot read .*Annotations\.mat"):
        len(emotic.Dataset(root=str(tmp_path)))
