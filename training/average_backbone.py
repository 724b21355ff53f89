# SPDX-License-Identifier: GPL-3.0-or-later
"""Average a run's backbone with what it went on from: `python -m training.average_backbone --scratch … --start …`.

What a run learns anew it pays for with a little of what it knew; between both lies what has most of either (Wortsman
et al., Robust Fine-Tuning of Zero-Shot Models, CVPR 2022). Run it before `training.lift_characters`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .averaging import average_weights
from .learner import write_checkpoint
from .train_backbone import Recipe, build_model, read_weights

SHARE = 0.65
AVERAGED = "averaged"  # in a checkpoint: the run's share; training that goes on from it does not write it again


def average_backbone(checkpoint: Path, start: Path, share: float) -> None:
    """`checkpoint` gets `share` of its own weights and the rest of those of the exported model `start`.

    The run itself is kept beside it as …_run.pt, and is what is averaged when this is asked again, unless training has
    gone on from the average since.
    """
    run = checkpoint.with_stem(f"{checkpoint.stem}_run")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if AVERAGED in state:
        state = torch.load(run, map_location="cpu", weights_only=True)
    else:
        write_checkpoint(run, state)
    model = build_model(Recipe())
    read_weights(model, start)
    mean = average_weights([state["model"], model.state_dict()], [share, 1 - share])
    write_checkpoint(checkpoint, state | {"model": mean, AVERAGED: share})


def main() -> None:
    parser = argparse.ArgumentParser(description="Average a run's backbone with what it went on from.")
    parser.add_argument("--scratch", type=Path, required=True, help="where training.train_backbone left its checkpoint")
    parser.add_argument("--start", type=Path, required=True, help="the model folder the run went on from")
    parser.add_argument("--share", type=float, default=SHARE, help="of the run, 0 to 1")
    options = parser.parse_args()
    average_backbone(options.scratch / "checkpoint.pt", options.start, options.share)


if __name__ == "__main__":
    main()
