"""`python -m studio join`: clips put together at the command line. With real ffmpeg."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from studio import video_files
from studio.audio_files import audio_bytes
from studio.cli import joining, main
from studio.cli.progress import Progress
from studio.errors import StorageError
from studio.provenance import embedded, read_provenance
from studio.video_files import VideoInfo, probe, read_frames, record
from tests.studio.clips import RATE_HZ, SOUND_HZ, frames, tone

RECORD = {"schema": 1, "request": {"pipeline": "video/sketch"}, "versions": {"studio": "0"}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two clips of a second, the second without sound; one with a record; a sound; files of other kinds."""
    monkeypatch.chdir(tmp_path)
    record(frames(25), RATE_HZ, Path("a.mp4"), (tone(1.0), SOUND_HZ))
    record(frames(25, first=25), RATE_HZ, Path("b.mp4"))
    video_files.tagged(Path("a.mp4"), Path("told.mp4"), {"comment": embedded(RECORD)})
    Path("s.wav").write_bytes(audio_bytes(tone(0.4, 880)[None], SOUND_HZ, "wav", {}))
    Path("text.mp4").write_text("no video")
    Path("there.mp4").write_text("somebody's")
    return tmp_path


def test_clips_fade_into_each_other_and_get_music(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name for path in folder.iterdir()}
    asked = ["join", "a.mp4", "b.mp4", "--crossfade", "0.4", "--out", "new/all.mp4"]
    assert main([*asked, "--music", "s.wav", "--volume", "0.5"]) == 0
    said = capsys.readouterr()
    assert Path(said.out.strip()) == Path("new/all.mp4")
    assert "frame 40/40" in said.err
    assert probe("new/all.mp4") == VideoInfo(64, 48, 25.0, 1.6, True)
    assert main([*asked, "--force", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert {path.name for path in folder.iterdir()} == {*before, "new"}
    assert [path.name for path in Path("new").iterdir()] == ["all.mp4"], "nothing half done is left"


def test_a_clip_that_gets_a_sound_keeps_its_pictures_and_its_record() -> None:
    assert main(["join", "told.mp4", "--sound", "s.wav", "-o", "out.mp4"]) == 0
    assert probe("out.mp4").has_audio
    for one, other in zip(read_frames("told.mp4"), read_frames("out.mp4"), strict=True):
        assert (one == other).all()
    assert read_provenance("out.mp4") == RECORD


def test_what_joins_clips_of_ours_says_which() -> None:
    assert main(["join", "b.mp4", "told.mp4", "--music", "s.wav", "-o", "out.mp4"]) == 0
    found = read_provenance("out.mp4")
    assert found["request"] == RECORD["request"]
    assert found["details"] == {"joined": [{"file": "b.mp4"}, RECORD["request"]]}
    assert probe("out.mp4") == VideoInfo(64, 48, 25.0, 2.0, True)
    assert main(["join", "a.mp4", "b.mp4", "-o", "plain.mp4"]) == 0
    with pytest.raises(StorageError):
        read_provenance("plain.mp4")


def test_speech_and_music_together() -> None:
    assert main(["join", "b.mp4", "--sound", "s.wav", "--music", "a.mp4", "-o", "out.mp4"]) == 0
    assert probe("out.mp4") == VideoInfo(64, 48, 25.0, 1.0, True)


def test_the_bar_counts_frames_and_tells_of_the_sound(folder: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    job = joining.Job((Path("a.mp4"), Path("b.mp4")), Path("out.mp4"), 0.0, Path("s.wav"), None, 1.0)
    with Progress(stream=shown) as progress:
        joining._make(job, progress, 50)
    assert "] frame 50/50" in shown.getvalue() and "putting sound and texts into it" in shown.getvalue()


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["a.mp4", "gone.mp4"], "video: no such file: 'gone.mp4'"),
        (["a.mp4", "text.mp4"], "text.mp4 is no video file, or damaged"),
        (["a.mp4", "s.wav"], "s.wav has no video stream; it holds sound alone"),
        (["a.mp4", "b.mp4", "--crossfade", "0.6"], "must be in [0, 0.50] s, half of the shortest clip"),
        (["a.mp4", "b.mp4", "--crossfade", "-1"], "crossfade: must be in [0, 600], got -1"),
        (["a.mp4", "b.mp4", "--crossfade", "long"], "crossfade: "),
        (["a.mp4", "--sound", "gone.wav"], "sound: no such file: 'gone.wav'"),
        (["a.mp4", "--sound", "b.mp4"], "sound: b.mp4 holds no sound"),
        (["a.mp4", "--music", "text.mp4"], "music: text.mp4 holds no sound"),
        (["a.mp4", "--music", "s.wav", "--volume", "9"], "volume: must be in [0, 4], got 9"),
        (["a.mp4", "--volume", "1"], "volume: is that of the music"),
        (["a.mp4", "--out", "all.avi"], "--out: 'all.avi' must end in .mp4; did you mean 'all.mp4'?"),
        (["a.mp4", "--out", ""], "--out: '.' must end in .mp4"),
        (["a.mp4", "--out", "there.mp4"], "there.mp4: is there already; --force writes over it"),
        (["a.mp4", "--out", "a.mp4", "--force"], "'a.mp4' is one of the clips"),
        (["a.mp4", "--out", "s.wav/a.mp4"], "is a file, not a folder"),
        ([], "required"),
    ],
)
def test_what_cannot_be_joined_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], args: list[str], why: str
) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(["join", "--out", "out.mp4", *args]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and said.err.count("\n") == 1 and why in said.err
    assert said.out == "" and {path: path.read_bytes() for path in folder.iterdir()} == before
