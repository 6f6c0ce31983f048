"""Names of fields as other tools write them, and the text line `prompt --tag value ...`.

It knows the tags of the Stable Diffusion web UI's prompts script and of the kohya family, and translates them
to fields of a request and to the parameters a pipeline declares. It does not check a single value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from studio.errors import InputError
from studio.params import ParamSpec

# Several names on the right: the first one that the row's pipeline has a parameter for.
ALIASES: dict[str, tuple[str, ...]] = {
    "n": ("negative_prompt",),
    "negative": ("negative_prompt",),
    "d": ("seed",),
    "sd_model": ("model",),
    "adapter": ("adapters",),
    "lora": ("adapters",),
    "i": ("inputs.image",),
    "s": ("steps",),
    "num_inference_steps": ("steps",),
    "l": ("guidance", "guidance_scale"),
    "cfg": ("guidance", "guidance_scale"),
    "cfg_scale": ("guidance", "guidance_scale"),
    "guidance_scale": ("guidance",),
    "w": ("width",),
    "h": ("height",),
    "f": ("frames",),
    "num_frames": ("frames",),
    "sampler": ("scheduler",),
    "sampler_name": ("scheduler",),
}
_FIXED = {
    alias: names[0]
    for alias, names in ALIASES.items()
    if names[0] in {"negative_prompt", "seed", "model", "adapters", "inputs.image"}
}

_NO_PATH = "a prompts file cannot choose where files go; name the folder on the command line"
_NO_REPEAT = "is not read here; ask for several pictures with several seeds, such as seed 1..4"
_NO_SUCH = "is not supported here"
REFUSED: dict[str, str] = {
    **dict.fromkeys(("out", "output", "path", "file", "filename"), _NO_PATH),
    **dict.fromkeys(("outpath_samples", "outpath_grids"), _NO_PATH),
    **dict.fromkeys(("do_not_save_samples", "do_not_save_grid"), _NO_PATH),
    **dict.fromkeys(("n_iter", "batch_size", "batch_count"), _NO_REPEAT),
    **dict.fromkeys(("subseed", "subseed_strength", "seed_resize_from_h", "seed_resize_from_w"), _NO_SUCH),
    **dict.fromkeys(("styles", "restore_faces", "tiling", "prompt_for_display"), _NO_SUCH),
    "sampler_index": "is not read here; write --sampler_name with the sampler's name",
}

_TAG = re.compile(r"(?:^|(?<=\s))--([A-Za-z][\w.-]*)(?:\s*=\s*|\s+|$)")
_QUOTED = re.compile(r"""(["'])((?:\\.|(?!\1).)*)\1\s*(?=--|$)""")


def parse_line(text: str) -> dict[str, Any]:
    """The fields of a line `prompt --tag value ...`; every value is text, except a list of adapters.

    A value reaches to the next ` --tag`; in quotes it may hold one. Raises InputError for a tag without a
    value, a tag given twice, or a quote that is never closed.
    """
    values: dict[str, Any] = {}
    match = _TAG.search(text)
    prompt = text[: match.start()].strip() if match else text.strip()
    if prompt:
        values["prompt"] = prompt
    while match:
        name = match[1].replace("-", "_")
        value, end = _value(name, text, match.end())
        _put(values, canonical(name), value)
        match = _TAG.search(text, end)
    return values


def _value(name: str, text: str, start: int) -> tuple[str, int]:
    quoted = _QUOTED.match(text, start)
    if quoted:
        return re.sub(r"\\([\"'])", r"\1", quoted[2]), quoted.end()
    following = _TAG.search(text, start)
    end = following.start() if following else len(text)
    value = text[start:end].strip()
    if not value:
        raise InputError(name, value, f'--{name} needs a value; write --{name} "" for an empty text')
    if value.startswith('"') and value.count('"') == 1:
        raise InputError(name, value, f"column {start + 1}: the quote is never closed")
    return value, end


def _put(values: dict[str, Any], name: str, value: str) -> None:
    if name == "adapters":
        values.setdefault(name, []).append(value)
    elif name in values:
        raise InputError(name, value, "is given twice")
    else:
        values[name] = value


def canonical(name: str) -> str:
    """The field that `name` means in every pipeline; a name that depends on the pipeline stays as it is."""
    return _FIXED.get(name, name)


def with_canonical_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` under canonical names. Raises InputError for a field given twice or one that is refused."""
    found: dict[str, Any] = {}
    for written, value in values.items():
        name = canonical(written)
        if written in REFUSED:
            raise InputError(written, value, REFUSED[written])
        if name in found:
            raise _twice(name, [other for other in values if canonical(other) == name])
        found[name] = value
    return found


def _twice(name: str, spellings: list[str]) -> InputError:
    return InputError(name, spellings, f"is given twice, as {' and as '.join(map(repr, spellings))}")


def for_pipeline(values: Mapping[str, Any], specs: Mapping[str, ParamSpec]) -> dict[str, Any]:
    """`values` with aliases resolved to the parameters in `specs`, and `inputs.NAME` gathered as `inputs`."""
    found: dict[str, Any] = {}
    for written, value in values.items():
        name = _resolved(written, specs)
        if name in found:
            raise _twice(name, [other for other in values if _resolved(other, specs) == name])
        if name.startswith("inputs."):
            found.setdefault("inputs", {})[name.removeprefix("inputs.")] = value
        else:
            found[name] = _as_choice(value, specs[name].choices) if name in specs else value
    return found


def _resolved(name: str, specs: Mapping[str, ParamSpec]) -> str:
    if name in specs:
        return name
    return next((choice for choice in ALIASES.get(name, ()) if choice in specs), name)


def _as_choice(value: Any, choices: tuple[str, ...]) -> Any:
    """`DPM++ 2M` and `dpmpp_2m` are one name: spelling of a choice is compared by letters and digits."""
    if not choices or not isinstance(value, str):
        return value
    return {_letters(choice): choice for choice in choices}.get(_letters(value), value)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower().replace("++", "pp"))
