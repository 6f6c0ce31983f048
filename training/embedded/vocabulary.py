"""The vocabulary of the embedded image model: byte-pair encoding learned on the painter's captions.

Any text can be written in it (every byte has a token); the words of the captions are single tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

CONTEXT = 24  # tokens of a prompt, start and end included
SIZE = 1280
START, END = "<|startoftext|>", "<|endoftext|>"
# CLIP's own splitting of text: letters in runs, digits one by one, other signs in runs.
CLIP_WORDS = Regex(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


def learn(captions: Iterable[str], folder: Path) -> CLIPTokenizer:
    """Learn merges from captions and save a CLIP tokenizer folder (vocab.json, merges.txt)."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(CLIP_WORDS, "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - len(alphabet) - 2,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.model.save(str(folder))
    _complete(folder, alphabet)
    return load(folder)


def _complete(folder: Path, alphabet: list[str]) -> None:
    """Give every byte a token inside and at the end of a word, then every merge, then the special tokens.

    The trainer numbers the ends of words anew in every process; a model needs the same numbers always.
    """
    merges = (folder / "merges.txt").read_text("utf-8").splitlines()
    merged = ["".join(pair.split(" ")) for pair in merges if not pair.startswith("#version")]
    ordered = [*alphabet, *(byte + "</w>" for byte in alphabet), *merged, START, END]
    table = {token: index for index, token in enumerate(dict.fromkeys(ordered))}
    (folder / "vocab.json").write_text(json.dumps(table, ensure_ascii=False), "utf-8")


def load(folder: Path) -> CLIPTokenizer:
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=CONTEXT, pad_token=END
    )
