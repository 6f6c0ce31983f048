"""The video page in the started app: its form, what it makes with a toy model, what it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.data_classes import ImageData
from PIL import Image

from studio import catalog, film_strip, video_files
from studio.artifacts import read_provenance
from studio.emotion import parse_curve
from studio.request import RenderRequest
from studio.web import video_views, views
from studio.web.curve_editor import Drawn
from studio.web.launch import Running
from studio.web.page_form import adapter_choices, input_names, pipelines
from studio.web.service import JobView
from studio.web.video_events import VideoEvents
from studio.web.video_page import FIRST, SHARED, look
from tests.web.test_clip_views import NASTY, clip
from tests.web.test_music_page import events_of
from tests.web.test_page import until_done, wait_for

# numpy's remark on how torch's scheduler makes arrays; the worker renders in this process
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
FAMILY, ARC = "video/animatediff", "calm@0s, fear@0.5s"
SMALL = {
    "prompt": "waves under a lighthouse",
    "emotion": ARC,
    "pipeline": FAMILY,
    "adapter": "none",
    "fresh": False,
    "seed": 7,
    "length_s": 0.5,
    "fps": 8,
    "steps": 2,
}


@pytest.fixture(scope="module")
def page(app: Running, filmer: str) -> VideoEvents:
    """The page's handlers; its form names the toy."""
    found: VideoEvents = events_of(app, VideoEvents)
    found.form.general["model"].value = filmer
    return found


def filled(page: VideoEvents, **given: Any) -> list[Any]:
    """What the form hands to a handler: as it is at first, but for what is `given` by name."""
    form = page.form
    (own,) = [grown for grown in form.params if grown.pipeline == given.get("pipeline", FAMILY)]
    grown = dict(zip([spec.name for spec in own.specs], own.components, strict=True))
    named = {**form.general, **form.files, **form.shared, **grown}
    values = {part: getattr(part, "value", None) for part in form.inputs}
    for name, value in {**SMALL, **given}.items():
        values[named[name]] = value
    return list(values.values())


def done(app: Running, page: VideoEvents, **given: Any) -> JobView:
    (job_id,), problem = page.submit(*filled(page, **given))
    assert problem == ""
    (job,) = until_done(app.service, [job_id])
    assert job.is_done, job.error
    return job


@pytest.fixture(scope="module")
def made(app: Running, page: VideoEvents) -> JobView:
    """Half a second, rendered on the page."""
    return done(app, page)


def record(job: JobView) -> dict[str, Any]:
    return read_provenance(job.files[0])


# ---- the form


def test_a_family_whose_model_is_here_comes_first(page: VideoEvents) -> None:
    offered = [name for _, name in page.form.pipeline.choices]
    assert offered == pipelines("video")
    assert look().pipeline == next(name for name in FIRST if name in offered)


def test_every_parameter_of_every_family_has_one_control(page: VideoEvents) -> None:
    for name in pipelines("video"):
        declared = {spec.name for spec in catalog.param_specs(name)}
        (grown,) = [each for each in page.form.params if each.pipeline == name]
        assert {spec.name for spec in grown.specs} == declared - set(SHARED)
        assert set(page.form.shared) == set(SHARED) <= declared


def test_files_are_those_that_the_family_takes(page: VideoEvents) -> None:
    for name in pipelines("video"):
        note, *shown = page.show_inputs(name)
        visible = {key for key, update in zip(page.form.files, shown, strict=True) if update["visible"]}
        assert visible == set(input_names(name)) & set(page.form.files) and name in note
    assert set(page.form.files) == {file for name in pipelines("video") for file in input_names(name)}


def test_a_clip_may_wear_what_was_made_for_its_model_of_pictures() -> None:
    assert "vad-image" in [name for _, name in adapter_choices("video")]
    assert "vad-music" not in [name for _, name in adapter_choices("video")]


# ---- the time of the curve


def test_the_curve_has_the_length_of_the_clip(page: VideoEvents) -> None:
    curve, told = page.measure(3, "calm@0s, fear@2s, relief@4s")
    assert curve["length_s"] == 3 and "relief@4s lies beyond the end at 3 s" in told and "4 s long" in told
    assert page.measure(4, "calm@0s, relief@4s") == [gr.update(length_s=4.0), ""]
    assert page.measure(2, "joy@0, calm@100%")[1] == ""


@pytest.mark.parametrize("length", [None, 0, -1, "x", float("nan"), float("inf"), 1e9])
def test_what_is_no_length_yet_is_none(page: VideoEvents, length: Any) -> None:
    assert page.measure(length, "joy@0s, calm@9s") == [gr.update(length_s=None), ""]


def test_points_beyond_the_end_are_told_while_they_are_drawn_or_written(page: VideoEvents) -> None:
    text = ", ".join(f"joy@{second}s" for second in range(1, 7))
    assert "joy@3s, joy@4s, joy@5s and 1 more lie beyond" in page.told_drawn(2, Drawn(parse_curve(text)))
    assert page.told(2, "joy@1s, jo") == "" == page.told(2, "joy")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"emotion": "calm@0s, fear@2s"}, "fear@2s"),
        ({"length_s": 0}, "length_s"),
        ({"fps": 0}, "fps"),
        ({"emotion": "joi"}, "joy"),
        ({"image": "/no/such.png"}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_and_queues_nothing(
    app: Running, page: VideoEvents, given: dict[str, Any], words: str
) -> None:
    before = sum(app.service.ledger.counts().values())
    focus, problem = page.submit(*filled(page, **given))
    assert focus == gr.skip() and words in problem
    assert sum(app.service.ledger.counts().values()) == before


def test_a_file_that_is_no_video_gets_one_line(app: Running, page: VideoEvents, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"\x00\x00\x00\x18ftypisom and no more")
    focus, problem = page.submit(*filled(page, video=str(bad)))
    assert focus == gr.skip() and problem.count("<p") == 1 and "Traceback" not in problem


def test_a_start_picture_is_handed_on_unread(app: Running, page: VideoEvents, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG and no more")
    part = page.form.files["image"]
    assert part.get_block_name() == "image" and part.preprocess(None) is None
    given = part.preprocess(ImageData(path=str(bad)))
    assert given == str(bad)
    focus, problem = page.submit(*filled(page, image=given))
    assert focus == gr.skip() and "no picture that can be read" in problem


# ---- making


def test_a_form_becomes_a_clip_with_poster_and_strip(app: Running, made: JobView) -> None:
    assert [path.suffix for path in made.files] == [".mp4", ".png", ".jpg"]
    assert record(made)["request"]["emotion"] == "calm@0s, fear@0.5s"
    info = video_files.probe(made.files[0])
    assert (info.rate_hz, round(info.length_s, 3)) == (8, 0.5)
    for path in made.files:
        assert httpx.get(f"{app.url}/{views.file_url(path)}").content == path.read_bytes()


def test_it_starts_from_a_picture_or_from_a_clip(
    app: Running, page: VideoEvents, made: JobView, tmp_path: Path
) -> None:
    own = tmp_path / "My Start.PNG"
    Image.new("RGB", (90, 60), "teal").save(own)
    job = done(app, page, image=str(own), fit="pad", strength=0.5)
    request = record(job)["request"]
    assert request["fit"] == "pad" and request["strength"] == 0.5
    assert Path(request["inputs"]["image"]).name.startswith("my-start-")
    again = record(done(app, page, video=str(made.files[0])))["request"]
    assert again["inputs"] == {"video": str(made.files[0])}


def test_a_clip_fills_the_form_that_makes_it_again(page: VideoEvents, made: JobView) -> None:
    for updates in (
        page.fill_from_job([made.id], "emoart"),
        page.fill_from_file(str(made.files[0]), "emoart"),
    ):
        assert updates[-1] == ""
        shown = updates[: len(page.form.inputs)]
        values = [update.get("value") if isinstance(update, dict) else update for update in shown]
        (request,) = page.form.read(tuple(values)).requests()
        assert request == RenderRequest.parse(made.values)


def test_a_long_clip_is_cancelled_within_a_step(app: Running, page: VideoEvents) -> None:
    (job_id,), _ = page.submit(*filled(page, steps=150, length_s=4))
    wait_for(lambda: app.service.views([job_id])[0].progress > 0)
    wait_for(lambda: app.service.views([job_id])[0].picture is not None)  # the preview
    page.cancel([job_id])
    (cancelled,) = until_done(app.service, [job_id])
    assert cancelled.word == "cancelled" and cancelled.files == ()


def test_a_history_is_that_of_its_page(app: Running, page: VideoEvents, made: JobView) -> None:
    assert made.id in [job.id for job in page.history()]
    assert made.id not in [job.id for job in app.service.history("image/")]


# ---- what is shown


def test_the_strip_is_a_slider_on_the_time_of_the_clip(made: JobView) -> None:
    html = video_views.stage([made])
    assert html.count("<video") == 1 and 'role="slider" tabindex="0"' in html and 'data-rate="8"' in html
    start, end = (float(re.findall(f'data-{name}="([0-9.]+)"', html)[0]) for name in ("from", "to"))
    assert (start, end) == pytest.approx(film_strip.TIME_SPAN, abs=1e-5)
    with Image.open(made.files[2]) as strip:
        row = [strip.getpixel((x, strip.height - 100)) for x in range(strip.width)]
    coloured = [
        x for x, pixel in enumerate(row) if max(pixel) - min(pixel) > 12
    ]  # the feeling, over its time
    assert coloured[0] == pytest.approx(start * strip.width, abs=3)
    assert coloured[-1] == pytest.approx(end * strip.width, abs=3)


def test_what_a_person_wrote_is_escaped(tmp_path: Path) -> None:
    values = {"prompt": NASTY, "emotion": NASTY, "seed": 1, "fps": NASTY}
    one = clip(tmp_path, values=values, notes=(NASTY,))
    shown = [video_views.stage([one, one]), video_views.inputs_note(NASTY, ()), video_views.stage([one])]
    assert not any("<script>" in html for html in shown)
    assert "appears here" in video_views.stage([])
