# SPDX-License-Identifier: GPL-3.0-or-later
"""From how far a backbone looks at a mesh: at all of it, at quarters of that, and at details."""

from __future__ import annotations

from dataclasses import dataclass

from ..mesh import TriangleMesh
from .cameras import Cameras, close_ups, place_cameras
from .details import Spot, detail_views, find_spots
from .render import Raycaster


@dataclass(frozen=True, eq=False)
class Looks:
    """cameras: one set per distance, from afar to near. spots: what the last look shows, if it shows details only.

    close_up_zoom: of the second look, see `place_looks`.
    """

    cameras: list[Cameras]
    spots: list[Spot]
    close_up_zoom: float

    @property
    def count(self) -> int:
        """Pictures in all."""
        return sum(len(cameras) for cameras in self.cameras)

    def shows_details(self, index: int) -> bool:
        """Whether this look shows only some of the surface; the rest stays as the look before showed it."""
        return bool(self.spots) and index == len(self.cameras) - 1


def place_looks(
    raycaster: Raycaster, surface: TriangleMesh, views: int, close_up_zoom: float, detail_zoom: float
) -> Looks:
    """All cameras around the raycaster's mesh.

    surface: that mesh, or a coarser one of the same surface, on which details are sought. views: cameras around the
    whole. close_up_zoom, detail_zoom: see `backbones.checkpoint.Checkpoint`; 0 leaves a look out, and what is nearer.
    """
    vertices = raycaster.mesh.vertices
    cameras = [place_cameras(vertices, views)]
    spots: list[Spot] = []
    if close_up_zoom:
        cameras.append(close_ups(vertices, cameras[0], close_up_zoom))
        if detail_zoom:
            spots = find_spots(surface, detail_zoom)
            cameras.append(detail_views(surface, spots, raycaster, cameras[0], detail_zoom))
    return Looks(cameras, spots, close_up_zoom)
