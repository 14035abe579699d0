"""What every page must keep: a page's test class inherits the test, whose parts fail one by one.

The page is made once for all parts: making it costs a hundred times what looking at it does.

class TestDataPage(PageContract):
    def make(self, bench):
        from modellab.gui.pages.data import DataPage
        return DataPage(bench.session)

    def fill(self, bench, tmp_path):
        bench.open(tmp_path / "prices.csv")
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)

# The least window is 1280 x 720; header 40, status bar 28, rail 80 are not the page's.
ROOM = (1200, 652)
CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
)


def controls(root: QWidget) -> list[QWidget]:
    """All controls under `root` that a person can use, without the inner parts of Qt's own."""
    found = []
    for widget in root.findChildren(QWidget):
        if not isinstance(widget, CONTROLS) or isinstance(widget, QScrollBar | QHeaderView):
            continue
        parent = widget.parentWidget()
        inner = isinstance(parent, QAbstractSpinBox | QComboBox | QLineEdit | QMenu)
        of_qt = widget.metaObject().className() in ("QTableCornerButton", "QComboBoxListView")
        if not inner and not of_qt:
            found.append(widget)
    return found


def called(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return f"{type(widget).__name__} {widget.accessibleName() or text or widget.objectName()!r}"


class PageContract:
    """Inherit, and give `make` (and `fill`)."""

    def make(self, bench: Any) -> Any:
        raise NotImplementedError

    def fill(self, bench: Any, tmp_path: Path) -> None:
        """Bring the session into the state that the page is for."""

    @pytest.fixture(params=["empty", "filled"])
    def page(
        self,
        request: pytest.FixtureRequest,
        gui_bench: Any,
        qtbot: Any,
        looks: None,
        tmp_path: Path,
    ) -> Iterator[Any]:
        made = self.make(gui_bench)
        qtbot.addWidget(made)
        made.resize(*ROOM)
        made.show()
        made.shown()
        if request.param == "filled":
            self.fill(gui_bench, tmp_path)
        for _ in range(10):
            QApplication.processEvents()
        yield made
        made.hidden()
        made.take_down()
        made.close()
        gui_bench.session.close(keep=False)

    def test_keeps_the_contract(
        self, page: Any, picture: Any, request: pytest.FixtureRequest, subtests: pytest.Subtests
    ) -> None:
        name = f"{request.path.stem}-{request.node.callspec.params['page']}"
        for part in (
            self.fits_the_least_window,
            self.every_control_has_a_name_and_an_explanation,
            self.every_control_can_be_reached_by_keyboard,
            self.text_is_plain,
            self.says_when_it_can_be_reached,
            self.actions_are_explained,
        ):
            with subtests.test(part.__name__):
                part(page)
        with subtests.test("light_and_dark"):
            self.light_and_dark(page, picture, name)
        with subtests.test("taken_down_it_listens_no_more"):
            self.taken_down_it_listens_no_more(page)

    def fits_the_least_window(self, page: Any) -> None:
        least = page.minimumSizeHint()
        assert least.width() <= ROOM[0], least
        assert least.height() <= ROOM[1], least
        assert (page.width(), page.height()) == ROOM

    def every_control_has_a_name_and_an_explanation(self, page: Any) -> None:
        nameless = [called(w) for w in controls(page) if not w.accessibleName().strip()]
        assert not nameless
        unexplained = [
            called(w)
            for w in controls(page)
            if not isinstance(w, QAbstractItemView)
            and not w.toolTip().strip()
            and not w.accessibleDescription().strip()
        ]
        assert not unexplained

    def every_control_can_be_reached_by_keyboard(self, page: Any) -> None:
        unreachable = [
            called(w)
            for w in controls(page)
            if w.isVisible() and w.isEnabled() and w.focusPolicy() == Qt.FocusPolicy.NoFocus
        ]
        assert not unreachable

    def text_is_plain(self, page: Any) -> None:
        rich = [
            label.text()
            for label in page.findChildren(QLabel)
            if label.textFormat() != Qt.TextFormat.PlainText and label.text()
        ]
        assert not rich

    def light_and_dark(self, page: Any, picture: Any, name: str) -> None:
        from modellab.gui.theme import DARK, LIGHT, theme_hub

        seen = {}
        for mode, tokens in (("light", LIGHT), ("dark", DARK)):
            theme_hub().set_mode(mode)
            image = picture(page, f"{name}-{mode}")
            colours = {
                image.pixelColor(x, y).name()
                for x in range(2, image.width(), 9)
                for y in range(2, image.height(), 9)
            }
            assert len(colours) > 3, "the page is blank"
            other = DARK if tokens is LIGHT else LIGHT
            assert other.window.lower() not in colours, f"a ground of the other theme in {mode}"
            seen[mode] = colours
        assert seen["light"] != seen["dark"]

    def says_when_it_can_be_reached(self, page: Any) -> None:
        why = page.available()
        assert why is None or (why[0].isupper() and why.rstrip().endswith("."))

    def actions_are_explained(self, page: Any) -> None:
        from modellab.gui.actions import ActionRegistry

        registry = ActionRegistry()
        for action in page.actions_offered():
            registry.add(action)
            why = action.enabled()
            assert why is None or why.rstrip().endswith(".")

    def taken_down_it_listens_no_more(self, page: Any) -> None:
        topics = page.session.topics
        before = {name: len(callbacks) for name, callbacks in topics._callbacks.items()}
        page.take_down()
        after = {name: len(callbacks) for name, callbacks in topics._callbacks.items()}
        assert not page._watching
        assert all(after[name] <= before[name] for name in before)
        left = [
            callback
            for callbacks in topics._callbacks.values()
            for callback in callbacks
            if getattr(callback, "__self__", None) is page
        ]
        assert not left
