"""What live plots show, as plain values: lines, marks, a heat map; and how marks are drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPixmap, QPolygonF

from modellab.gui.theme import paint_icon, theme

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from modellab.gui.theme.tokens import Dash

    Floats = NDArray[np.float64]

MarkKind = Literal[
    "drift",
    "retrain",
    "reject",
    "redeploy",
    "switch",
    "rollback",
    "reset",
    "quarantine",
    "change",
    "fault",
    "fork",
    "warning",
]
MARK_WORDS: dict[MarkKind, tuple[str, str]] = {
    "drift": ("drift alarm", "drift alarms"),
    "retrain": ("retrain", "retrains"),
    "reject": ("retrain, old model kept", "retrains, old model kept"),
    "redeploy": ("redeploy", "redeploys"),
    "switch": ("switch", "switches"),
    "rollback": ("rollback", "rollbacks"),
    "reset": ("reset", "resets"),
    "quarantine": ("quarantine", "quarantines"),
    "change": ("change by you", "changes by you"),
    "fault": ("fault", "faults"),
    "fork": ("fork", "forks"),
    "warning": ("warning", "warnings"),
}


@dataclass
class LiveLine:
    """One line of a live plot.

    Attributes
    ----------
    key
        Tells the line from others, and stays the same while it grows.
    name
        Its direct label (plain text).
    x, y
        Positions, increasing, and values; NaN breaks the line.
    colour, dash
        ``#RRGGBB`` and the dash in pen widths.
    strong
        Drawn thicker: the selected lane.
    shown
        Drawn and labelled; else it is only in the readout.
    """

    key: str
    name: str
    x: Floats
    y: Floats
    colour: str
    dash: Dash = ()
    strong: bool = False
    shown: bool = True

    def last_row(self) -> float:
        """Return the last position; minus infinity without any."""
        return float(self.x[-1]) if len(self.x) else float("-inf")

    def value_at(self, row: float) -> float:
        """Return the value last known at `row`; NaN before the first."""
        at = int(np.searchsorted(self.x, row, side="right")) - 1
        return float(self.y[at]) if at >= 0 else float("nan")


@dataclass(frozen=True)
class Mark:
    """Something that happened at a row.

    `text` is shown where there is room; `lane` names whose it is, `colour` is that lane's; `what`
    tells which setting was changed; `strong`: of the selected lane, or of all.
    """

    position: int
    kind: MarkKind
    lane: str
    colour: str
    text: str = ""
    what: str = ""
    strong: bool = True


@dataclass(frozen=True)
class Shade:
    """Rows [start, stop) in which something was not as usual: a fault, an outage, a lane down.

    `text` stands in it where there is room. A lane that is down has that lane's `colour`; with
    `strip` only a strip at the foot is coloured.
    """

    start: int
    stop: int
    text: str
    kind: Literal["fault", "outage", "down"] = "fault"
    colour: str = ""
    strip: bool = False


@dataclass
class HeatMap:
    """Values as colours: one row of cells for each name, over positions.

    `values` is (len(positions), len(names)); the colours diverge around 0, up to `limit`, unless
    `colours(values, limit)` tells others (uint32 ARGB).
    """

    names: list[str]
    positions: Floats
    values: Floats
    limit: float = 1.0
    version: object = None
    colours: Callable[[Floats, float], NDArray[np.uint32]] | None = None


def paint_mark(painter: QPainter, kind: MarkKind, at: QPointF, colour: str, size: float) -> None:
    """Paint the sign of `kind` centred at `at`: shapes differ, so that colour is not needed."""
    ratio = painter.device().devicePixelRatioF()
    sign = _sign(kind, colour, size, ratio, theme().name)
    half = sign.width() / ratio / 2
    # On whole pixels, or the picture would be blurred.
    painter.drawPixmap(QPointF(round(at.x() - half), round(at.y() - half)), sign)


@lru_cache(maxsize=256)
def _sign(kind: MarkKind, colour: str, size: float, ratio: float, _theme: str) -> QPixmap:
    """Draw a sign once: there can be hundreds of each in a frame."""
    side = math.ceil(size) + 6
    made = QPixmap(round(side * ratio), round(side * ratio))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    _draw_sign(painter, kind, QPointF(side / 2, side / 2), colour, size)
    painter.end()
    return made


def _draw_sign(painter: QPainter, kind: MarkKind, at: QPointF, colour: str, size: float) -> None:
    tokens = theme()
    half = size / 2
    if kind in ("retrain", "reject", "redeploy"):
        # A redeploy points down: the model comes to serve.
        tall = half * (-0.85 if kind == "redeploy" else 0.85)
        triangle = QPolygonF(
            [
                QPointF(at.x() - half, at.y() + tall),
                QPointF(at.x() + half, at.y() + tall),
                QPointF(at.x(), at.y() - tall),
            ]
        )
        hollow = kind == "reject"
        painter.setPen(QPen(QColor(colour), 1.3))
        painter.setBrush(QBrush(QColor(tokens.surface if hollow else colour)))
        painter.drawPolygon(triangle)
    elif kind == "change":
        painter.setPen(QPen(QColor(tokens.surface), 1))
        painter.setBrush(QColor(tokens.ink))
        painter.drawEllipse(at, half * 0.8, half * 0.8)
    elif kind == "drift":
        # Filled whatever the lane: an alarm is an alarm.
        painter.setPen(QPen(QColor(tokens.surface), 1))
        painter.setBrush(QColor(tokens.alarm))
        painter.drawPolygon(_polygon(at, half * 1.2, (0, -1), (1, 0), (0, 1), (-1, 0)))
    elif kind == "switch":
        # Two models change places.
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawPolygon(_polygon(at, half * 1.1, (-1, 0), (-0.1, -0.9), (-0.1, 0.9)))
        painter.drawPolygon(_polygon(at, half * 1.1, (1, 0), (0.1, -0.9), (0.1, 0.9)))
    elif kind == "rollback":
        # Back to where a bar stands.
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawPolygon(_polygon(at, half, (-0.6, 0), (1, -1), (1, 1)))
        painter.drawRect(QRectF(at.x() - half, at.y() - half, half * 0.4, half * 2))
    elif kind == "reset":
        painter.setPen(QPen(QColor(colour), 1.5))
        painter.setBrush(QColor(tokens.surface))
        painter.drawRect(QRectF(at.x() - half * 0.8, at.y() - half * 0.8, half * 1.6, half * 1.6))
    elif kind == "quarantine":
        painter.setPen(QPen(QColor(colour), 1.8))
        reach = half * 0.7
        for turn in (1, -1):
            painter.drawLine(
                QPointF(at.x() - reach, at.y() - turn * reach),
                QPointF(at.x() + reach, at.y() + turn * reach),
            )
    elif kind == "fault":
        painter.setPen(QPen(QColor(tokens.third), 1))
        painter.setBrush(QBrush(QColor(tokens.third), Qt.BrushStyle.BDiagPattern))
        painter.drawRect(QRectF(at.x() - half, at.y() - half * 0.85, size, size * 0.85))
    else:
        name = "git-branch-bold" if kind == "fork" else "warning-fill"
        role = colour if kind == "fork" else tokens.warning
        wide = size + 3
        box = QRectF(at.x() - wide / 2, at.y() - wide / 2, wide, wide)
        paint_icon(painter, name, box, role)


def _polygon(at: QPointF, size: float, *corners: tuple[float, float]) -> QPolygonF:
    return QPolygonF([QPointF(at.x() + x * size, at.y() + y * size) for x, y in corners])


def paint_chip(painter: QPainter, rect: QRectF, colour: str, dash: Dash) -> None:
    """Paint a lane's sign into `rect`: a filled square, or a dashed line."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if dash:
        pen = QPen(QColor(colour), 2)
        pen.setDashPattern([2.0, 1.2])
        painter.setPen(pen)
        middle = rect.center().y()
        painter.drawLine(QPointF(rect.left(), middle), QPointF(rect.right(), middle))
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(rect, 2.5, 2.5)
    painter.restore()
