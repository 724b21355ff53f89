# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig from nothing: the skeleton and skin weights of the most alike templates in a mesh that never had any.

mesh = read_mesh(Path("villager.glb"))
rig = rig_from_nothing(mesh, kind="human")
names = name_bones(rig.bones, "mixamo")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .cache import FeatureCache
from .correspondence import match_surfaces
from .errors import BadInputError
from .features import Features, compute_features
from .likeness import likeness
from .mesh import Float32, Int32, TriangleMesh
from .progress import JobContext
from .rig_names import z_axes
from .rig_template import KINDS, RigShape, RigTemplate, load_template
from .rigging import carry_joints, robust_similarity, settle_joints
from .settings import FeatureSettings, WeightSettings
from .transfer.limits import limit_weights
from .transfer.weights import transfer_skin

UNLIKE = 0.04  # of the likeness: a shape that much worse than the best is not tried
UNEVEN = 0.2  # of the likeness: what bones that all are stretched by e or shrunk by e beside the others cost
LONG = 0.05  # of the extent of the skeleton: shorter bones, those of fingers, say nothing of proportions
NEARLY_AS_ALIKE = 0.01  # of the score: the share of a shape that is so much worse falls by e
AVERAGED = 3  # shapes


@dataclass(frozen=True, eq=False)
class PresetRig:
    """What was fitted, in the mesh's own frame.

    kind: one of `rig_template.KINDS`. shape: the template's body that was most alike. likeness: 0…1, how much.
    bones: B names, parents first (`rig_names.name_bones` gives other conventions). parents: (B,) int32, −1 the root.
    ends: (B, 2, 3) heads and tails. z_axes: (B, 3) where each bone's local Z looks. front: (3,) where the
    body looks. landmarks: (L, 3).
    weights: (V, B) float32, rows sum to 1. confidence: (V,) of the matches they came by.
    """

    kind: str
    shape: str
    likeness: float
    bones: tuple[str, ...]
    parents: Int32
    ends: Float32
    z_axes: Float32
    front: Float32
    landmarks: Float32
    weights: Float32
    confidence: Float32


def rig_from_nothing(
    mesh: TriangleMesh,
    kind: str = "auto",
    *,
    features: FeatureSettings | None = None,
    weights: WeightSettings | None = None,
    context: JobContext | None = None,
    cache: FeatureCache | None = None,
) -> PresetRig:
    """Fit a template's skeleton to a mesh and give the mesh its skin weights.

    kind: "human", "quadruped", or "auto" for the one that is more alike. Every joint lies inside the mesh; where the
    mesh is the same left and right, so is the skeleton. Raises `BadInputError` for an unknown kind, and for meshes
    without a surface (`preflight`).
    """
    if kind not in ("auto", *KINDS):
        raise BadInputError(f"Unknown preset “{kind}”: use auto, {' or '.join(KINDS)}.", fault="bad_setting")
    features, context = features or FeatureSettings(), context or JobContext()
    found = compute_features(mesh, features, context.span(0.0, 0.3), cache)
    kinds = KINDS if kind == "auto" else (kind,)
    alike = _most_alike(mesh, found, kinds, features, context.span(0.3, 0.54), cache)
    fits = _fit_shapes(mesh, found, alike, context.span(0.54, 0.7))
    # Shapes err in their own ways, so their mean is better than any.
    shares = np.exp([(fit.score - fits[0].score) / NEARLY_AS_ALIKE for fit in fits])
    shares = (shares / shares.sum()).astype(np.float32)
    template, shape = fits[0].template, fits[0].shape
    context.report(0.7, f"{mesh.name}: fitting bones")
    with context.stage("rigging"):
        carried = np.einsum("n,nbed->bed", shares, np.stack([fit.bones for fit in fits]))
        fitted = settle_joints(shape.mesh, shape.bones_and_landmarks, mesh, carried)
        ends, landmarks = fitted[: len(shape.ends)], fitted[len(shape.ends) :, 0]
        turn = robust_similarity(shape.ends.reshape(-1, 3), ends.reshape(-1, 3))[:, :3]
        turn = turn / np.cbrt(np.linalg.det(turn))
        axes, front = z_axes(shape.ends) @ turn.T, -turn[:, 1]  # templates face −Y
    weights = weights or WeightSettings()
    skin = np.zeros((len(mesh.vertices), len(template.bones)), np.float32)
    confidence = np.zeros(len(mesh.vertices), np.float32)
    for number, (share, fit) in enumerate(zip(shares, fits, strict=True)):
        part = context.span(0.75 + 0.25 * number / len(fits), 0.75 + 0.25 * (number + 1) / len(fits))
        onto_shape = match_surfaces(mesh, found, fit.shape.mesh, fit.features, part)
        with context.stage("transfer"):
            skin += (
                share
                * transfer_skin(fit.shape.mesh, template.weights, mesh, onto_shape, weights, template.bones).weights
            )
        confidence += share * onto_shape.confidence
    return PresetRig(
        template.kind, shape.name, fits[0].likeness, template.bones, template.parents, ends, axes.astype(np.float32),
        front.astype(np.float32),
        landmarks, limit_weights(skin, weights), confidence,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Candidate:
    template: RigTemplate
    shape: RigShape
    features: Features
    likeness: float


@dataclass(frozen=True, eq=False)
class _Fit(_Candidate):
    """bones: (B + L, 2, 3) the shape's bones and landmarks carried into the mesh. score: what shapes are chosen by."""

    bones: Float32
    score: float


def _fit_shapes(mesh: TriangleMesh, found: Features, alike: Sequence[_Candidate], context: JobContext) -> list[_Fit]:
    """At most `AVERAGED` of the shapes of one template, the best first.

    Best is a shape that the mesh's features are alike to and whose bones need not be stretched unevenly to fit the
    mesh: features tell what is a head, not how big it is.
    """
    fits = []
    for number, one in enumerate(alike):
        part = context.span(number / len(alike), (number + 1) / len(alike))
        onto_mesh = match_surfaces(one.shape.mesh, one.features, mesh, found, part)
        bones = one.shape.bones_and_landmarks
        moving = np.pad(one.template.weights, ((0, 0), (0, len(one.shape.landmarks))))
        carried = carry_joints(one.shape.mesh, bones, moving, mesh, onto_mesh)
        score = one.likeness - UNEVEN * _unevenness(one.shape.ends, carried[: len(one.shape.ends)])
        fits.append(_Fit(one.template, one.shape, one.features, one.likeness, carried, score))
    return sorted(fits, key=lambda fit: -fit.score)[:AVERAGED]


def _most_alike(
    mesh: TriangleMesh,
    found: Features,
    kinds: Sequence[str],
    settings: FeatureSettings,
    context: JobContext,
    cache: FeatureCache | None,
) -> list[_Candidate]:
    """The shapes of the most alike template whose features the mesh's are nearly as alike to as to the best one's."""
    settings = FeatureSettings.from_json(settings.to_json() | {"up": "Z"})  # as templates are made
    pairs = [(template, shape) for template in map(load_template, kinds) for shape in template.shapes]
    candidates = []
    for number, (template, shape) in enumerate(pairs):
        part = context.span(number / len(pairs), (number + 1) / len(pairs))
        features = compute_features(shape.mesh, settings, part, cache)
        candidates.append(_Candidate(template, shape, features, likeness(mesh, found, shape.mesh, features)))
    best = max(candidates, key=lambda candidate: candidate.likeness)
    least = best.likeness - UNLIKE
    return [one for one in candidates if one.template is best.template and one.likeness >= least]


def _unevenness(before: Float32, after: Float32) -> float:
    """0…1: how much long bones, (B, 2, 3) each, are stretched beside each other: mean |log| by length, at most 1."""
    length, stretched = (np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) for ends in (before, after))
    long = length > LONG * float(np.ptp(before.reshape(-1, 3), axis=0).max())
    stretch = np.log(np.maximum(stretched[long], 1e-12) / length[long])
    return float(np.average(np.minimum(np.abs(stretch - np.median(stretch)), 1.0), weights=length[long]))
