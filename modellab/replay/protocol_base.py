"""What every message between the window and the engine is."""

from __future__ import annotations

import msgspec


class Command(msgspec.Struct, tag=True, kw_only=True):
    """Base of what the window asks; `id` is unique within a session and grows."""

    id: int = 0


class Reply(msgspec.Struct, tag=True, kw_only=True):
    """Base of what the engine answers."""
