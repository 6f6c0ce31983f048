"""Motion adapters: where they are, how they are used, how they come into a picture model's network.

Layout and classes are diffusers' (`MotionAdapter`, `UNetMotionModel`; AnimateDiff, Guo et al. 2023, arXiv
2307.04725). Knows files and networks; knows no request and no emotion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import _diffusers_loading as loading
from pipelines._loading import foreign_errors
from pipelines.video._clip_noise import ClipNoise
from studio import catalog
from studio.errors import ModelError, NotFoundError
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

diffusers, hub = lazy("diffusers"), lazy("huggingface_hub")

EMBEDDED = {"emotion-tiny": "video-tiny"}  # base models that have one of their own
USUAL = "guoyww/animatediff-motion-adapter-v1-5-3"
WITHIN = "its own"  # that of a model whose network was saved with motion modules in it
_FOLLOWED = (
    "motion_num_attention_heads",
    "motion_max_seq_length",
    "use_motion_mid_block",
)


_OWN = ClipNoise()  # every frame its own


@dataclass(frozen=True, slots=True)
class Manner:
    """How the weights of a motion adapter were made, and so want to be used.

    `window`: frames seen at once; `rate_hz`: of the clips it learnt; `noise`: of its clips; `schedule`:
    changes of the base model's noise schedule.
    """

    name: str
    window: int = 16
    rate_hz: float = 12.0
    noise: ClipNoise = _OWN
    schedule: str = ""  # beta_schedule, where it is another one than the base model's


def usual(model: str) -> str:
    """The motion adapter of a base model (name or folder) for which nobody names any; WITHIN, where the model

    was saved with one in its network."""
    index = _config_here(catalog.find_model(model), "model_index.json")
    if index and index.get("_class_name") == "AnimateDiffPipeline":
        return WITHIN
    folders = catalog.models()
    for base, motion in EMBEDDED.items():
        if model == base or (base in folders and Path(model) == folders[base]):
            return motion
    return USUAL


def find(name: str) -> str:
    """A folder or hub id for the name of an embedded motion adapter, a folder or a hub id.

    Raises NotFoundError, and ModelError for a folder that holds none.
    """
    embedded = {path.parent.name: path.parent for path in (catalog.ASSETS / "models").glob("*/config.json")}
    folder = embedded.get(name) or Path(name).expanduser()
    if folder.is_dir():
        if _config_of(folder).get("_class_name") != "MotionAdapter":
            raise ModelError(f"motion: {name!r} is no motion adapter (its config.json names none)")
        return str(folder)
    if catalog.HUB_ID.fullmatch(name):
        return name
    raise NotFoundError("motion adapter", name, [*embedded, USUAL])


def manner(name: str) -> Manner:
    """What its folder's studio.json says. AnimateDiff's own adapters have none; they learnt at 8 Hz, with a

    linear schedule."""
    location = find(name)
    path = Path(location) / "studio.json"
    if not path.is_file():
        return Manner(name, rate_hz=8.0, schedule="linear")
    said = _json(path)
    try:
        found = Manner(
            name,
            int(said.get("window", 16)),
            float(said.get("fps", 12)),
            ClipNoise(float(said.get("noise_share", 0)), float(said.get("noise_carried", 0))),
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"motion: {str(path)!r} cannot be read: {error}") from None
    if not (found.window > 0 and found.rate_hz > 0):
        raise ModelError(f"motion: {str(path)!r}: window and fps must be above 0")
    return found


def check_base(name: str, model: str) -> None:
    """Raise ModelError where the configs, as far as they are on this machine, say that a motion adapter was

    made for another base model than this one."""
    adapter = _config_here(find(name), "config.json")
    unet = _config_here(catalog.find_model(model), "unet/config.json")
    if adapter and unet:
        _check(adapter, unet, name, model)


def moving(pipe: Any) -> Any:
    """AnimateDiff's pipeline of the parts of a picture pipeline, whose network does not move yet."""
    names = ("vae", "text_encoder", "tokenizer", "scheduler")
    made = diffusers.AnimateDiffPipeline(
        unet=None, motion_adapter=None, **{name: getattr(pipe, name) for name in names}
    )
    made.register_modules(unet=pipe.unet)
    return made


def dressed(unet: Any, name: str, model: str) -> Any:
    """A UNetMotionModel with the layers of a UNet, moving or not, and a motion adapter from its safetensors.

    It lies on the CPU in the UNet's number type. Raises ModelError.
    """
    location = find(name)
    with foreign_errors(location):
        adapter = loading.from_safetensors(diffusers.MotionAdapter, location)
        _check(adapter.config, unet.config, name, model)
        if isinstance(unet, diffusers.UNetMotionModel):
            return _changed(unet, adapter)
        made = diffusers.UNetMotionModel.from_unet2d(unet, adapter)
    return made.to(unet.dtype)


def _changed(unet: Any, adapter: Any) -> Any:
    """Another network with the motion of `adapter` in the place of its own."""
    config = dict(unet.config) | {name: adapter.config[name] for name in _FOLLOWED}
    config["temporal_transformer_layers_per_block"] = adapter.config["motion_transformer_layers_per_block"]
    mid = adapter.config["motion_transformer_layers_per_mid_block"]
    config["temporal_transformer_layers_per_mid_block"] = mid
    made = diffusers.UNetMotionModel.from_config(config)
    still = {key: value for key, value in unet.state_dict().items() if "motion_modules" not in key}
    made.load_state_dict(still, strict=False)
    made.load_motion_modules(adapter)
    return made.to(unet.dtype)


def scheduler(base: Any, how: Manner) -> Any:
    """The base model's scheduler with the noise that the motion learnt. Only Stable Diffusion's own schedule
    is changed: of another one nobody knows what the adapter learnt."""
    if how.schedule and base.config.beta_schedule == "scaled_linear":
        return type(base).from_config(base.config, beta_schedule=how.schedule)
    return base


def _check(adapter: Mapping[str, Any], unet: Mapping[str, Any], name: str, model: str) -> None:
    for of_adapter, of_unet, what in (
        ("block_out_channels", "block_out_channels", "layers of width"),
        ("motion_layers_per_block", "layers_per_block", "layers a block"),
        ("motion_norm_num_groups", "norm_num_groups", "norm groups"),
    ):
        wanted, has = _plain(adapter[of_adapter], unet), _plain(unet[of_unet], unet)
        if wanted != has:
            why = f"was made for another base than {model!r}: {what} {_text(wanted)}, not {_text(has)}"
            raise ModelError(f"motion: {name!r} {why}")


def _plain(value: Any, unet: Mapping[str, Any]) -> Any:
    """Numbers that stand for every block, told apart by nothing, as one."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * len(unet["block_out_channels"])
    return values[0] if len(set(values)) == 1 else values


def _text(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def _config_here(location: str, file: str) -> dict[str, Any] | None:
    """A config of a folder, or of a hub id that was downloaded before."""
    path = Path(location) / file
    if not Path(location).is_dir():
        found = hub.try_to_load_from_cache(location, file) if catalog.HUB_ID.fullmatch(location) else None
        path = Path(found) if isinstance(found, str) else path
    return _json(path) if path.is_file() else None


def _config_of(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    return _json(path) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"motion: {str(path)!r} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise ModelError(f"motion: {str(path)!r} holds no JSON object")
    return found
