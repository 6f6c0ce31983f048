"""The music page in a real browser: the curve is drawn by mouse and keys, a piece arrives and is changed.

Needs what tests/web/test_browser.py needs, and is skipped like it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.artifacts import read_provenance
from studio.emotion import parse_curve
from studio.web.launch import Running
from tests.web.test_browser import PATIENCE_MS, browser, pytestmark, say, sync_api

__all__ = ["browser", "pytestmark"]  # a fixture, and when all of this is skipped
TEXT = "#music-emotion-text textarea"
NEWEST = "document.querySelector('#music-curve .curve').newest(null)"
# In one task of the page, so that no answer comes between: a key on the curve, and Compose.
MOVE_AND_COMPOSE = """() => {
  const handle = document.querySelectorAll("#music-curve .curve-handle-v")[0];
  handle.focus();
  handle.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
  document.querySelector("#compose").click();
}"""


@pytest.fixture
def page(browser: Any, app: Running, composer: str) -> Iterator[Any]:
    """The page, opened afresh with the toy chosen; afterwards: no script failed."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.set_default_timeout(PATIENCE_MS)
    failed: list[str] = []
    tab.on("pageerror", lambda error: failed.append(str(error)))
    tab.goto(f"{app.url}/#music")
    tab.wait_for_selector("#music-curve .curve-handle")
    tab.locator("#music-more").get_by_text("More settings").click()
    tab.locator("#music-model input").fill(composer)
    tab.locator("#music-model input").press("Enter")
    tab.get_by_label("number input for Bars").fill("2")
    tab.get_by_label("number input for Bars").press("Tab")
    yield tab
    tab.close()
    assert failed == []


def arc(page: Any) -> None:
    """Three points, the second chosen by its handle."""
    page.locator("#music-curves").get_by_text("sadness@0, calm@50%, joy@100%").click()
    sync_api.expect(page.locator("#music-curve .curve-keys > g")).to_have_count(3)


def test_the_curve_is_drawn_by_mouse_keys_pad_and_text(page: Any) -> None:
    arc(page)
    box = page.locator("#music-curve .curve-handle-a").nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 40, steps=6)
    page.mouse.up()
    say(page, r"sadness@0%, v=0\.44 a=0\.\d+ d=0\.01@(5|6)\d(\.5)?%, joy@100%", TEXT)
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowUp")
    say(page, r"v=0\.44 a=0\.25 d=0\.01@", TEXT)
    page.click(".curve-add")
    sync_api.expect(page.locator("#music-curve .curve-keys > g")).to_have_count(4)
    page.locator("#music-curve .curve-handle-v").nth(2).focus()
    page.keyboard.press("Delete")
    say(page, r"^sadness@0%, v=0\.44 a=0\.25 d=0\.01@[\d.]+%, joy@100%$", TEXT)
    pad = page.locator("#music-pad .affect-svg").bounding_box()
    page.mouse.click(pad["x"] + 0.5 * pad["width"], pad["y"] + 0.5 * pad["height"])
    say(page, r"^sadness@0%, (neutral|v=-?0\S* a=-?0\S* d=0\.01)@", TEXT)
    page.fill(TEXT, "fear@0s, relief@4s")
    sync_api.expect(page.locator("#music-curve .curve-keys > g")).to_have_count(2)
    assert page.evaluate(NEWEST) is None


def test_a_piece_is_composed_played_and_changed_in_part(page: Any, app: Running) -> None:
    arc(page)
    page.locator("#music-title").get_by_role("textbox").fill("From the browser")
    page.evaluate(MOVE_AND_COMPOSE)
    page.wait_for_selector("#music-stage .stage-done audio")
    page.wait_for_function("document.querySelector('#music-stage audio').duration > 1")
    first = app.service.history("music/")[0]
    asked = parse_curve(first.values["emotion"]).at(0.0).valence
    assert asked == pytest.approx(parse_curve("sadness").at(0.0).valence + 0.05, abs=0.006)
    bars = page.locator("#change .bars-bar")
    sync_api.expect(bars).to_have_count(2)
    bars.nth(1).focus()
    page.keyboard.press("Space")
    page.locator("#change").get_by_label("rhythm").check()
    page.click("#change-bars")
    sync_api.expect(page.locator("#music-strip .tile img")).to_have_count(2, timeout=PATIENCE_MS)
    changed = app.service.history("music/")[0]
    request = read_provenance(changed.files[0])["request"]
    assert (request["change_bars"], request["keep"]) == ("2", "rhythm")
    assert Path(request["inputs"]["midi"]) == first.files[0]


def test_a_file_of_a_person_is_changed(page: Any, app: Running, tmp_path: Path) -> None:
    made = app.service.history("music/")
    own = tmp_path / "own song.mid"
    own.write_bytes(made[0].files[0].read_bytes())
    page.locator("#music-own").get_by_text("Change another piece").click()
    page.locator("#music-midi input[type=file]").set_input_files(str(own))
    sync_api.expect(page.locator("#change")).to_contain_text("your file own song.mid", timeout=PATIENCE_MS)
    page.click("#go-on")
    sync_api.expect(page.locator("#music-strip .tile img")).to_have_count(len(made) + 1, timeout=PATIENCE_MS)
    request = read_provenance(app.service.history("music/")[0].files[0])["request"]
    assert request["go_on"] and Path(request["inputs"]["midi"]).name.startswith("own-song-")
