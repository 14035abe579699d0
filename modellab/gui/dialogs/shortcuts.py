"""Help: every command with its shortcut, the words of the program, and what this program is."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from modellab import __version__
from modellab.gui.actions import MENUS
from modellab.gui.decide.terms import HELPED, TERMS
from modellab.gui.header import Sign
from modellab.gui.kit.buttons import PlainButton, PrimaryButton, SegmentedControl
from modellab.gui.kit.frames import Rule
from modellab.gui.kit.text import Label, describe
from modellab.gui.palette import match_score
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.actions import Action, ActionRegistry

WORDS: tuple[tuple[str, str], ...] = (
    ("Data set", "One or more files read as one table, its rows in order."),
    ("Training window", "The first rows: the first model is trained on them, all at once."),
    ("Stream", "The rows after the training window. They are replayed in order, as if live."),
    ("Position", "The number of a row in the data set: the clock of a replay."),
    ("Lane", "One learner under one policy, running on the stream beside the others."),
    ("Learner", "A model that can be trained and asked for predictions."),
    (
        "Policy",
        "What keeps a deployed model fresh: nothing (static), retraining on a schedule, or "
        "learning from every row (online).",
    ),
    (
        "Predict first, then learn",
        "Every row tests the model before it may teach it (prequential evaluation), and it teaches "
        "only once its label has arrived.",
    ),
    ("Baseline", "A rule that learns nothing, such as repeating the last label: the bar to beat."),
    ("Windowed error", "The error over the last rows, so that a change shows soon after it came."),
    ("Drift", "The data change: what the model learned holds less and less."),
    (
        "Learning rate",
        "How far an online model moves with each row. High follows changes fast but is restless; "
        "low is calm but slow.",
    ),
    ("Intervention", "Something you change during a replay, marked on the plots and undoable."),
    ("Journal", "All interventions with their positions. Replaying it gives the same numbers."),
    ("Checkpoint", "The whole state of a replay at a position, to go back to."),
    ("Encoder", "Turns columns into numbers; it is fitted on the training window alone."),
    *((TERMS[key].word, f"{TERMS[key].plain} {TERMS[key].exact}") for key in HELPED),
)
"""Words of the program, each with its meaning in one or two sentences."""


class HelpDialog(QDialog):
    """Shortcuts and words, with a search field over both."""

    def __init__(self, registry: ActionRegistry, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Help")
        self._registry = registry
        self.resize(px(720), px(620))
        self._which = SegmentedControl(
            "Help",
            [
                ("shortcuts", "Commands and shortcuts", "Every command with its shortcut."),
                ("words", "Words", "What the words of Model Lab mean."),
            ],
            changed=lambda _key: self._fill(),
        )
        self.field = QLineEdit()
        """Narrows what is listed."""
        self.field.setPlaceholderText("Search")
        self.field.setClearButtonEnabled(True)
        describe(self.field, "Search help", "Type part of a command or a word.")
        self.field.textChanged.connect(lambda _text: self._fill())
        top = QHBoxLayout()
        top.addWidget(self._which)
        top.addStretch(1)
        top.addWidget(self.field, 1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.viewport().setAutoFillBackground(False)
        describe(self._scroll, "Help text", "What was found.")
        self._scroll.setToolTip("")
        frame = QFrame()
        frame.setProperty("kind", "card")
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(2, 2, 2, 2)
        inside.addWidget(self._scroll)
        close = PrimaryButton("Close", "Close the help.", clicked=self.accept)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addLayout(top)
        layout.addWidget(frame, 1)
        layout.addLayout(foot)
        self._fill()

    def show_words(self) -> None:
        """Turn to the words."""
        self._which.set_current("words")
        self._fill()

    def listed(self) -> list[str]:
        """Return the first column of what is listed."""
        return list(self._names)

    def _fill(self) -> None:
        typed = self.field.text()
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setContentsMargins(16, 12, 16, 12)
        grid.setHorizontalSpacing(20)
        grid.setVerticalSpacing(7)
        grid.setColumnStretch(1, 1)
        self._names: list[str] = []
        rows = self._words(grid, typed) if self._which.current() == "words" else None
        if rows is None:
            rows = self._shortcuts(grid, typed)
        if not self._names:
            grid.addWidget(Label("Nothing is called that.", 13, 400, "second"), 0, 0, 1, 3)
        grid.setRowStretch(rows + 1, 1)
        self._scroll.setWidget(inner)
        inner.setAutoFillBackground(False)

    def _words(self, grid: QGridLayout, typed: str) -> int:
        row = 0
        for word, meaning in WORDS:
            if match_score(typed, f"{word} {meaning}") is None:
                continue
            grid.addWidget(Label(word, 13, 600), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(Label(meaning, 13, 400, "second", wrap=True), row, 1, 1, 2)
            self._names.append(word)
            row += 1
        return row

    def _shortcuts(self, grid: QGridLayout, typed: str) -> int:
        row = 0
        for menu in (*MENUS, ""):
            found = [
                action
                for action in self._registry
                if action.menu.split("/")[0] == menu
                and match_score(typed, f"{action.name} {action.tip}") is not None
            ]
            if not found:
                continue
            if row:
                grid.addWidget(Rule(), row, 0, 1, 3)
                row += 1
            grid.addWidget(Label(menu or "Elsewhere", 12, 600, "second"), row, 0, 1, 3)
            row += 1
            for action in found:
                self._row(grid, row, action)
                row += 1
        return row

    def _row(self, grid: QGridLayout, row: int, action: Action) -> None:
        name = Label(action.full_name, 13, 500)
        name.setMaximumWidth(px(220))
        grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(Label(action.tip, 12, 400, "second", wrap=True), row, 1)
        keys = Label(action.shortcut_text, 12, 600)
        keys.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
        grid.addWidget(keys, row, 2)
        self._names.append(action.full_name)


def versions_text() -> str:
    """Return the versions that a report of a problem needs."""
    return (
        f"Model Lab {__version__}\nPython {platform.python_version()}\nQt {qVersion()}\n"
        f"{platform.system()} {platform.machine()}"
    )


class AboutDialog(QDialog):
    """What this program is, its version, and on what it runs."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("About Model Lab")
        self.setFixedWidth(px(460))
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(Sign())
        head.addWidget(Label("Model Lab", 20, 600))
        head.addStretch(1)
        words = Label(
            "Train a model, deploy it on the rows that follow, and see how it holds up beside "
            "models that are retrained or learn from every row. Your files stay on this computer "
            "and are never changed.",
            13,
            400,
            "second",
            wrap=True,
        )
        facts = Label(versions_text(), 12, 400, "second")
        parts = Label(
            "Typeface: Inter, SIL Open Font License. Icons: Phosphor, MIT licence.",
            12,
            400,
            "third",
            wrap=True,
        )
        copy = PlainButton(
            "Copy versions", "Copy the versions, for a report of a problem.", icon="copy"
        )
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(versions_text()))
        close = PrimaryButton("Close", "Close.", clicked=self.accept)
        foot = QHBoxLayout()
        foot.addWidget(copy)
        foot.addStretch(1)
        foot.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 22, 24, 18)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(words)
        layout.addWidget(facts)
        layout.addWidget(parts)
        layout.addSpacing(4)
        layout.addLayout(foot)
