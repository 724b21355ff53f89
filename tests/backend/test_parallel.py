# SPDX-License-Identifier: GPL-3.0-or-later
"""Several pieces of work at once: in order, and stopped by the first error."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from surface_features import parallel


@pytest.mark.parametrize("cores", [1, 3])
def test_results_come_in_order(cores, monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: cores)

    def work(index):
        time.sleep(0.01 * (4 - index))  # the first takes longest
        return index * index

    assert list(parallel.each(work, range(5))) == [0, 1, 4, 9, 16]
    assert list(parallel.each(work, range(0))) == []


@pytest.mark.parametrize("cores", [1, 3])
def test_an_error_ends_it_and_what_has_not_begun_is_left_out(cores, monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: cores)
    begun = []

    def work(index):
        begun.append(index)
        if index == 1:
            raise ValueError("the second fails")
        time.sleep(0.02)

    with pytest.raises(ValueError, match="the second fails"):
        list(parallel.each(work, range(200)))
    assert len(begun) < 200


@pytest.mark.parametrize("many", [1, 2])
def test_each_item_computes_on_one_core_and_the_threads_are_set_back(many, monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 4)
    before = torch.get_num_threads()
    torch.set_num_threads(many)
    try:
        found = list(parallel.each_on_one_core(lambda item: (item, torch.get_num_threads()), range(6)))
        assert found == [(item, 1) for item in range(6)]
        assert torch.get_num_threads() == many
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == many  # a thread that begins later
    finally:
        torch.set_num_threads(before)


def test_results_are_made_ahead_one_after_the_other():
    made = []
    with parallel.ahead() as meanwhile:
        results = meanwhile.each(lambda item: made.append(item) or item, range(3))
        assert next(results) == 0
        deadline = time.monotonic() + 5
        while made != [0, 1, 2] and time.monotonic() < deadline:
            time.sleep(0.001)
        assert made == [0, 1, 2]  # before they were asked for
        assert list(results) == [1, 2]


def test_an_error_ahead_comes_in_its_turn_and_what_has_not_begun_is_dropped():
    begun = []

    def work(item):
        begun.append(item)
        time.sleep(0.02)
        if item == 1:
            raise ValueError("the second fails")
        return item

    def ask():
        with parallel.ahead() as meanwhile:
            results = meanwhile.each(work, range(100))
            assert next(results) == 0
            next(results)

    with pytest.raises(ValueError, match="the second fails"):
        ask()
    assert len(begun) < 100


def test_parts_cover_everything_once():
    assert [list(range(5))[part] for part in parallel.parts(5, 2)] == [[0, 1], [2, 3], [4]]
    assert [[][part] for part in parallel.parts(0, 2)] == [[]]
