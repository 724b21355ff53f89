# SPDX-License-Identifier: GPL-3.0-or-later
"""One source and any number of targets: the source's features once, then target by target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..engine.protocol import JobRequest
from ..mesh import TriangleMesh
from ..progress import JobContext
from ..settings import FeatureSettings
from .common import compute, match_meshes, read_mesh

if TYPE_CHECKING:
    from ..correspondence import Correspondence
    from ..face_registration import FaceFinder
    from ..features import Features


class Pairs:
    """arrays source_vertices, source_faces, target_vertices_0, target_faces_0…; params source_name, target_names,
    feature_settings.
    """

    source_features: Features
    _face_finder: FaceFinder | None = None

    def __init__(self, request: JobRequest) -> None:
        self._request = request
        self._settings = FeatureSettings.from_json(dict(request.params.get("feature_settings", {})))
        self._names = list(request.params["target_names"])
        self.source = read_mesh(request, "source_", "", request.params.get("source_name"))

    def targets(self, context: JobContext) -> Iterator[tuple[int, Pair]]:
        """Each target's number and pair, with its features computed."""
        share = 1.0 / (len(self._names) + 1)
        self.source_features = compute(self.source, self._settings, context.span(0.0, share), self._request.params)
        for index, name in enumerate(self._names):
            part = context.span((index + 1) * share, (index + 2) * share)
            target = read_mesh(self._request, "target_", f"_{index}", name)
            features = compute(target, self._settings, part.span(0.0, 0.6), self._request.params)
            yield index, Pair(self.source, self.source_features, target, features, part.span(0.6, 1.0))

    def face_finder(self, context: JobContext) -> FaceFinder:
        """Finds people's heads in meshes whose features were computed with these settings; made once."""
        from ..face_registration import FaceFinder, face_body

        if self._face_finder is None:
            upright = replace(self._settings, up="Z")  # as the body is
            self._face_finder = FaceFinder(compute(face_body(), upright, context, self._request.params))
        return self._face_finder


class Pair:
    """The source and one target. context: for the work that is still to be done on them."""

    def __init__(
        self,
        source: TriangleMesh,
        source_features: Features,
        target: TriangleMesh,
        target_features: Features,
        context: JobContext,
    ) -> None:
        self.source, self.target, self.context = source, target, context
        self.source_features, self.target_features = source_features, target_features

    def onto_target(self) -> Correspondence:
        """Per source vertex a point of the target."""
        matching = self.context.span(0.0, 0.5)
        return match_meshes(self.source, self.source_features, self.target, self.target_features, matching)

    def onto_source(self) -> Correspondence:
        """Per target vertex a point of the source."""
        matching = self.context.span(0.0, 0.5)
        return match_meshes(self.target, self.target_features, self.source, self.source_features, matching)
