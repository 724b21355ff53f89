# SPDX-License-Identifier: GPL-3.0-or-later
"""Rig every GLB, FBX and OBJ file of a folder from nothing, and save each as GLB with skeleton and weights.

    blender -b --python examples/rig_folder.py -- IN OUT [--preset human] [--skeleton mixamo]

The extension must be installed in that Blender. A file that cannot be rigged is told and passed over; the exit code is
then 3.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bpy

IMPORTERS = {
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".gltf": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path),
    ".obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
}


def rig_file(path: Path, out: Path, preset: str, skeleton: str) -> None:
    """Raises RuntimeError, with the sentence that a user would see, for a file that cannot be rigged."""
    bpy.ops.wm.read_homefile(use_empty=True)
    IMPORTERS[path.suffix.lower()](str(path))
    settings = bpy.context.scene.surface_features
    settings.rig_from, settings.skeleton = preset.upper(), skeleton.upper()
    meshes = [obj for obj in bpy.context.scene.objects if obj.type == "MESH"]
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj in meshes)
    bpy.context.view_layer.objects.active = meshes[0] if meshes else None
    bpy.ops.surface_features.rig(replace=True)
    bpy.ops.export_scene.gltf(filepath=str(out / f"{path.stem}.glb"))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="rig_folder", description="Rig every character of a folder.")
    parser.add_argument("source", type=Path, metavar="IN")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--preset", choices=("auto", "human", "quadruped"), default="auto")
    parser.add_argument("--skeleton", choices=("plain", "unreal", "mixamo", "rigify"), default="plain")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in options.source.iterdir() if path.suffix.lower() in IMPORTERS)
    failed = 0
    for path in files:
        try:
            rig_file(path, options.out, options.preset, options.skeleton)
        except RuntimeError as error:
            failed += 1
            print(f"{path.name}: {str(error).strip().removeprefix('Error: ')}", file=sys.stderr, flush=True)
        else:
            print(f"{path.name}: rigged", flush=True)
    print(f"{len(files) - failed} of {len(files)} files rigged.", flush=True)
    return 3 if failed else 0


if __name__ == "__main__":
    code = main(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:])
    if code:
        sys.exit(code)
