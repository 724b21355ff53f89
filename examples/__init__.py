# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural characters with exact correspondence, and the demo made from them."""
