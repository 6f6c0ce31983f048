"""The painter network of the embedded image model: a small UNet and its text encoder, trained together.

v-prediction (Salimans & Ho 2022) on the squared-cosine schedule (Nichol & Dhariwal 2021). No attention at
16x16: on a CPU it doubles the cost of a step, and at 8x8 every scene already fits.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.embedded._fit import Fit, Plan
from training.embedded.autoencoder import LATENT_CHANNELS
from training.embedded.vocabulary import CONTEXT

TEXT_WIDTH = 160
BATCH = 64
CAPTION_DROPOUT = 0.1
PLAN = Plan(steps=3300, learning_rate=3e-3, warmup_steps=100, ema=0.998)


class PainterNet(nn.Module):
    """UNet and text encoder as one trainable module."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=LATENT_CHANNELS,
            out_channels=LATENT_CHANNELS,
            layers_per_block=1,
            block_out_channels=(64, 128, 192),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=TEXT_WIDTH,
            attention_head_dim=4,
            norm_num_groups=16,
        ).to(memory_format=torch.channels_last)
        self.text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=vocabulary_size,
                hidden_size=TEXT_WIDTH,
                intermediate_size=3 * TEXT_WIDTH,
                num_hidden_layers=3,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT,
                projection_dim=TEXT_WIDTH,
                bos_token_id=vocabulary_size - 2,
                eos_token_id=vocabulary_size - 1,
                pad_token_id=vocabulary_size - 1,
            )
        )

    def forward(self, noisy: Tensor, steps: Tensor, tokens: Tensor) -> Tensor:
        """(N, C, 16, 16), (N,), (N, CONTEXT) to predicted velocity (N, C, 16, 16)."""
        words = self.text(tokens).last_hidden_state
        return self.unet(noisy, steps, words).sample


def noise_schedule() -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",  # the first step starts at pure noise, as sampling does
    )


def sampler() -> DPMSolverMultistepScheduler:
    """What the saved pipeline samples with: DPM-Solver++ 2M, good at 20 steps."""
    return DPMSolverMultistepScheduler.from_config(noise_schedule().config, algorithm_type="dpmsolver++")


def tokens_of(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """(N, CONTEXT) int64."""
    encoded = tokenizer(
        captions, padding="max_length", max_length=CONTEXT, truncation=True, return_tensors="pt"
    )
    return encoded.input_ids


def train(net: PainterNet, latents: Tensor, tokens: Tensor, empty: Tensor, folder: Path, seed: int) -> None:
    """`latents` (N, C, 16, 16) of unit variance, `tokens` (N, CONTEXT), `empty` (CONTEXT,): no prompt."""
    schedule = noise_schedule()

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(latents), (BATCH,), generator=generator)
        clean = latents[chosen].contiguous(memory_format=torch.channels_last)
        words = tokens[chosen]
        words[torch.rand(BATCH, generator=generator) < CAPTION_DROPOUT] = empty
        # one time from each of BATCH equal strata: a steadier loss than independent draws
        times = ((torch.arange(BATCH) + torch.rand(BATCH, generator=generator)) * 1000 / BATCH).long()
        noise = torch.randn(clean.shape, generator=generator)
        noisy = schedule.add_noise(clean, noise, times)
        with torch.autocast("cpu", torch.bfloat16):
            velocity = net(noisy, times, words)
        return nn.functional.mse_loss(velocity.float(), schedule.get_velocity(clean, noise, times))

    Fit(net, PLAN, folder, seed).run(loss_of, "painter network")
