"""The recommendation: one sentence, why, how sure, key figures; its course and its warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QVBoxLayout, QWidget

from modellab.gui.decide import words
from modellab.gui.decide.looks import Looks, look_of
from modellab.gui.decide.stream_curve import StreamCurve
from modellab.gui.decide.terms import explain
from modellab.gui.kit import (
    Banner,
    Card,
    Label,
    LinkButton,
    Pill,
    StatFigure,
    tip_text,
)
from modellab.gui.pages.flow import FlowLayout
from modellab.gui.theme import px, set_font, theme

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent

    from modellab.gui.session_deployment import Deployment
    from modellab.verdict.values import Verdict

FIRST_WARNINGS = 2
WHY = "Show all the evidence behind the recommendation, or hide it."
NARROW = 900
"""Below this width (at 100 % text) the course goes under the words."""


class VerdictCard(Card):
    """Shows a verdict; faint when it is stale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(margin=16, parent=parent)
        self.setAccessibleName("Verdict")
        self.pill = Pill("Judging", "neutral")
        self.sure = Label("", 12, 400, "second")
        self.sentence = Label("", 28, 600, wrap=True, tabular=False)
        self.rest = Label("", 14, 400, "second", wrap=True)
        self.reasons = Label("", 13, 400, "second", wrap=True)
        self.why = LinkButton("Why?", WHY)
        self._why_open = False
        self.curve = StreamCurve()
        self.warning = Banner("warning", "")
        self.warning.hide()
        self.more = LinkButton("More", "Show all warnings, or only the first ones.")
        self.more.hide()
        self._figures: list[StatFigure] = []
        self._figure_box = QWidget()
        self._flow = FlowLayout(gap=32, line_gap=10)
        self._figure_box.setLayout(self._flow)
        self._colour = ""
        self._warnings: list[str] = []
        self._all = False
        self.more.clicked.connect(self._toggle)
        self.why.clicked.connect(self._toggle_why)
        self._build()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(px(12))
        head.addWidget(self.pill)
        head.addWidget(self.sure)
        head.addWidget(self.why)
        head.addStretch(1)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(px(8), 0, 0, 0)
        column.setSpacing(px(6))
        column.addLayout(head)
        column.addWidget(self.sentence)
        column.addWidget(self.rest)
        column.addWidget(self.reasons)
        column.addStretch(1)
        column.addWidget(self._figure_box)
        right = QWidget()
        side = QVBoxLayout(right)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(px(8))
        side.addWidget(self.curve, 1)
        side.addWidget(self.warning)
        side.addWidget(self.more)
        self._right = right
        self._across = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._across.setSpacing(px(28))
        self._across.addWidget(left, 64)
        self._across.addWidget(right, 36)
        self.body.addLayout(self._across)

    # ------------------------------------------------------------------ showing

    def set_verdict(
        self, verdict: Verdict | None, live: Deployment | None, looks: Looks, *, faint: bool
    ) -> None:
        """Show another verdict, or that there is none yet."""
        self.curve.show_courses(live, verdict, looks)
        for widget in (self.sentence, self.rest, self.reasons):
            widget.setEnabled(not faint)
        self._figure_box.setEnabled(not faint)
        if verdict is None:
            self._nothing()
            return
        word, told, tone = words.SURE_WORDS[verdict.sure]
        if verdict.recommended is None and verdict.sure != "too early":
            word, told, tone = "No verdict", "there is nothing to recommend", "neutral"
        self.pill.setText(word)
        self.pill.set_tone(tone)  # type: ignore[arg-type]
        meaning = explain(verdict.sure)
        self.pill.setToolTip(tip_text(meaning))
        self.sure.setText(told)
        self.sure.setToolTip(tip_text(meaning))
        self._say(*words.headline(verdict), verdict.reasons)
        self._colour = look_of(looks, verdict.recommended).colour if verdict.recommended else ""
        self._show_figures(words.key_figures(verdict))
        self._warnings = list(verdict.warnings)
        self._show_warnings()
        self.update()

    def _nothing(self) -> None:
        self.pill.setText("Judging")
        self.pill.set_tone("neutral")
        self.sure.setText("the lanes are being compared")
        self._say("The verdict is being made.", "", [])
        self._colour = ""
        self._show_figures([])
        self._warnings = []
        self._show_warnings()
        self.update()

    def _say(self, sentence: str, rest: str, reasons: list[str]) -> None:
        self.sentence.setText(sentence)
        set_font(self.sentence, words.title_size(sentence), 600, tabular=False)
        self.rest.setText(rest)
        self.rest.setVisible(bool(rest))
        self.reasons.setText("\n".join(f"\N{BULLET} {reason}" for reason in reasons))
        self.why.setVisible(bool(reasons))
        self._show_reasons()

    def _show_reasons(self) -> None:
        self.reasons.setVisible(self._why_open and bool(self.reasons.text()))
        self.why.set_text("Hide the reasons" if self._why_open else "Why?")

    def _toggle_why(self) -> None:
        self._why_open = not self._why_open
        self._show_reasons()

    def _show_figures(self, figures: list[tuple[str, str, str]]) -> None:
        while len(self._figures) < len(figures):
            made = StatFigure("", "", size=20)
            self._figures.append(made)
            self._flow.addWidget(made)
        for shown, (value, caption, term) in zip(self._figures, figures, strict=False):
            shown.set_value(value, caption)
            shown.setToolTip(tip_text(explain(term)))
            shown.setAccessibleDescription(explain(term))
        for number, shown in enumerate(self._figures):
            shown.setVisible(number < len(figures))
        self._figure_box.setVisible(bool(figures))

    def figures(self) -> list[str]:
        """Return the figures on screen."""
        return [f.value() for f in self._figures if not f.isHidden()]

    def _show_warnings(self) -> None:
        shown = self._warnings if self._all else self._warnings[:FIRST_WARNINGS]
        self.warning.setVisible(bool(shown))
        if shown:
            self.warning.set_text("\n".join(shown))
        hidden = len(self._warnings) - FIRST_WARNINGS
        self.more.setVisible(hidden > 0)
        if hidden > 0:
            self.more.set_text("Fewer" if self._all else f"{hidden} more")

    def _toggle(self) -> None:
        self._all = not self._all
        self._show_warnings()

    # ------------------------------------------------------------------ looks

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < px(NARROW)
        wanted = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        if self._across.direction() != wanted:
            self._across.setDirection(wanted)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._colour:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QPainterPath()
        whole.addRoundedRect(QRectF(self.rect()), 8, 8)
        painter.setClipPath(whole)
        colour = self._colour if self.sentence.isEnabled() else theme().border
        painter.fillRect(QRectF(0, 0, px(5), self.height()), QColor(colour))
        painter.setPen(Qt.PenStyle.NoPen)
