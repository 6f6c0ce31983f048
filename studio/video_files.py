"""Clips as MP4 files: frames streamed in and out, sound, tags.

H.264 (High, yuv420p, BT.709) with AAC and the index in front: what every player and browser opens. Frames go
through moviepy's writer to the ffmpeg program that imageio_ffmpeg brings, one at a time, so a long clip takes
no more memory than a short one. The same frames, sound and tags make the same bytes with the same ffmpeg.
Knows containers and codecs; what a clip shows it does not.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import subprocess
import tempfile
import wave
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from studio.audio_files import ffmpeg, metadata_text
from studio.errors import InputError, StorageError
from studio.lazy import lazy
from studio.storage import TEMPORARY_PREFIX

writer, reader = lazy("moviepy.video.io.ffmpeg_writer"), lazy("moviepy.video.io.ffmpeg_reader")

Frame = NDArray[np.uint8]  # (height, width, 3), red, green, blue
Samples = NDArray[np.float32]  # (samples,) or (channels, samples), 1.0 full scale
Sound = tuple[Samples, int] | Path  # samples with their rate in Hz, or a file that holds sound
OnFrame = Callable[[int], None]  # how many are done; raises to stop
Write = Callable[[Frame], None]

RATES_HZ, SIDES_PX = (1.0, 120.0), (16, 8192)
# Measured at 512 x 512, in ms of one core a frame: ultrafast 2.5, veryfast 3.4, faster 5.3, medium 9.2; the
# first makes files eight times as large as the second. One thread: others change the bytes, and the renderer
# needs the cores.
PRESET, CRF, THREADS = "veryfast", 20, 1
_KEY_EVERY_S = 2.0  # a scrubber jumps from key frame to key frame
_EXACT = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")  # no version, no time
_BT709 = "setparams=color_primaries=bt709:color_trc=bt709"
_COLOUR = ("-vf", _BT709, "-colorspace", "bt709", "-color_range", "tv")
_MP4 = ("-movflags", "+faststart", "-f", "mp4")
_AAC = ("-c:a", "aac", "-b:a", "128k")
_BLOCK = 1 << 20  # samples that are converted at a time


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Size in pixels as it is shown (rotation applied), frames a second, length, whether there is sound."""

    width: int
    height: int
    rate_hz: float
    length_s: float
    has_audio: bool

    @property
    def frames(self) -> int:
        return max(1, round(self.length_s * self.rate_hz))


def record(
    frames: Iterable[Frame],
    rate_hz: float,
    path: Path,
    audio: Sound | None = None,
    on_frame: OnFrame | None = None,
) -> VideoInfo:
    """Write frames, all of one even size, as they come; `path` appears when the last one is in.

    Sound starts with the first frame and is neither cut nor stretched. Whatever `frames` or `on_frame` raises
    comes out, and nothing is left: no file, no process. Raises InputError for no frames, frames of another
    shape, an odd or changing size, a rate that MP4 cannot keep; StorageError when ffmpeg fails.
    """
    check_rate(rate_hz)
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise InputError("frames", 0, "there is not one; a clip needs at least one")
    _check_first(first)
    with _appearing(path) as target, tempfile.TemporaryDirectory(prefix="emotion-studio-") as folder:
        heard = _sound_file(audio, Path(folder))
        with _encoder(target, first.shape, rate_hz, heard) as encode, _beside(encode) as write:
            count = 0
            for count, frame in enumerate(itertools.chain((first,), rest), start=1):
                _check_like(frame, first, count)
                write(frame)
                if on_frame is not None:
                    on_frame(count)
    height, width, _ = first.shape
    return VideoInfo(width, height, float(rate_hz), count / rate_hz, heard is not None)


def probe(path: Path | str) -> VideoInfo:
    """What a video file holds. Raises InputError for one without moving pictures, and for no video file."""
    if not os.path.isfile(path):
        raise InputError("video", path, f"no such file: {str(path)!r}")
    try:
        found = reader.ffmpeg_parse_infos(str(path))
    except (OSError, ValueError, KeyError, IndexError) as error:  # what its parser meets in texts of no video
        raise InputError("video", path, f"{Path(path).name} is no video file, or damaged") from error
    if not found["video_found"]:
        sound = "; it holds sound alone" if found["audio_found"] else ""
        raise InputError("video", path, f"{Path(path).name} has no video stream{sound}")
    if not found["video_size"]:  # a stream is announced, and its pictures cannot be read
        raise InputError("video", path, f"{Path(path).name} is damaged: its pictures cannot be read")
    width, height = found["video_size"]
    if abs(round(found.get("video_rotation") or 0)) % 180 == 90:
        width, height = height, width
    length_s = float(found["video_duration"] or found["duration"] or 0.0)
    rate_hz = float(found["video_fps"] or 0.0)
    if not (length_s > 0 and rate_hz > 0):
        raise InputError("video", path, f"{Path(path).name} is a still picture, or has no frames")
    return VideoInfo(width, height, rate_hz, length_s, bool(found["audio_found"]))


def read_frames(path: Path | str, size: tuple[int, int] | None = None) -> Iterator[Frame]:
    """The frames of a video one by one, (height, width, 3); `size`: (width, height) in pixels to scale to,
    whatever the aspect. Frames are those of its nominal rate (`probe`). Raises InputError as `probe` does."""
    info = probe(path)
    width, height = size or (info.width, info.height)
    scale = ("-vf", f"scale={width}:{height}:flags=area") if size else ()
    read = ("-i", str(path), "-map", "0:v:0", *scale, "-r", f"{info.rate_hz:g}")
    command = [ffmpeg(), "-v", "error", "-nostdin", *read, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, bufsize=width * height * 3)
        assert process.stdout is not None
        try:
            count = 0
            while len(content := process.stdout.read(width * height * 3)) == width * height * 3:
                count += 1
                yield np.frombuffer(content, np.uint8).reshape(height, width, 3)
            if process.wait() or not count:
                why = f"{Path(path).name} is damaged after {count} frames ({_last_line(said)})"
                raise InputError("video", path, why)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def tagged(source: Path, target: Path, tags: Mapping[str, str]) -> None:
    """Copy an MP4 with texts under "title", "comment", "genre" in it; pictures and sound stay as they are."""
    with tempfile.TemporaryDirectory(prefix="emotion-studio-") as folder:
        texts = Path(folder) / "tags.txt"
        texts.write_text(metadata_text(tags), "utf-8")
        read = ("-i", str(source), "-f", "ffmetadata", "-i", str(texts), "-map", "0", "-map_metadata", "1")
        run(*read, "-c", "copy", *_EXACT, *_MP4, str(target))


def with_sound(source: Path, target: Path, sound: Sound) -> None:
    """A copy of a clip with another sound, which ends with the pictures where it is longer than they are.

    Raises InputError for a `source` without pictures, StorageError when ffmpeg fails.
    """
    length_s = probe(source).length_s
    with _appearing(target) as path, tempfile.TemporaryDirectory(prefix="emotion-studio-") as folder:
        heard = _sound_file(sound, Path(folder))
        read = ("-i", str(source), "-i", str(heard), "-map", "0:v:0", "-map", "1:a:0")
        run(*read, "-t", f"{length_s:.6f}", "-c:v", "copy", *_AAC, *_EXACT, *_MP4, str(path))


def run(*arguments: str) -> None:
    """Call ffmpeg. Raises StorageError with what it says last."""
    command = [ffmpeg(), "-v", "error", "-nostdin", "-y", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise StorageError(f"ffmpeg: cannot be run ({error})") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise StorageError(f"ffmpeg: {said[-1] if said else f'failed ({done.returncode})'}")


def described(path: Path) -> str:
    """What ffmpeg says of a file's streams; that it then misses an output is no failure."""
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-i", str(path)]
    return subprocess.run(command, capture_output=True, check=False).stderr.decode("utf-8", "replace")


def check_rate(rate_hz: float) -> None:
    """Raise InputError for frames a second that are not written as asked."""
    low, high = RATES_HZ
    if not low <= rate_hz <= high:
        near = high if rate_hz > high else low if rate_hz < low else 30
        why = f"must be in [{low:g}, {high:g}] frames a second, got {rate_hz}"
        raise InputError("rate_hz", rate_hz, why, f"{near:g}")
    if abs(rate_hz - round(rate_hz, 2)) > 1e-9:  # the writer passes two decimals on
        why = f"has more than two decimals: {rate_hz}"
        raise InputError("rate_hz", rate_hz, why, f"{round(rate_hz, 2):g}")


@contextlib.contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A name to write under beside `path`, which it takes when the block ends without an error."""
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(8)}.mp4")
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with _told(path):
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror or error})") from error


@contextlib.contextmanager
def _beside(write: Write) -> Iterator[Write]:
    """`write` in a thread of its own, one frame behind: the next one is drawn while the pipe takes this one.

    What a frame could not be written for comes out with the next, or at the end.
    """
    with ThreadPoolExecutor(1) as thread:
        before: deque[Future[None]] = deque()

        def later(frame: Frame) -> None:
            while before:
                before.popleft().result()
            before.append(thread.submit(write, frame.copy()))  # the caller may draw into the same memory

        yield later
        while before:
            before.popleft().result()


@contextlib.contextmanager
def _encoder(target: Path, shape: tuple[int, ...], rate_hz: float, heard: Path | None) -> Iterator[Write]:
    """What takes frames: moviepy's writer. Its `close` asks ffmpeg neither to stop nor whether it failed."""
    height, width = shape[:2]
    options = [
        *("-crf", str(CRF), "-g", str(max(1, round(_KEY_EVERY_S * rate_hz))), "-nostats"),
        *(*_COLOUR, *_EXACT, "-map_metadata", "-1", *(("-b:a", _AAC[-1]) if heard else ()), *_MP4),
    ]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        encoder = _started(
            filename=str(target), size=(width, height), fps=rate_hz, preset=PRESET, threads=THREADS,
            logfile=said, audiofile=str(heard) if heard else None, audio_codec="aac", ffmpeg_params=options,
        )  # fmt: skip

        def write(frame: Frame) -> None:
            try:
                encoder.write_frame(frame)
            except OSError as error:  # ffmpeg is gone; moviepy's own text of it is a page long
                raise StorageError(f"ffmpeg: {_last_line(said)}") from error

        try:
            yield write
            with contextlib.suppress(OSError):  # gone as well; its exit code tells
                encoder.proc.stdin.close()
            if encoder.proc.wait():
                raise StorageError(f"ffmpeg: {_last_line(said)}")
        finally:
            encoder.proc.kill()
            with contextlib.suppress(OSError):
                encoder.proc.stdin.close()
            encoder.proc.wait()


def _started(**options: Any) -> Any:
    try:
        return writer.FFMPEG_VideoWriter(**options)
    except OSError as error:
        raise StorageError(f"ffmpeg: cannot be run ({error})") from error


def _last_line(said: IO[str]) -> str:
    """The last that speaks of an error, else the last."""
    said.seek(0)
    lines = [line.strip() for line in said.read().strip().splitlines()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["ended without a word"])[-1]


def _sound_file(audio: Sound | None, folder: Path) -> Path | None:
    """Samples become a WAV of 16 bits, block by block."""
    if audio is None or isinstance(audio, Path):
        return audio
    samples, rate_hz = audio
    rows = samples[None] if samples.ndim == 1 else samples
    if rows.ndim != 2 or rows.shape[0] not in (1, 2) or not rows.shape[1]:
        why = f"must be (samples,) or (channels, samples) of one or two channels, got {samples.shape}"
        raise InputError("audio", samples.shape, why)
    path = folder / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(rows.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        for start in range(0, rows.shape[1], _BLOCK):
            block = np.nan_to_num(rows[:, start : start + _BLOCK].T)
            file.writeframes(np.clip(np.rint(block * 32767), -32768, 32767).astype("<i2").tobytes())
    return path


def _check_first(frame: Frame) -> None:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        why = f"must be (height, width, 3) of uint8, got {frame.shape} of {frame.dtype}"
        raise InputError("frames", frame.shape, why)
    height, width, _ = frame.shape
    low, high = SIDES_PX
    if width % 2 or height % 2:
        near = f"{width - width % 2}x{height - height % 2}"
        raise InputError("size", (width, height), f"must be even, got {width}x{height}", near)
    if not (low <= min(width, height) and max(width, height) <= high):
        raise InputError("size", (width, height), f"must be {low} to {high} px a side, got {width}x{height}")


def _check_like(frame: Frame, first: Frame, number: int) -> None:
    if frame.shape != first.shape or frame.dtype != first.dtype:
        size = f"{first.shape[1]}x{first.shape[0]}"
        why = f"frame {number} is {frame.shape} of {frame.dtype}; all must be as the first, {size}"
        raise InputError("frames", frame.shape, why)
