"""What the Wan models are, read from a loaded one, and the diffusers pipeline for each thing they can do.

The kinds differ in what goes into the network: latents alone (text to video), latents with those of a start
picture and a mask beside them (picture to video), or a start picture in the place of the first latent frame
(TI2V-5B). Knows no request and no emotion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")

SMALL_PX, LARGE_PX = (832, 480), (1280, 704)  # what 480p models and TI2V-5B make
# By resolution, as diffusers' documentation of Wan says: 3 for 480p, 5 for 720p.
SHIFTS = (3.0, 5.0)
_SHIFT_BORDER_PX = 640_000  # between the areas of 832x480 and 1280x720
# Of the model cards: for one network; for two, which divide the steps, with text and with a start picture.
GUIDANCE, GUIDANCE_TWO, GUIDANCE_TWO_PICTURE = (5.0, None), (4.0, 3.0), (3.5, 3.5)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model can do. `multiple`: of width and height, in px."""

    two: bool  # networks, one for much noise and one for little
    needs_image: bool
    takes_image: bool
    needs_last_image: bool
    takes_last_image: bool
    takes_video: bool
    per_token: bool  # times: a start picture stands in the first latent frame
    multiple: int
    size: tuple[int, int]
    guidance: tuple[float, float | None]


def traits(pipe: Any) -> Traits:
    """Of a loaded WanPipeline or WanImageToVideoPipeline."""
    network, per_token = pipe.transformer, bool(pipe.config.get("expand_timesteps"))
    config = network.config
    beside = config.in_channels > pipe.vae.config.z_dim  # a mask and a picture
    sees = beside and config.image_dim is not None  # the picture again, through an image encoder ...
    pairs = sees and config.pos_embed_seq_len is not None  # ... which here takes two
    two = pipe.components.get("transformer_2") is not None
    scale = int(pipe.vae.config.scale_factor_spatial)
    guidance = (GUIDANCE_TWO_PICTURE if beside else GUIDANCE_TWO) if two else GUIDANCE
    return Traits(
        two=two,
        needs_image=beside,
        takes_image=beside or per_token,
        needs_last_image=pairs,
        takes_last_image=beside and (pairs or not sees),
        takes_video=not beside,
        per_token=per_token,
        multiple=scale * int(config.patch_size[1]),
        size=LARGE_PX if per_token else SMALL_PX,
        guidance=guidance,
    )


def shift_for(size: tuple[int, int]) -> float:
    """By how much times lean towards noise: more for larger pictures."""
    return SHIFTS[size[0] * size[1] > _SHIFT_BORDER_PX]


def scheduler(pipe: Any, shift: float) -> Any:
    """A fresh one of the model's kind."""
    kind = type(pipe.scheduler)
    named = "flow_shift" if "flow_shift" in pipe.scheduler.config else "shift"
    return kind.from_config(pipe.scheduler.config, **{named: shift})


def from_text(pipe: Any, shift: float) -> Any:
    """diffusers' text-to-video pipeline on the parts of `pipe`."""
    return diffusers.WanPipeline(**_shared(pipe, shift), **_two(pipe))


def from_picture(pipe: Any, shift: float) -> Any:
    """Its picture-to-video pipeline; the image encoder is there where the model has one."""
    eyes = {name: pipe.components.get(name) for name in ("image_encoder", "image_processor")}
    return diffusers.WanImageToVideoPipeline(**_shared(pipe, shift), **_two(pipe), **eyes)


def from_video(pipe: Any, shift: float) -> Any:
    """Its video-to-video pipeline, which takes one network and the first autoencoder: two networks are given

    as one that chooses by the time, and the sizes of another autoencoder are told."""
    parts = _shared(pipe, shift)
    second = pipe.components.get("transformer_2")
    if second is not None:
        border = pipe.config.boundary_ratio * pipe.scheduler.config.num_train_timesteps
        parts["transformer"] = by_noise(pipe.transformer, second, border)
    made = diffusers.WanVideoToVideoPipeline(**parts)
    made.vae_scale_factor_spatial = int(pipe.vae.config.scale_factor_spatial)
    made.vae_scale_factor_temporal = int(pipe.vae.config.scale_factor_temporal)
    return made


def by_noise(high: Any, low: Any, border: float) -> Any:
    """A module that calls one of two networks: `low` for times below `border`. It owns neither."""

    class ByNoise(torch.nn.Module):  # type: ignore[misc]
        config, dtype, device = high.config, high.dtype, high.device

        def forward(self, hidden_states: Any, timestep: Any, **named: Any) -> Any:
            network = low if float(timestep.flatten()[0]) < border else high
            return network(hidden_states=hidden_states, timestep=timestep, **named)

    return ByNoise()


def _shared(pipe: Any, shift: float) -> dict[str, Any]:
    names = ("tokenizer", "text_encoder", "vae", "transformer")
    return {**{name: pipe.components[name] for name in names}, "scheduler": scheduler(pipe, shift)}


def _two(pipe: Any) -> dict[str, Any]:
    return {
        "transformer_2": pipe.components.get("transformer_2"),
        "boundary_ratio": pipe.config.get("boundary_ratio"),
        "expand_timesteps": bool(pipe.config.get("expand_timesteps")),
    }
