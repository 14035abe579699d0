"""The set-up scripts stand beside each other, outside every package."""

from __future__ import annotations

import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "packaging"
if str(SCRIPTS) not in sys.path:
    sys.path.insert(0, str(SCRIPTS))
