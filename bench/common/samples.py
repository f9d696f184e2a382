# SPDX-License-Identifier: Apache-2.0
"""Repeated measurements of one thing, and what is told of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest measured value that at least `share` (0..1] of them do not exceed.

    Nothing is interpolated: the p99 of fewer than a hundred values is their largest.
    """
    if not values:
        raise ValueError("no value was measured")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def told(values: Sequence[float], unit: str = "ms") -> str:
    """`median 12.3, p95 20.1, p99 22.0, max 22.0 ms (n 80)`"""
    parts = [f"median {median(values):.1f}"]
    parts += [f"p{share} {quantile(values, share / 100):.1f}" for share in (95, 99)]
    return f"{', '.join(parts)}, max {max(values):.1f} {unit} (n {len(values)})"
