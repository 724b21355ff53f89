# SPDX-License-Identifier: GPL-3.0-or-later
"""From how far a backbone looks at a mesh: at all of it, at quarters of that, and at details."""

from __future__ import annotations

from dataclasses import dataclass

from ..mesh import TriangleMesh
from .cameras import Cameras, close_ups, place_cameras
from .details import Spot, detail_views, find_spots
from .render import Raycaster

CLOSER = 12  # of the cameras around the whole, or up to twice as many, go closer: more of them tell no more


@dataclass(frozen=True, eq=False)
class Looks:
    """cameras: one set per distance, from afar to near. spots: what the last look shows, if it shows details only.

    close_up_zoom: of the second look, see `place_looks`.
    """

    cameras: list[Cameras]
    spots: list[Spot]
    close_up_zoom: float

    @property
    def going_closer(self) -> Cameras:
        """Those of the cameras around the whole whose pictures are taken again in quarters."""
        around = self.cameras[0]
        return around.every(max(len(around) // CLOSER, 1))

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
    looks = Looks([place_cameras(vertices, views)], [], close_up_zoom)
    if close_up_zoom:
        looks.cameras.append(close_ups(vertices, looks.going_closer, close_up_zoom))
        if detail_zoom:
            looks.spots.extend(find_spots(surface, detail_zoom))
            looks.cameras.append(detail_views(surface, looks.spots, raycaster, looks.cameras[0], detail_zoom))
    return looks
