"""Answers of a slow server, in a real browser: none of them undoes what a hand has done since.

Needs what tests/web/test_browser.py needs, and is skipped like it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import pytest

from studio.emotion import VAD, parse_curve
from studio.web.affect_pad import AffectPad
from studio.web.curve_editor import CurveEditor, Drawn, drawn_wire
from studio.web.emotion_entry import LIVE, QUIET
from studio.web.picture_picker import PicturePicker
from studio.web.speech_strip import SpeechStrip
from tests.web.conftest import loops_closed, unused_port
from tests.web.test_browser import PATIENCE_MS, browser, pytestmark, sync_api

__all__ = ["browser", "pytestmark"]  # a fixture, and when all of this is skipped
SLOW_S = 1.2
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
PEOPLE = [[name, PIXEL, name] for name in ("ada", "ben", "cleo")]
SPOKEN = {"length_s": 1.0, "bars": [9] * 40, "words": [["one", 0.0, 0.5], ["two", 0.5, 1.0]], "phones": []}


def slow_page() -> gr.Blocks:
    """Each component beside a button; what the server answers to it comes late, and is old by then."""
    with gr.Blocks() as opened:
        picker = PicturePicker("ada", PEOPLE, title="Who", elem_id="people")
        pad = AffectPad(elem_id="pad")
        curve = CurveEditor(Drawn(parse_curve("calm@0, joy@100%")), elem_id="curve")
        strip = SpeechStrip(SPOKEN, elem_id="speech")
        again, shuffle = gr.Button("again", elem_id="again"), gr.Button("shuffle", elem_id="shuffle")
        other = gr.Button("other", elem_id="other")
        said = gr.Textbox(elem_id="said")
        picker.input(late(lambda name: name), picker, picker, **QUIET)
        again.click(lambda: ("ada", VAD(0.5, 0.5, 0.0)), None, [picker, pad], **QUIET)
        shuffle.click(late(lambda: gr.update(pictures=PEOPLE[::-1])), None, picker, **QUIET)
        other.click(
            late(lambda: (VAD(0.9, 0.9, 0.0), drawn("fear@0, joy@100%"))), None, [pad, curve], **QUIET
        )
        other.click(late(lambda: {**SPOKEN, "length_s": 0.9}), None, strip, **QUIET)
        curve.input(hear, curve, [curve, said], **LIVE)
    page: gr.Blocks = opened
    return page


def drawn(text: str) -> Drawn:
    return Drawn(parse_curve(text))


def hear(one: Drawn) -> tuple[Any, str]:
    return gr.update(heard=drawn_wire(one)), one.curve.text


def late(answer: Callable[..., Any]) -> Callable[..., Any]:
    def wait(*given: Any) -> Any:
        time.sleep(SLOW_S)
        return answer(*given)

    return wait


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with loops_closed():
        page = slow_page()
        port = unused_port()
        page.launch(server_port=port, quiet=True, prevent_thread_lock=True, ssr_mode=False, footer_links=[])
        yield f"http://127.0.0.1:{port}"
        page.close(verbose=False)


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    tab = browser.new_page(viewport={"width": 900, "height": 1400})
    tab.set_default_timeout(PATIENCE_MS)
    tab.goto(address)
    tab.wait_for_selector("#curve .curve-handle")
    tab.wait_for_selector("#people [data-name=ada]")
    yield tab
    tab.close()


def answered(page: Any) -> None:
    page.wait_for_timeout(SLOW_S * 1000 + 800)


def picked(page: Any, name: str) -> None:
    one = page.locator(f'#people [data-name="{name}"]')
    sync_api.expect(one).to_have_attribute("aria-checked", "true", timeout=PATIENCE_MS)


def test_an_answer_to_an_earlier_pick_does_not_undo_a_later_one(page: Any) -> None:
    page.locator('#people [data-name="ben"]').click()
    page.wait_for_timeout(200)
    page.keyboard.press("ArrowRight")
    answered(page)
    picked(page, "cleo")
    page.click("#again")  # but what a person asks for elsewhere is shown, though it was picked before
    picked(page, "ada")


def test_pictures_that_come_anew_leave_the_keyboard_where_it_is(page: Any) -> None:
    page.click("#shuffle")
    page.locator('#people [data-name="ben"]').click()
    answered(page)
    page.keyboard.press("ArrowRight")
    picked(page, "ada")


def test_a_late_answer_leaves_pad_and_curve_as_the_hand_has_put_them(page: Any) -> None:
    page.click("#other")
    handle = page.locator("#pad .affect-handle")
    handle.focus()
    page.keyboard.press("Shift+ArrowLeft")
    answered(page)
    assert handle.get_attribute("aria-valuenow") == "-0.25"
    page.click("#again")
    sync_api.expect(handle).to_have_attribute("aria-valuenow", "0.5", timeout=PATIENCE_MS)


def test_a_point_that_is_only_chosen_takes_a_late_answer_in(page: Any) -> None:
    joy = page.locator("#curve .curve-handle-v").nth(1)
    page.click("#other")
    page.wait_for_timeout(int(SLOW_S * 1000) - 150)
    joy.click(force=True)
    answered(page)
    said = page.locator("#said textarea")
    sync_api.expect(said).to_have_value("fear@0%, joy@100%", timeout=PATIENCE_MS)
    assert page.locator("#curve .curve-keys > g").nth(1).get_attribute("class") == "curve-chosen"


def test_a_line_that_is_heard_anew_keeps_the_place_of_who_reads_it(page: Any) -> None:
    page.click("#other")
    page.locator("#speech .speech-svg").focus()
    page.keyboard.press("ArrowRight")
    answered(page)
    assert "two" in page.locator("#speech .speech-readout").inner_text()
