# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's settings, and the frozen dataclass that jobs are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from .bridge.materials import CHANNELS
from .preferences import get_preferences
from .surface_features.settings import TEXTURE_SIZES, FeatureSettings, TextureSettings, WeightSettings


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
class TextureOptions:
    """What *Transfer Texture* makes.

    channels: names of `bridge.materials.CHANNELS`. save: images go beside the blend file and are not packed.
    new_uvs: targets are unwrapped even if they have UV maps.
    """

    settings: TextureSettings
    channels: tuple[str, ...]
    save: bool = False
    new_uvs: bool = False

    def memory_mb(self, images: int) -> float:
        """About how much memory so many images take, in the engine and in Blender, in megabytes."""
        blender = images * 4 + 16  # bytes per texel: the images, and one of them as floats while it is written
        return self.settings.memory_mb(3 * images) + blender * self.settings.size**2 / 1e6


class SurfaceFeaturesTextureSettings(bpy.types.PropertyGroup):
    """`scene.surface_features.texture`."""

    size: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Size",
        description="Width and height of the new images",
        items=[(str(size), str(size), f"{size} × {size} texels") for size in TEXTURE_SIZES],
        default=str(TextureSettings.size),
    )
    margin: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Margin",
        description="How many texels the colours go on beyond the UV islands, so that seams do not show",
        default=TextureSettings.margin,
        min=0,
        max=256,
    )
    min_confidence: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Confidence",
        description="Texels matched with less confidence are filled in from their surroundings",
        default=TextureSettings.min_confidence,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    channels: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Channels",
        description="What is transferred of the source's materials",
        items=[
            (channel.name, channel.label, f"The materials' {channel.label}", 1 << index)
            for index, channel in enumerate(CHANNELS)
        ],
        options={"ENUM_FLAG"},
        default={channel.name for channel in CHANNELS},
    )
    new_uvs: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="New UV Map",
        description="Unwrap the targets into a new UV map, even if they have one. Meshes without one always get one",
        default=False,
    )
    save: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Save Beside File",
        description="Save the images in the folder “textures” beside the blend file, instead of packing them into it",
        default=False,
    )

    picture: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Picture",
        description="A picture of one whole subject like the mesh, cut out (alpha) or before a plain background",
        type=bpy.types.Image,
    )
    geometry: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Normals and Depth",
        description="The same view's camera-space normals (RGB) and depth (alpha, larger is nearer, 0 is background), "
        "for the bundled backbone, which does not read colours",
        type=bpy.types.Image,
    )
    keypoints: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Keypoints",
        description='JSON file: {"name": [x, y]} in pixels from the picture\'s upper left corner',
        subtype="FILE_PATH",
    )

    def options(self) -> TextureOptions:
        settings = TextureSettings(size=int(self.size), margin=self.margin, min_confidence=self.min_confidence)
        wanted = tuple(channel.name for channel in CHANNELS if channel.name in self.channels)
        return TextureOptions(settings, wanted, self.save, self.new_uvs)


@dataclass(frozen=True)
class RigSettings:
    """Where *Rig* takes its skeleton from.

    rig_from: "AUTO", "SOURCE", "HUMAN" or "QUADRUPED". skeleton: "PLAIN", "UNREAL", "MIXAMO", "RIGIFY" or "METARIG".
    together: selected meshes that touch are one character.
    """

    rig_from: str = "AUTO"
    skeleton: str = "PLAIN"
    together: bool = True

    @property
    def kind(self) -> str:
        """The preset as the engine knows it."""
        return self.rig_from.lower() if self.rig_from in ("HUMAN", "QUADRUPED") else "auto"


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

    def rig_settings(self) -> RigSettings:
        return RigSettings(rig_from=self.rig_from, skeleton=self.skeleton, together=self.together)

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
    bpy.utils.register_class(SurfaceFeaturesTextureSettings)
    bpy.utils.register_class(SurfaceFeaturesSettings)
    bpy.types.Scene.surface_features = bpy.props.PointerProperty(type=SurfaceFeaturesSettings)


def unregister() -> None:
    del bpy.types.Scene.surface_features
    bpy.utils.unregister_class(SurfaceFeaturesSettings)
    bpy.utils.unregister_class(SurfaceFeaturesTextureSettings)
