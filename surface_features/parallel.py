# SPDX-License-Identifier: GPL-3.0-or-later
"""Several pieces of work at once, for work that spends its time outside the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MOST = 8  # threads: what is left inside the lock would only wait for itself
Result = TypeVar("Result")


def cores() -> int:
    """On how many this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(work: Callable[[int], Result], count: int) -> Iterator[Result]:
    """work(0), …, work(count − 1) in this order. An error ends it; what has not begun by then is left out."""
    threads = min(cores(), count, MOST)
    if threads < 2:
        yield from map(work, range(count))
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, range(count))
