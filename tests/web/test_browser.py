"""The page in a real browser: the pad is moved by mouse and keys, and a picture arrives.

Needs Chromium (`apt-get install chromium`, or CHROMIUM=/path/to/it) and `pip install playwright`; skipped
without them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.emotion import parse_curve
from studio.web.launch import Running

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
BROWSER = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt-get install chromium"),
    # numpy's remark on how torch's scheduler makes arrays; the worker renders in this process
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
FLAGS += ["--disable-component-update", "--disable-sync"]
TEXT, READOUT, PROMPT = "#emotion-text textarea", ".affect-numbers", "#prompt textarea"
PATIENCE_MS = 60_000
# In one task of the page, so that no answer comes between: to the upper right corner of the pad, and Render.
MOVE_AND_RENDER = """() => {
  const box = document.querySelector(".affect-svg").getBoundingClientRect();
  const at = { clientX: box.right - 1, clientY: box.top + 1, button: 0, pointerId: 1, bubbles: true };
  const svg = document.querySelector(".affect-svg");
  svg.setPointerCapture = () => {};
  for (const kind of ["pointerdown", "pointerup"]) svg.dispatchEvent(new PointerEvent(kind, at));
  document.querySelector("#render").click();
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, app: Running) -> Iterator[Any]:
    """The page, opened afresh; afterwards: nothing was asked of another host and no script failed."""
    tab = browser.new_page(viewport={"width": 1200, "height": 900})
    tab.set_default_timeout(PATIENCE_MS)
    asked, failed = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: failed.append(str(error)))
    tab.goto(app.url)
    tab.wait_for_selector(".affect-word")
    yield tab
    tab.close()
    assert failed == []
    assert [url for url in asked if not url.startswith((app.url, "data:", "blob:"))] == []


def say(page: Any, pattern: str, selector: str = TEXT) -> None:
    """Wait until a text box says it."""
    sync_api.expect(page.locator(selector)).to_have_value(re.compile(pattern), timeout=PATIENCE_MS)


def centre(page: Any) -> tuple[float, float, float]:
    """Middle of the pad and the length of 1.0 on it, in pixels."""
    box = page.locator(".affect-svg").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"] * 100 / 224


def test_a_click_on_the_pad_makes_a_picture_of_that_feeling(page: Any, app: Running) -> None:
    x, y, unit = centre(page)
    page.mouse.click(x + 0.5 * unit, y - 0.4 * unit)
    say(page, r"v=0\.(49|5|51) a=0\.(39|4|41) d=0")
    assert "nearest:" in page.locator(".affect-nearest").inner_text()
    page.fill(PROMPT, "an old lighthouse on a cliff")
    page.click("#render")
    page.wait_for_selector(".stage-done img")
    page.wait_for_function("document.querySelector('.stage-done img').naturalWidth > 0")
    newest = app.service.history()[0]
    assert newest.values["emotion"].startswith("v=0.")
    assert newest.picture is not None
    with page.expect_download() as download:
        page.click(".download")
    assert download.value.path().read_bytes() == newest.picture.read_bytes()


def test_render_takes_the_pad_as_it_is_even_before_the_text_says_so(page: Any, app: Running) -> None:
    page.fill(PROMPT, "a stone bridge")
    x, y, unit = centre(page)
    page.mouse.click(x - 0.6 * unit, y + 0.3 * unit)
    say(page, r"v=-0\.(59|6|61) ")
    page.evaluate(MOVE_AND_RENDER)
    page.wait_for_selector('.tile[title^="a stone bridge"] img')
    emotion = parse_curve(app.service.history()[0].values["emotion"]).at(0.0)
    assert emotion.as_tuple() == (1.0, 1.0, 0.0)
    page.fill(TEXT, "calm:0.5")
    sync_api.expect(page.locator(READOUT)).to_contain_text("valence +0.22")
    assert page.evaluate("document.querySelector('#pad .affect').newest()") is None


def test_an_example_fills_the_prompt(page: Any) -> None:
    page.get_by_role("button", name="a bare tree, woodcut").click()
    say(page, "^a bare tree, woodcut$", PROMPT)


def test_a_refresh_loses_nothing_and_settings_come_back(page: Any, app: Running) -> None:
    page.fill(PROMPT, "a harbour at dusk")
    page.fill(TEXT, "calm:0.5")
    page.click("#render")
    page.wait_for_selector('.tile[title^="a harbour at dusk"] img')
    page.reload()
    page.wait_for_selector('.stage-done img[alt^="a harbour at dusk"]')
    assert page.locator(PROMPT).input_value() == ""
    page.click("#again")
    say(page, "a harbour at dusk", PROMPT)
    say(page, r"calm:0\.5")
    sync_api.expect(page.locator(READOUT)).to_contain_text("valence +0.22")


def test_the_pad_is_worked_by_keys_alone(page: Any) -> None:
    handle = page.locator(".affect-handle")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    say(page, "v=0.05 a=-0.25 d=0$")
    assert handle.get_attribute("aria-valuetext") == "valence +0.05, arousal \u22120.25"
    page.locator(".affect-range").focus()
    page.keyboard.press("ArrowUp")
    say(page, "v=0.05 a=-0.25 d=0.05")
    handle.focus()
    page.keyboard.press("Home")
    say(page, "neutral")


def test_a_drag_is_followed_and_stays_on_the_pad(page: Any) -> None:
    x, y, unit = centre(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 3 * unit, y + 0.5 * unit, steps=8)
    page.mouse.up()
    say(page, r"v=-1 a=-0\.(49|5|51) d=0")


def test_text_and_labels_move_the_pad(page: Any) -> None:
    page.fill(TEXT, "contentmnt")
    page.wait_for_selector("#emotion-problem .problem")
    assert "did you mean 'contentment'" in page.locator("#emotion-problem").inner_text()
    page.fill(TEXT, "emoart/happy")
    sync_api.expect(page.locator(READOUT)).to_contain_text("valence +0.81")
    sync_api.expect(page.locator("#emotion-problem .problem")).to_have_count(0)
    page.get_by_label("Feeling").click()
    page.get_by_role("option", name="bored").click()
    say(page, "^bored$")
    sync_api.expect(page.locator(READOUT)).to_contain_text("valence \u22120.65")


def test_a_long_render_is_watched_and_cancelled(page: Any, app: Running) -> None:
    page.fill(PROMPT, "a very long one")
    page.get_by_text("More settings").click()
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_label("Width (px)").fill("512")
    page.get_by_label("Height (px)").fill("512")
    steps = page.get_by_label("number input for Steps")
    steps.fill("150")
    steps.press("Tab")  # a slider takes a typed number when it is left
    sync_api.expect(page.get_by_label("range slider for Steps")).to_have_value("150")
    page.click("#render")
    page.wait_for_selector(".stage-leased .bar")
    sync_api.expect(page.locator(".stage-words")).to_contain_text("of 150", timeout=PATIENCE_MS)
    page.wait_for_selector('.stage-leased img[src^="data:image/png"]')  # the preview
    page.click("#cancel")
    page.wait_for_selector(".stage-cancelled")
    assert all(not view.is_open for view in app.service.history())


def fill_in(page: Any, folder: Path) -> None:
    """The train form, for three steps of a toy model on four pictures, which are made in `folder`."""
    lines = []
    for number, feeling in enumerate(("joy", "fear", "calm", "anger")):
        Image.new("RGB", (64, 64), (60 * number, 90, 120)).save(folder / f"{number}.png")
        lines.append(json.dumps({"file_name": f"{number}.png", "text": "a sail", "emotion": feeling}))
    (folder / "metadata.jsonl").write_text("\n".join(lines), "utf-8")
    page.get_by_role("tab", name="Train").click()
    page.locator("#train-name").get_by_role("textbox").fill("from-the-page")
    page.locator("#train-model input").fill("tiny:0")
    page.locator("#train-model input").press("Enter")
    page.locator("#train-data-folder").get_by_role("textbox").first.fill(str(folder))
    page.locator("#train-more").get_by_text("More settings").click()
    page.locator("#train-more").get_by_label("Steps").fill("3")
    page.locator("#train-more").get_by_label("Batch size").fill("2")


def test_a_run_is_queued_found_again_after_a_refresh_and_stopped(
    page: Any, app: Running, tmp_path: Path
) -> None:
    app.service.training.worker.stop()
    page.get_by_role("tab", name="Train").click()
    page.click("#train-start")
    sync_api.expect(page.locator("#train-problem")).to_contain_text("name: is empty")
    fill_in(page, tmp_path)
    page.click("#train-start")
    page.wait_for_selector("#run .run-queued")
    page.reload()  # the same page again, and the run goes on, whoever looks
    page.locator("#train-start").wait_for(state="visible")
    page.wait_for_selector("#run .run-queued")
    page.click("#train-stop")
    page.wait_for_selector("#run .run-cancelled")
    app.service.training.start()


def test_a_new_adapter_is_offered_at_once_and_the_slider_follows_its_range(
    page: Any, app: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = app.service.training.folder
    monkeypatch.setenv("EMOTION_STUDIO_OUTPUTS", str(runs.parent))
    page.get_by_text("More settings").first.click()
    slider = page.get_by_label("range slider for Strength of the emotion")
    for name, end in (("low", "0.7"), ("high", "1.8")):
        (runs / name / "adapter").mkdir(parents=True)
        (runs / name / "adapter" / "adapter.json").write_text(f'{{"strength_range": [-0.5, {end}]}}')
    choice = page.get_by_label("Emotion adapter")
    for name, end in (("low", "0.7"), ("high", "1.8"), ("low", "0.7")):
        option = page.get_by_role("option", name=f"{name} (yours)")
        choice.click()
        for _ in range(200):  # an open list does not grow, and the page looks every few seconds
            if option.count():
                break
            choice.blur()
            page.wait_for_timeout(300)
            choice.click()
        option.click()
        sync_api.expect(slider).to_have_attribute("max", end, timeout=PATIENCE_MS)
    assert slider.get_attribute("min") == "-0.5"


@pytest.mark.slow  # the trainer starts; tests/studio/test_training_jobs.py does so without a browser
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_run_is_watched_to_its_end(page: Any, app: Running, tmp_path: Path) -> None:
    fill_in(page, tmp_path)
    page.click("#train-start")
    page.wait_for_selector("#run .run-done, #run .run-failed", timeout=4 * PATIENCE_MS)
    sync_api.expect(page.locator("#run")).to_contain_text("3 steps; it is in the list of adapters")
    assert page.locator("#run svg polyline.loss").count() == 1
