# SPDX-License-Identifier: GPL-3.0-or-later
from surface_features.wording import how_many, name_or_count


def test_one_of_something_is_told_in_the_singular() -> None:
    assert how_many(1, "bone") == "1 bone"
    assert how_many(1200, "vertex", "vertices") == "1,200 vertices"


def test_a_single_mesh_is_told_by_its_name() -> None:
    assert name_or_count(["Body"], "mesh", "meshes") == "Body"
    assert name_or_count(["Body", "Hair"], "mesh", "meshes") == "2 meshes"
