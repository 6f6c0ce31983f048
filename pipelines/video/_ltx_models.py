"""What the LTX models are, and the diffusers pipeline for each thing they can do.

Since 0.9.5 a model takes pictures at any frame and other clips (`LTXConditionPipeline`), and its scheduler
has a fixed shift; older ones take a start picture alone. Tokens lie in the order of time, height, width.
Pictures after the start come as further tokens in front. Knows no request and no emotion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

diffusers, ltx = lazy("diffusers"), lazy("diffusers.pipelines.ltx.pipeline_ltx_condition")
torch_utils = lazy("diffusers.utils.torch_utils")

SIZE_PX = (704, 480)
GUIDANCE = 3.0
TOKENS, TOKENS_KEYED = 128, 256  # of a prompt, by diffusers' defaults for older and newer models
# Of the model cards: autoencoders since 0.9.1 finish the denoising; how much noise they are given.
DECODE_TIME, DECODE_NOISE = 0.05, 0.025


def takes_keys(pipe: Any) -> bool:
    """Whether pictures may stand at any frame."""
    return not pipe.scheduler.config.use_dynamic_shifting


def from_text(pipe: Any) -> Any:
    """diffusers' pipeline for prompts alone, on the parts of `pipe`."""
    return (diffusers.LTXConditionPipeline if takes_keys(pipe) else diffusers.LTXPipeline)(**_parts(pipe))


def from_pictures(pipe: Any) -> Any:
    """Its pipeline for a start picture and, with newer models, for more."""
    kind = diffusers.LTXConditionPipeline if takes_keys(pipe) else diffusers.LTXImageToVideoPipeline
    return kind(**_parts(pipe))


def condition(picture: Any, frame: int) -> Any:
    """A picture that stands at a frame."""
    return ltx.LTXVideoCondition(image=picture, frame_index=frame)


def encoded(vae: Any, pixels: Tensor) -> Tensor:
    """Latents (R, C, T, h, w) as the network sees them, on the CPU, of (R, 3, frames, H, W) in [-1, 1]."""
    device = torch_utils.get_module_execution_device(vae)  # its own, or where an offloaded one will run
    with torch.no_grad():
        rows = [vae.encode(row[None].to(device, vae.dtype)).latent_dist.mode() for row in pixels]
        mean, spread = _statistics(vae, rows[0].float())
        return ((torch.cat(rows).float() - mean) * vae.config.scaling_factor / spread).cpu()


def decoded(pipe: Any, latents: Tensor, generator: Any) -> Tensor:
    """Pixels (1, 3, frames, H, W) in [-1, 1] of latents (1, C, T, h, w), all at once."""
    vae = pipe.vae
    device = torch_utils.get_module_execution_device(vae)
    mean, spread = _statistics(vae, latents)
    plain = (latents * spread / vae.config.scaling_factor + mean).to(device, pipe.text_encoder.dtype)
    time = None
    if vae.config.timestep_conditioning:
        noise = torch_utils.randn_tensor(plain.shape, generator, device, plain.dtype)
        plain = (1 - DECODE_NOISE) * plain + DECODE_NOISE * noise
        time = torch.tensor([DECODE_TIME], device=device, dtype=plain.dtype)
    return vae.decode(plain.to(vae.dtype), time, return_dict=False)[0]  # type: ignore[no-any-return]


def packed(pipe: Any, latents: Tensor) -> Tensor:
    """(R, C, T, h, w) -> tokens (R, T*h*w, C)."""
    config = pipe.transformer.config
    return diffusers.LTXPipeline._pack_latents(latents, config.patch_size, config.patch_size_t)  # type: ignore[no-any-return]


def unpacked(pipe: Any, tokens: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The way back; `shape`: (T, h, w). Tokens of pictures in front are left out."""
    config, (frames, height, width) = pipe.transformer.config, shape
    own = tokens[:, -(frames * height * width) :]
    sides = (frames, height, width, config.patch_size, config.patch_size_t)
    return diffusers.LTXPipeline._unpack_latents(own, *sides)  # type: ignore[no-any-return]


def latent_shape(pipe: Any, size: tuple[int, int], frames: int) -> tuple[int, int, int]:
    """(T, h, w) of a clip of `size` (width, height) in px."""
    side, step = pipe.vae_spatial_compression_ratio, pipe.vae_temporal_compression_ratio
    return (frames - 1) // step + 1, size[1] // side, size[0] // side


def places(pipe: Any, shape: tuple[int, int, int], rows: int, fps: float, device: Any) -> dict[str, Any]:
    """What the network is told of where tokens lie in time and space, as the model's pipeline tells it."""
    side, step = pipe.vae_spatial_compression_ratio, pipe.vae_temporal_compression_ratio
    if not takes_keys(pipe):
        named = dict(zip(("num_frames", "height", "width"), shape, strict=True))
        return {**named, "rope_interpolation_scale": (step / fps, side, side)}
    keyed = diffusers.LTXConditionPipeline
    found = keyed._scale_video_ids(keyed._prepare_video_ids(rows, *shape, device=device), side, step).float()
    found[:, 0] = found[:, 0] / fps
    return {"video_coords": found}


def _statistics(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    mean, spread = (values.view(1, -1, 1, 1, 1).to(like) for values in (vae.latents_mean, vae.latents_std))
    return mean, spread


def _parts(pipe: Any) -> dict[str, Any]:
    names = ("vae", "text_encoder", "tokenizer", "transformer")
    scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    return {**{name: pipe.components[name] for name in names}, "scheduler": scheduler}
