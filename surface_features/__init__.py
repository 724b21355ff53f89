# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic, surface-aware features for every vertex of a mesh, and what they make possible.

Importing this package does nothing: torch and the geometry libraries are imported on first use.
"""

__version__ = "0.1.0"
