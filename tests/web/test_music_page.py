"""The music page in the started app: its handlers, what it makes with a toy model, what it shows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from PIL import Image

from studio import catalog
from studio.artifacts import read_provenance
from studio.emotion import parse_curve
from studio.errors import InputError, StorageError
from studio.request import RenderRequest
from studio.web import controls, music_views, views
from studio.web.bar_picker import BarPicker
from studio.web.curve_editor import Drawn
from studio.web.form import Form
from studio.web.launch import Running
from studio.web.music_events import MusicEvents, without
from studio.web.page_events import Events
from studio.web.page_form import adapter_choices, medium_of, pipelines
from studio.web.portrait_events import PortraitEvents
from studio.web.service import JobView
from studio.web.video_events import VideoEvents
from tests.web.test_page import until_done, view, wait_for

# numpy's remark on how torch's scheduler makes arrays; the worker renders in this process
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SCORE, ARC = "music/score", "sadness@0, joy@100%"
SMALL = {
    "prompt": "An evening",
    "emotion": ARC,
    "adapter": "none",
    "fresh": False,
    "seed": 7,
    "bars": 2,
}


def events_of(app: Running, kind: type[Events]) -> Any:
    handlers = (getattr(each.fn, "__self__", None) for each in app.page.fns.values())
    return next(each for each in handlers if type(each) is kind)


@pytest.fixture(scope="module")
def music(app: Running, composer: str) -> MusicEvents:
    """The page's handlers; its form names the toy."""
    found: MusicEvents = events_of(app, MusicEvents)
    found.form.general["model"].value = composer
    return found


def filled(music: MusicEvents, focus: list[int] | None = None, **given: Any) -> list[Any]:
    """What the form hands to a handler: as it is at first, but for what is `given` by name."""
    form = music.form
    (score,) = [grown for grown in form.params if grown.pipeline == SCORE]
    names = [spec.name for spec in score.specs]
    named = {**dict(zip(names, score.components, strict=True)), **form.general, **form.files}
    values = {part: getattr(part, "value", None) for part in form.inputs}
    for name, value in {**SMALL, **given}.items():
        values[named[name]] = value
    return [*values.values(), focus or []]


def done(app: Running, music: MusicEvents, handler: str = "submit", **given: Any) -> JobView:
    (job_id,), problem = getattr(music, handler)(*filled(music, **given))
    assert problem == ""
    (job,) = until_done(app.service, [job_id])
    assert job.is_done, job.error
    return job


@pytest.fixture(scope="module")
def piece(app: Running, music: MusicEvents) -> JobView:
    """Two bars, composed on the page."""
    return done(app, music)


def record(job: JobView) -> dict[str, Any]:
    return read_provenance(job.files[0])


# ---- pages and media


def test_each_page_has_the_families_of_its_medium(app: Running) -> None:
    pages = {"image": Events, "music": MusicEvents, "portrait": PortraitEvents, "video": VideoEvents}
    for medium, kind in pages.items():
        form = events_of(app, kind).form
        offered = [name for _, name in form.pipeline.choices]
        assert offered == pipelines(medium) and offered
        assert {each.pipeline for each in form.params} == set(offered)
    missing = set(catalog.names("pipeline")) - {name for medium in pages for name in pipelines(medium)}
    own = {name: catalog.load("pipeline", name).DEFAULT_MODEL for name in missing}
    assert not any("/" in model or model in catalog.models() for model in own.values())
    assert {medium_of(name) for name in own} <= set(pages)


def test_models_and_adapters_are_offered_on_the_page_of_their_medium(app: Running) -> None:
    image, music = events_of(app, Events).form, events_of(app, MusicEvents).form
    assert "emotion-tiny" in [name for _, name in image.general["model"].choices]
    assert "emotion-tiny" not in [name for _, name in music.general["model"].choices]
    assert "vad-image" in [name for _, name in adapter_choices("image")]
    assert "vad-image" not in [name for _, name in adapter_choices("music")]


def test_every_parameter_has_one_control_but_the_one_that_is_a_button(music: MusicEvents) -> None:
    for grown in music.form.params:
        named = [spec.name for spec in grown.specs]
        declared = [spec.name for spec in catalog.param_specs(grown.pipeline)]
        assert named == [name for name in declared if name != "go_on"]


def test_a_history_is_that_of_its_page(app: Running, piece: JobView) -> None:
    assert piece.id in [job.id for job in app.service.history("music/")]
    assert piece.id not in [job.id for job in app.service.history("image/")]
    assert events_of(app, MusicEvents).open() and piece.id not in events_of(app, Events).open()


# ---- making


def test_a_form_becomes_a_piece_with_its_sound_and_its_picture(app: Running, piece: JobView) -> None:
    assert [path.suffix for path in piece.files] == [".mid", ".wav", ".png"]
    assert piece.picture == piece.files[2]
    assert record(piece)["request"]["emotion"] == "sadness@0%, joy@100%"
    assert record(piece)["details"]["bars"] == 2
    for path in piece.files:
        assert httpx.get(f"{app.url}/{views.file_url(path)}").content == path.read_bytes()


def test_several_pieces_have_seeds_of_their_own(app: Running, music: MusicEvents) -> None:
    ids, _ = music.submit(*filled(music, count=2, bars=1))
    made = until_done(app.service, ids)
    assert [job.values["seed"] for job in made] == [7, 8]
    shown = music_views.stage(made)
    assert shown.count("<audio") == 2 and shown.count(f'data-job="{ids[0]}"') == 1


def test_bars_of_the_piece_that_is_looked_at_are_composed_anew(
    app: Running, music: MusicEvents, piece: JobView
) -> None:
    card = {"change_bars": "2", "keep": ["harmony", "rhythm"], "change_part": "melody"}
    job = done(app, music, "change", focus=[piece.id], seed=8, bars=9, **card)
    request = record(job)["request"]
    assert request["inputs"] == {"midi": str(piece.files[0])}
    assert (request["change_bars"], request["keep"]) == ("2", "harmony, rhythm")
    assert record(job)["details"]["bars"] == 2
    assert [request["go_on"], request["change_part"]] == [False, "melody"]


def test_a_piece_goes_on_from_its_end(app: Running, music: MusicEvents, piece: JobView) -> None:
    job = done(app, music, "lengthen", focus=[piece.id], bars=1, change_bars="1")
    assert record(job)["request"]["go_on"] and record(job)["request"]["change_bars"] == ""
    assert record(job)["details"]["bars"] == 3


def test_a_new_piece_takes_nothing_from_the_card_that_changes_one(
    app: Running, music: MusicEvents, piece: JobView
) -> None:
    job = done(app, music, focus=[piece.id], bars=1, midi=str(piece.files[0]), keep=["pitch"])
    assert "inputs" not in record(job)["request"] and record(job)["request"]["keep"] == ""


def test_a_file_of_a_person_is_kept_and_changed(
    app: Running, music: MusicEvents, piece: JobView, tmp_path: Path
) -> None:
    own = tmp_path / "My Song.MID"
    own.write_bytes(piece.files[0].read_bytes())
    job = done(app, music, "change", midi=str(own))
    kept = Path(record(job)["request"]["inputs"]["midi"])
    assert kept.parent == app.service.folder / "inputs"
    assert kept.name.startswith("my-song-") and kept.suffix == ".mid"
    assert kept.read_bytes() == own.read_bytes() and app.service.kept(own) == kept
    own.unlink()
    assert httpx.get(f"{app.url}/{views.file_url(job.files[0])}").status_code == 200


def test_elements_are_taken_from_a_donor(app: Running, music: MusicEvents, piece: JobView) -> None:
    job = done(app, music, donor=str(piece.files[0]), take=["rhythm"], seed=3)
    assert record(job)["request"]["take"] == "rhythm"
    assert record(job)["request"]["inputs"] == {"donor": str(piece.files[0])}


def test_a_file_that_is_no_music_fails_with_one_line(
    app: Running, music: MusicEvents, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"MThd and no more")
    (job_id,), _ = music.change(*filled(music, midi=str(bad)))
    (job,) = until_done(app.service, [job_id])
    assert job.word == "failed" and job.error and "\n" not in job.error and "Traceback" not in job.error


@pytest.mark.parametrize(
    ("handler", "given", "word"),
    [
        ("change", {}, "there is none yet"),
        ("lengthen", {}, "there is none yet"),
        ("submit", {"bars": 0}, "bars"),
        ("submit", {"emotion": "joi"}, "joy"),
        ("submit", {"tempo_bpm": "fast"}, "tempo_bpm"),
        ("submit", {"take": ["rhythm"]}, "donor"),
        ("submit", {"soundfont": "/no/such.sf2"}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_and_queues_nothing(
    app: Running, music: MusicEvents, handler: str, given: dict[str, Any], word: str
) -> None:
    before = sum(app.service.ledger.counts().values())
    focus, problem = getattr(music, handler)(*filled(music, **given))
    assert focus == gr.skip() and word in problem
    assert sum(app.service.ledger.counts().values()) == before


def test_a_long_piece_is_cancelled_within_a_step(app: Running, music: MusicEvents) -> None:
    (job_id,), _ = music.submit(*filled(music, bars=256))
    wait_for(lambda: app.service.views([job_id])[0].progress > 0)
    music.cancel([job_id])
    (after,) = until_done(app.service, music.submit(*filled(music, bars=1, seed=9))[0])
    (cancelled,) = app.service.views([job_id])
    assert (cancelled.word, after.word) == ("cancelled", "done")
    assert cancelled.progress < 1 and cancelled.files == ()


# ---- settings come back


def test_a_piece_fills_the_form_that_makes_it_again(music: MusicEvents, piece: JobView) -> None:
    updates = music.fill_from_job([piece.id], "emoart")
    assert updates[-1] == ""
    shown = updates[: len(music.form.inputs)]
    values = [update.get("value") if isinstance(update, dict) else update for update in shown]
    (request,) = music.form.read(tuple(values)).requests()
    assert request == RenderRequest.parse(piece.values)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_any_file_of_a_piece_fills_the_form(music: MusicEvents, piece: JobView, index: int) -> None:
    updates = music.fill_from_file(str(piece.files[index]), "emoart")
    assert updates[-1] == "" and "An evening" in updates[: len(music.form.inputs)]


def test_a_picture_is_refused_with_the_page_that_it_is_of(
    music: MusicEvents, piece: JobView, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Form("a harbour", "", "awe", "image/sd", "", seed=7)
    (request,) = asked.requests()
    job = dataclasses.replace(piece, values=request.to_dict())
    monkeypatch.setattr(music.service, "views", lambda ids: [job])
    *others, problem = music.fill_from_job([piece.id], "emoart")
    assert "on the Image page" in problem and all(update == gr.skip() for update in others)


def test_files_of_elsewhere_are_not_taken_from_a_record(
    music: MusicEvents, piece: JobView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.mid"
    secret.write_bytes(piece.files[0].read_bytes())
    job = dataclasses.replace(piece, values={**piece.values, "inputs": {"midi": str(secret)}})
    monkeypatch.setattr(music.service, "views", lambda ids: [job])
    *updates, problem = music.fill_from_job([piece.id], "emoart")
    assert "choose secret.mid again" in problem
    assert str(secret) not in map(str, updates)


def test_what_is_said_about_an_input_goes_with_it() -> None:
    params = {"bars": 4, "keep": "pitch", "change_bars": "1", "take": "rhythm"}
    form = Form("", "", "joy", SCORE, "tiny:0", params=params, inputs={"midi": "a.mid", "donor": "b.mid"})
    left = without(form, "midi")
    assert (left.params, left.inputs) == ({"bars": 4, "take": "rhythm"}, {"donor": "b.mid"})


def test_a_form_that_is_filled_in_draws_its_curve(music: MusicEvents) -> None:
    entry = music.form.emotion
    updates = dict(zip(entry.filled, entry.updates(ARC, "emoart"), strict=True))
    assert entry.curve is not None and updates[entry.curve]["value"] == Drawn(parse_curve(ARC))
    assert entry.text not in updates
    with pytest.raises(InputError):
        entry.updates("joi", "emoart")


# ---- what is shown


def test_the_page_shows_what_it_looks_at_and_says_nothing_twice(music: MusicEvents, piece: JobView) -> None:
    first = music.look([piece.id], "", None)
    assert len(first) == len(music.looked_at)
    stage, _, strip, download = first[:4]
    assert "<audio" in stage and "data-job" in strip and download.count("<a ") == 3
    mark = first[len(music.result.outputs) - 1]
    assert all(update == gr.skip() for update in music.look([piece.id], mark, None))


def test_the_card_has_the_bars_of_the_piece_that_is_looked_at(music: MusicEvents, piece: JobView) -> None:
    source, picker = music.show_source([piece.id], None)
    assert "An evening" in source and len(picker["tints"]) == 2 and picker["tints"][0] != picker["tints"][1]
    source, picker = music.show_source([piece.id], "/somewhere/own.mid")
    assert "own.mid" in source and "somewhere" not in source and picker["tints"] == []
    source, picker = music.show_source([], None)
    assert "is done can be changed" in source and picker["tints"] == []


def test_what_people_wrote_is_escaped(tmp_path: Path, piece: JobView) -> None:
    picture = tmp_path / "1-x&y.png"
    Image.new("RGB", (8, 8)).save(picture)
    values = {**piece.values, "prompt": '<b>"x"</b>', "inputs": {"midi": "<i>.mid"}}
    job = view(values=values, state="done", picture=picture, files=(picture,), notes=("<i>note</i>",))
    failed = view(values=values, state="failed", error="<i>bad</i>")
    shown = [music_views.stage([job]), music_views.stage([job, failed]), music_views.downloads(job)]
    shown += [music_views.source(job, None), music_views.source(None, "<i>.mid"), views.made(job)]
    shown += [views.strip([job], [])]
    assert not any("<b>&quot;" in text or '<b>"' in text or "<i>" in text for text in shown)


def test_a_piece_whose_files_are_gone_has_no_bars(tmp_path: Path) -> None:
    assert music_views.bar_tints(view(state="done", files=(tmp_path / "gone.mid",))) == []


@pytest.mark.parametrize("forged", [3, ["5"], "5" * 401, {"a": 1}])
def test_forged_bars_are_refused(forged: Any) -> None:
    with pytest.raises(gr.Error, match="bars"):
        BarPicker().preprocess(forged)


def test_ticked_words_become_one_text_and_come_back(music: MusicEvents) -> None:
    (keep,) = [spec for spec in catalog.param_specs(SCORE) if spec.name == "keep"]
    part = controls.control(keep)
    grown = controls.ParamControls(SCORE, (keep,), (part,))
    assert part.get_block_name() == "checkboxgroup"
    assert grown.values([["pitch", "rhythm"]]) == {"keep": "pitch, rhythm"}
    assert grown.values([[]]) == {}
    assert grown.updates({"keep": "pitch, rhythm"})[0]["value"] == ["pitch", "rhythm"]


def test_a_file_that_cannot_be_read_is_named(app: Running) -> None:
    with pytest.raises(StorageError, match=r"gone\.mid.*cannot be read"):
        app.service.kept("/nowhere/gone.mid")
