# SPDX-License-Identifier: GPL-3.0-or-later
"""Textures from one surface to another: every texel finds its point of the source and takes its colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..correspondence import Correspondence
from ..errors import BadInputError
from ..geometry.laplacian import inpaint
from ..geometry.uv_raster import Texels, rasterise
from ..mesh import Float32, Int32, TriangleMesh
from ..preflight import preflight
from ..progress import JobContext
from ..settings import TextureSettings
from .normal_maps import FLAT, carry_tangents, face_tangents, reexpress
from .padding import nearest_covered
from .sampling import FIRST_UDIM, Picture
from .surface_map import SurfaceMap, SurfacePoints

BLEND = 0.3  # of the least confidence: over this range above and below it, filled colours give way to found ones
MOST_TILES = 100


@dataclass(frozen=True, eq=False)
class Fill:
    """What one material slot gives to a layer: a picture read through UV map number `uv`, or a constant."""

    constant: tuple[float, ...]
    picture: Picture | None = None
    uv: int = 0


@dataclass(frozen=True, eq=False)
class Layer:
    """One image to be made, such as the base colour.

    kind: normals are turned into the target's tangent space. fills: one for each material slot of the source.
    """

    name: str
    kind: Literal["colour", "normal"]
    channels: int
    fills: tuple[Fill, ...]

    @property
    def is_float(self) -> bool:
        """Whether any of its pictures has more than 8 bits; the result then has too."""
        pictures = [fill.picture for fill in self.fills if fill.picture is not None]
        return any(tile.dtype != np.uint8 for picture in pictures for tile in picture.tiles.values())


@dataclass(frozen=True, eq=False)
class Textured:
    """A source with UV maps and material slots.

    corner_uvs: UV maps, each (F, 3, 2) float32. slots: (F,) int32 material slot of every face.
    """

    mesh: TriangleMesh
    corner_uvs: tuple[Float32, ...]
    slots: Int32
    layers: tuple[Layer, ...]


@dataclass(frozen=True, eq=False)
class TextureResult:
    """New images by layer name and UDIM number, (S, S, C) uint8 or float32, row 0 at the bottom.

    confidence: (S, S) uint8 by UDIM number, 0 where no surface is. overlap: share of the UV map's area that lies on
    other parts of it. sure: share of the surface's texels that were found and not filled in.
    """

    images: dict[str, dict[int, NDArray[Any]]]
    confidence: dict[int, NDArray[np.uint8]]
    overlap: float
    sure: float


def transfer_texture(
    source: Textured,
    target: TriangleMesh,
    target_uv: Float32,
    onto_source: Correspondence,
    settings: TextureSettings | None = None,
    context: JobContext | None = None,
) -> TextureResult:
    """Images of the source on the target's UV map.

    target_uv: (U, 3, 2) float32 corners of the target's first U faces; others are not painted (a mirrored half shares
    its original's texels). onto_source: for every target vertex a point of the source. Texels matched with less
    confidence than `settings.min_confidence` take what an interpolation over the target's surface of the sure vertices'
    colours gives; around the islands `settings.margin` texels continue them. Raises `BadInputError` with fault
    "no_uv_area" or "bad_correspondence".
    """
    settings, context = settings or TextureSettings(), context or JobContext()
    _check(source, target, onto_source)
    tiles = _tiles(target, target_uv)
    baker = _Baker(source, target, target_uv, onto_source, settings)
    images: dict[str, dict[int, NDArray[Any]]] = {layer.name: {} for layer in source.layers}
    confidence: dict[int, NDArray[np.uint8]] = {}
    for index, (number, (faces, corner_uv)) in enumerate(tiles.items()):
        part = context.span(index / len(tiles), (index + 1) / len(tiles))
        made, confidence[number] = baker.bake(faces, corner_uv, part)
        for name, image in made.items():
            images[name][number] = image
    return TextureResult(images, confidence, 1 - baker.covered / max(baker.drawn, 1), baker.sure / max(baker.drawn, 1))


def _check(source: Textured, target: TriangleMesh, onto_source: Correspondence) -> None:
    face = onto_source.face
    if len(face) != len(target.vertices) or (len(face) and not 0 <= face.min() <= face.max() < len(source.mesh.faces)):
        raise BadInputError(
            f"{target.name}: its correspondence does not belong to {source.mesh.name}. Match them again.",
            fault="bad_correspondence",
        )


def _tiles(target: TriangleMesh, target_uv: Float32) -> dict[int, tuple[Int32, Float32]]:
    """Faces, and their corners within the tile, for every UDIM tile; faces outside all tiles are wrapped into 1001."""
    uv = np.asarray(target_uv, np.float64)
    usable = np.isfinite(uv).all(axis=(1, 2))
    sides = uv[:, 1:] - uv[:, :1]
    usable &= (sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]) != 0
    if not usable.any():
        raise BadInputError(
            f"{target.name}: its UV map has no area. Unwrap it (UV ▸ Smart UV Project) and run again.",
            fault="no_uv_area",
        )
    corner = np.floor(np.nan_to_num(uv).mean(axis=1)).astype(np.int64)
    inside = (corner[:, 0] >= 0) & (corner[:, 0] < 10) & (corner[:, 1] >= 0) & (corner[:, 1] < MOST_TILES // 10)
    number = np.where(inside, FIRST_UDIM + corner[:, 0] + 10 * corner[:, 1], FIRST_UDIM)
    if not inside[usable].all():
        number[:] = FIRST_UDIM
    tiles = {}
    for tile in np.unique(number[usable]):
        faces = np.flatnonzero(usable & (number == tile)).astype(np.int32)
        tiles[int(tile)] = faces, (uv[faces] - corner[faces, None]).astype(np.float32)
    return tiles


class _Baker:
    """Everything that the tiles of one target share."""

    def __init__(
        self,
        source: Textured,
        target: TriangleMesh,
        target_uv: Float32,
        onto_source: Correspondence,
        settings: TextureSettings,
    ) -> None:
        self._settings = settings
        self._source = source
        self._map = SurfaceMap(source.mesh, target, onto_source)
        self._target = target
        self._layers = [_at_resolution(layer, source, target, target_uv, settings.size) for layer in source.layers]
        self._filled = [self._fill_vertices(layer, onto_source) for layer in self._layers]
        self._carried = None
        if any(layer.kind == "normal" for layer in self._layers):
            faces = len(target_uv)
            self._carried = carry_tangents(target.corners[:faces], target_uv, self._map.matched_corners[:faces])
            self._source_frames = [face_tangents(source.mesh.corners, uv) for uv in source.corner_uvs]
        self.drawn = self.covered = self.sure = 0

    def bake(
        self, faces: Int32, corner_uv: Float32, context: JobContext
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.uint8]]:
        """The layers' images of one tile, and its confidence map."""
        size = self._settings.size
        images = [
            np.zeros((size * size, layer.channels), np.float32 if layer.is_float else np.uint8)
            for layer in self._layers
        ]
        confidence = np.zeros(size * size, np.uint8)
        expected = float(_uv_area(corner_uv)) * size * size
        done = 0
        for texels in rasterise(corner_uv, size):
            context.report(0.9 * min(done / max(expected, 1), 1), f"{self._target.name}: painting")
            done += len(texels.place)
            texels = Texels(texels.place, faces[texels.face], texels.bary)
            points = self._map.at(texels.face, texels.bary)
            confidence[texels.place] = 1 + np.rint(points.confidence * 254).astype(np.uint8)
            weight = self._trust(points.confidence)
            self.sure += int((weight > 0.5).sum())
            for layer, filled, image in zip(self._layers, self._filled, images, strict=True):
                image[texels.place] = _encode(self._colours(layer, filled, texels, points, weight), image.dtype)
        self.drawn += done
        covered = confidence > 0
        self.covered += int(covered.sum())
        context.report(0.9, f"{self._target.name}: padding seams")
        place, origin = nearest_covered(covered.reshape(size, size), self._settings.margin)
        for layer, image in zip(self._layers, images, strict=True):
            background = FLAT if layer.kind == "normal" else image[covered].mean(axis=0) if covered.any() else 0
            scale = 255 if layer.kind == "normal" and image.dtype == np.uint8 else 1
            image[~covered] = np.asarray(background) * scale
            image[place] = image[origin]
        named = {layer.name: image.reshape(size, size, -1) for layer, image in zip(self._layers, images, strict=True)}
        return named, confidence.reshape(size, size)

    def _colours(
        self, layer: Layer, filled: Float32 | None, texels: Texels, points: SurfacePoints, weight: Float32
    ) -> Float32:
        """(T, C) of one layer."""
        result = np.empty((len(texels.place), layer.channels), np.float32)
        for fill, rows, colours in _read(layer, self._source, points.face, points.bary):
            if layer.kind == "normal" and self._carried is not None and fill.picture is not None:
                frame = self._source_frames[fill.uv]
                colours = reexpress(colours, points.face[rows], frame, texels.face[rows], self._carried)
            result[rows] = colours
        if filled is not None:
            unsure = np.flatnonzero(weight < 1)
            corner = self._target.faces[texels.face[unsure]]
            around = np.einsum("tc,tcd->td", texels.bary[unsure], filled[corner])
            share = weight[unsure, None]
            result[unsure] = result[unsure] * share + around * (1 - share)
        return result

    def _trust(self, confidence: Float32) -> Float32:
        """How much of a found colour is taken: 0 well below the least confidence, 1 well above it."""
        least = self._settings.min_confidence
        if least <= 0:
            return np.ones_like(confidence)
        return np.clip((confidence / least - (1 - BLEND)) / (2 * BLEND), 0, 1)

    def _fill_vertices(self, layer: Layer, match: Correspondence) -> Float32 | None:
        """(V, C) colours of the target's vertices, the unsure ones filled in along its surface."""
        if self._settings.min_confidence <= 0:
            return None
        if layer.kind == "normal":
            return np.tile(np.asarray(FLAT, np.float32), (len(self._target.vertices), 1))
        colours = np.empty((len(self._target.vertices), layer.channels), np.float32)
        for _, rows, read in _read(layer, self._source, match.face, match.bary):
            colours[rows] = read
        known = match.confidence >= self._settings.min_confidence
        if known.all() or not known.any():
            return colours
        checked = preflight(self._target)
        proxy_known = known[checked.artist_vertex]
        if not proxy_known.any():
            return colours
        smooth = inpaint(checked.proxy, colours[checked.artist_vertex], proxy_known)
        low, high = colours[known].min(axis=0), colours[known].max(axis=0)
        return np.clip(smooth, low, high)[checked.proxy_vertex]


def _read(
    layer: Layer, source: Textured, face: Int32, bary: Float32
) -> Iterator[tuple[Fill, NDArray[np.int64], Float32]]:
    """What the layer shows at points of the source: for each material slot its fill, the rows, and (R, C) colours."""
    slots = np.clip(source.slots, 0, len(layer.fills) - 1)[face]
    for slot in np.unique(slots):
        rows = np.flatnonzero(slots == slot)
        fill = layer.fills[slot]
        if fill.picture is None:
            yield fill, rows, np.tile(np.float32(fill.constant), (len(rows), 1))
            continue
        corners = source.corner_uvs[fill.uv][face[rows]]
        uv = np.einsum("nc,ncd->nd", bary[rows], corners)
        yield fill, rows, fill.picture.sample(uv)


def _at_resolution(layer: Layer, source: Textured, target: TriangleMesh, target_uv: Float32, size: int) -> Layer:
    """The layer with pictures no more than twice as fine as the new image, which would else miss pixels of them."""
    there = size * size * _uv_area(target_uv) / max(_area(target, len(target_uv)), 1e-30) * _area(target)
    fills = []
    for fill in layer.fills:
        if fill.picture is not None:
            here = fill.picture.texels * _uv_area(source.corner_uvs[fill.uv])
            halvings = int(np.floor(np.log2(max(here / max(there, 1e-30), 1.0)) / 2))
            fill = Fill(fill.constant, fill.picture.reduced(halvings) if halvings else fill.picture, fill.uv)
        fills.append(fill)
    return Layer(layer.name, layer.kind, layer.channels, tuple(fills))


def _area(mesh: TriangleMesh, faces: int | None = None) -> float:
    return float(np.nan_to_num(mesh.face_areas[:faces]).sum(dtype=np.float64))


def _uv_area(corner_uv: Float32) -> float:
    sides = np.nan_to_num(np.asarray(corner_uv[:, 1:] - corner_uv[:, :1], np.float64))
    return float(np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]).sum() / 2)


def _encode(colours: Float32, dtype: Any) -> NDArray[Any]:
    if dtype == np.uint8:
        return np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)
    return colours


def all_channels(layers: Sequence[Layer]) -> int:
    """Bytes per texel of the layers' images."""
    return sum(layer.channels * (4 if layer.is_float else 1) for layer in layers)
