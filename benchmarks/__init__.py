# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed about quality and speed, measured."""
