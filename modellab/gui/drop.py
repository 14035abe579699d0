"""Drops anywhere on the window: an overlay that says what would happen, then opens the files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QMimeData, QObject, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWindow,
)
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from modellab.data.endings import READABLE
from modellab.errors import quote
from modellab.gui.theme import font, paint_icon, px, theme

if TYPE_CHECKING:
    from collections.abc import Sequence

DATA_ENDINGS = READABLE
EXPERIMENT_ENDINGS = (".mlab", ".toml")
KINDS_TEXT = (
    "CSV and other texts (also packed), JSON, Parquet, Arrow, ARFF, workbooks, SQLite and DuckDB, "
    "or a saved .mlab or .toml experiment"
)


def drop_verdict(paths: Sequence[Path]) -> tuple[bool, str, str]:
    """Return whether `paths` can be opened together, and a headline and a sentence about it."""
    if not paths:
        return False, "Only files can be dropped here", f"Drop {KINDS_TEXT}."
    names = [path.name.lower() for path in paths]
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        return (
            False,
            "One folder at a time",
            "Drop a folder alone, apart from other files: what is in it is one data set.",
        )
    if folders:
        return (
            True,
            f"Open the folder {quote(folders[0].name)} as one data set",
            "Its files are read one after the other; folders in it called key=value are columns.",
        )
    known = (*DATA_ENDINGS, *EXPERIMENT_ENDINGS)
    strange = [path for path, name in zip(paths, names, strict=True) if not name.endswith(known)]
    if strange:
        return (
            False,
            f"{quote(strange[0].name)} cannot be read",
            f"Model Lab reads {KINDS_TEXT}.",
        )
    experiments = [name for name in names if name.endswith(EXPERIMENT_ENDINGS)]
    if experiments and len(paths) > 1:
        return (
            False,
            "One experiment at a time",
            "Drop a saved experiment alone, apart from data files.",
        )
    if experiments:
        return True, f"Open {quote(paths[0].name)}", "What is open now is kept for the next start."
    if len(paths) > 1:
        return (
            True,
            f"Open {len(paths)} files as one data set",
            "They are read one after the other, in the order of their names.",
        )
    return True, f"Open {quote(paths[0].name)}", "The file stays where it is and is not changed."


def local_paths(data: QMimeData) -> list[Path]:
    """Return the files of a drag, in the order of their names."""
    urls = data.urls() if data.hasUrls() else []
    return sorted(Path(url.toLocalFile()) for url in urls if url.isLocalFile())


class DropOverlay(QWidget):
    """Covers its parent while files are dragged over the window, and takes the drop."""

    dropped = Signal(object)
    """The files dropped: a list of ``pathlib.Path``."""
    refused = Signal(str)
    """Why a drop was not taken, in one sentence."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self._good, self._title, self._text = True, "", ""
        self._paths: list[Path] = []
        self.setAcceptDrops(True)
        # Qt looks for the nearest widget that takes drops: without this one there may be none.
        host.setAcceptDrops(True)
        self.setAccessibleName("Drop files here")
        self.hide()
        self._watched: QWindow | None = None

    def watch(self, handle: QWindow | None) -> None:
        """See the drags that come over the window of the system: it must be there already.

        Fields would take a dragged file as text: the overlay covers them before they see it. A
        filter of the whole program would do as well, but all its events would pass through it.
        """
        if handle is None or handle is self._watched:
            return
        self.take_down()
        self._watched = handle
        handle.installEventFilter(self)

    def take_down(self) -> None:
        """Stop watching drags: the window closes."""
        if self._watched is not None and isValid(self._watched):
            self._watched.removeEventFilter(self)
        self._watched = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # What comes over the window finds this overlay on top, and is handed to it by Qt.
        if (
            isinstance(event, QDragMoveEvent)
            and not self.isVisible()
            and event.mimeData().hasUrls()
        ):
            self.offer(local_paths(event.mimeData()))
        elif event.type() == QEvent.Type.DragLeave:
            # Also when it left before it was over the overlay.
            self.hide()
        return False

    def offer(self, paths: list[Path]) -> None:
        """Show what dropping `paths` would do."""
        self._paths = paths
        self._good, self._title, self._text = drop_verdict(paths)
        self.setGeometry(self._host.rect())
        self.show()
        self.raise_()
        self.update()

    def texts(self) -> tuple[str, str]:
        """Return the headline and the sentence as shown."""
        return self._title, self._text

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        dragged = local_paths(event.mimeData())
        if not self.isVisible() or dragged != self._paths:
            self.offer(dragged)
        event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.hide()
        paths = local_paths(event.mimeData())
        good, title, text = drop_verdict(paths)
        event.acceptProposedAction()
        if good:
            self.dropped.emit(paths)
        else:
            self.refused.emit(f"{title}. {text}")

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(tokens.window)
        veil.setAlphaF(0.96)
        painter.fillRect(self.rect(), veil)
        colour = QColor(tokens.link if self._good else tokens.alarm)
        inner = QRectF(self.rect()).adjusted(20, 20, -20, -20)
        pen = QPen(colour, 2)
        pen.setDashPattern([5, 4])
        painter.setPen(pen)
        painter.drawRoundedRect(inner, 14, 14)
        side = px(44)
        middle = inner.center()
        place = QRectF(middle.x() - side / 2, middle.y() - side - px(20), side, side)
        paint_icon(painter, "download-simple" if self._good else "prohibit", place, colour)
        centre = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        painter.setPen(QColor(tokens.text))
        painter.setFont(font(20, 600))
        wide = inner.width() - 40
        title = painter.fontMetrics().elidedText(
            self._title, Qt.TextElideMode.ElideMiddle, int(wide)
        )
        painter.drawText(QRectF(inner.left() + 20, middle.y(), wide, px(30)), centre, title)
        painter.setPen(QColor(tokens.second))
        painter.setFont(font(13))
        painter.drawText(
            QRectF(inner.left() + 20, middle.y() + px(36), wide, px(24)), centre, self._text
        )
