"""Parts of toy models that only flow-matching picture families have: a Qwen3 reader with its tokenizer.

The classes are the real ones, only small and with random weights. Knows no family.
"""

from __future__ import annotations

from typing import Any

from pipelines._toys import lively as lively
from pipelines._toys import t5_encoder as t5_encoder
from pipelines._toys import t5_tokenizer as t5_tokenizer
from studio.lazy import lazy

tokenizers = lazy("tokenizers")
transformers = lazy("transformers")

VAE = {"use_quant_conv": False, "use_post_quant_conv": False}  # as these families leave them out
_CHAT = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_tokenizer(length: int) -> Any:
    """Qwen's tokenizer with the 256 bytes as its vocabulary, no merges, and a chat template."""
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words = [*sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()), *marks]
    vocabulary = {word: number for number, word in enumerate(words)}
    made = transformers.Qwen2Tokenizer(vocab=vocabulary, merges=[], model_max_length=length)
    made.add_special_tokens({"additional_special_tokens": marks[1:]})
    made.chat_template = _CHAT
    return made


def qwen3_reader(tokenizer: Any, width: int) -> Any:
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=512,
    )
    return transformers.Qwen3Model(config)
