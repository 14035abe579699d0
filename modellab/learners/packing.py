"""States of learners as plain values: arrays become their type, shape and bytes."""

from __future__ import annotations

from typing import Any

import numpy as np


def packed(value: Any) -> Any:
    """Return a value (dicts all the way down) with its arrays as plain values, little-endian."""
    if isinstance(value, dict):
        return {name: packed(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        return {"dtype": little.dtype.str, "shape": list(value.shape), "bytes": little.tobytes()}
    return value


def unpacked(value: Any) -> Any:
    """Return what `packed` was given."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"dtype", "shape", "bytes"}:
        flat = np.frombuffer(value["bytes"], np.dtype(value["dtype"]))
        return flat.reshape(value["shape"]).astype(flat.dtype.newbyteorder("="))
    return {name: unpacked(part) for name, part in value.items()}
