"""One key of somebody's LoRA file, taken apart: whose layer, which factor, which tool's spelling.

Knows spellings; knows no model and opens no file. Dialects: `kohya` (`lora_unet_...lora_down`), `diffusers`
(`unet....lora.down`), `peft` (`unet....lora_A`, `base_model.model....lora_A`), `original` (the published
model's dotted names with `lora_A`, as ai-toolkit writes them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio.errors import ModelError

_FACTORS = re.compile(
    r"(?P<layer>.+?)"
    r"(?P<spelling>\.lora_(?P<peft>[AB])(?:\.default)?|\.lora_(?P<kohya>down|up)"
    r"|[._]lora(?:_linear_layer)?\.(?P<old>down|up))"
    r"\.weight"
)
_ALPHA = re.compile(r"(?P<layer>.+?)(?:\.lora(?:_linear_layer)?|\.processor)?\.(?:network_)?alpha")
_OTHER_KINDS = {
    "DoRA": r"dora_scale|lora_magnitude_vector",
    "LoHa": r"hada_w",
    "LoKr": r"lokr_",
    "LoCon in CP form": r"lora_mid",
    "OFT": r"\.oft_|oft_blocks",
    "(IA)3": r"\.on_input$|ia3_",
    "a full difference of weights": r"\.diff(_b)?$",
    "a LoRA with biases": r"lora_[AB]\.bias$|lora_(down|up)\.bias$",
    "a LoRA of embeddings": r"lora_embedding_",
}
_DENOISER = "denoiser"
_PREFIXES = (  # the first that fits; (prefix, component)
    ("base_model.model.", ""),
    ("lora_unet_", _DENOISER),
    ("lora_transformer_", _DENOISER),
    ("lora_te1_", "text:1"),
    ("lora_te2_", "text:2"),
    ("lora_te3_", "text:3"),
    ("lora_te_", "text:1"),
    ("model.diffusion_model.", _DENOISER),
    ("diffusion_model.", _DENOISER),
    ("unet.", _DENOISER),
    ("transformer.", _DENOISER),
    ("text_encoder_3.", "text_encoder_3"),
    ("text_encoder_2.", "text_encoder_2"),
    ("text_encoder.", "text_encoder"),
)


@dataclass(frozen=True, slots=True)
class Key:
    """`component`: "denoiser", "text_encoder..." or "text:N", kohya's number; `part`: A, B or alpha."""

    component: str
    layer: str  # with its dots written as underscores, so that every tool's spelling compares
    part: str
    dialect: str


def parse(key: str) -> Key | None:
    """The parts of a key; None for what belongs to no LoRA."""
    if match := _FACTORS.fullmatch(key):
        part = "A" if match["peft"] == "A" or "down" in (match["kohya"], match["old"]) else "B"
        component, layer, prefix = _component(match["layer"])
        return Key(component, _flat(layer, match["spelling"]), part, _dialect(prefix, match))
    if match := _ALPHA.fullmatch(key):
        component, layer, _ = _component(match["layer"])
        return Key(component, _flat(layer, ""), "alpha", "")
    return None


def refuse_other_kinds(keys: list[str], file: str) -> None:
    """Raise ModelError for what is no plain LoRA: leaving its parts out would make another picture."""
    for kind, mark in _OTHER_KINDS.items():
        found = [key for key in keys if re.search(mark, key)]
        if found:
            raise ModelError(
                f"{file}: this is {kind} ({len(found)} keys, first {found[0]!r}); only plain LoRA is read"
            )


def _component(text: str) -> tuple[str, str, str]:
    """(component, what is left, the prefix); a bare name belongs to the denoiser."""
    for prefix, component in _PREFIXES:
        if text.startswith(prefix):
            rest = text.removeprefix(prefix)
            if component:
                return component, rest, prefix
            inner, left, _ = _component(rest)
            return inner, left, prefix
    return _DENOISER, text, ""


def _flat(layer: str, spelling: str) -> str:
    layer = layer.replace(".processor.", ".").removesuffix(".processor")
    if spelling.startswith("_lora") and layer.endswith("to_out"):  # attention processors of old
        layer += ".0"
    return layer.replace(".", "_")


def _dialect(prefix: str, match: re.Match[str]) -> str:
    if prefix.startswith("lora_"):
        return "kohya"
    if "diffusion_model." in prefix:
        return "original"
    return "peft" if match["peft"] else "diffusers"
