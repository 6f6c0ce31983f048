"""Settings come from the environment, checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import InputError
from studio.settings import PREFIX, Settings


def test_defaults_when_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.__slots__:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    assert Settings.from_environment() == Settings()


def test_every_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Settings(Path("x/y"), "cuda:1", "float16", "0.0.0.0", 8000, 3, 1, "offload")
    for name in Settings.__slots__:
        monkeypatch.setenv(PREFIX + name.upper(), str(getattr(wanted, name)))
    assert Settings.from_environment() == wanted


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("PORT", "http", "EMOTION_STUDIO_PORT: expected a whole number, got 'http'"),
        ("PORT", "0", r"must be in \[1, 65535\], got 0; did you mean '1'"),
        ("BATCH_SIZE", "0", "batch_size: must be in"),
        ("BATCH_SIZE", "-3", "did you mean '1'"),
        ("MODELS_IN_MEMORY", "1.5", "expected a whole number"),
        ("DTYPE", "fp16", "'fp16' is not one of auto, float32, bfloat16, float16"),
        ("MEMORY", "ofload", "did you mean 'offload'"),
        ("DEVICE", "cudda", "did you mean 'cuda'"),
        ("DEVICE", "cuda:x", "is not one of"),
    ],
)
def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch, name: str, text: str, why: str) -> None:
    monkeypatch.setenv(PREFIX + name, text)
    with pytest.raises(InputError, match=why):
        Settings.from_environment()
