"""Trains `assets/models/word-reader` on GoEmotions: English comments, Apache-2.0 (Demszky et al. 2020).

`python -m training.embedded.word_reader FOLDER [--out FOLDER] [--seed N]`. The folder holds `labels.txt`,
`train.tsv` and a held-out `dev.tsv` or `test.tsv` (text, label numbers, id). Features that are met often get
a short vector each, a sentence is their sum (Joulin et al. 2016, "Bag of tricks for efficient text
classification"); what it is told is all labels of a comment in equal shares. Most features are left out at
random at every step, or the vectors learn the comments by heart. Lines of our own (`_word_lines`) are added.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save as serialised
from torch import Tensor, nn

from pipelines.portrait import _word_features as features
from pipelines.portrait._read_words import FOLDER, MOST_OF_ONE, TAXONOMY, WordModel
from studio.emotion import lexicon
from studio.errors import InputError
from training.embedded._word_lines import lines

FEATURES, CHANNELS = 60_000, 24
EPOCHS, BATCH, LEARNING_RATE, LEFT_OUT = 4, 256, 5e-3, 0.6
HELD_OUT = ("test.tsv", "dev.tsv")
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Comments:
    """`told` (n, K): shares of the labels of each text, summing to 1."""

    texts: list[str]
    told: npt.NDArray[np.float32]


class Net(nn.Module):
    """Features to logits."""

    def __init__(self, count: int, labels: int) -> None:
        super().__init__()
        self.vectors = nn.EmbeddingBag(count, CHANNELS, mode="sum")
        nn.init.normal_(self.vectors.weight, 0, 0.05)
        self.head = nn.Linear(CHANNELS, labels)

    def forward(self, places: Tensor, often: Tensor, starts: Tensor, counts: Tensor) -> Tensor:
        total = self.vectors(places, starts, per_sample_weights=often)
        return self.head(total / (counts[:, None] ** 0.5 + 1))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The known features of all texts, one text after the other."""

    places: npt.NDArray[np.int64]
    often: npt.NDArray[np.float32]
    edges: npt.NDArray[np.int64]

    def batch(self, chosen: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        counts = self.edges[chosen + 1] - self.edges[chosen]
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        inside = np.arange(counts.sum()) - np.repeat(starts, counts) + np.repeat(self.edges[chosen], counts)
        parts = (self.places[inside], self.often[inside], starts, counts.astype(np.float32))
        return tuple(torch.from_numpy(part) for part in parts)  # type: ignore[return-value]


def read_file(path: Path) -> Comments:
    """Lines of text, label numbers and id, apart by tabs. Raises InputError, which names the line."""
    words = labels()
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise InputError("file", path, f"{str(path)!r} cannot be read ({error.strerror})") from error
    texts, told = [], np.zeros((len(lines), len(words)), np.float32)
    for number, line in enumerate(lines):
        text, tab, rest = line.partition("\t")
        numbers = rest.partition("\t")[0].split(",")
        if not tab or not all(one.isdigit() and int(one) < len(words) for one in numbers):
            why = f"line {number + 1} of {path.name} must be text, label numbers below {len(words)}, id"
            raise InputError("file", line, why)
        texts.append(text)
        told[number, [int(one) for one in numbers]] = 1 / len(numbers)
    return Comments(texts, told)


def with_lines(comments: Comments) -> Comments:
    """And what the studio's own lexicon and emoji say."""
    texts, told = lines()
    return Comments([*comments.texts, *texts], np.concatenate([comments.told, told]))


def labels() -> tuple[str, ...]:
    """In the order of the data set's numbers."""
    return tuple(label.word for label in lexicon().labels(TAXONOMY))


def fit(comments: Comments, seed: int, epochs: int = EPOCHS, keep: int = FEATURES) -> WordModel:
    """Cross-entropy against the shares. The same seed gives the same reader on the same machine."""
    found = [features.hashed(text) for text in comments.texts]
    often = Counter(key for each in found for key in each)
    keys = np.sort(np.array([key for key, _ in often.most_common(keep)], np.uint32))
    rows, told = _rows(found, keys), torch.from_numpy(comments.told)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = Net(len(keys), comments.told.shape[1])
    optimizer = torch.optim.Adam(net.parameters(), LEARNING_RATE)
    steps = max(1, len(comments.texts) // BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps * epochs + 1, pct_start=0.1
    )
    for _ in range(epochs):
        order = rng.permutation(len(comments.texts))
        for chosen in np.array_split(order, steps):
            places, weights, starts, counts = rows.batch(chosen)
            weights = weights * (torch.rand(len(weights)) > LEFT_OUT) / (1 - LEFT_OUT)
            logits = net(places, weights, starts, counts)
            loss = -(told[chosen] * logits.log_softmax(1)).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            pace.step()
    return _model(net, keys)


def quality(model: WordModel, held_out: Comments) -> dict[str, float]:
    """Against the points of the labels; `_mae_mean` is the error of one who always says the mean."""
    words = labels()
    by_word = {label.word: label.vad.as_tuple() for label in lexicon().labels(TAXONOMY)}
    points = np.array([by_word[word] for word in words])
    shares = np.stack([model.shares(text) for text in held_out.texts])
    told, read = held_out.told @ points, shares @ points
    found: dict[str, float] = {"comments": float(len(told))}
    for name, one, other in zip(("valence", "arousal", "dominance"), told.T, read.T, strict=True):
        found[f"{name}_r"] = float(np.corrcoef(one, other)[0, 1])
        found[f"{name}_mae"] = float(np.abs(one - other).mean())
        found[f"{name}_mae_mean"] = float(np.abs(one - one.mean()).mean())
    best = shares.argmax(1)
    found["label_accuracy"] = float((held_out.told[np.arange(len(best)), best] > 0).mean())
    found["label_most_frequent"] = float((held_out.told > 0).mean(0).max())
    groups = np.array([_group(word) for word in words])
    members = (groups[:, None] == np.unique(groups)).astype(float)
    right = (held_out.told @ members)[np.arange(len(best)), (shares @ members).argmax(1)] > 0
    found["group_accuracy"] = float(right.mean())
    found["group_most_frequent"] = float(((held_out.told @ members) > 0).mean(0).max())
    return found


def save(model: WordModel, folder: Path, seed: int, figures: dict[str, float]) -> None:
    """`model.safetensors` (half precision) and `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "keys": model.keys,
        "vectors": model.vectors.astype(np.float16),
        "head": model.head.astype(np.float32),
        "bias": model.bias.astype(np.float32),
    }
    (folder / "model.safetensors").write_bytes(serialised(tensors))
    rounded = {name: round(value, 3) for name, value in figures.items()}
    config = {"labels": model.labels, "seed": seed, "quality": rounded}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def _group(word: str) -> str:
    """One of Ekman's six or neutral, as GoEmotions sorts its labels."""
    groups = lexicon().taxonomy("ekman7").details["from_goemotions"]
    return next(str(group) for group, members in groups.items() if word in members)


def _rows(found: list[dict[int, float]], keys: npt.NDArray[np.uint32]) -> Rows:
    place = {int(key): number for number, key in enumerate(keys)}
    kept = [[(place[key], min(n, MOST_OF_ONE)) for key, n in each.items() if key in place] for each in found]
    flat = [pair for row in kept for pair in row]
    return Rows(
        np.array([number for number, _ in flat], np.int64),
        np.array([often for _, often in flat], np.float32),
        np.concatenate([[0], np.cumsum([len(row) for row in kept])]).astype(np.int64),
    )


def _model(net: Net, keys: npt.NDArray[np.uint32]) -> WordModel:
    with torch.no_grad():
        vectors = net.vectors.weight.half().float().numpy()
        head, bias = net.head.weight.T.double().numpy(), net.head.bias.double().numpy()
    return WordModel(keys, vectors, head.copy(), bias.copy(), labels())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    held_out = next((options.root / name for name in HELD_OUT if (options.root / name).is_file()), None)
    if held_out is None:
        raise InputError("root", options.root, f"{str(options.root)!r} has none of {', '.join(HELD_OUT)}")
    model = fit(with_lines(read_file(options.root / "train.tsv")), options.seed)
    figures = quality(model, read_file(held_out))
    save(model, options.out, options.seed, figures)
    print("\n".join(f"{name:<22} {value:.3f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
