# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that pose: a source's pose or clip on other bodies, and which bones of two armatures are each other's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.protocol import JobRequest
from ..errors import BadInputError
from ..mesh import TriangleMesh
from ..progress import JobContext
from ..settings import FeatureSettings, MotionSettings
from .common import Answer, compute, match_meshes, read_mesh

if TYPE_CHECKING:
    from ..correspondence import Correspondence
    from ..transfer.jacobians import PoseTransfer
    from ..transfer.pose_fit import Contact
    from ..transfer.skeleton import Skeleton

SOLE = 0.015  # of the height: what is this near to the floor stands on it
STRIP_FRAMES = 6
SOLE_REACH = 0.05  # of the height: a goal further than this from the floor was not meant to stand


def transfer_pose(request: JobRequest, context: JobContext) -> Answer:
    """The source's pose on every target.

    arrays source_vertices (Vs, 3) at rest, source_faces, source_posed (Vs, 3), target_vertices_0, target_faces_0 …, and
    for targets with an armature its bones, see `read_skeleton`. params: source_name, target_names, feature_settings,
    standing (the source has no rest pose: source_vertices is the pose), force.
    Returns posed_0 (Vt, 3), and own_0 (B, 3, 3), moves_0 (B, 3), turns_0 (B, 3, 3), heads_0 (B, 3) where there are
    bones, and strip_0 (N,) uint8, a PNG file with both bodies before and after; info "poses": for each target
    confidence, fit_error and intersecting (before, after), limited bone numbers.
    """
    from ..transfer.jacobians import PoseTransfer
    from ..transfer.pose_fit import PoseFitter
    from ..transfer.pose_quality import intersecting_share

    pairs = _Pairs(request, context)
    posed = np.asarray(request.arrays["source_posed"], np.float64)
    standing = bool(request.params.get("standing", False))
    arrays: dict[str, np.ndarray] = {}
    told: list[dict[str, Any]] = []
    for index, part in pairs.parts():
        target, onto_source, confidence = pairs.match(index, part)
        part.report(0.7, f"{target.name}: transferring the pose")
        with part.stage("pose"):
            transfer = PoseTransfer(pairs.source, target, onto_source, standing=standing)
            rest = target.vertices.astype(np.float64)
            contact = None if standing else _floor_contact(transfer, posed)
            goal = transfer.pose(posed)
            if contact is not None:
                contact = _near_floor(contact, goal, float(np.ptp(rest[:, 2])))
        skeleton = read_skeleton(request, index)
        facts: dict[str, Any] = {"confidence": confidence, "limited": [], "fit_error": 0.0}
        if skeleton is not None:
            part.report(0.85, f"{target.name}: fitting bones")
            with part.stage("fit"):
                fitted = PoseFitter(skeleton, rest, onto_source.confidence.astype(np.float64) ** 2 + 1e-4)
                result = fitted.fit(goal, contact=contact)
            goal = result.pose.skin(skeleton, rest)
            arrays |= {f"own_{index}": result.own, f"moves_{index}": result.moves}
            arrays |= {f"turns_{index}": result.pose.turns, f"heads_{index}": result.pose.heads}
            facts |= {"limited": list(result.limited), "fit_error": result.error / max(_height(target), 1e-12)}
        elif contact is not None and len(contact.vertices):
            goal[:, 2] += contact.floor - np.median(goal[contact.vertices, 2])
        arrays[f"posed_{index}"] = goal.astype(np.float32)
        part.report(0.95, f"{target.name}: checking")
        with part.stage("check"):
            after = TriangleMesh(goal.astype(np.float32), target.faces, target.name)
            facts["intersecting"] = [intersecting_share(target), intersecting_share(after)]
            before = [] if standing else [pairs.source.vertices]
            arrays[f"strip_{index}"] = pairs.draw([*before, posed], target, [rest, goal])
        told.append(facts)
    return arrays, {"poses": told}


def transfer_motion(request: JobRequest, context: JobContext) -> Answer:
    """A clip on every target's bones.

    As `transfer_pose`; instead of source_posed either source_turns (F, B, 3, 3) and source_heads (F, B, 3) with the
    source's bones (suffix “_source”) and params bone_map (for each target a list of source bone numbers or −1, or
    nothing: then it is derived), or source_frames (F, Vs, 3). params motion: `MotionSettings`.
    Returns own_0 (F, B, 3, 3), moves_0 (F, B, 3), strip_0 (N,) uint8, a PNG file with some frames of both bodies; info
    "motions": confidence, source_sliding, sliding, bone_map.
    """
    from ..transfer.jacobians import PoseTransfer
    from ..transfer.motion import Clip, follow_surface, retarget

    pairs = _Pairs(request, context)
    settings = MotionSettings.from_json(dict(request.params.get("motion", {})))
    source_skeleton = read_skeleton(request, "source")
    arrays: dict[str, np.ndarray] = {}
    told: list[dict[str, Any]] = []
    maps = list(request.params.get("bone_maps", []))
    for index, part in pairs.parts():
        target, onto_source, confidence = pairs.match(index, part)
        skeleton = read_skeleton(request, index)
        if skeleton is None:
            raise BadInputError(f"{target.name}: it has no armature. Rig it first and run again.", fault="no_armature")
        part.report(0.7, f"{target.name}: transferring the motion")
        facts: dict[str, Any] = {"confidence": confidence}
        with part.stage("motion"):
            transfer = PoseTransfer(pairs.source, target, onto_source)
            if source_skeleton is not None:
                given = maps[index] if index < len(maps) else None
                rows = (
                    given
                    if given is not None
                    else _derive(pairs.source, source_skeleton, target, skeleton, onto_source)[0]
                )
                clip = Clip(
                    np.asarray(request.arrays["source_turns"], np.float64),
                    np.asarray(request.arrays["source_heads"], np.float64),
                )
                motion = retarget(transfer, source_skeleton, clip, skeleton, np.asarray(rows, np.int64), settings)
                facts["bone_map"] = [int(row) for row in rows]
            else:
                frames = np.asarray(request.arrays["source_frames"]).astype(np.float64)
                motion = follow_surface(transfer, frames, skeleton, settings)
        arrays |= {f"own_{index}": motion.own, f"moves_{index}": motion.moves}
        arrays |= {f"turns_{index}": motion.clip.turns, f"heads_{index}": motion.clip.heads}
        with part.stage("draw"):
            chosen = np.unique(np.linspace(0, len(motion.own) - 1, STRIP_FRAMES).round().astype(int))
            rest = pairs.source.vertices.astype(np.float64)
            shown = [clip.at(f).skin(source_skeleton, rest) if source_skeleton else frames[f] for f in chosen]
            moved = [motion.clip.at(f).skin(skeleton, target.vertices.astype(np.float64)) for f in chosen]
            arrays[f"strip_{index}"] = pairs.draw(shown, target, moved)
        told.append(facts | {"source_sliding": motion.source_sliding, "sliding": motion.sliding})
    return arrays, {"motions": told}


def bone_map(request: JobRequest, context: JobContext) -> Answer:
    """Which source bone moves what each target bone moves.

    As `transfer_motion` without a clip. Returns info "maps": for each target "bones" (source bone number, or −1) and
    "shares" 0…1, one for each target bone.
    """
    pairs = _Pairs(request, context)
    source_skeleton = read_skeleton(request, "source")
    assert source_skeleton is not None, "the source's bones are sent with this task"
    maps = []
    for index, part in pairs.parts():
        target, onto_source, confidence = pairs.match(index, part)
        skeleton = read_skeleton(request, index)
        assert skeleton is not None, "every target's bones are sent with this task"
        bones, shares = _derive(pairs.source, source_skeleton, target, skeleton, onto_source)
        maps.append({"bones": bones, "shares": shares, "confidence": confidence})
    return {}, {"maps": maps}


def read_skeleton(request: JobRequest, suffix: int | str) -> Skeleton | None:
    """The bones in the arrays bone_heads_<suffix> … of a target or of the source; None where it has none."""
    from ..transfer.skeleton import Skeleton

    def array(name: str, dtype: Any) -> np.ndarray:
        return np.asarray(request.arrays[f"bone_{name}_{suffix}"], dtype)

    if f"bone_heads_{suffix}" not in request.arrays:
        return None
    return Skeleton(
        array("heads", np.float32),
        array("tails", np.float32),
        array("parents", np.int64),
        array("weights", np.float32),
        array("movable", bool),
        array("limits", np.float64),
        array("axes", np.float64),
    )


class _Pairs:
    """One source and its targets, matched one after the other."""

    def __init__(self, request: JobRequest, context: JobContext) -> None:
        self._request, self._context = request, context
        self._settings = FeatureSettings.from_json(dict(request.params.get("feature_settings", {})))
        self._names = list(request.params["target_names"])
        self._force = bool(request.params.get("force", False))
        self._share = 1.0 / (len(self._names) + 1)
        self.source = read_mesh(request, "source_", "", request.params.get("source_name"))
        part = context.span(0.0, self._share)
        self._features = compute(self.source, self._settings, part, request.params)

    def parts(self) -> list[tuple[int, JobContext]]:
        count, share = len(self._names), self._share
        return [(index, self._context.span((index + 1) * share, (index + 2) * share)) for index in range(count)]

    def draw(self, source: Sequence[np.ndarray], target: TriangleMesh, moved: Sequence[np.ndarray]) -> np.ndarray:
        """A strip of the source's states above the target's, (V, 3) each: a PNG file's bytes."""
        from ..upright import to_z_up
        from ..views.strip import draw_strip

        bodies = [
            [
                to_z_up(TriangleMesh(np.asarray(state, np.float32), mesh.faces, mesh.name), self._settings.up)
                for state in states
            ]
            for mesh, states in ((self.source, source), (target, moved))
        ]
        return draw_strip(bodies)

    def match(self, index: int, context: JobContext) -> tuple[TriangleMesh, Correspondence, float]:
        """A target, per vertex of it a point of the source, and how sure that is. Raises `BadInputError`."""
        from ..transfer.pose_quality import check_alike, confidence_of

        target = read_mesh(self._request, "target_", f"_{index}", self._names[index])
        features = compute(target, self._settings, context.span(0.0, 0.4), self._request.params)
        onto_source = match_meshes(target, features, self.source, self._features, context.span(0.4, 0.7))
        seen = features.confidence > 0
        if self._force:
            return target, onto_source, confidence_of(onto_source, seen)
        return target, onto_source, check_alike(self.source, target, onto_source, seen)


def _derive(
    source: TriangleMesh,
    source_skeleton: Skeleton,
    target: TriangleMesh,
    skeleton: Skeleton,
    onto_source: Correspondence,
) -> tuple[list[int], list[float]]:
    from ..bone_map import derive_bone_map

    sources = [str(number) for number in range(len(source_skeleton.parents))]
    targets = [str(number) for number in range(len(skeleton.parents))]
    rows = derive_bone_map(source, source_skeleton, sources, target, skeleton, targets, onto_source)
    bones, shares = [-1] * len(targets), [0.0] * len(targets)
    for row in rows:
        bones[int(row.target)], shares[int(row.target)] = int(row.source) if row.source else -1, row.share
    return bones, shares


def _floor_contact(transfer: PoseTransfer, posed: np.ndarray) -> Contact | None:
    """The target's vertices that match what of the source stands on the floor at rest and in the pose."""
    from ..transfer.alignment import matched_points
    from ..transfer.pose_fit import Contact

    rest = transfer.source.vertices.astype(np.float64)
    floor, near = float(rest[:, 2].min()), SOLE * float(np.ptp(rest[:, 2]))
    before = matched_points(transfer.source, transfer.onto_source, rest)[:, 2]
    after = matched_points(transfer.source, transfer.onto_source, posed)[:, 2]
    target = transfer.target.vertices[:, 2].astype(np.float64)
    low = target < target.min() + 2 * SOLE * float(np.ptp(target))
    stands = low & (np.abs(before - floor) < 2 * near) & (np.abs(after - floor) < near)
    return Contact(np.flatnonzero(stands), float(target.min())) if stands.any() else None


def _near_floor(contact: Contact, goal: np.ndarray, height: float) -> Contact:
    from dataclasses import replace

    near = np.abs(goal[contact.vertices, 2] - contact.floor) < SOLE_REACH * height
    return replace(contact, vertices=contact.vertices[near])


def _height(mesh: TriangleMesh) -> float:
    return float(np.ptp(mesh.vertices[np.isfinite(mesh.vertices).all(axis=1), 2]))
