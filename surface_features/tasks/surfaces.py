# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that look at meshes: check, features, colours, correspondence."""

from __future__ import annotations

from dataclasses import asdict

from ..engine.protocol import JobRequest
from ..errors import BadInputError
from ..progress import JobContext
from ..settings import FeatureSettings
from .common import Answer, compute, match_meshes, read_mesh


def check(request: JobRequest, context: JobContext) -> Answer:
    """Tell what is wrong with a mesh; one that would be refused is a finding too, never an error."""
    from ..preflight import preflight

    try:
        findings = [asdict(finding) for finding in preflight(read_mesh(request)).findings]
    except BadInputError as error:
        findings = [{"fault": error.fault, "severity": "refused", "count": 1, "message": str(error)}]
    return {}, {"findings": findings}


def features(request: JobRequest, context: JobContext) -> Answer:
    """Features and confidence of one mesh. params: name, settings."""
    settings = FeatureSettings.from_json(dict(request.params.get("settings", {})))
    computed = compute(read_mesh(request), settings, context, request.params)
    return {"features": computed.values, "confidence": computed.confidence}, {}


def show_features(request: JobRequest, context: JobContext) -> Answer:
    """Colours of several meshes in one common basis. params: names, settings."""
    from ..features import feature_colours

    settings = FeatureSettings.from_json(dict(request.params.get("settings", {})))
    names = list(request.params["names"])
    computed = []
    for index, name in enumerate(names):
        part = context.span(index / len(names), (index + 1) / len(names))
        computed.append(compute(read_mesh(request, "", f"_{index}", name), settings, part, request.params))
    colours = feature_colours(computed, settings.backbone)
    return {f"colours_{index}": colour for index, colour in enumerate(colours)}, {}


def match(request: JobRequest, context: JobContext) -> Answer:
    """For every source vertex a point of the target. params: source_name, target_name, settings."""
    settings = FeatureSettings.from_json(dict(request.params.get("settings", {})))
    source = read_mesh(request, "source_", "", request.params.get("source_name"))
    target = read_mesh(request, "target_", "", request.params.get("target_name"))
    source_features = compute(source, settings, context.span(0.0, 0.4), request.params)
    target_features = compute(target, settings, context.span(0.4, 0.8), request.params)
    found = match_meshes(source, source_features, target, target_features, context.span(0.8, 1.0))
    return {"face": found.face, "bary": found.bary, "confidence": found.confidence}, {}
