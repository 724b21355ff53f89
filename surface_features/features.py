# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic, surface-aware features of every vertex: the one function everything else stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .geometry.vectors import unit_rows
from .mesh import Float32, TriangleMesh
from .progress import JobContext
from .settings import FeatureSettings

if TYPE_CHECKING:
    from .backbones.backbone import Backbone
    from .cache import FeatureCache
    from .sight import Sight
    from .views.render import Raycaster

ALGORITHM_VERSION = 9  # raise it when the same input gives other features
MOST_LIFTED = 40_000  # vertices; larger meshes are lifted onto about so many and the rest lies between


@dataclass(frozen=True, eq=False)
class Features:
    """values: (V, D) float32 unit rows in the artist's vertex order. confidence: (V,) float32 0…1."""

    values: Float32
    confidence: Float32


def compute_features(
    mesh: TriangleMesh,
    settings: FeatureSettings | None = None,
    context: JobContext | None = None,
    cache: FeatureCache | None = None,
) -> Features:
    """Features of every vertex of `mesh`.

    Invariant to vertex order, position and scale; pictures are taken of a cleaned proxy (`preflight`).
    Raises `BadInputError` for meshes that have no surface, `BackboneError` for a missing or damaged backbone.
    """
    return _find_or_compute(mesh, settings or FeatureSettings(), context or JobContext(), cache, as_seen=False)


def compute_view_features(
    mesh: TriangleMesh,
    settings: FeatureSettings | None = None,
    context: JobContext | None = None,
    cache: FeatureCache | None = None,
) -> Features:
    """As `compute_features`, but as the views show them: neither corrected over the surface nor embedded.

    Only these are comparable with the features of a picture's pixels.
    """
    settings = replace(settings or FeatureSettings(), embedding="none")
    return _find_or_compute(mesh, settings, context or JobContext(), cache, as_seen=True)


def model_fingerprint(settings: FeatureSettings) -> str:
    """Hash of the backbone and the embedding that `settings` choose: features of one are not comparable with another's.

    Raises `BackboneError` for what is missing or damaged.
    """
    from .backbones.checkpoint import fingerprint
    from .embedding.store import embedding_fingerprint, find_embedding

    embedding = find_embedding(settings.embedding, settings.backbone)
    return fingerprint(settings.backbone) + (embedding_fingerprint(embedding) if embedding else "")


def _find_or_compute(
    mesh: TriangleMesh, settings: FeatureSettings, context: JobContext, cache: FeatureCache | None, *, as_seen: bool
) -> Features:
    if cache is None:
        return _compute(mesh, settings, context, as_seen=as_seen)
    from .cache import feature_key

    model = model_fingerprint(settings)
    key = feature_key(mesh, settings, f"as seen {model}" if as_seen else model, ALGORITHM_VERSION)
    stored = cache.get(key, context)
    if stored is not None:
        return Features(stored["values"], stored["confidence"])
    features = _compute(mesh, settings, context, as_seen=as_seen)
    cache.put(key, {"values": features.values, "confidence": features.confidence}, context)
    return features


def _compute(mesh: TriangleMesh, settings: FeatureSettings, context: JobContext, *, as_seen: bool) -> Features:
    from .backbones import load_backbone
    from .embedding.store import append_codes, find_embedding
    from .geometry.coarse import coarsen
    from .lifting import LiftedLooks
    from .parallel import ahead
    from .preflight import preflight
    from .refinement import PLACEMENTS, place, refine
    from .sight import Format, Observer
    from .upright import to_z_up
    from .views.details import spot_vertices
    from .views.looks import place_looks
    from .views.render import Raycaster

    with context.stage("preflight"):
        context.report(0.0, f"Checking {mesh.name}")
        checked = preflight(mesh)
        for finding in checked.findings:
            if finding.severity == "mended":
                context.warn(finding.message)
    with context.stage("load"):
        context.report(0.03, "Loading the model")
        backbone = load_backbone(settings.backbone, settings.device)
    proxy = to_z_up(checked.proxy, settings.up)
    raycaster = Raycaster(proxy)
    coarse = coarsen(proxy, MOST_LIFTED) if len(proxy.vertices) > MOST_LIFTED else None
    surface, zooms = coarse.mesh if coarse else proxy, backbone.checkpoint
    if settings.up == "auto":
        up = _find_up(raycaster, surface, settings.device, context)
        if up != "Z":
            raycaster, surface = Raycaster(to_z_up(proxy, up)), to_z_up(surface, up)
    close_up_zoom = 0.0 if as_seen else zooms.close_up_zoom  # a picture shows the whole subject
    looks = place_looks(raycaster, surface, settings.views, close_up_zoom, zooms.detail_zoom)
    form = Format(zooms.image_size, zooms.grid, zooms.cell_shift, zooms.layers)
    observer = Observer(raycaster, surface, looks, form, coarse)
    lifted = LiftedLooks(surface)
    network = None if as_seen else backbone.surface_context
    details = spot_vertices(looks.spots)
    done, silent = 0, JobContext(is_cancelled=context.is_cancelled)
    with ahead() as meanwhile:
        sights = meanwhile.each(lambda number: observer.look(number, silent), range(len(looks.cameras)))
        if network is not None:
            placed = meanwhile.each(partial(place, network, surface, details), range(PLACEMENTS))
        for number, cameras in enumerate(looks.cameras):
            span = context.span(0.05 + 0.85 * done / looks.count, 0.05 + 0.85 * (done + len(cameras)) / looks.count)
            with context.stage("render"):
                span.report(0.0, f"Rendering {mesh.name}")
                sight = next(sights)
            with context.stage("backbone"):
                cells = _encode(backbone, sight, mesh.name, span.span(0.3, 1.0))
            with context.stage("lift"):
                lifted.add(sight.reading, cells, sight.beneath, details=looks.shows_details(number))
            done += len(cameras)
        known = lifted.side_by_side(beneath=zooms.layers > 0 and not as_seen)
        if network is not None:
            with context.stage("refine"):
                known = refine(network, surface, known, context.span(0.9, 1.0), placed)
    values = known.values
    embedding = find_embedding(settings.embedding, settings.backbone)
    if embedding is not None:
        with context.stage("embed"):
            values = append_codes(embedding, backbone.fingerprint, values, settings.device)
    confidence = known.confidence
    if coarse:
        values = unit_rows(coarse.at(values.T, np.arange(len(proxy.vertices))).T)
        confidence = confidence[coarse.of_vertex]
    index = checked.proxy_vertex
    return Features(values[index], confidence[index])


def _find_up(raycaster: Raycaster, surface: TriangleMesh, device: str, context: JobContext) -> str:
    from .upright import find_up

    name = raycaster.mesh.name
    with context.stage("upright"):
        context.report(0.04, f"Finding which way up {name} is")
        up = find_up(raycaster, surface, device)
    if up != "Z":
        context.warn(f"{name} does not stand along Z: it was looked at with {up} up.")
    return up


def _encode(backbone: Backbone, sight: Sight, name: str, context: JobContext) -> Float32:
    """The features of the cells of what one of the looks shows, (N, G, G, D)."""
    context.report(0.0, f"Looking at {name}")
    pictures = backbone.pictures(sight.views)
    return backbone.encode(pictures, context.warn, lambda done: context.report(done, f"Looking at {name}"))


def feature_colours(features: Sequence[Features], backbone: str) -> list[Float32]:
    """One (V, 3) float32 colour array 0…1 per mesh, comparable across them.

    A backbone that brings a colour basis gives the same colours to the same meaning on every mesh ever shown; for
    others the basis is the principal components of all given meshes together.
    """
    from .backbones.checkpoint import read_checkpoint

    stored = read_checkpoint(backbone).colour_basis
    basis = np.array(stored, np.float32) if stored else principal_colours(np.concatenate([f.values for f in features]))
    dim = basis.shape[1] - 1  # an embedding's codes follow the channels that the basis is of
    values = [unit_rows(f.values[:, :dim]) for f in features]
    return [np.clip(v @ basis[:, :-1].T + basis[:, -1], 0, 1).astype(np.float32) for v in values]


def principal_colours(values: Float32) -> Float32:
    """(3, D + 1) float32: the three largest principal directions, scaled so that 2.2 σ spans 0…1, and an offset."""
    mean = values.mean(axis=0)
    centred = values - mean
    spread, directions = np.linalg.eigh(centred.T @ centred / max(len(values), 1))
    top = directions[:, ::-1][:, :3].T
    top = top * np.sign(top[np.arange(len(top)), np.abs(top).argmax(axis=1)])[:, None]
    scaled = top / (4.4 * np.sqrt(np.maximum(spread[::-1][:3], 1e-12)))[:, None]
    return np.concatenate([scaled, (0.5 - scaled @ mean)[:, None]], axis=1).astype(np.float32)
