"""What people get wrong in data and recipe: one clear message from the command, and nothing is lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.training.small_runs import LIGHT, one_quiet_cpu, recipe  # noqa: F401
from training import cache
from training.run import main

GOOD = {"file_name": "a.png", "text": "an old boat", "emotion": "joy"}


def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], **changed: Any) -> str:
    """What the command says about such a recipe; it must fail and write no adapter."""
    path, run = tmp_path / "recipe.toml", tmp_path / "run"
    path.write_text(recipe(run, **changed).to_toml(), "utf-8")
    assert main([str(path)]) == 2
    assert not (run / "adapter").exists()
    return capsys.readouterr().err


def pictures(root: Path, lines: list[dict[str, Any]]) -> dict[str, Any]:
    root.mkdir()
    Image.new("RGB", (40, 40)).save(root / "a.png")
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return {"name": "folder", "root": str(root), "size_px": 64}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"emotion": "contentmnt"}, "did you mean 'contentment'"),
        ({"emotion": "mikels/joyous"}, "mikels"),
        ({"emotion": None, "valence": 1.5, "arousal": 0, "dominance": 0}, "valence"),
        ({"text": "  "}, "text"),
    ],
)
def test_every_wrong_line_of_the_data_is_named_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: dict[str, Any], said: str
) -> None:
    line = {key: value for key, value in (GOOD | wrong).items() if value is not None}
    problem = told(tmp_path, capsys, dataset=pictures(tmp_path / "data", [GOOD, line, GOOD, line]))
    assert "line 2:" in problem and "line 4:" in problem and "2 bad lines" in problem
    assert said in problem and "Traceback" not in problem


def test_without_a_usable_example_nothing_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [GOOD | {"file_name": f"{index}.png"} for index in range(3)]
    problem = told(tmp_path, capsys, dataset=pictures(tmp_path / "data", lines))
    assert "3 of 3 examples cannot be used" in problem and "0.png" in problem


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"transformer": ".*to_q"}, "the model has no 'transformer', only "),
        ({"unet": "nothing_like_it"}, "matches {'unet': 'nothing_like_it'}"),
    ],
)
def test_a_base_without_the_named_modules_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], targets: dict[str, str], said: str
) -> None:
    assert said in told(tmp_path, capsys, adapter={**LIGHT, "targets": targets})


def test_ctrl_c_while_preparing_is_one_line_and_keeps_what_is_prepared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, run, prepare = tmp_path / "recipe.toml", tmp_path / "run", cache._write_shard
    path.write_text(recipe(run, dataset=pictures(tmp_path / "data", [GOOD])).to_toml(), "utf-8")

    def interrupted(*given: Any) -> Any:
        prepare(*given)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cache, "_write_shard", interrupted)
    assert main([str(path)]) == 130
    assert capsys.readouterr().err.splitlines()[-1].endswith("go on from what is written")
    assert len(list(run.glob("cache/*/shard-*.safetensors"))) == 1
