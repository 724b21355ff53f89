# SPDX-License-Identifier: GPL-3.0-or-later
"""The Laplacian of messy meshes, and values spread over a surface with it."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..mesh import Float32, Int32, TriangleMesh
from .components import vertex_components

Bool = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
SparseMatrix = Any  # scipy.sparse.csc_matrix: SciPy is only imported on use

MIN_MASS = 1e-4  # of the mean: slivers would otherwise dominate M⁻¹
SOLVE_COLUMNS = 2  # right sides solved at once: SuperLU is twice as fast on two than on many
PULL_LENGTH = 0.025  # of the extent: what lies nearer to a known vertex is smoothed more than it is pulled
MAX_SOLVE_ERROR = 1e-4  # how far the constant function may come out wrong
RINGS = 4  # of faces around what is unknown: its equations read two, and edges flipped at the border stay out of them
PATCH = 0.5  # of the faces: a larger patch is not worth cutting out


_known: WeakKeyDictionary[TriangleMesh, tuple[SparseMatrix, Float64, float]] = WeakKeyDictionary()


def robust_laplacian(mesh: TriangleMesh) -> tuple[SparseMatrix, SparseMatrix]:
    """Cotangent Laplacian L and lumped mass matrix M of any mesh, non-manifold and degenerate ones included.

    L (V, V) is negative semidefinite, its rows sum to 0; M (V, V) is diagonal and positive, in the mesh's unit squared;
    both sparse float64. Rows of vertices without a face are zero in L. "A Laplacian for Nonmanifold Triangle Meshes"
    (Sharp and Crane 2020).
    """
    from scipy.sparse import diags

    laplacian, masses, extent = _at_unit_size(mesh)
    return laplacian.copy(), diags(masses * extent**2, format="csc")


def _at_unit_size(mesh: TriangleMesh) -> tuple[SparseMatrix, Float64, float]:
    """L, the (V,) masses at an extent of 1, and the extent; the same `TriangleMesh` object is only worked on once."""
    found = _known.get(mesh)
    if found is None:
        found = _known[mesh] = _assemble(mesh, mesh.faces)
    return found


def _around(mesh: TriangleMesh, vertices: Int64) -> tuple[SparseMatrix, Float64]:
    """L and masses as `_at_unit_size`, right in the equations of these vertices; of their surroundings if that is less.

    Of everything they take seconds and 600 MB per 200,000 vertices.
    """
    if mesh not in _known:
        near = np.zeros(len(mesh.vertices), bool)
        near[vertices] = True
        for _ in range(RINGS):
            inside = near[mesh.faces].any(axis=1)
            near[mesh.faces[inside]] = True
        if inside.mean() < PATCH:
            return _assemble(mesh, mesh.faces[inside])[:2]
    return _at_unit_size(mesh)[:2]


def _assemble(mesh: TriangleMesh, patch: Int32) -> tuple[SparseMatrix, Float64, float]:
    """See `_at_unit_size`. patch: those of the mesh's faces that are looked at; rows of other vertices are empty."""
    import robust_laplacian as package
    from scipy.sparse import csc_matrix

    count = len(mesh.vertices)
    low, high = (edge(mesh.corners, axis=(0, 1)).astype(np.float64) for edge in (np.min, np.max))
    extent = float((high - low).max())
    used, faces = np.unique(patch, return_inverse=True)
    stiffness, mass = package.mesh_laplacian((mesh.vertices[used] - low) / extent, faces.reshape(-1, 3))
    stiffness = stiffness.tocoo()
    laplacian = csc_matrix((-stiffness.data, (used[stiffness.row], used[stiffness.col])), shape=(count, count))
    masses = np.full(count, 0.0)
    masses[used] = mass.diagonal()
    return laplacian, np.maximum(masses, MIN_MASS * masses[used].mean()), extent


def inpaint(mesh: TriangleMesh, values: Float32, known: Bool, pull: Float64 | None = None) -> Float32:
    """Values of the unknown vertices, as smooth along the surface as the known ones allow.

    values: (V, K) or (V,); known: (V,) bool. pull: (V,) 0…1 how strongly an unknown vertex is drawn to its own value
    (1: over distances beyond `PULL_LENGTH` nothing else counts); without it unknown rows are not read. Returns the
    values as float32, known rows as they were.

    Minimises tr(WᵀQW) with Q = -L + L M⁻¹ L on the mesh at unit size, "Robust Skin Weights Transfer via Weight
    Inpainting" (SIGGRAPH Asia 2023). The result may overshoot the range of the known values. Parts of the mesh without
    a known vertex, and vertices without a face, take the values of the nearest known vertex in space. A surface too
    uneven for Q is solved with -L alone; one too uneven for that takes the nearest known values.
    Raises ValueError when nothing is known.
    """
    table = np.asarray(values, np.float32).reshape(len(mesh.vertices), -1)
    if not known.any():
        raise ValueError("inpaint needs at least one known vertex")
    drawn = np.zeros(len(known)) if pull is None else np.where(known, 0.0, pull)
    filled = np.where((known | (drawn > 0))[:, None], table, np.float32(0))
    if not known.all():
        part = vertex_components(mesh.faces, len(mesh.vertices))
        reached = np.bincount(part, known | (drawn > 0)) > 0
        unknown = np.flatnonzero(~known & reached[part])
        lost = np.flatnonzero(~known & ~reached[part])
        if len(unknown):
            solved = _solve(mesh, filled, known, unknown, drawn)
            if solved is None:
                lost = np.flatnonzero(~known & (drawn == 0))
            else:
                filled[unknown] = solved
        if len(lost):
            filled[lost] = filled[_nearest_known(mesh, known, lost)]
    return filled.reshape(np.shape(values))


def _solve(mesh: TriangleMesh, filled: Float32, known: Bool, unknown: Int64, pull: Float64) -> Float64 | None:
    """(U, K) values of the unknown vertices, or None when the surface is too uneven to solve anything on."""
    from scipy.sparse import diags

    laplacian, masses = _around(mesh, unknown)
    inverse = diags(1 / masses)
    given = np.flatnonzero(known & (np.diff(laplacian.indptr) > 0))
    # The constant function rides along: it must come out as 1, and what is left of its error is divided away.
    right = np.concatenate([filled[given], np.ones((len(given), 1), np.float32)], axis=1).astype(np.float64)
    force = pull[unknown] * masses[unknown] / PULL_LENGTH**4
    drawn = force[:, None] * np.concatenate([filled[unknown], np.ones((len(unknown), 1), np.float32)], axis=1)
    own = laplacian.tocsr()[unknown]
    for energy in (lambda: -own + own @ inverse @ laplacian, lambda: -own):
        rows = energy().tocsc()
        matrix = (rows[:, unknown] + diags(force)).tocsc()
        solution = _solve_columns(matrix, drawn - rows[:, given] @ right)
        if solution is None:
            continue
        ones = solution[:, -1:]
        if np.isfinite(solution).all() and np.abs(ones - 1).max() < MAX_SOLVE_ERROR:
            return solution[:, :-1] / ones
    return None


def factorise(matrix: SparseMatrix) -> SparseMatrix:
    """SuperLU of a symmetric positive definite matrix, ordered and not pivoted: the fill of a Cholesky one."""
    from scipy.sparse.linalg import splu

    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def _solve_columns(matrix: SparseMatrix, right: Float64) -> Float64 | None:
    """matrix⁻¹ · right for a symmetric positive definite matrix; None where it is singular."""
    try:
        factors = factorise(matrix)
    except RuntimeError:  # "Factor is exactly singular"
        return None
    solution = np.zeros(right.shape, order="F")
    busy = np.flatnonzero(right.any(axis=0))
    for start in range(0, len(busy), SOLVE_COLUMNS):
        columns = busy[start : start + SOLVE_COLUMNS]
        solution[:, columns] = factors.solve(np.asfortranarray(right[:, columns]))
    return solution


def _nearest_known(mesh: TriangleMesh, known: Bool, wanted: Int64) -> Int64:
    from scipy.spatial import cKDTree

    given = np.flatnonzero(known)
    return given[cKDTree(mesh.vertices[given]).query(mesh.vertices[wanted])[1]]
