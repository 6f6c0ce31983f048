"""Parts of toy models of more than one medium, made in code: the real classes, small, with random weights.

Knows no family.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines._loading import quiet
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

transformers = lazy("transformers")


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Weights that are made inside the block follow `seed`; the caller's randomness stays as it was."""
    quiet()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def t5_tokenizer(length: int) -> Any:
    """T5's tokenizer with single characters as its vocabulary; prompts are padded or cut to `length`."""
    pieces = ["▁", *(chr(code) for code in range(33, 127))]
    special = [(token, 0.0) for token in ("<pad>", "</s>", "<unk>")]
    vocabulary = [*special, *((piece, -2.0) for piece in pieces)]
    return transformers.T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=length)


def t5_encoder(tokenizer: Any, width: int) -> Any:
    config = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=8,
        d_ff=2 * width,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
    )
    return transformers.T5EncoderModel(config)


def lively(network: Any) -> Any:
    """`network` with weights large enough that each layer keeps the size of what it gets: small ones fade."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight *= 3**0.5
    return network
