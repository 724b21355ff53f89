# SPDX-License-Identifier: GPL-3.0-or-later
"""Geometry on triangle meshes: Laplacian, geodesics, components, winding, welding, sampling, closest points."""
