"""A performance is written whole: main file, other formats, sound, picture, record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.companions import companions, is_main, is_whole
from studio.errors import InputError
from studio.motion import still
from studio.motion_files import FORMATS, read_motion
from studio.performance import Performance
from studio.ports import Artifact
from studio.provenance import read_provenance, record
from studio.speech import Speech
from studio.storage import NameTakenError
from tests.studio.motions import moving

REQUEST: dict[str, Any] = {
    "pipeline": "portrait/rig",
    "model": "performer",
    "prompt": "I thought you had left.",
    "negative_prompt": "",
    "emotion": "fear:0.8",
    "seed": 7,
    "adapters": [],
}
RECORD = record(REQUEST, {"studio": "0.1.0"})
ENDS = [".glb", ".csv", ".json", ".txt", ".npz", ".wav", ".png"]


def speech() -> Speech:
    samples = np.sin(np.arange(32_000) / 9).astype(np.float32) * 0.3
    return Speech(samples, 16_000, text="I thought you had left.")


def test_it_is_an_artifact_of_its_main_format() -> None:
    assert isinstance(Performance(moving()), Artifact)
    assert [Performance(moving(), main=name).suffix for name in FORMATS] == ENDS[:5]


def test_all_files_are_written_and_say_where_they_come_from(tmp_path: Path) -> None:
    path = tmp_path / "00001-left.glb"
    Performance(moving(), speech(), details={"voice": "en"}).save(path, RECORD)
    found = read_provenance(path)
    assert found["files"] == ENDS and found["request"] == REQUEST
    assert found["details"] == {"frames": 60, "rate_hz": 30.0, "length_s": 2.0, "voice": "en"}
    assert sorted(one.name for one in companions(path)) == sorted(f"00001-left{end}" for end in ENDS[1:])
    assert is_whole(path) and len(list(tmp_path.iterdir())) == len(ENDS) + 1
    for end in ENDS[:5]:
        motion = read_motion(path.with_suffix(end))
        assert motion.length_s == pytest.approx(2.0) and motion.column("jawOpen").max() > 0.5
    for end in (".png", ".wav"):
        assert read_provenance(path.with_suffix(end))["request"] == REQUEST
        assert not is_main(path.with_suffix(end), read_provenance(path.with_suffix(end)))
    assert json.loads((tmp_path / "00001-left.json").read_text())["emotion_studio"]["request"] == REQUEST
    with Image.open(path.with_suffix(".png")) as picture:
        assert picture.size == (1600, 200)


def test_other_main_formats_and_fewer_files(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    Performance(moving(), main="livelink", formats=("npz",)).save(path, RECORD)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.csv", "a.csv.json", "a.npz", "a.png"]
    assert read_provenance(path)["files"] == [".csv", ".npz", ".png"] and is_whole(path)
    path.with_suffix(".npz").unlink()
    assert not is_whole(path)


def test_the_same_performance_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Performance(moving(), speech()).save(tmp_path / f"{name}.glb", RECORD)
    for end in [*ENDS, ".glb.json"]:
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()


def test_without_replace_nothing_is_left_of_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(NameTakenError):
        Performance(moving()).save(tmp_path / "a.glb", RECORD, replace=False)
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "mine"


def test_what_cannot_be_a_performance() -> None:
    with pytest.raises(InputError, match="did you mean 'gltf'"):
        Performance(moving(), main="glft")
    with pytest.raises(InputError, match="'fbx' is not one of"):
        Performance(moving(), formats=("fbx",))
    with pytest.raises(InputError, match="has no frames"):
        Performance(still(0))
