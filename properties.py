# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's settings, and the frozen dataclass that jobs are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

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


class BoneMapRow(bpy.types.PropertyGroup):
    """One row of the bone map: a target bone's `name`, and the source bone it takes its turns from."""

    source: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Source Bone", description="Bone of the source; empty: the target bone follows its parent"
    )
    share: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Share", description="How much of the bone's surface the source bone moves", min=0.0, max=1.0
    )


class BoneMapSettings(bpy.types.PropertyGroup):
    """The bone map between two armatures."""

    source_armature: bpy.props.StringProperty()  # type: ignore[valid-type]
    target_armature: bpy.props.StringProperty()  # type: ignore[valid-type]
    rows: bpy.props.CollectionProperty(type=BoneMapRow)  # type: ignore[valid-type]
    active: bpy.props.IntProperty()  # type: ignore[valid-type]


class PoseTransferSettings(bpy.types.PropertyGroup):
    """What *Transfer Pose* and *Transfer Motion* are told by the sidebar."""

    force: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Do It Anyway", description="Transfer between bodies that hardly match, too"
    )
    mute_constraints: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Mute Constraints",
        description="Mute constraints on the target's bones that would keep them from the transferred pose",
    )
    smoothing: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Smoothing", description="Frames over which a clip is smoothed, without lag", min=0.0, soft_max=5.0
    )
    keep_feet: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep Feet", description="Feet that stand on the floor stay where they stand", default=True
    )
    key_step: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Key Every",
        description="Frames from one key to the next; 1 keys every frame",
        default=1,
        min=1,
        soft_max=10,
    )
    use_bone_map: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Use Bone Map", description="Take the table below, where it is of these two armatures", default=True
    )
    bone_map: bpy.props.PointerProperty(type=BoneMapSettings)  # type: ignore[valid-type]


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

    pose: bpy.props.PointerProperty(type=PoseTransferSettings)  # type: ignore[valid-type]

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


_CLASSES = (BoneMapRow, BoneMapSettings, PoseTransferSettings, SurfaceFeaturesSettings)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.surface_features = bpy.props.PointerProperty(type=SurfaceFeaturesSettings)


def unregister() -> None:
    del bpy.types.Scene.surface_features
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
