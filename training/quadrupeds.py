# SPDX-License-Identifier: GPL-3.0-or-later
"""Four-legged animals from the Infinigen creature nets (BSD-3): torso and head mixed, legs, tail, ears, horns added.

All animals have the same vertices, part by part on charts of their own, so the vertex number is the correspondence.
Parts overlap; seen from outside that is one surface. Built in body axes (X forward, Y to the animal's left, Z up) and
returned Z up, facing −Y.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.interpolate import BSpline, PchipInterpolator
from scipy.spatial.transform import Rotation

from surface_features.geometry.vectors import unit_rows

from .animal_specs import HEADS, LEGS, TORSOS, AnimalPose, AnimalSpec, random_pose
from .grids import grid_faces

GRIDS = {  # rings, points around a ring
    "torso": (36, 32), "head": (24, 24), "foreleg.L": (33, 12), "foreleg.R": (33, 12), "hindleg.L": (33, 12),
    "hindleg.R": (33, 12), "tail": (15, 8), "ear.L": (9, 8), "ear.R": (9, 8), "horn.L": (9, 6), "horn.R": (9, 6),
    "trunk": (17, 10),
}  # fmt: skip
NECK_START = 0.6  # of the torso's rings
CROSSING = 0.05  # of the distance from shoulder to hip: how far a crossed foot lies beyond its twin or its neighbour
CROSSING_TRIES = 20  # poses
FOOT_RINGS = 6  # of a leg's


class AnimalModel:
    """Builds animals from the data folder's `infinigen_nurbs`."""

    def __init__(self, data_dir: Path) -> None:
        folder = Path(data_dir) / "infinigen_nurbs"
        self._torsos = np.stack([_unit_length(np.load(folder / f"{name}.npy")) for name in TORSOS])
        self._heads = np.stack([_unit_length(np.load(folder / f"{name}.npy")) for name in HEADS])
        self.net_counts = len(TORSOS), len(HEADS)
        counts = [rings * around for rings, around in GRIDS.values()]
        starts = np.cumsum([0, *counts])
        self.part_slices = {
            name: slice(int(a), int(b)) for name, a, b in zip(GRIDS, starts[:-1], starts[1:], strict=True)
        }
        self.vertex_count = int(starts[-1])

    @cached_property
    def part(self) -> np.ndarray:
        """(N,) int64 index into `GRIDS`."""
        return np.repeat(np.arange(len(GRIDS)), [rings * around for rings, around in GRIDS.values()])

    @cached_property
    def mirror(self) -> np.ndarray:
        """(N,) int64, each vertex's twin on the other side."""
        twin = np.arange(self.vertex_count)
        for name, (rings, around) in GRIDS.items():
            stem, _, side = name.partition(".")
            other = f"{stem}.{'R' if side == 'L' else 'L'}" if side else name
            own = np.arange(rings * around).reshape(rings, around)
            twin[self.part_slices[name]] = self.part_slices[other].start + own[:, -np.arange(around) % around].ravel()
        return twin

    def template(self) -> tuple[np.ndarray, np.ndarray]:
        """The animal that stands for all: (N, 3) vertices with every part there is, and (F, 3) faces."""
        mean = AnimalSpec((1 / len(TORSOS),) * len(TORSOS), (1 / len(HEADS),) * len(HEADS), horn=0.2, trunk=0.6)
        return self.build(mean, AnimalPose())

    def build(self, spec: AnimalSpec, pose: AnimalPose) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) float32 vertices, Z up, facing −Y, and (F, 3) int32 faces; absent parts have no faces."""
        torso, frames = self._torso(spec, pose)
        grids = {"torso": torso} | self._legs(spec, pose, torso, frames)
        grids |= self._head(spec, pose, torso, frames) | {"tail": self._tail(spec, pose, torso, frames)}
        vertices = np.zeros((self.vertex_count, 3))
        faces = []
        for name, grid in grids.items():
            vertices[self.part_slices[name]] = grid.reshape(-1, 3)
            faces.append(grid_faces(*GRIDS[name], closed=True) + self.part_slices[name].start)
        roll, pitch = pose.whole
        vertices = Rotation.from_euler("yx", [pitch, roll], degrees=True).apply(vertices)
        turned = np.stack([vertices[:, 1], -vertices[:, 0], vertices[:, 2]], axis=1)
        return turned.astype(np.float32), np.concatenate(faces).astype(np.int32)

    def feet(self, spec: AnimalSpec, pose: AnimalPose) -> dict[str, np.ndarray]:
        """(3,) where each leg ends, by its name in `GRIDS`; Z up, facing −Y, the animal's left at +X."""
        vertices, _ = self.build(spec, pose)
        ends = {}
        for name in (f"{leg}.{side}" for leg in LEGS for side in "LR"):
            rings, around = GRIDS[name]
            ends[name] = vertices[self.part_slices[name]].reshape(rings, around, 3)[-FOOT_RINGS:].mean(axis=(0, 1))
        return ends

    def _torso(self, spec: AnimalSpec, pose: AnimalPose) -> tuple[np.ndarray, np.ndarray]:
        """(R, A, 3) the torso's surface, shoulder to hip one unit, and (R, 3, 3) the frame of every ring."""
        net = np.einsum("t,tuvc->uvc", np.array(spec.torso), self._torsos)
        net = net * [1, spec.girth, spec.depth]
        rings, around = GRIDS["torso"]
        surface = _spline_surface(net, rings, around)
        u = np.linspace(0, 1, rings)
        centre = surface.mean(axis=1)
        offset = surface - centre[:, None]
        steps = np.diff(centre, axis=0)
        in_neck = np.clip((u - NECK_START) / (1 - NECK_START), 0, 1)
        steps[u[1:] > NECK_START] *= spec.neck
        head_back = 0.26 * spec.head_size * _span(centre, u)  # what the neck should be beside the head
        size = np.abs(offset[..., 1]).max(axis=1)
        wanted = np.where(size > 1e-6, head_back / np.maximum(size[int(0.9 * rings)], 1e-6), 1.0)
        offset *= (1 + in_neck**2 * (np.clip(wanted, 0.35, 2.0) - 1))[:, None, None]
        pitch = pose.spine[0] * (u / NECK_START).clip(0, 1) + (pose.neck[0] - spec.rise) * in_neck
        yaw = pose.spine[1] * (u / NECK_START - 0.5).clip(-0.5, 0.5) + pose.neck[1] * in_neck
        frames = Rotation.from_euler("yz", np.stack([pitch, yaw], axis=1), degrees=True).as_matrix()
        bent = np.concatenate([centre[:1], centre[:1] + np.cumsum(np.einsum("rij,rj->ri", frames[1:], steps), axis=0)])
        torso = bent[:, None] + np.einsum("rij,raj->rai", frames, offset)
        return torso / _span(centre, u), frames

    def _legs(self, spec: AnimalSpec, pose: AnimalPose, torso: np.ndarray, frames: np.ndarray) -> dict[str, np.ndarray]:
        middle = torso.mean(axis=1)
        place = {leg: round(u * (len(torso) - 1)) for leg, u in zip(LEGS, (0.56, 0.17), strict=True)}
        roots = {leg: middle[ring] for leg, ring in place.items()}
        ground = min(float(root[2]) for root in roots.values()) - spec.leg
        a, b, c, d, e, f = spec.joints
        rest = {  # (5, 2) forward and down, as shares of the way to the ground
            "foreleg": [(0.02, -0.02), (-0.08, 0.4 + a), (0.0, 0.72 + b), (-0.01, 0.93), (0, 1.0)],
            "hindleg": [(0.02, -0.02), (0.1, 0.38 + c), (-0.16 + d, 0.7 + e), (-0.1 + f, 0.93), (-0.1 + f, 1.0)],
        }
        radii = {
            "foreleg": [(0.17, 0.1), (0.085, 0.075), (0.05, 0.05), (0.045, 0.045), (0.04, 0.05)],
            "hindleg": [(0.24, 0.12), (0.13, 0.095), (0.055, 0.05), (0.045, 0.045), (0.04, 0.05)],
        }
        grids = {}
        for leg in LEGS:
            ring, root = place[leg], roots[leg]
            half = np.ptp(torso[ring] @ frames[ring][:, 1]) / 2
            drop = float(root[2]) - ground
            points = np.array(rest[leg], float) * [1, -drop]
            points[:, 0] *= drop
            points[-1, 0] = points[-2, 0] + spec.foot
            for side, sign in (("L", 1.0), ("R", -1.0)):
                swing, spread, middle_bend, lower_bend = pose.legs.get(f"{leg}.{side}", (0.0, 0.0, 0.0, 0.0))
                turned = _bend_chain(
                    points, np.radians([swing, middle_bend, lower_bend, -0.5 * lower_bend - 0.5 * middle_bend])
                )
                chain = np.stack([turned[:, 0], np.zeros(5), turned[:, 1]], axis=1)
                tilt = Rotation.from_euler("x", sign * spread, degrees=True)
                yaw = Rotation.from_matrix(frames[ring])
                heading = Rotation.from_euler("z", yaw.as_euler("zyx")[0])
                hip = root + frames[ring][:, 1] * sign * half * 0.55
                across = np.array(radii[leg]) * spec.thick * np.array([1.0, 1.0])
                across[0] = np.minimum(across[0], [0.3, 0.45 * half / 0.55 + 0.03])
                grids[f"{leg}.{side}"] = _tube(
                    hip + (heading * tilt).apply(chain),
                    across,
                    (heading * tilt).apply([0.0, 1.0, 0.0]),
                    *GRIDS[f"{leg}.{side}"],
                )
        return grids

    def _head(self, spec: AnimalSpec, pose: AnimalPose, torso: np.ndarray, frames: np.ndarray) -> dict[str, np.ndarray]:
        net = np.einsum("t,tuvc->uvc", np.array(spec.head), self._heads)
        rings, around = GRIDS["head"]
        surface = _spline_surface(net, rings, around)
        front = 0.45
        ahead = np.maximum(surface[..., 0] - front, 0)
        surface[..., 0] += (spec.snout - 1) * ahead
        surface *= spec.head_size
        yaw = Rotation.from_matrix(frames[-4]).as_euler("zyx")[0]
        pitch, turn, tilt = pose.head
        attitude = Rotation.from_euler("z", yaw) * Rotation.from_euler("zyx", [turn, -pitch, tilt], degrees=True)
        nape = torso[int(0.93 * len(torso))].mean(axis=0)
        place = surface[:6].mean(axis=(0, 1))
        grids = {"head": attitude.apply((surface - place).reshape(-1, 3)).reshape(surface.shape) + nape}
        length = spec.head_size
        for side, sign in (("L", 1.0), ("R", -1.0)):
            column = round((0.38 if sign > 0 else 0.62) * around) % around
            seat = grids["head"][int(0.28 * rings), column]
            out = np.radians(spec.ear_out)
            way = np.array([-0.25, sign * np.sin(out), np.cos(out)]) / np.hypot(1, 0.25)
            bow = np.array([0.06, 0, 0])
            points = np.stack([s * way + s * s * bow for s in (-0.1, 0.3, 0.7, 1.0)]) * spec.ear
            wide = spec.ear * spec.ear_width * 0.5
            across = np.array([(0.5, 0.8), (0.35, 1.0), (0.3, 0.75), (0.1, 0.15)]) * [0.35 * wide, wide]
            flat = attitude.apply(np.cross([1, 0, 0], way))
            grids[f"ear.{side}"] = _tube(seat + attitude.apply(points), across, sign * flat, *GRIDS[f"ear.{side}"])
            if spec.horn:
                column = round((0.44 if sign > 0 else 0.56) * around) % around
                seat = grids["head"][int(0.36 * rings), column]
                points = np.array(
                    [(0, 0, -0.1), (-0.1, sign * 0.25, 0.35), (-0.25, sign * 0.35, 0.75), (-0.3, sign * 0.25, 1.1)]
                )
                across = np.array([(1, 1), (0.8, 0.8), (0.5, 0.5), (0.1, 0.1)]) * 0.09 * spec.horn
                grids[f"horn.{side}"] = _tube(
                    seat + attitude.apply(points * spec.horn), across, attitude.apply([0, 1, 0]), *GRIDS[f"horn.{side}"]
                )
        if spec.trunk:
            nose = grids["head"][-4].mean(axis=0)
            points = np.array([(-0.1, 0, 0), (0.22, 0, -0.2), (0.25, 0, -0.6), (0.15, 0, -1.0)]) * spec.trunk
            thick = 0.14 * length
            across = np.array([(1.2, 1.2), (1, 1), (0.7, 0.7), (0.5, 0.5)]) * thick
            grids["trunk"] = _tube(nose + attitude.apply(points), across, attitude.apply([0, 1, 0]), *GRIDS["trunk"])
        return grids

    def _tail(self, spec: AnimalSpec, pose: AnimalPose, torso: np.ndarray, frames: np.ndarray) -> np.ndarray:
        root = torso[2].mean(axis=0)
        lift, sway, curl = np.radians(pose.tail)
        share = np.linspace(0, 1, 5)
        pitch = lift + curl * share
        step = np.stack([-np.cos(pitch) * np.cos(sway * share), np.sin(sway * share), np.sin(pitch)], axis=1)
        points = root + np.concatenate([np.zeros((1, 3)), np.cumsum(step[:-1], axis=0)]) * spec.tail / 4
        thick = spec.tail_thick * np.array([1.5, 1.1, 1.0, 0.8, 0.3])
        return _tube(points, np.stack([thick, thick], axis=1), np.array([0.0, 1.0, 0.0]), *GRIDS["tail"])


def crossed_pose(model: AnimalModel, spec: AnimalSpec, rng: np.random.Generator) -> AnimalPose:
    """As `random_pose`, but a foot lies beyond its twin, or a fore foot behind a hind foot of its side."""
    for _ in range(CROSSING_TRIES):
        pose = random_pose(rng, float(rng.uniform(0.7, 1.2)))
        legs = {}
        for leg, (swing, spread, middle, lower) in pose.legs.items():
            legs[leg] = (swing, spread - float(rng.uniform(0, 25)), middle, lower)
        pose = replace(pose, legs=legs)
        feet = model.feet(spec, pose)
        sideways = [feet[f"{leg}.L"][0] - feet[f"{leg}.R"][0] for leg in LEGS]
        along = [feet[f"hindleg.{side}"][1] - feet[f"foreleg.{side}"][1] for side in "LR"]
        if min(sideways + along) < -CROSSING:
            break
    return pose


def _unit_length(net: np.ndarray) -> np.ndarray:
    """The net from x = 0 to 1, scaled alike in all directions."""
    low, high = net[..., 0].min(), net[..., 0].max()
    return (net - [low, 0, 0]) / (high - low)


def _spline_surface(net: np.ndarray, rings: int, around: int) -> np.ndarray:
    """(rings, around, 3) points of the cubic B-spline surface over a net, clamped along, periodic around."""
    rows, columns = net.shape[:2]
    knots = np.concatenate([[0] * 3, np.linspace(0, 1, rows - 2), [1] * 3])
    along = BSpline(knots, net.reshape(rows, -1), 3)(np.linspace(0, 1, rings)).reshape(rings, columns, 3)
    # The nets' last column is the belly and their first lies to its left: start at the belly.
    place = np.arange(around) / around * columns + columns - 1
    column, f = np.floor(place).astype(np.int64), (place % 1)[:, None]
    basis = np.concatenate([(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3], axis=1) / 6
    near = (column[:, None] + np.arange(-1, 3)) % columns
    return np.einsum("ak,rakd->rad", basis, along[:, near])


def _span(centre: np.ndarray, u: np.ndarray) -> float:
    """Distance from hip to shoulder along the torso."""
    inside = centre[(u >= 0.17) & (u <= 0.56)]
    return float(np.linalg.norm(np.diff(inside, axis=0), axis=1).sum())


def _bend_chain(points: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(5, 2) forward-and-up points with each segment turned by its own and all earlier angles."""
    segments = np.diff(points, axis=0)
    total = np.cumsum(angles)
    c, s = np.cos(total), np.sin(total)
    turned = np.stack([c * segments[:, 0] - s * segments[:, 1], s * segments[:, 0] + c * segments[:, 1]], axis=1)
    return np.concatenate([points[:1], points[:1] + np.cumsum(turned, axis=0)])


def _tube(points: np.ndarray, radii: np.ndarray, side: np.ndarray, rings: int, around: int) -> np.ndarray:
    """(rings, around, 3) points around a smooth line through `points` (K, 3); the last ring closes to a tip.

    radii: (K, 2) forward and sideways. side: (3,) where the ring's angle 90° points.
    """
    knots = np.linspace(0, 1, len(points))
    u = np.linspace(0, 1, rings)
    line = PchipInterpolator(knots, points)(u)
    radius = PchipInterpolator(knots, radii)(u) * np.sqrt(np.clip((1 - u) * rings / 1.5, 0.02, 1))[:, None]
    way = unit_rows(np.gradient(line, axis=0))
    across = unit_rows(side - (way @ side)[:, None] * way)
    front = np.cross(across, way)
    angle = 2 * np.pi * np.arange(around) / around
    return (
        line[:, None]
        + np.cos(angle)[:, None] * (front * radius[:, :1])[:, None]
        + np.sin(angle)[:, None] * (across * radius[:, 1:])[:, None]
    )
