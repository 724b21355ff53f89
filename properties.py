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


@dataclass(frozen=True)
class WriteOptions:
    """What of a target's skin may change.

    selected_bones: only groups of bones selected in the source's armature. selected_vertices: only the target's
    selected vertices, fading in over soft_edge_m inside the selection's rim. mix: share of the new weights.
    """

    selected_bones: bool = False
    selected_vertices: bool = False
    soft_edge_m: float = 0.0
    mix: float = 1.0


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

    weight_mode: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Mode",
        description="How weights get from the source to the targets",
        items=[
            ("match", "Match", "Carry the weights along the matches; the rest is filled in along the surface"),
            ("regress", "Regress", "Learn the weights from the source's features: smoother, less exact"),
        ],
        default="match",
    )
    whole_character: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Whole Character",
        description="The source is every mesh that the active object's armature deforms, not the active one alone",
        default=False,
    )
    side_guard: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Side Guard",
        description="Give every limb one side, left or right, by the names of the bones",
        default=True,
    )
    swap_sides: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Swap Sides",
        description="Left and right change places, where the whole match took one for the other",
        default=False,
    )
    loose_parts: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Rigid Loose Parts",
        description="Buttons, eyes, teeth, buckles and plates stay stiff and go with what they sit on",
        default=True,
    )
    symmetrise: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Symmetrise",
        description="On a symmetric target both sides get exactly mirrored weights",
        default=False,
    )
    selected_bones: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Selected Bones Only",
        description="Only the bones selected in the source's armature get new weights; others only make room",
        default=False,
    )
    selected_vertices: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Selected Vertices Only",
        description="Only the targets' selected vertices get new weights",
        default=False,
    )
    soft_edge: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Soft Edge",
        description="How far inside the selection's rim the new weights fade in",
        default=0.0,
        min=0.0,
        subtype="DISTANCE",
    )
    mix: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Mix",
        description="How much of the new weights is mixed with those a target already has",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    skinning_model: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Skinning Model",
        description="File of a skinning model: saved from a rigged character, rigs others of the family without it",
        subtype="FILE_PATH",
    )

    def weight_settings(self) -> WeightSettings:
        return WeightSettings(
            max_influences=self.max_influences,
            min_confidence=self.min_confidence,
            prune_below=self.prune_below,
            mode=self.weight_mode,
            side_guard=self.side_guard,
            swap_sides=self.swap_sides,
            loose_parts=self.loose_parts,
            symmetrise=self.symmetrise,
        )

    def write_options(self) -> WriteOptions:
        return WriteOptions(
            selected_bones=self.selected_bones,
            selected_vertices=self.selected_vertices,
            soft_edge_m=self.soft_edge,
            mix=self.mix,
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
    bpy.utils.register_class(SurfaceFeaturesSettings)
    bpy.types.Scene.surface_features = bpy.props.PointerProperty(type=SurfaceFeaturesSettings)


def unregister() -> None:
    del bpy.types.Scene.surface_features
    bpy.utils.unregister_class(SurfaceFeaturesSettings)
