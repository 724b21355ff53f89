# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place where Blender's data becomes arrays and arrays become Blender's data."""
