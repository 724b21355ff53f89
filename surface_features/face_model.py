# SPDX-License-Identifier: GPL-3.0-or-later
"""People's heads as a mean and principal components, and where on a mesh such a head lies.

Features find a face to a centimetre; a head that only people have, laid onto the surface, finds its lids and lips to a
fraction of a millimetre. A morphable model fitted as in "A Morphable Model for the Synthesis of 3D Faces" (Blanz and
Vetter 1999), to a surface instead of to pictures: neighbours sought by place and normal, distances measured along the
normals, coefficients held near the mean by their spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry.laplacian import factorise, robust_laplacian
from .geometry.sampling import with_middles
from .geometry.similarity import Similarity, fit_similarity
from .geometry.vectors import unit_rows
from .mesh import Float32, Int32, TriangleMesh
from .preflight import preflight
from .progress import JobContext

FILE = Path(__file__).resolve().parent / "models" / "face" / "face.npz"
Float64 = NDArray[np.float64]

MOST_SEARCHED = 25_000  # of the mesh's vertices, for the first guess
REACH = 1.5  # of the head's own radius: what of the mesh belongs to it
ROUNDS, POLISHING = 30, 8
# All lengths are metres at the size of the mean head; first and last round.
NOISE = (0.004, 0.0003)  # how far off the surface is believed to be
OUTLIER = (0.03, 0.004)  # a neighbour this far away has a quarter of the say
NORMAL = 0.02  # a right angle between normals is as bad as this distance
INDEPENDENT = 300  # so many distances are believed to be off independently of each other
SLIDE = 0.02  # weight of distances along the surface beside those along its normals
STIFFNESS = (1e-9, 1e-11)  # m⁴ of bending beside distances: waves of 3.5 cm, then of 1 cm
FACING = 0.5  # least cosine between normals
CLOSE = 0.002  # a vertex this near to the surface counts as on it
LEAST_ON = 0.65  # of the head that must be, before it is bent
STRANGEST = 2.4  # standard deviations on the mean: more, and it is nobody's head


@dataclass(frozen=True, eq=False)
class FaceModel:
    """mean: (H, 3) float64, Z up, facing −Y, metres. spread: (K, H, 3) float64, one standard deviation each.
    faces: (F, 3). tie_face, tie_bary: (H,), (H, 3) where on the rig template's first human shape each vertex lies.
    """

    mean: Float64
    spread: Float64
    faces: Int32
    tie_face: Int32
    tie_bary: Float32

    def on_body(self, values: NDArray, body: TriangleMesh) -> Float32:
        """(H, D) float32 unit rows at the head, of features (V, D) of the rig template's first human shape."""
        found = np.einsum("hc,hcd->hd", self.tie_bary, values[body.faces[self.tie_face]])
        return unit_rows(found).astype(np.float32)


@cache
def load_face_model() -> FaceModel:
    with np.load(FILE) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return FaceModel(
        arrays["mean"].astype(np.float64),
        arrays["spread"].astype(np.float64) * arrays["step"].astype(np.float64)[:, None, None],
        arrays["faces"].astype(np.int32),
        arrays["tie_face"].astype(np.int32),
        arrays["tie_bary"].astype(np.float32),
    )


@dataclass(frozen=True, eq=False)
class FittedFace:
    """surface: the model's faces over its (H, 3) vertices where they lie on the mesh, in the mesh's own frame.

    on: share of the head that lies on the mesh by its coefficients alone. strangeness: how many standard deviations
    these are from the mean, on the mean. unit: how long a metre of the mean head is on the mesh.
    """

    surface: TriangleMesh
    on: float
    strangeness: float
    unit: float

    @property
    def is_face(self) -> bool:
        """Whether the mesh has a person's head: scans measure 0.78 and 1.8, toys at most 0.55 and at least 2.7."""
        return self.on >= LEAST_ON and self.strangeness <= STRANGEST


def fit_face(
    model: FaceModel,
    model_features: Float32,
    mesh: TriangleMesh,
    features: Float32,
    context: JobContext | None = None,
) -> FittedFace:
    """Lay the head onto a mesh.

    model_features: (H, D) of `FaceModel.on_body`, features: (V, D) of the mesh's vertices, by the same backbone.
    """
    context = context or JobContext()

    def tell(rounds: int) -> None:
        context.report(rounds / (ROUNDS + POLISHING), f"Looking for the face of {mesh.name}")

    tell(0)
    checked = preflight(mesh)
    points = (checked.proxy.vertices / checked.scale + checked.centre).astype(np.float64)
    normals = checked.proxy.vertex_normals.astype(np.float64)
    start = _first_guess(model, model_features, points, features[checked.artist_vertex])
    fit = _Fit(model, _Goal.cut(model, start, points, normals, checked.proxy.faces), start)
    for number in range(ROUNDS):
        fit.improve(number / (ROUNDS - 1))
        tell(number + 1)
    on = fit.share_on()
    for number in range(POLISHING):
        fit.polish(number / (POLISHING - 1))
        tell(ROUNDS + number + 1)
    surface = TriangleMesh(fit.where(fit.shape).astype(np.float32), model.faces, mesh.name)
    return FittedFace(surface, on, float(np.sqrt((fit.coefficients**2).mean())), fit.where.scale)


def _first_guess(model: FaceModel, model_features: Float32, points: Float64, features: Float32) -> Similarity:
    """Where the mean head lies, by the most alike vertices."""
    import torch

    rows = np.arange(len(points))
    if len(rows) > MOST_SEARCHED:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_SEARCHED, replace=False))
    alike, found = (torch.from_numpy(model_features) @ torch.from_numpy(features[rows]).T).max(dim=1)
    return fit_similarity(model.mean, points[rows[found.numpy()]], alike.clamp(min=0).numpy(), rounds=10)


@dataclass(frozen=True, eq=False)
class _Goal:
    """Points of the mesh around the head, (N, 3), and their normals, in the mesh's frame."""

    points: Float64
    normals: Float64

    @classmethod
    def cut(cls, model: FaceModel, start: Similarity, points: Float64, normals: Float64, faces: Int32) -> _Goal:
        """Vertices, and the middles of faces and their sides: vertices alone would be too few."""
        centre = start(model.mean.mean(axis=0))
        radius = start.scale * np.linalg.norm(model.mean - model.mean.mean(axis=0), axis=1).max()
        near = faces[(np.linalg.norm(points[faces] - centre, axis=2) < REACH * radius).all(axis=1)]
        used, own = np.unique(near, return_inverse=True)
        samples = [with_middles(of[used], own.reshape(-1, 3)) for of in (points, normals)]
        length = np.maximum(np.linalg.norm(samples[1], axis=1, keepdims=True), 1e-12)
        return cls(samples[0], samples[1] / length)


class _Fit:
    """where: the similarity from the model's frame into the mesh's. shape: (H, 3) the head in the model's frame."""

    def __init__(self, model: FaceModel, goal: _Goal, start: Similarity) -> None:
        from scipy.spatial import cKDTree

        self.model, self.goal, self.where = model, goal, start
        self.shape = model.mean
        self.coefficients = np.zeros(len(model.spread))
        mean = TriangleMesh(model.mean.astype(np.float32), model.faces)
        self._mass = mean.vertex_areas / mean.vertex_areas.sum()
        self._unit = start.scale
        self._tree = cKDTree(np.hstack([goal.points / self._unit, NORMAL * goal.normals]))

    def _neighbours(self) -> tuple[Float64, Float64, Float64]:
        """(H, 3) the nearest points and their normals in the model's frame, and (H,) the cosine of normals."""
        own = TriangleMesh(self.shape.astype(np.float32), self.model.faces).vertex_normals.astype(np.float64)
        turned = own @ self.where.rotation.T
        here = np.hstack([self.where(self.shape) / self._unit, NORMAL * turned])
        nearest = self._tree.query(here, workers=-1)[1]
        back = (self.goal.points[nearest] - self.where.offset) @ self.where.rotation / self.where.scale
        normals = self.goal.normals[nearest] @ self.where.rotation
        return back, normals, (normals * own).sum(axis=1)

    def improve(self, share: float) -> None:
        """One round of seeking neighbours and moving towards them. share: 0 in the first round, 1 in the last."""
        noise, outlier = (first ** (1 - share) * last**share for first, last in (NOISE, OUTLIER))
        goal, normals, facing = self._neighbours()
        gap = goal - self.shape
        weight = self._mass * (facing > FACING) / (1 + (np.linalg.norm(gap, axis=1) / outlier) ** 2) ** 2
        weight = weight / max(float(weight.sum()), 1e-12)
        # Unknowns: the coefficients, then turn, shift and growth of the whole.
        spread, x = self.model.spread, self.shape
        turns = -np.cross(x[:, None], np.eye(3)[None]).transpose(1, 0, 2)
        moves = np.concatenate([spread, turns, np.broadcast_to(np.eye(3)[:, None], (3, len(x), 3)), x[None]])
        along = np.einsum("khi,hi->kh", moves, normals)
        aim = goal - self.model.mean
        flat = (moves * np.sqrt(SLIDE * weight)[None, :, None]).reshape(len(moves), -1)
        matrix = (along * weight) @ along.T + flat @ flat.T
        right = (along * weight) @ (aim * normals).sum(axis=1)
        right = right + flat @ (aim * np.sqrt(SLIDE * weight)[:, None]).ravel()
        count = len(spread)
        matrix[np.arange(count), np.arange(count)] += noise**2 / INDEPENDENT
        matrix[np.diag_indices_from(matrix)] += 1e-14
        found = np.linalg.solve(matrix, right)
        self.coefficients = found[:count]
        self.shape = self.model.mean + np.einsum("k,khi->hi", self.coefficients, spread)
        self._move(found[count : count + 3], found[count + 3 : count + 6], float(found[-1]))

    def _move(self, turn: Float64, shift: Float64, growth: float) -> None:
        from scipy.spatial.transform import Rotation

        rotation = Rotation.from_rotvec(turn).as_matrix()
        old = self.where
        scale = float(np.exp(np.clip(growth, -0.3, 0.3)))
        self.where = Similarity(
            old.scale * scale, old.rotation @ rotation, old.scale * old.rotation @ shift + old.offset
        )

    def polish(self, share: float) -> None:
        """One round of bending the head, smoothly, to where no coefficients bring it. share: as in `improve`."""
        from scipy.sparse import diags

        stiffness = STIFFNESS[0] ** (1 - share) * STIFFNESS[1] ** share
        goal, normals, facing = self._neighbours()
        gap = goal - self.shape
        weight = self._mass * (facing > FACING) / (1 + (np.linalg.norm(gap, axis=1) / OUTLIER[1]) ** 2) ** 2
        out = (gap * normals).sum(axis=1)[:, None] * normals
        aim = self.shape + out + SLIDE * (gap - out) - self._fitted
        factors = factorise(diags(weight) + stiffness * self._bending + 1e-9 * diags(self._mass))
        self.shape = self._fitted + factors.solve(weight[:, None] * aim)

    @cached_property
    def _fitted(self) -> Float64:
        """(H, 3) the shape as the coefficients have it; asked for when they are final."""
        return self.shape

    @cached_property
    def _bending(self) -> Any:
        """(H, H) sparse: ∫|Δd|² of displacements d, per unit of area."""
        from scipy.sparse import diags

        laplacian, mass = robust_laplacian(TriangleMesh(self._fitted.astype(np.float32), self.model.faces))
        return laplacian @ diags(1 / mass.diagonal()) @ laplacian / mass.diagonal().sum()

    def share_on(self) -> float:
        """The share of the head's area that lies on the mesh."""
        goal, normals, facing = self._neighbours()
        off = np.abs(((goal - self.shape) * normals).sum(axis=1))
        near = np.linalg.norm(goal - self.shape, axis=1) < 4 * CLOSE
        return float(self._mass[(off < CLOSE) & near & (facing > FACING)].sum())
