"""Between pictures and latents: cropping media, the autoencoder both ways, previews, sizes.

Knows diffusers' autoencoders with their scale and shift; knows no text, no noise and no emotion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from studio.errors import InputError
from studio.lazy import lazy
from studio.pictures import upright

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

torch_utils = lazy("diffusers.utils.torch_utils")

PREVIEW_LATENTS = 32  # longest side of the latents a preview decodes: 256 px, quick on a CPU too


def pixels(media: Any, size: tuple[int, int]) -> Tensor:
    """(3, height, width) in [-1, 1], cropped around the centre to `size` (width, height)."""
    fitted = ImageOps.fit(upright(media), size, Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1).float() / 127.5 - 1


def framing(whole: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int, int, int]:
    """How `pixels` cuts a picture of `whole` (width, height): height and width of the whole, top and left of

    the crop after resizing, height and width of the crop; the order of SDXL's time ids.
    """
    scale = max(size[0] / whole[0], size[1] / whole[1])
    left, top = (round((old * scale - new) / 2) for old, new in zip(whole, size, strict=True))
    return whole[1], whole[0], top, left, size[1], size[0]


def encode(vae: Any, media: Sequence[Any], size: tuple[int, int]) -> Tensor:
    """(R, C, h, w) latents on the CPU, as the network sees them, at the mode of the encoder."""
    with torch.no_grad():
        stacked = torch.stack([pixels(one, size) for one in media])
        device = torch_utils.get_module_execution_device(vae)  # its own, or where an offloaded one will run
        latents = vae.encode(stacked.to(device, vae.dtype)).latent_dist.mode()
        return scaled(vae, latents).cpu()


def scaled(vae: Any, latents: Tensor) -> Tensor:
    """What the encoder gives -> what the network sees."""
    mean, deviation = _statistics(vae, latents)
    if mean is not None:
        return (latents - mean) * vae.config.scaling_factor / deviation
    shift = getattr(vae.config, "shift_factor", None)
    return ((latents - shift) if shift else latents) * vae.config.scaling_factor


def unscaled(vae: Any, latents: Tensor) -> Tensor:
    """What the network makes -> what the decoder takes."""
    mean, deviation = _statistics(vae, latents)
    if mean is not None:
        return latents * deviation / vae.config.scaling_factor + mean
    shift = getattr(vae.config, "shift_factor", None)
    plain = latents / vae.config.scaling_factor
    return plain + shift if shift else plain


def _statistics(vae: Any, latents: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Mean and deviation per channel, where the autoencoder names them in place of a shift."""
    mean, deviation = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
    if mean is None or deviation is None:
        return None, None
    return tuple(torch.tensor(one).view(1, -1, 1, 1).to(latents) for one in (mean, deviation))


def decode(pipe: Any, latents: Tensor) -> list[Image.Image]:
    """One picture per row of (R, C, h, w)."""
    vae = pipe.vae
    made = vae.decode(unscaled(vae, latents.to(vae.dtype)), return_dict=False)[0]
    return list(pipe.image_processor.postprocess(made.float(), output_type="pil"))


def preview(pipe: Any, clean: Callable[[], Tensor]) -> list[Image.Image]:
    """One small picture a row of what the latents are becoming; `clean` gives (R, C, h, w)."""
    with torch.no_grad():
        latents = clean()
        shrink = PREVIEW_LATENTS / max(latents.shape[-2:])
        if shrink < 1:
            latents = torch.nn.functional.interpolate(latents, scale_factor=shrink, mode="area")
        return decode(pipe, latents)


def chosen_size(params: Any, native: tuple[int, int], multiple: int) -> tuple[int, int]:
    """(width, height) in pixels: what is asked, else the model's own. Raises InputError."""
    width, height = params.width or native[0], params.height or native[1]
    for name, value in (("width", width), ("height", height)):
        if value % multiple:
            near = str(round(value / multiple) * multiple)
            raise InputError(
                name, value, f"must be a multiple of {multiple} for this model, got {value}", near
            )
    return width, height
