"""`report.html`: all that a run knows of itself on one page that needs nothing beside it.

Made from the files of the run folder alone (log, recipe, grids, sweep, cache), so it can be written at any
moment and again later: `python -m training.report RUN`. Everything that comes from outside is escaped; the
page has no script and fetches nothing.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from studio import catalog
from studio.emotion.vad import AXES
from studio.errors import InputError, StudioError
from studio.storage import write_atomically
from studio.training_files import GRIDS, step_of
from training import log, medium
from training.charts import Axes, Series, chart, smoothed
from training.control import label_sentence
from training.medium import Words
from training.sweep import RESULT, STRIP

REPORT = "report.html"
_PAGE = Path(__file__).with_name("report_page.html")
_LOOKS = ("c1", "c2", "c3")
_LOSSES = {
    "validation_loss": "own feelings",
    "validation_loss_other_emotions": "each other's",
    "validation_loss_base": "no adapter",
}
_GRID_PX, _EARLIER_PX, _EARLIER = 900, 280, 8
_LEFT_OUT = 50  # lines shown
_KINDS = {".mid": "audio/midi"}
Lines = Sequence[Mapping[str, Any]]


def write(run: Path) -> Path:
    """Write `report.html` into a run folder from what is there by now; its path. Raises StudioError."""
    lines, recipe = log.read(run), _text(run / "recipe.toml")
    if not recipe:
        raise InputError("run", run, f"{str(run)!r} holds no recipe.toml; it is no run folder")
    title, values = f"{run.absolute().name}: training report", tomllib.loads(recipe)
    words = medium.of(str(values.get("pipeline", catalog.DEFAULT_PIPELINE))).words
    parts = [
        _head(run, lines, values, words),
        _control(lines, words),
        _grids(run),
        _sweep(run, words),
        _losses(lines, words),
        _left_out(run),
        f"<h2>Recipe</h2><pre>{escape(recipe)}</pre>",
    ]
    page = _PAGE.read_text("utf-8").replace("<!--title-->", escape(title))
    head, foot = page.split("<!--body-->")
    data = (head + "\n".join(part for part in parts if part) + foot).encode()
    write_atomically(run / REPORT, lambda file: file.write(data))
    return run / REPORT


def _head(run: Path, lines: Lines, recipe: Mapping[str, Any], words: Words) -> str:
    step, speeds = (lines[-1]["step"] if lines else 0), [v for _, v in _points(lines, "samples_per_s")]
    seconds = sum(value for _, value in _points(lines, "picture_seconds"))
    said = [f"Step {step} of {recipe['steps']}"]
    if speeds:
        said.append(f"{speeds[-1]:.1f} samples/s at the end")
    if seconds:
        said.append(f"{seconds / 60:.1f} minutes for validation {words.many}")
    about = f"An emotion adapter for {recipe['model']}, basis {recipe['adapter'].get('basis', 'its own')}."
    text = escape(f"{about} {' · '.join(said)}.")
    return f"<h1>{escape(run.absolute().name)}</h1><p class='soft'>{text}</p>"


def _control(lines: Lines, words: Words) -> str:
    """The correlation of every axis over the run, and all figures of the last validation."""
    axes = [axis for axis in AXES if _points(lines, f"control_{axis}_r")]
    if not axes:
        return ""
    series = [
        Series(a, _points(lines, f"control_{a}_r"), look) for a, look in zip(axes, _LOOKS, strict=False)
    ]
    chance = Series("chance (95%)", _points(lines, f"control_{axes[0]}_chance_r"), "limit")
    last = next(line for line in reversed(lines) if f"control_{axes[0]}_r" in line)
    text = (
        f"Feelings were asked for, {words.many} made, and a reader said what they show. Chance is what 95% "
        "of wrongly paired readings stay below; the constant answer is the best one gets without looking."
    )
    drawn = chart(Axes("step", "correlation", low=0.0, high=1.0, whole=True), [*series, chance])
    return (
        f"<h2>Control: asked against read</h2><p>{text}</p>"
        f"<h3>Correlation (Pearson r, no unit)</h3>{drawn}"
        f"<h3>At step {int(last['step'])}</h3>{_control_table(last, axes, words)}"
    )


def _control_table(line: Mapping[str, Any], axes: Sequence[str], words: Words) -> str:
    names = ("r", "chance_r", "p", "spearman", "mae", "constant_mae", "spread")
    head = (
        "axis",
        "r",
        "chance r",
        "p",
        "Spearman",
        "mean error",
        "constant answer",
        "spread read/asked",
        "",
    )
    rows = []
    for axis in axes:
        value = {name: float(line[f"control_{axis}_{name}"]) for name in names}
        shown = [f"{value['p']:.4f}" if name == "p" else f"{value[name]:.2f}" for name in names]
        rows.append([axis, *shown, _verdict(line, axis, words)])
    note = "Errors in units of the axis, which runs from -1 to 1."
    if "control_prompt" in line:
        what = f"Mean {words.kept} score of these {words.many}, on the reader's scale"
        note += f" {what}: {line['control_prompt']:.3f}."
    if "control_motion_arousal_r" in line:
        note += (
            f" How much {words.many} move goes with arousal by r = {line['control_motion_arousal_r']:.2f}."
        )
    sentence = label_sentence(line, words.many)
    named = f"<p>{sentence}</p>" if sentence else ""
    return _table(head, rows) + named + f"<p class='soft'>{note}</p>"


def _verdict(line: Mapping[str, Any], axis: str, words: Words) -> str:
    if line[f"control_{axis}_collapsed"]:
        return f"<span class='bad'>the reader hardly tells {words.many} apart</span>"
    if not line[f"control_{axis}_works"]:
        return "<span class='bad'>no better than chance</span>"
    if not line[f"control_{axis}_beats_constant"]:
        return "<span class='good'>follows</span>, on a scale of its own"
    return "<span class='good'>follows</span>"


def _grids(run: Path) -> str:
    """The newest grid large, some earlier ones small."""
    found = sorted((run / GRIDS).glob("step-*.png"))
    if not found:
        return ""
    *before, newest = found
    every = max(1, -(-len(before) // _EARLIER))
    small = "".join(_figure(path, _EARLIER_PX, _named(path)) for path in before[::every])
    text = "One seed; along a row only the feeling moves."
    earlier = f"<h3>Earlier</h3><div class='earlier'>{small}</div>" if small else ""
    largest = _figure(newest, _GRID_PX, _named(newest)) + _files(newest)
    return f"<h2>The plane of feelings</h2><p>{text}</p>{largest}{earlier}"


def _files(grid: Path) -> str:
    """What belongs to the places of a grid and is no picture, to be saved from the page: MIDI files."""
    links = [
        f"<a download='{escape(path.name)}' href='data:{_KINDS[path.suffix]};base64,{_base64(path)}'>"
        f"{escape(path.stem.replace('_', ' '))}</a>"
        for path in sorted(grid.with_suffix("").glob("*"))
        if path.suffix in _KINDS
    ]
    if not links:
        return ""
    return f"<details><summary>To listen to: {len(links)} files</summary><p>{' · '.join(links)}</p></details>"


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _named(path: Path) -> str:
    return f"Step {step_of(path)}"


def _sweep(run: Path, words: Words) -> str:
    """Strengths: what was found, a chart, a table and the strip."""
    text = _text(run / RESULT)
    if not text:
        return ""
    found = json.loads(text)
    rows = found["rows"]
    kept = Series(f"{words.kept} kept", tuple((row["strength"], row["kept"]) for row in rows), "c1")
    moved = Series("moved", tuple((row["strength"], row["gain"]) for row in rows), "c2")
    span = (rows[0]["strength"], rows[-1]["strength"])
    limit = Series(f"{found['rule']:.0%} kept", tuple((edge, found["rule"]) for edge in span), "limit")
    axes = Axes("strength", "share", low=0.0, high=1.0, shaded=found["strength_range"])
    head = ("strength", "valence r", "arousal r", "dominance r", "moved", f"{words.kept} kept")
    names = ("strength", "valence_r", "arousal_r", "dominance_r", "gain")
    cells = [[*(f"{row[name]:.2f}" for name in names), f"{row['kept']:.0%}"] for row in rows]
    note = (
        f"{found['pictures']} {words.many} at each strength, read by {found['reader']}, "
        f"{found['seconds']:.0f} s. Moved: how far readings went along what was asked, 1 is as far as asked. "
        f"{words.kept.capitalize()} kept: 100% is the bare model, 0% is {words.lost}. "
        f"Correlations above {found['chance_r']:.2f} are beyond chance."
    )
    strip = _figure(run / STRIP, _GRID_PX, "") if (run / STRIP).is_file() else ""
    return (
        f"<h2>Strength</h2><p>{escape(found['verdict'].capitalize())}.</p>{chart(axes, [kept, moved, limit])}"
        f"{_table(head, cells)}<p class='soft'>{escape(note)}</p>{strip}"
    )


def _losses(lines: Lines, words: Words) -> str:
    loss = _points(lines, "loss")
    looks = ("c1", "c2", "limit")
    held_out = [
        Series(n, _points(lines, key), look) for (key, n), look in zip(_LOSSES.items(), looks, strict=True)
    ]
    axes = Axes("step", "loss", whole=True)
    trained = chart(axes, [Series("", loss, "faint"), Series("mean", smoothed(loss), "c1")])
    text = f"{words.loss}, no unit; smaller is better."
    parts = [f"<h2>Loss</h2><p>{text}</p><h3>In training</h3>{trained}"]
    if any(series.points for series in held_out):
        why = "Fixed noise. With feelings learnt, the loss is lowest with each example's own."
        parts.append(f"<h3>On held-out examples</h3><p>{why}</p>{chart(axes, held_out)}")
    return "".join(parts)


def _left_out(run: Path) -> str:
    """Examples that could not be used, from the newest cache."""
    indices = sorted((run / "cache").glob("*/index.json"), key=lambda path: path.stat().st_mtime)
    if not indices:
        return ""
    index = json.loads(indices[-1].read_text("utf-8"))
    bad, too_long = index.get("left_out", []), index.get("too_long", 0)
    cut = f"<p>{too_long} captions are longer than the model reads.</p>" if too_long else ""
    if not bad:
        return f"<h2>Left out</h2><p>No example had to be left out.</p>{cut}"
    items = "".join(f"<li>{escape(str(line))}</li>" for line in bad[:_LEFT_OUT])
    more = f"<p>and {len(bad) - _LEFT_OUT} more</p>" if len(bad) > _LEFT_OUT else ""
    return (
        f"<h2>Left out</h2><details open><summary>{len(bad)} examples could not be used</summary>"
        f"<ul>{items}</ul>{more}</details>{cut}"
    )


def _points(lines: Lines, name: str) -> tuple[tuple[float, float], ...]:
    return tuple((float(line["step"]), float(line[name])) for line in lines if name in line)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are markup already; heads are text."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='scroll'><table><tr>{top}</tr>{body}</table></div>"


def _figure(path: Path, width_px: int, caption: str) -> str:
    """A picture inside the page, small enough that many validations still make a light file."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.thumbnail((width_px, 4 * width_px), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=86, optimize=True)
    source = base64.b64encode(data.getvalue()).decode()
    text = escape(caption)
    below = f"<figcaption>{text}</figcaption>" if text else ""
    image_tag = f"<img alt='{text or escape(path.stem)}' src='data:image/jpeg;base64,{source}'>"
    return f"<figure>{image_tag}{below}</figure>"


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    if len(arguments) != 1:
        print("usage: python -m training.report RUN", file=sys.stderr)
        return 2
    try:
        print(write(Path(arguments[0])))
    except StudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
