"""The contact sheet: whole, self-contained, and safe whatever a prompt says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.contact_sheet import write_contact_sheet
from studio.ledger import Ledger, NewJob
from studio.manifest import mean_vad, write_manifest

NASTY = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \u2028 \" ' \\ <!-- {{7*7}} [/*rows*/]"
)


def job(number: int, prompt: str, emotion: str = "joy") -> NewJob:
    values = {
        "pipeline": "p",
        "model": "m",
        "prompt": prompt,
        "negative_prompt": "",
        "emotion": emotion,
        "seed": 5,
    }
    return NewJob(number, f"c{number}", "k", json.dumps(values), number)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as made:
        made.sync([job(1, NASTY), job(2, "the sea"), job(3, "a wood", "sadness@0, joy@1")])
        first, second, third = made.claim("me", 3)
        made.finish(first.id, "me", "00001-a b#c.png", 1.25, ["a note"])
        made.fail(second.id, "me", "it <b>broke</b>", "Traceback")
        made.finish(third.id, "me", "00003-a-wood.png", None)
        yield made


def page(ledger: Ledger, title: str = "run 1") -> str:
    path = ledger.path.with_name("index.html")
    write_contact_sheet(path, ledger, title)
    return path.read_text("utf-8")


def rows(text: str) -> list[list[Any]]:
    found = re.search(r'<script type="application/json" id="rows">(.*?)</script>', text, re.DOTALL)
    assert found
    return list(json.loads(found[1]))


def test_every_row_is_in_the_page(ledger: Ledger) -> None:
    first, second, third = rows(page(ledger))
    assert first[:6] == [1, 1, "done", "00001-a b#c.png", NASTY, "joy"]
    assert first[7:10] == [5, 1.25, None] and first[11] == ["a note"]
    assert second[2:4] == ["failed", None] and second[9] == "it <b>broke</b>"
    assert third[6] == list(mean_vad("sadness@0, joy@1") or ())


@pytest.mark.parametrize("title", ["run", NASTY, "\udce9 no text"])
def test_no_prompt_or_title_can_leave_its_place(ledger: Ledger, title: str) -> None:
    text = page(ledger, title)
    plain = page(ledger, "run")
    assert "alert(1)</script>" not in text and "onerror=alert" not in text.replace(
        "\\u003cimg src=x onerror", ""
    )
    assert text.count("<script") == plain.count("<script") == 3
    assert len(rows(text)) == 3


def test_the_page_loads_nothing_from_elsewhere(ledger: Ledger) -> None:
    text = page(ledger)
    assert "default-src 'none'" in text
    assert not re.search(
        r"(src|href)\s*=\s*[\"']?(https?:)?//|@import|url\(|fetch\(|innerHTML\s*=\s*(?!')\S", text
    )


def test_a_mean_feeling_lies_between_its_ends() -> None:
    start, end, mean = (mean_vad(text) for text in ("sadness", "joy", "sadness@0, joy@1"))
    assert start and end and mean
    assert start[0] < mean[0] < end[0]
    assert mean_vad("sadness@0s, joy@4s") == mean  # as long as its keys say
    assert mean_vad("no such word") is None


def test_the_manifest_has_a_line_a_row(ledger: Ledger, tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.jsonl", ledger)
    lines = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert [line["state"] for line in lines] == ["done", "failed", "done"]
    assert lines[0]["prompt"] == NASTY and lines[1]["file"] is None and lines[1]["error"] == "it <b>broke</b>"


@pytest.fixture
def browser_page() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs Chromium")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def test_in_a_browser(ledger: Ledger, browser_page: Any) -> None:
    page(ledger)
    for name in ("00001-a b#c.png", "00003-a-wood.png"):
        Image.new("RGB", (8, 8), "teal").save(ledger.path.with_name(name))
    trouble: list[str] = []
    for event in ("console", "pageerror", "dialog", "requestfailed"):
        browser_page.on(event, lambda what: trouble.append(str(what)))
    browser_page.goto(ledger.path.with_name("index.html").as_uri())
    assert browser_page.locator(".tile .prompt").all_inner_texts()[0].startswith("</script>")
    assert "it <b>broke</b>" in browser_page.locator("#failed").inner_text()
    browser_page.select_option("#sort", "v")
    assert browser_page.locator(".tile .seed").all_inner_texts() == ["seed 5", "seed 5"]
    assert browser_page.locator(".tile .feeling").all_inner_texts() == ["sadness@0, joy@1", "joy"]
    browser_page.locator(".tile").first.focus()
    browser_page.keyboard.press("ArrowRight")
    browser_page.keyboard.press("Enter")
    assert "a note" in browser_page.locator("#info").inner_text()
    width = "image => image.decode().then(() => image.naturalWidth)"
    assert browser_page.locator("#stage img").evaluate(width) == 8
    browser_page.keyboard.press("Escape")
    browser_page.keyboard.press("p")
    points = browser_page.locator(".point")
    (joy, joy_x), (wood, wood_x) = points.evaluate_all("all => all.map(p => [p.ariaLabel, p.offsetLeft])")
    assert "emotion joy" in joy and "a wood" in wood and wood_x < joy_x
    browser_page.fill("#find", "wood")
    points.nth(1).wait_for(state="detached")
    assert trouble == []
