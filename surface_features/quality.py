# SPDX-License-Identifier: GPL-3.0-or-later
"""How good transferred skin weights are, as far as can be told without the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .geometry.coarse import coarsen
from .geometry.components import vertex_components
from .mesh import Float32, TriangleMesh
from .preflight import preflight
from .quality_report import SURE, WeightQuality
from .transfer.weights import TransferredSkin

Float64 = NDArray[np.float64]

TEST_POSES, MOST_TURN = 4, 50.0  # degrees
TOUCHED = 0.05  # a smaller weight does not count as an influence of a bone's island
STRETCH = 2.0  # an edge that grows or shrinks by this much under a test pose is torn or squashed
LOOKED_AT = 3000  # faces, for self-intersection
MOST_POSED = 12_000  # vertices


def measure_quality(
    target: TriangleMesh, skin: TransferredSkin, names: Sequence[str], sides: NDArray[np.int8], cycle_error: float
) -> tuple[WeightQuality, Float32]:
    """The report, and (V,) 0…1 how doubtful each vertex is. names: (J,), sides: (J,) as `BoneSides.side`."""
    weights = skin.weights
    checked = preflight(target)
    proxy, on_proxy = checked.proxy, weights[checked.artist_vertex]
    sums = weights.sum(axis=1)
    wrong_side = _wrong_side(weights, skin.side, sides)
    islands, stray = find_islands(proxy, on_proxy, names)
    strain, volume, torn, crossing = _under_test_poses(proxy, on_proxy)
    doubt = np.clip(1 - skin.confidence, 0, 1) * 0.6
    doubt = doubt + 0.25 * np.clip(strain, 0, 1)[checked.proxy_vertex] + 0.4 * stray[checked.proxy_vertex]
    doubt = np.where(wrong_side | (sums <= 1e-6), 1.0, np.where(skin.loose, 0.3 * doubt, doubt))
    count = (weights > 0).sum(axis=1)
    quality = WeightQuality(
        target=target.name,
        vertices=len(weights),
        coverage=float((skin.confidence >= SURE).mean()),
        confidence=float(skin.confidence.mean()),
        cycle_error=cycle_error,
        unweighted=int((sums <= 1e-6).sum()),
        worst_sum=float(np.abs(sums - 1).max()),
        influences=int(count.max()),
        mean_influences=float(count.mean()),
        side_moved=int(skin.side_moved.sum()),
        side_violations=int(wrong_side.sum()),
        islands=islands,
        loose=int(skin.loose.sum()),
        volume_change=volume,
        torn_edges=torn,
        self_intersection=crossing,
    )
    return quality, np.clip(doubt, 0, 1).astype(np.float32)


def _wrong_side(weights: Float32, side: NDArray[np.int8], sides: NDArray[np.int8]) -> NDArray[np.bool_]:
    left, right = weights[:, sides > 0].sum(axis=1), weights[:, sides < 0].sum(axis=1)
    return ((side > 0) & (right > TOUCHED)) | ((side < 0) & (left > TOUCHED))


def find_islands(
    mesh: TriangleMesh, weights: Float32, names: Sequence[str]
) -> tuple[dict[str, int], NDArray[np.bool_]]:
    """Bones that move several patches of one piece, with how many too many, and (V,) bool the small ones."""
    piece = vertex_components(mesh.faces, len(mesh.vertices))
    stray = np.zeros(len(mesh.vertices), bool)
    found: dict[str, int] = {}
    for column, name in enumerate(names):
        touched = weights[:, column] > TOUCHED
        if not touched.any():
            continue
        faces = mesh.faces[touched[mesh.faces].all(axis=1)]
        if len(faces) == 0:
            continue
        rows, own = np.unique(faces, return_inverse=True)
        patch = vertex_components(own.reshape(-1, 3).astype(np.int32), len(rows))
        label, first, size = np.unique(patch, return_index=True, return_counts=True)
        home = piece[rows[first]]
        extra = 0
        for number in np.unique(home):
            own = np.flatnonzero(home == number)
            small = own[np.arange(len(own)) != size[own].argmax()]
            extra += len(small)
            stray[rows[np.isin(patch, label[small])]] = True
        if extra:
            found[name] = extra
    return found, stray


def _under_test_poses(mesh: TriangleMesh, weights: Float32) -> tuple[Float64, float, float, float]:
    """(V,) strain, and mean volume change, share of torn edges and of faces that enter another under test poses.

    Every bone turns at random about the middle of where it meets its neighbours: no skeleton is needed. Large meshes
    are posed with fewer vertices.
    """
    if len(mesh.vertices) > MOST_POSED:
        coarse = coarsen(mesh, MOST_POSED)
        means = coarse.average(weights).astype(np.float32)
        strain, volume, torn, crossing = _pose_at_random(coarse.mesh, means)
        return strain[coarse.of_vertex], volume, torn, crossing
    return _pose_at_random(mesh, weights)


def _pose_at_random(mesh: TriangleMesh, weights: Float32) -> tuple[Float64, float, float, float]:
    generator = np.random.default_rng(0)
    edges = mesh.edges
    rest = mesh.vertices.astype(np.float64)
    length = np.maximum(np.linalg.norm(rest[edges[:, 0]] - rest[edges[:, 1]], axis=1), 1e-9)
    volume = _volume(rest, mesh.faces)
    pivots, shares = _pivots(rest, weights.astype(np.float64))
    before = _crossing(rest, mesh.faces)
    strain, changes, torn, crossing = np.zeros(len(rest)), [], [], []
    for _ in range(TEST_POSES):
        posed = _turned(rest, weights.astype(np.float64), pivots, shares, generator)
        ratio = np.linalg.norm(posed[edges[:, 0]] - posed[edges[:, 1]], axis=1) / length
        bad = (ratio > STRETCH) | (ratio < 1 / STRETCH)
        torn.append(float(bad.mean()))
        np.maximum.at(strain, edges.ravel(), np.repeat(np.abs(np.log(np.maximum(ratio, 1e-3))) / np.log(4), 2))
        changes.append(abs(_volume(posed, mesh.faces) - volume) / max(abs(volume), 1e-9))
        crossing.append(float((_crossing(posed, mesh.faces) & ~before).mean()))
    return strain, float(np.mean(changes)), float(np.mean(torn)), float(np.mean(crossing))


def _pivots(points: Float64, weights: Float64) -> tuple[Float64, Float64]:
    """(J, 3) where each bone meets the others, and (J,) its share of the body: large bones turn little."""
    mass = np.maximum(weights.sum(axis=0), 1e-12)
    meeting = weights * (1 - weights)
    meets = meeting.sum(axis=0)
    middle = (weights.T @ points) / mass[:, None]
    joint = (meeting.T @ points) / np.maximum(meets, 1e-12)[:, None]
    return np.where((meets > 1e-3 * mass)[:, None], joint, middle), mass / mass.sum()


def _turned(
    points: Float64, weights: Float64, pivots: Float64, shares: Float64, generator: np.random.Generator
) -> Float64:
    from scipy.spatial.transform import Rotation

    turn = np.radians(MOST_TURN) * generator.uniform(-1, 1, (len(pivots), 3)) / np.sqrt(3) * (1 - shares)[:, None] ** 2
    matrices = Rotation.from_rotvec(turn).as_matrix()
    offsets = pivots - np.einsum("jik,jk->ji", matrices, pivots)
    blended = weights @ np.concatenate([matrices.reshape(-1, 9), offsets], axis=1)
    return np.einsum("vik,vk->vi", blended[:, :9].reshape(-1, 3, 3), points) + blended[:, 9:]


def _volume(points: Float64, faces: NDArray[np.int32]) -> float:
    a, b, c = points[faces].transpose(1, 0, 2)
    return float(np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6)


def _crossing(points: Float64, faces: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Of some faces, whether one of their edges runs through another face that shares no corner with it."""
    from .views.render import Raycaster

    chosen = faces if len(faces) <= LOOKED_AT else faces[np.linspace(0, len(faces) - 1, LOOKED_AT).astype(int)]
    caster = Raycaster(TriangleMesh(points.astype(np.float32), faces))
    entered = np.zeros(len(chosen), bool)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, end = points[chosen[:, first]], points[chosen[:, second]]
        way = end - start
        face, _, distance = caster.hits((start + 0.01 * way).astype(np.float32), way.astype(np.float32))
        apart = (faces[face][:, :, None] != chosen[:, None, :]).all(axis=(1, 2))
        entered |= (face >= 0) & (distance < 0.98) & apart
    return entered
