"""The Test page: how good a trained model is, which columns matter, and where it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from modellab.gui.kit import (
    Banner,
    EmptyState,
    Label,
    PageHead,
    PrimaryButton,
    SegmentedControl,
    count_text,
    duration_text,
    size_text,
)
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.pages.lazy import LazyPage
from modellab.gui.pages.report_facts import metric_words, score_text, verdict
from modellab.gui.theme import px, theme_hub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modellab.gui.session_training import Training

TABS = (
    ("overview", "Scores", "Scores against the baselines, and what is taken for what."),
    ("curves", "Curves", "How the model behaves at every threshold, or how far off it is."),
    ("features", "Features", "Which columns matter to the model."),
    ("errors", "Where it errs", "The error by the values of a column, and the worst rows."),
)
NONE = "0"


class TestPage(LazyPage):
    """Head with the choice of training; four parts below."""

    __test__ = False  # not a pytest class

    id = "test"
    title = "Test"
    icon = "flask"

    # ------------------------------------------------------------------ layout

    def build(self) -> Iterator[None]:
        self._tabs: dict[str, Any] = {}
        self._other: int | None = None
        self._shown: tuple[object, ...] | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 16, 16, 12)
        outer.setSpacing(12)
        self.training = ChoiceField(
            "Training shown",
            "The trained model that is shown here and goes live.",
            chosen=lambda key: self.session.choose(int(key)),
            parent=self,
        )
        self.training.setFixedWidth(px(210))
        self.compare = ChoiceField(
            "Compare with",
            "Show another training beside it: dashed lines and diamonds.",
            chosen=self._compare_chosen,
            parent=self,
        )
        self.compare.setFixedWidth(px(210))
        self.deploy = PrimaryButton(
            "Switch to deployment",
            "The model goes live, and the rows after the training window are replayed as a stream.",
            icon="rocket-launch",
            clicked=self.switch,
        )
        self.head = PageHead("flask", "Test", "", [self.deploy])
        outer.addWidget(self.head)
        self.verdict = Banner("info", "")
        outer.addWidget(self.verdict)
        self.stale = Banner(
            "warning",
            "Data, split or reading were changed since this model was trained. "
            "It is shown as it was.",
            [("Go to Train", "Train it again.", lambda: self.go_to.emit("train"))],
        )
        self.stale.hide()
        outer.addWidget(self.stale)
        self.empty = EmptyState(
            "flask",
            "No model yet",
            "Train a model first: it is tested on rows that it has not seen.",
            action="Go to Train",
            tip="Choose a learner and train it.",
            clicked=lambda: self.go_to.emit("train"),
        )
        outer.addWidget(self.empty, 1)
        yield
        self.content = QWidget()
        outer.addWidget(self.content, 1)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(self._bar())
        self.stack = QStackedWidget()
        column.addWidget(self.stack, 1)
        self.watch_all("trainings", "experiment", "data", "deployment", "jobs")
        theme_hub().theme_changed.connect(self._themed)
        self.refresh()

    def _bar(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.tabs = SegmentedControl("Part", TABS, changed=self.show_tab)
        row.addWidget(self.tabs)
        row.addStretch(1)
        label = Label("Training", 12, 400, "second")
        label.setBuddy(self.training)
        row.addWidget(label)
        row.addWidget(self.training)
        label = Label("compared with", 12, 400, "second")
        label.setBuddy(self.compare)
        row.addWidget(label)
        row.addWidget(self.compare)
        return row

    def _tab(self, key: str) -> Any:
        """Return a part, made when it is first shown."""
        if key in self._tabs:
            return self._tabs[key]
        tab: QWidget
        if key == "overview":
            from modellab.gui.pages.testing_overview import OverviewTab

            tab = OverviewTab()
        elif key == "curves":
            from modellab.gui.pages.testing_curves import CurvesTab

            tab = CurvesTab()
        elif key == "features":
            from modellab.gui.pages.testing_features import FeaturesTab

            tab = FeaturesTab()
        else:
            from modellab.gui.pages.testing_errors import ErrorsTab

            errors = ErrorsTab()
            errors.row_wanted.connect(self._show_row)
            tab = errors
        self._tabs[key] = tab
        self.stack.addWidget(tab)
        return tab

    # ------------------------------------------------------------------ page

    def available(self) -> str | None:
        if self.session.data is None:
            return "Open data first."
        return None if self.session.chosen is not None else "Train a model first."

    def status(self) -> list[str]:
        chosen = self.session.chosen
        if chosen is None:
            return []
        report = chosen.report
        told = [f"tested on rows {report.start:,} to {report.stop - 1:,}"]
        if report.unlabelled:
            told.append(f"{count_text(report.unlabelled)} without a label")
        return told

    # ------------------------------------------------------------------ what is shown

    def refresh(self) -> None:
        """Show what the session holds."""
        session = self.session
        chosen = session.chosen
        self.content.setVisible(chosen is not None)
        self.verdict.setVisible(chosen is not None)
        self.empty.setVisible(chosen is None)
        self.deploy.set_reason(
            session.why_no_deploy,
            "The model goes live, and the rows after the training window are replayed as a stream.",
        )
        if chosen is None:
            self.stale.hide()
            self.head.set_title("Test", "")
            return
        self.stale.setVisible(chosen.stale(session.experiment))
        self._choices(chosen)
        self._show_head(chosen)
        self._show_tab()
        self.status_changed.emit()

    def _choices(self, chosen: Training) -> None:
        newest = list(reversed(self.session.trainings))
        self.training.set_options([(str(t.id), t.name) for t in newest], str(chosen.id))
        others = [t for t in newest if t is not chosen]
        if self._other not in [t.id for t in others]:
            self._other = None
        options = [(NONE, "nothing"), *((str(t.id), t.name) for t in others)]
        self.compare.set_options(options, str(self._other or NONE))
        self.compare.setEnabled(bool(others))

    @property
    def other(self) -> Training | None:
        """The training compared with."""
        return next((t for t in self.session.trainings if t.id == self._other), None)

    def _show_head(self, chosen: Training) -> None:
        report, result = chosen.report, chosen.result
        facts = [
            f"{metric_words(report.metric).title} {score_text(report.metric, report.value)} "
            f"on {count_text(report.scored)} rows it has not seen",
            f"trained on {count_text(result.rows)} rows in {duration_text(result.fit_seconds)}",
            size_text(report.model_bytes),
        ]
        self.head.set_title(chosen.title, " · ".join(facts))
        severity, sentence = verdict(report)
        warnings = [*report.warnings]
        warnings += [w for w in result.warnings if w not in warnings]
        if report.unanswered:
            warnings.append(f"It gave no answer for {count_text(report.unanswered)} rows.")
        if warnings:
            severity = "warning"
            sentence = " ".join([sentence, *warnings]).strip()
        self.verdict.set_text(sentence, severity)  # type: ignore[arg-type]
        self.verdict.setVisible(bool(sentence))

    def show_tab(self, key: str) -> None:
        """Show a part of the page."""
        self.tabs.set_current(key)
        self._show_tab()

    def _show_tab(self) -> None:
        chosen = self.session.chosen
        if chosen is None:
            return
        key = self.tabs.current()
        tab = self._tab(key)
        self.stack.setCurrentWidget(tab)
        wanted = (key, chosen.id, self._other)
        if wanted != self._shown:
            self._shown = wanted
            tab.show_training(chosen, self.other)

    def _compare_chosen(self, key: str) -> None:
        self._other = int(key) or None
        self._show_tab()

    def _themed(self) -> None:
        # Lines and bars carry colours of their own.
        self._shown = None
        self._changed()

    def take_down(self) -> None:
        if self._watching:
            theme_hub().theme_changed.disconnect(self._themed)
        super().take_down()

    # ------------------------------------------------------------------ what is done

    def switch(self) -> None:
        """Switch to deployment and show it."""
        if self.session.why_no_deploy is None and self.session.deploy() is not None:
            self.go_to.emit("deploy")

    def _show_row(self, row: int) -> None:
        self.session.show_row(row)
        self.go_to.emit("data")
