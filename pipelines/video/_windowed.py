"""A video network that sees a clip window by window, in the place of one that sees all of it.

Every window is a call of its own with its own frames' words and feelings; what is predicted for frames that
several windows see is mixed. The network itself is not changed. Knows tensors, windows and scripts; knows no
file and no adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.image import _sd_sampling as sampling
from pipelines.video._script import Script
from pipelines.video._windows import Window
from studio.lazy import lazy
from studio.ports import SetEmotion

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

HELD_FRAMES = 8  # over how many frames a start picture lets go


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A start picture that a clip keeps to: `clean` (R, C, 1, h, w) and how much of it each frame has.

    The first frame is the picture; the others have less of it the later they are and the further denoising
    has come, so that the end of denoising is theirs.
    """

    clean: Tensor
    shares: tuple[float, ...]

    def applied(
        self, made: Tensor, rows: Tensor, timestep: Tensor, scheduler: Any, progress: float
    ) -> Tensor:
        """Predictions (rows, C, T, h, w), drawn towards those that lead to the picture."""
        fading = [share if share == 1 else share * (1 - progress) for share in self.shares]
        weight = torch.tensor(fading).to(made).view(1, 1, -1, 1, 1)
        clean = self.clean.to(made).repeat(len(rows) // len(self.clean), 1, 1, 1, 1)
        wanted = sampling.leading_to(clean, scheduler, rows, timestep)
        return torch.lerp(made, wanted, weight)


def held_shares(count: int, loop: bool) -> tuple[float, ...]:
    """1 for the first frame, less for those after it; in a loop also for those before."""
    away = (min(index, count - index) if loop else index for index in range(count))
    return tuple(max(0.0, 1 - distance / HELD_FRAMES) for distance in away)


class Windowed:
    """Called as a UNet is by `sampling.Denoiser`: rows (rows, C, T, h, w) of whole clips.

    `steps`: how often it will be called; `on_window` hears of every call of the network.
    """

    def __init__(
        self,
        unet: Any,
        windows: Sequence[Window],
        script: Script,
        set_emotion: SetEmotion,
        on_window: Callable[[], None],
    ) -> None:
        self._unet, self._windows, self._script = unet, windows, script
        self._set_emotion, self._on_window = set_emotion, on_window
        self._held: tuple[Held, Any, int] | None = None
        self._calls = 0

    def hold(self, held: Held, scheduler: Any, steps: int) -> None:
        """Keep to a picture through `steps` calls."""
        self._held = held, scheduler, steps

    def __call__(
        self, rows: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, return_dict: bool = False
    ) -> tuple[Tensor]:
        """A prediction like `rows`. What is said is the script's: the text here is that of whole clips."""
        made = torch.zeros_like(rows)
        for window in self._windows:
            frames = list(window.frames)
            self._script.feel(frames, self._set_emotion)
            text = self._script.text(frames)
            seen = rows[:, :, frames]
            found = self._unet(seen, timestep, encoder_hidden_states=text, return_dict=False)[0]
            made[:, :, frames] += found * torch.tensor(window.weights).to(made).view(1, 1, -1, 1, 1)
            self._on_window()
        if self._held:
            held, scheduler, steps = self._held
            made = held.applied(made, rows, timestep, scheduler, self._calls / max(1, steps - 1))
        self._calls += 1
        return (made,)
