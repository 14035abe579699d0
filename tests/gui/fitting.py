"""Which texts of a window do not fit where they stand.

A text may be cut only where it can be read whole in a tooltip, and a number never.
"""

from __future__ import annotations

import re

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QTableView,
    QToolButton,
    QWidget,
)

from modellab.gui.kit import ElidedLabel, Pill

# Figures, with signs, units of one letter, shares and thousands.
NUMBER = re.compile(r"^[\s+−-]*[\d.,]+\s*(%|[kMs×x]|ms|/s|rows?)?$")
SLACK = 1


def plain(text: str) -> str:
    """The text as it is painted: mnemonics have no ampersand."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&").strip()


def told(widget: QWidget, text: str) -> bool:
    """Whether a tooltip of the widget, or around it, holds the whole text."""
    import html

    at: QWidget | None = widget
    while at is not None and not at.isWindow():
        if " ".join(text.split()) in " ".join(html.unescape(at.toolTip()).split()):
            return True
        at = at.parentWidget()
    return False


def _label_fault(label: QLabel) -> str | None:
    text = plain(label.text())
    if not text or not label.pixmap().isNull():
        return None
    room = label.contentsRect()
    metrics = label.fontMetrics()
    if isinstance(label, ElidedLabel):
        if room.height() < metrics.height() - 2 * SLACK:
            return f"is {room.height()} high, not {metrics.height()}"
        if not label.elided():
            return None
        if NUMBER.match(text):
            return "is a number, and cut"
        return None if told(label, text) else "is cut, and no tooltip tells it"
    if label.wordWrap():
        longest = max(metrics.horizontalAdvance(word) for word in text.split())
        if longest > room.width() + SLACK:
            return f"has a word {longest} wide in {room.width()}"
        needed = label.heightForWidth(label.width())
        return None if needed <= label.height() + 2 else f"is {label.height()} high, not {needed}"
    wide = max(metrics.horizontalAdvance(line) for line in text.split("\n"))
    if wide > room.width() + SLACK:
        return f"is {room.width()} wide, not {wide}"
    high = metrics.height() * len(text.split("\n"))
    return f"is {room.height()} high, not {high}" if high > room.height() + 3 * SLACK else None


def _button_fault(button: QAbstractButton) -> str | None:
    text = plain(button.text())
    if not text or not isinstance(button, QPushButton | QToolButton | QCheckBox | QRadioButton):
        return None
    if isinstance(button, QToolButton) and (
        button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly
    ):
        return None
    metrics = button.fontMetrics()
    wide = metrics.horizontalAdvance(text)
    if not button.icon().isNull():
        wide += button.iconSize().width()
    # The ground around a text may shrink, the text may not.
    if wide > button.width():
        return f"is {button.width()} wide, its text alone {wide}"
    if metrics.height() > button.height() + SLACK:
        return f"is {button.height()} high, not {metrics.height()}"
    return None


def _field_fault(field: QWidget) -> str | None:
    metrics = field.fontMetrics()
    if isinstance(field, QComboBox):
        if field.isEditable():
            return None
        wide = metrics.horizontalAdvance(field.currentText())
        room = field.width() - 24
        return (
            f"has {room} for {wide}"
            if wide > room and not told(field, field.currentText())
            else None
        )
    if isinstance(field, QAbstractSpinBox):
        edit = field.lineEdit()
        wide = metrics.horizontalAdvance(edit.text())
        margins = edit.textMargins()
        room = edit.width() - margins.left() - margins.right() - 3
        if wide > room:
            return f"has {room} for {wide}"
        high = edit.height()
        return f"is {high} high, not {metrics.height()}" if high < metrics.height() - 2 else None
    inner = isinstance(field.parentWidget(), QAbstractSpinBox | QComboBox)
    hint = field.placeholderText() if isinstance(field, QLineEdit) else ""
    if hint and not inner and not shown_text(field):
        wide, room = metrics.horizontalAdvance(hint), field.width() - 8
        return None if wide <= room or told(field, hint) else f"has {room} for its hint, {wide}"
    return None


def _clipped(widget: QWidget, root: QWidget) -> str | None:
    """What an ancestor cuts off, unless it can be scrolled to."""
    here = QRect(QPoint(0, 0), widget.size())
    at = widget
    while at is not root and at.parentWidget() is not None and not at.isWindow():
        here = here.translated(at.pos())
        at = at.parentWidget()
        area = at.parentWidget()
        if isinstance(area, QAbstractScrollArea):
            # What is below can be scrolled to; what is beside only with a bar.
            bar = area.horizontalScrollBarPolicy() != Qt.ScrollBarPolicy.ScrollBarAlwaysOff
            over = here.right() - at.rect().right()
            return None if bar or over <= 2 else f"is cut by its scroll area: {over}"
        inside = at.rect().adjusted(-2, -2, 2, 2)
        if not inside.contains(here):
            over = here.intersected(inside)
            gone = QSize(here.width() - over.width(), here.height() - over.height())
            return f"is cut by {type(at).__name__}: {gone.width()} x {gone.height()}"
    return None


def _table_faults(table: QTableView) -> list[str]:
    """Headings and cells in sight that are cut to nothing, and numbers that are cut at all."""
    model, header = table.model(), table.horizontalHeader()
    if model is None:
        return []
    found = []
    rows = range(max(0, table.rowAt(0)), min(model.rowCount(), max(0, table.rowAt(0)) + 30))
    for column in range(model.columnCount()):
        wide = header.sectionSize(column)
        left = header.sectionViewportPosition(column)
        if table.isColumnHidden(column) or left + wide < 0 or left > table.viewport().width():
            continue
        heading = model.headerData(column, Qt.Orientation.Horizontal)
        texts = [("heading", str(heading or ""), header.fontMetrics())]
        for row in rows:
            if table.itemDelegateForColumn(column) not in (None, table.itemDelegate()):
                break  # paints as it likes
            said = model.index(row, column).data()
            texts.append((f"row {row}", "" if said is None else str(said), table.fontMetrics()))
        for where, text, metrics in texts:
            needed = metrics.horizontalAdvance(text)
            if needed <= wide - 6:
                continue
            if NUMBER.match(text) or wide < metrics.horizontalAdvance("mmmm") + 12:
                found.append(f"{table.accessibleName()} > {where} {text!r} has {wide} for {needed}")
    return found


def shown_text(widget: QWidget) -> str:
    """What a widget says."""
    if isinstance(widget, QComboBox):
        return widget.currentText()
    if isinstance(widget, QAbstractSpinBox | QLineEdit):
        return widget.text()
    if isinstance(widget, QLabel | QAbstractButton | Pill):
        return widget.text()
    return ""


def cut_texts(root: QWidget) -> list[str]:
    """A line for each visible text under `root` that does not fit."""
    found = []
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or not widget.width() or not widget.height():
            continue
        fault = None
        if isinstance(widget, QTableView):
            found += _table_faults(widget)
        if isinstance(widget, QLabel):
            fault = _label_fault(widget)
        elif isinstance(widget, QAbstractButton):
            fault = _button_fault(widget)
        elif isinstance(widget, QComboBox | QAbstractSpinBox | QLineEdit):
            fault = _field_fault(widget)
        elif isinstance(widget, Pill) and widget.width() < widget.sizeHint().width():
            fault = f"is {widget.width()} wide, not {widget.sizeHint().width()}"
        text = shown_text(widget)
        if fault is None and text:
            fault = _clipped(widget, root)
        if fault is not None:
            around = widget.parentWidget()
            found.append(f"{type(around).__name__} > {type(widget).__name__} {text!r} {fault}")
    return found
