"""Sound out of any audio or video file, through ffmpeg: one channel, at the rate that is asked for.

Knows that files can be empty, silent, long or no sound at all, and says so in one line; knows no speech.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.audio_files import ffmpeg
from studio.errors import InputError, StorageError

FIELD = "inputs.audio"
LONGEST_S = 30 * 60
SILENT_DB = -66.0  # a file whose loudest sample is below this holds nothing to hear
_TIMEOUT_S = 300
_RATES = (4000, 192000)
_RATE_TEXT = re.compile(r"Audio:.*?(\d+) Hz")
_NO_STREAM = re.compile(r"does not contain any stream|matches no streams", re.IGNORECASE)


def read_audio(path: Path | str, rate_hz: int = 16000, longest_s: int = LONGEST_S) -> npt.NDArray[np.float32]:
    """(n,) float32 in [-1, 1]: the first audio track, its channels mixed into one, at `rate_hz`.

    Raises InputError named `inputs.audio` for a file that is missing, empty, no sound, without an audio
    track, silent (nothing above -66 dB of full scale) or longer than `longest_s`; StorageError when it cannot
    be read or ffmpeg is missing.
    """
    if not _RATES[0] <= rate_hz <= _RATES[1]:
        why = f"must be in [{_RATES[0]}, {_RATES[1]}] Hz, got {rate_hz}"
        raise InputError("rate_hz", rate_hz, why, "16000")
    file = _checked(Path(path))
    samples = _decoded(file, rate_hz, longest_s)
    if len(samples) > longest_s * rate_hz:
        raise InputError(FIELD, str(path), f"{file.name} is longer than {longest_s / 60:g} minutes")
    if not len(samples):
        raise InputError(FIELD, str(path), f"{file.name} has an audio track without sound in it")
    peak = float(max(samples.max(), -samples.min()))
    if peak < 10 ** (SILENT_DB / 20):
        raise InputError(FIELD, str(path), f"{file.name} is silent")
    return np.clip(samples, -1.0, 1.0, out=samples)


def audio_rate(path: Path | str) -> int:
    """Samples a second of the first audio track, as the file says. Raises as `read_audio` does."""
    file = _checked(Path(path))
    done = _run(["-i", str(file.absolute())])
    found = _RATE_TEXT.search(done.stderr.decode("utf-8", "replace"))
    if not found:
        raise _no_sound(file, done.stderr.decode("utf-8", "replace"))
    return int(found[1])


def _checked(file: Path) -> Path:
    try:
        if not file.is_file():
            what = "is a folder" if file.is_dir() else "does not exist"
            raise InputError(FIELD, str(file), f"{file.name or file} {what}")
        if not file.stat().st_size:
            raise InputError(FIELD, str(file), f"{file.name} is empty")
        with file.open("rb"):
            return file
    except OSError as error:
        raise StorageError(f"{file}: cannot be read ({error.strerror or error})") from error


def _decoded(file: Path, rate_hz: int, longest_s: int) -> npt.NDArray[np.float32]:
    """A second more than the limit is read, so that a film of hours costs no more. Through a file: a pipe's
    content would be in memory three times."""
    read = ("-t", str(longest_s + 1), "-i", str(file.absolute()), "-map", "0:a:0", "-vn", "-sn", "-dn")
    with tempfile.TemporaryDirectory(prefix="emotion-studio-") as folder:
        target = Path(folder, "sound.f32")
        done = _run([*read, "-ac", "1", "-ar", str(rate_hz), "-f", "f32le", str(target)])
        if done.returncode and not (target.is_file() and target.stat().st_size):
            raise _no_sound(file, done.stderr.decode("utf-8", "replace"))
        samples = np.fromfile(target, "<f4").astype(np.float32, copy=False)
    return np.nan_to_num(samples, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)


def _no_sound(file: Path, said: str) -> InputError:
    if _NO_STREAM.search(said) or "Video:" in said:
        return InputError(FIELD, str(file), f"{file.name} has no audio track")
    return InputError(FIELD, str(file), f"{file.name} is no sound file that ffmpeg can read")


def _run(arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Only local files: a playlist inside a file must not make ffmpeg fetch addresses."""
    safe = ("-hide_banner", "-nostdin", "-protocol_whitelist", "file,pipe")
    try:
        return subprocess.run(
            [ffmpeg(), *safe, *arguments], capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StorageError(f"ffmpeg: cannot be run ({error})") from error
