"""What a LoRA file says about itself: written for other tools, read for alpha. Knows no tensor.

Sources: modelspec 1.0.1 (Stability AI), the `ss_` keys of sd-scripts, `lora_adapter_metadata` of diffusers.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.errors import ModelError

OURS = "emotion_studio"
DIFFUSERS = "lora_adapter_metadata"
_ARCHITECTURES = {
    "sd": "stable-diffusion-v1",
    "sd2": "stable-diffusion-v2-512",
    "sdxl": "stable-diffusion-xl-v1-base",
    "sd3": "stable-diffusion-3-medium",
    "flux": "flux-1-dev",
}
_SS_VERSIONS = {"sd": "sd_v1", "sd2": "sd_v2", "sdxl": "sdxl_base_v1-0", "sd3": "sd3", "flux": "flux1"}


def described(about: Mapping[str, Any], family: str | None, is_kohya: bool, title: str) -> dict[str, str]:
    """`modelspec.*` and our own record. `about`: adapter, revision, base_model, emotion, vad, strength.

    No date: the same feeling of the same adapter says the same.
    """
    feeling = f"{about.get('emotion', 'one feeling')} at strength {about.get('strength', 1.0):g}"
    found = {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.implementation": "https://github.com/kohya-ss/sd-scripts" if is_kohya else "diffusers",
        "modelspec.title": title,
        "modelspec.description": f"{feeling}, folded out of the emotion adapter {about.get('adapter', '?')}",
        "modelspec.usage_hint": "no trigger word; 1 is the strength it was folded at",
        "modelspec.tags": "emotion",
        OURS: json.dumps(dict(about), ensure_ascii=False, sort_keys=True),
    }
    if family in _ARCHITECTURES:
        found["modelspec.architecture"] = f"{_ARCHITECTURES[family]}/lora"
    return found


def kohya(about: Mapping[str, Any], family: str, ranks: int, convolves: bool, title: str) -> dict[str, str]:
    """The `ss_` keys that web UIs show and sort by."""
    found = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(ranks),
        "ss_network_alpha": f"{float(ranks)}",
        "ss_base_model_version": _SS_VERSIONS[family],
        "ss_v2": str(family == "sd2"),
        "ss_sd_model_name": str(about.get("base_model", "")),
        "ss_output_name": title,
        "ss_training_comment": f"emotion: {about.get('emotion', '')}",
    }
    if convolves:
        found["ss_network_args"] = json.dumps({"conv_dim": str(ranks), "conv_alpha": f"{float(ranks)}"})
    return found


def lora_configs(ranks: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Component -> values of PEFT's LoraConfig with alpha = rank. `ranks`: of every layer.

    Its target is a regular expression: of a list, PEFT takes every layer whose name ends in an entry.
    """
    found: dict[str, dict[str, Any]] = {}
    for component in sorted({name.partition(".")[0] for name in ranks}):
        prefix = f"{component}."
        own = {name.removeprefix(prefix): rank for name, rank in ranks.items() if name.startswith(prefix)}
        targets = "|".join(re.escape(name) for name in sorted(own))
        usual = max(sorted(own.values()), key=list(own.values()).count)
        odd = {f"^{name}": rank for name, rank in own.items() if rank != usual}
        values = {"r": usual, "lora_alpha": usual, "rank_pattern": odd, "alpha_pattern": odd}
        found[component] = values | {"target_modules": targets, "use_dora": False, "lora_bias": False}
    return found


def for_diffusers(configs: Mapping[str, Mapping[str, Any]]) -> str:
    """What diffusers keeps inside a file: all configurations, each key with its component before it."""
    flat = {f"{name}.{key}": value for name, config in configs.items() for key, value in config.items()}
    return json.dumps(flat, sort_keys=True)


def for_peft(config: Mapping[str, Any], base_model: str) -> str:
    """What PEFT keeps in a file beside the weights."""
    about = {"peft_type": "LORA", "task_type": None, "base_model_name_or_path": base_model}
    return json.dumps({**about, "inference_mode": True, **config}, indent=2, sort_keys=True) + "\n"


class Alphas:
    """Alpha of layers by what stands beside the tensors: diffusers' metadata or an adapter_config.json."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        self.path = path
        self._flat = self._parsed(metadata[DIFFUSERS]) if DIFFUSERS in metadata else self._beside(path)

    def scale(self, layer: str, ranks: int) -> float | None:
        """What PEFT multiplies the layer's product by; None when nothing is said."""
        component, _, name = layer.partition(".")
        config = {
            key.removeprefix(f"{component}."): value
            for key, value in self._flat.items()
            if key.startswith(f"{component}.") or "." not in key
        }
        if "lora_alpha" not in config:
            return None
        if config.get("use_dora"):
            raise ModelError(f"{self.path}: this is DoRA; only plain LoRA is read")
        alpha = _by_pattern(config.get("alpha_pattern") or {}, name, config["lora_alpha"])
        return float(alpha) / (math.sqrt(ranks) if config.get("use_rslora") else ranks)

    def _beside(self, path: Path) -> dict[str, Any]:
        config = path.with_name("adapter_config.json")
        if path.name != "adapter_model.safetensors" or not config.is_file():
            return {}
        return self._parsed(config.read_text("utf-8"))

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ModelError(f"{self.path}: its LoRA configuration is no JSON: {error}") from None
        if not isinstance(values, dict):
            raise ModelError(f"{self.path}: its LoRA configuration is no JSON object")
        return values


def _by_pattern(patterns: Mapping[str, Any], name: str, default: Any) -> Any:
    """PEFT's rule: a pattern matches the end of a name at a dot, or all of it after `^`."""
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            return value
    return default
