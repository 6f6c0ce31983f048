"""Still images with Stable Diffusion 3 and 3.5, through diffusers' own pipeline, models and scheduler.

Three text encoders are heard together: two CLIP models side by side, then T5 behind them, and the pooled
vectors of the CLIP pair. T5 is by far the largest and may be absent, then its place is filled with zeros. The
rest is `_flow`. This file knows no adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.image import _flow_toys as flow_toys
from pipelines.image import _loading as loading
from pipelines.image import _rows as rows
from pipelines.image import _toys as toys
from pipelines.image._flow import FlowPipeline, Texts
from studio.lazy import lazy
from studio.params import param

if TYPE_CHECKING:
    from torch import Tensor

diffusers = lazy("diffusers")

DEFAULT_MODEL = "stabilityai/stable-diffusion-3.5-medium"
FAMILY = loading.Family(
    "image/sd3",
    "Stable Diffusion 3 and 3.5",
    ("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline", "StableDiffusion3InpaintPipeline"),
    half="bfloat16",
    guidance=4.5,
)
_T5_TOKENS = 256  # what the model was trained to read


@dataclass(frozen=True, slots=True)
class Params:
    """What a person may set for a picture."""

    steps: int = param(28, "denoising steps; the turbo models need 4 to 8", min=1, max=150, advanced=False)
    guidance: float | None = param(
        None,
        "pull towards prompt and emotion; 1 is none (turbo models), empty is the model's own",
        min=0,
        max=30,
        step=0.5,
    )
    width: int | None = param(None, "width; empty is the model's own", min=64, max=2048, step=16, unit="px")
    height: int | None = param(None, "height; empty is the model's own", min=64, max=2048, step=16, unit="px")


check = rows.refuse_seconds


class Pipeline(FlowPipeline):
    """A loaded Stable Diffusion 3. Its training tensors: `latents`, `text` (R, L, C), `pooled` (R, P)."""

    family = FAMILY

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """64 px, random weights, in memory: for tests and for work on the user interface."""
        with toys.drawn_from(seed):
            return cls(loading.ready(_tiny(), "cpu"), FAMILY.guidance)

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) in pixels; this family's network names it, in latents."""
        side = self._network.config.sample_size * self.pipe.vae_scale_factor
        return side, side

    def start_sigmas(self, steps: int) -> None:
        """The scheduler's own, as this family was sampled from the start."""

    @property
    def reader(self) -> tuple[Any, int]:
        t5 = self.pipe.tokenizer_3
        return (t5, min(_T5_TOKENS, t5.model_max_length)) if self.pipe.text_encoder_3 else super().reader

    def encode(self, prompts: list[str]) -> Texts:
        length = self.reader[1] if self.pipe.text_encoder_3 else _T5_TOKENS  # of zeros in T5's place
        text, _, pooled, _ = self.pipe.encode_prompt(
            prompts,
            prompts,
            prompts,
            device=self._device,
            do_classifier_free_guidance=False,
            max_sequence_length=length,
        )
        return {"text": text, "pooled": pooled}

    def velocity(self, noisy: Tensor, sigmas: Tensor, texts: Texts, params: Params | None) -> Tensor:
        kind = self._network.dtype
        made: Tensor = self._network(
            noisy.to(kind),
            timestep=sigmas * self.pipe.scheduler.config.num_train_timesteps,
            encoder_hidden_states=texts["text"].to(kind),
            pooled_projections=texts["pooled"].to(kind),
            return_dict=False,
        )[0]
        return made


def _tiny() -> Any:
    clip, t5 = toys.byte_tokenizer(), flow_toys.t5_tokenizer(48)
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=80,
            caption_projection_dim=32,
            pooled_projection_dim=64,
            pos_embed_max_size=128,
            dual_attention_layers=(0,),
            qk_norm="rms_norm",
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=toys.autoencoder(shift_factor=0.0609, scaling_factor=1.5305, **flow_toys.VAE),
        text_encoder=toys.clip_text_encoder(clip, projection_dim=32),
        tokenizer=clip,
        text_encoder_2=toys.clip_text_encoder(clip, projection_dim=32),
        tokenizer_2=clip,
        text_encoder_3=flow_toys.t5_encoder(t5, 80),
        tokenizer_3=t5,
    )
