# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told about a transferred pose: whether the two bodies are alike at all, and how much runs through itself."""

from __future__ import annotations

import numpy as np

from ..correspondence import Correspondence
from ..errors import BadInputError
from ..mesh import TriangleMesh
from ..preflight import preflight

LEAST_CONFIDENCE = 0.25  # median and mean over what is seen of the target: two people 0.8, a person and a chair 0.05
MOST_EDGES = 20_000
INSIDE = 0.02  # of an edge's length at both of its ends do not count


def check_alike(source: TriangleMesh, target: TriangleMesh, onto_source: Correspondence, seen: np.ndarray) -> float:
    """`confidence_of` the matches. Raises `BadInputError` where source and target are not of one family.

    The mean must do as well: of a crate's eight corners five may match something by chance.
    """
    confidence = confidence_of(onto_source, seen)
    least = min(confidence, float(np.mean(_judged(onto_source, seen))))
    if least < LEAST_CONFIDENCE:
        raise BadInputError(
            f"{target.name}: hardly any part of it matches {source.name} (confidence {least:.0%}). "
            "Tick Do It Anyway to transfer all the same.",
            fault="not_alike",
        )
    return confidence


def confidence_of(onto_source: Correspondence, seen: np.ndarray) -> float:
    """The median over the vertices any view shows; seen: (V,) bool. A body under clothes says nothing of its own."""
    return float(np.median(_judged(onto_source, seen)))


def _judged(onto_source: Correspondence, seen: np.ndarray) -> np.ndarray:
    return onto_source.confidence[seen] if seen.any() else onto_source.confidence


def intersecting_share(mesh: TriangleMesh) -> float:
    """Share of the edges that run through another face of the same mesh; of at most `MOST_EDGES` drawn ones."""
    from ..views.render import Raycaster

    proxy = preflight(mesh).proxy
    edges = proxy.edges
    if len(edges) > MOST_EDGES:
        edges = edges[np.random.default_rng(0).choice(len(edges), MOST_EDGES, replace=False)]
    start, end = proxy.vertices[edges[:, 0]], proxy.vertices[edges[:, 1]]
    way = end - start
    length = np.linalg.norm(way, axis=1)
    usable = length > 1e-7
    edges, start, way, length = edges[usable], start[usable], way[usable], length[usable]
    direction = way / length[:, None]
    origin = start + direction * (INSIDE * length)[:, None]
    face, _, distance = Raycaster(proxy).hits(origin.astype(np.float32), direction.astype(np.float32))
    hit = (face >= 0) & (distance < (1 - 2 * INSIDE) * length)
    own = (proxy.faces[face][:, :, None] == edges[:, None, :]).any(axis=(1, 2))
    return float((hit & ~own).mean())
