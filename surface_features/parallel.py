# SPDX-License-Identifier: GPL-3.0-or-later
"""Several pieces of work at once, for work that spends its time outside the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

# What a process is started with. OpenMP's threads, GNU's and LLVM's, would wait for each other without resting: where
# another program has a core, for long. OpenBLAS's would for 30 ms after each of NumPy's products, which are small here,
# and keep PyTorch's from the cores.
RESTING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0", "OPENBLAS_NUM_THREADS": "1"}
MOST = 8  # threads: what is left inside the lock would only wait for itself
Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """On how many this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(work: Callable[[Item], Result], items: Sequence[Item], most: int = MOST) -> Iterator[Result]:
    """`work` of every item, in this order. An error ends it; what has not begun by then is left out."""
    threads = min(cores(), len(items), most)
    if threads < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, items)


@contextmanager
def one_core(many: int | None = None) -> Iterator[None]:
    """PyTorch computes in this thread alone here, for products so small that sharing them out takes longer.

    Its threads wait for each other without resting: where another program has a core, a hundred times as long.
    many: threads to go back to; what it has now when None.
    """
    import torch

    many = many or torch.get_num_threads()
    torch.set_num_threads(1)  # of this thread, and of those that first compute from now on: therefore set back
    try:
        yield
    finally:
        torch.set_num_threads(many)


def each_on_one_core(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """As `each`, of work that PyTorch would spread over its threads; as many items at once as it has."""
    import torch

    many = torch.get_num_threads()

    def alone(item: Item) -> Result:
        with one_core(many):
            return work(item)

    yield from each(alone, items, torch_at_once())


def torch_at_once() -> int:
    """How many items `each_on_one_core` computes at once, if there are so many."""
    import torch

    return min(cores(), torch.get_num_threads(), MOST)


def each_on(device: str, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`work` of every item: on a CPU one on every core, on another device, which each of them fills, one by one."""
    return each_on_one_core(work, items) if device == "cpu" else map(work, items)


class Ahead:
    """Work for one thread, in the order it is given, while the caller is busy with what came before. See `ahead`."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`work` of every item, begun as soon as the thread is free. An error comes where its item's result would."""
        futures = [self._pool.submit(work, item) for item in items]
        return (future.result() for future in futures)


@contextmanager
def ahead() -> Iterator[Ahead]:
    """Leaving the context drops what has not begun."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield Ahead(pool)
        finally:
            pool.shutdown(cancel_futures=True)


def parts(count: int, size: int) -> list[slice]:
    """0 … count in slices of `size`, the last one shorter; one empty slice of nothing."""
    return [slice(start, start + size) for start in range(0, max(count, 1), size)]
