# SPDX-License-Identifier: GPL-3.0-or-later
"""A loaded backbone: the model, its device, and encoding in batches that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import BackboneError, EngineError
from ..mesh import Float32
from ..parallel import each_on, parts, torch_at_once
from ..views.render import ViewBuffers
from .checkpoint import Checkpoint, fingerprint, read_checkpoint
from .dense import DenseHead, DenseModel
from .precision import fast_numbers, has_fast_bfloat16
from .surface_context import SURFACE_WEIGHTS, SurfaceContext, SurfaceContextConfig

FEW_TOKENS = 512  # so many attend to each other fastest by plain matrix products, where a CPU has units for them
BYTES_PER_TOKEN = 64 * 1024  # activations of one token through one small transformer block, measured generously


def choose_device(wanted: str) -> torch.device:
    """auto → CUDA, then MPS, then CPU. Raises `EngineError` where the wanted one is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name]))
    if not there.get(wanted, False):
        raise EngineError(f"The engine has no {wanted.upper()} device: choose another device in the preferences.")
    return torch.device(wanted)


class Backbone:
    """Pictures in, unit features out.

    checkpoint: what the folder promises. fingerprint: hash for the cache key. device: where it runs now.
    surface_context: the network that corrects lifted features, where the checkpoint brings one.
    """

    def __init__(self, name: str, device: str) -> None:
        self.name = name
        self.checkpoint = read_checkpoint(name)
        self.fingerprint = fingerprint(name)
        self.device = choose_device(device)
        self._model = _load_model(self.checkpoint).to(self.device).eval()
        if self.device.type == "cpu" and has_fast_bfloat16(self.device) and self._tokens <= FEW_TOKENS:
            self._model.body.set_attn_implementation("eager")
        self.surface_context = _load_surface_context(self.checkpoint)
        if self.surface_context is not None:
            self.surface_context.to(self.device).eval()

    def pictures(self, views: ViewBuffers) -> Float32:
        """(N, C, S, S) float32, the pictures this backbone wants of these views."""
        if self.checkpoint.pictures == "normals+depth":
            pictures = np.empty((len(views.depth), 4, *views.depth.shape[1:]), np.float32)
            pictures[:, :3] = views.normals.transpose(0, 3, 1, 2)
            pictures[:, 3] = views.depth
            return pictures
        mean, std = (np.array(numbers, np.float32) for numbers in (self.checkpoint.mean, self.checkpoint.std))
        return np.ascontiguousarray(((shade(views) - mean) / std).transpose(0, 3, 1, 2), np.float32)

    def encode(self, pictures: Float32, warn: Callable[[str], None], report: Callable[[float], None]) -> Float32:
        """(N, C, S, S) → (N, G, G, D) float32 unit vectors.

        Starts with as many pictures at once as memory allows; out of memory it halves the batch, then moves to the
        CPU, and says so through `warn`. `report` hears the share done.
        """
        cells: list[Float32] = []
        done, batch = 0, self._batch_size()
        order = self._model.by_tokens(torch.from_numpy(pictures)).numpy()[::-1]  # what takes longest first
        while done < len(pictures):
            left = order[done:]
            batches = [left[rows] for rows in parts(len(left), batch)]
            try:
                for found in each_on(self.device.type, lambda rows: self._forward(pictures[rows]), batches):
                    cells.append(found)
                    done += len(found)
                    report(done / len(pictures))
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                batch = self._shrink(min(batch, len(pictures) - done), warn)
        return np.concatenate(cells)[order.argsort()]

    @torch.inference_mode()
    def _forward(self, pictures: Float32) -> Float32:
        pixels = torch.from_numpy(pictures).to(self.device)
        with fast_numbers(self.device):
            cells = self._model(pixels)
        return cells.permute(0, 2, 3, 1).float().cpu().numpy()

    @property
    def _tokens(self) -> int:
        return (self.checkpoint.image_size // self.checkpoint.patch_size) ** 2

    def _batch_size(self) -> int:
        free = torch.cuda.mem_get_info(self.device)[0] if self.device.type == "cuda" else 2 << 30
        at_once = torch_at_once() if self.device.type == "cpu" else 1
        # A core gains nothing from more, and the user sees the progress move.
        most = 4 if self.device.type == "cpu" else 64
        return int(np.clip(free // 4 // at_once // (self._tokens * BYTES_PER_TOKEN), 1, most))

    def _shrink(self, batch: int, warn: Callable[[str], None]) -> int:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if batch > 1:
            warn(f"Out of memory with {batch} pictures at once: going on with {batch // 2}.")
            return batch // 2
        if self.device.type == "cpu":
            raise EngineError("Not enough memory for one picture: choose a smaller backbone or close other programs.")
        warn(f"Out of memory on {self.device.type.upper()}: going on with the CPU.")
        self.device = torch.device("cpu")
        self._model.to(self.device)
        if self.surface_context is not None:
            self.surface_context.to(self.device)
        return self._batch_size()


def shade(views: ViewBuffers) -> Float32:
    """(N, S, S, 3) float32 0…1: clay lit from the camera and from above, on black."""
    light = np.array([0.25, 0.5, 0.83], np.float32)
    lit = 0.25 + 0.75 * np.clip(views.normals @ light, 0, 1)
    return np.repeat((lit * (views.face_ids >= 0))[..., None], 3, axis=-1).astype(np.float32)


@lru_cache(maxsize=2)
def _load_named(name: str, device: str, content: str) -> Backbone:
    return Backbone(name, device)


def load_cached(name: str, device: str) -> Backbone:
    """The same backbone again as long as its files have not changed."""
    return _load_named(name, device, fingerprint(name))


def _load_model(checkpoint: Checkpoint) -> DenseModel:
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with _told_in_one_sentence(checkpoint):
        body: Any = transformers.AutoModel.from_pretrained(checkpoint.folder, local_files_only=True)
        head = None
        if checkpoint.dim:
            head = DenseHead(body.config.hidden_size, checkpoint.dim, checkpoint.upsample)
            head.load_state_dict(_read_tensors(checkpoint.folder / "head.safetensors"))
        return DenseModel(body.float(), head, checkpoint.patch_size, checkpoint.merged)


def _load_surface_context(checkpoint: Checkpoint) -> SurfaceContext | None:
    if checkpoint.surface_context is None:
        return None
    with _told_in_one_sentence(checkpoint):
        network = SurfaceContext(SurfaceContextConfig(checkpoint.dim, **checkpoint.surface_context))
        network.load_state_dict(_read_tensors(checkpoint.folder / SURFACE_WEIGHTS))
        return network


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return {name: tensor.float() for name, tensor in load_file(path).items()}


@contextmanager
def _told_in_one_sentence(checkpoint: Checkpoint) -> Iterator[None]:
    """Whatever is wrong with a checkpoint's files becomes one `BackboneError`."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BackboneError(f"Backbone {checkpoint.folder} cannot be loaded: {reason}") from error


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text
