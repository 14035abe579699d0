"""How lanes look on the Decide page: the colours and signs that they have everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from modellab.experiment import HindsightPolicy
from modellab.gui.deploy.words import chip_kind, lane_style
from modellab.gui.theme import theme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modellab.gui.session_deployment import Deployment
    from modellab.gui.theme.tokens import Dash


@dataclass(frozen=True, slots=True)
class Look:
    """A lane's colour (``#RRGGBB``), dash and sign."""

    colour: str
    dash: Dash
    kind: Literal["lane", "fork", "baseline", "hindsight"]


Looks = dict[str, Look]


def looks_of(live: Deployment | None) -> Looks:
    """Return the look of every lane by its name, in the theme in force."""
    found: Looks = {}
    for name, lane in (live.lanes if live is not None else {}).items():
        colour, dash = lane_style(lane)
        kind = chip_kind(lane)
        hindsight = isinstance(lane.spec.policy, HindsightPolicy)
        found[name] = Look(colour, dash, "hindsight" if hindsight else kind)
    return found


def look_of(looks: Mapping[str, Look], name: str) -> Look:
    """Return a lane's look; grey for one that is not there any more."""
    return looks.get(name) or Look(theme().third, (), "lane")


def paint_sign(painter: QPainter, rect: QRectF, look: Look) -> None:
    """Paint a lane's sign: a square, half filled for a fork, a line for a baseline, else a ring."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    colour = QColor(look.colour)
    if look.kind == "baseline":
        pen = QPen(colour, 2)
        pen.setDashPattern([2.5, 1.2])
        painter.setPen(pen)
        middle = rect.center().y()
        painter.drawLine(QPointF(rect.left(), middle), QPointF(rect.right(), middle))
    elif look.kind == "hindsight":
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 1.8))
        painter.drawEllipse(rect.adjusted(1, 1, -1, -1))
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        if look.kind == "fork" or look.dash:
            # Further lanes share a hue: half a square, as the dashed line tells in the plots.
            painter.save()
            painter.setClipRect(rect.adjusted(0, rect.height() / 2, 0, 0))
            painter.drawRoundedRect(rect, 3, 3)
            painter.restore()
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour, 1.5))
            painter.drawRoundedRect(rect.adjusted(0.75, 0.75, -0.75, -0.75), 3, 3)
        else:
            painter.drawRoundedRect(rect, 3, 3)
    painter.restore()
