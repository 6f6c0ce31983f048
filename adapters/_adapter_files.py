"""An adapter folder on disk: `adapter.json` beside `adapter.safetensors`. Knows no adapter kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from studio.errors import ModelError
from studio.lazy import lazy
from studio.storage import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

safetensors = lazy("safetensors")
safetensors_torch = lazy("safetensors.torch")

CARD = "adapter.json"
WEIGHTS = "adapter.safetensors"


def read_adapter(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Card and weights of the adapter in folder `path`. Raises ModelError; only safetensors are read."""
    card, weights_path = read_card(path, kind), path / WEIGHTS
    if not weights_path.is_file():
        raise ModelError(f"adapter: {str(path)!r} has no {WEIGHTS}; pickled weights are not loaded")
    try:
        return card, safetensors_torch.load_file(weights_path)
    except safetensors.SafetensorError as error:
        raise ModelError(f"adapter: {str(weights_path)!r} is damaged: {error}") from None


def read_card(path: Path, kind: str) -> dict[str, Any]:
    """The card alone. Raises ModelError for a folder that is no adapter of that kind."""
    card_path = path / CARD
    if not card_path.is_file():
        raise ModelError(f"adapter: {str(path)!r} is not an adapter folder (no {CARD} in it)")
    try:
        card = json.loads(card_path.read_text("utf-8"))
    except ValueError as error:
        raise ModelError(f"adapter: {str(card_path)!r} cannot be read: {error}") from None
    if not isinstance(card, dict) or card.get("kind") != kind:
        found = card.get("kind") if isinstance(card, dict) else card
        raise ModelError(f"adapter: {str(path)!r} is of kind {found!r}, expected {kind!r}")
    return card


def write_adapter(path: Path, card: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Write weights first: a folder with a card is complete. Raises StorageError."""
    data = safetensors_torch.save(dict(weights), metadata={"format": "pt"})
    _write(path / WEIGHTS, data)
    write_card(path, card)


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Raises StorageError."""
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    _write(path / CARD, text.encode())


def _write(path: Path, data: bytes) -> None:
    def write(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, write)
