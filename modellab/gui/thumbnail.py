"""The small picture of a page that a ``.mlab`` file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QIODevice, QSize, Qt
from PySide6.QtGui import QImage, QImageWriter, QPainter

from modellab.gui.theme import theme

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

WIDTH, HEIGHT = 640, 400


def thumbnail(page: QWidget, size: QSize | None = None) -> bytes | None:
    """Return a picture of a page as PNG, 640 x 400, made in memory; None if it cannot be made.

    What the page's shape leaves over is filled with the window's background.

    Parameters
    ----------
    page
        On screen, or hidden.
    size
        The room a hidden page would have: one that was never shown was never laid out.
    """
    if size is not None and not page.isVisible() and page.size() != size:
        page.resize(size)
    whole = page.grab().toImage()
    if whole.isNull():
        return None
    whole.setDevicePixelRatio(1)
    part = whole.scaled(
        WIDTH,
        HEIGHT,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    picture = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32)
    picture.fill(theme().window)
    painter = QPainter(picture)
    painter.drawImage((WIDTH - part.width()) // 2, (HEIGHT - part.height()) // 2, part)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    written = QImageWriter(buffer, b"png").write(picture)
    return bytes(buffer.data().data()) if written else None
