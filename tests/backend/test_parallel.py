# SPDX-License-Identifier: GPL-3.0-or-later
"""Several pieces of work at once: in order, and stopped by the first error."""

import time

import pytest

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


def test_parts_cover_everything_once():
    assert [list(range(5))[part] for part in parallel.parts(5, 2)] == [[0, 1], [2, 3], [4]]
    assert [[][part] for part in parallel.parts(0, 2)] == [[]]
