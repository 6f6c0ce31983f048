"""Fixtures of the tests about training."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.training.data_files import Write


@pytest.fixture
def paint(tmp_path: Path) -> Write:
    """Writes a small picture, wider than high, under the root of the data set."""

    def write(name: str, size: tuple[int, int] = (48, 40)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = sum(name.encode()) % 200
        Image.new("RGB", size, (shade, 100, 255 - shade)).save(path)
        return path

    return write
