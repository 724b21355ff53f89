# SPDX-License-Identifier: GPL-3.0-or-later
"""Several pieces of work at once, for work that spends its time outside the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MOST = 8  # threads: what is left inside the lock would only wait for itself
Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """On how many this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`work` of every item, in this order. An error ends it; what has not begun by then is left out."""
    threads = min(cores(), len(items), MOST)
    if threads < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, items)


def parts(count: int, size: int) -> list[slice]:
    """0 … count in slices of `size`, the last one shorter; one empty slice of nothing."""
    return [slice(start, start + size) for start in range(0, max(count, 1), size)]
