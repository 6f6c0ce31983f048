"""How adapters learn from Wan: latents with a start picture beside them where the model has one, and of two

networks the one that the noise belongs to. R rows, T latent frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.video import _transformer_training as training
from pipelines.video import _wan_models as models
from pipelines.video import _wan_vae as wan_vae
from studio.lazy import lazy
from studio.ports import RowEmotion, SetEmotion

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

video_processor = lazy("diffusers.video_processor")

_TOKENS = 512  # of a prompt


class WanTraining(training.ClipTraining):
    """Of `video/wan`."""

    traits: models.Traits
    networks: list[Any]

    @property
    def reader(self) -> tuple[Any, int]:
        return self.pipe.tokenizer, _TOKENS

    def encode_text(self, prompts: list[str]) -> dict[str, Tensor]:
        """`text` (R, 512, D)."""
        said, _ = self.pipe.encode_prompt(
            prompts, do_classifier_free_guidance=False, max_sequence_length=_TOKENS
        )
        return {"text": said}

    def encode_clips(self, pixels: Tensor) -> dict[str, Tensor]:
        """With a picture model also `condition` (R, 20, T, h, w) and, where it has eyes, `picture`."""
        made = {"latents": wan_vae.encoded(self.pipe.vae, pixels)}
        if not self.traits.needs_image:
            return made
        with torch.no_grad():
            made["condition"] = torch.cat([self._condition(row) for row in pixels]).cpu()
            if self.pipe.components.get("image_encoder") is not None:
                made["picture"] = torch.stack([self._seen(row) for row in pixels]).cpu()
        return made

    def _condition(self, clip: Tensor) -> Tensor:
        """Of pixels (3, frames, H, W): mask and latents of the first frame [and the last]."""
        ends = [clip[None, :, at].to(self.pipe._execution_device) for at in (0, -1)]
        last = ends[1] if self.traits.needs_last_image else None
        _, found = self.pipe.prepare_latents(
            ends[0],
            1,
            self.pipe.vae.config.z_dim,
            clip.shape[2],
            clip.shape[3],
            clip.shape[1],
            torch.float32,
            self.pipe._execution_device,
            torch.Generator().manual_seed(0),  # of noise that is not used
            None,
            last,
        )
        return found  # type: ignore[no-any-return]

    def _seen(self, clip: Tensor) -> Tensor:
        """What the image encoder says of the first frame [and the last, one after the other]: (tokens, D)."""
        frames = [clip[:, at] for at in ((0, -1) if self.traits.needs_last_image else (0,))]
        shown = [video_processor.VaeImageProcessor.numpy_to_pil(_shown(frame))[0] for frame in frames]
        found = self.pipe.encode_image(shown if len(shown) > 1 else shown[0], self.pipe._execution_device)
        return found.flatten(0, 1)  # type: ignore[no-any-return]

    def shift_of(self, latents: Tensor) -> float:
        scale = int(self.pipe.vae.config.scale_factor_spatial)
        return models.shift_for((latents.shape[-1] * scale, latents.shape[-2] * scale))

    def settled(self, sigmas: Tensor) -> Tensor:
        """Of two networks the one of the first row makes all: rows that the other would make stand where the

        first one does. Each is drawn as if it were alone, only not independently of the others."""
        if not self.traits.two:
            return sigmas
        high = sigmas >= self.pipe.config.boundary_ratio
        return torch.where(high == high[0], sigmas, sigmas[0])

    def velocities(
        self,
        noisy: Tensor,
        sigmas: Tensor,
        given: training.Given,
        feelings: list[RowEmotion],
        feel: SetEmotion,
    ) -> Tensor:
        is_low = self.traits.two and bool(sigmas[0] < self.pipe.config.boundary_ratio)
        feel(feelings)
        return self._velocity(self.networks[is_low], noisy, sigmas, given)

    def _velocity(self, network: Any, noisy: Tensor, sigmas: Tensor, given: training.Given) -> Tensor:
        kind, picture = network.dtype, given.get("picture")
        if picture is not None and self.traits.needs_last_image:  # the network wants two rows of a clip
            picture = picture.unflatten(1, (2, -1)).flatten(0, 1)
        entering = [noisy, given["condition"]] if "condition" in given else [noisy]
        made: Tensor = network(
            hidden_states=torch.cat(entering, dim=1).to(kind),
            timestep=sigmas * self.pipe.scheduler.config.num_train_timesteps,
            encoder_hidden_states=given["text"].to(kind),
            encoder_hidden_states_image=None if picture is None else picture.to(kind),
            return_dict=False,
        )[0]
        return made


def _shown(frame: Tensor) -> Any:
    """(1, H, W, 3) in [0, 1] of a frame (3, H, W) in [-1, 1]."""
    return (frame / 2 + 0.5).clamp(0, 1).permute(1, 2, 0)[None].numpy()
