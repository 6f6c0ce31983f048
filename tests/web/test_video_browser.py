"""The video page in a real browser: a clip is rendered and watched, moments are chosen, also on a phone.

Needs what tests/web/test_browser.py needs, and is skipped like it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from studio.artifacts import read_provenance
from studio.web.launch import Running
from tests.web.test_browser import PATIENCE_MS, browser, pytestmark, say, sync_api

__all__ = ["browser", "pytestmark"]  # a fixture, and when all of this is skipped
TEXT, STAGE, NOW = "#video-emotion-text textarea", "#video-stage", "#video-curve .curve-now"
TIME = f"document.querySelector('{STAGE} video').currentTime"


def opened(browser: Any, address: str, width: int = 1280) -> tuple[Any, list[str]]:
    """The page and the scripts that failed on it."""
    tab = browser.new_page(viewport={"width": width, "height": 900})
    tab.set_default_timeout(PATIENCE_MS)
    failed: list[str] = []
    tab.on("pageerror", lambda error: failed.append(str(error)))
    tab.goto(address)
    tab.wait_for_selector("#video-curve .curve-handle")
    return tab, failed


@pytest.fixture
def page(browser: Any, app: Running, filmer: str) -> Iterator[Any]:
    """The page, opened afresh with the toy chosen; afterwards: no script failed."""
    tab, failed = opened(browser, f"{app.url}/#video")
    tab.locator("#video-more").get_by_text("More settings").click()
    tab.locator("#video-model input").fill(filmer)
    tab.locator("#video-model input").press("Enter")
    number(tab.get_by_label("number input for Steps").locator("visible=true"), "2")
    yield tab
    tab.close()
    assert failed == []


def number(box: Any, value: str) -> None:
    box.fill(value)
    box.press("Tab")


def moment(page: Any, low: float, high: float) -> None:
    page.wait_for_function(f"{TIME} >= {low} && {TIME} <= {high}")


def test_a_clip_is_rendered_watched_and_found_again(page: Any, app: Running) -> None:
    page.fill("#video-prompt textarea", "waves under a lighthouse")
    page.locator("#video-curves").get_by_text("calm@0s, fear@2s, relief@4s").click()
    number(page.locator("#video-length input"), "2")
    past = page.locator("#video-past")
    sync_api.expect(past).to_contain_text("relief@4s lies beyond the end", timeout=PATIENCE_MS)
    page.click("#shoot")
    sync_api.expect(page.locator("#video-form-problem")).to_contain_text("relief@", timeout=PATIENCE_MS)
    page.fill(TEXT, "calm@0s, fear@2s")
    sync_api.expect(past.locator(".problem")).to_have_count(0, timeout=PATIENCE_MS)
    page.click("#shoot")
    page.wait_for_selector(f"{STAGE} .stage-done video")
    page.wait_for_function(f"document.querySelector('{STAGE} video').duration > 1.9")
    sync_api.expect(page.locator("#video-download a")).to_have_count(3)
    request = read_provenance(app.service.history("video/")[0].files[0])["request"]
    assert (request["emotion"], request["length_s"], request["steps"]) == ("calm@0s, fear@2s", 2, 2)
    page.reload()
    page.wait_for_selector(f"{STAGE} .stage-done video")
    page.click("#video-again")
    say(page, "^waves under a lighthouse$", "#video-prompt textarea")
    say(page, "^2$", "#video-length input")
    assert page.locator("#video-strip .tile img").count() == 1


def test_strip_keys_and_curve_move_the_player(page: Any) -> None:
    page.wait_for_function(f"document.querySelector('{STAGE} video')?.duration > 1.9")
    number(page.locator("#video-length input"), "2")
    page.fill(TEXT, "calm@0s, fear@2s")
    sync_api.expect(page.locator("#video-curve .curve-ruler")).to_contain_text("1.5 s", timeout=PATIENCE_MS)
    strip = page.locator(f"{STAGE} .scrub")
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    moment(page, 0.85, 1.1)
    sync_api.expect(page.locator(NOW)).to_have_attribute("visibility", "visible", timeout=PATIENCE_MS)
    strip.focus()
    page.keyboard.press("End")
    moment(page, 1.9, 2.0)
    page.keyboard.press("Home")
    moment(page, 0, 0.01)
    page.keyboard.press("ArrowRight")  # a frame of 12 a second
    moment(page, 1 / 12, 2 / 12)
    assert strip.get_attribute("aria-valuetext").endswith("of 2.0 seconds")
    curve = page.locator("#video-curve .curve-band")
    curve.scroll_into_view_if_needed()
    box = curve.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.95)
    moment(page, 1.45, 1.55)
    x = 12 + 0.75 * box["width"]
    page.wait_for_function(f"Math.abs(document.querySelector('{NOW}').getAttribute('x1') - {x}) < 3")
    assert page.locator("#video-curve .curve-keys > g").count() == 2  # a click adds no point


def test_a_curve_that_begins_is_one_in_seconds(page: Any) -> None:
    page.locator("#video-curve .curve-add").focus()
    page.keyboard.press("Enter")
    say(page, "^neutral@0s, neutral@4s$", TEXT)
    page.locator("#video-curve .curve-handle-v").nth(1).focus()
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Shift+ArrowLeft")
    say(page, r"^neutral@0s, v=0\.25 a=0 d=0@3\.8s$", TEXT)
    page.wait_for_timeout(300)
    page.keyboard.press("ArrowUp")  # answers have not taken the keyboard away
    say(page, r"v=0\.3 a=0 d=0@3\.8s$", TEXT)


def test_a_long_clip_shows_previews_and_is_cancelled(page: Any, app: Running) -> None:
    page.fill("#video-prompt textarea", "a very long one")
    number(page.get_by_label("number input for Steps").locator("visible=true"), "150")
    number(page.locator("#video-length input"), "8")
    page.click("#shoot")
    page.wait_for_selector(f'{STAGE} .stage-leased img[src^="data:image/png"]')
    page.click("#video-cancel")
    page.wait_for_selector(f"{STAGE} .stage-cancelled")
    assert all(not view.is_open for view in app.service.history("video/"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser: Any, app: Running, theme: str) -> None:
    tab, failed = opened(browser, f"{app.url}/?__theme={theme}#video", width=360)
    tab.locator("#video-starts").get_by_text("Start from a picture or a clip").click()
    tab.locator("#video-image").wait_for(state="visible")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("#shoot", "#video-length input", "#video-curve .curve-svg", "#video-pad .affect-svg"):
        box = tab.locator(name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["height"] > 20
    card = tab.locator(".card:visible").first
    shade = card.evaluate("each => Number(getComputedStyle(each).backgroundColor.match(/\\d+/)[0])")
    assert (shade < 100) == (theme == "dark")
    tab.close()
    assert failed == []
