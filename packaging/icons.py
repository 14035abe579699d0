"""The program's sign as every system wants it: PNG (Linux), `.ico` (Windows), `.icns` (macOS).

Run with the Python of an environment that has PySide6: `python packaging/icons.py FOLDER`.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

SIGN = Path(__file__).resolve().parent / "desktop" / "modellab.svg"
LINUX = (16, 22, 24, 32, 48, 64, 128, 256, 512)
WINDOWS = (16, 24, 32, 48, 64, 128, 256)
# Apple's names of the sizes that hold a PNG.
MACOS = {16: b"icp4", 32: b"icp5", 64: b"icp6", 128: b"ic07", 256: b"ic08", 512: b"ic09"}


def pngs(sizes: set[int]) -> dict[int, bytes]:
    """Draw the sign at each size; return PNG files."""
    from PySide6.QtCore import QBuffer, QIODevice, Qt
    from PySide6.QtGui import QGuiApplication, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    app = QGuiApplication.instance() or QGuiApplication([])
    renderer = QSvgRenderer(str(SIGN))
    made = {}
    for size in sorted(sizes):
        image = QImage(size, size, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        renderer.render(painter)
        painter.end()
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        image.save(buffer, "PNG")  # type: ignore[call-overload]
        made[size] = bytes(buffer.data().data())
    del app
    return made


def ico(images: dict[int, bytes]) -> bytes:
    """Put PNG files into one `.ico`."""
    head = struct.pack("<HHH", 0, 1, len(images))
    place = len(head) + 16 * len(images)
    entries = b""
    for size, png in sorted(images.items()):
        side = size if size < 256 else 0  # one byte: 0 means 256
        entries += struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(png), place)
        place += len(png)
    return head + entries + b"".join(png for _, png in sorted(images.items()))


def icns(images: dict[int, bytes]) -> bytes:
    """Put PNG files into one `.icns`."""
    body = b"".join(
        MACOS[size] + struct.pack(">I", len(png) + 8) + png for size, png in sorted(images.items())
    )
    return b"icns" + struct.pack(">I", len(body) + 8) + body


def write(folder: Path) -> None:
    """Write `hicolor/<size>x<size>/apps/modellab.png`, `modellab.ico` and `modellab.icns`."""
    made = pngs({*LINUX, *WINDOWS, *MACOS})
    for size in LINUX:
        path = folder / "hicolor" / f"{size}x{size}" / "apps" / "modellab.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made[size])
    (folder / "modellab.ico").write_bytes(ico({size: made[size] for size in WINDOWS}))
    (folder / "modellab.icns").write_bytes(icns({size: made[size] for size in MACOS}))


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    write(Path(sys.argv[1]))
