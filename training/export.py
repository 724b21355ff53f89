# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the trained networks as a checkpoint folder: `python -m training.export --scratch DIR [--out DIR]`.

fp16 safetensors, a transformers `config.json`, and `surface_features.json` with what this project's loader needs. The
colours of *Show Features* are the principal directions of the trained anchors, so they mean the same on every mesh.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from surface_features.backbones.checkpoint import MODELS
from surface_features.backbones.surface_context import SURFACE_WEIGHTS
from surface_features.embedding.store import OWN
from surface_features.features import principal_colours

from .averaging import average, read_network
from .render_shards import CELL_SHIFT, CLOSE_UP_ZOOM, DETAIL_ZOOM, IMAGE_SIZE, LAYERS
from .surface_examples import SurfaceRecipe
from .train_backbone import Recipe, build_model


def export_backbone(checkpoint: Path, folder: Path) -> None:
    """The model of the training run's `checkpoint` becomes the checkpoint folder `folder`."""
    recipe = Recipe()
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = build_model(recipe)
    model.load_state_dict(state["model"])
    folder.mkdir(parents=True, exist_ok=True)
    model.body.half().save_pretrained(folder)
    _save_half(model.head.state_dict(), folder / "head.safetensors")
    promises = {
        "format": 1,
        "pictures": "normals+depth",
        "image_size": IMAGE_SIZE,
        "upsample": recipe.upsample,
        "dim": recipe.dim,
        "cell_shift": CELL_SHIFT,
        "merged": recipe.merged,
        "close_up_zoom": CLOSE_UP_ZOOM,
        "detail_zoom": DETAIL_ZOOM,
        "layers": LAYERS,
    }
    _write_promises(folder, promises, state["anchors"])
    print(f"{folder}: backbone trained for {state['seconds'] / 60:.0f} minutes, {state['steps']} steps")


def backbone_of(scratch: Path) -> Path:
    """`scratch/backbone`, written anew where the checkpoint is: a folder alone may come from another machine."""
    checkpoint, folder = scratch / "checkpoint.pt", scratch / "backbone"
    if checkpoint.exists() or not folder.exists():
        export_backbone(checkpoint, folder)
    return folder


def add_surface_context(state: dict[str, Any], folder: Path) -> None:
    """The network over the surface of a run, or of an `average`, joins the backbone it was trained on."""
    _save_half(state["network"], folder / SURFACE_WEIGHTS)
    promises = json.loads((folder / "surface_features.json").read_text())
    shape = asdict(SurfaceRecipe().config)
    del shape["dim"]
    _write_promises(folder, promises | {"surface_context": shape}, state["anchors"])
    print(f"{folder}: surface context trained for {state['seconds'] / 60:.0f} minutes, {state['steps']} steps")


def _write_promises(folder: Path, promises: dict[str, Any], anchors: torch.Tensor) -> None:
    """`surface_features.json`, with the colours of these anchors."""
    colours = principal_colours(torch.nn.functional.normalize(anchors, dim=1).numpy())
    promises["colour_basis"] = [[round(float(value), 5) for value in row] for row in colours]
    (folder / "surface_features.json").write_text(json.dumps(promises, indent=1) + "\n")


def _save_half(tensors: dict[str, torch.Tensor], path: Path) -> None:
    save_file({name: value.half().contiguous() for name, value in tensors.items()}, path)


def _run(text: str) -> tuple[Path, float]:
    path, _, share = text.partition("=")
    return Path(path), float(share or 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the trained networks as a checkpoint folder.")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=MODELS / "bundled")
    parser.add_argument(
        "--surface", nargs="+", type=_run, metavar="RUN[=SHARE]",
        help="checkpoints and model folders that are averaged (default SCRATCH/surface.pt)",
    )  # fmt: skip
    options = parser.parse_args()
    runs: list[tuple[Path, float]] = options.surface or [(options.scratch / "surface.pt", 1.0)]
    if all(path.is_dir() for path, _ in runs):
        parser.error("one of --surface has to be a checkpoint of training.train_surface")
    state = average([read_network(path) for path, _ in runs], [share for _, share in runs])  # OUT may be one of them
    shutil.copytree(backbone_of(options.scratch), options.out, dirs_exist_ok=True)
    shutil.rmtree(options.out / OWN, ignore_errors=True)  # of another backbone now: see training.train_embedding
    add_surface_context(state, options.out)
    for file in options.out.iterdir():
        file.chmod(0o644)
    size = sum(file.stat().st_size for file in options.out.glob("*.safetensors")) / 1e6
    print(f"{options.out}: {size:.1f} MB")


if __name__ == "__main__":
    main()
