# SPDX-License-Identifier: GPL-3.0-or-later
"""The backbone is shown what covers hide, as inference shows it; needs no data."""

import numpy as np

from surface_features.mesh import TriangleMesh
from training.dressing import Labelled
from training.render_shards import render_character, take_off_covers

from .shapes import cylinder, join, moved

BODY, ROBE = cylinder(0.2, 2.0), moved(cylinder(0.25, 1.0, rings=20), (0, 0, 0.3))
ON_BODY, ON_ROBE = 7, 8


def labelled(*meshes: TriangleMesh) -> Labelled:
    whole = join(*meshes)
    labels = np.repeat([ON_BODY, ON_ROBE], [len(BODY.vertices), len(whole.vertices) - len(BODY.vertices)])
    return Labelled(whole.vertices, whole.faces, labels)


def test_pictures_without_a_robe_show_the_body_only():
    dressed = labelled(BODY, ROBE)
    bare = take_off_covers(dressed, np.random.default_rng(0))
    shown = render_character(bare, np.random.default_rng(1), 6)[1]
    assert set(np.unique(shown)) == {-1, ON_BODY}
    assert ON_ROBE in render_character(dressed, np.random.default_rng(1), 6)[1]


def test_a_body_in_one_piece_is_shown_as_it_is():
    alone = labelled(BODY)
    assert take_off_covers(alone, np.random.default_rng(0)) is alone


def test_what_has_no_surface_is_left_as_it_is():
    flat = Labelled(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32), np.full(3, ON_BODY))
    assert take_off_covers(flat, np.random.default_rng(0)) is flat
