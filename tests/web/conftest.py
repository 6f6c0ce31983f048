"""A started app with the embedded model and its adapter."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from studio.lazy import lazy
from studio.settings import Settings
from studio.web.launch import Running, start

loading = lazy("pipelines.music._score_loading")  # they import torch, which most of these tests do without
moving = lazy("pipelines.video._animatediff_toys")


def unused_port() -> int:
    """One that the system gives out: tests of other processes get others."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def loops_closed() -> Iterator[None]:
    """Close the event loops that gradio makes for its locks and forgets: left open, they warn much later."""
    made: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def noted(*args: Any) -> asyncio.AbstractEventLoop:
        made.append(new_event_loop(*args))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "new_event_loop", noted)
        yield
    asyncio.set_event_loop(None)
    for loop in made:
        if not loop.is_running():
            loop.close()
    gc.collect()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The whole app on a free port, with its worker."""
    settings = Settings(outputs=tmp_path_factory.mktemp("outputs"), port=unused_port())
    with loops_closed():
        running = start(settings, warm=False)
        yield running
        running.stop()


@pytest.fixture(scope="session")
def composer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a toy composer of music."""
    folder = tmp_path_factory.mktemp("models") / "composer"
    loading.toy(0).save_pretrained(folder, safe_serialization=True)
    return str(folder)


@pytest.fixture(scope="session")
def filmer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a toy model of clips, 64 px, with a network that moves."""
    folder = tmp_path_factory.mktemp("models") / "filmer"
    moving.tiny(0).save_pretrained(folder, safe_serialization=True)
    return str(folder)
