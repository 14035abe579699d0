"""Helpers that lie here are imported by their bare names: test folders are no packages."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

_HERE = str(Path(__file__).parent)
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)


@pytest.fixture(scope="session")
def half_hours(electricity: Path) -> tuple[np.ndarray, np.ndarray]:
    """The electricity data: rows (the second column is a code), and 1 where the price fell."""
    cells = np.genfromtxt(electricity, delimiter=",", skip_header=1, dtype=str)
    x = np.ascontiguousarray(cells[:, :-1].astype(float))
    x[:, 1] -= 1  # the day of the week
    x.flags.writeable = False
    return x, (cells[:, -1] == "DOWN").astype(float)
