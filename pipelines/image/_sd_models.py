"""Where a Stable Diffusion 1.x/2.x model comes from: a folder, the hub, or built in code at toy size.

Knows files, the hub's errors, number types and attention kernels; knows no request and no emotion.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import InputError, ModelError, nearest
from studio.lazy import lazy
from studio.settings import DEVICES, DTYPES

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

diffusers = lazy("diffusers")
safetensors = lazy("safetensors")
tokenizers = lazy("tokenizers")
transformers = lazy("transformers")

DEFAULT_GUIDANCE = 5.0
_FAMILY = {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"}


def load(model: str, device: str, dtype: str) -> Any:
    """The StableDiffusionPipeline of a folder or hub id, safetensors only. Raises ModelError, InputError."""
    device = torch_device(device)
    number_type = torch_dtype(dtype, device)
    _quiet()
    with _foreign_errors(model):
        name = diffusers.DiffusionPipeline.load_config(model)["_class_name"]
        if name not in _FAMILY:
            raise ModelError(f"model: {model!r} is a {name}; image/sd takes Stable Diffusion 1.x and 2.x")
        pipe = diffusers.StableDiffusionPipeline.from_pretrained(
            model,
            dtype=number_type,
            use_safetensors=True,
            safety_checker=None,
            requires_safety_checker=False,
        )
    return ready(pipe, device)


def ready(pipe: Any, device: str) -> Any:
    """The pipeline frozen on its device, with the attention that runs fastest there."""
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    for module in (pipe.unet, pipe.vae, pipe.text_encoder):
        module.eval().requires_grad_(False)
    pipe.vae.enable_slicing()  # decodes row by row: memory does not grow with the batch
    if device.startswith("cuda"):
        choose_attention(pipe.unet)
    return pipe


def recommended_guidance(model: str) -> float:
    """`guidance` of the folder's optional studio.json; 5.0 where nothing is said."""
    path = Path(model) / "studio.json"
    if not path.is_file():
        return DEFAULT_GUIDANCE
    try:
        return float(json.loads(path.read_text("utf-8")).get("guidance", DEFAULT_GUIDANCE))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"model: {str(path)!r} cannot be read: {error}") from None


def torch_device(device: str) -> str:
    """`auto`: the best accelerator that is there. Raises InputError for a device that is not."""
    if device == "auto":
        has_metal = torch.backends.mps.is_available()
        return "cuda" if torch.cuda.is_available() else "mps" if has_metal else "cpu"
    kind = device.partition(":")[0]
    if kind not in DEVICES:
        raise InputError(
            "device", device, f"{device!r} is not one of {', '.join(DEVICES)}", nearest(kind, DEVICES)
        )
    if (kind == "cuda" and not torch.cuda.is_available()) or (
        kind == "mps" and not torch.backends.mps.is_available()
    ):
        raise InputError("device", device, f"{device!r} is not available here", "auto")
    return device


def torch_dtype(dtype: str, device: str) -> torch.dtype:
    """`auto`: half precision on an accelerator; float32 on a CPU, where a batch must not change a row."""
    if dtype not in DTYPES:
        raise InputError(
            "dtype", dtype, f"{dtype!r} is not one of {', '.join(DTYPES)}", nearest(dtype, DTYPES)
        )
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "float16"
    return getattr(torch, dtype)


@contextmanager
def _foreign_errors(model: str) -> Iterator[None]:
    """The one place where the hub's and diffusers' loading errors become ours."""
    try:
        with warnings.catch_warnings():  # what diffusers passes to a newer hub client is not ours to mend
            warnings.filterwarnings("ignore", ".*local_dir_use_symlinks", UserWarning)
            yield
    except _foreign() as error:
        raise ModelError(f"model: {model!r} {_reason(model, error)}") from error


def _foreign() -> tuple[type[Exception], ...]:
    """Asked for only when something went wrong: naming the last one imports its library."""
    known = (OSError, ValueError, TypeError, AttributeError, KeyError, RuntimeError)
    return (*known, safetensors.SafetensorError)


def _reason(model: str, error: BaseException) -> str:
    causes = []
    link: BaseException | None = error
    while link is not None:
        causes.append(f"{type(link).__name__}: {link}")
        link = link.__cause__ or link.__context__
    text = "\n".join(causes)
    if "GatedRepo" in text:
        return "asks you to accept its terms on the hub first, then log in with 'hf auth login'"
    if "RepositoryNotFound" in text or "404" in text:
        return "is neither a folder here nor a public model on the hub"
    if "safetensors" in text and "no file named" in text.lower():
        return "lacks .safetensors weights; other formats are not loaded"
    if not Path(model).is_dir() and ("LocalEntryNotFound" in text or "Offline" in text or "onnect" in text):
        offline = os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "TRUE", "YES", "ON"}
        why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
        return f"is not on this machine yet, and {why}"
    return f"cannot be loaded: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def _quiet() -> None:
    """Loading prints bars and remarks about image processors that this pipeline never uses."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()


def choose_attention(unet: Any) -> str:
    """Time PyTorch's attention and xformers', where installed, on this model; keep and name the faster."""
    if not diffusers.utils.is_xformers_available():
        return "torch"
    before = dict(unet.attn_processors)
    torch_seconds = _forward_seconds(unet)
    try:
        unet.enable_xformers_memory_efficient_attention()
        changed = any("XFormers" in type(one).__name__ for one in unet.attn_processors.values())
        if changed and _forward_seconds(unet) < torch_seconds:
            return "xformers"
    except (ImportError, NotImplementedError, RuntimeError, ValueError):
        pass  # built for another torch, or no kernel for this card: torch's attention works everywhere
    unet.set_attn_processor(before)
    return "torch"


def _forward_seconds(unet: Any, repeats: int = 5) -> float:
    config = unet.config
    size = config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    kind = {"device": unet.device, "dtype": unet.dtype}
    latents = torch.zeros(2, config.in_channels, height, width, **kind)
    text = torch.zeros(2, 77, config.cross_attention_dim, **kind)
    seconds = []
    with torch.no_grad():
        for _ in range(repeats):
            torch.cuda.synchronize()
            start = time.perf_counter()
            unet(latents, torch.tensor(1, device=unet.device), encoder_hidden_states=text)
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    return min(seconds)


def tiny(seed: int) -> Any:
    """A complete Stable Diffusion at toy size, 64 px, random weights: no files, no network."""
    _quiet()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = _byte_tokenizer()
        return diffusers.StableDiffusionPipeline(
            vae=_tiny_vae(),
            text_encoder=_tiny_text_encoder(tokenizer),
            tokenizer=tokenizer,
            unet=_tiny_unet(),
            scheduler=diffusers.DDIMScheduler(
                beta_schedule="scaled_linear",
                beta_start=0.00085,
                beta_end=0.012,
                clip_sample=False,
                set_alpha_to_one=False,
                steps_offset=1,
                timestep_spacing="leading",  # said, or another sampler would take its own default
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


def _byte_tokenizer() -> Any:
    """CLIP's tokenizer with the 256 bytes as its vocabulary and no merges."""
    printable = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = [*printable, *(f"{byte}</w>" for byte in printable), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _tiny_text_encoder(tokenizer: Any) -> Any:
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.CLIPTextModel(config)


def _tiny_unet() -> Any:
    return diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
        norm_num_groups=8,
    )


def _tiny_vae() -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        sample_size=64,
    )
