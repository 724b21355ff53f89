# SPDX-License-Identifier: GPL-3.0-or-later
"""How *Segment Parts* divides meshes."""

from __future__ import annotations

import bpy

from ..bridge.parts import LabelSource, Output, PartsChoice


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


def parts_choice(chosen: PartsSettings, *, replace: bool) -> PartsChoice:
    return PartsChoice(
        method=chosen.method,
        count=chosen.count,
        labels=LabelSource[chosen.labels],
        attribute=chosen.attribute,
        several=chosen.several,
        path=chosen.path,
        smoothness=chosen.smoothness,
        outputs=tuple(one for one in Output if one.name in chosen.outputs),
        replace=replace,
    )


CLASSES = (PartsSettings,)
