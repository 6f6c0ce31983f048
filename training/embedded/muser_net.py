"""The networks of the second music family, `music/muser`: first its autoencoder, then the prior of its codes.

    python -m training.embedded.muser_net codec|prior|save [--data runs/music] [--folder runs/music]

Both learn on the songs of music_set and are checked on those that are held out, which nothing is fitted to.
Either goes on where it stopped; `save` writes the model folder from what is trained so far.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from pipelines.music import _fields as fields
from pipelines.music import _muser_loss as muser
from pipelines.music._loading import FORMS, ready
from pipelines.music._muser_network import MuserCodec, MuserPrior
from pipelines.music._muser_sampling import MuserPipeline
from studio.catalog import ASSETS
from training.embedded._fit import Fit, Plan, load_average
from training.embedded.music_assets import form_library
from training.embedded.music_set import Songs, songs

BARS = 16
SHORT = 8  # bars of one batch in five, so that short pieces are known too
RARE_METER = 3.0  # how much oftener than its share 6/8 is seen
BATCH = 16
PRIOR_BATCH = 48
CODEC_PLAN = Plan(steps=4500, learning_rate=2e-3, warmup_steps=150, weight_decay=0.02, ema=0.998)
PRIOR_PLAN = Plan(steps=3000, learning_rate=2e-3, warmup_steps=150, weight_decay=0.03, ema=0.998)
CODEC, PRIOR = "muser-codec", "muser-prior"  # folders of checkpoints
CHECK_EVERY = 500
CHECKS = 8  # batches of held-out songs


def new_codec(seed: int) -> MuserCodec:
    torch.manual_seed(seed)
    return MuserCodec(dropout=0.1)


def new_prior(seed: int) -> MuserPrior:
    torch.manual_seed(seed)
    return MuserPrior(dropout=0.1)


def draw(data: Songs, rows: int, generator: torch.Generator) -> Tensor:
    """(rows', bars) indices of windows of BARS bars, or of SHORT ones in as many more rows."""
    bars = SHORT if torch.rand((), generator=generator) < 0.2 else BARS
    first = torch.nonzero(data.left >= bars).flatten()
    often = torch.where(data.bars[first, 0] == fields.METER_NAMES.index("6/8"), RARE_METER, 1.0)
    chosen = first[torch.multinomial(often, rows * BARS // bars, replacement=True, generator=generator)]
    return chosen[:, None] + torch.arange(bars)


def codec_losses(codec: MuserCodec, data: Songs, generator: torch.Generator) -> dict[str, Tensor]:
    index = draw(data, BATCH, generator)
    with torch.autocast("cpu", torch.bfloat16):
        return muser.codec_losses(codec, data.tokens[index].long(), data.bars[index, 0], generator)


def all_codes(codec: MuserCodec, data: Songs) -> Tensor:
    """(N, H, S) int16 codes of every bar."""
    codec.eval()
    with torch.no_grad():
        found = [codec.codes(part.long()[None])[0] for part in data.tokens.split(2048)]
    return torch.cat(found).short()


def prior_losses(
    prior: MuserPrior, data: Songs, codes: Tensor, rows: int, generator: torch.Generator
) -> dict[str, Tensor]:
    index = draw(data, rows, generator)
    truth, lag = codes[index].long(), data.lag[index]
    given, seen, hidden = muser.masked_codes(truth, codes[index - lag].long(), lag, generator)
    with torch.autocast("cpu", torch.bfloat16):
        logits = prior(given, seen, data.bars[index])
    return muser.prior_losses(logits, truth, hidden)


Losses = Callable[[str, torch.Generator], dict[str, Tensor]]  # (part of the songs, generator)


def checked(module: nn.Module, losses_of: Losses, folder: Path) -> Callable[[int, torch.Generator], Tensor]:
    """A loss for Fit that now and then writes how well held-out songs are told, to `held_out.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        if step % CHECK_EVERY == 0:
            found = held_out_losses(module, losses_of)
            with (folder / "held_out.jsonl").open("a") as log:
                log.write(json.dumps({"step": step, "time": round(time.time()), **found}) + "\n")
        module.train()
        return muser.total(losses_of("train", generator))

    return loss_of


def held_out_losses(module: nn.Module, losses_of: Losses) -> dict[str, float]:
    """Means over the same few batches each time."""
    module.eval()
    with torch.no_grad():
        batches = [losses_of("held_out", torch.Generator().manual_seed(seed)) for seed in range(CHECKS)]
    names = batches[0]
    return {
        name: round(float(torch.stack([batch[name] for batch in batches if name in batch]).mean()), 4)
        for name in names
    }


def train_codec(data: dict[str, Songs], folder: Path, seed: int) -> MuserCodec:
    codec = new_codec(seed)

    def losses_of(part: str, generator: torch.Generator) -> dict[str, Tensor]:
        return codec_losses(codec, data[part], generator)

    Fit(codec, CODEC_PLAN, folder, seed).run(checked(codec, losses_of, folder), "muser codec")
    return codec


def trained_codec(folder: Path, seed: int) -> MuserCodec:
    codec = new_codec(seed)
    load_average(codec, folder)
    return codec.eval()


def train_prior(data: dict[str, Songs], codec_folder: Path, folder: Path, seed: int) -> MuserPrior:
    codec, prior = trained_codec(codec_folder, seed), new_prior(seed)
    codes = {part: all_codes(codec, one) for part, one in data.items()}

    def losses_of(part: str, generator: torch.Generator) -> dict[str, Tensor]:
        return prior_losses(prior, data[part], codes[part], PRIOR_BATCH, generator)

    Fit(prior, PRIOR_PLAN, folder, seed).run(checked(prior, losses_of, folder), "muser prior")
    return prior


def save(data: Songs, folder: Path, model: Path, seed: int) -> None:
    """The folder that `music/muser` loads. The autoencoder in float32: codes must be the same everywhere."""
    prior = new_prior(seed)
    load_average(prior, folder / PRIOR)
    codec = trained_codec(folder / CODEC, seed)
    for network in (codec, prior):
        network.register_to_config(dropout=0.0)
    pipe = ready(MuserPipeline(codec, prior), "cpu")
    prior.half()
    pipe.save_pretrained(model, max_shard_size="15MB")
    forms = form_library(data, seed)
    save_file({str(bars): found for bars, found in forms.items()}, model / FORMS)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["codec", "prior", "save"])
    parser.add_argument(
        "--data", type=Path, default=Path("runs/music"), help="where music_set kept the songs"
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/music"), help="for checkpoints")
    parser.add_argument("--model", type=Path, default=ASSETS / "models" / "muser-tiny", help="for `save`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves it to torch")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    data = {part: songs(asked.data, Path(), part) for part in ("train", "held_out")}
    if asked.what == "codec":
        train_codec(data, asked.folder / CODEC, asked.seed)
    elif asked.what == "prior":
        train_prior(data, asked.folder / CODEC, asked.folder / PRIOR, asked.seed)
    else:
        save(data["train"], asked.folder, asked.model, asked.seed)


if __name__ == "__main__":
    main()
