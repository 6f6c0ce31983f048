"""The README.md of a trained adapter: what it is, what it was made from, and how well it did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.storage import write_atomically
from training.config import Recipe

_FIGURES = {
    "validation_loss": "loss on held-out examples",
    "validation_loss_other_emotions": "the same with each other's emotions",
    "validation_loss_base": "the same without the adapter",
}


def write_card(folder: Path, recipe: Recipe, facts: Mapping[str, Any], figures: Mapping[str, float]) -> None:
    """Write README.md into an adapter folder. `facts`: data, model revision, versions, steps, seconds."""
    text = "\n\n".join(
        [
            f"# {Path(recipe.output).name}",
            f"An emotion adapter (`{recipe.adapter.kind}`) for `{recipe.model}` of `{recipe.pipeline}`. "
            "At the neutral point it is exactly absent.",
            "## Figures\n\n" + _figures(figures),
            "## Made by\n\n" + _table(facts),
            f"## Recipe\n\nSeed {recipe.seed}. On one CPU process the same recipe, data and base model make "
            f"the same weights.\n\n```toml\n{recipe.to_toml()}```",
        ]
    )
    write_atomically(folder / "README.md", lambda file: file.write((text + "\n").encode()))


def _figures(figures: Mapping[str, float]) -> str:
    if not figures:
        return "None were measured: the recipe holds out no example (`validate_every`, `validation_count`)."
    lines = _table({_FIGURES.get(name, name): f"{value:.5f}" for name, value in figures.items()})
    return f"{lines}\n\nFixed noise; smaller is better. The first is the smallest if feelings were learnt."


def _table(values: Mapping[str, Any]) -> str:
    rows = (f"| {name} | {_plain(value)} |" for name, value in values.items())
    return "\n".join(["| | |", "|---|---|", *rows])


def _plain(value: Any) -> str:
    return f"`{json.dumps(value)}`" if isinstance(value, dict | list) else str(value)
