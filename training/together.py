# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes that train one model, each on examples of its own; `torchrun` starts them (see the README).

On a CPU two processes of one thread each train twice as fast as one process of two threads.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import distributed, nn


def join() -> None:
    """Join the processes that `torchrun` started, if it did."""
    if distributed.is_torchelastic_launched():
        distributed.init_process_group("gloo")


def process_number() -> int:
    """This process's among those that have joined, 0 where it is alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def leave() -> None:
    """Wait for the others and part."""
    if distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()


def start_alike(parameters: Iterable[nn.Parameter]) -> None:
    """Every process takes over the first one's parameters."""
    if distributed.is_initialized():
        for parameter in parameters:
            distributed.broadcast(parameter.data, src=0)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Every process gets the mean of all processes' gradients; a missing one counts as zero."""
    if not distributed.is_initialized():
        return
    parameters = list(parameters)
    gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
    flat = nn.utils.parameters_to_vector(gradients)
    distributed.all_reduce(flat)
    nn.utils.vector_to_parameters(flat / distributed.get_world_size(), gradients)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def follow_first(value: float) -> float:
    """What `value` is in the first process, so that all of them stop after the same step."""
    if not distributed.is_initialized():
        return value
    told = torch.tensor(value, dtype=torch.float64)
    distributed.broadcast(told, src=0)
    return float(told)
