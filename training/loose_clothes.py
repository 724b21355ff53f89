# SPDX-License-Identifier: GPL-3.0-or-later
"""Clothes that hide the shape of what is under them: skirts, robes, coats, wide sleeves, long hair, big boots.

Tubes of rings around a limb, or around both legs, follow the body's pose. Every vertex keeps the label of the body
vertex it is nearest to in its own ring, so that the left half of a skirt is of the left leg, and all hair of the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from surface_features.geometry.vectors import unit_rows

from .dressing import Labelled, Wardrobe
from .grids import grid_faces

AROUND = 28  # vertices of a ring
FEWEST = 12  # vertices of the body that a ring goes around
BULKY = {"boots": ("calf", "foot", "ball"), "shoes": ("foot", "ball"), "gloves": ("lowerarm", "hand"),
         "shoulders": ("clavicle", "upperarm"), "trousers": ("thigh", "calf")}  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """How a tube is cut.

    loose: how much wider than the body it starts. flare: how much wider still it ends. folds: their depth of the
    radius at the end, and their number. opening: half the angle left open in front, in radians.
    """

    loose: float
    flare: float
    folds: float = 0.0
    count: int = 0
    opening: float = 0.0


@dataclass(frozen=True)
class Worn:
    """The chance of each: a skirt or robe, wide sleeves, long hair, bulky things, and boots with no leg in them.

    short: the chance that a skirt ends above the knees. tunic, of_trunk: that such a one, or a longer one, hangs on the
    hips, not on the legs behind it.
    """

    skirt: float = 0.65
    sleeves: float = 0.4
    hair: float = 0.35
    bulk: float = 0.4
    boots: float = 0.0
    short: float = 0.25
    of_trunk: float = 0.0
    tunic: float = 0.0


LOOSELY = Worn()
SQUATLY = Worn(skirt=0.7, sleeves=0.4, hair=0.3, bulk=0.5, boots=0.9, short=0.5, of_trunk=0.4, tunic=0.95)


def dress_loosely(
    wardrobe: Wardrobe, posed: np.ndarray, rng: np.random.Generator, deleted: float, worn_by: Worn = LOOSELY
) -> Labelled:
    """A character in at least one thing that hides the body's shape, from all posed base-mesh vertices, Y up.

    deleted: the chance that the legs are not there where a skirt hides them, but for their ends.
    """
    count = wardrobe.model.body_vertex_count
    body = posed[:count]
    mesh = wardrobe.dress(posed, rng, float(rng.uniform(0.0, 0.6)))
    worn = rng.uniform(size=4) < (worn_by.skirt, worn_by.sleeves, worn_by.hair, worn_by.bulk)
    worn[rng.integers(2)] |= not worn.any()
    gone = np.zeros(count, bool)
    if worn[0]:
        hidden = _add_skirt(wardrobe, mesh, body, rng, worn_by)
        gone |= hidden & (rng.uniform() < deleted)
    if worn_by.boots and rng.uniform() < worn_by.boots:
        _add_bulk(wardrobe, mesh, body, BULKY["boots"], float(rng.uniform(0.015, 0.05)))
        gone |= wardrobe.follows(*BULKY["boots"])
    hidden_faces = gone[wardrobe.model.body_faces].all(axis=1)  # the body's faces come first
    mesh.faces = np.delete(mesh.faces, np.flatnonzero(hidden_faces), axis=0)
    if worn[1]:
        _add_sleeves(wardrobe, mesh, body, rng)
    if worn[2]:
        _add_hair(wardrobe, mesh, body, rng)
    if worn[3]:
        for bones in BULKY.values():
            if rng.uniform() < 0.45:
                _add_bulk(wardrobe, mesh, body, bones, float(rng.uniform(0.02, 0.06)))
    return mesh


def _add_skirt(
    wardrobe: Wardrobe, mesh: Labelled, body: np.ndarray, rng: np.random.Generator, worn_by: Worn
) -> np.ndarray:
    """A skirt, a robe from the chest down or an open coat. Returns (V,) bool, what of the legs it hides."""
    luck = rng.uniform()
    rest = wardrobe.model.base[: len(body)]
    legs = np.flatnonzero(wardrobe.follows("pelvis", "thigh", "calf", "foot", "ball"))
    top, ankle = rest[legs, 1].max(), np.quantile(rest[legs, 1], 0.08)
    knee = (top + ankle) / 2
    start, trunk = top, np.flatnonzero(wardrobe.follows("pelvis", "thigh", "calf"))
    if rng.uniform() < 0.6:  # a robe or a dress
        trunk = np.flatnonzero(wardrobe.follows("pelvis", "thigh", "calf", "spine"))
        start = rng.uniform(top, np.quantile(rest[trunk, 1], 0.97))
    short = rng.uniform() >= 1 - worn_by.short
    hem = rng.uniform(knee, (knee + top) / 2) if short else rng.uniform(ankle, knee)
    heights = np.linspace(start, hem, int(rng.integers(8, 16)))
    step = heights[0] - heights[1]
    bands = [trunk[np.abs(rest[trunk, 1] - height) < 0.7 * step] for height in heights]
    cut = Cut(
        loose=float(rng.uniform(0.05, 0.3)),
        flare=float(rng.choice([rng.uniform(0, 0.4), rng.uniform(0.4, 1.5)])),
        folds=float(rng.uniform(0, 0.15)),
        count=int(rng.integers(3, 9)),
        opening=float(rng.choice([0.0, rng.uniform(0.1, 0.8)], p=[0.75, 0.25])),
    )
    start_of_skirt = len(mesh.labels)
    _add_tube(mesh, body, bands, rest[:, 0], cut, float(rng.uniform(0, 2 * np.pi)))
    if luck < (worn_by.tunic if short else worn_by.of_trunk):
        hips = np.flatnonzero(wardrobe.follows("pelvis", "spine"))
        mesh.labels[start_of_skirt:] = hips[cKDTree(body[hips]).query(mesh.vertices[start_of_skirt:])[1]]
    hidden = np.zeros(len(body), bool)
    hidden[legs] = (rest[legs, 1] > hem + step) & (rest[legs, 1] < start - step)
    return hidden


def _add_sleeves(wardrobe: Wardrobe, mesh: Labelled, body: np.ndarray, rng: np.random.Generator) -> None:
    """Both arms, alike: from the shoulder or the elbow, some over the hand."""
    rest = wardrobe.model.base[: len(body)]
    start, end = rng.choice([0.05, 0.5]), rng.uniform(0.85, 1.12)
    cut = Cut(float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.2, 2.0)), float(rng.uniform(0, 0.1)), 5)
    rings, phase = int(rng.integers(5, 10)), float(rng.uniform(0, 2 * np.pi))
    for side in ("_l", "_r"):
        arm = np.flatnonzero(wardrobe.follows(f"upperarm{side}", f"lowerarm{side}", f"hand{side}"))
        shoulder, wrist = (rest[wardrobe.follows(name)].mean(axis=0) for name in (f"clavicle{side}", f"hand{side}"))
        along = (rest[arm] - shoulder) @ (wrist - shoulder) / ((wrist - shoulder) ** 2).sum()
        places = np.linspace(start, end, rings)
        bands = [arm[np.abs(along - place) < 0.7 * (places[1] - places[0])] for place in places]
        _add_tube(mesh, body, bands, rest @ np.cross(wrist - shoulder, [0.0, 0.0, 1.0]), cut, phase)


def _add_hair(wardrobe: Wardrobe, mesh: Labelled, body: np.ndarray, rng: np.random.Generator) -> None:
    """A cap over the crown and the back of the head that goes on as a curtain down the back."""
    rest = wardrobe.model.base[: len(body)]
    head = np.flatnonzero(wardrobe.follows("head"))
    neck = body[wardrobe.follows("neck")].mean(axis=0)
    middle = body[head].mean(axis=0)
    up = unit_rows((middle - neck)[None])[0]
    face = rest[head, 2] > np.quantile(rest[head, 2], 0.8)
    front = body[head[face]].mean(axis=0) - middle
    front = unit_rows((front - (front @ up) * up)[None])[0]
    side = np.cross(up, front)
    crown = float(((body[head] - middle) @ up).max())
    width = float(np.quantile(np.abs((body[head] - middle) @ side), 0.95)) * rng.uniform(1.08, 1.35)
    depth = float(-((body[head] - middle) @ front).min()) * rng.uniform(1.05, 1.3)
    length, spread = crown * rng.uniform(0.8, 3.5), rng.uniform(1.2, 2.2)
    hangs = unit_rows((rng.uniform(0.2, 0.6) * -up + [0.0, -1.0, 0.0])[None])[0]
    down = np.linspace(0, 1, 14)
    dome, fall = np.clip(down / 0.4, 0, 1) * np.pi / 2, np.clip((down - 0.4) / 0.6, 0, 1)
    angle = np.linspace(-spread, spread, 15)
    ring = np.sin(dome) * (1 + rng.uniform(-0.2, 0.5) * fall)
    x = width * ring[:, None] * np.sin(angle)
    y = depth * ring[:, None] * np.cos(angle)
    rise = (1.08 * crown * np.cos(dome))[:, None, None] * up + (length * fall)[:, None, None] * hangs
    sheet = middle + x[..., None] * side - y[..., None] * front + rise
    sheet = sheet.reshape(-1, 3)
    mesh.add(sheet, grid_faces(len(down), len(angle)), head[cKDTree(body[head]).query(sheet)[1]])


def _add_bulk(wardrobe: Wardrobe, mesh: Labelled, body: np.ndarray, bones: tuple[str, ...], thick: float) -> None:
    """A shell so thick that what is in it loses its shape: boots without toes. thick: of the body's extent."""
    used, faces = wardrobe.skin(bones)
    points = body[used]
    for _ in range(3):
        tree = cKDTree(points)
        points = points[tree.query(points, k=24)[1]].mean(axis=1)
    middle = points[cKDTree(points).query(points, k=min(400, len(points)))[1]].mean(axis=1)
    out = unit_rows(points - middle)
    mesh.add(points + out * (thick * np.ptp(body, axis=0).max()), faces, used)


def _add_tube(
    mesh: Labelled, body: np.ndarray, bands: Sequence[np.ndarray], across: np.ndarray, cut: Cut, phase: float
) -> None:
    """Rings around the convex outline of every band of body vertices; bands of too few are left out.

    across: (V,) how far across each vertex lies at rest. A ring's first axis points from those less far than its mean
    to the others, its second one to the front of the body.
    """
    bands = [band for band in bands if len(band) >= FEWEST]
    if len(bands) < 2:
        return
    centres = np.stack([body[band].mean(axis=0) for band in bands])
    along = unit_rows(np.gradient(centres, axis=0))
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    rays = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rings, labels = [], []
    for rank, (band, centre, down) in enumerate(zip(bands, centres, along, strict=True)):
        farther = across[band] > across[band].mean()
        first = body[band[farther]].mean(axis=0) - body[band[~farther]].mean(axis=0)
        first = first - (first @ down) * down
        plane = unit_rows(np.stack([first, np.cross(down, first)]))
        outline = _outline((body[band] - centre) @ plane.T, rays)
        share = rank / (len(bands) - 1)
        folds = 1 + cut.folds * share * np.cos(cut.count * angle + phase)
        radius = outline * (1 + cut.loose + cut.flare * share) * folds
        ring = centre + (rays * radius[:, None]) @ plane
        rings.append(ring)
        labels.append(band[cKDTree(body[band]).query(ring)[1]])
    faces = grid_faces(len(bands), AROUND, closed=True)
    if cut.opening:
        front = np.abs(np.angle(np.exp(1j * (angle - np.pi / 2)))) < cut.opening
        faces = faces[~front[faces % AROUND].any(axis=1)]
    mesh.add(np.concatenate(rings), faces, np.concatenate(labels))


def _outline(points: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """(R,) how far the convex hull of (P, 2) points reaches from the origin along (R, 2) unit rays."""
    reach = (points @ rays.T).max(axis=0)
    facing = rays @ rays.T
    return np.where(facing > 1e-3, reach / np.maximum(facing, 1e-3), np.inf).min(axis=1)
