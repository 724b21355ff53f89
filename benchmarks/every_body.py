# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights on every person and quadruped of the data folder: `python -m benchmarks.every_body --data DATA`.

Each gets weights twice: by *Transfer Weights* from one rigged body of its kind, and by *Rig* from nothing. Counted are
vertices without weights (*bare*), those that the report of quality still finds on the wrong side (*told*), and, where
the artist's own weights are known, vertices of one side whose strongest bone is one of the other (*wrong*). Vertices of
which the artist bound a neighbour, or a neighbour's, to the other side lie on the middle and have no side.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surface_features.cache import FeatureCache
from surface_features.features import compute_features
from surface_features.geometry.components import vertex_components
from surface_features.io import read_mesh
from surface_features.mesh import TriangleMesh
from surface_features.preflight import preflight
from surface_features.preset_rig import rig_from_nothing
from surface_features.quality import measure_quality
from surface_features.transfer.bone_sides import bone_sides
from surface_features.transfer.skinning import SkinnedShape, skin_by_matching
from surface_features.upright import to_z_up
from training.data_folder import parse_with_data
from training.read_rigs import SETS, read_all

from .skin_cases import Cast

STATUES = {  # file → its kind, and which way up it was made
    "odedstein/human/human_man.obj": ("person", "Y"),
    "odedstein/human/human_woman.obj": ("person", "Y"),
    "odedstein/cat/cat-low-resolution.obj": ("animal", "auto"),
    "odedstein/koala/koala_low_resolution.obj": ("animal", "auto"),
    "odedstein/spot/spot_low_resolution.obj": ("animal", "auto"),
    "polyhaven/horse_statue_01_1k.obj": ("animal", "Y"),
}
PEOPLE = 4
LIMB = 0.5  # of a vertex's true weights on bones of one side


@dataclass(frozen=True, eq=False)
class Body:
    """side: (V,) int8 on which side the artist bound each vertex, 1 left, −1 right, 0 neither; None if nobody did."""

    kind: str
    mesh: TriangleMesh
    side: NDArray[np.int8] | None = None


def bodies(data: Path, cast: Cast) -> Iterator[Body]:
    for seed in range(PEOPLE):
        for who in (cast.person(seed), cast.person(seed, posed=True, clothed=True)):
            yield Body("person", who.mesh, _side(who.mesh, who.weights, who.joints))
    for family in SETS:
        for path in sorted(cast.rigs.glob(f"{family}_*.npz")):
            who = cast.rigged(family, path.stem.removeprefix(f"{family}_"))
            kind = "animal" if family == "beasts" else "person"
            yield Body(kind, who.mesh, _side(who.mesh, who.weights, who.joints))
    for place, (kind, up) in STATUES.items():
        mesh = to_z_up(read_mesh(data / place), up)
        yield Body(kind, TriangleMesh(mesh.vertices, mesh.faces, Path(place).stem))


def _side(mesh: TriangleMesh, weights: NDArray, joints: Sequence[str]) -> NDArray[np.int8]:
    """Of vertices that mostly hang on bones of one side, as all around them do: which."""
    checked = preflight(mesh)
    side = bone_sides(joints).side
    left, right = (weights[checked.artist_vertex][:, side == sign].sum(axis=1) > LIMB for sign in (1, -1))
    near = [left, right]
    for _ in range(2):
        near = [_grown(checked.proxy, rows) for rows in near]
    return ((left & ~near[1]).astype(np.int8) - (right & ~near[0]))[checked.proxy_vertex]


def _grown(mesh: TriangleMesh, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(V,) bool: these vertices and their neighbours."""
    grown = rows.copy()
    grown[mesh.faces[rows[mesh.faces].any(axis=1)].ravel()] = True
    return grown


def wrong(body: Body, weights: NDArray, bones: Sequence[str]) -> str:
    """How many vertices of a limb are bound most to bones of the other one, and in how many pieces of the mesh."""
    if body.side is None:
        return "–"
    got = bone_sides(bones).side[weights.argmax(axis=1)]
    bad = got * body.side < 0
    piece = vertex_components(body.mesh.faces, len(body.mesh.vertices))
    return f"{bad.sum()}/{(body.side != 0).sum()}" + (f" in {len(np.unique(piece[bad]))}" if bad.any() else "")


def main() -> None:
    parser = argparse.ArgumentParser(description="Weights on every person and quadruped of the data folder.")
    parser.add_argument("--out", type=Path, default=Path("build/skin_weights"), help="folder of rigs and cache")
    options = parse_with_data(parser, "mpfb2/base.obj")
    read_all(options.data, options.out / "rigs")
    cast, cache = Cast(options.data, options.out / "rigs"), FeatureCache(options.out / "cache", 4 * 2**30)
    sources = {"person": cast.person(99), "animal": cast.rigged("beasts", "Wolf")}
    skinned = {
        kind: SkinnedShape(who.mesh, compute_features(who.mesh, cache=cache), who.weights, who.joints)
        for kind, who in sources.items()
    }
    print(f"{'body':32s} {'vertices':>8s}   transferred: bare, told, wrong        from nothing: kind, bare, wrong")
    for body in bodies(options.data, cast):
        source, mesh = skinned[body.kind], body.mesh
        skin = skin_by_matching(source, mesh, compute_features(mesh, cache=cache))[0]
        told = measure_quality(mesh, skin, source.bones, bone_sides(source.bones).side, 0.0)[0].side_violations
        rig = rig_from_nothing(mesh, cache=cache)
        bare = [int((weights.sum(axis=1) < 1 - 1e-3).sum()) for weights in (skin.weights, rig.weights)]
        print(
            f"{mesh.name:32s} {len(mesh.vertices):8d}   {bare[0]:4d} {told:4d}  "
            f"{wrong(body, skin.weights, source.bones):24s} "
            f"{rig.kind:10s} {bare[1]:4d}  {wrong(body, rig.weights, rig.bones)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
