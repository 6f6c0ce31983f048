"""How adapters learn from LTX: packed latents of whole clips. R rows, T latent frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pipelines.video import _ltx_models as models
from pipelines.video import _transformer_training as training
from studio.ports import RowEmotion, SetEmotion

if TYPE_CHECKING:
    from torch import Tensor

FPS = 25.0  # that clips are taken to have: the models learnt 24 to 30
_SHORT, _LONG = (256, 0.5), (4096, 1.15)  # tokens, and the lean of times there, where a model says nothing


class LtxTraining(training.ClipTraining):
    """Of `video/ltx`."""

    @property
    def reader(self) -> tuple[Any, int]:
        tokens = models.TOKENS_KEYED if models.takes_keys(self.pipe) else models.TOKENS
        return self.pipe.tokenizer, tokens

    def encode_text(self, prompts: list[str]) -> dict[str, Tensor]:
        """`text` (R, tokens, D) and `mask` (R, tokens)."""
        said, mask, _, _ = self.pipe.encode_prompt(
            prompts, do_classifier_free_guidance=False, max_sequence_length=self.reader[1]
        )
        return {"text": said, "mask": mask}

    def encode_clips(self, pixels: Tensor) -> dict[str, Tensor]:
        return {"latents": models.encoded(self.pipe.vae, pixels)}

    def shift_of(self, latents: Tensor) -> float:
        """It grows with the number of tokens, as that of the older models' sampler does."""
        tokens, config = math.prod(latents.shape[2:]), self.pipe.scheduler.config
        counts = (config.get("base_image_seq_len", _SHORT[0]), config.get("max_image_seq_len", _LONG[0]))
        leans = (config.get("base_shift", _SHORT[1]), config.get("max_shift", _LONG[1]))
        slope = (leans[1] - leans[0]) / (counts[1] - counts[0])
        return math.exp(leans[0] + slope * (tokens - counts[0]))

    def velocities(
        self,
        noisy: Tensor,
        sigmas: Tensor,
        given: training.Given,
        feelings: list[RowEmotion],
        feel: SetEmotion,
    ) -> Tensor:
        network, shape = self.pipe.transformer, (noisy.shape[2], noisy.shape[3], noisy.shape[4])
        feel(feelings)
        made: Tensor = network(
            hidden_states=models.packed(self.pipe, noisy).to(network.dtype),
            timestep=sigmas * self.pipe.scheduler.config.num_train_timesteps,
            encoder_hidden_states=given["text"].to(network.dtype),
            encoder_attention_mask=given["mask"],
            return_dict=False,
            **models.places(self.pipe, shape, len(noisy), FPS, noisy.device),
        )[0]
        return models.unpacked(self.pipe, made.float(), shape)
