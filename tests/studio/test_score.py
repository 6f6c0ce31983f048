"""A score as files that belong together, from every surface: Python, command line, batch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import mido
import pytest
from PIL import Image

from studio.artifacts import Score, read_provenance
from studio.batch import BatchOptions, run_batch
from studio.cli import main
from studio.companions import companions, is_main, is_whole, write_together
from studio.errors import InputError, StorageError
from studio.ledger import Ledger, NewJob
from studio.prompts import read_prompts
from studio.render import Studio
from studio.request import RenderRequest
from studio.sound import SoundOptions
from studio.storage import NameTakenError
from studio.worker import Worker
from tests.studio import sketch, songs

RECORD = {
    "schema": 1,
    "request": {"pipeline": "music/sketch", "model": "m", "prompt": "A walk", "negative_prompt": "",
                "emotion": "joy", "seed": 1, "adapters": []},
    "versions": {"studio": "0"},
}  # fmt: skip
ENDS = [".mid", ".wav", ".png"]


@pytest.fixture(autouse=True)
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    songs.install(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMOTION_STUDIO_OUTPUTS", raising=False)


def score(**sound: Any) -> Score:
    return Score(songs.piece(), SoundOptions(soundfont=songs.Pipeline.font, instruments="piano", **sound))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- the files


def test_a_score_is_four_files_and_each_says_where_it_is_from(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    score().save(folder / "a.mid", RECORD)
    assert names(folder) == ["a.mid", "a.mid.json", "a.png", "a.wav"]
    records = [read_provenance(folder / f"a{end}") for end in ENDS]
    assert records[0] == records[1] == records[2]
    assert records[0]["request"] == RECORD["request"] and records[0]["files"] == ENDS
    details = records[0]["details"]
    assert details["instruments"] == "piano" and details["loudness_lufs"] == pytest.approx(-18, abs=0.1)
    (folder / "a.mid.json").unlink()
    assert read_provenance(folder / "a.mid") == records[0]  # it is inside, too
    assert len(mido.MidiFile(folder / "a.mid").tracks) == 3
    with Image.open(folder / "a.png") as picture:
        assert picture.info["parameters"].startswith("A walk\n")


@pytest.mark.parametrize("format", ["flac", "mp3", "ogg"])
def test_other_formats_carry_the_record_too(tmp_path: Path, format: str) -> None:
    score(format=format).save(tmp_path / "a.mid", RECORD)
    (tmp_path / "a.mid.json").unlink()
    assert read_provenance(tmp_path / f"a.{format}") == read_provenance(tmp_path / "a.mid")


def test_the_same_score_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        score().save(tmp_path / f"{name}.mid", RECORD)
    for end in (*ENDS, ".mid.json"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()


@pytest.mark.parametrize("taken", ["a.mid", "a.wav", "a.png", "a.mid.json"])
def test_a_name_that_is_taken_costs_nothing(tmp_path: Path, taken: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / taken).write_text("mine")
    with pytest.raises(NameTakenError):
        score().save(folder / "a.mid", RECORD, replace=False)
    assert names(folder) == [taken] and (folder / taken).read_text() == "mine"
    score().save(folder / "a.mid", RECORD)
    assert len(names(folder)) == 4 and (folder / taken).read_bytes()[:4] != b"mine"


def test_a_bad_soundfont_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(InputError, match="is not a soundfont"):
        Score(songs.piece(), SoundOptions(soundfont=__file__)).save(folder / "a.mid", RECORD)
    assert not folder.exists()


def test_a_piece_without_notes_has_a_record_that_is_json(tmp_path: Path) -> None:
    Score(songs.piece(notes=False)).save(tmp_path / "a.mid", RECORD)
    assert read_provenance(tmp_path / "a.mid")["details"]["loudness_lufs"] is None
    assert "Infinity" not in (tmp_path / "a.mid.json").read_text()


def test_damaged_and_missing_records_say_so(tmp_path: Path) -> None:
    for name, content, why in (
        ("a.wav", b"RIFF____WAVE", "is not a PNG, and there is no a.wav.json beside it"),
        ("b.wav", b'xx emotion_studio:{"schema": 1,', "is damaged"),
        ("c.wav", b"xx emotion_studio:[1]", "is damaged"),
        ("d.wav", b"emotion_studio:" + b'{"a":' * 50_000, "is damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StorageError, match=re.escape(why)):
            read_provenance(tmp_path / name)


# ---- files that belong together


def test_companions_are_what_the_record_lists(tmp_path: Path) -> None:
    score().save(tmp_path / "a.mid", RECORD)
    (tmp_path / "a.txt").write_text("notes of mine")
    assert [path.name for path in companions(tmp_path / "a.mid")] == ["a.wav", "a.png"]
    assert companions(tmp_path / "a.png") == []
    assert is_whole(tmp_path / "a.mid") and is_whole(tmp_path / "a.png")
    record = read_provenance(tmp_path / "a.wav")
    assert [is_main(tmp_path / f"a{end}", record) for end in ENDS] == [True, False, False]
    assert is_main(tmp_path / "b.png", RECORD)


@pytest.mark.parametrize("lost", ["a.mid", "a.wav", "a.png", "a.mid.json"])
def test_a_score_that_lacks_a_file_is_not_whole(tmp_path: Path, lost: str) -> None:
    score().save(tmp_path / "a.mid", RECORD)
    (tmp_path / lost).unlink()
    assert not is_whole(tmp_path / "a.mid")


@pytest.mark.parametrize("files", ['["../../x"]', '[".mid", "/etc/passwd", 5]', "5", '{"a": 1}'])
def test_a_record_from_elsewhere_names_no_foreign_files(tmp_path: Path, files: str) -> None:
    (tmp_path / "a.mid").write_bytes(b"MThd")
    (tmp_path / "a.mid.json").write_text(f'{{"files": {files}}}')
    assert companions(tmp_path / "a.mid") == []


def test_when_one_cannot_be_written_those_before_it_go(tmp_path: Path) -> None:
    def fail(file: Any) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="disk full"):
        write_together([(tmp_path / "a", lambda file: None), (tmp_path / "b", fail)], replace=False)
    assert not list(tmp_path.glob("[ab]"))


# ---- a title is not needed


def test_music_needs_no_prompt_and_pictures_do() -> None:
    request = RenderRequest.parse({"pipeline": songs.NAME, "emotion": "joy"})
    assert request.prompt == "" and RenderRequest.parse(request.to_dict()) == request
    with pytest.raises(InputError, match="prompt: is empty"):
        RenderRequest.parse({"pipeline": sketch.NAME})


def test_rows_of_a_prompts_file_need_no_title(tmp_path: Path) -> None:
    texts = {
        "a.jsonl": '{"pipeline": "music/sketch", "emotion": "joy", "bars": 8}\n',
        "a.csv": "pipeline,emotion,bars,prompt\nmusic/sketch,joy,8,\n",
        "a.txt": "--pipeline music/sketch --emotion joy --bars 8\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        (row,) = read_prompts(tmp_path / name)
        assert (row.request.prompt, row.request.params.bars) == ("", 8)
    (tmp_path / "b.txt").write_text("--emotion joy --bars 8\n")
    (row,) = read_prompts(tmp_path / "b.txt", {"pipeline": songs.NAME})
    assert row.request.pipeline == songs.NAME


# ---- the command line


@pytest.mark.parametrize(
    ("words", "stem"),
    [
        ([songs.NAME], "00001-untitled"),
        ([songs.NAME, "A walk"], "00001-a-walk"),
        ([songs.NAME, "--prompt", "A walk"], "00001-a-walk"),
        (["--pipeline", songs.NAME, "--prompt", "A walk", "--bars", "8"], "00001-a-walk"),
        (["--bars", "8", "--pipeline", songs.NAME], "00001-untitled"),
        ([songs.NAME, "--emotion", "sadness@0, joy@100%", "--bars", "8"], "00001-sadness-0-joy-100"),
    ],
)
def test_render_finds_pipeline_and_title(
    words: list[str], stem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", *words, "--seed", "3", "--quiet"]) == 0
    assert Path(capsys.readouterr().out.strip()) == Path("outputs") / f"{stem}.mid"
    assert names(Path("outputs")) == [f"{stem}{end}" for end in (".mid", ".mid.json", ".png", ".wav")]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([songs.NAME, "A walk", "--prompt", "A run"], "--prompt: 'A walk' is a prompt already"),
        ([songs.NAME, "--pipeline", sketch.NAME], "--pipeline: 'music/sketch' names a pipeline already"),
        (["--pipeline", "music/sketchy"], "unknown pipeline 'music/sketchy'; did you mean 'music/sketch'?"),
        ([songs.NAME, "A", "walk"], "unexpected word 'walk'"),
        ([songs.NAME, "--bars", "0"], "bars: must be in [1, 256]"),
        ([songs.NAME, "--input", "soundfont"], "--input: expected NAME=FILE, got 'soundfont'"),
        ([songs.NAME, "--input", "soundfont=a", "--input", "soundfont=b"], "'soundfont' is named twice"),
        ([songs.NAME, "--input", "soundfont=none.sf2"], "inputs.soundfont: no such file: 'none.sf2'"),
        ([songs.NAME, "--input", "soundfnt=sine.sf2"], "did you mean 'soundfont'?"),
        ([songs.NAME, "--input", "soundfont=p.txt"], "'p.txt' is not a soundfont"),
    ],
)
def test_wrong_words(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.txt").write_text("no soundfont")
    assert main(["render", *words]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("end", ENDS)
def test_inspect_and_render_again_from_any_of_the_files(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["render", songs.NAME, "A walk", "--emotion", "joy", "--seed", "3", "--quiet"])
    before = {path.suffix: path.read_bytes() for path in Path("outputs").iterdir()}
    source = f"outputs/00001-a-walk-joy{end}"
    capsys.readouterr()
    assert main(["inspect", source]) == 0
    said = capsys.readouterr().out
    assert re.search(r"prompt +A walk", said) and re.search(r"pipeline +music/sketch", said)
    assert main(["render", "--from", source, "--out", "again", "--quiet"]) == 0
    assert {path.suffix: path.read_bytes() for path in Path("again").iterdir()} == before


def test_an_input_file_is_named_recorded_and_exchanged(tmp_path: Path) -> None:
    songs.font(tmp_path / "low.sf2", {51: -12})
    main(["render", songs.NAME, "--seed", "3", "--input", "soundfont=low.sf2", "--quiet"])
    first = Path("outputs/00001-untitled.mid")
    assert read_provenance(first)["request"]["inputs"] == {"soundfont": "low.sf2"}
    main(["render", "--from", str(first), "--quiet"])
    main(["render", "--from", str(first), "--input", "soundfont=sine.sf2", "--quiet"])
    sounds = [Path(f"outputs/0000{at}-untitled.wav").read_bytes()[300_000:400_000] for at in (1, 2, 3)]
    assert sounds[0] == sounds[1] != sounds[2]


# ---- a batch


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("run/manifest.jsonl").read_text("utf-8").splitlines()]


def test_a_batch_of_pieces_goes_on_where_files_are_missing() -> None:
    Path("p.txt").write_text("--emotion joy --seed 1\nA walk --emotion sadness --seed 2\n")
    defaults = {"pipeline": songs.NAME}
    first = run_batch("p.txt", "run", options=BatchOptions(defaults))
    assert (first.done, first.rendered) == (2, 2)
    assert [row["file"] for row in rows()] == ["00001-joy.mid", "00002-a-walk-sadness.mid"]
    assert rows()[0]["companions"] == ["00001-joy.wav", "00001-joy.png"]
    assert run_batch("p.txt", "run", options=BatchOptions(defaults)).rendered == 0
    Path("run/00001-joy.wav").unlink()
    again = run_batch("p.txt", "run", options=BatchOptions(defaults))
    assert again.rendered == 1 and Path("run/00001-joy.wav").is_file()
    sheet = Path("run/index.html").read_text("utf-8")
    assert '["00001-joy.wav","00001-joy.png"]' in sheet.replace(", ", ",")


def test_a_piece_whose_worker_died_before_saying_so_is_not_made_again() -> None:
    request = RenderRequest.parse({"pipeline": songs.NAME, "emotion": "joy", "seed": 1})
    folder = Path("run")
    list(Studio().render([request], folder, [1]))
    with Ledger(folder / "ledger.sqlite") as ledger:
        ledger.sync([NewJob.of(request, 1, 1)])
        Worker(ledger, Studio(), folder).run_until_empty()
        (job,) = ledger.rows()
        assert job.result == "00001-joy.mid" and job.seconds is None
