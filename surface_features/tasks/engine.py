# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that asks the engine about itself."""

from __future__ import annotations

import sys
import time

from .. import __version__
from ..engine.protocol import JobRequest
from ..progress import JobContext
from .common import Answer


def ping(request: JobRequest, context: JobContext) -> Answer:
    """Tell what the engine runs on, and send its arrays back.

    params: seconds (how long to take over it, 0 by default).
    """
    seconds = float(request.params.get("seconds", 0.0))
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        context.report(elapsed / seconds, "Waiting")
        time.sleep(min(0.05, seconds - elapsed))
    import torch

    info = {
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "torch": str(torch.__version__),
        "device": _best_device(),
        "version": __version__,
    }
    return dict(request.arrays), info


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
