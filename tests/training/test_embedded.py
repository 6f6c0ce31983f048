"""How the embedded image model is made: the loop resumes, the vocabulary covers, the gallery repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.embedded import _fit, autoencoder, painter_net, readers, vocabulary
from training.embedded.paintings import feeling, gallery, one
from training.synthesis.captions import WORDS

PLAN = _fit.Plan(steps=12, learning_rate=1e-2, warmup_steps=2, ema=0.9)


class Net(nn.Module):
    """A convolution and a matrix large enough for Muon, a bias and an embedding for AdamW, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(16, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.embeddings = nn.Embedding(16, 16)
        self.last = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.conv(x)).mean((2, 3)) + self.embeddings.weight.mean(0))


def train(folder: Path, plan: _fit.Plan, stop_at: int | None = None) -> tuple[Net, list[float]]:
    net, losses = Net(), []

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(8, 16, 4, 4, generator=generator)
        loss = (net(x) - x.mean((2, 3))).square().mean()
        losses.append(float(loss.detach()))
        return loss

    fit = _fit.Fit(net, plan, folder, seed=1)
    try:
        fit.run(loss_of, "test")
    except KeyboardInterrupt:
        fit.save(0.0)
    return net, losses


def test_a_resumed_fit_ends_in_the_same_weights(tmp_path: Path) -> None:
    whole, _ = train(tmp_path / "whole", PLAN)
    train(tmp_path / "broken", PLAN, stop_at=5)
    resumed, losses = train(tmp_path / "broken", PLAN)
    assert len(losses) == 7
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_the_fit_learns(tmp_path: Path) -> None:
    _, losses = train(tmp_path, _fit.Plan(steps=150, learning_rate=1e-2, warmup_steps=5, ema=0.9))
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])


def test_a_loss_that_is_no_number_stops_the_fit(tmp_path: Path) -> None:
    net = Net()
    with pytest.raises(FloatingPointError, match="step 1"):
        _fit.Fit(net, PLAN, tmp_path, 0).run(
            lambda step, generator: net.last.bias.sum() * float("nan"), "test"
        )


def test_muon_takes_kernels_and_adamw_the_rest() -> None:
    net = Net()
    optimiser = _fit.Optimiser(dict(net.named_parameters()), PLAN)
    assert set(optimiser.kernels) == {net.conv.weight, net.last.weight}


def test_a_gallery_is_painted_once_and_the_same_again(tmp_path: Path) -> None:
    first = gallery(tmp_path / "a", 3, seed=5, law="any")
    assert (gallery(tmp_path / "a", 3, seed=5, law="any").pictures == first.pictures).all()
    picture, record = one(2, 5, "any")
    assert (picture == first.pictures[2]).all()
    assert record["caption"] == first.captions[2]


def test_the_plain_law_is_mostly_near_neutral() -> None:
    rng = np.random.default_rng(0)
    sizes = {
        law: np.mean([np.abs(feeling(rng, law)).max() < 0.5 for _ in range(400)]) for law in ("plain", "any")
    }
    assert sizes["plain"] > 0.5 > 0.25 > sizes["any"]


def test_caption_words_are_single_tokens_and_any_text_can_be_written(tmp_path: Path) -> None:
    tokenizer = vocabulary.learn([" ".join(WORDS)] * 20, tmp_path)
    single = [word for word in WORDS if len(tokenizer(word).input_ids) == 3]
    assert len(single) == len(WORDS)
    strange = tokenizer("žluťoučký 🦄 xylophone 42!").input_ids
    assert tokenizer.unk_token_id not in strange[1:-1]
    assert len(painter_net.tokens_of(tokenizer, ["a " * 200])[0]) == vocabulary.CONTEXT


def test_networks_have_the_shapes_of_their_contract() -> None:
    vae = autoencoder.new(0).eval()
    pictures = np.zeros((2, 128, 128, 3), np.uint8)
    latents = autoencoder.encode(vae, pictures)
    assert latents.shape == (2, autoencoder.LATENT_CHANNELS, 16, 16)
    net = painter_net.PainterNet(600)
    words = torch.zeros(2, vocabulary.CONTEXT, dtype=torch.long)
    assert net(latents, torch.tensor([1, 2]), words).shape == latents.shape
    scenes, feelings = readers.PictureReader().eval().read(pictures)
    assert len(scenes) == 2 and feelings.shape == (2, 3)


def test_psnr_is_the_textbook_figure() -> None:
    class Off(nn.Module):
        """Decodes everything as one grey level too bright."""

        def encode(self, x: Tensor) -> object:
            mean = x + 2 / 255
            return type("Encoded", (), {"latent_dist": type("Posterior", (), {"mean": mean})})

        def decode(self, z: Tensor) -> object:
            return type("Decoded", (), {"sample": z})

    pictures = np.full((3, 8, 8, 3), 100, np.uint8)
    assert autoencoder.psnr_db(Off(), pictures) == pytest.approx(10 * np.log10(255**2))
