"""The started app, spoken to as a browser does it (plain HTTP), and its handlers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from studio import catalog
from studio.artifacts import read_provenance
from studio.errors import InputError
from studio.request import RenderRequest
from studio.settings import Settings
from studio.web import views
from studio.web.form import Form, form_of_file
from studio.web.image_page import EXAMPLES
from studio.web.launch import Running, free_port
from studio.web.service import JobView, Service

# numpy's remark on how torch's scheduler makes arrays; the worker renders in this process
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
POINT = {"valence": 0.5, "arousal": 0.5, "dominance": 0.0}


def form(**changes: Any) -> Form:
    values = {"prompt": "a harbour", "negative_prompt": "", "emotion": "awe:0.8", "pipeline": "image/sd"}
    return Form(**{**values, "model": "", "seed": 7, "params": {"steps": 2}, **changes})


def until_done(service: Service, ids: list[int], timeout_s: float = 60.0) -> list[JobView]:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = service.views(ids)
        if not any(view.is_open for view in found):
            return found
        time.sleep(0.05)
    raise TimeoutError(f"jobs {ids} were not settled in {timeout_s} s")


def handler(app: Running, name: str) -> int:
    """The index under which the page calls the function of that name."""
    return next(index for index, each in app.page.fns.items() if getattr(each.fn, "__name__", "") == name)


def call(app: Running, name: str, *data: Any) -> httpx.Response:
    body = {"data": list(data), "fn_index": handler(app, name), "session_hash": "test"}
    return httpx.post(f"{app.url}/gradio_api/run/predict", json=body, timeout=30)


# ---- the server


def test_the_page_is_there_and_asks_nobody_else_for_anything(app: Running) -> None:
    text = httpx.get(app.url).text
    assert "Emotion Studio" in text
    for start in ('src="http', "src='http", 'rel="stylesheet" href="http', "googleapis", "@import"):
        assert start not in text


def test_no_handler_is_offered_as_an_api(app: Running) -> None:
    assert httpx.get(f"{app.url}/gradio_api/info").json()["named_endpoints"] == {}


def test_no_handler_waits_in_gradios_own_queue(app: Running) -> None:
    assert not any(each.queue for each in app.page.fns.values())


def test_only_pictures_are_served(app: Running) -> None:
    (job,) = until_done(app.service, app.service.submit(form().requests()))
    assert job.picture is not None
    served = httpx.get(f"{app.url}/{views.file_url(job.picture)}")
    assert served.content == job.picture.read_bytes()
    ledger = app.service.private / "ledger.sqlite3"
    assert ledger.is_file()
    for path in (ledger, Path(catalog.__file__), Path("/etc/hostname")):
        assert httpx.get(f"{app.url}/{views.file_url(path)}").status_code in {403, 404}


@pytest.mark.parametrize(
    "bad", [{**POINT, "valence": 50}, {**POINT, "arousal": "x"}, {"v": 1}, 3, "<script>"]
)
def test_a_forged_pad_value_gets_one_line(app: Running, bad: Any) -> None:
    answer = call(app, "_from_pad", bad, "emoart")
    assert answer.status_code == 500
    message = answer.json()["error"]
    assert any(axis in message for axis in ("valence", "arousal", "axis"))
    assert "Traceback" not in answer.text


def test_a_moved_pad_moves_the_text(app: Running) -> None:
    data = call(app, "_from_pad", POINT, "emoart").json()["data"]
    assert "v=0.5 a=0.5 d=0" in data


def test_a_text_moves_the_pad_and_a_bad_one_gets_a_line_beside_it(app: Running) -> None:
    pad, label, *_ = call(app, "_from_text", "v=0.81 a=0.51 d=0.46", "emoart").json()["data"]
    assert pad["value"] == {"valence": 0.81, "arousal": 0.51, "dominance": 0.46}
    assert label == "happy"
    *_, problem = call(app, "_from_text", "contentmnt", "emoart").json()["data"]
    assert "did you mean &#x27;contentment&#x27;" in problem


def test_a_taken_port_is_stepped_over(app: Running) -> None:
    taken = int(app.url.rpartition(":")[2])
    assert free_port("127.0.0.1", taken) > taken
    with pytest.raises(InputError, match="taken or cannot be used"):
        free_port("203.0.113.1", 7860)  # an address for documentation: never one of this machine


def test_nothing_heavy_is_imported_before_the_page_is_up() -> None:
    code = (
        "import sys, tempfile, pathlib\n"
        "from studio.settings import Settings\n"
        "from studio.web.launch import build\n"
        "from studio.web.service import Service\n"
        "build(Service(Settings(outputs=pathlib.Path(tempfile.mkdtemp()))))\n"
        "print(sorted({'torch', 'diffusers', 'transformers', 'peft'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=catalog.ROOT, capture_output=True, text=True, timeout=240
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


# ---- jobs


def test_a_form_becomes_pictures_whose_records_make_the_form_again(app: Running) -> None:
    requests = form(count=2, negative_prompt="fog").requests()
    found = until_done(app.service, app.service.submit(requests))
    assert [view.word for view in found] == ["done", "done"]
    for view, request in zip(found, requests, strict=True):
        assert view.picture is not None
        assert read_provenance(view.picture)["request"] == request.to_dict()
        assert form_of_file(view.picture).requests() == [request]


def test_a_bad_form_is_answered_in_the_page_and_queues_nothing(app: Running) -> None:
    before = sum(app.service.ledger.counts().values())
    inputs = app.page.fns[handler(app, "submit")].inputs
    values = [getattr(each, "value", None) for each in inputs]
    answer = call(app, "submit", "", *values[1:]).json()["data"]
    assert "prompt: is empty" in answer[1]
    assert sum(app.service.ledger.counts().values()) == before


def test_a_long_job_is_cancelled_within_a_step(app: Running) -> None:
    (job_id,) = app.service.submit(form(params={"steps": 150, "width": 512, "height": 512}).requests())
    wait_for(lambda: app.service.views([job_id])[0].progress > 0)
    assert app.service.cancel([job_id]) == 1
    (after,) = until_done(app.service, app.service.submit(form(seed=8).requests()))
    (cancelled,) = app.service.views([job_id])
    assert (cancelled.word, after.word) == ("cancelled", "done")
    assert cancelled.progress < 0.5
    assert job_id not in [view.id for view in app.service.history()]


def wait_for(true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_jobs_outlive_the_app(tmp_path: Path) -> None:
    settings = Settings(outputs=tmp_path)
    first = Service(settings)
    ids = first.submit(form(count=2).requests())  # its worker never ran: as if the power had gone
    first.ledger.close()
    second = Service(settings)
    assert [view.word for view in second.views(ids)] == ["waiting", "waiting"]
    second.start()
    assert all(view.is_done for view in until_done(second, ids))
    second.stop()


def test_warming_up_leaves_no_job_and_reports_a_missing_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(Settings(outputs=tmp_path))
    service.warm()
    assert (service.trouble, service.history()) == (None, [])
    monkeypatch.setattr(catalog, "ASSETS", tmp_path)
    service.warm()
    assert "unknown model" in str(service.trouble)
    service.stop()


def test_only_known_jobs_can_be_looked_at(app: Running) -> None:
    (job_id,) = app.service.submit(form().requests())
    assert app.service.known(job_id) == job_id
    for wrong in (None, "1", True, 0, -1, 10**9, 2**70, 1.0, {"id": 1}):
        with pytest.raises(InputError, match="no job"):
            app.service.known(wrong)


# ---- what is shown


def view(**changes: Any) -> JobView:
    values = RenderRequest.parse({"prompt": '<b>"x"</b>', "emotion": "joy", "seed": 1, "steps": 20}).to_dict()
    plain: dict[str, Any] = {"id": 1, "state": "leased", "progress": 0.35, "values": values, "picture": None}
    return JobView(**{**plain, "eta_s": 12.4, "seconds": None, "notes": (), "error": None, **changes})


def test_progress_is_said_in_steps_and_seconds() -> None:
    text = views.stage([view()])
    assert "step 7 of 20, about 12 s left" in text
    assert 'aria-valuenow="35"' in text


def test_what_people_wrote_is_escaped_everywhere(tmp_path: Path) -> None:
    picture = tmp_path / "00001-x&y.png"
    Image.new("RGB", (8, 8)).save(picture)
    done = view(state="done", picture=picture, notes=("<i>note</i>",))
    shown = [views.stage([done]), views.strip([done], [1]), views.made(done), views.download(done)]
    shown += [views.problem("<i>bad</i>"), views.stage([view(state="failed", error="<i>bad</i>")])]
    for text in shown:
        assert "<b>" not in text
        assert "<i>" not in text
    assert "&lt;b&gt;&quot;x&quot;&lt;/b&gt;" in views.made(done)
    assert "file=" in views.download(done)
    assert "x%26y.png" in views.download(done)


def test_an_old_job_with_a_word_that_no_lexicon_has_any_more_is_shown() -> None:
    values = {**view().values, "emotion": "zeitgeist"}
    assert "zeitgeist (unknown to this version)" in views.made(view(values=values))


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_example_prompts_use_words_of_the_embedded_model(text: str) -> None:
    vocabulary = json.loads((catalog.ROOT / "assets/models/emotion-tiny/tokenizer/vocab.json").read_text())
    assert [word for word in re.findall(r"[a-z]+", text) if f"{word}</w>" not in vocabulary] == []


def test_a_picture_of_somebody_else_is_refused_with_a_reason(app: Running, tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(path)
    with path.open("rb") as file:
        uploaded = httpx.post(f"{app.url}/gradio_api/upload", files={"files": file}).json()[0]
    data = {"path": uploaded, "meta": {"_type": "gradio.FileData"}}
    answer = call(app, "fill_from_file", data, "emoart").json()["data"]
    assert "holds no record of how it was made" in answer[-1]
