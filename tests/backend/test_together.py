# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes that train one model."""

from __future__ import annotations

import json
import subprocess
import sys

import torch
from torch import nn

from training.together import average_gradients, follow_first, join, leave, process_number, start_alike

from .engine_helpers import PROJECT

WORK = """
import json, sys, torch
from torch import nn
from training.together import average_gradients, follow_first, join, leave, process_number, start_alike
join()
number = process_number()
weight, unused = nn.Parameter(torch.full((2,), 1.0 + number)), nn.Parameter(torch.zeros(3))
start_alike([weight, unused])
(weight * (1 + 2 * number)).sum().backward()
if number:
    unused.sum().backward()
average_gradients([weight, unused])
said = [weight.tolist(), weight.grad.tolist(), unused.grad.tolist(), follow_first(5.0 + number)]
open(f"{sys.argv[1]}/{number}.json", "w").write(json.dumps(said))
leave()
"""


def test_two_processes_start_alike_and_share_gradients_and_clock(tmp_path):
    script = tmp_path / "work.py"
    script.write_text(WORK)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"}
    subprocess.run([*command, str(script), str(tmp_path)], check=True, env=environment, timeout=120)
    for number in range(2):
        said = json.loads((tmp_path / f"{number}.json").read_text())
        assert said == [[1, 1], [2, 2], [0.5, 0.5, 0.5], 5]


def test_one_process_alone_is_left_as_it_is():
    weight = nn.Parameter(torch.ones(2))
    join()
    assert process_number() == 0
    start_alike([weight])
    average_gradients([weight])
    assert weight.grad is None
    assert follow_first(3.5) == 3.5
    leave()
