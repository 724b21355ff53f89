# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's settings, and the frozen dataclass that jobs are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from .bridge.attributes import What
from .bridge.parts import LabelSource, Output, PartsChoice
from .preferences import get_preferences
from .surface_features.settings import FeatureSettings, WeightSettings


@dataclass(frozen=True)
class JobSettings:
    """Preferences and scene settings at the time a job starts."""

    features: FeatureSettings
    weights: WeightSettings
    cache_folder: str
    cache_size_mb: int

    @property
    def cache_params(self) -> dict[str, Any]:
        return {"cache_folder": self.cache_folder, "cache_size_mb": self.cache_size_mb}


class PartsSettings(bpy.types.PropertyGroup):
    """How Segment Parts divides meshes: `scene.surface_features.parts`."""

    method: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Method",
        items=[
            ("CLUSTERS", "Find Parts", "Parts that the selected meshes have by themselves"),
            ("EXAMPLES", "By Example", "As the active mesh is labelled"),
            ("MODEL", "Parts Model", "As a trained parts model has learned"),
        ],
    )
    count: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Parts", description="How many parts to find", default=PartsChoice.count, min=2, max=64
    )
    labels: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Labels",
        description="Where an example's labels are",
        items=[(one.name, *one.value) for one in LabelSource],
    )
    attribute: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Attribute", description="Name of the face attribute with the labels", default=PartsChoice.attribute
    )
    several: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Several Examples",
        description="Every selected mesh that has such labels is an example, not the active alone",
    )
    path: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Model", description="File of the parts model", subtype="FILE_PATH"
    )
    smoothness: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Smoothness",
        description="How strongly neighbouring faces agree; borders prefer creases",
        default=PartsChoice.smoothness,
        min=0.0,
        max=4.0,
    )
    outputs: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Write",
        description="How parts are written",
        items=[(one.name, *one.value, 1 << index) for index, one in enumerate(Output)],
        options={"ENUM_FLAG"},
        default={one.name for one in PartsChoice.outputs},
    )

    def choice(self, *, replace: bool) -> PartsChoice:
        return PartsChoice(
            method=self.method,
            count=self.count,
            labels=LabelSource[self.labels],
            attribute=self.attribute,
            several=self.several,
            path=self.path,
            smoothness=self.smoothness,
            outputs=tuple(one for one in Output if one.name in self.outputs),
            replace=replace,
        )


class SurfaceFeaturesSettings(bpy.types.PropertyGroup):
    """What may differ from scene to scene: `scene.surface_features`."""

    views: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Views",
        description="Number of cameras around a mesh in this scene; 0 takes the number of the preferences",
        default=0,
        min=0,
        max=200,
    )
    max_influences: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Influences",
        description="Most bones per vertex, as game engines limit them; 0 for no limit",
        default=WeightSettings.max_influences,
        min=0,
        soft_max=8,
    )
    min_confidence: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Confidence",
        description="Vertices matched with less confidence are filled in from their neighbours",
        default=WeightSettings.min_confidence,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    prune_below: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Prune",
        description="Smaller weights are removed",
        default=WeightSettings.prune_below,
        min=0.0,
        max=0.5,
        precision=3,
    )
    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace Existing",
        description="Replace weights and armature that a target already has",
        default=False,
    )

    attribute_kinds: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Data",
        description="Kinds of data that Transfer Attributes carries over",
        items=[(one.name, *one.value, 1 << index) for index, one in enumerate(What)],
        options={"ENUM_FLAG"},
        default={"GROUPS", "COLOURS", "ATTRIBUTES"},
    )

    parts: bpy.props.PointerProperty(type=PartsSettings)  # type: ignore[valid-type]

    def weight_settings(self) -> WeightSettings:
        return WeightSettings(
            max_influences=self.max_influences, min_confidence=self.min_confidence, prune_below=self.prune_below
        )


def get_settings(context: bpy.types.Context) -> SurfaceFeaturesSettings:
    return context.scene.surface_features


def job_settings(context: bpy.types.Context) -> JobSettings:
    """What the user has set, as it is now."""
    preferences, scene = get_preferences(context), get_settings(context)
    return JobSettings(
        features=preferences.feature_settings(scene.views),
        weights=scene.weight_settings(),
        cache_folder=preferences.cache_path,
        cache_size_mb=preferences.cache_size_mb,
    )


def register() -> None:
    bpy.utils.register_class(PartsSettings)
    bpy.utils.register_class(SurfaceFeaturesSettings)
    bpy.types.Scene.surface_features = bpy.props.PointerProperty(type=SurfaceFeaturesSettings)


def unregister() -> None:
    del bpy.types.Scene.surface_features
    bpy.utils.unregister_class(SurfaceFeaturesSettings)
    bpy.utils.unregister_class(PartsSettings)
