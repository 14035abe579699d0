"""How the window of the `.dmg` looks; read by dmgbuild (`-D app=...`)."""

from __future__ import annotations

from pathlib import Path

app = defines["app"]  # type: ignore[name-defined]  # noqa: F821  (dmgbuild gives it)
files = [app]
symlinks = {"Applications": "/Applications"}
icon_locations = {Path(app).name: (150, 170), "Applications": (390, 170)}
window_rect = ((200, 200), (540, 360))
icon_size = 96
format = "ULMO"  # lzma: macOS 10.15 and later
