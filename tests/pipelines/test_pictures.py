"""Between pictures and latents, whatever the family: crops, the autoencoder's scale both ways, sizes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.image import _pictures as pictures
from pipelines.image import _toys as toys
from studio.errors import InputError

STATISTICS = {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [1.0, 2.0, 0.5, 4.0]}


@pytest.mark.parametrize("config", [{}, {"shift_factor": 0.25}, STATISTICS])
def test_what_the_network_sees_goes_back_to_what_the_decoder_takes(config: dict[str, Any]) -> None:
    with toys.drawn_from(0):
        vae = toys.autoencoder(scaling_factor=0.5, **config)
    latents = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    seen = pictures.scaled(vae, latents)
    assert torch.allclose(pictures.unscaled(vae, seen), latents, atol=1e-6)
    expected = (latents - config.get("shift_factor", 0.0)) * 0.5
    assert torch.allclose(seen, expected) == (config is not STATISTICS)


def test_the_framing_is_where_the_picture_was_cut() -> None:
    columns = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (100, 200, 3))
    cut = (pictures.pixels(np.ascontiguousarray(columns), (50, 50)) + 1) * 127.5
    _, _, top, left, _, _ = pictures.framing((200, 100), (50, 50))
    assert (top, left) == (0, 25)
    assert cut.shape == (3, 50, 50)
    assert float(cut[0, 25, 5]) == pytest.approx((left + 5.5) * 2 - 0.5, abs=1)


def test_a_chosen_size_beats_the_models_own_and_fits_it() -> None:
    params = SimpleNamespace(width=96, height=None)
    assert pictures.chosen_size(params, (64, 48), 16) == (96, 48)
    with pytest.raises(InputError, match=r"^height: must be a multiple of 32 .* got 48; did you mean '64'"):
        pictures.chosen_size(params, (64, 48), 32)
