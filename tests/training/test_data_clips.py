"""Data sets of clips: which frames and feelings a window holds, what layouts say, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import catalog
from studio.emotion import NEUTRAL, parse_emotion
from studio.errors import InputError
from tests.training import moving
from tests.training.data_files import damaged, write_csv, write_json
from training import data_layout
from training.data import clips, emovid
from training.data._labels import emotion_of

NAMES = ("clips", "emovid")
FEAR = emotion_of("fear", "mikels")


def folder(root: Path, rows: list[dict[str, Any]], **options: Any) -> clips.Dataset:
    """Clips of two seconds unless a row says otherwise, small windows unless options do."""
    for row in rows:
        length_s = row.pop("length_s", 2.0)
        if not (root / row["file_name"]).exists():
            moving.clip(root / row["file_name"], length_s)
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return clips.Dataset(root=str(root), **{"frames": 8, "size_px": 16, **options})


# --- what they share --------------------------------------------------------------------------


def test_every_data_set_is_listed() -> None:
    assert set(NAMES) <= set(catalog.names("dataset"))
    assert {catalog.dataset_medium(name) for name in NAMES} == {"video"}


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_another_layout_is_told_what_is_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.md").write_text("nothing here", "utf-8")
    with pytest.raises(InputError, match=r"no .* in folder .*; expected "):
        len(catalog.load("dataset", name).Dataset(root=str(tmp_path)))
    with pytest.raises(InputError, match="needs the data set's folder"):
        len(catalog.load("dataset", name).Dataset())


def test_windows_hold_the_frames_of_their_times(tmp_path: Path) -> None:
    data = folder(tmp_path, [{"file_name": "a.mp4", "text": "waves", "emotion": "fear"}], windows=2)
    first, last = data
    assert first.media.frames.shape == (8, 16, 16, 3) and first.media.frames.dtype == np.uint8
    assert [moving.number(frame) for frame in first.media.frames] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert [moving.number(frame) for frame in last.media.frames] == [17, 19, 21, 23, 25, 27, 29, 31]
    assert (first.media.start_s, last.media.rate_hz, len(last.media)) == (0.0, 8.0, 8)
    assert last.attributes["start_s"] == pytest.approx(1.09, abs=0.01) and last.attributes["file"] == "a.mp4"
    assert (first.prompt, first.emotion) == ("waves", parse_emotion("fear")) and first.media.moods == ()
    assert "bars" not in first.attributes


def test_frames_are_cut_around_the_middle_or_left_whole(tmp_path: Path) -> None:
    row = {"file_name": "a.mp4", "text": "waves", "emotion": "fear"}
    moving.clip(tmp_path / "a.mp4", 1.0, size=(64, 32))
    data = folder(tmp_path, [row], frames=1)
    cut = data[0].media.frames[0]
    assert cut.shape == (16, 16, 3)
    assert np.ptp(cut[:, 2:].astype(int)) < 12  # the red quarter is cut away on the left
    assert clips.Dataset(root=str(tmp_path), frames=1, size_px=0)[0].media.frames.shape == (1, 32, 64, 3)
    larger = clips.Dataset(root=str(tmp_path), frames=2, rate_hz=30, size_px=40)[0].media
    assert larger.frames.shape == (2, 40, 40, 3)
    assert [moving.number(frame) for frame in larger.frames] == [0, 0]  # 16 a second are no 30


def test_a_curve_gives_each_frame_its_feeling(tmp_path: Path) -> None:
    curve = "v=-1 a=0 d=0@0s, v=1 a=0 d=0@2s"
    data = folder(tmp_path, [{"file_name": "a.mp4", "text": "waves", "emotion": curve}], windows=2)
    first, last = data
    assert [mood.valence for mood in first.media.moods] == pytest.approx(np.arange(8) / 8 - 1)
    assert first.attributes["bars"] == first.media.moods
    assert first.emotion.vad.valence == pytest.approx(-1 + 3.5 / 8)
    assert last.media.moods[-1].valence == pytest.approx(0.97, abs=0.01)
    in_progress = {"file_name": "a.mp4", "text": "waves", "emotion": "v=-1 a=0 d=0@0, v=1 a=0 d=0@100%"}
    assert folder(tmp_path, [in_progress])[0].media.moods == first.media.moods


def test_a_clip_that_cannot_be_used_is_an_error_of_its_examples_alone(tmp_path: Path) -> None:
    names = ("fine", "torn", "headless", "short", "gone", "soundless")
    rows = [{"file_name": f"{name}.mp4", "text": name, "emotion": "joy"} for name in names]
    rows[3]["length_s"] = 0.5
    rows.append({"file_name": "late.mp4", "text": "late", "emotion": "joy@0s, fear@9s"})
    data = folder(tmp_path, rows)
    damaged(tmp_path / "headless.mp4", 0.2)
    (tmp_path / "torn.mp4").write_bytes(b"torn")
    (tmp_path / "gone.mp4").unlink()
    (tmp_path / "soundless.mp4").write_text("{}")
    assert len(data) == 7 and len(data[0].media) == 8
    messages = (
        r"torn\.mp4 is no video file, or damaged",
        r"headless\.mp4",
        r"short\.mp4 lasts 0\.50 s; 8 frames at 8 Hz take 1\.00 s",
        r"no such file: .*gone\.mp4",
        r"soundless\.mp4 is no video file",
        r"late\.mp4 lasts 2\.00 s, and something is said of 9 s",
    )
    for index, message in enumerate(messages, 1):
        with pytest.raises(InputError, match=message):
            data[index]
    with pytest.raises(IndexError):
        data[7]


def test_the_description_follows_files_and_options(tmp_path: Path) -> None:
    row = {"file_name": "a.mp4", "text": "waves", "emotion": "joy"}
    known = folder(tmp_path, [row]).description
    assert known == folder(tmp_path, [row]).description
    assert known != folder(tmp_path, [row], rate_hz=4.0).description
    assert known != folder(tmp_path, [{**row, "emotion": "joy@0, fear@1"}]).description
    moving.clip(tmp_path / "a.mp4", 1.5)
    assert known["content"] != folder(tmp_path, [row]).description["content"]


@pytest.mark.parametrize("options", [{"size_px": 8}, {"frames": 0}, {"windows": 0}, {"rate_hz": 0.0}])
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(InputError, match=rf"dataset\.{name}"):
        clips.Dataset(root="x", **options)


# --- a folder of clips ------------------------------------------------------------------------


def curves(root: Path, rows: list[dict[str, Any]], **options: Any) -> list[str]:
    return [row.curve.text for row in folder(root, rows, **options).rows]


def test_the_ways_a_line_says_a_feeling(tmp_path: Path) -> None:
    (tmp_path / "e.txt").write_text("a caption  of its own\n")
    ways = [
        {"text": "x", "emotion": "0.6 joy + 0.4 fear"},
        {"caption": "x", "valence": 0.5, "arousal": -0.25},
        {"text": "x", "label": "awe", "taxonomy": "mikels", "actor": "S1"},
        {"text": "x", "feelings": ["calm", [0.5, 0.25], {"valence": -1, "arousal": 0, "dominance": 1}]},
        {"label": "awe"},
    ]
    rows = [{"file_name": f"{name}.mp4", **way} for name, way in zip("abcde", ways, strict=True)]
    assert curves(tmp_path, rows, taxonomy="mikels") == [
        parse_emotion("0.6 joy + 0.4 fear").text,
        "v=0.5 a=-0.25 d=0",
        emotion_of("awe", "mikels").text,
        "calm@0.5s, v=0.5 a=0.25 d=0@1.5s, v=-1 a=0 d=1@2.5s",
        emotion_of("awe", "mikels").text,
    ]
    data = folder(tmp_path, rows, taxonomy="mikels")
    assert [row.prompt for row in data.rows] == ["x", "x", "x", "x", "a caption of its own"]
    assert data[2].attributes == {"actor": "S1", "label": "awe", "taxonomy": "mikels", "file": "c.mp4",
                                  "start_s": 0.0}  # fmt: skip


def test_several_lines_of_a_clip_are_its_curve(tmp_path: Path) -> None:
    moving.clip(tmp_path / "e.mp4", 2.0)
    line = {"file_name": "e.mp4", "text": "a crowd"}
    write_csv(
        tmp_path / "metadata.csv",
        [
            {**line, "time_s": 0, "valence": -0.5, "arousal": 0},
            {**line, "time_s": 1.5, "valence": 1, "arousal": 0},
        ],
    )
    data = clips.Dataset(root=str(tmp_path), frames=2, rate_hz=2, size_px=16)
    assert data.rows[0].curve.text == "v=-0.5 a=0 d=0@0s, v=1 a=0 d=0@1.5s"
    assert [mood.valence for mood in data[0].media.moods] == pytest.approx([-0.5, 0.0])


def test_bad_lines_are_listed(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"file_name": "a.mp4", "text": "x", "emotion": "joyy"},
        {"file_name": "", "text": "x", "emotion": "joy"},
        {"file_name": "a.mp4", "text": "x", "feelings": []},
        {"file_name": "a.mp4", "text": "x", "feelings": ["joy", 3]},
        {"file_name": "a.mp4", "text": "x", "feelings": ["joy"], "emotion": "joy"},
        {"file_name": "a.mp4", "text": "x", "time_s": -1, "emotion": "joy"},
        {"file_name": "a.mp4", "text": "x", "valence": 2, "arousal": 0},
        {"file_name": "a.mp4", "text": "x"},
        {"file_name": "a.mp4", "text": "x", "emotion": "calm@2s, fear@1s"},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError) as found:
        len(clips.Dataset(root=str(tmp_path)))
    said = str(found.value).splitlines()
    assert "9 bad lines" in said[0] and len(said) == 10
    wanted = ("'joyy'", "file_name", "feelings", "second 1", "either feelings or emotion", "time_s",
              "valence", "needs emotion", "in order")  # fmt: skip
    assert all(f"line {number}: " in line for number, line in enumerate(said[1:], 1))
    assert [part in line for part, line in zip(wanted, said[1:], strict=True)] == [True] * 9


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"emotion": "joy", "text": ""}], r"clip 1: text: 'a\.mp4' needs a caption.* or a\.txt beside it"),
        ([{"emotion": "joy"}, {"emotion": "fear"}], "each needs its time_s"),
        ([{"emotion": "joy", "time_s": 1}, {"emotion": "fear", "time_s": 1}], "none twice"),
        ([{"emotion": "joy", "time_s": 0}, {"emotion": "joy@0, fear@1", "time_s": 1}], "not a curve"),
    ],
)
def test_clips_whose_lines_disagree(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    lines = [json.dumps({"file_name": "a.mp4", "text": "x", **row}) for row in rows]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=message):
        len(clips.Dataset(root=str(tmp_path)))


# --- EmoVid -----------------------------------------------------------------------------------

HEAD = ("video", "type", "emotion", "caption", "brightness", "colorfulness", "hue")
LINES = (
    ("film/0001.mp4", "film", "fear", "A man  runs.", 0.2, 0.4, 212),
    ("stickers/2.mp4", "sticker", "Amusement", "", "", "", ""),
    ("animation/3.mp4", "", "awe", "A hill.", 0.8, 0.5, 90),
    ("film/0004.mp4", "movie", "no specific emotion", "A door.", "", "", ""),
)


def published(root: Path) -> list[dict[str, Any]]:
    for line in LINES:
        moving.clip(root / line[0])
    return [dict(zip(HEAD, line, strict=True)) for line in LINES]


def test_emovid_table(tmp_path: Path) -> None:
    rows = published(tmp_path)
    write_csv(tmp_path / "annotations.csv", rows)
    data = emovid.Dataset(root=str(tmp_path), frames=2, size_px=16)
    assert [one.emotion for one in data] == [
        emotion_of(word, "mikels") for word in ("fear", "amusement", "awe")
    ]
    assert [one.prompt for one in data] == ["A man runs.", "2", "A hill."]
    assert [one.attributes["type"] for one in data] == ["film", "sticker", "animation"]
    assert data[0].attributes == {"brightness": 0.2, "colourfulness": 0.4, "hue": 212.0, "label": "fear",
                                  "type": "film", "file": "0001.mp4", "start_s": 0.0}  # fmt: skip
    neutral = emovid.Dataset(root=str(tmp_path), frames=2, size_px=16, unlabelled="neutral")
    assert len(neutral) == 4 and neutral[3].emotion.vad == NEUTRAL
    assert [row.clip.name for row in emovid.Dataset(root=str(tmp_path), types="film").rows] == ["0001.mp4"]
    (tmp_path / "annotations.csv").unlink()
    write_json(tmp_path / "labels.json", rows)
    assert len(emovid.Dataset(root=str(tmp_path))) == 3


def test_emovid_attributes_are_computed_where_they_are_missing(tmp_path: Path) -> None:
    write_csv(tmp_path / "annotations.csv", published(tmp_path))
    data = emovid.Dataset(root=str(tmp_path), frames=2, size_px=16, measure=True)
    assert data[0].attributes["hue"] == 212.0  # of the table
    found = [data[1].attributes[name] for name in emovid.ATTRIBUTES]
    assert found[:2] == pytest.approx([0.4, 0.2], abs=0.11) and found[2] in range(8)


def test_emovid_folders(tmp_path: Path) -> None:
    for name in ("film/fear/0001.mp4", "stickers/awe/2.gif", "contentment/a_hill.mp4", "extras/x.mp4"):
        moving.clip(tmp_path / name)
    (tmp_path / "film/fear/0001.txt").write_text("A man runs.")
    data = emovid.Dataset(root=str(tmp_path))
    assert [(row.prompt, row.attributes) for row in data.rows] == [
        ("a hill", {"label": "contentment"}),
        ("A man runs.", {"label": "fear", "type": "film"}),
        ("2", {"label": "awe", "type": "sticker"}),
    ]
    assert [name for name in NAMES if data_layout._holds(name, str(tmp_path))] == ["emovid"]


def test_emovid_mistakes(tmp_path: Path) -> None:
    rows = [dict(zip(HEAD, line, strict=True)) for line in LINES]
    rows[0]["emotion"], rows[1]["hue"], rows[2]["video"] = "feer", "red", ""
    write_csv(tmp_path / "annotations.csv", rows)
    with pytest.raises(
        InputError, match=r"3 bad lines\n.*'feer'.*'fear'\?\n.*hue.*'red'\n.*clip: needs a file"
    ):
        len(emovid.Dataset(root=str(tmp_path)))
    write_json(tmp_path / "more.json", [])
    with pytest.raises(
        InputError, match=r"has annotations\.csv, more\.json; name one with the option `table`"
    ):
        len(emovid.Dataset(root=str(tmp_path)))
    with pytest.raises(InputError, match=r"no 'x\.csv'"):
        len(emovid.Dataset(root=str(tmp_path), table="x.csv"))
    with pytest.raises(InputError, match="'films' is not one of"):
        len(emovid.Dataset(root=str(tmp_path), types="films"))


def test_the_layouts_are_told_apart(tmp_path: Path) -> None:
    folder(tmp_path, [{"file_name": "a.mp4", "text": "x", "emotion": "joy"}])
    assert [name for name in NAMES if data_layout._holds(name, str(tmp_path))] == ["clips"]
