# SPDX-License-Identifier: GPL-3.0-or-later
"""Other ways to get skin weights, on the same pairs: Blender's own two, and robust weight inpainting."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surface_features.geometry.closest import closest_points
from surface_features.geometry.laplacian import inpaint
from surface_features.geometry.vectors import unit_rows
from surface_features.mesh import TriangleMesh

from .skin_cases import Case

MATCH_DISTANCE_M, PERSON_M = 0.05, 1.7  # 5 cm on a person, scaled to the source's height
MATCH_ANGLE_DEGREES = 30.0


def placements(case: Case) -> list[Case]:
    """The source where it is, and as an artist may place it for a transfer by distance: as tall, on the same spot."""
    source, target = case.source.mesh, case.target.mesh
    low, high = (np.array([one.vertices.min(axis=0), one.vertices.max(axis=0)]) for one in (source, target))
    scale = (high[1, 2] - high[0, 2]) / max(low[1, 2] - low[0, 2], 1e-9)
    here, there = (np.append(box.mean(axis=0)[:2], box[0, 2]) for box in (low, high))
    moved = TriangleMesh((source.vertices - here) * scale + there, source.faces, source.name)
    return [case, replace(case, source=replace(case.source, mesh=moved))]


def robust_inpainting(case: Case) -> NDArray:
    """Matches and Laplacian energy of “Robust Skin Weights Transfer via Weight Inpainting” (SIGGRAPH Asia 2023)."""
    source, target = case.source.mesh, case.target.mesh
    face, bary, distance = closest_points(source, target.vertices)
    corners = source.faces[face]
    normal = unit_rows(np.einsum("vc,vcd->vd", bary, source.vertex_normals[corners]))
    alike = (normal * target.vertex_normals).sum(axis=1) >= np.cos(np.radians(MATCH_ANGLE_DEGREES))
    height = float(np.ptp(source.vertices[:, 2]))
    known = (distance <= MATCH_DISTANCE_M * height / PERSON_M) & alike
    weights = np.einsum("vc,vcj->vj", bary, case.source.weights[corners], optimize=True)
    if not known.any():
        return np.zeros_like(weights)
    used = weights[known].any(axis=0)
    filled = np.zeros_like(weights)
    filled[:, used] = np.clip(inpaint(target, weights[:, used], known), 0, 1)
    return filled


def data_transfer(case: Case) -> NDArray:
    """Blender's Data Transfer modifier, vertex groups, nearest face interpolated."""

    from examples.blender_scene import blender_data_transfer

    source = add_object("source", case.source.mesh)
    target = add_object("target", case.target.mesh)
    joints = case.source.joints
    for column, joint in enumerate(joints):
        group = source.vertex_groups.new(name=joint)
        for vertex in np.flatnonzero(case.source.weights[:, column]).tolist():
            group.add((vertex,), float(case.source.weights[vertex, column]), "REPLACE")
    weights = blender_data_transfer(source, target, joints)
    _remove(source, target)

    return weights


def automatic_weights(case: Case) -> NDArray:
    """Blender's Automatic Weights (bone heat), with the target's true joints: columns of the *target's* joints.

    It needs a fitted skeleton, which the others do without; here it gets the best one there is.
    """
    import bpy

    from examples.blender_scene import add_armature, read_groups

    who = case.target
    target = add_object("target", who.mesh)
    armature = add_armature("rig", who.joints, bone_ends(who.heads, who.parents), who.parents)
    for joint, moves in zip(who.joints, who.weights.sum(axis=0) > 0, strict=True):
        armature.data.bones[joint].use_deform = bool(moves)
    bpy.ops.object.select_all(action="DESELECT")
    target.select_set(True)
    armature.select_set(True)
    bpy.context.view_layer.objects.active = armature
    with suppress(RuntimeError):  # “Bone heat weighting: failed to find solution for one or more bones”
        bpy.ops.object.parent_set(type="ARMATURE_AUTO")
    weights = read_groups(target, who.joints)
    _remove(target, armature)
    return weights


def add_object(name: str, mesh: TriangleMesh) -> Any:
    import bpy

    data = bpy.data.meshes.new(name)
    data.from_pydata(mesh.vertices.tolist(), [], mesh.faces.tolist())
    obj = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.update()
    return obj


def bone_ends(heads: NDArray, parents: NDArray) -> NDArray[np.float64]:
    """(J, 2, 3) heads and tails of bones of which only the heads (J, 3) are known.

    Each leads to the middle of its children; at the ends it is half as long as the bone before.
    """
    size = float(np.ptp(heads, axis=0).max())
    tails = heads.astype(np.float64)
    for joint, (head, parent) in enumerate(zip(heads, parents.tolist(), strict=True)):
        children = heads[parents == joint]
        if len(children):
            tails[joint] = children.mean(axis=0)
        else:
            tails[joint] += (head - heads[parent]) / 2 if parent >= 0 else (0, 0, 0.1 * size)
        if np.linalg.norm(tails[joint] - head) < 1e-4 * size:
            tails[joint] = head + np.array([0, 0, 0.02 * size])
    return np.stack([heads, tails], axis=1)


def _remove(*objects: Any) -> None:
    import bpy

    bpy.data.batch_remove([part for obj in objects for part in (obj, obj.data)])
