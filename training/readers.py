"""What reads pictures for the control figures: which feeling they show, and how well they keep their prompt.

Two readers behind one interface. `EmbeddedReader` is the network that came with the embedded image model,
right for its painted world only. `ClipReader` is any CLIP, asked zero-shot: valence, arousal and dominance
from pairs of opposite phrases (Wang et al., "Exploring CLIP for assessing the look and feel of images",
2023), the prompt from the cosine of picture and text. No reader is a judge of people; CLIP's scale is its
own, so its correlations count and its absolute errors hardly do. Knows pictures and prompts, no adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
import transformers
from diffusers.utils.logging import disable_progress_bar
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from studio import catalog
from studio.errors import ModelError
from training.embedded.autoencoder import as_tensor
from training.embedded.readers import PictureReader
from training.medium import Reader, Reading
from training.synthesis.captions import scene_of

EMBEDDED, EMBEDDED_MODEL, NONE = "picture-reader", "emotion-tiny", "none"
ROWS = 32  # pictures read together
# Opposite phrases, high end first; several a pair, for a single wording has quirks of its own.
PHRASES: dict[str, tuple[tuple[str, str], ...]] = {
    "valence": (
        ("a pleasant picture", "an unpleasant picture"),
        ("a happy, joyful scene", "a sad, miserable scene"),
        ("something beautiful and lovely", "something ugly and disgusting"),
    ),
    "arousal": (
        ("an exciting picture", "a calm picture"),
        ("an intense, agitated scene", "a quiet, sleepy scene"),
        ("something full of energy", "something still and slow"),
    ),
    "dominance": (
        ("a picture of strength and control", "a picture of weakness and helplessness"),
        ("a bold, confident scene", "a timid, frightened scene"),
        ("something powerful and firm", "something frail and overwhelmed"),
    ),
}


class EmbeddedReader:
    """`picture-reader`; `keeps` is 1 where it names the prompt's scene, 0 where it names another."""

    name = EMBEDDED

    def __init__(self) -> None:
        disable_progress_bar()
        folder = catalog.ASSETS / "models" / EMBEDDED
        self._model = PictureReader.from_pretrained(folder, local_files_only=True).eval()
        self._number = {scene: number for number, scene in enumerate(self._model.config.scenes)}

    @torch.no_grad()
    def read(self, pictures: NDArray[np.uint8], prompts: Sequence[str]) -> Reading:
        """A prompt without a scene that it knows counts as not kept."""
        parts = [self._model(as_tensor(pictures[at : at + ROWS])) for at in range(0, len(pictures), ROWS)]
        named = torch.cat([scene for scene, _ in parts]).argmax(1).tolist()
        points = torch.cat([feeling for _, feeling in parts]).double().numpy()
        wanted = [self._number.get(scene_of(prompt) or "") for prompt in prompts]
        keeps = [float(one == other) for one, other in zip(named, wanted, strict=True)]
        return Reading(points, np.array(keeps))


class ClipReader:
    """A CLIP of any size; `keeps` is the cosine of picture and prompt, in [-1, 1]."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        """`model`: transformers' CLIPModel, `tokenizer`: its own."""
        self.name = name
        self._model, self._tokenizer = model.eval(), tokenizer
        self._size_px = int(model.config.vision_config.image_size)
        self._phrases = {
            axis: self._of_texts([t for pair in PHRASES[axis] for t in pair]) for axis in PHRASES
        }

    @classmethod
    def load(cls, name: str, device: Any = "cpu") -> ClipReader:
        """A folder or hub id, safetensors only. Raises ModelError."""
        try:
            model = transformers.CLIPModel.from_pretrained(name, use_safetensors=True)
            tokenizer = transformers.CLIPTokenizer.from_pretrained(name)
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"reader: {name!r} cannot be loaded as a CLIP: {why}") from error
        return cls(model.to(device), tokenizer, name)

    @torch.no_grad()
    def read(self, pictures: NDArray[np.uint8], prompts: Sequence[str]) -> Reading:
        parts = [self._of_pictures(pictures[at : at + ROWS]) for at in range(0, len(pictures), ROWS)]
        seen = torch.cat(parts)
        keeps = (seen * self._of_texts(list(prompts))).sum(1)
        points = torch.stack([self._between(seen, self._phrases[axis]) for axis in PHRASES], dim=1)
        return Reading(points.double().cpu().numpy(), keeps.double().cpu().numpy())

    def _between(self, seen: Tensor, phrases: Tensor) -> Tensor:
        """(N,) in [-1, 1]: how much more each picture is like the high ends (even rows) than the low ones."""
        logits = self._model.logit_scale.exp() * seen @ phrases.T
        return (logits[:, 0::2] - logits[:, 1::2]).sigmoid().mul(2).sub(1).mean(1)

    def _of_pictures(self, pictures: NDArray[np.uint8]) -> Tensor:
        """(N, C), of length 1."""
        size = (self._size_px, self._size_px)
        fitted = [ImageOps.fit(Image.fromarray(one), size, Image.Resampling.BICUBIC) for one in pictures]
        pixels = torch.from_numpy(np.stack([np.asarray(one) for one in fitted])).permute(0, 3, 1, 2) / 255
        mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
        batch = ((pixels - mean) / deviation).to(self._model.device, self._model.dtype)
        return _unit(self._model.get_image_features(pixel_values=batch))

    @torch.no_grad()
    def _of_texts(self, texts: list[str]) -> Tensor:
        """(N, C), of length 1; what CLIP cannot hold of a long text is cut off."""
        tokens = self._tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return _unit(self._model.get_text_features(**tokens.to(self._model.device)))


def default_name(model: str) -> str:
    """The reader that knows a model's world: the embedded one for the embedded model, none for others."""
    return EMBEDDED if model == EMBEDDED_MODEL else NONE


def named(name: str, device: Any = "cpu") -> Reader | None:
    """`picture-reader`, `none`, or a CLIP by folder or hub id. Raises ModelError."""
    if name == NONE:
        return None
    if name == EMBEDDED:
        return EmbeddedReader()
    if not catalog.HUB_ID.fullmatch(name) and not Path(name).is_dir():
        raise ModelError(f"reader: {name!r} is neither {EMBEDDED!r}, {NONE!r}, a folder here nor a hub id")
    return ClipReader.load(name, device)


def _unit(features: Any) -> Tensor:
    """Rows of length 1; newer versions of the library wrap them in an output object."""
    rows: Tensor = features if isinstance(features, Tensor) else features.pooler_output
    return torch.nn.functional.normalize(rows.float(), dim=-1)
