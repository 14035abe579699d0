"""Models set aside: a learner's state with what its policy knew then, packed in one blob."""

from __future__ import annotations

import pickle
from typing import Any

_KEY = "pin "


def pin_key(position: int) -> str:
    """Name of the blob of a model set aside at `position`, in a lane's state."""
    return f"{_KEY}{position}"


def pins_of(state: dict[str, bytes]) -> dict[int, bytes]:
    """Models that were set aside in a lane's state, by position."""
    return {int(key[len(_KEY) :]): blob for key, blob in state.items() if key.startswith(_KEY)}


def pack_pin(blob: bytes, policy: dict[str, Any]) -> bytes:
    """Put a model and its policy's state together, without predictions made ahead."""
    kept = {key: value for key, value in policy.items() if key != "cache"}
    return pickle.dumps((blob, kept), protocol=5)


def unpack_pin(pin: bytes) -> tuple[bytes, dict[str, Any]]:
    """Model and policy state of `pack_pin` (a pickle of our own)."""
    blob, policy = pickle.loads(pin)
    return blob, policy


def policy_of(state: dict[str, bytes]) -> dict[str, Any]:
    """The policy's state in a lane's state."""
    found: dict[str, Any] = pickle.loads(state["rest"])["policy"]
    return found
