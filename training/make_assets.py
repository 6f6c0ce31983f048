"""Make the embedded assets again: `python -m training.make_assets image --seed 0`.

Every training resumes where it stopped and a finished one is not repeated; stages can be run one by one with
`--stage`, side by side on several cores. Pictures are made from nothing: no download, no foreign data. Music
is learnt from a folder with POP909: `python -m training.make_assets music --data POP909`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

from studio.catalog import ASSETS
from training.embedded import autoencoder, music_assets, painter_net, readers, vocabulary
from training.embedded._fit import load_average
from training.embedded.paintings import Gallery, gallery

RUNS = Path("runs/image")
MODEL = ASSETS / "models" / "emotion-tiny"
GUIDANCE = 3.0  # where scenes are named best while colours stay calm
READER = ASSETS / "models" / "picture-reader"
# name: (pictures, offset to the seed, law of the feelings); the seeds of a gallery never meet another's
GALLERIES = {
    "base": (24576, 1, "plain"),
    "reader": (10240, 3, "any"),
    "held_out": (1024, 4, "any"),
}


def open_gallery(name: str, seed: int) -> Gallery:
    count, offset, law = GALLERIES[name]
    return gallery(RUNS / name, count, 10 * seed + offset, law)


def make_autoencoder(seed: int) -> None:
    pictures = open_gallery("base", seed).pictures
    autoencoder.train(autoencoder.new(seed), pictures, RUNS / "autoencoder", seed)


def trained_autoencoder(seed: int) -> autoencoder.AutoencoderKL:
    model = autoencoder.new(seed)
    load_average(model, RUNS / "autoencoder")
    return model.eval()


def latents_of(name: str, seed: int) -> Tensor:
    """Unscaled latents of a gallery, computed once."""
    file = RUNS / f"latents-{name}.safetensors"
    if not file.exists():
        model = trained_autoencoder(seed)
        found = autoencoder.encode(model, open_gallery(name, seed).pictures)
        save_file({"latents": found.half().contiguous()}, file)
    return load_file(file)["latents"].float()


def scaling_factor(latents: Tensor) -> float:
    """What brings the latents to unit size, as Stable Diffusion's VAE config means it."""
    return round(1 / float(latents.square().mean().sqrt()), 4)


def make_painter(seed: int) -> None:
    shown = open_gallery("base", seed)
    known = (RUNS / "tokenizer" / "vocab.json").is_file()
    tokenizer = (
        vocabulary.load(RUNS / "tokenizer") if known else vocabulary.learn(shown.captions, RUNS / "tokenizer")
    )
    latents = latents_of("base", seed)
    torch.manual_seed(seed)
    net = painter_net.PainterNet(len(tokenizer))
    tokens = painter_net.tokens_of(tokenizer, list(shown.captions))
    empty = painter_net.tokens_of(tokenizer, [""])[0]
    painter_net.train(net, latents * scaling_factor(latents), tokens, empty, RUNS / "painter", seed)


def make_folder(seed: int) -> None:
    """Assemble the Stable Diffusion folder from what is trained so far."""
    tokenizer = vocabulary.load(RUNS / "tokenizer")
    net = painter_net.PainterNet(len(tokenizer))
    load_average(net, RUNS / "painter")
    vae = trained_autoencoder(seed)
    silence_posterior(vae)
    vae.register_to_config(scaling_factor=scaling_factor(latents_of("base", seed)))
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=net.text,
        tokenizer=tokenizer,
        unet=net.unet,
        scheduler=painter_net.sampler(),
        safety_checker=None,
        feature_extractor=None,
        image_encoder=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16)
    net.text.float()  # transformers loads what was saved, diffusers float32 by default: both must agree
    pipeline.save_pretrained(MODEL, safe_serialization=True, max_shard_size="15MB")
    (MODEL / "studio.json").write_text(json.dumps({"guidance": GUIDANCE}) + "\n")
    for name in ("vocab.json", "merges.txt"):  # for readers of the older tokenizer layout
        shutil.copy(RUNS / "tokenizer" / name, MODEL / "tokenizer" / name)


@torch.no_grad()
def silence_posterior(vae: autoencoder.AutoencoderKL) -> None:
    """Only posterior means were trained; a variance of e^-20 makes plain sampling of it the same thing."""
    vae.quant_conv.weight[autoencoder.LATENT_CHANNELS :] = 0
    vae.quant_conv.bias[autoencoder.LATENT_CHANNELS :] = -20


def make_reader(seed: int) -> None:
    torch.manual_seed(seed)
    reader = readers.PictureReader()
    readers.train(reader, open_gallery("reader", seed), RUNS / "reader-net", seed)
    reader.save_pretrained(READER)
    held_out = open_gallery("held_out", seed)
    print(json.dumps(readers.quality(reader, held_out), indent=1))


STAGES: dict[str, Callable[[int], None]] = {
    "autoencoder": make_autoencoder,
    "painter": make_painter,
    "folder": make_folder,
    "reader": make_reader,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("medium", choices=["image", "music"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stage", choices=[*STAGES, *music_assets.STAGES], help="only this stage")
    parser.add_argument("--data", type=Path, help="folder with POP909, for music")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves it to torch")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    if asked.medium == "music":
        if asked.data is None:
            parser.error("music is learnt from a folder with POP909: --data POP909")
        stages = {name: partial(make, data=asked.data) for name, make in music_assets.STAGES.items()}
    else:
        stages = dict(STAGES)
    if asked.stage not in (None, *stages):
        parser.error(f"--stage: {asked.medium} has {', '.join(stages)}")
    for name, make in stages.items():
        if asked.stage in (None, name):
            make(asked.seed)
    if asked.stage is None:
        print(f"now the adapter: accelerate launch -m training.run training/recipes/vad-{asked.medium}.toml")


if __name__ == "__main__":
    main()
