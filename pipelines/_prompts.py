"""What text encoders read of prompts. Knows tokenizers; knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def unread(prompts: Sequence[str], tokenizer: Any, most: int) -> list[str]:
    """The end of each prompt beyond `most` tokens, as its tokenizer spells it; "" where all is read."""
    room = most - len(tokenizer("")["input_ids"])  # special tokens, which every prompt has
    said = tokenizer(list(prompts), add_special_tokens=False, verbose=False)["input_ids"]
    return [tokenizer.decode(tokens[room:]).strip() for tokens in said]
