# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network over the surface is trained on: lifted characters, changed at random as they are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from surface_features.backbones.surface_context import SurfaceContextConfig

AS_GOOD_AS_ONE = 0.9995  # cosine of what is stored in half precision


@dataclass(frozen=True)
class SurfaceRecipe:
    """Everything that decides the result besides data, seed and time."""

    config: SurfaceContextConfig = field(
        default_factory=lambda: SurfaceContextConfig(dim=64, layers=8, detail_landmarks=256, levels=4)
    )
    batch: int = 8
    points: int = 768
    temperature: float = 1 / 22
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: float = 0.03
    corrupted: float = 0.5
    smeared: float = 0.3
    keep_weight: float = 10.0
    middle_weight: float = 2.0
    middle_reach: float = 0.03  # of √area: how far from the middle a side is only just certain
    middle_share: float = 0.4  # of a feature's length that says how far on which side


@dataclass(frozen=True, eq=False)
class Example:
    """One character as the network sees it: what `SurfaceContext` takes, without the batch axis, and labels."""

    landmarks: tuple[torch.Tensor, ...]
    distances: torch.Tensor
    points: tuple[torch.Tensor, ...]
    nearest: torch.Tensor
    labels: torch.Tensor


class Characters:
    """The files of `training.lift_characters`, every 16th held out; read when needed, on a GPU once and for all."""

    HELD_OUT = 16

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        files = sorted(folder.glob("[a-z]*.npz"))
        self.held_out = files[:: self.HELD_OUT]
        self.training = [file for file in files if file not in set(self.held_out)]
        self.device = torch.device(device)
        self._read: dict[Path, dict[str, torch.Tensor]] = {}
        if self.device.type != "cpu":
            with ThreadPoolExecutor() as readers:
                self._read = dict(zip(files, readers.map(self._load, files), strict=True))

    def _load(self, file: Path) -> dict[str, torch.Tensor]:
        with np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        known = np.flatnonzero(arrays["labels"] >= 0)
        arrays["known"] = known if len(known) else np.arange(len(arrays["labels"]))  # an object has none
        evenly = {"evenly": torch.from_numpy(arrays.pop("evenly"))}  # needed by the CPU
        return evenly | {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}

    def draw_often(self, often: Mapping[str, int]) -> None:
        """Characters of the kinds `often` names are drawn so many times as often."""
        self.training = [file for file in self.training for _ in range(often.get(file.stem.rpartition("_")[0], 1))]

    def batch(self, recipe: SurfaceRecipe, rng: np.random.Generator) -> list[Example]:
        """Any of the training characters, changed at random."""
        files = rng.choice(np.array(self.training), recipe.batch)
        return [self.draw(file, recipe, rng, augment=True) for file in files]

    def draw(self, file: Path, recipe: SurfaceRecipe, rng: np.random.Generator, *, augment: bool) -> Example:
        whole = self._read.get(file) or self._load(file)
        features = whole["features"].float()
        if augment and rng.uniform() < recipe.corrupted:
            features = _swap_sides(features, whole, rng)
        if augment and bool((whole["labels"] >= 0).any()) and rng.uniform() < recipe.smeared:
            for _ in range(rng.integers(1, 4)):
                features = _smear(features, whole, recipe.config.levels, rng)
            features = _settle(features, whole["features"].float(), recipe.config.levels)
        positions, normals = whole["positions"].float(), whole["normals"].float()
        if augment:
            positions, normals = _turn(positions, normals, rng)
        described = (features, whole["confidence"].float(), positions, normals)
        landmarks = self._choose_landmarks(whole, recipe.config, rng, augment=augment)
        known = whole["known"]
        drawn = rng.choice(len(known), recipe.points, replace=len(known) < recipe.points)
        return _show(whole, described, landmarks, known[torch.from_numpy(drawn).to(self.device)])

    def draw_landmarks(self, file: Path, config: SurfaceContextConfig) -> tuple[Example, torch.Tensor]:
        """All L landmarks of a character as the points, and (E, L) how far the evenly spread ones lie from all.

        Distances are over √area; evenly spread ones come first, the farthest before the others.
        """
        whole = self._read.get(file) or self._load(file)
        described = tuple(whole[name].float() for name in ("features", "confidence", "positions", "normals"))
        landmarks = self._choose_landmarks(whole, config, np.random.default_rng(0), augment=False)
        every = torch.arange(len(whole["distances"]), device=self.device)
        return _show(whole, described, landmarks, every), whole["distances"][: int(whole["evenly"])].float()

    def _choose_landmarks(
        self, whole: dict[str, torch.Tensor], config: SurfaceContextConfig, rng: np.random.Generator, *, augment: bool
    ) -> torch.Tensor:
        """int64 of those that the network sees: evenly spread ones, then those on details."""
        count, evenly = len(whole["distances"]), int(whole["evenly"])
        even, finer = np.arange(evenly), np.arange(evenly, count)
        chosen = np.append(
            _choose(even, config.landmarks, rng, augment=augment),
            _choose(finer if len(finer) else even, config.detail_landmarks, rng, augment=augment),
        )
        return torch.from_numpy(chosen).to(self.device)


def _show(
    whole: dict[str, torch.Tensor], described: tuple[torch.Tensor, ...], landmarks: torch.Tensor, rows: torch.Tensor
) -> Example:
    """Some landmarks and points of a character. described: features, confidence, positions and normals of all."""
    distances = whole["distances"][:, landmarks].float()
    return Example(
        tuple(part[landmarks] for part in described),
        distances[landmarks],
        tuple(part[rows] for part in described),
        distances[whole["nearest"].long()[rows]].argmin(dim=1),
        whole["labels"][rows].long(),
    )


def _choose(landmarks: np.ndarray, wanted: int, rng: np.random.Generator, *, augment: bool) -> np.ndarray:
    """(wanted,) of landmarks that come farthest first, with repeats where there are fewer."""
    least = min(wanted, len(landmarks))
    among = rng.permutation(landmarks[: int(rng.integers(least, len(landmarks) + 1)) if augment else least])
    return among[:wanted] if len(among) >= wanted else np.resize(among, wanted)


def _swap_sides(features: torch.Tensor, whole: dict[str, torch.Tensor], rng: np.random.Generator) -> torch.Tensor:
    """A region's features blended with those of its twin."""
    centre = rng.integers(len(whole["distances"]))
    region = (whole["distances"][centre][whole["nearest"].long()] < rng.uniform(0.05, 0.4))[:, None]
    share = rng.uniform(0.3, 1.0)
    mixed = (1 - share) * features + share * features[whole["twins"].long()]
    return torch.where(region, nn.functional.normalize(mixed, dim=1, eps=1e-6), features)


def _smear(
    features: torch.Tensor, whole: dict[str, torch.Tensor], levels: int, rng: np.random.Generator
) -> torch.Tensor:
    """A region's features blended with those of another region, as if it looked like that; of some looks only."""
    apart, nearest = whole["distances"], whole["nearest"].long()
    centre = int(rng.integers(len(apart)))
    around = torch.nonzero(apart[centre] < rng.uniform(0.1, 0.8))[:, 0]
    other = int(around[int(rng.integers(len(around)))])
    places = whole["positions"][: len(apart)].float()
    alike = torch.cdist(places + (places[other] - places[centre]), places).argmin(dim=1)[nearest]
    region = (apart[centre][nearest] < rng.uniform(0.05, 0.4))[:, None]
    looks = torch.from_numpy(rng.uniform(size=levels) < 0.7).to(features.device)
    told = region & looks.repeat_interleave(features.shape[1] // levels)
    share = rng.uniform(0.3, 1.0)
    mixed = (1 - share) * features + share * features[alike]
    return nn.functional.normalize(torch.where(told, mixed, features), dim=1, eps=1e-6)


def _settle(features: torch.Tensor, before: torch.Tensor, levels: int) -> torch.Tensor:
    """The last look anew where it was but the mean of the others `before`, as where nothing is covered."""
    looks, known = features.unflatten(1, (levels, -1)), before.unflatten(1, (levels, -1))
    means = [nn.functional.normalize(each[:, :-1].sum(dim=1), dim=1, eps=1e-6) for each in (looks, known)]
    plain = nn.functional.cosine_similarity(known[:, -1], means[1], dim=1) > AS_GOOD_AS_ONE
    last = torch.where(plain[:, None], means[0] / levels**0.5, looks[:, -1])
    return torch.cat([looks[:, :-1].flatten(1), last], dim=1)


def _turn(
    positions: torch.Tensor, normals: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """About the up axis by any angle, tilted a little; scaled and centred anew, with some slack."""
    yaw, (tilt_x, tilt_y) = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.08, 2)
    c, s = np.cos(yaw), np.sin(yaw)
    matrix = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ _about_x(tilt_x) @ _about_y(tilt_y)
    turn = torch.from_numpy(matrix.T.astype(np.float32)).to(positions.device)
    positions, normals = positions @ turn, normals @ turn
    low, high = positions.amin(dim=0), positions.amax(dim=0)
    half = (high - low).amax() / 2 * rng.uniform(0.95, 1.1)
    return (positions - (low + high) / 2) / half, normals


def _about_x(angle: float) -> np.ndarray:
    return np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])


def _about_y(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
