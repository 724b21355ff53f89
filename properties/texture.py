# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Transfer Texture*."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..bridge.materials import CHANNELS
from ..surface_features.settings import TEXTURE_SIZES, TextureSettings


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


def texture_options(chosen: SurfaceFeaturesTextureSettings) -> TextureOptions:
    settings = TextureSettings(size=int(chosen.size), margin=chosen.margin, min_confidence=chosen.min_confidence)
    wanted = tuple(channel.name for channel in CHANNELS if channel.name in chosen.channels)
    return TextureOptions(settings, wanted, chosen.save, chosen.new_uvs)


CLASSES = (SurfaceFeaturesTextureSettings,)
