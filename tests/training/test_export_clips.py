"""Clips for other trainers: what is written, which captions stand where, what is left out and refused."""

from __future__ import annotations

import csv
import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from studio.emotion import parse_curve
from studio.errors import InputError
from studio.video_files import probe
from tests.training import moving
from training import export_clips, trainer_formats
from training.export_clips import Segment, export, main, segments

FEAR = 'The video is in the "fear" emotion'
CALM = 'The video is in the "contentment" emotion'
TURNING = "mikels/contentment@0s, mikels/contentment@1.5s, mikels/fear@1.6s"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of two rates: one feeling, two feelings, a sticker, one that is broken."""
    root = tmp_path_factory.mktemp("source")
    moving.clip(root / "one.mp4", 1.0)
    moving.clip(root / "in/two.mp4", 4.0, 8)
    moving.clip(root / "three.mp4", 1.0).rename(root / "Drei & vier.gif")
    (root / "torn.mp4").write_bytes(b"torn")
    rows = [
        {"file_name": "one.mp4", "text": 'He says "no", and leaves.', "label": "fear", "taxonomy": "mikels"},
        {"file_name": "in/two.mp4", "text": "waves", "emotion": TURNING},
        {"file_name": "Drei & vier.gif", "text": "rain", "emotion": "neutral"},
        {"file_name": "torn.mp4", "text": "torn", "emotion": "joy"},
    ]
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root


def opened(source: Path, **options: str) -> Any:
    return export_clips.dataset(str(source), {"name": "clips", **options})


def test_musubi(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = trainer_formats.Options((640, 352), (1, 17))
    entries, problems = export(opened(source), out, "musubi", options=options)
    assert problems == [f"{source / 'torn.mp4'}: video: torn.mp4 is no video file, or damaged"]
    table = tomllib.loads((out / "dataset.toml").read_text())
    assert table["general"] == {"resolution": [640, 352], "batch_size": 1, "enable_bucket": True}
    common = {"target_frames": [1, 17], "frame_extraction": "head"}
    assert table["datasets"] == [
        {"video_jsonl_file": f"captions-{rate}hz.jsonl", "cache_directory": f"cache-{rate}hz",
         "source_fps": float(rate), **common}
        for rate in (8, 16)
    ]  # fmt: skip
    lists = [(out / f"captions-{rate}hz.jsonl").read_text().splitlines() for rate in (8, 16)]
    lines = [json.loads(line) for one in lists for line in one]
    assert lines == [
        {"video_path": "clips/00002-two-1.mp4", "caption": f"waves. {CALM}"},
        {"video_path": "clips/00002-two-2.mp4", "caption": f"waves. {FEAR}"},
        {"video_path": "clips/00001-one.mp4", "caption": f'He says "no", and leaves. {FEAR}'},
        {"video_path": "clips/00003-drei-vier.mp4", "caption": "rain"},
    ]
    assert [(out / entry.video).is_file() for entry in entries] == [True] * 4
    assert (out / "clips/00001-one.mp4").read_bytes() == (source / "one.mp4").read_bytes()
    lengths_s = [probe(out / f"clips/00002-two-{index}.mp4").length_s for index in (1, 2)]
    assert sum(lengths_s) == pytest.approx(4.0, abs=0.13) and lengths_s[0] == pytest.approx(1.55, abs=0.2)


def test_diffsynth_with_plain_captions(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(opened(source), out, "diffsynth", "plain")
    with (out / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"video": "clips/00001-one.mp4", "prompt": 'He says "no", and leaves.'},
        {"video": "clips/00002-two.mp4", "prompt": "waves"},
        {"video": "clips/00003-drei-vier.mp4", "prompt": "rain"},
    ]


@pytest.mark.parametrize(
    ("curve", "captions", "ends_s"),
    [
        ("mikels/fear", [FEAR], [4.0]),
        ("neutral", [""], [4.0]),
        ("mikels/fear@0, mikels/fear:0.5@100%", [FEAR], [4.0]),
        (TURNING, [CALM, FEAR], [1.5, 4.0]),
        ("mikels/contentment@0, mikels/contentment@1%, mikels/fear@2%", [FEAR], [4.0]),  # too short a calm
        ("v=0.02@0, v=0.02@50%, mikels/fear@51%", ["", FEAR], [2.0, 4.0]),
    ],
)
def test_segments(curve: str, captions: list[str], ends_s: list[float], source: Path) -> None:
    row = dataclasses.replace(opened(source).rows[1], curve=parse_curve(curve))
    found = segments(row, probe(row.clip), "emovid")
    assert [part.caption.removeprefix("waves").removeprefix(". ") for part in found] == captions
    assert [part.end_s for part in found] == pytest.approx(ends_s, abs=0.15)
    assert [part.start_s for part in found] == [0.0, *(part.end_s for part in found[:-1])]
    assert found[0].whole == (len(found) == 1)
    assert segments(row, probe(row.clip), "plain") == [Segment(0.0, 4.0, "waves", True)]


def test_what_was_written_is_read_again(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    entries, _ = export(opened(source), out, "diffsynth")
    (out / entries[0].video).write_bytes(b"torn")
    table = out / "metadata.csv"
    table.write_text(table.read_text() + "/etc/x.mp4,a\nclips/none.mp4,\n")
    with pytest.raises(InputError) as found:
        trainer_formats.read_diffsynth(out)
    said = str(found.value)
    for part in ("3 bad lines", "00001-one.mp4 is no video", "needs a path inside", "has no caption"):
        assert part in said
    with pytest.raises(InputError, match=r"dataset\.toml"):
        trainer_formats.read_musubi(out)
    table.write_text("video,prompt\n")
    with pytest.raises(InputError, match="is not read as it was written"):
        trainer_formats.checked(out, "diffsynth", entries)


def test_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(source), str(tmp_path / "out"), "name=clips", "--format", "diffsynth", "--caption", "plain"]
    assert main(words) == 1
    said = capsys.readouterr()
    assert "3 in" in said.out and "1 clips left out" in said.out and "--dataset_base_path" in said.out
    assert "left out: " in said.err and "torn.mp4" in said.err
    assert main(words) == 2
    assert "is not empty; name a new one" in capsys.readouterr().err
    assert not (tmp_path / "out/clips/00001-one.mp4").samefile(source / "one.mp4")
    words[1] = str(tmp_path / "linked")
    assert main([*words, "--link"]) == 1
    assert (tmp_path / "linked/clips/00001-one.mp4").samefile(source / "one.mp4")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "830x480"], "size: sides must be multiples of 16 px, got 830; did you mean '832'?"),
        (["--size", "832"], "expected WIDTHxHEIGHT"),
        (["--frames", "24"], "frames: lengths must be 4 n + 1, got 24; did you mean '25'?"),
        (["--frames", "x"], "expected whole numbers"),
        (["taxonomi=mikels"], "unknown field 'taxonomi'; did you mean 'taxonomy'?"),
        (["taxonomy"], "expected OPTION=VALUE"),
        (["name=folder"], "'folder' is no data set of clips"),
    ],
)
def test_mistakes(words: list[str], message: str, source: Path, tmp_path: Path, capsys: Any) -> None:
    given = words if words[0].startswith("name=") else ["name=clips", *words]
    options = [word for word in given if "=" in word or word == "taxonomy"]
    flags = [word for word in given if word not in options]
    assert main([str(source), str(tmp_path / "out"), *options, "--format", "musubi", *flags]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and message in said and said.count("\n") == 1


def test_nothing_that_can_be_used(source: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/metadata.jsonl").write_text('{"file_name": "x.mp4", "text": "x", "emotion": "joy"}')
    with pytest.raises(InputError, match=r"no clip could be used; .*x\.mp4"):
        export(opened(tmp_path / "in"), tmp_path / "out", "musubi")
