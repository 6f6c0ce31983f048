"""A clip as files that belong together, from every surface: Python, command line, batch, contact sheet."""

from __future__ import annotations

import gc
import json
import os
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image

from studio.artifacts import Clip, read_provenance
from studio.batch import run_batch
from studio.cli import main
from studio.companions import companions, is_main, is_whole
from studio.emotion import parse_curve
from studio.errors import Cancelled, StorageError
from studio.film_strip import WIDTH_PX, film_strip
from studio.piano_roll import colour
from studio.ports import Artifact, Step
from studio.recording import Still, recorded
from studio.render import Studio
from studio.request import RenderRequest
from studio.storage import NameTakenError
from studio.video_files import described, probe
from tests.studio import clips
from tests.studio.clips import RATE_HZ, SOUND_HZ, frames, tone

RECORD = {
    "schema": 1,
    "request": {"pipeline": "video/sketch", "model": "m", "prompt": "Waves; a = b # ü", "negative_prompt": "",
                "emotion": "joy", "seed": 1, "adapters": []},
    "versions": {"studio": "0"},
}  # fmt: skip
ENDS = [".mp4", ".png", ".jpg", ".csv"]


@pytest.fixture(autouse=True)
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clips.install(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMOTION_STUDIO_OUTPUTS", raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


def put(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def clip(emotion: str = "joy", count: int = 20, **more: Any) -> Clip:
    made = recorded(frames(count), RATE_HZ, (tone(count / RATE_HZ), SOUND_HZ))
    extras = more.pop("extras", ((".csv", partial(put, b"a,b\n1,2\n")),))
    return Clip(made, parse_curve(emotion), extras, {"voice": "en-gb", **more})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- the files


def test_a_clip_is_five_files_and_each_says_where_it_is_from(tmp_path: Path) -> None:
    made, folder = clip(), tmp_path / "out"
    assert isinstance(made, Artifact) and made.suffix == ".mp4"
    made.save(folder / "a.mp4", RECORD)
    assert names(folder) == ["a.csv", "a.jpg", "a.mp4", "a.mp4.json", "a.png"]
    records = [read_provenance(folder / f"a{end}") for end in ENDS[:3]]
    assert records[0] == records[1] == records[2] and records[0]["files"] == ENDS
    assert records[0]["request"] == RECORD["request"]
    assert records[0]["details"] == {
        "width": 64, "height": 48, "rate_hz": 25.0, "length_s": 0.8, "sound": True, "voice": "en-gb"
    }  # fmt: skip
    (folder / "a.mp4.json").unlink()
    assert read_provenance(folder / "a.mp4") == records[0]  # it is inside, too
    assert probe(folder / "a.mp4").has_audio and (folder / "a.csv").read_bytes() == b"a,b\n1,2\n"
    said = described(folder / "a.mp4")
    assert "title           : Waves; a = b # ü\n" in said and "genre           : Synthetic media\n" in said
    with Image.open(folder / "a.png") as poster, Image.open(folder / "a.jpg") as strip:
        assert poster.size == (64, 48) and strip.width == WIDTH_PX
        assert poster.info["parameters"].startswith("Waves; a = b")


def test_the_same_clip_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        clip().save(tmp_path / f"{name}.mp4", RECORD)
    for end in (*ENDS, ".mp4.json"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()


@pytest.mark.parametrize("taken", ["a.mp4", "a.jpg", "a.csv", "a.mp4.json"])
def test_a_name_that_is_taken_costs_nothing(tmp_path: Path, taken: str) -> None:
    folder, made = tmp_path / "out", clip(count=3)
    folder.mkdir()
    (folder / taken).write_text("mine")
    with pytest.raises(NameTakenError):
        made.save(folder / "a.mp4", RECORD, replace=False)
    assert names(folder) == [taken] and (folder / taken).read_text() == "mine"
    made.save(folder / "a.mp4", RECORD)
    assert len(names(folder)) == 5 and (folder / taken).read_bytes()[:4] != b"mine"


def test_a_broken_extra_leaves_nothing(tmp_path: Path) -> None:
    def fails(file: BinaryIO) -> None:
        raise OSError(28, "No space left on device")

    made = clip(count=3, extras=((".npz", fails),))
    with pytest.raises(StorageError, match="disk full"):
        made.save(tmp_path / "out" / "a.mp4", RECORD, replace=False)
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize("ends", [[".mp4"], [".png"], [".csv", ".csv"], ["csv"], ["../x"], [""]])
def test_suffixes_that_cannot_be(ends: list[str]) -> None:
    with pytest.raises(ValueError, match="suffixes"):
        clip(count=1, extras=tuple((end, partial(put, b"x")) for end in ends))


def test_temporary_files_go_with_the_clip(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    made = clip(count=3)
    (folder,) = temporary.iterdir()
    made.save(tmp_path / "a.mp4", RECORD)
    assert names(folder) == ["clip.mp4"]  # it can be saved again
    made.save(tmp_path / "b.mp4", RECORD)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    del made
    gc.collect()
    assert names(temporary) == []
    clip(count=3)  # never saved
    gc.collect()
    assert names(temporary) == []


def test_the_poster_is_where_the_feeling_is_strongest(tmp_path: Path) -> None:
    for emotion, brightness in (
        ("joy", 40 + 4 * 10),
        ("joy@0, neutral@100%", 40),
        ("neutral@0, joy@0.7s", 40 + 4 * 19),
    ):
        clip(emotion).save(tmp_path / "a.mp4", RECORD)
        with Image.open(tmp_path / "a.png") as poster:
            found = poster.convert("RGB").getpixel((40, 20))
        assert isinstance(found, tuple) and abs(found[0] - brightness) <= 4


# ---- the record inside, wherever an MP4 has its index


def test_an_index_at_the_end_and_a_long_one_are_read(tmp_path: Path) -> None:
    clip(count=3).save(tmp_path / "a.mp4", RECORD)
    content = (tmp_path / "a.mp4").read_bytes()
    wanted = read_provenance(tmp_path / "a.mp4")
    start, end = content.index(b"moov") - 4, content.index(b"mdat") - 4
    padding = (3 << 20).to_bytes(4) + b"free" + bytes((3 << 20) - 8)
    wide = (1).to_bytes(4) + b"free" + (1 << 20).to_bytes(8) + bytes((1 << 20) - 16)
    for name, made in (
        ("b.mp4", content[:start] + padding + wide + content[end:] + content[start:end]),
        ("c.mp4", content[:start] + padding + (0).to_bytes(4) + content[start + 4 : end]),
    ):
        (tmp_path / name).write_bytes(made)
        assert read_provenance(tmp_path / name) == wanted
    for name, made in (
        ("d.mp4", content[:start] + bytes(100)),
        ("e.mp4", content[:start] + (2**32 - 1).to_bytes(4) + b"free"),
        ("f.mp4", content[: start + 40]),
    ):
        (tmp_path / name).write_bytes(made)
        with pytest.raises(StorageError, match="is not a PNG, and there is no"):
            read_provenance(tmp_path / name)


# ---- files that belong together


def test_companions_and_what_is_whole(tmp_path: Path) -> None:
    clip(count=3).save(tmp_path / "a.mp4", RECORD)
    assert [path.name for path in companions(tmp_path / "a.mp4")] == ["a.png", "a.jpg", "a.csv"]
    record = read_provenance(tmp_path / "a.jpg")
    assert [is_main(tmp_path / f"a{end}", record) for end in ENDS] == [True, False, False, False]
    assert is_whole(tmp_path / "a.mp4")
    for end in (".csv", ".jpg", ".mp4"):
        os.truncate(tmp_path / f"a{end}", 0)
        assert not is_whole(tmp_path / "a.mp4")


# ---- the strip


def stills(count: int, width: int = 64, height: int = 48) -> list[Still]:
    drawn = frames(count, width, height)
    return [Still(index / 25, Image.fromarray(frame)) for index, frame in enumerate(drawn)]


@pytest.mark.parametrize(("width", "height"), [(64, 48), (48, 160), (320, 32), (16, 16)])
@pytest.mark.parametrize("count", [1, 20])
def test_strips_of_any_shape(width: int, height: int, count: int) -> None:
    strip = film_strip(stills(count, width, height), parse_curve("joy"), count / 25, "a title " * 300)
    assert strip.width == WIDTH_PX and 250 < strip.height < 520


def test_the_curve_lies_under_the_frames() -> None:
    curve = parse_curve("v=-1@0, v=1@0.4s")
    strip = np.asarray(film_strip(stills(20), curve, 0.8))
    plot = strip[-200:-46]  # the page's margin and the times are below it
    for column, progress in ((60, 0.01), (1500, 0.95)):
        tint = colour(curve.at(progress, 0.8))
        assert (np.abs(plot[:, column].astype(int) - tint).max(-1) < 8).sum() > 90

    def valence(column: int) -> float:
        return float(np.argwhere(np.abs(plot[:, column].astype(int) - (163, 36, 47)).max(-1) < 20).mean())

    assert valence(200) > valence(500) > valence(760) > valence(900) - 1 > valence(1300) - 2
    assert valence(900) == pytest.approx(valence(1500), abs=1)  # it stays after its last key


def test_frames_of_a_strip_are_spread_over_the_time() -> None:
    strip = np.asarray(film_strip(stills(40), parse_curve("joy"), 1.6).convert("L")).astype(int)
    row = strip[100]
    assert row[150] < row[600] < row[1100] < row[1500]


# ---- every surface


def request(**values: Any) -> RenderRequest:
    return RenderRequest.parse({"pipeline": clips.NAME, "prompt": "waves", "seed": 1, **values})


def test_progress_and_cancelling_are_those_of_the_render(tmp_path: Path) -> None:
    told: list[Step] = []
    (result,) = Studio().render([request(emotion="joy")], tmp_path / "out", on_step=told.append)
    assert [step.done for step in told] == list(range(1, 11)) and told[0].total == 10
    assert result.path.name == "00001-waves-joy.mp4" and len(names(tmp_path / "out")) == 5

    def cancel(step: Step) -> None:
        if step.done == 5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        list(Studio().render([request()], tmp_path / "out", on_step=cancel))
    gc.collect()
    assert len(names(tmp_path / "out")) == 5 and names(tmp_path / "temporary") == []


def test_command_line_renders_inspects_and_makes_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--prompt", "waves", "--emotion", "calm@0, fear@100%", "--steps", "6", "--quiet"]
    assert main(["render", clips.NAME, *flags]) == 0
    path = capsys.readouterr().out.strip()
    assert path.endswith("00001-waves-calm-0-fear-100.mp4")
    Path(f"{path}.json").unlink()
    assert main(["inspect", path]) == 0
    assert "video/sketch" in capsys.readouterr().out
    assert main(["inspect", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["details"]["rate_hz"] == 25
    assert main(["render", "--from", path, "--quiet"]) == 0
    again = capsys.readouterr().out.strip()
    assert again != path and Path(again).read_bytes() == Path(path).read_bytes()


def test_a_file_may_be_given_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("face.jpg", "voice.wav", "other.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    base = ["render", clips.NAME, "--steps", "2", "--quiet"]

    def inputs(*flags: str) -> Any:
        assert main([*base, "--prompt", "x", *flags]) == 0
        return read_provenance(capsys.readouterr().out.strip())["request"]["inputs"]

    both = {"image": "face.jpg", "voice_over": "voice.wav"}
    assert inputs("--image", "face.jpg", "--voice-over", "voice.wav") == both
    assert inputs("--image=face.jpg", "--input", "voice_over=voice.wav") == both
    assert inputs("--input", "steps=face.jpg", "--image", "face.jpg") == {
        "image": "face.jpg",
        "steps": "face.jpg",
    }
    newest = str(max((tmp_path / "outputs").glob("*.mp4")))
    assert main(["render", "--from", newest, "--image", "other.jpg", "--quiet"]) == 0
    found = read_provenance(capsys.readouterr().out.strip())["request"]["inputs"]
    assert found == {"image": "other.jpg", "steps": "face.jpg"}
    for flags, why in (
        (["--image", "none.jpg"], "inputs.image: no such file: 'none.jpg'"),
        (["--image", "face.jpg", "--input", "image=face.jpg"], "--input: 'image' is named twice"),
        (["--imag", "face.jpg"], "unknown flag '--imag'; did you mean '--image'?"),
    ):
        assert main([*base, "--prompt", "x", *flags]) == 2
        assert why in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["render", clips.NAME, "--help"])
    said = capsys.readouterr().out
    assert "--voice-over FILE" in said and said.count("--steps") == 1  # the parameter's


def test_a_batch_goes_on_after_a_kill_and_shows_clips(tmp_path: Path) -> None:
    rows = [{"pipeline": clips.NAME, "prompt": f"<b>waves {i}", "seed": i, "steps": 3} for i in range(2)]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "run"
    assert run_batch(tmp_path / "p.jsonl", out).rendered == 2
    first = out / "00001-b-waves-0.mp4"
    before = first.stat().st_mtime_ns
    (out / "00002-b-waves-1.csv").unlink()  # what belongs to it is lost: it is made again
    again = run_batch(tmp_path / "p.jsonl", out)
    assert (again.rendered, again.done) == (1, 2) and first.stat().st_mtime_ns == before
    entries = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert entries[0]["file"] == first.name
    assert entries[0]["companions"] == [first.with_suffix(end).name for end in ENDS[1:]]
    page = (out / "index.html").read_text()
    assert "media-src 'self'" in page and "<b>waves" not in page and first.name in page
    times = {path: path.stat().st_mtime_ns for path in out.glob("*.mp4")}
    (out / "ledger.sqlite").unlink()
    assert run_batch(tmp_path / "p.jsonl", out).done == 2  # found by their records, not made again
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.mp4")} == times
