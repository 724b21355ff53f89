# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences: what holds for every file on this computer."""

from __future__ import annotations

import bpy

from .bridge.job import status
from .surface_features.settings import FeatureSettings

DEFAULT_VIEWS = FeatureSettings.views


class SurfaceFeaturesPreferences(bpy.types.AddonPreferences):
    """Backbone, device, engine and cache."""

    bl_idname = __package__

    backbone: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Backbone",
        description="The network that turns views of a mesh into features",
        items=[
            ("BUNDLED", "Bundled", "The small model that comes with the extension; works offline"),
            ("FOLDER", "Folder", "A checkpoint folder on this computer"),
        ],
        default="BUNDLED",
    )
    backbone_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Backbone Folder",
        description="Checkpoint folder with config.json and the weights",
        subtype="DIR_PATH",
    )
    embedding: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Embedding",
        description="A network that teaches the backbone's features how far apart points lie on the surface",
        items=[
            ("auto", "Automatic", "The one that comes with the backbone, where one does"),
            ("none", "None", "The backbone's features as they are"),
            ("FOLDER", "Folder", "One that Train Embedding made"),
        ],
        default="auto",
    )
    embedding_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Embedding Folder",
        description="Folder with embedding.json and the weights",
        subtype="DIR_PATH",
    )
    device: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Device",
        description="Where the network runs",
        items=[
            ("auto", "Automatic", "The graphics card where there is a usable one, else the CPU"),
            ("cpu", "CPU", "The processor"),
            ("cuda", "CUDA", "An NVIDIA graphics card"),
            ("mps", "Metal", "An Apple graphics chip"),
        ],
        default="auto",
    )
    views: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Views",
        description="Number of cameras around a mesh: more is slower and a little more exact",
        default=DEFAULT_VIEWS,
        min=1,
        max=200,
        soft_min=6,
        soft_max=100,
    )
    up: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Up",
        description="Which way meshes stand: bodies that lie are known only half as well as those that stand",
        items=[
            ("auto", "Automatic", "Along Z, unless a mesh clearly is a body that lies or hangs upside down"),
            ("Z", "Along Z", "As they stand in the scene"),
        ],
        default="auto",
    )
    engine_python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Engine Python",
        description="Python with torch that does the computing, or the folder of its virtual environment. "
        "Empty: found automatically",
        subtype="FILE_PATH",
    )
    cache_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Cache Folder",
        description="Where computed features are kept. Empty: the extension's own folder",
        subtype="DIR_PATH",
    )
    cache_size_mb: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Cache Limit (MB)",
        description="The oldest features are removed when the cache grows beyond this",
        default=2048,
        min=16,
        soft_max=20480,
    )

    @property
    def python_path(self) -> str:
        """The chosen interpreter, absolute; empty to have one found."""
        return bpy.path.abspath(self.engine_python) if self.engine_python else ""

    @property
    def cache_path(self) -> str:
        """Folder of the feature cache; the default one is made when asked for."""
        if self.cache_folder:
            return bpy.path.abspath(self.cache_folder)
        return bpy.utils.extension_path_user(__package__, path="cache", create=True)

    def feature_settings(self, views: int) -> FeatureSettings:
        """Settings for a job; `views` of 0 takes the number of the preferences."""
        backbone = "bundled" if self.backbone == "BUNDLED" else bpy.path.abspath(self.backbone_folder)
        embedding = bpy.path.abspath(self.embedding_folder) if self.embedding == "FOLDER" else self.embedding
        return FeatureSettings(backbone, views or self.views, self.device, self.up, embedding)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        column = layout.column()
        column.prop(self, "backbone")
        if self.backbone == "FOLDER":
            column.prop(self, "backbone_folder")
        column.prop(self, "embedding")
        if self.embedding == "FOLDER":
            column.prop(self, "embedding_folder")
        column.prop(self, "device")
        column.prop(self, "views")
        column.prop(self, "up")
        column.separator()
        row = column.row(align=True)
        row.prop(self, "engine_python")
        row.operator("surface_features.test_engine", text="Test")
        if status.running:
            column.label(text=f"{status.title}: {status.message}", translate=False)
        elif status.report:
            column.label(text=status.report, icon="ERROR" if status.report_is_error else "CHECKMARK", translate=False)
        column.separator()
        column.prop(self, "cache_folder")
        row = column.row(align=True)
        row.prop(self, "cache_size_mb")
        row.operator("surface_features.clear_cache", text="Clear")


def get_preferences(context: bpy.types.Context) -> SurfaceFeaturesPreferences:
    preferences = context.preferences.addons[__package__].preferences
    assert isinstance(preferences, SurfaceFeaturesPreferences)
    return preferences


def register() -> None:
    bpy.utils.register_class(SurfaceFeaturesPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(SurfaceFeaturesPreferences)
