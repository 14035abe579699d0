"""Versions of histories, by which a receiver says how much it has already."""

from __future__ import annotations

import itertools

SIZE_BITS = 44
"""The low bits of a version say how much there is; those above tell different fillings apart."""

_fillings = itertools.count(1)


def new_filling() -> int:
    """Return high bits that no other filling of a history in this process has."""
    return (next(_fillings) % (1 << 18)) << SIZE_BITS
