"""Loading what the next step needs while nothing else is to be done."""

from __future__ import annotations

import contextlib
import importlib

BATCH = ("sklearn.linear_model", "sklearn.ensemble", "sklearn.metrics", "sklearn.inspection")
ONLINE = ("river.tree", "river.linear_model", "river.preprocessing", "river.compose")


def load(*names: str) -> None:
    """Import modules, so that their first use does not wait; a missing one is told at its use."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
