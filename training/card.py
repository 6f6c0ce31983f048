"""What an adapter's folder says of it: README.md, what it was made from and how well it did; adapter.json.

Every figure in it was measured by the run; what was not measured is said to be so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio import catalog
from studio.emotion.vad import AXES
from studio.storage import write_atomically
from training import medium
from training.config import Recipe
from training.control import label_sentence
from training.medium import Words
from training.strength import Sweep

_LOSSES = {
    "validation_loss": "loss on held-out examples",
    "validation_loss_other_emotions": "the same with each other's emotions",
    "validation_loss_base": "the same without the adapter",
}
_DATA = ("data", "examples")  # facts that are of the data


def write_card(
    folder: Path,
    recipe: Recipe,
    facts: Mapping[str, Any],
    figures: Mapping[str, float],
    swept: Sweep | None = None,
) -> None:
    """Write README.md into an adapter folder. Raises StorageError.

    `facts`: data, examples, model revision, versions, steps, time. `figures`: of the last validation.
    """
    kind = f"`{recipe.adapter.kind}`, basis `{getattr(recipe.adapter.config, 'basis', 'its own')}`"
    sections = {
        "Data": _table({name: facts[name] for name in _DATA if name in facts}),
        "Recipe": _recipe(recipe, {name: value for name, value in facts.items() if name not in _DATA}),
        "Validation": _validation(figures),
        "Quality": _quality(figures, swept, medium.of(recipe.pipeline).words),
        "Limits": _limits(recipe, swept),
        "Licence": "Not chosen yet: say here under which terms others may use this file. The licence of "
        f"`{recipe.model}` and that of the data may bind it.",
    }
    head = (
        f"# {Path(recipe.output).name}\n\nAn emotion adapter ({kind}) for `{recipe.model}` of "
        f"`{recipe.pipeline}`. At the neutral point it is exactly absent."
    )
    text = "\n\n".join([head, *(f"## {name}\n\n{body}" for name, body in sections.items())])
    write_atomically(folder / "README.md", lambda file: file.write((text + "\n").encode()))


def add_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Put values into the `adapter.json` of an adapter's folder. Raises ModelError, StorageError."""
    card = {**catalog.adapter_card(str(folder)), **facts}
    data = (json.dumps(card, indent=2) + "\n").encode()
    write_atomically(folder / "adapter.json", lambda file: file.write(data))


def _recipe(recipe: Recipe, facts: Mapping[str, Any]) -> str:
    return (
        f"{_table(facts)}\n\nSeed {recipe.seed}. On one CPU process the same recipe, data and base "
        f"make the same weights.\n\n```toml\n{recipe.to_toml()}```"
    )


def _validation(figures: Mapping[str, float]) -> str:
    found = {text: f"{figures[name]:.5f}" for name, text in _LOSSES.items() if name in figures}
    if not found:
        return "None was measured: the recipe holds out no example (`validate_every`, `validation_count`)."
    note = "Fixed noise; smaller is better. The first is the smallest if feelings were learnt."
    return f"{_table(found)}\n\n{note}"


def _quality(figures: Mapping[str, float], swept: Sweep | None, words: Words) -> str:
    """Control figures and the sweep, each with what it was measured by."""
    axes = [axis for axis in AXES if f"control_{axis}_r" in figures]
    if not axes:
        return f"Not measured: no reader looked at its {words.many} (`validate_every`, `reader`)."
    parts = [_control(figures, axes, words)]
    if swept:
        parts.append(f"At rising strengths ({swept.pictures} {words.many} each):\n\n{swept.table()}")
    reader = f"`{swept.reader}`" if swept else "the recipe's reader"
    parts.append(
        f"Read by {reader}, which has its own idea of how a feeling shows: the figures say that the "
        "adapter does what it was taught, not that people would feel so."
    )
    return "\n\n".join(parts)


def _control(figures: Mapping[str, float], axes: list[str], words: Words) -> str:
    head = "| axis | correlation of asked and read | chance (95%) | p | mean error | constant answer |"
    names = ("r", "chance_r", "p", "mae", "constant_mae")
    lines = [head, "|---|---:|---:|---:|---:|---:|"]
    for axis in axes:
        r, chance, p, mae, constant = (figures[f"control_{axis}_{name}"] for name in names)
        lines.append(f"| {axis} | {r:.3f} | {chance:.3f} | {p:.4f} | {mae:.3f} | {constant:.3f} |")
    failed = [axis for axis in axes if not figures[f"control_{axis}_works"]]
    verdict = f"Not shown to follow what is asked: {', '.join(failed)}." if failed else ""
    said = [text for text in (verdict, label_sentence(figures, words.many)) if text]
    return "\n\n".join(["\n".join(lines), *said])


def _limits(recipe: Recipe, swept: Sweep | None) -> str:
    made_for = f"Made for `{recipe.model}`; on a model with other layers loading it is an error."
    if swept is None:
        return f"{made_for} Its usable strengths were not measured."
    return f"{made_for} In the sweep {swept.verdict}."


def _table(values: Mapping[str, Any]) -> str:
    rows = (f"| {name} | {_plain(value)} |" for name, value in values.items())
    return "\n".join(["| | |", "|---|---|", *rows])


def _plain(value: Any) -> str:
    text = f"`{json.dumps(value)}`" if isinstance(value, dict | list) else str(value)
    return text.replace("|", "\\|")
