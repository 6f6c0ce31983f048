"""The command line: what it prints where, what it refuses, and with which exit code."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio import catalog
from studio.artifacts import read_provenance
from studio.cli import main
from studio.cli.progress import Progress, duration
from studio.errors import Cancelled
from tests.studio import sketch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    sketch.install(monkeypatch, tmp_path / "assets")
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("EMOTION_STUDIO_"):
            monkeypatch.delenv(name)
    return tmp_path / "assets"


def render(*flags: str) -> int:
    return main(["render", sketch.NAME, "--prompt", "a harbour at dusk", *flags])


def process(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "studio", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def paths(text: str) -> list[Path]:
    return [Path(line) for line in text.splitlines()]


def test_render_prints_the_path_and_says_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--emotion", "v=0.5", "--seed", "7") == 0
    said = capsys.readouterr()
    assert said.out == f"outputs{os.sep}00001-a-harbour-at-dusk-v-0-5-a-0-d-0.png\n"
    assert "loading sketch-model" in said.err and "seed 7, " in said.err and "note" not in said.err
    with Image.open(said.out.strip()) as image:
        assert image.getpixel((0, 0)) == (153, 7, 0)


def test_flags_of_the_pipeline_come_from_its_params(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        render("--steps", "9", "--scheduler", "ddim", "--fine", "--width=16", "--out", "here/and there") == 0
    )
    found = read_provenance(capsys.readouterr().out.strip())["request"]
    assert (found["steps"], found["scheduler"], found["fine"], found["width"]) == (9, "ddim", True, 16)
    assert render("--fine", "no") == 0


def test_quiet_prints_nothing_but_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--adapter", "none", "--emotion", "joy", "--quiet") == 0
    said = capsys.readouterr()
    assert said.err == "" and len(paths(said.out)) == 1


def test_count_makes_neighbouring_seeds_in_one_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--seed", "4294967294", "--count", "3") == 0
    seeds = [read_provenance(path)["request"]["seed"] for path in paths(capsys.readouterr().out)]
    assert seeds == [4294967294, 4294967295, 0]
    assert sketch.Pipeline.batches == [3]


def test_emotion_without_adapter_is_noted_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--emotion", "joy", "--adapter", "none", "--count", "2") == 0
    assert capsys.readouterr().err.count("note: emotion 'joy' has no effect: no adapter is worn") == 1


def test_adapters_with_strengths(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--emotion", "v=1", "--adapter", "warm:0.5", "--adapter", "cold:-0.2") == 0
    path = capsys.readouterr().out.strip()
    assert read_provenance(path)["request"]["adapters"] == ["warm:0.5", "cold:-0.2"]


def test_render_from_a_file_makes_the_same_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--emotion", "0.6 joy + 0.4 fear", "--adapter", "warm:0.3", "--steps", "9") == 0
    first = capsys.readouterr().out.strip()
    assert main(["render", "--from", first]) == 0
    second = capsys.readouterr().out.strip()
    assert second != first and Path(second).read_bytes() == Path(first).read_bytes()


def test_render_from_a_file_with_changes(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--emotion", "joy", "--steps", "9", "--seed", "3") == 0
    first = capsys.readouterr().out.strip()
    assert main(["render", "--from", first, "--emotion", "v=-1", "--steps=5"]) == 0
    found = read_provenance(capsys.readouterr().out.strip())["request"]
    assert found == {**read_provenance(first)["request"], "emotion": "v=-1 a=0 d=0", "steps": 5}


def test_render_from_a_file_of_other_weights_says_so(
    assets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render() == 0
    first = capsys.readouterr().out.strip()
    (assets / "models" / "sketch-model" / "weights.safetensors").write_bytes(b"better")
    assert main(["render", "--from", first]) == 0
    assert "note: made with model " in capsys.readouterr().err


BAD: list[tuple[list[str], str]] = [
    (["--emotion", "contentmnt"], "unknown emotion 'contentmnt' at column 1; did you mean 'contentment'?"),
    (["--emotion", "mikles/awe"], "unknown taxonomy 'mikles' at column 1; did you mean 'mikels'?"),
    (["--emotion", "v=3"], "[-1, 1]"),
    (["--adapter", "wram"], "unknown adapter 'wram'; did you mean 'warm'?"),
    (["--adapter", "warm:9"], "strength of 'warm' must be in [-2, 2], got 9.0; did you mean '2'?"),
    (["--adapter", "none", "--adapter", "warm"], "'none' cannot stand beside"),
    (["--model", "sketchmodel"], "unknown model 'sketchmodel'; did you mean 'sketch-model'?"),
    (["--model", "."], "is not a model folder (no model_index.json in it)"),
    (["--model", "unsafe"], "has no .safetensors weights"),
    (["--adapter", "."], "is not an adapter folder"),
    (["--model", "x" * 5000], "unknown model"),
    (["--steps", "0"], "steps: must be in [1, 150], got 0; did you mean '1'?"),
    (["--steps", "many"], "steps: expected a whole number, got 'many'"),
    (["--width", "9"], "width: must be a multiple of 8, got 9; did you mean '8'?"),
    (["--fine", "maybe"], "fine: expected yes or no, got 'maybe'"),
    (["--seed", "-1"], "seed: must be in [0, 4294967295], got -1"),
    (["--seed", "x"], "seed: expected a whole number"),
    (["--count", "0"], "count: must be in [1, 10000], got 0"),
    (["--stepz", "5"], "unknown flag '--stepz'; did you mean '--steps'?"),
    (["--ste", "5"], "unknown flag '--ste'"),
    (["at", "dusk"], "unexpected word 'at'; put a text with spaces in quotes"),
    (["--prompt", " "], "prompt: is empty"),
    (["--prompt"], "expected one argument"),
    (["--prompt", "x" * 2001], "has 2001 characters; at most 2000"),
    (["--prompt", "byte \udcff"], "prompt: has a character that is not text"),
    (["--out", "file.txt"], "is a file, not a folder"),
    (["--out", "file.txt/deeper"], "is a file, not a folder"),
    (["--adapter", "odd"], "unknown adapter kind 'sketch_adaptor'"),
    (["--adapter", "./torn"], "cannot be read as JSON"),
    (["--model", "broken"], "model: 'broken' cannot be loaded: weights are torn"),
    (["--from", "missing.png"], "missing.png: cannot be read (No such file or directory)"),
    (["--from", "file.txt"], "file.txt: is not a PNG"),
    (["--from", "plain.png"], "plain.png: holds no record of how it was made"),
    (["--from", "."], "is a folder"),
]


@pytest.fixture
def clutter(tmp_path: Path, assets: Path) -> Path:
    """Files that are not what they should be."""
    (tmp_path / "file.txt").write_text("hello")
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    (tmp_path / "unsafe").mkdir()
    (tmp_path / "unsafe" / "model_index.json").write_text("{}")
    (tmp_path / "unsafe" / "model.bin").write_bytes(b"pickle")
    (sketch.add_model(assets, "broken") / "broken.txt").touch()
    sketch.add_adapter(assets, "odd", kind="sketch_adaptor")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "adapter.json").write_text("{")
    return tmp_path


@pytest.mark.parametrize(("flags", "why"), BAD, ids=[" ".join(flags)[:40] for flags, _ in BAD])
def test_bad_input_is_one_line_with_exit_code_2(
    clutter: Path, capsys: pytest.CaptureFixture[str], flags: list[str], why: str
) -> None:
    before = sorted(clutter.rglob("*"))
    assert render(*flags) == 2
    said = capsys.readouterr()
    errors = [line for line in said.err.splitlines() if not line.startswith("loading ")]
    assert len(errors) == 1 and errors[0].startswith("error: ") and why in errors[0]
    assert said.out == "" and sorted(clutter.rglob("*")) == before


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["rendr"], "unknown command 'rendr'; did you mean 'render'?"),
        (["render", "image/sketchy"], "unknown pipeline 'image/sketchy'; did you mean 'image/sketch'?"),
        (["render", sketch.NAME], "prompt: is empty"),
        (["render", "--from"], "expected one argument"),
        (["inspect"], "required"),
        (["inspect", "file.txt"], "is not a PNG"),
        (["inspect", "plain.png"], "holds no record"),
        (["inspect", "missing.png"], "No such file"),
        (["list", "emotion"], "unknown topic 'emotion'; did you mean 'emotions'?"),
        (["list", "emotions", "mikles"], "unknown taxonomy 'mikles'"),
        (["list", "models", "x"], "only 'emotions' takes one"),
        (["app", "--port", "99999"], "port: must be in [1, 65535], got 99999"),
        (["batch", "missing.csv"], "missing.csv"),
        ([""], "unknown command ''"),
        (["--versio"], "unknown flag '--versio'; did you mean '--version'?"),
    ],
)  # fmt: skip
def test_other_mistakes(clutter: Path, capsys: pytest.CaptureFixture[str], args: list[str], why: str) -> None:
    assert main(args) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and said.err.count("\n") == 1 and why in said.err
    assert said.out == ""


def test_bad_settings_are_an_error_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOTION_STUDIO_BATCH_SIZE", "lots")
    assert render() == 2
    assert "error: EMOTION_STUDIO_BATCH_SIZE: expected a whole number, got 'lots'" in capsys.readouterr().err


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), Cancelled("enough")])
def test_cancelling_is_130_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: BaseException
) -> None:
    def stop(*args: object, **named: object) -> None:
        raise problem

    monkeypatch.setattr(sketch.Pipeline, "render", stop)
    assert render("--quiet") == 130
    said = capsys.readouterr()
    assert said.err.startswith("cancelled") and said.err.count("\n") == 1
    assert not Path("outputs").exists()


def batch(*flags: str) -> int:
    return main(["batch", "prompts.csv", "--pipeline", sketch.NAME, *flags])


def test_batch_renders_a_file_and_goes_on_where_it_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    Path("prompts.csv").write_text("prompt,emotion\na sea,joy\nan oak,\n")
    assert batch("--emotion", "v=-1", "--adapter", "warm:0.5") == 0
    said = capsys.readouterr()
    assert said.out == f"outputs{os.sep}prompts{os.sep}index.html\n"
    assert "2 rendered, 0 failed" in said.err
    records = [read_provenance(path)["request"] for path in sorted(Path("outputs/prompts").glob("*.png"))]
    assert [record["emotion"] for record in records] == ["joy", "v=-1 a=0 d=0"]
    assert all(record["adapters"] == ["warm:0.5"] for record in records)
    assert batch("--emotion", "v=-1", "--adapter", "warm:0.5") == 0
    assert "0 rendered, 2 there before, 0 failed" in capsys.readouterr().err
    assert sum(sketch.Pipeline.batches) == 2


def test_batch_with_bad_lines_renders_nothing_unless_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    Path("prompts.csv").write_text("prompt,emotion\na sea,joy\nan oak,jooy\n")
    assert batch("--out", "run") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: prompts.csv: 1 bad line") and "line 3" in said and "'joy'" in said
    assert not Path("run").exists()
    assert batch("--out", "run", "--keep-going") == 0
    assert "skipped line 3" in capsys.readouterr().err
    assert len(list(Path("run").glob("*.png"))) == 1


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--model", "sketchmodel"], "unknown model 'sketchmodel'; did you mean 'sketch-model'?"),
        (["--emotion", "contentmnt"], "did you mean 'contentment'?"),
        (["--adapter", "wram"], "unknown adapter 'wram'; did you mean 'warm'?"),
        (["--seed", "x"], "seed: expected a whole number"),
        (["--model", "sketch-model", "--adapter", "foreign"], "made for model 'some/backbone'"),
    ],
)
def test_batch_blames_a_wrong_flag_and_not_the_file(
    assets: Path, capsys: pytest.CaptureFixture[str], flags: list[str], why: str
) -> None:
    sketch.add_adapter(assets, "foreign", base_model="some/backbone")
    Path("prompts.csv").write_text("prompt\na sea\nan oak\n")
    assert batch("--out", "run", *flags) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and why in said and "line" not in said
    assert not Path("run").exists()


def test_batch_with_an_adapter_of_another_model_writes_nothing(
    assets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sketch.add_adapter(assets, "foreign", base_model="some/backbone")
    Path("prompts.csv").write_text("prompt\na sea\n")
    assert batch("--out", "run", "--adapter", "foreign") == 2
    assert "was made for model 'some/backbone', not for 'sketch-model'" in capsys.readouterr().err
    assert not Path("run").exists()


def test_any_letter_goes_to_a_file_of_an_old_encoding() -> None:
    Path("clip.mp4").write_bytes(b"x")
    record = {"schema": 1, "request": {"prompt": "\u6d77 caf\u00e9"}, "versions": {}}
    Path("clip.mp4.json").write_text(json.dumps(record))
    done = subprocess.run(
        [sys.executable, "-m", "studio", "inspect", str(Path("clip.mp4").resolve())],
        cwd=ROOT, capture_output=True, timeout=60, env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == b""
    assert b"\\u6d77 caf\xe9" in done.stdout


def test_batch_with_failed_rows_returns_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sketch.Pipeline, "room", 0)
    Path("prompts.csv").write_text("prompt\na sea\n")
    assert batch("--out", "run", "--quiet") == 1
    said = capsys.readouterr()
    assert "1 of 1 rows failed" in said.err and "manifest.jsonl says why" in said.err


def test_inspect_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert render("--emotion", "v=0.5", "--negative-prompt", "people", "--seed", "3") == 0
    path = capsys.readouterr().out.strip()
    assert main(["inspect", path]) == 0
    text = capsys.readouterr().out
    for part in (
        "a harbour at dusk",
        "people",
        "valence 0.50, arousal 0.00",
        "warm:1 (revision ",
        "render --from",
    ):
        assert part in text
    assert main(["inspect", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == read_provenance(path)


def test_inspect_does_not_let_a_stranger_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    request = {"prompt": "\x1b[2Jhi", "emotion": "nonsense", "adapters": "x", "extra\x07": {"a": ["\x1b"]}}
    Path("clip.mp4").write_bytes(b"x")
    Path("clip.mp4.json").write_text(
        json.dumps({"schema": 1, "request": request, "versions": {"adapters": 3}})
    )
    assert main(["inspect", "clip.mp4"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text and "\x07" not in text and "not readable here" in text


def test_list_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for part in ("image/sd ", "sketch-model", "warm", "mikels", "Sketch"):
        assert part in text
    assert main(["list", "emotions"]) == 0
    assert "contentment" in capsys.readouterr().out
    assert main(["list", "emotions", "mikels"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 8 and "valence" in lines[1]
    awe = next(line for line in lines if line.strip().startswith("awe"))
    assert len([word for word in awe.split() if word[0] in "+-"]) == 3


def test_empty_lists_say_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(catalog, "ASSETS", Path("nowhere"))
    assert main(["list", "models"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["models", "  none"]


@pytest.mark.parametrize("args", [[], ["--help"], ["render", "--help"], ["batch", "--help"], ["list", "-h"]])
def test_help_reads_well(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(args)
    text = capsys.readouterr().out
    assert left.value.code == 0 and "usage: python -m studio" in text and "None" not in text


def test_render_help_shows_the_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        main(["render", sketch.NAME, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--steps N strokes (1 to 150; default 4)" in text
    assert "--fine [yes|no] fine strokes (default no)" in text
    assert "8 to 64 px; in steps of 8; default 8" in text


def test_help_and_mistakes_need_no_heavy_module() -> None:
    code = (
        "import sys; from studio.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert main(['rendr']) == 2\n"
        "heavy = {'torch', 'diffusers', 'numpy', 'PIL', 'gradio', 'studio.render', 'studio.emotion'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_whole_process_refuses_bad_input_without_a_traceback(tmp_path: Path) -> None:
    flags = ["--prompt", "x", "--model", "a/b", "--out", str(tmp_path / "out")]
    for args in (
        ["render", *flags, "--emotion", "jooy"],
        ["render", *flags, "--steps", "0"],
        ["inspect", "README.md"],
    ):
        done = process(*args)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="SIGPIPE is POSIX")
def test_a_reader_that_leaves_early_is_no_traceback() -> None:
    command = f"{sys.executable} -m studio list emotions | head -n 1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and done.stdout.startswith("emotions")


def sketch_process(*args: str, before: str) -> subprocess.Popen[str]:
    """A whole process that renders with the sketch pipeline into `out`, after running the code `before`."""
    code = f"""
import os, resource, signal, sys, time
from pathlib import Path
import pytest
from studio.cli import main
from tests.studio import sketch
sketch.install(pytest.MonkeyPatch(), Path("its-assets").absolute())
{before}
sys.exit(main(["render", sketch.NAME, "--prompt", "x", "--out", "out", *sys.argv[1:]]))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="SIGINT is POSIX")
def test_ctrl_c_in_a_whole_process() -> None:
    child = sketch_process(
        before="sketch.Pipeline.render = lambda *a, **k: (print('here', flush=True), time.sleep(30))"
    )
    assert child.stdout is not None and child.stdout.readline() == "here\n"
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130 and "Traceback" not in err and err.splitlines()[-1].startswith("cancelled")
    assert not Path("out").exists()


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
def test_full_disk_in_a_whole_process() -> None:
    child = sketch_process(
        "--quiet",
        before="signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))",
    )
    out, err = child.communicate(timeout=30)
    assert child.returncode == 2 and out == ""
    assert err == f"error: out{os.sep}00001-x.png: cannot be written (disk full)\n"
    assert list(Path("out").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_kill_before_the_rename_leaves_no_picture() -> None:
    child = sketch_process(
        before="os.replace = os.link = lambda *names: os.kill(os.getpid(), signal.SIGKILL)"
    )
    child.communicate(timeout=30)
    assert child.returncode == -signal.SIGKILL
    assert [path.name[:5] for path in Path("out").iterdir()] == [".tmp-"]


class Terminal:
    """A stream that says it is a terminal."""

    def __init__(self, is_terminal: bool) -> None:
        self.text, self._is_terminal = "", is_terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return self._is_terminal


def test_bar_on_a_terminal_shows_the_time_left_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = Terminal(True)
    with Progress(stream=stream) as progress:  # type: ignore[arg-type]
        progress.update(0.0, "step 0/4")
        now[0] += 10
        progress.update(0.25, "step 1/4")
        assert "step 1/4, 30 s left" in stream.text.split("\r")[-1]
        now[0] += 0.01
        progress.update(0.3, "too soon")
        assert "too soon" not in stream.text
    assert stream.text.endswith("\r\x1b[2K")


def test_plain_lines_elsewhere_are_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = Terminal(False)
    progress = Progress(stream=stream)  # type: ignore[arg-type]
    for step in range(1, 101):
        now[0] += 0.5
        progress.update(step / 100, f"step {step}/100")
    lines = stream.text.splitlines()
    assert 4 <= len(lines) <= 6 and "step 100/100" in lines[-1] and "\x1b" not in stream.text


def test_quiet_progress_writes_nothing() -> None:
    stream = Terminal(True)
    with Progress(quiet=True, stream=stream) as progress:  # type: ignore[arg-type]
        progress.update(0.5, "step")
    assert stream.text == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
