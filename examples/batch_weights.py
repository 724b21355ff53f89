# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin a folder of GLB and FBX files from one rigged character, without a window.

    blender -b hero.blend --python examples/batch_weights.py -- --source Hero --folder crowd --out skinned

The extension must be installed and enabled. Every mesh of a file is skinned by itself and bound to the source's
armature; the result is saved as `<name>.blend`, its quality as `<name>.json`. A file that
cannot be skinned is told in one line, and the others go on. Exit code 1 where any failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import bpy

REPORT = "surface_features_weights"  # the custom property that Transfer Weights leaves on a target


def import_meshes(path: Path) -> list[bpy.types.Object]:
    """The mesh objects of a file, in the open scene."""
    before = set(bpy.data.objects)
    if path.suffix.lower() == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    return [obj for obj in bpy.data.objects if obj not in before and obj.type == "MESH" and obj.data.polygons]


def skin_file(path: Path, source_name: str, out: Path, *, replace: bool) -> None:
    """Import, skin and save one file. Raises RuntimeError with the operator's sentence."""
    bpy.ops.wm.revert_mainfile()
    source = bpy.data.objects[source_name]
    targets = import_meshes(path)
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj == source or obj in targets)
    bpy.context.view_layer.objects.active = source
    bpy.ops.surface_features.transfer_weights(replace=replace)
    reports = [json.loads(str(obj[REPORT])) for obj in targets if obj.get(REPORT)]
    (out / f"{path.stem}.json").write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
    bpy.ops.wm.save_as_mainfile(filepath=str((out / f"{path.stem}.blend").resolve()), copy=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Skin a folder of GLB and FBX files from one rigged character.")
    parser.add_argument("--source", required=True, help="the rigged mesh object in the open file")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--replace", action="store_true", help="replace weights and armatures the files bring")
    options = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else [])
    options.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for path in sorted(options.folder.iterdir()):
        if path.suffix.lower() not in (".glb", ".gltf", ".fbx"):
            continue
        try:
            skin_file(path, options.source, options.out, replace=options.replace)
            print(f"{path.name}: done", flush=True)
        except RuntimeError as error:
            failed += 1
            print(f"{path.name}: {str(error).strip().removeprefix('Error: ')}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
