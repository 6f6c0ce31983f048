"""The report page, from run folders made by hand: whole, escaped, self-contained."""

from __future__ import annotations

import html.parser
import json
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from training import control, report
from training.charts import Axes, Series, chart, smoothed, thinned, ticks

NASTY = "<script>alert('x')</script> & \"more\""


def control_figures(noise: float) -> dict[str, float]:
    asked = [[x / 8 - 1, (x * 7 % 16) / 8 - 1, (x * 5 % 16) / 8 - 1] for x in range(16)]
    read = [[value + noise * ((x * 3 + i) % 5 - 2) for i, value in enumerate(p)] for x, p in enumerate(asked)]
    return control.of_points(asked, read).figures()


def run_folder(folder: Path, **changed: Any) -> Path:
    """What a run leaves behind, without having run."""
    grids, cache = folder / "grids", folder / "cache" / "abc"
    grids.mkdir(parents=True)
    cache.mkdir(parents=True)
    recipe = {"model": NASTY, "steps": 40} | changed
    lines = [f"{name} = {json.dumps(value)}" for name, value in recipe.items()]
    (folder / "recipe.toml").write_text("\n".join([*lines, '[adapter]\nbasis = "vad"', ""]), "utf-8")
    log: list[dict[str, Any]] = [{"step": 0, "sizes": {"64x64": 3}}]
    log += [{"step": i, "loss": 1 / i, "samples_per_s": 9.5} for i in range(1, 41)]
    losses = {"validation_loss": 0.4, "validation_loss_other_emotions": 0.5, "validation_loss_base": 0.45}
    for step, noise in ((20, 2.0), (40, 0.1)):
        log.append({"step": step, **losses, **control_figures(noise), "picture_seconds": 30.0})
        Image.new("RGB", (500, 400), (step, 90, 90)).save(grids / f"step-{step:08d}.png")
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log), "utf-8")
    (cache / "index.json").write_text(json.dumps({"rows": [3], "left_out": [f"example 1: {NASTY}"]}))
    return folder


def add_sweep(folder: Path) -> None:
    row = {"valence_r": 0.9, "arousal_r": 0.8, "dominance_r": 0.7, "gain": 0.9, "keeps": 0.5}
    rows = [{"strength": 0.5 * i, **row, "kept": 1 - 0.15 * i} for i in (1, 2, 3)]
    facts = {"strength_range": [0.0, 0.65], "chance_r": 0.3, "pictures": 32, "reader": NASTY, "seconds": 9.0}
    values = {"rows": rows, **facts, "rule": 0.8, "verdict": "prompts are kept up to 0.65"}
    (folder / "sweep.json").write_text(json.dumps(values))
    Image.new("RGB", (700, 300)).save(folder / "sweep.png")


class Page(html.parser.HTMLParser):
    """Tags, text and what a page would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "srcset"}]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_page_holds_everything_and_fetches_nothing(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "my <run>")
    add_sweep(folder)
    page = Page(report.write(folder).read_text("utf-8"))
    assert page.tags.count("svg") == 4 and page.tags.count("img") == 3 and page.tags.count("table") == 2
    assert page.sources and all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert "script" not in page.tags and page.words.count(NASTY) >= 3  # model, reader, left out, as text
    for text in ("my <run>", "Step 40 of 40", "1.0 minutes for validation pictures", "up to 0.65"):
        assert text in page.words, text
    assert page.words.count("follows") == 3  # of the last validation only
    assert "1 examples could not be used" in page.words


def test_a_reader_that_fails_is_called_so(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    lines = (folder / "log.jsonl").read_text().splitlines()
    last = json.loads(lines[-1]) | {"control_valence_works": False, "control_arousal_collapsed": True}
    (folder / "log.jsonl").write_text("\n".join([*lines[:-1], json.dumps(last), ""]))
    words = Page(report.write(folder).read_text("utf-8")).words
    assert words.count("follows") == 1
    assert "no better than chance" in words and "hardly tells pictures apart" in words


def test_a_young_run_has_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('model = "m"\nsteps = 9\n[adapter]\nkind = "k"\n')
    words = Page(report.write(tmp_path).read_text("utf-8")).words
    assert "Step 0 of 9" in words and "Nothing was measured yet." in words


def test_many_grids_stay_a_light_page(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    for step in range(50, 62):
        Image.effect_noise((600, 600), 90).save(folder / "grids" / f"step-{step:08d}.png")
    page = report.write(folder)
    assert Page(page.read_text("utf-8")).tags.count("img") <= 9
    assert page.stat().st_size < 2_000_000


def test_the_command_says_where_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([str(run_folder(tmp_path / "run"))]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "run" / "report.html")
    assert report.main([str(tmp_path)]) == 2
    assert "holds no recipe.toml" in capsys.readouterr().err
    assert report.main([]) == 2


def test_charts_are_well_formed_and_inside_their_frame() -> None:
    points = tuple((step, 5.0 + step % 3) for step in range(1000))
    drawn = chart(
        Axes("step", "loss"), [Series("a & b", points), Series("limit", ((0, 9), (999, 9)), "limit")]
    )
    svg = ET.fromstring(drawn)
    _, _, width, height = map(float, svg.attrib["viewBox"].split())
    lines = [line.attrib["points"] for line in svg.iter("polyline")]
    assert len(lines) == 2 and len(lines[0].split()) <= 400
    for x, y in (pair.split(",") for line in lines for pair in line.split()):
        assert 0 <= float(x) <= width and 0 <= float(y) <= height
    assert "a & b" in [text.text for text in svg.iter("text")]


@pytest.mark.parametrize("points", [((1.0, 2.0),), ((1.0, 0.0), (1.0, 0.0)), ((0.0, 1e-9), (1.0, 1e9))])
def test_a_chart_of_little_is_a_chart(points: tuple[tuple[float, float], ...]) -> None:
    assert ET.fromstring(chart(Axes("step", "x"), [Series("one", points)])).tag == "svg"


def test_what_is_no_number_is_not_drawn() -> None:
    assert thinned([(0, 1), (1, float("nan")), (2, float("inf")), (3, 2)]) == ((0, 1), (3, 2))
    assert chart(Axes("step", "x"), [Series("one", ())]) == "<p class='soft'>Nothing was measured yet.</p>"


def test_names_at_line_ends_do_not_overlap() -> None:
    same = [Series(f"line {i}", ((0.0, 1.0), (1.0, 1.0 + i * 1e-6))) for i in range(5)]
    svg = ET.fromstring(chart(Axes("step", "x"), same))
    places = [float(t.attrib["y"]) for t in svg.iter("text") if (t.text or "").startswith("line")]
    assert all(later - earlier >= 14 for earlier, later in pairwise(places))
    assert max(places) < 260


def test_ticks_are_round_and_means_keep_a_straight_line() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(3, 47) == [10, 20, 30, 40]
    line = [(float(x), 2.0 * x) for x in range(50)]
    assert smoothed(line) == tuple(line)
