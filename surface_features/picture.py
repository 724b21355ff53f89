# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of a subject, and features of its pixels by the backbone that looks at meshes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError
from .geometry.vectors import unit_rows
from .mesh import Float32
from .progress import JobContext

if TYPE_CHECKING:
    from .backbones.backbone import Backbone

PLAIN = 0.06  # spread of the colours along the border that still counts as one background
APART = 0.12  # a pixel whose colour is further than this from the background's belongs to the subject
LEAST_SUBJECT = 0.005  # of the picture
MARGIN = 1.05  # as the cameras around a mesh leave it, see `views.cameras.place_cameras`
FINER = 4  # pixels of the feature picture along each of the backbone's cells
SHIFTS = (-0.25, 0.25)  # of a cell: the picture is looked at in several places and the answers averaged


@dataclass(frozen=True, eq=False)
class SubjectPicture:
    """What a user gives.

    colours: (H, W, 4) float32 0…1, row 0 at the top; alpha below 0.5, or a plain background, is not the subject.
    geometry: (H, W, 4) float32 of the same view, or None: camera-space normals (x right, y up, z towards the camera) as
    (n + 1) / 2, and depth, 0 on the background, else larger when nearer; 1 is the picture's width.
    """

    colours: Float32
    geometry: Float32 | None = None
    name: str = "Picture"


@dataclass(frozen=True, eq=False)
class PixelFeatures:
    """Features of the subject's pixels.

    values: (P, D) float32 unit rows. places: (P, 2) float32 x to the right and y downwards, 0…1 over the picture.
    """

    values: Float32
    places: Float32


def find_subject(picture: SubjectPicture) -> NDArray[np.bool_]:
    """(H, W) which pixels show the subject: by the depth, the alpha, or a plain background.

    Raises `BadInputError` with fault "no_plain_background" or "no_subject".
    """
    from scipy import ndimage

    colours = picture.colours
    if picture.geometry is not None:
        mask = picture.geometry[..., 3] > 0
    elif (colours[..., 3] < 0.5).any():
        mask = colours[..., 3] >= 0.5
    else:
        border = np.concatenate([colours[0, :, :3], colours[-1, :, :3], colours[:, 0, :3], colours[:, -1, :3]])
        background = np.median(border, axis=0)
        off = np.linalg.norm(border - background, axis=1)
        if np.percentile(off, 80) > PLAIN:
            raise BadInputError(
                f"{picture.name}: its background is not plain, so the subject cannot be told from it. "
                "Cut the subject out (alpha) and run again.",
                fault="no_plain_background",
            )
        mask = np.linalg.norm(colours[..., :3] - background, axis=2) > APART
        labels, count = ndimage.label(ndimage.binary_opening(mask))
        if count > 1:
            mask = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
        mask = ndimage.binary_fill_holes(mask)
    if mask.mean() < LEAST_SUBJECT:
        raise BadInputError(
            f"{picture.name}: no subject is to be seen in it. Give a picture of one whole subject before a plain "
            "background, and run again.",
            fault="no_subject",
        )
    return mask


def picture_features(picture: SubjectPicture, backbone: Backbone, context: JobContext) -> PixelFeatures:
    """Features of the subject's pixels, comparable with `features.compute_view_features` of the same backbone.

    The subject is brought to the size that meshes have in their views. Raises `BadInputError` with fault
    "needs_rgb_backbone" where the backbone reads normals and depth and the picture has none, and as `find_subject`.
    """
    wants_geometry = backbone.checkpoint.pictures == "normals+depth"
    if wants_geometry and picture.geometry is None:
        raise BadInputError(
            f"{picture.name}: the backbone “{backbone.name}” reads normals and depth, not colours. Choose a DINOv2 or "
            "DINOv3 folder in the preferences, or give the picture's normals and depth too.",
            fault="needs_rgb_backbone",
        )
    mask = find_subject(picture)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    centre = np.array([(columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2])
    half = max(len(np.arange(rows[0], rows[-1] + 1)), columns[-1] + 1 - columns[0]) / 2 * MARGIN
    checkpoint = backbone.checkpoint
    cell = 2 * half / checkpoint.grid
    count = checkpoint.grid * FINER
    fine = (np.arange(count) + 0.5) / count * 2 - 1
    x, y = np.meshgrid(centre[0] + fine * half, centre[1] + fine * half)
    inside = _nearest(mask[..., None], x, y)[..., 0] > 0
    total = np.zeros((int(inside.sum()), 0), np.float32)
    for index, (right, down) in enumerate((a, b) for a in SHIFTS for b in SHIFTS):
        middle = centre + np.array([right, down]) * cell
        seen = _channels(picture, mask, middle, half, checkpoint.image_size, backbone)
        cells = backbone.encode(seen[None], context.warn, lambda share: None)[0]
        step = np.array([x[inside] - middle[0], y[inside] - middle[1]]) / half
        found = _bilinear(cells, (step + 1) / 2 * checkpoint.grid - 0.5 - checkpoint.cell_shift)
        total = found if index == 0 else total + found
        context.report((index + 1) / len(SHIFTS) ** 2, f"Looking at {picture.name}")
    places = np.stack([x[inside] / mask.shape[1], y[inside] / mask.shape[0]], axis=1)
    return PixelFeatures(unit_rows(total).astype(np.float32), places.astype(np.float32))


def _channels(
    picture: SubjectPicture, mask: NDArray[np.bool_], centre: NDArray, half: float, size: int, backbone: Backbone
) -> Float32:
    """(C, size, size) what the backbone is shown: the subject on an empty background."""
    step = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(centre[0] + step * half, centre[1] + step * half)
    subject = _nearest(mask[..., None], x, y)
    if picture.geometry is not None and backbone.checkpoint.pictures == "normals+depth":
        read = _nearest(picture.geometry, x, y)
        normals = (read[..., :3] * 2 - 1) * subject
        depth = picture.geometry[..., 3]
        middle = (depth[mask].min() + depth[mask].max()) / 2
        scale = mask.shape[1] / (2 * half)  # depth is in widths of the picture, the backbone's in widths of its view
        own = np.clip(0.5 + (read[..., 3:] - middle) * scale, 0.01, 1) * subject
        return np.ascontiguousarray(np.concatenate([normals, own], axis=2).transpose(2, 0, 1), np.float32)
    mean, std = (np.array(values, np.float32) for values in (backbone.checkpoint.mean, backbone.checkpoint.std))
    shown = _averaged(picture.colours[..., :3] * mask[..., None], x, y, 2 * half / size)
    return np.ascontiguousarray(((shown - mean) / std).transpose(2, 0, 1), np.float32)


def _nearest(image: NDArray, x: NDArray, y: NDArray) -> NDArray:
    """Pixels of (H, W, C) at pixel coordinates, 0 outside."""
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (column >= 0) & (row >= 0) & (column < image.shape[1]) & (row < image.shape[0])
    read = image[np.clip(row, 0, image.shape[0] - 1), np.clip(column, 0, image.shape[1] - 1)]
    return read * inside[..., None]


def _averaged(image: NDArray, x: NDArray, y: NDArray, pixels: float) -> NDArray:
    """As `_nearest`, over the mean of the pixels that one sample stands for."""
    from scipy import ndimage

    reach = round(pixels)
    return _nearest(ndimage.uniform_filter(image, (reach, reach, 0)) if reach > 1 else image, x, y)


def _bilinear(cells: Float32, place: NDArray) -> Float32:
    """(P, D) of (G, G, D) cells at (2, P) column and row."""
    grid = len(cells)
    column, row = np.clip(place, 0, grid - 1)
    left, top = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    right, bottom = np.minimum(left + 1, grid - 1), np.minimum(top + 1, grid - 1)
    u, v = (column - left)[:, None], (row - top)[:, None]
    upper = cells[top, left] * (1 - u) + cells[top, right] * u
    lower = cells[bottom, left] * (1 - u) + cells[bottom, right] * u
    return (upper * (1 - v) + lower * v).astype(np.float32)
