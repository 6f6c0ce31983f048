"""Clips in the page: what is shown of them, and that a browser may ask for parts of a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx

from studio.web import clip_views
from studio.web.launch import Running
from studio.web.service import JobView
from tests.web.test_page import view

NASTY = '"><script>alert(1)</script>'


def clip(folder: Path, **more: Any) -> JobView:
    files = tuple(folder / f"00001-a b#c{end}" for end in (".mp4", ".png", ".jpg", ".csv"))
    return view(state="done", files=files, picture=files[1], **more)


def test_a_finished_clip_has_a_player_with_a_poster_a_strip_and_files(tmp_path: Path) -> None:
    html = clip_views.stage([clip(tmp_path)])
    (video,) = re.findall("<video .*?</video>", html)
    assert "controls" in video and 'type="video/mp4"' in video and "00001-a%20b%23c.mp4" in video
    assert re.search(r'poster="[^"]*\.png"', video)
    assert html.count(".jpg") == 2 and "<script>" not in html
    links = clip_views.downloads(clip(tmp_path))
    assert re.findall(r">(\w+)</a>", links) == ["Video", "Poster", "Strip", "CSV"]


def test_what_a_person_wrote_is_escaped(tmp_path: Path) -> None:
    values = {"prompt": NASTY, "emotion": NASTY, "seed": 1}
    made = clip(tmp_path, values=values, notes=(NASTY,))
    html = clip_views.stage([made, made])
    assert "<script>" not in html and html.count("Look at this one") == 2


def test_clips_that_are_not_done(tmp_path: Path) -> None:
    assert "appears here" in clip_views.stage([]) and clip_views.stage([], "Say it.").count("Say it.") == 1
    waiting = clip_views.stage([view(state="queued")])
    assert "stage-blank" in waiting and "<video" not in waiting
    failed = clip_views.stage([view(state="failed", error=NASTY)])
    assert "&lt;script&gt;" in failed and "<video" not in failed
    assert clip_views.downloads(None) == clip_views.downloads(view(state="queued")) == ""


def test_parts_of_a_clip_are_served(app: Running) -> None:
    path = app.service.folder / "00009-a b#c.mp4"
    path.write_bytes(bytes(range(256)) * 40)
    url = f"{app.url}/{clip_views.views.file_url(path)}"
    part = httpx.get(url, headers={"Range": "bytes=100-109"})
    assert part.status_code == 206 and part.content == bytes(range(100, 110))
    assert part.headers["content-range"] == "bytes 100-109/10240"
    assert part.headers["content-type"] == "video/mp4"
