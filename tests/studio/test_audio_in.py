"""Sound out of files: real files of real formats, written by ffmpeg, and every kind of bad one."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest

from studio.audio_files import audio_bytes, ffmpeg
from studio.audio_in import LONGEST_S, audio_rate, read_audio
from studio.errors import InputError, StorageError

RATE_HZ = 22050


def tone(length_s: float = 0.5, hz: float = 440.0, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(int(length_s * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def written(folder: Path, name: str, samples: np.ndarray) -> Path:
    path = folder / name
    path.write_bytes(audio_bytes(np.atleast_2d(samples), RATE_HZ, path.suffix[1:], {}))
    return path


def loudest_hz(samples: np.ndarray, rate_hz: int) -> float:
    return float(np.fft.rfftfreq(len(samples), 1 / rate_hz)[np.abs(np.fft.rfft(samples)).argmax()])


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg"])
def test_formats_come_out_alike(tmp_path: Path, name: str) -> None:
    samples = read_audio(written(tmp_path, name, tone()), 16000)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(8000, abs=1300)  # MP3 pads
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.06)
    assert loudest_hz(samples, 16000) == pytest.approx(440, abs=5)


def test_channels_are_mixed(tmp_path: Path) -> None:
    path = written(tmp_path, "a.wav", np.stack([tone(hz=300), tone(hz=900)]))
    spectrum = np.abs(np.fft.rfft(read_audio(path, RATE_HZ)))
    hz = np.fft.rfftfreq(11025, 1 / RATE_HZ)
    assert spectrum[np.abs(hz - 300).argmin()] == pytest.approx(spectrum[np.abs(hz - 900).argmin()], rel=0.05)


def test_the_rate_of_a_file(tmp_path: Path) -> None:
    assert audio_rate(written(tmp_path, "a.wav", tone())) == RATE_HZ


def film(folder: Path, sound: bool) -> Path:
    path = folder / "film.mp4"
    tracks = ["-f", "lavfi", "-i", "color=c=red:s=64x64:d=0.4"]
    tracks += ["-f", "lavfi", "-i", "sine=f=500:d=0.4"] if sound else []
    subprocess.run([ffmpeg(), "-v", "error", *tracks, str(path)], check=True)
    return path


def test_a_film_gives_its_sound(tmp_path: Path) -> None:
    path = film(tmp_path, sound=True)
    assert loudest_hz(read_audio(path, 8000), 8000) == pytest.approx(500, abs=5)


def test_a_film_without_sound(tmp_path: Path) -> None:
    path = film(tmp_path, sound=False)
    for reading in (read_audio, audio_rate):
        with pytest.raises(InputError, match=r"^inputs.audio: film.mp4 has no audio track$"):
            reading(path)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.wav", b"", "a.wav is empty"),
        ("a.wav", b"not a sound " * 40, "a.wav is no sound file that ffmpeg can read"),
        ("a.mp3", "Ein Brief\n".encode("utf-16") * 50, "a.mp3 is no sound file that ffmpeg can read"),
        ("a.wav", audio_bytes(np.zeros((1, 0), np.float32), 8000, "wav", {}), "without sound in it"),
        ("a.wav", audio_bytes(np.zeros((1, 9000), np.float32), 8000, "wav", {}), "a.wav is silent"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^inputs.audio: .*{why}") as caught:
        read_audio(path)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^inputs.audio: nothing.wav does not exist$"):
        read_audio(tmp_path / "nothing.wav")
    with pytest.raises(InputError, match=r"is a folder$"):
        read_audio(tmp_path)


def test_a_list_of_addresses_fetches_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = tmp_path / "list.m3u8"
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(InputError, match=r"^inputs.audio"):
            read_audio(path)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_no_file_is_longer_than_the_limit(tmp_path: Path) -> None:
    path = written(tmp_path, "long.wav", tone(10.0))
    with pytest.raises(InputError, match=r"^inputs.audio: long.wav is longer than 0.1 minutes$"):
        read_audio(path, 8000, longest_s=6)
    assert len(read_audio(path, 8000, longest_s=10)) == 80_000
    assert LONGEST_S == 1800


def test_a_file_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path, "a.wav", tone(1.0))
    path.write_bytes(path.read_bytes()[: 44 + RATE_HZ])
    assert len(read_audio(path, RATE_HZ)) == pytest.approx(RATE_HZ // 2, abs=64)


@pytest.mark.parametrize("rate_hz", [0, -1, 10**7])
def test_a_rate_that_is_none(tmp_path: Path, rate_hz: int) -> None:
    with pytest.raises(InputError, match="rate_hz"):
        read_audio(written(tmp_path, "a.wav", tone()), rate_hz)


def test_a_missing_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    with pytest.raises(StorageError, match="ffmpeg"):
        read_audio(written(tmp_path, "a.wav", tone()))
