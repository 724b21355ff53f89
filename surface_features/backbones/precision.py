# SPDX-License-Identifier: GPL-3.0-or-later
"""In which numbers networks run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bf16 products are native there: AVX512-BF16, AMX or ARM's on CPUs; Ampere and later on CUDA.

    oneDNN takes bf16 on every CPU with AVX-512; where it has to convert, it is two and a half times slower than fp32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    # An older PyTorch does not tell; then what oneDNN says has to do.
    units: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if units.get("architecture") == "x86_64":
        return bool(units.get("avx512_bf16") or units.get("amx_bf16"))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - torch has no public name for it


def fast_numbers(device: torch.device) -> AbstractContextManager[object]:
    """bf16 autocast where it is native."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if has_fast_bfloat16(device) else nullcontext()


def product_dtype(tensor: torch.Tensor) -> torch.dtype:
    """What matrix products with `tensor` are computed in here."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype
