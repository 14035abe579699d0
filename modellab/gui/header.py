"""The header: sign, menus, the document's name and state, the way to the command palette, theme."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenuBar, QPushButton, QSizePolicy, QWidget

from modellab.gui.kit.buttons import IconButton
from modellab.gui.kit.frames import IconLabel
from modellab.gui.kit.text import ElidedLabel, Label, describe
from modellab.gui.theme import px, set_font, set_height, theme

HEIGHT = 40


def paint_sign(painter: QPainter, line: str, dot: str) -> None:
    """Paint the program's sign, a curve that ends in a dot, into 26 by 20 pixels."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(QColor(line), 2)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.drawPolyline([QPointF(3, 15), QPointF(8.5, 9), QPointF(13, 13), QPointF(19, 6.5)])
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(dot))
    painter.drawEllipse(QPointF(22, 3.6), 2.6, 2.6)


class Sign(QWidget):
    """The program's sign."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(px(26), px(20))
        self.setAccessibleName("Model Lab")

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.scale(self.width() / 26, self.height() / 20)
        paint_sign(painter, tokens.text, tokens.lanes[0])


class SearchButton(QPushButton):
    """Looks like a search field and opens the command palette."""

    def __init__(self, shortcut: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "search")
        self.setAutoDefault(False)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        describe(self, "Search commands", "Find and do any command by typing a few of its letters.")
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(px(9), 0, px(9), 0)
        row.setSpacing(px(7))
        row.addWidget(IconLabel("magnifying-glass", size=14, role="second"))
        row.addWidget(Label("Search commands", 12, 400, "second"))
        row.addStretch(1)
        row.addWidget(Label(shortcut, 11, 500, "third"))
        for label in self.findChildren(QWidget):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def sizeHint(self) -> QSize:
        return QSize(max(px(200), self._row.minimumSize().width()), super().sizeHint().height())


class Header(QFrame):
    """The bar over everything."""

    def __init__(self, search_shortcut: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "header")
        set_height(self, HEIGHT)
        self._document = "", "", ""
        self.menu_bar = QMenuBar()
        """Filled from the registry of actions."""
        self.menu_bar.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        set_font(self.menu_bar, 13)
        left = QWidget()
        row = QHBoxLayout(left)
        row.setContentsMargins(px(26), 0, 0, 0)
        row.setSpacing(px(34))
        row.addWidget(Sign())
        row.addWidget(self.menu_bar)
        row.addStretch(1)
        middle = QWidget()
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(9))
        self._title = ElidedLabel("", 13, 600, mode=Qt.TextElideMode.ElideMiddle, tabular=False)
        self._title.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._title.setMaximumWidth(px(320))
        self._state = Label("", 12, 400, "second")
        row.addWidget(self._title)
        row.addWidget(self._state)
        right = QWidget()
        row = QHBoxLayout(right)
        row.setContentsMargins(0, 0, px(14), 0)
        row.setSpacing(px(14))
        row.addStretch(1)
        self.search = SearchButton(search_shortcut)
        """Opens the command palette."""
        self.theme_button = IconButton("moon", "Theme", "Turn between light and dark.", size=32)
        """Turns the theme."""
        row.addWidget(self.search)
        row.addWidget(self.theme_button)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 1)
        whole.setSpacing(8)
        whole.addWidget(left, 1)
        whole.addWidget(middle)
        whole.addWidget(right, 1)

    def set_document(self, title: str, state: str, tip: str = "") -> None:
        """Show the document's name and whether it is saved."""
        if (title, state, tip) == self._document:
            return
        self._document = title, state, tip
        self._title.setText(title)
        self._title.set_tip(tip)
        self._state.setText(state)

    def document(self) -> tuple[str, str]:
        """Return the name and the state as shown."""
        return self._title.text(), self._state.text()

    def show_theme(self) -> None:
        """Show what the theme button would turn to."""
        dark = theme().dark
        self.theme_button.set_icon("sun" if dark else "moon")
        other = "light" if dark else "dark"
        describe(self.theme_button, f"Turn to the {other} theme", f"Turn to the {other} theme.")
