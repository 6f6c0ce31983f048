"""Wan's autoencoder both ways: latents as the networks see them, and decoding that keeps one piece at a time.

`AutoencoderKLWan.decode` collects the whole clip; its decoder works on one latent frame after the other and
remembers the last ones, so pieces can be handed on as they come. Knows no network and no request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

wan_vae = lazy("diffusers.models.autoencoders.autoencoder_kl_wan")
torch_utils = lazy("diffusers.utils.torch_utils")


def scaled(vae: Any, latents: Tensor) -> Tensor:
    """What the encoder gives -> what the network sees; (R, C, T, h, w)."""
    mean, spread = _statistics(vae, latents)
    return (latents - mean) / spread


def unscaled(vae: Any, latents: Tensor) -> Tensor:
    """What the network makes -> what the decoder takes."""
    mean, spread = _statistics(vae, latents)
    return latents * spread + mean


def encoded(vae: Any, pixels: Tensor) -> Tensor:
    """(R, C, T, h, w) latents on the CPU of pixels (R, 3, frames, H, W) in [-1, 1], row by row."""
    device = torch_utils.get_module_execution_device(vae)  # its own, or where an offloaded one will run
    with torch.no_grad():
        rows = [vae.encode(row[None].to(device, vae.dtype)).latent_dist.mode() for row in pixels]
        return scaled(vae, torch.cat(rows).float()).cpu()


def decoded(vae: Any, latents: Tensor) -> Iterator[Tensor]:
    """Pixels (1, 3, frames, H, W) in [-1, 1] of latents (1, C, T, h, w): one frame, then four at a time."""
    hook = getattr(vae, "_hf_hook", None)
    if hook is not None:  # an offloaded one comes to its device, as for its own `decode`
        hook.pre_forward(vae)
    device = torch_utils.get_module_execution_device(vae)
    ready = unscaled(vae, latents.to(device, vae.dtype))
    vae.clear_cache()
    try:
        with torch.no_grad():
            ready = vae.post_quant_conv(ready)
        for index in range(ready.shape[2]):
            yield _piece(vae, ready[:, :, index : index + 1], first=index == 0)
    finally:
        vae.clear_cache()


def _piece(vae: Any, latents: Tensor, first: bool) -> Tensor:
    vae._conv_idx = [0]
    with torch.no_grad():
        made = vae.decoder(latents, feat_cache=vae._feat_map, feat_idx=vae._conv_idx, first_chunk=first)
        if vae.config.patch_size is not None:
            made = wan_vae.unpatchify(made, patch_size=vae.config.patch_size)
        return made.clamp(-1, 1)  # type: ignore[no-any-return]


def _statistics(vae: Any, latents: Tensor) -> tuple[Tensor, ...]:
    names = (vae.config.latents_mean, vae.config.latents_std)
    return tuple(torch.tensor(values).view(1, -1, 1, 1, 1).to(latents) for values in names)
