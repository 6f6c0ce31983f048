"""`bake` and `adapters` on the command line: what they print where, what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from studio import catalog
from studio.cli import main, tables

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


USABLE = tables.strengths(catalog.adapter_card("vad-image"))


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("EMOTION_STUDIO_"):
            monkeypatch.delenv(name)
    return tmp_path


def metadata(path: str) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


@pytest.mark.parametrize("form", ["diffusers", "kohya", "peft"])
def test_bake_writes_a_file_and_prints_its_path(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--emotion", "awe:0.8", "--strength", "0.9", "--format", form, "-o", "here/awe.safetensors"]
    assert main(["bake", "vad-image", *flags]) == 0
    said = capsys.readouterr()
    assert said.out == f"here{os.sep}awe.safetensors\n" and said.err == ""
    first = Path("here/awe.safetensors").read_bytes()
    ours = json.loads(metadata("here/awe.safetensors")["emotion_studio"])
    assert (ours["emotion"], ours["strength"], ours["adapter"]) == ("awe:0.8", 0.9, "vad-image")
    assert ours["revision"] == catalog.revision(catalog.find_adapter("vad-image"))
    assert main(["bake", "vad-image", *flags]) == 2
    assert "is there already; --force" in capsys.readouterr().err
    assert main(["bake", "vad-image", *flags, "--force"]) == 0
    assert [path.name for path in Path("here").iterdir()] == ["awe.safetensors"]
    assert Path("here/awe.safetensors").read_bytes() == first, "equal bakes are equal files"


def test_bake_writes_a_folder_for_peft(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["bake", "vad-image", "--emotion", "awe", "--format", "peft", "-o", "awe"]
    assert main(flags) == 0
    assert capsys.readouterr().out == "awe\n"
    assert sorted(path.name for path in Path("awe").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert main(flags) == 2 and "adapter_config.json: is there already" in capsys.readouterr().err
    assert main([*flags, "--force"]) == 0


def test_bake_of_nothing_and_of_too_much_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bake", "vad-image", "--emotion", "neutral", "-o", "n.safetensors"]) == 0
    said = capsys.readouterr().err
    assert "note: all weights are zero" in said and "note: neutral is no change" in said
    assert main(["bake", "vad-image", "--emotion", "awe", "--strength=-0.1", "-o", "m.safetensors"]) == 0
    assert f"outside {USABLE}, the range that was measured as usable" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["vad-imge", "--emotion", "awe", "-o", "a.safetensors"], "did you mean 'vad-image'"),
        (["vad-image", "--emotion", "aww", "-o", "a.safetensors"], "unknown emotion 'aww'"),
        (["vad-image", "--emotion", "awe@0, joy@1", "-o", "a.safetensors"], "one feeling, not a curve"),
        (["vad-image", "--emotion", "awe", "-o", "a.pt"], "did you mean 'a.safetensors'"),
        (["vad-image", "--emotion", "awe", "-o", "a.safetensors", "--format", "khoya"], "'kohya'"),
        (["vad-image", "--emotion", "awe", "-o", "a.safetensors", "--strength", "3"], "did you mean '2'"),
        (["vad-image", "--emotion", "awe", "-o", "a.safetensors", "--strength", "nan"], "did you mean '1'"),
        (
            ["vad-image", "--emotion", "awe", "-o", "a.safetensors", "--model", "emotion-tin"],
            "'emotion-tiny'",
        ),
        (["vad-image", "--emotion", "awe"], "required: -o/--out"),
        (["vad-image", "-o", "a.safetensors"], "required: --emotion"),
    ],
)
def test_bake_refuses_in_one_line(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bake", *flags]) == 2
    said = capsys.readouterr()
    assert message in said.err and len(said.err.splitlines()) == 1 and said.out == ""
    assert list(Path().iterdir()) == []


def test_adapters_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters", "list"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "vad-image " in line)
    assert row.split()[:4] == ["vad-image", "vad", "emotion-tiny", "16"] and USABLE in row
    assert main(["list", "adapters"]) == 0
    assert row in capsys.readouterr().out.splitlines(), "one table, whatever it is asked for by"
    assert main(["adapters", "show", "vad-image"]) == 0
    said = capsys.readouterr().out
    for words in ("fingerprint", "38 (", "7 attn2.to_k", "497,888", "worn by default  yes", "## Validation"):
        assert words in said
    assert main(["adapters", "show", "vad-imge"]) == 2
    assert "did you mean 'vad-image'" in capsys.readouterr().err


def test_a_sweep_of_no_adapter_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters", "sweep", "nowhere"]) == 2
    assert "unknown adapter 'nowhere'" in capfd.readouterr().err


@pytest.mark.slow  # a process of its own that loads torch
def test_a_sweep_runs_the_measurement_and_returns_its_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters", "sweep", "vad-image", "--strengths", "lots"]) == 2
    assert "invalid float value: 'lots'" in capfd.readouterr().err


def bake(emotion: str, form: str, path: str) -> str:
    assert main(["bake", "vad-image", "--emotion", emotion, "--format", form, "-o", path]) == 0
    return path


def test_import_makes_an_adapter_that_is_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    files = bake("awe", "kohya", "awe.safetensors"), bake("fear", "peft", "fear")  # a file, a PEFT folder
    labels = [f"--label=Awe={files[0]}", f"--label=fear={files[1]}"]
    capsys.readouterr()
    flags = ["adapters", "import", "both", "--taxonomy", "mikels", *labels, "--model", "emotion-tiny"]
    assert main(flags) == 0
    said, folder = capsys.readouterr(), catalog.imported_folder() / "both"
    assert said.out == f"{folder}\n" and "note: 6 other labels have no file" in said.err
    assert catalog.find_adapter("both") == folder
    assert catalog.adapter_card("both")["basis"] == "labels"
    assert list(catalog.adapter_card("both")["labels"]) == ["awe", "fear"]
    sources = json.loads((folder / "sources.json").read_text("utf-8"))
    assert sources["awe"]["format"] == "kohya"
    assert sources["awe"]["metadata"]["ss_network_module"] == "networks.lora"
    assert "| fear | fear/adapter_model.safetensors | peft |" in (folder / "README.md").read_text("utf-8")
    assert main(flags) == 2 and "--force writes over it" in capsys.readouterr().err
    assert main([*flags, "--force"]) == 0 and capsys.readouterr().out == f"{folder}\n"
    assert main(["adapters", "list"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("both "))
    assert row.split()[1:3] == ["labels", "emotion-tiny"] and row.endswith("yours")
    assert main(["bake", "both", "--emotion", "awe", "-o", "again.safetensors"]) == 0
    assert main(["adapters", "show", "both"]) == 0
    assert "awe, fear" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [("vad-image", "is the name of another adapter, in "), ("../x", "'../x' is no plain name"), ("", "''")],
)
def test_an_import_never_takes_a_name_that_means_something_else(
    name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--taxonomy", "mikels", "--label", "awe=a", "--model", "emotion-tiny", "--force"]
    assert main(["adapters", "import", name, *flags]) == 2
    assert message in capsys.readouterr().err and list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["awe"], "expected WORD=FILE"),
        (["aww=a.safetensors"], "did you mean 'awe'"),
        (
            ["awe=b.safetensors", "fear=a.safetensors"],
            "unknown LoRA file 'b.safetensors'; did you mean 'a.saf",
        ),
        (["awe=a.safetensors", "awe=a.safetensors"], "named twice"),
        (["awe=a.safetensors"], "name two or more"),
        (["awe=a.safetensors", "fear=a.safetensors"], "is damaged"),
        (["awe=a.bin", "fear=a.safetensors"], "is a pickle"),
    ],
)
def test_import_refuses_in_one_line(
    labels: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.safetensors", "a.bin"):
        Path(name).write_bytes(b"nothing")
    flags = [flag for label in labels for flag in ("--label", label)]
    assert main(["adapters", "import", "new", "--taxonomy", "mikels", *flags, "--model", "emotion-tiny"]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1
    assert not catalog.imported_folder().exists()


def test_help_and_lists_load_no_model_library() -> None:
    code = (
        "import sys; from studio.cli import main\n"
        "for words in (['adapters', 'list'], ['adapters', 'show', 'vad-image']): main(words)\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'diffusers', 'peft', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=catalog.ROOT, check=True, capture_output=True)
