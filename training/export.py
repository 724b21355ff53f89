# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the trained backbone as a checkpoint folder: `python -m training.export --scratch DIR [--out DIR]`.

fp16 safetensors, a transformers `config.json`, and `surface_features.json` with what this project's loader needs. The
colours of *Show Features* are the principal directions of the trained anchors, so they mean the same on every mesh.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from surface_features.backbones.checkpoint import MODELS
from surface_features.features import principal_colours

from .render_shards import GRID, IMAGE_SIZE
from .train_backbone import Recipe, build_model


def export(checkpoint: Path, folder: Path) -> None:
    """The model of the training run's `checkpoint` becomes the checkpoint folder `folder`."""
    recipe = Recipe()
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = build_model(recipe)
    model.load_state_dict(state["model"])
    folder.mkdir(parents=True, exist_ok=True)
    model.body.half().save_pretrained(folder)
    head = {name: value.half().contiguous() for name, value in model.head.state_dict().items()}
    save_file(head, folder / "head.safetensors")
    anchors = torch.nn.functional.normalize(state["anchors"], dim=1).numpy()
    step = IMAGE_SIZE // GRID
    own = {
        "format": 1,
        "pictures": "normals+depth",
        "image_size": IMAGE_SIZE,
        "upsample": recipe.upsample,
        "dim": recipe.dim,
        "cell_shift": (step // 2 + 0.5) / step - 0.5,
        "colour_basis": principal_colours(anchors).round(5).tolist(),
    }
    (folder / "surface_features.json").write_text(json.dumps(own, indent=1) + "\n")
    size = sum(f.stat().st_size for f in folder.glob("*.safetensors")) / 1e6
    print(f"{folder}: {size:.1f} MB, trained for {state['seconds'] / 60:.0f} minutes, {state['steps']} steps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=MODELS / "bundled")
    options = parser.parse_args()
    export(options.scratch / "checkpoint.pt", options.out)


if __name__ == "__main__":
    main()
