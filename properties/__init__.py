# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's settings, and the frozen dataclasses that jobs are made from; each transfer has a module of its own.

Property groups have no methods: Blender 4.2 as a Python module keeps them for ever, and crashes when the program ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from ..bridge.attributes import What
from ..preferences import get_preferences
from ..surface_features.settings import FeatureSettings, WeightSettings
from . import parts, pose, texture, weights
from .parts import PartsSettings, parts_choice
from .pose import PoseTransferSettings
from .rig import RigSettings
from .texture import SurfaceFeaturesTextureSettings, TextureOptions, texture_options
from .weights import SurfaceFeaturesWeightSettings, WriteOptions, weight_choices, write_options

__all__ = [
    "JobSettings",
    "RigSettings",
    "SurfaceFeaturesSettings",
    "TextureOptions",
    "WriteOptions",
    "get_settings",
    "job_settings",
    "parts_choice",
    "register",
    "rig_settings",
    "texture_options",
    "unregister",
    "write_options",
]


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

    texture: bpy.props.PointerProperty(type=SurfaceFeaturesTextureSettings)  # type: ignore[valid-type]
    rig_from: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Rig From",
        description="Where the skeleton comes from",
        items=[
            (
                "AUTO",
                "Automatic",
                "The active character's armature; where nothing selected has one, the fitting preset",
            ),
            ("SOURCE", "Selected Source", "The active character's armature"),
            ("HUMAN", "Human", "A new skeleton of a person, no source needed"),
            ("QUADRUPED", "Quadruped", "A new skeleton of a four-legged animal, no source needed"),
        ],
        default=RigSettings.rig_from,
    )
    skeleton: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Skeleton",
        description="What a preset makes",
        items=[
            ("PLAIN", "Deform", "Deform bones with plain names: upper_arm.L"),
            ("UNREAL", "Unreal", "Deform bones named as Unreal's mannequin: upperarm_l"),
            ("MIXAMO", "Mixamo", "Deform bones named as Mixamo does: mixamorig:LeftArm"),
            ("RIGIFY", "Rigify Names", "Deform bones named as in Rigify's metarig: upper_arm.L, f_index.01.L"),
            ("METARIG", "Rigify Metarig", "Blender's metarig, ready for Generate Rig, and weights for what it makes"),
        ],
        default=RigSettings.skeleton,
    )
    together: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Touching Meshes Are One",
        description="Selected meshes that touch each other are one character: body, clothes, hair",
        default=RigSettings.together,
    )

    pose: bpy.props.PointerProperty(type=PoseTransferSettings)  # type: ignore[valid-type]
    weights: bpy.props.PointerProperty(type=SurfaceFeaturesWeightSettings)  # type: ignore[valid-type]

    attribute_kinds: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Data",
        description="Kinds of data that Transfer Attributes carries over",
        items=[(one.name, *one.value, 1 << index) for index, one in enumerate(What)],
        options={"ENUM_FLAG"},
        default={"GROUPS", "COLOURS", "ATTRIBUTES"},
    )

    parts: bpy.props.PointerProperty(type=PartsSettings)  # type: ignore[valid-type]


def rig_settings(chosen: SurfaceFeaturesSettings) -> RigSettings:
    return RigSettings(rig_from=chosen.rig_from, skeleton=chosen.skeleton, together=chosen.together)


def _weight_settings(chosen: SurfaceFeaturesSettings) -> WeightSettings:
    return WeightSettings(
        max_influences=chosen.max_influences,
        min_confidence=chosen.min_confidence,
        prune_below=chosen.prune_below,
        **weight_choices(chosen.weights),
    )


def get_settings(context: bpy.types.Context) -> SurfaceFeaturesSettings:
    return context.scene.surface_features


def job_settings(context: bpy.types.Context) -> JobSettings:
    """What the user has set, as it is now."""
    preferences, scene = get_preferences(context), get_settings(context)
    return JobSettings(
        features=preferences.feature_settings(scene.views),
        weights=_weight_settings(scene),
        cache_folder=preferences.cache_path,
        cache_size_mb=preferences.cache_size_mb,
    )


CLASSES = (*weights.CLASSES, *pose.CLASSES, *texture.CLASSES, *parts.CLASSES, SurfaceFeaturesSettings)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.surface_features = bpy.props.PointerProperty(type=SurfaceFeaturesSettings)


def unregister() -> None:
    del bpy.types.Scene.surface_features
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
