"""MP4 files: what is in them, what is refused, what is left when something goes wrong. With real ffmpeg."""

from __future__ import annotations

import subprocess
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio import video_editing, video_files
from studio.audio_files import audio_bytes, ffmpeg
from studio.errors import Cancelled, InputError, StorageError
from studio.recording import STILLS, recorded
from studio.video_files import Frame, VideoInfo, probe, read_frames, record, tagged, with_sound
from tests.studio.clips import RATE_HZ, SOUND_HZ, frames, tone


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def loudness(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Root mean square of each tenth of a second."""
    command = [ffmpeg(), "-v", "error", "-i", str(path), "-ac", "1", "-ar", "8000", "-f", "s16le", "-"]
    samples = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<i2") / 32768
    return np.sqrt((samples[: len(samples) // 800 * 800].reshape(-1, 800) ** 2).mean(1))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, 64 x 48, with a tone."""
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    record(frames(50), RATE_HZ, path, (tone(2.0), SOUND_HZ))
    return path


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of another shape and rate, without sound."""
    path = tmp_path_factory.mktemp("clips") / "b.mp4"
    record(frames(60, 32, 64), 30, path)
    return path


# ---- writing and reading


def test_what_is_written_is_what_every_player_opens(clip: Path) -> None:
    said = video_files.described(clip)
    assert "h264 (High)" in said and "yuv420p(tv, bt709" in said and "64x48" in said and "25 fps" in said
    assert "aac (LC)" in said and "16000 Hz, mono" in said
    content = clip.read_bytes()
    assert content[4:8] == b"ftyp" and content.index(b"moov") < content.index(b"mdat")  # plays while it loads


def test_frames_come_back(clip: Path) -> None:
    assert probe(clip) == VideoInfo(64, 48, 25.0, 2.0, True) and probe(clip).frames == 50
    read, drawn = list(read_frames(clip)), list(frames(50))
    assert len(read) == 50 and read[0].shape == (48, 64, 3)
    assert max(np.abs(one.astype(int) - other).mean() for one, other in zip(read, drawn, strict=True)) < 4
    assert [frame.shape for frame in read_frames(clip, (32, 16))] == [(16, 32, 3)] * 50


def test_a_reader_that_stops_early_leaves_no_process(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    popen = subprocess.Popen

    def noted(*args: Any, **options: Any) -> Any:
        started.append(popen(*args, **options))
        return started[-1]

    monkeypatch.setattr(video_files.subprocess, "Popen", noted)
    reading = read_frames(clip)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert len(started) == 2 and all(process.returncode is not None for process in started)


@pytest.mark.parametrize("audio", [None, (tone(1.0), SOUND_HZ), (np.stack([tone(1.0)] * 2), 44_100)])
def test_the_same_input_makes_the_same_bytes(tmp_path: Path, audio: Any) -> None:
    made = []
    for name in ("a", "b"):
        record(frames(5), 29.97, tmp_path / f"{name}.mp4", audio)
        tagged(tmp_path / f"{name}.mp4", tmp_path / f"{name}2.mp4", {"title": "t", "comment": "c"})
        made.append((tmp_path / f"{name}2.mp4").read_bytes())
    assert made[0] == made[1] and b"Lavf" not in made[0]


def test_tags_with_every_sign_come_back_and_the_pictures_stay(clip: Path, tmp_path: Path) -> None:
    comment = 'emotion_studio:{"a": "x=1; # \\\\ \\n é 港"}'
    tagged(clip, tmp_path / "t.mp4", {"title": "A walk; = #1", "comment": comment, "genre": ""})
    said = video_files.described(tmp_path / "t.mp4")
    assert "title           : A walk; = #1" in said and f"comment         : {comment}" in said
    for one, other in zip(read_frames(clip), read_frames(tmp_path / "t.mp4"), strict=True):
        assert (one == other).all()


def test_sound_lies_where_it_was_put(tmp_path: Path) -> None:
    sound = np.concatenate([np.zeros(SOUND_HZ, np.float32), tone(1.0)])
    record(frames(50), RATE_HZ, tmp_path / "a.mp4", (sound, SOUND_HZ))
    heard = loudness(tmp_path / "a.mp4")
    assert heard[:9].max() < 0.01 and heard[11:19].min() > 0.1


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Ten times the frames, the same peak: none is kept."""

    def peak(count: int) -> int:
        tracemalloc.start()
        record(frames(count, 320, 240), 30, tmp_path / "a.mp4")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2)  # what is imported on the way
    assert peak(200) < 1.5 * peak(20) < 4_000_000


# ---- what is refused


def changing() -> Iterator[Frame]:
    yield from frames(2)
    yield from frames(1, 32, 32)


@pytest.mark.parametrize(
    ("given", "rate_hz", "why"),
    [
        (frames(0), 25, "frames: there is not one"),
        (frames(2, 63, 48), 25, "size: must be even, got 63x48; did you mean '62x48'?"),
        (frames(2, 64, 8), 25, "size: must be 16 to 8192 px a side, got 64x8"),
        (changing(), 25, "frames: frame 3 is (32, 32, 3) of uint8; all must be as the first, 64x48"),
        (
            iter([np.zeros((48, 64), np.uint8)]),
            25,
            "must be (height, width, 3) of uint8, got (48, 64)",
        ),
        (iter([np.zeros((48, 64, 3), np.float32)]), 25, "of float32"),
        (frames(2), 0, "rate_hz: must be in [1, 120] frames a second, got 0; did you mean '1'?"),
        (frames(2), float("nan"), "rate_hz: must be in [1, 120]"),
        (frames(2), 23.976, "rate_hz: has more than two decimals: 23.976; did you mean '23.98'?"),
    ],
)
def test_frames_that_make_no_clip(tmp_path: Path, given: Any, rate_hz: float, why: str) -> None:
    with pytest.raises(InputError) as raised:
        record(given, rate_hz, tmp_path / "a.mp4")
    assert why in str(raised.value) and "\n" not in str(raised.value) and names(tmp_path) == []


@pytest.mark.parametrize("sound", [np.zeros((3, 100), np.float32), np.zeros(0, np.float32)])
def test_sound_of_another_shape(tmp_path: Path, sound: Any) -> None:
    with pytest.raises(InputError, match="audio: must be"):
        record(frames(2), 25, tmp_path / "a.mp4", (sound, 8000))


def test_files_without_moving_pictures(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:900])
    (tmp_path / "a.mp3").write_bytes(audio_bytes(tone(1.0)[None], SOUND_HZ, "mp3", {}))
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for name, why in (
        ("a.mp4", "a.mp4 is no video file, or damaged"),
        ("cut.mp4", "cut.mp4 is no video file, or damaged"),
        ("a.mp3", "a.mp3 has no video stream; it holds sound alone"),
        ("a.png", "a.png is"),
        ("none.mp4", "no such file"),
        ("", "no such file"),
    ):
        for look in (probe, lambda path: next(iter(read_frames(path)))):
            with pytest.raises(InputError, match=r"^video: ") as raised:
                look(tmp_path / name)
            assert why in str(raised.value) and "\n" not in str(raised.value)


def test_a_clip_whose_pictures_are_gone(tmp_path: Path, clip: Path) -> None:
    content = clip.read_bytes()
    at = content.index(b"mdat")
    (tmp_path / "a.mp4").write_bytes(content[: at + 4] + bytes(len(content) - at - 4))
    with pytest.raises(InputError, match=r"a\.mp4 is damaged after 0 frames"):
        list(read_frames(tmp_path / "a.mp4"))


# ---- failing and stopping


@pytest.mark.parametrize("where", ["frames", "on_frame"])
def test_stopping_leaves_no_file_and_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    encoders: list[Any] = []
    make = video_files.writer.FFMPEG_VideoWriter

    def noted(*args: Any, **options: Any) -> Any:
        encoders.append(make(*args, **options))
        return encoders[-1]

    def stop(done: int) -> None:
        if done == 3:
            raise Cancelled("stopped")

    def broken() -> Iterator[Frame]:
        yield from frames(3)
        raise Cancelled("stopped")

    monkeypatch.setattr("moviepy.video.io.ffmpeg_writer.FFMPEG_VideoWriter", noted)
    with pytest.raises(Cancelled):
        if where == "frames":
            record(broken(), 25, tmp_path / "a.mp4", (tone(1.0), SOUND_HZ))
        else:
            record(frames(50), 25, tmp_path / "a.mp4", (tone(1.0), SOUND_HZ), stop)
    (encoder,) = encoders
    assert encoder.proc.returncode is not None and encoder.proc.stdin.closed and names(tmp_path) == []


@pytest.mark.parametrize("count", [1, 400])
def test_a_failed_encode_says_why_and_keeps_what_was_there(tmp_path: Path, count: int) -> None:
    """With one frame ffmpeg's end is only seen when it is asked, with many by the writing."""
    (tmp_path / "a.mp4").write_text("mine")
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(StorageError, match=r"ffmpeg: .*Invalid data") as raised:
        record(frames(count, 320, 240), 25, tmp_path / "a.mp4", tmp_path / "a.wav")
    assert "\n" not in str(raised.value)
    assert names(tmp_path) == ["a.mp4", "a.wav"] and (tmp_path / "a.mp4").read_text() == "mine"


def test_what_the_renderer_raises_comes_out_as_it_is(tmp_path: Path) -> None:
    def broken() -> Iterator[Frame]:
        yield from frames(2)
        raise FileNotFoundError(2, "No such file or directory", "model.bin")

    with pytest.raises(FileNotFoundError, match=r"model\.bin"):
        record(broken(), 25, tmp_path / "a.mp4")
    assert names(tmp_path) == []


def test_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moviepy.video.io.ffmpeg_writer.FFMPEG_BINARY", str(tmp_path / "none"))
    with pytest.raises(StorageError, match="ffmpeg: cannot be run"):
        record(frames(2), 25, tmp_path / "a.mp4")


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        record(frames(2), 25, tmp_path / "file" / "a.mp4")
    with pytest.raises(StorageError, match="ffmpeg: "):
        tagged(tmp_path / "none.mp4", tmp_path / "b.mp4", {"title": "t"})


# ---- recordings


@pytest.mark.parametrize("count", [1, 32, 33, 200])
def test_a_recording_keeps_frames_evenly_whatever_its_length(count: int) -> None:
    made = recorded(frames(count, 16, 16), 50)
    times = [still.time_s for still in made.stills]
    assert min(count, STILLS) <= len(times) <= 2 * STILLS and times[0] == 0
    assert len({round(after - before, 6) for before, after in pairwise(times)}) <= 1
    assert times[-1] >= made.info.length_s * (1 - 1 / STILLS) - 0.021
    for still in made.stills:
        red, green, blue = still.picture.getpixel((10, 5))  # type: ignore[misc]
        assert red == green == blue == 40 + 4 * round(still.time_s * 50) % 200


def test_a_recording_goes_with_its_value() -> None:
    made = recorded(frames(3), 25)
    path = made.path
    assert path.is_file()
    del made
    assert not path.parent.exists()
    made = recorded(frames(3), 25)
    made.discard()
    made.discard()
    assert not made.path.parent.exists()


def test_a_recording_that_is_stopped_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(InputError, match="must be even"):
        recorded(frames(3, 33, 33), 25)
    with pytest.raises(InputError, match="must be"):
        recorded(iter([np.zeros((4, 4), np.uint8)]), 25)
    assert names(tmp_path) == []


# ---- clips put together


def test_clips_are_joined_and_fade_into_each_other(clip: Path, silent: Path, tmp_path: Path) -> None:
    told: list[int] = []
    info = video_editing.joined([clip, silent, clip], tmp_path / "all.mp4", 0.4, told.append)
    assert info == probe(tmp_path / "all.mp4") == VideoInfo(64, 48, 25.0, 5.2, True)
    assert told == list(range(1, 131))
    assert video_editing.joined_frames([clip, silent, clip], 0.4) == 130
    middle = [int(frame[24, 32, 1]) for frame in read_frames(tmp_path / "all.mp4")]
    assert abs(middle[20] - (40 + 4 * 20)) < 6
    bars = [int(frame[24, 4, 0]) for frame in read_frames(tmp_path / "all.mp4")]
    assert bars[60] < 12 < 60 < bars[44] < 190 < bars[20]  # black beside the narrow one
    heard = loudness(tmp_path / "all.mp4")
    assert heard[2:15].min() > 0.15 and heard[21:31].max() < 0.01 and heard[37:50].min() > 0.15


def test_music_lies_under_a_clip_as_long_as_it_lasts(clip: Path, silent: Path, tmp_path: Path) -> None:
    (tmp_path / "m.wav").write_bytes(audio_bytes(tone(0.7, 880)[None], SOUND_HZ, "wav", {}))
    video_editing.with_music(silent, tmp_path / "a.mp4", tmp_path / "m.wav", volume=0.5, fade_out_s=0.5)
    assert probe(tmp_path / "a.mp4") == VideoInfo(32, 64, 30.0, 2.0, True)
    heard = loudness(tmp_path / "a.mp4")
    assert heard[2:5].min() > 0.09 and heard[8:13].min() > 0.09 and heard[18] < 0.06
    video_editing.with_music(clip, tmp_path / "b.mp4", tmp_path / "m.wav", volume=0.0)
    assert loudness(tmp_path / "b.mp4")[5] == pytest.approx(loudness(clip)[5], rel=0.05)  # its own is kept
    for one, other in zip(read_frames(silent), read_frames(tmp_path / "a.mp4"), strict=True):
        assert (one == other).all()
    with_sound(clip, tmp_path / "c.mp4", (tone(5.0), SOUND_HZ))
    assert probe(tmp_path / "c.mp4").length_s == pytest.approx(2.0, abs=0.05)


def test_what_cannot_be_put_together(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    (tmp_path / "a.mp4").write_text("no video")
    for make, why in (
        (lambda: video_editing.joined([], out), "clips: there is not one"),
        (lambda: video_editing.joined([clip, tmp_path / "a.mp4"], out), "a.mp4 is no video file"),
        (lambda: video_editing.joined([clip, clip], out, 1.5), r"crossfade: must be in \[0, 1.00\] s"),
        (lambda: video_editing.with_music(clip, out, tmp_path / "a.mp4"), "music: a.mp4 holds no sound"),
        (
            lambda: video_editing.with_music(clip, out, tmp_path / "none.wav"),
            "music: no such file: .*none.wav",
        ),
        (lambda: video_editing.with_music(clip, out, clip, volume=9), r"volume: must be in \[0, 4\], got 9"),
    ):
        with pytest.raises(InputError, match=why):
            make()
    assert not out.exists()
