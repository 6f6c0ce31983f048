"""What a file in `pipelines/`, `adapters/` or `training/data/` must offer. Nothing here knows a model.

Shapes: R rows (one per request, or two with classifier-free guidance), T time steps (frames, bars).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from studio.emotion import VAD, Emotion
from studio.landmarks import Landmarks
from studio.request import RenderRequest
from studio.speech import Speech

# One emotion per row, or one per row and time step; the pipeline calls it before each forward pass whose
# rows differ from the last. Unconditional rows are NEUTRAL.
RowEmotion = VAD | Sequence[VAD]
SetEmotion = Callable[[Sequence[RowEmotion]], None]


@dataclass(frozen=True, slots=True)
class Step:
    """Progress inside one `render` call: `done` of `total` steps; `preview()` makes one PIL picture a row."""

    done: int
    total: int
    preview: Callable[[], list[Any]] | None = None


OnStep = Callable[[Step], None]  # raises Cancelled to stop the render


@runtime_checkable
class Artifact(Protocol):
    """Something that was made. `suffix` with the dot; `save` writes it with its provenance inside; without
    `replace` it raises NameTakenError (studio.storage) for a name that is taken. What a person should know
    about it may stand in `notes`, one line each."""

    suffix: str

    def save(self, path: Path, provenance: Mapping[str, Any], replace: bool = True) -> None: ...


class Pipeline(Protocol):
    """One model family. Its file also has a frozen dataclass `Params` (see studio.params), `DEFAULT_MODEL`,

    if it reads files, `INPUTS`: the names that a request's `inputs` may have, and, where the family cannot
    do all that a request can say, `check(request)`, which raises InputError. A family that may cut prompts
    has `unread(prompts)`: of each the end that is not read, "" where all is. Where nothing is drawn from a
    prompt, `PROMPT_IS_TITLE = True`: it may be empty, and names what is made. Where a feeling does something
    without an adapter, `WITHOUT_ADAPTER` says what: the words after "emotion 'joy'"; "" where it does all.
    A family that can change its prompt on the way says `PROMPT_TRAVEL = True` and follows a request's `told`.
    Where parameters name weights besides the model, `weights(request)` gives their folders or hub ids, and
    the loaded pipeline has `dress(request)`, which puts them on before any adapter is.
    """

    @classmethod
    def load(cls, model: str, device: str, dtype: str, memory: str = "auto") -> Pipeline:
        """`model`: a folder or a hub id. `dtype`: "float32", "bfloat16", "float16" or "auto".

        `memory`: a word of studio.settings.MEMORY, or "fits": wholly on the device or not at all. Raises
        MemoryShortage (studio.preflight) before anything is loaded.
        """
        ...

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        """The real classes at toy size with random weights: no files, no network."""
        ...

    @property
    def modules(self) -> Mapping[str, Any]:
        """Name -> nn.Module: what adapters may touch."""
        ...

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One artifact per request, in order. Every request of the batch has the same `batch_key`."""
        ...


class Spoken(Protocol):
    """What the file of a family that speaks has beside its class, for pages that show a line before it is

    rendered. `faces` is there where a family reads pictures (input `image`); parameter `first_s` of such a
    family renders the beginning alone.
    """

    @staticmethod
    def timeline(request: RenderRequest) -> Speech:
        """What is said and when. Raises InputError for what cannot be said or heard."""
        ...

    @staticmethod
    def voices() -> Sequence[Any]:
        """Who can say a line: `name`, `language` (BCP 47) and `title` of each."""
        ...

    @staticmethod
    def faces(path: Path) -> list[Landmarks]:
        """The faces of a picture that can be moved, from left to right. Raises InputError, ModelError."""
        ...


class TrainablePipeline(Pipeline, Protocol):
    """A family that adapters can be trained for. Tensors are rows (R, ...); those of `prepare` can be cached.

    Its `modules` name the network that learns "unet" or "transformer". A family that makes no pictures has no
    `native_size`, one without captions no `prepare_text` and no `unread`; sliders alone need `predict`.
    """

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) in pixels that the model was trained at."""
        ...

    def prepare(self, examples: Sequence[Example], size: tuple[int, int] | None = None) -> dict[str, Any]:
        """What the frozen parts make of media and captions, on the CPU; `size`: of pictures (width, height)
        in px."""
        ...

    def prepare_text(self, prompts: Sequence[str]) -> dict[str, Any]:
        """The share of `prepare` that captions alone make."""
        ...

    def unread(self, prompts: Sequence[str]) -> list[str]:
        """The end of each caption that the model does not read; "" where it reads all."""
        ...

    def predict(
        self, tensors: Mapping[str, Any], emotions: Sequence[VAD], set_emotion: SetEmotion, generator: Any
    ) -> tuple[Any, Any, Any]:
        """What the network makes of noised rows, what it should make, and the timesteps. The same generator

        state draws the same noise and times, whatever the captions and emotions are.
        """
        ...

    def loss(
        self,
        tensors: Mapping[str, Any],
        emotions: Sequence[RowEmotion],
        set_emotion: SetEmotion,
        generator: Any,
        snr_gamma: float | None = None,
    ) -> Any:
        """Scalar to minimise. `snr_gamma` weighs timesteps by min-SNR; a family that cannot leaves it out."""
        ...


class Adapter(Protocol):
    """A small file that bends a frozen model towards a feeling."""

    @classmethod
    def load(cls, path: Path) -> Adapter: ...

    def save(self, path: Path) -> None: ...

    def applied(
        self, modules: Mapping[str, Any], strength: float = 1.0
    ) -> AbstractContextManager[SetEmotion]:
        """Inside the block the modules carry the adapter; after it they are bit for bit as before."""
        ...


@runtime_checkable
class Wording(Protocol):
    """What an adapter has besides, if its kind says the feeling in the prompt, and not to the network."""

    def reworded(self, prompt: str, feeling: VAD, medium: str, strength: float = 1.0) -> str:
        """The prompt with the feeling in words; the same for NEUTRAL and for strength 0. `medium`: what is
        made, by the first word of the family's name."""
        ...


@dataclass(frozen=True, slots=True)
class Example:
    """One training example. `media` is a path, an array a synthetic dataset made, or a window of bars, whose
    feelings bar by bar may stand in `attributes["bars"]`."""

    media: Any
    prompt: str
    emotion: Emotion
    attributes: Mapping[str, Any]


class Dataset(Protocol):
    """A data set; its class is a frozen dataclass whose fields are its options (see studio.params).

    An example that cannot be read raises InputError from `[]`; the trainer counts it and goes on.
    """

    @property
    def description(self) -> Mapping[str, Any]:
        """Plain values that are equal only for equal examples; prepared data is kept under them."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example: ...

    def __iter__(self) -> Iterator[Example]: ...
