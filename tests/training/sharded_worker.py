"""What each process of a sharded run does in the tests, one after the other so that they start only once.

    accelerate launch --use_fsdp --fsdp_version 2 --num_processes 2 -m tests.training.sharded_worker FOLDER

In FOLDER: `sharded` from the first step to the last, `resumed` interrupted and gone on with, `plain` the same
recipe on the same processes, each with the whole base.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from accelerate import PartialState

from studio.errors import Cancelled
from tests.training.small_runs import recipe
from training.config import Recipe
from training.run import train

STEPS = 4


def work(output: Path, pictures: int = 1) -> Recipe:
    """Everything that runs the network: training, recomputing, held-out losses and, if any, pictures."""
    return recipe(
        output,
        steps=STEPS,
        checkpoint_every=1,
        batch_size=16,
        gradient_checkpointing=True,
        validate_every=STEPS,
        validation_count=2,
        validation_pictures=pictures,
    )


def cancel_after_two(step: int, _loss: float) -> None:
    if step == 2:
        raise Cancelled("enough")


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    train(work(folder / "sharded"))
    try:
        train(work(folder / "resumed", pictures=0), cancel_after_two)
    except Cancelled:
        PartialState().wait_for_everyone()  # for the checkpoint, which the first one writes
        train(work(folder / "resumed", pictures=0))
    del os.environ["ACCELERATE_USE_FSDP"]
    train(work(folder / "plain"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
