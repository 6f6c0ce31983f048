"""The portrait page in the started app: lines are heard, faces are placed, takes are filmed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from pipelines.portrait import _landmarks
from studio import audio_files, catalog, landmarks, muscles, portraits
from studio.artifacts import read_provenance
from studio.emotion import parse_curve, parse_emotion
from studio.errors import InputError, StudioError
from studio.performance import Performance
from studio.request import MAX_PROMPT_CHARS, RenderRequest
from studio.speech import Phone, Speech, Word
from studio.web import portrait_faces, portrait_preview, portrait_views
from studio.web.curve_editor import Drawn
from studio.web.form import Form
from studio.web.launch import Running
from studio.web.muscle_board import MuscleBoard
from studio.web.page_form import default_model, pipelines
from studio.web.picture_picker import PicturePicker
from studio.web.point_picker import PointPicker, points_of
from studio.web.portrait_events import PortraitEvents
from studio.web.portrait_form import HIDDEN, SHARED, box_of, said, specs
from studio.web.portrait_page import FIRST, look
from studio.web.service import JobView
from studio.web.speech_strip import wire_of
from tests.web.test_music_page import events_of
from tests.web.test_page import until_done, view

PERFORMER, LINE, ARC = "portrait/performer", "I thought you had left.", "fear@0, relief@100%"
SMALL = {
    "prompt": LINE,
    "emotion": ARC,
    "pipeline": PERFORMER,
    "model": "performer",
    "adapter": "none",
    "fresh": False,
    "seed": 7,
    "portrait": "mei",
    "size_px": 256,
    "first_s": 0.3,
}


@pytest.fixture(scope="module")
def page(app: Running) -> PortraitEvents:
    """The page's handlers."""
    found: PortraitEvents = events_of(app, PortraitEvents)
    return found


@pytest.fixture
def somebody(tmp_path: Path) -> Path:
    """A picture of a person's own."""
    path = tmp_path / "Some Body.png"
    with Image.open(portraits.path("kofi")) as picture:
        picture.convert("RGB").resize((300, 300)).save(path)
    return path


@pytest.fixture
def no_detector(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file with which faces are found is not here, and no download is tried."""
    monkeypatch.setenv("EMOTION_STUDIO_FACE_MODEL", str(tmp_path / "none.task"))


def filled(page: PortraitEvents, **given: Any) -> list[Any]:
    """What the form hands to a handler: as it is at first, but for what is `given` by name."""
    form = page.form
    named = {**form.general, **form.files, **form.shared}
    for grown in form.params:
        if grown.pipeline == given.get("pipeline", PERFORMER):
            own = zip((spec.name for spec in grown.specs), grown.components, strict=True)
            named.update(own)
    values = {part: getattr(part, "value", None) for part in form.inputs}
    for name, value in {**SMALL, **given}.items():
        if name in named:
            values[named[name]] = value
    return list(values.values())


def done(app: Running, page: PortraitEvents, **given: Any) -> JobView:
    (job_id,), problem = page.submit(*filled(page, **given))
    assert problem == ""
    (job,) = until_done(app.service, [job_id])
    assert job.is_done, job.error
    return job


@pytest.fixture(scope="module")
def clip(app: Running, page: PortraitEvents) -> JobView:
    """A third of a second of Mei, filmed on the page."""
    return done(app, page)


# ---- the form


def test_the_best_family_whose_model_is_here_comes_first(page: PortraitEvents) -> None:
    offered = [name for _, name in page.form.pipeline.choices]
    assert offered == pipelines("portrait") and PERFORMER in offered
    assert look().pipeline == next(name for name in FIRST if name in offered)


def test_every_parameter_of_every_family_has_one_control(page: PortraitEvents) -> None:
    for name in pipelines("portrait"):
        declared = {spec.name for spec in catalog.param_specs(name)}
        (grown,) = [each for each in page.form.params if each.pipeline == name]
        own = {spec.name for spec in grown.specs}
        assert own == declared - set(HIDDEN) and set(page.form.shared) == set(SHARED) <= set(specs())


@pytest.mark.parametrize(
    ("prompt", "inputs", "params", "title"),
    [
        ("Hello.", {}, {}, "Hello."),
        ("word " * 500, {}, {"say": ("word " * 500).strip()}, ("word " * 12)),
        ("Hello.", {"audio": "a.wav"}, {"transcript": "Hello."}, "Hello."),
        ("", {"audio": "a.wav"}, {}, ""),
    ],
)
def test_one_box_is_what_is_said_or_the_words_of_a_recording(
    prompt: str, inputs: dict[str, str], params: dict[str, str], title: str
) -> None:
    form = said(Form(prompt, "", "joy", PERFORMER, "performer", inputs=inputs))
    assert (form.prompt, dict(form.params)) == (title, params)
    assert len(form.prompt) <= MAX_PROMPT_CHARS
    assert box_of(form) == prompt.strip()


def test_a_clip_fills_the_form_that_makes_it_again(page: PortraitEvents, clip: JobView) -> None:
    updates = page.fill_from_job([clip.id], "emoart")
    assert updates[-1] == ""
    shown = updates[: len(page.form.inputs)]
    values = [update.get("value") if isinstance(update, dict) else update for update in shown]
    (request,) = page.form.read(tuple(values)).requests()
    assert request == RenderRequest.parse(clip.values)


# ---- what is said and felt


def test_a_line_is_shown_over_time(page: PortraitEvents) -> None:
    strip, curve, notes = page.listen(*filled(page))
    assert [word[0] for word in strip["words"]] == ["I", "thought", "you", "had", "left"]
    assert max(strip["bars"]) == 100 and len(strip["phones"]) > 10
    assert strip["phones"][-1][3] <= strip["length_s"] == curve["length_s"] and notes == ""


def test_the_line_of_a_recording_is_shown_with_its_words(page: PortraitEvents, tmp_path: Path) -> None:
    module = catalog.load("pipeline", PERFORMER)
    speech = module.timeline(RenderRequest.parse({"pipeline": PERFORMER, "prompt": "Good morning."}))
    path = tmp_path / "voice.wav"
    path.write_bytes(audio_files.audio_bytes(np.asarray(speech.samples[None]), speech.rate_hz, "wav", {}))
    strip, _, _ = page.listen(*filled(page, prompt="Good morning.", audio=str(path)))
    assert [word[0] for word in strip["words"]] == ["Good", "morning"]
    assert strip["length_s"] == pytest.approx(speech.length_s, abs=0.05)
    text, voice, language = page.show_source(str(path))
    assert "recording" in text["label"] and not voice["visible"] and language["visible"]


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"emotion": "joy@0s, fear@99s"}, "past the end"),
        ({"voice": "xx-none"}, "voice"),
        ({"prompt": "..."}, "say"),
        ({"emotion": "joi"}, "joy"),
        ({"audio": "/no/such.wav"}, "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_beside_it_and_the_preview_stays(
    page: PortraitEvents, given: dict[str, Any], word: str
) -> None:
    strip, _, problem = page.listen(*filled(page, **given))
    assert strip == gr.skip() and word in problem and "Traceback" not in problem
    assert page.preview(*filled(page, **given)) == gr.skip()


def test_nothing_to_say_is_no_mistake(page: PortraitEvents) -> None:
    strip, _, problem = page.listen(*filled(page, prompt=" "))
    assert strip is None and problem == ""
    assert "<img" in page.preview(*filled(page, prompt=""))


def test_the_first_second_is_shown_and_leaves_no_job(app: Running, page: PortraitEvents) -> None:
    before = app.service.ledger.counts()
    shown = page.preview(*filled(page))
    assert "autoplay" in shown and "data:video/mp4;base64,AAAA" in shown
    assert app.service.ledger.counts() == before


def test_a_family_of_the_hub_is_previewed_by_its_stand_in(page: PortraitEvents) -> None:
    distant = [name for name in pipelines("portrait") if "/" in default_model(name)]
    for name in distant:
        assert "<video" in page.preview(*filled(page, pipeline=name, model=default_model(name)))
    assert distant == ["portrait/wan_animate"]


def test_the_muscles_of_the_chosen_point_are_named(page: PortraitEvents) -> None:
    words, board = page.feel(Drawn(parse_curve("joy@0, fear@100%"), 1), "AU12=0.9")
    asked = muscles.of(parse_emotion("fear").vad)
    assert "<b>fear</b>" in words and "AU1" in words and "smiling mouth corners (AU12, strong)" in words
    assert board["asked"] == {str(number): round(value, 3) for number, value in asked.items()}
    assert "at rest" in page.feel(Drawn(parse_curve("neutral")), "")[0]
    behind = Drawn(parse_curve("neutral"))  # what a slow page still shows when a text was written
    assert "AU" in page.feel_text("joy@0, fear@100%", behind, "")[0]
    assert page.feel_text("joyy", behind, "")[0] != ""


def test_phones_are_sorted_by_what_the_mouth_does() -> None:
    phones = (Phone("(.)", "SIL", 0, 0.2), Phone("p", "PP", 0.2, 0.3), Phone("f", "FF", 0.3, 0.4))
    samples = np.linspace(0, 0.5, 1000, dtype=np.float32)
    wire = wire_of(Speech(samples, 1000, (*phones, Phone("a", "AA", 0.4, 0.9)), (Word("pfa", 0.2, 0.9),)))
    assert [phone[:2] for phone in wire["phones"]] == [
        ["", "silent"],
        ["p", "closed"],
        ["f", "dental"],
        ["a", "vowel"],
    ]
    assert wire["bars"] == sorted(wire["bars"]) and json.dumps(wire)


# ---- takes


def test_a_form_becomes_a_clip_with_its_files(page: PortraitEvents, clip: JobView) -> None:
    assert {".mp4", ".png", ".jpg", ".csv", ".npz"} <= {path.suffix for path in clip.files}
    record = read_provenance(clip.files[0])
    assert record["request"]["portrait"] == "mei" and record["details"]["width"] == 256
    stage, _, strip, download = page.look([clip.id], "", None)[:4]
    assert "<video" in stage and f'data-job="{clip.id}"' in strip
    assert "Live Link CSV" in download and "Video" in download


def test_takes_have_seeds_of_their_own_and_muscles_are_held(app: Running, page: PortraitEvents) -> None:
    ids, _ = page.submit(*filled(page, count=2, muscles="AU4=0.8"))
    made = until_done(app.service, ids)
    assert [job.values["seed"] for job in made] == [7, 8] and all(job.is_done for job in made)
    assert "brows drawn down (AU4" in read_provenance(made[0].files[0])["details"]["muscles"]
    assert portrait_views.stage(made).count("<video") == 2


@pytest.mark.parametrize(("given", "word"), [({"prompt": ""}, "say"), ({"muscles": "AU3=1"}, "AU")])
def test_what_is_wrong_is_said_and_queues_nothing(
    app: Running, page: PortraitEvents, given: dict[str, Any], word: str
) -> None:
    before = app.service.ledger.counts()
    focus, problem = page.submit(*filled(page, **given))
    assert focus == gr.skip() and word in problem and app.service.ledger.counts() == before


def test_motion_alone_is_previewed_on_the_head() -> None:
    performer = catalog.load("pipeline", PERFORMER).Pipeline.load("performer")
    request = RenderRequest.parse(
        {"pipeline": PERFORMER, "prompt": LINE, "first_s": 0.3, "model": "performer"}
    )
    take = performer.take(request, lambda rows: None, lambda step: None)
    content = portrait_preview.clip_bytes(Performance(take.motion, take.line.speech))
    assert content[4:8] == b"ftyp" and len(content) > 2000


def test_motion_alone_is_shown_with_its_picture_and_sound(tmp_path: Path) -> None:
    files = tuple(tmp_path / f"1-x{end}" for end in (".glb", ".csv", ".wav", ".png"))
    job = view(state="done", files=files, picture=files[3])
    shown = portrait_views.stage([job])
    assert "<audio" in shown and "<img" in shown and "<video" not in shown
    assert "glTF" in portrait_views.downloads(job)


# ---- faces


def test_a_picture_without_a_known_face_gets_points_to_drag(
    app: Running, page: PortraitEvents, somebody: Path, no_detector: None
) -> None:
    card, note, faces, points, portrait = page.open_picture(str(somebody), PERFORMER, "mei")
    assert card["visible"] and "Drag the points" in note and not faces["visible"] and portrait == ""
    assert tuple(points["value"]) == landmarks.NEEDED and points["size"] == [300, 300]
    assert all(0 <= each <= 300 for point in points["value"].values() for each in point)
    lower = {**points["value"], "chin": (150.0, 280.0)}
    assert "placed by hand" in page.place(lower, str(somebody))
    kept = app.service.kept(somebody)
    saved = landmarks.load(kept, 300, 300)
    assert saved is not None and saved.named["chin"] == (150.0, 280.0)
    again = page.open_picture(str(somebody), PERFORMER, "")
    assert again[3]["value"]["chin"] == (150.0, 280.0) and len(again[3]["value"]) == len(landmarks.NAMES)
    job = done(app, page, image=str(somebody))
    assert Path(job.values["inputs"]["image"]) == kept
    assert len(page.find_anew(str(somebody), PERFORMER, "")[3]["value"]) == len(landmarks.NEEDED)
    assert not landmarks.beside(kept).is_file()


def test_points_that_make_no_face_are_refused_and_not_kept(
    app: Running, page: PortraitEvents, somebody: Path, no_detector: None
) -> None:
    points = page.open_picture(str(somebody), PERFORMER, "")[3]["value"]
    said = page.place({**points, "chin": (150.0, 2.0)}, str(somebody))
    assert 'role="alert"' in said and "chin" in said
    assert not landmarks.beside(app.service.kept(somebody)).is_file()


def test_one_of_several_faces_is_chosen_by_its_picture(
    app: Running, page: PortraitEvents, somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle = portrait_faces._middle(300, 300)
    smaller = {name: (x / 2, y / 2) for name, (x, y) in middle.items()}
    found = [landmarks.placed(named, 300, 300) for named in (smaller, middle)]
    monkeypatch.setattr(_landmarks, "usable", lambda picture: found)  # the detector's file is not here
    _, note, faces, points, _ = page.open_picture(str(somebody), PERFORMER, "")
    assert "2 faces" in note and faces["value"] == "2" and len(faces["pictures"]) == 2
    assert points["value"]["nose_tip"] == pytest.approx(middle["nose_tip"], abs=0.01)
    page.choose_face("1", str(somebody), PERFORMER, "")
    saved = landmarks.load(app.service.kept(somebody), 300, 300)
    assert saved is not None and saved.named["chin"] == pytest.approx(smaller["chin"], abs=0.01)
    assert "no face" in page.choose_face("3", str(somebody), PERFORMER, "")[1]


def test_a_known_face_bends_where_a_point_moves() -> None:
    with Image.open(portraits.path("kofi")) as picture:
        known = landmarks.load(portraits.path("kofi"), *picture.size)
    assert known is not None
    x, y = known.named["chin"]
    bent = landmarks.moved(known, {**known.named, "chin": (x, y + 12)})
    moved = np.linalg.norm(bent.points[:, :2] - known.points[:, :2], axis=1)
    assert bent.named["chin"] == pytest.approx((x, y + 12)) and moved[152] == pytest.approx(12, abs=0.01)
    assert moved[[33, 263, 10]].max() < 1e-3 < moved[148] and bent.origin == "placed by hand"
    with pytest.raises(InputError, match="chin"):
        landmarks.moved(known, {**known.named, "chin": (x, 1.0)})


def test_a_file_that_is_no_picture_gets_a_line(page: PortraitEvents, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG and no more")
    card, note, *_ = page.open_picture(str(bad), PERFORMER, "mei")
    assert card["visible"] and "cannot be read as a picture" in note
    assert page.open_picture(None, PERFORMER, "mei")[-1] == gr.skip()
    assert page.open_picture(None, PERFORMER, "")[-1] == portraits.names()[0]


@pytest.mark.parametrize(
    ("component", "forged"),
    [
        (PicturePicker, 3),
        (PicturePicker, "x" * 101),
        (PointPicker, [1]),
        (PointPicker, {"nose": [1, 2]}),
        (PointPicker, {"chin": [1, float("nan")]}),
        (PointPicker, {"chin": "12"}),
        (MuscleBoard, "AU3=1"),
        (MuscleBoard, "AU4=7"),
    ],
)
def test_forged_values_are_refused_in_one_line(component: Callable[[], Any], forged: Any) -> None:
    with pytest.raises(gr.Error) as caught:
        component().preprocess(forged)
    assert "\n" not in str(caught.value)


def test_values_of_the_components_are_read() -> None:
    assert points_of({"chin": [1, 2.5]}) == {"chin": (1.0, 2.5)} and points_of(None) == {}
    assert MuscleBoard().preprocess("AU4=0.8, 12:0.25") == "AU4=0.8, AU12=0.25"
    assert PicturePicker().preprocess(None) == "" and MuscleBoard().preprocess(None) == ""
    with pytest.raises(StudioError):
        points_of({"chinn": [1, 2]})


def test_what_people_wrote_is_escaped() -> None:
    nasty = "<i>x</i>"
    shown = [portrait_views.note(nasty), portrait_views.movements(nasty, nasty), portrait_views.still(nasty)]
    assert not any("<i>" in text for text in shown)
