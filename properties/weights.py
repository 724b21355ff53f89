# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of *Transfer Weights*: how weights are found, and what of a target may change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy


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


class SurfaceFeaturesWeightSettings(bpy.types.PropertyGroup):
    """What *Transfer Weights* is told by the sidebar."""

    mode: bpy.props.EnumProperty(  # type: ignore[valid-type]
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


def weight_choices(chosen: SurfaceFeaturesWeightSettings) -> dict[str, Any]:
    """Fields of `WeightSettings`."""
    return {
        "mode": chosen.mode,
        "side_guard": chosen.side_guard,
        "swap_sides": chosen.swap_sides,
        "loose_parts": chosen.loose_parts,
        "symmetrise": chosen.symmetrise,
    }


def write_options(chosen: SurfaceFeaturesWeightSettings) -> WriteOptions:
    return WriteOptions(
        selected_bones=chosen.selected_bones,
        selected_vertices=chosen.selected_vertices,
        soft_edge_m=chosen.soft_edge,
        mix=chosen.mix,
    )


CLASSES = (SurfaceFeaturesWeightSettings,)
