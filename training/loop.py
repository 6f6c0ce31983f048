"""The training loop: one recipe in, one adapter out, the same on one process or several.

A run is a function of its recipe: the order of examples, every dropped emotion and every noise tensor derive
from (seed, step), so a checkpoint needs a step number in place of generator states, and a resumed run on the
CPU equals an uninterrupted one bit for bit. The pipeline owns the loss; this file knows no model family.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from studio.emotion import NEUTRAL
from studio.errors import Cancelled, InputError, ModelError
from studio.ports import RowEmotion
from training import checkpoint, report
from training.checkpoint import Checkpoint
from training.config import Recipe
from training.job import CHECKPOINTS, Job, OnStep, Progress, held_out_losses
from training.log import RunLog
from training.order import DROPS, NOISE, Order, generator_of, learning_rate, split


class Objective(nn.Module):
    """The loss of one micro-batch as a module over the adapter's weights, so that Accelerate can wrap it."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.weights = nn.ParameterList(job.adapter.parameters())
        gamma = job.recipe.snr_gamma
        self._loss = partial(job.loss, snr_gamma=gamma) if gamma else job.loss
        self._set_emotion = job.set_emotion

    def forward(
        self, tensors: dict[str, Tensor], emotions: list[RowEmotion], generator: torch.Generator
    ) -> Tensor:
        return self._loss(tensors, emotions, self._set_emotion, generator)


class Trainer:
    """Takes a job from where its newest checkpoint is to the last step."""

    def __init__(self, job: Job, accelerator: Accelerator) -> None:
        self.job, self.accelerator, self.recipe = job, accelerator, job.recipe
        self.folder = Path(job.recipe.output)
        self.progress = Progress()
        self.parameters = job.adapter.parameters()
        self.names = list(job.adapter.state_dict())
        held_out, self.trained = split(len(job.cache), self.recipe, job.cache.files)
        self.held_out = sorted(held_out, key=job.cache.sizes.__getitem__)
        self.order = self._order()
        optimizer = torch.optim.AdamW(
            self.parameters, lr=0.0, weight_decay=self.recipe.weight_decay, foreach=True
        )
        self.objective, self.optimizer = accelerator.prepare(Objective(job), optimizer)
        decay = self.recipe.ema_decay
        self.average = EMAModel(self.parameters, decay=decay, foreach=True) if decay else None

    def run(self, on_step: OnStep, stop_asked: Callable[[], bool]) -> Progress:
        """Train to the last step; the averaged weights are in the adapter afterwards.

        Raises Cancelled after a checkpoint when `stop_asked` says so or `on_step` raises it, ModelError when
        the loss is not a number (the newest checkpoint is then from before that step).
        """
        with self._log() as log:
            self._describe(log)
            while self.progress.step < self.recipe.steps:
                began = time.perf_counter()
                loss, length, stop = self._step(stop_asked)
                self.progress.step += 1
                self.progress.seconds += time.perf_counter() - began
                log.advance(loss)
                self._report(log, length)
                self._after_step(on_step, loss, stop)
            self.save()
        if self.average:
            self.average.copy_to(self.parameters)
        return self.progress

    def resume(self, saved: Checkpoint) -> None:
        """Take over everything from a checkpoint. InputError when it is beyond the recipe's last step."""
        if saved.step > self.recipe.steps:
            why = f"the run is at step {saved.step} already, got {self.recipe.steps}"
            raise InputError("steps", self.recipe.steps, why, str(saved.step))
        tensors = saved.tensors
        self.job.adapter.load_state_dict(_under("weight/", tensors))
        state = checkpoint.unflatten_optimizer(tensors, saved.values["optimizer"], self.names)
        self.optimizer.load_state_dict(state)
        if self.average:
            self.average.optimization_step = saved.values["average_steps"]
            for shadow, name in zip(self.average.shadow_params, self.names, strict=True):
                shadow.copy_(tensors[f"average/{name}"])
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(saved.values["scaler"])
        self.progress = Progress(saved.step, saved.values["seconds"], saved.values["figures"])

    def save(self) -> None:
        """A checkpoint of this moment; only the first process writes."""
        if not self.accelerator.is_main_process:
            return
        tensors, optimizer = checkpoint.flatten_optimizer(self.optimizer.state_dict(), self.names)
        tensors |= {f"weight/{name}": tensor for name, tensor in self.job.adapter.state_dict().items()}
        values = {"optimizer": optimizer, "seconds": self.progress.seconds, "figures": self.progress.figures}
        if self.average:
            pairs = zip(self.names, self.average.shadow_params, strict=True)
            tensors |= {f"average/{name}": shadow for name, shadow in pairs}
            values["average_steps"] = self.average.optimization_step
        if self.accelerator.scaler:
            values["scaler"] = self.accelerator.scaler.state_dict()
        moment = Checkpoint(self.progress.step, tensors, values, self.job.identity, self.job.data)
        checkpoint.save(self.folder / CHECKPOINTS, moment, self.recipe.keep_last)

    def _order(self) -> Order:
        cache, recipe = self.job.cache, self.recipe
        sizes = [cache.sizes[row] for row in self.trained]
        labels = [cache.labels[row] for row in self.trained] if recipe.balance == "labels" else None
        if labels and len(set(labels)) == 1:
            why = f"all examples have one label ({labels[0]!r}); there is nothing to balance"
            raise InputError("balance", recipe.balance, why, "none")
        return Order(self.trained, recipe.batch_size, recipe.seed, sizes, labels)

    def _step(self, stop_asked: Callable[[], bool]) -> tuple[float, float, bool]:
        """One optimiser step: mean loss, gradient length before clipping, whether a stop is asked for."""
        accelerator, step = self.accelerator, self.progress.step
        rows, losses, stop, length = self.order.batch(step), [], False, 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, step)
        parts = self.recipe.gradient_accumulation
        for part in range(parts):
            with accelerator.accumulate(self.objective):
                loss = self.objective(*self._inputs(rows[part::parts], part))
                mean, stop = self._agree(loss.detach(), stop_asked())
                self._refuse_nan("loss", mean, rows[part::parts])
                losses.append(mean)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    longest = self.recipe.max_gradient_norm
                    length = float(accelerator.clip_grad_norm_(self.parameters, longest))
                    if not accelerator.scaler:  # which skips such steps itself
                        self._refuse_nan("gradient", length, rows)
                self.optimizer.step()
                self.optimizer.zero_grad()
        if self.average:
            self.average.step(self.parameters)
        return sum(losses) / len(losses), length, stop

    def _inputs(
        self, rows: Sequence[int], part: int
    ) -> tuple[dict[str, Tensor], list[RowEmotion], torch.Generator]:
        """What this process learns from: its share of `rows`, with dropped captions and emotions."""
        recipe, rank = self.recipe, self.accelerator.process_index
        own = rows[rank :: self.accelerator.num_processes]
        tensors, emotions = self.job.cache.rows(own)
        drops = np.random.default_rng([recipe.seed, DROPS, self.progress.step, part, rank])
        unfelt = drops.random(len(own)) < recipe.emotion_dropout
        unsaid = torch.from_numpy(drops.random(len(own)) < recipe.caption_dropout)
        emotions = [NEUTRAL if drop else emotion for drop, emotion in zip(unfelt, emotions, strict=True)]
        for name, blank in self.job.cache.blank.items():
            tensors[name][unsaid] = blank
        return (
            self._moved(tensors),
            emotions,
            generator_of(recipe.seed, NOISE, self.progress.step, part, rank),
        )

    def _moved(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.to(self.accelerator.device) for name, tensor in tensors.items()}

    def _agree(self, loss: Tensor, stop: bool) -> tuple[float, bool]:
        """Mean loss of all processes, and whether any of them was asked to stop: all must do the same."""
        if self.accelerator.num_processes == 1:
            return float(loss), stop
        both = torch.stack([loss.float(), torch.tensor(float(stop), device=loss.device)])
        mean, share = self.accelerator.reduce(both, "mean").tolist()
        return mean, share > 0

    def _refuse_nan(self, what: str, value: float, rows: Sequence[int]) -> None:
        if math.isfinite(value):
            return
        newest = checkpoint.latest(self.folder / CHECKPOINTS)
        kept = f"{newest} is kept" if newest else "there is no checkpoint yet"
        examples = ", ".join(str(self.job.cache.numbers[row]) for row in rows)
        where = f"step {self.progress.step + 1} (examples {examples})"
        help = f"a learning_rate below {self.recipe.learning_rate:g} or mixed_precision=no may help"
        raise ModelError(f"training: the {what} is {value} at {where}; {kept}; {help}")

    def _after_step(self, on_step: OnStep, loss: float, stop: bool) -> None:
        step = self.progress.step
        try:
            on_step(step, loss)
        except Cancelled:
            self.save()
            raise
        if stop and step < self.recipe.steps:
            self.save()
            raise Cancelled(f"stopped at step {step} of {self.recipe.steps}; start it again to go on")
        if step % self.recipe.checkpoint_every == 0:
            self.save()

    def _log(self) -> RunLog:
        main = self.accelerator.is_main_process
        return RunLog(self.folder, self.recipe.steps, self.progress.step, self.recipe.batch_size, main)

    def _describe(self, log: RunLog) -> None:
        """What buckets, balance and shards are made of, once at the beginning."""
        cache = self.job.cache
        found: dict[str, dict[str, int]] = {}
        if self.recipe.buckets:
            found["sizes"] = dict(Counter(cache.sizes[row] for row in self.trained))
        if self.recipe.balance == "labels":
            found["labels"] = dict(Counter(cache.labels[row] for row in self.trained))
        if self.job.shards:
            found["sharded"] = dict(self.job.shards)
        if found and not self.progress.step:
            log.write(0, found)

    def _report(self, log: RunLog, gradient_length: float) -> None:
        step, every = self.progress.step, self.recipe.validate_every
        if step % self.recipe.log_every == 0 or step == self.recipe.steps:
            rate = learning_rate(self.recipe, step - 1)
            log.write_step(step, {"learning_rate": rate, "gradient_norm": gradient_length})
        main = self.accelerator.is_main_process
        if every and (step % every == 0 or step == self.recipe.steps) and (main or self.job.shards):
            began = time.perf_counter()
            self.progress.figures = self.validate() | self._shown()
            log.write(step, self.progress.figures)
            if main:
                report.write(self.folder)
            log.waited(time.perf_counter() - began)

    def _shown(self) -> dict[str, float]:
        """Figures of pictures rendered with the weights that the run would leave behind now."""
        if self.job.show is None:
            return {}
        with torch.no_grad(), self.accelerator.autocast(), self._averaged(), self.job.awake():
            return dict(self.job.show(self.progress.step))

    def validate(self) -> dict[str, float]:
        """`held_out_losses` of the weights that the run would leave behind now."""
        with torch.no_grad(), self.accelerator.autocast(), self._averaged():
            return held_out_losses(self.job, self.held_out, self.accelerator.device)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The weights that the run would leave behind now, instead of the ones in training."""
        if not self.average:
            yield
            return
        self.average.store(self.parameters)
        self.average.copy_to(self.parameters)
        try:
            yield
        finally:
            self.average.restore(self.parameters)


def check_share(recipe: Recipe, processes: int) -> None:
    """Raise InputError when a batch cannot be divided among micro-batches and processes."""
    parts = recipe.gradient_accumulation * processes
    if recipe.batch_size % parts:
        size = recipe.batch_size
        why = f"must be a multiple of gradient_accumulation x processes ({parts}), got {size}"
        raise InputError("batch_size", size, why, str(max(1, size // parts) * parts))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
