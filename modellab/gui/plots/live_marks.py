"""The signs of what happened, painted over the curves of a live plot, and their words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from modellab.gui.kit import count_text
from modellab.gui.plots.parts import MARK_WORDS, Mark, paint_mark
from modellab.gui.plots.text import elided, font, width_of, write
from modellab.gui.theme import px, theme

if TYPE_CHECKING:
    from modellab.gui.plots.live import LivePlot
    from modellab.gui.plots.mark_groups import Group

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
ON_AXIS = frozenset({"retrain", "reject", "redeploy", "switch", "reset", "quarantine"})
NEAR = 8.0
"""The readout tells of signs that are so near, in pixels."""


def marks(plot: LivePlot, painter: QPainter) -> None:
    """Paint what happened: what models went through stands on the axis, all else on top.

    What a person did, and alarms that stand by themselves, have a line through the plot; signs that
    stand for several have their number beside them where there is room.
    """
    area = plot.area()
    texts: list[tuple[float, Mark, float]] = []
    numbers: list[tuple[float, float, int]] = []
    for group in plot.mark_groups().groups(plot.x_of, area.left() - 1, area.right() + 1):
        mark = group.last
        dragged = mark.kind == "change"
        if group.count > 1 and not dragged:
            mark = group.first  # stays in place while more come
        x = plot.x_of(mark.position)
        if group.count > 1 and dragged:
            begin = plot.x_of(group.first.position)
            shade = QColor(theme().ink)
            shade.setAlphaF(0.07)
            painter.fillRect(QRectF(begin, area.top() + px(8), x - begin, area.height()), shade)
            mark = replace(mark, text=group.text())
        if mark.kind in ON_AXIS:
            at = QPointF(x, area.bottom() - px(4))
            paint_mark(painter, mark.kind, at, mark.colour, px(9))
            numbers.append((x, at.y(), group.count))
            continue
        by_hand = mark.kind in ("change", "rollback")
        colour = theme().ink if by_hand else mark.colour
        if mark.kind == "drift":
            colour = theme().alarm
        pen = QPen(QColor(colour), 1)
        if not by_hand:
            pen.setDashPattern([1, 3] if mark.kind == "drift" else [2, 3])
        painter.setPen(pen)
        place = round(x) + 0.5
        top = area.top() + px(8)
        if group.strong and (group.count == 1 or dragged):
            painter.drawLine(QPointF(place, top), QPointF(place, area.bottom()))
        paint_mark(painter, mark.kind, QPointF(place, top), mark.colour, px(9))
        number = count_text(group.count) if group.count > 1 and not dragged else ""
        texts.append((x, mark, x + px(6) + width_of(number, 10, 500) if number else x))
        numbers.append((x, top, 1 if dragged else group.count))
    _numbers(plot, painter, numbers)
    if plot.mark_texts:
        texts.sort(key=lambda told: told[0])
        _mark_texts(plot, painter, texts)


def _numbers(plot: LivePlot, painter: QPainter, signs: list[tuple[float, float, int]]) -> None:
    """Write how many a sign stands for, where the next sign leaves room."""
    if not any(count > 1 for _, _, count in signs):
        return
    signs.sort()
    end = plot.area().right()
    following: dict[float, float] = {}
    for x, y, count in reversed(signs):
        room = following.get(y, end + px(12)) - x - px(5)
        following[y] = x - px(5)
        text = count_text(count)
        wide = width_of(text, 10, 500)
        if count > 1 and wide <= room - px(2):
            box = QRectF(x + px(6), y - px(7), wide + 2, px(14))
            ground = QColor(theme().surface)
            ground.setAlphaF(0.75)
            painter.fillRect(box.adjusted(0, 2, 0, -2), ground)
            write(painter, box, Qt.AlignmentFlag.AlignLeft, text, theme().second, 10, 500)


def _mark_texts(plot: LivePlot, painter: QPainter, texts: list[tuple[float, Mark, float]]) -> None:
    """Write the words of marks where there is room, the newest first."""
    area = plot.area()
    painter.setFont(font(11))
    metrics = QFontMetricsF(painter.font())
    edge = area.right() - 4
    most = 0.42 * area.width()
    top = area.top() + px(8)
    sign = px(9)
    for number in range(len(texts) - 1, -1, -1):
        x, mark, _ = texts[number]
        if mark.text:
            # Right of its sign, or left of it where there is more room; never over another sign.
            before = texts[number - 1][2] + sign if number else area.left()
            right, left = edge - x - sign, x - sign - before
            wanted = min(most, metrics.horizontalAdvance(mark.text))
            room = right if right >= min(wanted, max(left, px(60))) else left
            if room >= min(wanted, px(60)):
                text = elided(mark.text, metrics, min(most, room))
                wide = metrics.horizontalAdvance(text)
                begin = x + sign if room == right else x - sign - wide
                box = QRectF(begin, top - px(8), wide + 2, px(16))
                ground = QColor(theme().surface)
                ground.setAlphaF(0.8)
                painter.fillRect(box, ground)
                painter.setPen(QColor(theme().second))
                painter.drawText(box, int(_LEFT), text)
                edge = min(begin, x) - 8
                continue
        edge = min(edge, x - sign)


def near(plot: LivePlot, row: float) -> list[Group]:
    """Return what happened near a row: groups whose sign, or whose rows, the cursor is on."""
    x, area = plot.x_of(row), plot.area()
    found = plot.mark_groups().groups(plot.x_of, area.left() - 1, area.right() + 1)
    return [
        group
        for group in found
        if plot.x_of(group.first.position) - NEAR <= x
        and x <= plot.x_of(group.first.position if group.count == 1 else group.last.position) + NEAR
    ]


def group_words(group: Group) -> str:
    """Return what a sign stands for: ``drift alarm, Online``, or ``20 drift alarms``."""
    one, many = MARK_WORDS[group.last.kind]
    if group.count > 1 and group.last.kind != "change":
        same = group.first.lane == group.last.lane and group.last.kind != "drift"
        lane = f", {group.last.lane}" if same and group.last.lane else ""
        return f"{count_text(group.count)} {many}{lane}"
    text = group.text()
    if text:
        return text
    return f"{one}, {group.last.lane}" if group.last.lane else one
