"""The Decide page: which way to keep a model alive, why, how sure, and at which prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from modellab.gui.decide.deeper import DeeperCard
from modellab.gui.decide.lanes_table import LanesCard
from modellab.gui.decide.looks import looks_of
from modellab.gui.decide.price_bars import PriceBarsCard
from modellab.gui.decide.price_fields import PriceFieldsCard
from modellab.gui.decide.scatter import NAME as SCATTER_NAME
from modellab.gui.decide.scatter import ScatterPlot, usual_across
from modellab.gui.decide.take_away import TakeAwayCard
from modellab.gui.decide.verdict_card import VerdictCard
from modellab.gui.kit import Banner, EmptyState, SegmentedControl, count_text
from modellab.gui.pages.base import Page
from modellab.gui.pages.plot_card import PlotCard
from modellab.gui.pages.scroll import scrolled
from modellab.gui.theme import px, theme_hub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtGui import QResizeEvent

    from modellab.gui.actions import Action

GAP = 12
WIDE = 1340
"""Width of the page, at 100 % text, from which prices and bars stand side by side."""
NARROW = 900
"""Below this width (large text) all cards stand below each other."""
ARRANGED: dict[int, tuple[tuple[tuple[int, int, int, int], ...], tuple[int, ...]]] = {
    3: (((0, 0, 2, 1), (0, 1, 1, 1), (0, 2, 1, 1), (1, 1, 1, 1), (1, 2, 1, 1)), (48, 26, 26)),
    2: (((0, 0, 2, 1), (0, 1, 1, 1), (1, 1, 1, 1), (2, 0, 1, 1), (2, 1, 1, 1)), (60, 40)),
    1: (tuple((row, 0, 1, 1) for row in range(5)), (1,)),
}
"""By number of columns: row, column and spans of scatter, bars, prices, deeper and take-away; and
the columns' shares of the width."""
NEWS_MS = 200
ACROSS = (
    ("upkeep", "cost", "Across: the cost of upkeep, at your prices."),
    ("cpu", "CPU", "Across: CPU seconds, whatever they cost."),
    ("retrains", "retrains", "Across: how often a new model was trained."),
)
UP = (
    ("error", "error", "Upwards: the error."),
    ("total", "total cost", "Upwards: what the lane would have cost in all, errors included."),
)


class DecidePage(Page):
    """Shows the session's verdict and lets prices be tried."""

    id = "decide"
    title = "Decide"
    icon = "scales"

    def build(self) -> Iterator[None]:
        session = self.session
        self.state = session.verdict_state
        self._across: str | None = None
        self._columns = 0
        self._on_screen = False
        self._news = QTimer(self)
        self._news.setSingleShot(True)
        self._news.setInterval(NEWS_MS)
        self._news.timeout.connect(self._say)
        self.stack = QStackedWidget()
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.stack)
        self.empty = EmptyState(
            "scales",
            "No verdict yet",
            "A verdict compares lanes on rows that were replayed: switch to deployment, play the "
            "stream, and come back.",
            action="Go to Deploy",
            tip="Show the Deploy page.",
            clicked=lambda: self.go_to.emit("deploy"),
        )
        self.stack.addWidget(self.empty)
        inner = QWidget()
        self.area = scrolled(inner)
        self.area.setAccessibleName("Verdict and evidence")
        self.stack.addWidget(self.area)
        yield from self._fill(inner)
        self.bars.changed.connect(self._price)
        self.prices.changed.connect(self._price)
        self.prices.decide_asked.connect(self.state.decide_by_these_prices)
        self.take.wanted.connect(self.run_action)
        theme_hub().theme_changed.connect(self._refresh)
        for topic in ("verdict", "deployment", "experiment"):
            self.watch(topic, self._changed)
        self.watch("jobs", self._jobs)
        self.watch("engine", self._jobs)
        self.watch("telemetry", self._telemetry)
        self._refresh()

    def _fill(self, inner: QWidget) -> Iterator[None]:
        column = QVBoxLayout(inner)
        column.setContentsMargins(px(24), px(12), px(16), px(12))
        column.setSpacing(px(GAP))
        self.banner = Banner("info", "")
        self.banner.hide()
        column.addWidget(self.banner)
        self.verdict = VerdictCard()
        column.addWidget(self.verdict)
        yield
        self.lanes = LanesCard()
        column.addWidget(self.lanes)
        yield
        lower = QWidget()
        column.addWidget(lower, 1)
        self._grid = QGridLayout(lower)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(px(GAP))
        self.scatter = ScatterPlot()
        self.across = SegmentedControl("Across", ACROSS, changed=self._across_chosen)
        self.up = SegmentedControl("Upwards", UP, changed=lambda _key: self._draw_scatter())
        self.scatter_card = PlotCard(SCATTER_NAME, "", self.scatter, actions=(self.across, self.up))
        self.scatter_card.setMinimumHeight(px(300))
        self._grid.addWidget(self.scatter_card)
        yield
        self.bars = PriceBarsCard()
        self._grid.addWidget(self.bars)
        yield
        self.prices = PriceFieldsCard()
        self._grid.addWidget(self.prices)
        yield
        self.deeper = DeeperCard(self.session)
        self.take = TakeAwayCard(self.session)
        for card in (self.deeper, self.take):
            self._grid.addWidget(card)
        yield
        self._arrange()
        yield

    def _arrange(self) -> None:
        """Stand the lower cards side by side, or some below others."""
        columns = 3 if self.width() >= px(WIDE) else 2 if self.width() >= px(NARROW) else 1
        if columns == self._columns:
            return
        self._columns = columns
        grid = self._grid
        cards: tuple[QWidget, ...] = (
            self.scatter_card,
            self.bars,
            self.prices,
            self.deeper,
            self.take,
        )
        for card in cards:
            grid.removeWidget(card)
        places, shares = ARRANGED[columns]
        for card, place in zip(cards, places, strict=True):
            grid.addWidget(card, *place)
        for at in range(3):
            grid.setColumnStretch(at, shares[at] if at < len(shares) else 0)

    # ------------------------------------------------------------------ the page

    def available(self) -> str | None:
        live = self.session.deployment
        if self.session.experiment is None:
            return "Open data first."
        if live is None:
            return "Switch to deployment first: a verdict compares lanes on replayed rows."
        if not live.started and self.state.verdict is None:
            return "Play the stream first: no row was replayed yet."
        return None

    def shown(self) -> None:
        self._on_screen = True
        self.state.open()
        self._refresh()

    def hidden(self) -> None:
        self._on_screen = False
        self._news.stop()
        self.state.close()

    def status(self) -> list[str]:
        live, verdict = self.session.deployment, self.state.verdict
        if live is None or verdict is None:
            return []
        texts = [f"compared on {count_text(verdict.rows)} rows"]
        if live.position < live.stop:
            texts.append(f"{count_text(live.stop - live.position)} rows still to come")
        return texts

    def actions_offered(self) -> list[Action]:
        from modellab.gui.actions import Action

        state = self.state
        return [
            Action(
                "decide.hindsight",
                "Compute the &hindsight optimum",
                "Find the best retraining dates, had one known the future: the yardstick.",
                state.find_hindsight,
                "",
                "clock-counter-clockwise",
                "Run",
                lambda: state.why_no_hindsight,
                7,
            ),
            Action(
                "decide.sensitivity",
                "Measure sensitivity to &bad data",
                "Replay a part of the stream with flipped labels, missing values, a wrong unit.",
                state.measure_sensitivity,
                "",
                "bug",
                "Run",
                lambda: state.why_no_sensitivity,
                7,
            ),
        ]

    def take_down(self) -> None:
        self.hidden()
        if self._watching:  # the first time
            theme_hub().theme_changed.disconnect(self._refresh)
        super().take_down()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.complete:
            self._arrange()

    def reset_layout(self) -> None:
        self.lanes.table.forget_choice()

    # ------------------------------------------------------------------ showing

    def _changed(self) -> None:
        if self._on_screen:
            self._refresh()

    def _telemetry(self) -> None:
        if self._on_screen and not self._news.isActive():
            self._news.start()

    def _jobs(self) -> None:
        if self._on_screen:
            self.deeper.refresh()
            self._say()

    def _refresh(self) -> None:
        """Show what the session knows."""
        live, verdict = self.session.deployment, self.state.verdict
        nothing = live is None or (verdict is None and not live.started)
        self.stack.setCurrentWidget(self.empty if nothing else self.area)
        if nothing:
            return
        looks = looks_of(live)
        faint = self.state.stale is not None
        self.verdict.set_verdict(verdict, live, looks, faint=faint)
        self.lanes.set_verdict(verdict, looks, faint=faint)
        self.scatter.set_verdict(verdict, looks, faint=faint)
        self._draw_scatter()
        self.bars.set_verdict(verdict, looks, faint=faint)
        reason = self.state.why_no_prices
        self.bars.set_reason(reason)
        if self.session.experiment is not None:
            self.prices.set_prices(self.session.experiment.prices, reason)
        self.prices.set_note(self.state.decided_at_other_prices, self.state.why_not_by_these_prices)
        self.deeper.refresh()
        self.take.refresh()
        self._say()
        self.status_changed.emit()

    def _say(self) -> None:
        """Say what the verdict is worth at this moment, above it."""
        state, live = self.state, self.session.deployment
        if live is None:
            return
        stale = state.stale
        actions = []
        if state.problem and not state.asking:
            text, severity = state.problem, "error"
            if state.verdict is not None:
                text += " What you see is the verdict before it."
        elif stale is not None:
            text, severity = stale, "warning"
            if live.lost:
                severity = "error"
                lost = self.session.interrupted
                if lost is not None:
                    where = count_text(lost.position)
                    tip = "Start from the last checkpoint and replay up to this row."
                    actions = [(f"Continue from row {where}", tip, self.session.continue_replay)]
            elif self.session.deployment_stale:
                tip = "Build the deployment again, with the changes."
                actions = [("Deploy anew", tip, self.session.deploy)]
            elif not live.started:
                actions = [("Go to Deploy", "Show the Deploy page.", self._to_deploy)]
        elif live.position < live.stop:
            text, severity = self._so_far(), "info"
            actions = [("Go to Deploy", "Show the Deploy page, to play on.", self._to_deploy)]
        else:
            text, severity = "", "info"
        self.banner.setVisible(bool(text))
        if text and (text, severity) != (self.banner.text(), self.banner.property("labSaid")):
            self.banner.set_text(text, severity)  # type: ignore[arg-type]
            self.banner.set_actions(actions)
            self.banner.setProperty("labSaid", severity)

    def _so_far(self) -> str:
        state, live = self.state, self.session.deployment
        assert live is not None
        going = "The stream is being replayed" if live.playing else "The stream is paused"
        at = count_text(state.position)
        if state.verdict is None:
            return f"{going}: the first verdict is being made."
        return f"{going}. This is the verdict so far, as of row {at} of {count_text(live.stop)}."

    def _to_deploy(self) -> None:
        self.go_to.emit("deploy")

    def _across_chosen(self, key: str) -> None:
        self._across = key
        self._draw_scatter()

    def _draw_scatter(self) -> None:
        verdict = self.state.verdict
        if verdict is None or not any(row.error is not None for row in verdict.lanes):
            self.scatter_card.set_subtitle("")
            self.scatter_card.nothing("Drawn once the lanes have been compared.")
            return
        across = self._across or usual_across(verdict)
        self.across.set_current(across)
        up = self.up.current()
        self.scatter.set_axes(across, up)  # type: ignore[arg-type]
        what = "error" if up == "error" else "total cost"
        against = {
            "upkeep": "cost of retrains, compute and downtime",
            "cpu": "CPU seconds",
            "retrains": "number of retrains",
        }[across]
        told = f"{what} against {against}"
        if across != "upkeep" and self._across is None:
            told += "; upkeep is free at these prices"
        self.scatter_card.set_subtitle(told)
        self.scatter_card.told()

    # ------------------------------------------------------------------ doing

    def _price(self, name: str, value: float) -> None:
        self.state.set_prices(**{name: value})
