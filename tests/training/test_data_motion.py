"""Data sets of recorded faces: windows with their sound, what layouts say of feeling, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait._motion_windows import MARGIN
from studio import catalog
from studio.audio_files import audio_bytes
from studio.emotion import parse_emotion
from studio.errors import InputError
from studio.motion import Motion
from studio.motion_files import motion_bytes
from tests.studio.motions import moving
from tests.training.data_files import damaged, write_csv
from training.data import beat, emoface, livelink, mead
from training.data._labels import emotion_of

NAMES = ("livelink", "beat", "emoface", "mead")
RATE_HZ = 16_000


def voice(path: Path, length_s: float = 4.0) -> None:
    """Sound that comes and goes twice a second."""
    time = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    samples = np.sin(time * 1200) * (0.5 + 0.5 * np.sin(time * 12)) * 0.3
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(audio_bytes(samples[None].astype(np.float32), RATE_HZ, "wav", {}))


def take(path: Path, format: str, length_s: float = 4.0, sound: Path | None = None) -> Motion:
    motion = moving(round(length_s * 30), seed=len(path.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(motion_bytes(motion, format))
    voice(sound or path.with_suffix(".wav"), length_s)
    return motion


def recordings(folder: Path, rows: list[dict[str, Any]], **options: Any) -> livelink.Dataset:
    for row in rows:
        take(folder / row["file_name"], "livelink", row.pop("length_s", 4.0))
    write_csv(folder / "metadata.csv", rows)
    return livelink.Dataset(root=str(folder), **options)


# --- what they share --------------------------------------------------------------------------


def test_every_data_set_is_listed() -> None:
    assert set(NAMES) <= set(catalog.names("dataset"))
    assert {catalog.load("dataset", name).Dataset.MEDIUM for name in NAMES} == {"portrait"}


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_another_layout_is_told_what_is_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.md").write_text("nothing here", "utf-8")
    with pytest.raises(InputError, match=r"no .* in folder .*; expected "):
        len(catalog.load("dataset", name).Dataset(root=str(tmp_path)))
    wrong = {
        "": "needs the data set's folder",
        str(tmp_path / "nowhere"): "nowhere' does not exist",
        str(tmp_path / "notes.md"): r"notes\.md' is a file, not a folder",
    }
    for root, message in wrong.items():
        with pytest.raises(InputError, match=message):
            len(catalog.load("dataset", name).Dataset(root=root))


def test_windows_hold_sound_and_motion_of_the_same_frames(tmp_path: Path) -> None:
    data = recordings(
        tmp_path, [{"file_name": "a.csv", "text": "hello", "emotion": "joy", "length_s": 7.0}], windows=3
    )
    motion = channels.rows_of(moving(210, seed=5))
    assert [example.attributes["first_frame"] for example in data] == [0, 45, 90]
    for example, start in zip(data, (0, 45, 90), strict=True):
        window = example.media
        assert len(window) == 120 and window.first == (start == 0)
        assert window.motion.shape == (120, channels.COUNT)
        assert window.sound.shape == (120 + 2 * MARGIN, hearing.WIDTH)
        kept = [
            index
            for index, name in enumerate(channels.CHANNELS)
            if name not in ("head.x", "head.y", "head.z")
        ]
        assert np.abs(window.motion - motion[start : start + 120])[:, kept].max() < 1e-3
    first, second = data[0].media, data[1].media
    assert np.array_equal(first.sound[45 + MARGIN : 120 + MARGIN], second.sound[MARGIN : 75 + MARGIN])
    assert (first.sound[:MARGIN, hearing.SILENT] == 1).all()
    assert second.sound[0, hearing.SILENT] < 1  # what was heard before the window is heard


@pytest.mark.parametrize(("length_s", "frames"), [(3.2, 90), (2.5, 60), (1.0, 30)])
def test_short_takes_give_short_windows(tmp_path: Path, length_s: float, frames: int) -> None:
    data = recordings(tmp_path, [{"file_name": "a.csv", "emotion": "joy", "length_s": length_s}])
    assert [len(example.media) for example in data] == [frames, frames]
    assert len(livelink.Dataset(root=str(tmp_path), frames=30)[0].media) == 30


def test_a_broken_take_is_an_error_of_its_examples_alone(tmp_path: Path) -> None:
    names = ("fine", "torn", "mute", "short", "longer", "gone")
    lengths = {"short": 0.5, "longer": 6.0}
    rows = [
        {"file_name": f"{name}.csv", "emotion": "joy", "length_s": lengths.get(name, 4.0)} for name in names
    ]
    data = recordings(tmp_path, rows, windows=1)
    damaged(tmp_path / "torn.csv", 0.505)
    (tmp_path / "mute.wav").unlink()
    voice(tmp_path / "longer.wav", 4.0)
    (tmp_path / "gone.csv").unlink()
    assert len(data) == 6 and len(data[0].media) == 120
    messages = (
        "expected|timecode",
        r"mute\.wav",
        "lasts 15 frames; a window needs 30",
        r"lasts 6\.0 s and longer\.wav 4\.0 s",
        r"gone\.csv",
    )
    for index, message in enumerate(messages, 1):
        with pytest.raises(InputError, match=message):
            data[index]
    with pytest.raises(IndexError):
        data[6]


def test_the_description_follows_files_and_options(tmp_path: Path) -> None:
    row = {"file_name": "a.csv", "emotion": "joy"}
    known = recordings(tmp_path, [dict(row)]).description
    assert known == livelink.Dataset(root=str(tmp_path)).description
    assert known != livelink.Dataset(root=str(tmp_path), windows=3).description
    voice(tmp_path / "a.wav", 4.1)
    assert known["content"] != livelink.Dataset(root=str(tmp_path)).description["content"]


# --- Live Link Face ---------------------------------------------------------------------------


def test_lines_say_text_and_feeling(tmp_path: Path) -> None:
    data = recordings(
        tmp_path,
        [
            {"file_name": "a.csv", "text": "You  left.", "emotion": "0.6 joy + 0.4 fear", "actor": "S1"},
            {"file_name": "b/b.csv", "text": "", "emotion": "sadness", "actor": "S2"},
        ],
        windows=1,
    )
    assert [example.prompt for example in data] == ["You left.", ""]
    assert [example.emotion for example in data] == [
        parse_emotion("0.6 joy + 0.4 fear"),
        parse_emotion("sadness"),
    ]
    assert data[0].attributes == {"actor": "S1", "file": "a.csv", "first_frame": 0}


def test_feelings_in_file_names(tmp_path: Path) -> None:
    for name in ("S1_angry_03", "happy-2", "Fear"):
        take(tmp_path / f"{name}.csv", "livelink")
    data = livelink.Dataset(root=str(tmp_path), taxonomy="mead", windows=1)
    labels = {example.attributes["file"]: example.emotion.vad for example in data}
    wanted = {"Fear.csv": "fear", "S1_angry_03.csv": "angry", "happy-2.csv": "happy"}
    assert labels == {name: emotion_of(label, "mead").vad for name, label in wanted.items()}
    with pytest.raises(InputError, match="choose the option `taxonomy`"):
        len(livelink.Dataset(root=str(tmp_path)))
    take(tmp_path / "angry_or_sad.csv", "livelink")
    take(tmp_path / "S1_03.csv", "livelink")
    with pytest.raises(
        InputError, match=r"2 bad files\n.*'S1_03.csv' says no feeling.*\n.*says angry and sad"
    ):
        len(livelink.Dataset(root=str(tmp_path), taxonomy="mead"))


def test_bad_lines_are_listed(tmp_path: Path) -> None:
    data = recordings(
        tmp_path, [{"file_name": "a.csv", "emotion": "joyy"}, {"file_name": "b.csv", "emotion": "1"}]
    )
    with pytest.raises(InputError, match=r"2 bad lines\n  line 2: .*'joyy'"):
        len(data)


# --- BEAT -------------------------------------------------------------------------------------


def grid(path: Path, words: list[str]) -> None:
    """A Praat TextGrid with the tiers that aligners write."""
    tiers = []
    for name, texts in (("words", words), ("phones", ["HH", "AH0"])):
        intervals = "".join(
            f"        intervals [{index}]:\n            xmin = {index}\n            xmax = {index + 1}\n"
            f'            text = "{text}"\n'
            for index, text in enumerate(texts, 1)
        )
        tiers.append(f'    item []:\n        class = "IntervalTier"\n        name = "{name}"\n{intervals}')
    path.write_text('File type = "ooTextFile"\nObject class = "TextGrid"\n\n' + "".join(tiers), "utf-8")


def test_beat_speeches(tmp_path: Path) -> None:
    for name in ("1_wayne_0_1_8", "1_wayne_0_73_80", "2_scott_2_111_111", "1_wayne_1_5_5"):
        take(tmp_path / name.split("_")[0] / f"{name}.json", "beat")
    grid(tmp_path / "1" / "1_wayne_0_73_80.TextGrid", ["you", "", "left"])
    data = beat.Dataset(root=str(tmp_path), windows=1)
    assert [example.attributes["label"] for example in data] == ["neutral", "angry", "disgusted"]
    assert [example.prompt for example in data] == ["", "you left", ""]
    assert data[1].emotion == emotion_of("angry", "mead") and data[1].attributes["speaker"] == "wayne"
    assert np.abs(data[0].media.motion[:, channels.POSE]).max() == 0  # BEAT has no head
    assert len(beat.Dataset(root=str(tmp_path), language="zh", windows=1)) == 1


def test_beat_names_that_cannot_be(tmp_path: Path) -> None:
    take(tmp_path / "1" / "1_wayne_0_60_70.json", "beat")
    take(tmp_path / "1" / "1_wayne_0_200_200.json", "beat")
    with pytest.raises(InputError, match=r"2 bad files\n.*BEAT has texts 0 to 118.*\n.*happy and neutral"):
        len(beat.Dataset(root=str(tmp_path)))


# --- EmoFace ----------------------------------------------------------------------------------


def test_emoface_lines(tmp_path: Path) -> None:
    for part, name in (("train", "angry_gd04_001_021"), ("validation", "surprised_gd01_002")):
        sound = tmp_path / part / "WAV" / f"{name}.wav"
        motion = take(tmp_path / part / "VALID_CTR" / f"{name}.txt", "metahuman", sound=sound)
    data = emoface.Dataset(root=str(tmp_path), windows=1)
    assert [example.emotion for example in data] == [
        emotion_of(one, "mead") for one in ("angry", "surprised")
    ]
    assert [example.attributes["part"] for example in data] == ["train", "validation"]
    jaw = channels.at("jawOpen")[0]
    assert np.abs(data[1].media.motion[:, jaw] - motion.column("jawOpen")).max() < 0.02
    assert len(emoface.Dataset(root=str(tmp_path / "train"), windows=1)) == 1
    take(tmp_path / "train" / "VALID_CTR" / "bored_1.txt", "metahuman")
    with pytest.raises(InputError, match=r"'bored_1\.txt' must begin with one of ang, dis"):
        len(emoface.Dataset(root=str(tmp_path)))


# --- MEAD -------------------------------------------------------------------------------------


def test_mead_clips_that_were_tracked(tmp_path: Path) -> None:
    level = tmp_path / "M003" / "video" / "front" / "angry" / "level_1"
    take(level / "028.npz", "npz", sound=tmp_path / "M003" / "audio" / "angry" / "level_1" / "028.wav")
    take(tmp_path / "M003" / "front" / "sad" / "level_3" / "M003_front_sad_level_3_001.npz", "npz")
    take(tmp_path / "M003" / "video" / "left_30" / "sad" / "level_3" / "001.npz", "npz")
    take(tmp_path / "RD_Radio1_000.npz", "npz")
    for path in tmp_path.rglob("*.npz"):
        beside = path.with_suffix(".wav")
        path.with_suffix(".mp4").write_bytes(beside.read_bytes() if beside.exists() else b"no sound")
    data = mead.Dataset(root=str(tmp_path), windows=1)
    assert [(one.attributes["label"], one.attributes["level"]) for one in data] == [("sad", 3), ("angry", 1)]
    assert data[1].emotion.vad.valence == pytest.approx(emotion_of("angry", "mead").vad.valence / 3, abs=0.01)
    assert np.array_equal(data[1].media.motion, channels.rows_of(moving(120, seed=7))[:120])
    assert len(mead.Dataset(root=str(tmp_path), view="", windows=1)) == 3
    plain = mead.Dataset(root=str(tmp_path), unlabelled="neutral", windows=1)
    assert [one.emotion.vad.as_tuple() for one in plain][-1] == (0, 0, 0) and len(plain) == 3
