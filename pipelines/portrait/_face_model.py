"""The file with which faces are found: MediaPipe's `face_landmarker.task`, by setting, cache or download.

Knows where the file is and that it is whole; knows nothing of what is in it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import BinaryIO

from studio.errors import ModelError
from studio.settings import PREFIX, Settings
from studio.storage import write_atomically

log = logging.getLogger("studio")

NAME = "face_landmarker.task"
SETTING = f"{PREFIX}FACE_MODEL"
URL = f"https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/{NAME}"
BYTES = 3_758_596
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
PARTS = ("face_detector.tflite", "face_landmarks_detector.tflite")  # what any such file must hold
_TIMEOUT_S = 30.0


def cache_folder() -> Path:
    """The user's cache of this program: XDG_CACHE_HOME, else what the platform has for it."""
    if home := os.environ.get("XDG_CACHE_HOME"):
        return Path(home) / "emotion-studio"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "emotion-studio" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "emotion-studio"
    return Path.home() / ".cache" / "emotion-studio"


def present() -> Path | None:
    """The file of the setting or of the cache; None when a download would be needed.

    Raises ModelError for a setting that names no file and for a file that is not the model.
    """
    if named := Settings.from_environment().face_model:
        path = Path(named).expanduser()
        path = path / NAME if path.is_dir() else path
        if not path.is_file():
            raise ModelError(f"{SETTING}: there is no file {path}; download it from {URL}")
        return _checked(path)
    cached = cache_folder() / NAME
    return _checked(cached) if cached.is_file() else None


def model_file() -> Path:
    """The file, downloaded on first use (3.6 MiB). Raises ModelError with what to do by hand."""
    return present() or _downloaded(cache_folder() / NAME)


def _checked(path: Path) -> Path:
    try:
        with zipfile.ZipFile(path) as parts:
            missing = [part for part in PARTS if part not in parts.namelist()]
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: is no face landmarker ({error}); put the one from {URL}") from error
    if missing:
        raise ModelError(f"{path}: is no face landmarker (without {missing[0]}); put one from {URL}")
    return path


def _downloaded(path: Path) -> Path:
    offline = os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "TRUE", "YES", "ON"}
    if offline:
        raise ModelError(_by_hand("HF_HUB_OFFLINE is set", path))
    log.warning("first portrait: downloading MediaPipe's face landmarker (3.6 MiB, Apache-2.0) to %s", path)
    with tempfile.TemporaryFile() as buffer:
        try:
            with urllib.request.urlopen(URL, timeout=_TIMEOUT_S) as answer:
                shutil.copyfileobj(answer, buffer)
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise ModelError(_by_hand(f"no download ({reason})", path)) from error
        _check_bytes(buffer, path)
        buffer.seek(0)
        write_atomically(path, lambda file: shutil.copyfileobj(buffer, file))
    return _checked(path)


def _check_bytes(buffer: BinaryIO, path: Path) -> None:
    size = buffer.tell()
    buffer.seek(0)
    if size != BYTES or hashlib.file_digest(buffer, "sha256").hexdigest() != SHA256:
        why = f"what was downloaded is not the file ({size} bytes, {BYTES} expected)"
        raise ModelError(_by_hand(why, path))


def _by_hand(why: str, path: Path) -> str:
    return (
        f"faces cannot be found: {why}; download {URL} and save it as {path}, or name the file in {SETTING}; "
        "portraits with a saved .landmarks.json need none"
    )
