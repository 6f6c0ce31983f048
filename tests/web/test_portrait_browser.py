"""The portrait page in a real browser: somebody is chosen and filmed, a point of a face is dragged.

Needs what tests/web/test_browser.py needs, and is skipped like it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio import landmarks, portraits
from studio.artifacts import read_provenance
from studio.web.launch import Running
from tests.web.test_browser import PATIENCE_MS, browser, pytestmark, say, sync_api
from tests.web.test_page import wait_for

__all__ = ["browser", "pytestmark"]  # a fixture, and when all of this is skipped
TEXT, EMOTION = "#portrait-text textarea", "#portrait-emotion-text textarea"
SIDE_PX = 300


@pytest.fixture
def page(browser: Any, app: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The page, opened afresh, without the file with which faces are found; afterwards: no script failed."""
    monkeypatch.setenv("EMOTION_STUDIO_FACE_MODEL", str(tmp_path / "none.task"))
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.set_default_timeout(PATIENCE_MS)
    failed: list[str] = []
    tab.on("pageerror", lambda error: failed.append(str(error)))
    tab.goto(f"{app.url}/#portrait")
    tab.wait_for_selector("#portrait-curve .curve-handle")
    yield tab
    tab.close()
    assert failed == []


def settings(page: Any) -> None:
    """The rules, and a small clip."""
    page.locator("#portrait-more").get_by_text("More settings").click()
    page.get_by_label("Pipeline", exact=True).locator("visible=true").click()
    page.get_by_role("option", name="portrait/performer").click()
    say(page, "performer", "#portrait-model input")
    page.locator("#portrait-advanced").get_by_text("Advanced").click()
    page.get_by_label("Size (px)").locator("visible=true").click()
    page.get_by_role("option", name="256").click()


def walk_to(page: Any, word: str) -> None:
    """From word to word by the keyboard; a line that is heard anew meanwhile begins at its start again."""
    for _ in range(40):
        page.locator("#speech .speech-svg").focus()
        page.keyboard.press("Shift+ArrowRight")
        page.wait_for_timeout(150)
        if re.search(word, page.locator(".speech-readout").inner_text()):
            return
    raise AssertionError(page.locator(".speech-readout").inner_text())


def test_somebody_says_a_line_and_a_muscle_is_held(page: Any, app: Running) -> None:
    page.locator('#portraits [data-name="kofi"]').click()
    page.keyboard.press("ArrowRight")
    luna = page.locator('#portraits [data-name="luna"]')
    sync_api.expect(luna).to_have_attribute("aria-checked", "true", timeout=PATIENCE_MS)
    settings(page)
    page.fill(TEXT, "You came back!")
    page.fill(EMOTION, "surprise@0s, joy@0.5s")
    sync_api.expect(page.locator("#speech .speech-text")).to_have_count(3, timeout=PATIENCE_MS)
    sync_api.expect(page.locator("#movements")).to_contain_text("AU2", timeout=PATIENCE_MS)
    walk_to(page, "You")
    page.locator("#muscles").get_by_text("Muscles by hand").click()
    page.get_by_label("brows drawn down, AU4").focus()
    page.keyboard.press("End")
    sync_api.expect(page.locator("#movements")).to_contain_text("AU4, strong", timeout=PATIENCE_MS)
    page.wait_for_selector("#portrait-preview video")
    page.click("#film")
    page.wait_for_selector("#portrait-stage .stage-done video")
    page.wait_for_function("document.querySelector('#portrait-stage video').duration > 0.5")
    sync_api.expect(page.locator("#portrait-download a")).to_have_count(5)
    request = read_provenance(app.service.history("portrait/")[0].files[0])["request"]
    assert (request["portrait"], request["size_px"], request["muscles"]) == ("luna", 256, "AU4=1")
    assert request["emotion"] == "surprise@0s, joy@0.5s"


def test_a_point_of_a_face_is_dragged_and_kept(page: Any, app: Running, tmp_path: Path) -> None:
    own = tmp_path / "somebody.png"
    with Image.open(portraits.path("kofi")) as picture:
        picture.convert("RGB").resize((SIDE_PX, SIDE_PX)).save(own)
    page.locator("#own-picture").get_by_text("or a picture").click()
    page.locator("#portrait-image input[type=file]").set_input_files(str(own))
    sync_api.expect(page.locator("#points .points-one")).to_have_count(12, timeout=PATIENCE_MS)
    sync_api.expect(page.locator("#face-note")).to_contain_text("Drag the points")
    chin = page.locator('#points [data-name="chin"]')
    chin.scroll_into_view_if_needed()
    before, box = float(chin.get_attribute("aria-valuenow")), chin.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y + 30, steps=4)
    page.mouse.up()
    sync_api.expect(page.locator("#face-note")).to_contain_text("placed by hand", timeout=PATIENCE_MS)
    saved = landmarks.load(app.service.kept(own), SIDE_PX, SIDE_PX)
    assert saved is not None and saved.named["chin"][0] > before + 2
    page.keyboard.press("Shift+ArrowRight")

    def is_moved() -> bool:
        moved = landmarks.load(app.service.kept(own), SIDE_PX, SIDE_PX)
        return moved is not None and moved.named["chin"][0] > saved.named["chin"][0] + 1

    wait_for(is_moved)
