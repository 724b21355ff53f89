# SPDX-License-Identifier: GPL-3.0-or-later
"""Textures between held-out people: `python -m benchmarks.texture_transfer --data DATA`.

All people share MakeHuman's UV map, so the true texture of every target is the source's own, and the true source point
of a texel is the one with the same UV coordinates; no method is told so. A checker with letters is transferred by this
project and, for comparison, by Blender's Data Transfer (UVs from the nearest face, interpolated) and by baking from
selected to active with a cage; both stand in the same place, as an artist would put them. Colours: CIE76 ΔE.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.texture_peers import bake_selected_to_active, transfer_uvs
from surface_features.cache import FeatureCache
from surface_features.correspondence import match_surfaces
from surface_features.features import compute_features
from surface_features.geometry.uv_raster import rasterise
from surface_features.mesh import TriangleMesh
from surface_features.settings import TextureSettings
from surface_features.transfer.sampling import Picture
from surface_features.transfer.surface_map import SurfaceMap
from surface_features.transfer.texture import Fill, Layer, Textured, transfer_texture
from training.data_folder import parse_with_data
from training.human_poses import pose_person, sample_pose
from training.humans import HumanModel, to_z_up
from training.proportions import sample_chibi, sample_proportions

FIRST_HELD_OUT_SEED = 1_000_000
COMPARED = 1024  # texels along a side, for all methods
TIMED = 2048
CONDITIONS = ("same pose", "different pose", "different proportions", "different character")
LETTERS = "ABCDEFGJKLNPQRSZ"  # all of them other letters, or none, when mirrored


@dataclass(frozen=True, eq=False)
class Painted:
    """What one method made: image (S, S, 3) uint8, and (S, S, 3) float32 the source's point of every texel."""

    image: NDArray[np.uint8]
    points: NDArray[np.float32]
    seconds: float


def body_uv(data: Path) -> NDArray[np.float32]:
    """(F, 3, 2) UV coordinates of the body's triangles, in the order of `HumanModel.body_faces`."""
    coordinates: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    group = ""
    for line in (data / "mpfb2" / "base.obj").read_text().splitlines():
        words = line.split()
        if words[:1] == ["vt"]:
            coordinates.append([float(word) for word in words[1:3]])
        elif words[:1] == ["g"]:
            group = words[1]
        elif words[:1] == ["f"] and group == "body":
            polygon = [int(word.split("/")[1]) - 1 for word in words[1:]]
            triangles += [(polygon[0], polygon[i], polygon[i + 1]) for i in range(1, len(polygon) - 1)]
    return np.array(coordinates, np.float32)[np.array(triangles)]


def letters(size: int = 2048, cells: int = 16) -> NDArray[np.uint8]:
    """(size, size, 3) a checker of random colours with a letter in each cell, row 0 at the bottom."""
    from PIL import Image, ImageDraw, ImageFont

    image, rng, cell = Image.new("RGB", (size, size)), np.random.default_rng(0), size // cells
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=int(cell * 0.8))
    for row in range(cells):
        for column in range(cells):
            left, top = column * cell, row * cell
            draw.rectangle([left, top, left + cell, top + cell], fill=tuple(rng.integers(60, 256, 3).tolist()))
            letter = LETTERS[(row * 5 + column) % len(LETTERS)]
            draw.text((left + cell * 0.2, top), letter, fill=(0, 0, 0), font=font)
    return np.ascontiguousarray(np.asarray(image)[::-1])


def make_pair(model: HumanModel, number: int, condition: str) -> tuple[TriangleMesh, TriangleMesh, float]:
    """Source, target and the source's standing height; Z up, metres."""
    meshes = []
    height = 0.0
    for role in (0, 1):
        rng = np.random.default_rng(FIRST_HELD_OUT_SEED + 2 * number + role)
        person = model.sample_person(rng)
        strength = float(rng.uniform(0.3, 1.0))
        turned = np.random.default_rng(FIRST_HELD_OUT_SEED + number) if condition == "same pose" else rng
        pose = sample_pose(model, person, turned, 0.6 if condition == "same pose" else strength)
        proportions = None
        if role == 1 and condition == "different proportions":
            proportions = sample_proportions(rng, 0.6)
        elif role == 1 and condition == "different character":
            proportions = sample_chibi(rng)
        body = to_z_up(pose_person(model, person, pose, proportions)[: model.body_vertex_count])
        meshes.append(TriangleMesh(body, model.body_faces, ("source", "target")[role]))
        if role == 0:
            height = float(np.ptp(person.vertices[: model.body_vertex_count, 1]))
    return meshes[0], meshes[1], height


def paint_ours(
    source: TriangleMesh, target: TriangleMesh, uv: NDArray, picture: NDArray, cache: FeatureCache
) -> tuple[Painted, float]:
    """Painted at `COMPARED`, timed at `TIMED` with cached features; and the share of the area that kept its side."""
    features = [compute_features(mesh, cache=cache) for mesh in (source, target)]
    layer = Layer("base_color", "colour", 3, (Fill((0, 0, 0), Picture({1001: picture})),))
    textured = Textured(source, (uv,), np.zeros(len(source.faces), np.int32), (layer,))
    begun = time.perf_counter()
    match = match_surfaces(target, features[1], source, features[0])
    transfer_texture(textured, target, uv, match, TextureSettings(size=TIMED))
    seconds = time.perf_counter() - begun
    made = transfer_texture(textured, target, uv, match, TextureSettings(size=COMPARED))
    points = np.zeros((COMPARED * COMPARED, 3), np.float32)
    whole = SurfaceMap(source, target, match)
    for texels in rasterise(uv, COMPARED):
        found = whole.at(texels.face, texels.bary)
        points[texels.place] = np.einsum("nc,ncd->nd", found.bary, source.corners[found.face])
    image = made.images["base_color"][1001]
    return Painted(image, points.reshape(COMPARED, COMPARED, 3), seconds), kept_side(source, target, match)


def kept_side(source: TriangleMesh, target: TriangleMesh, match: Any) -> float:
    """Share of the target's area that is matched without being turned over, as a mirrored letter would be."""
    there = match.points(source)[target.faces]
    normals = source.vertex_normals[source.faces[match.face]]
    outward = np.einsum("vc,vcd->vd", match.bary, normals)[target.faces].mean(axis=1)
    turned = np.cross(there[:, 1] - there[:, 0], there[:, 2] - there[:, 0])
    return float(target.face_areas[(turned * outward).sum(axis=1) > 0].sum() / target.face_areas.sum())


def true_texels(source: TriangleMesh, uv: NDArray, picture: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Which texels are covered (S, S), the source's point of each (S, S, 3), and its colours (S, S, 3) uint8."""
    covered = np.zeros(COMPARED * COMPARED, bool)
    points, colours = (np.zeros((COMPARED * COMPARED, 3), np.float32) for _ in range(2))
    small = Picture({1001: picture}).reduced(1)
    for texels in rasterise(uv, COMPARED):
        covered[texels.place] = True
        points[texels.place] = np.einsum("nc,ncd->nd", texels.bary, source.corners[texels.face])
        colours[texels.place] = small.sample(np.einsum("nc,ncd->nd", texels.bary, uv[texels.face]))
    shape = (COMPARED, COMPARED)
    return covered.reshape(shape), points.reshape(*shape, 3), np.rint(colours * 255).astype(np.uint8).reshape(*shape, 3)


def lab(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB bytes (N, 3) → CIE L*a*b*, D65."""
    encoded = colours.astype(np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    ratio = xyz / (0.9505, 1.0, 1.089)
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def score(painted: Painted, covered: NDArray, points: NDArray, colours: NDArray, height: float) -> NDArray:
    """Mean texel error in % of the height, share of texels off by more than 5 %, PSNR, mean ΔE, seconds."""
    away = np.linalg.norm(painted.points[covered] - points[covered], axis=1) / height
    made, true = painted.image[covered], colours[covered]
    psnr = 10 * np.log10(255**2 / np.mean((made.astype(float) - true) ** 2))
    delta = np.linalg.norm(lab(made) - lab(true), axis=1)
    return np.array([100 * away.mean(), 100 * (away > 0.05).mean(), psnr, delta.mean(), painted.seconds])


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Transfer textures between held-out MPFB people, beside Blender's ways."
    )
    parser.add_argument("--pairs", type=int, default=3, help="pairs for each condition")
    parser.add_argument("--cache", type=Path, default=Path("build/feature_cache"))
    options = parse_with_data(parser, "mpfb2/base.obj")
    model, uv, picture = HumanModel(options.data), body_uv(options.data), letters()
    cache = FeatureCache(options.cache, 2**31)
    peers: dict[str, Callable[..., Any]] = {
        "Data Transfer": transfer_uvs,
        "bake selected to active": bake_selected_to_active,
    }
    print(f"texel error: % of the height. far: % of texels off by more than 5 % of it. seconds: {TIMED}² for ours.")
    for condition in CONDITIONS:
        totals: dict[str, list[NDArray]] = {name: [] for name in ("Surface Features", *peers)}
        kept = []
        for number in range(options.pairs):
            source, target, height = make_pair(model, number, condition)
            truth = true_texels(source, uv, picture)
            ours, side = paint_ours(source, target, uv, picture, cache)
            kept.append(side)
            totals["Surface Features"].append(score(ours, *truth, height))
            for name, peer in peers.items():
                totals[name].append(score(Painted(*peer(source, target, uv, picture, COMPARED)), *truth, height))
        print(f"{condition} ({options.pairs} pairs; unmirrored: {100 * np.mean(kept):.1f} % of the area)")
        for name, rows in totals.items():
            error, far, psnr, delta, seconds = np.mean(rows, axis=0)
            print(
                f"  {name:26s} texel error {error:5.2f}   far {far:5.1f}   PSNR {psnr:4.1f} dB   ΔE {delta:5.1f}   "
                f"{seconds:5.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
