"""The start page: drop zone, recent files, samples, unsaved work of earlier runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from modellab import __version__
from modellab.data.places import names_data
from modellab.errors import quote
from modellab.gui.kit.buttons import LinkButton
from modellab.gui.kit.frames import Banner
from modellab.gui.kit.text import Label, count_text
from modellab.gui.notify import Notice, notifications
from modellab.gui.pages.base import Page
from modellab.gui.pages.welcome_parts import (
    DropZone,
    NewHere,
    RecentRow,
    SampleCard,
    when_text,
)
from modellab.gui.settings import settings
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtGui import QResizeEvent

    from modellab.gui.session_jobs import Job
    from modellab.gui.session_saving import Recoverable

_SHOWN = 4
"""Files of the recent list that the page shows; the menu has all."""
_WIDE = 1400
_MOST_BANNERS = 2


class WelcomePage(Page):
    """Where everything begins."""

    id: ClassVar[str] = "welcome"
    title: ClassVar[str] = "Start"
    icon: ClassVar[str] = "house"

    open_files = Signal(object)
    """Open these files: a list of ``pathlib.Path``."""
    open_sample = Signal(str)
    open_ready = Signal(str)
    """Open this sample with its lanes deployed."""

    def build(self) -> Iterator[None]:
        from modellab.data.samples import SAMPLES

        self._samples = list(SAMPLES.values())
        self._discarded: list[Recoverable] = []
        self._stop_listening = settings().listen(self._fill_recent)
        inner = QWidget()
        self._inner = inner
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.viewport().setAutoFillBackground(False)
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._column = QVBoxLayout(inner)
        self._column.setSpacing(0)
        self._column.addWidget(Label("How should your model live in production?", 32, 600))
        self._column.addSpacing(4)
        self._column.addWidget(
            Label(
                "Train once, retrain on a schedule, or learn from every row: "
                "run them side by side on your data and see.",
                16,
                400,
                "second",
                wrap=True,
            )
        )
        self._banners = QVBoxLayout()
        self._banners.setSpacing(8)
        self._column.addLayout(self._banners)
        self._column.addSpacing(px(22))
        both = QWidget()
        both.setMaximumHeight(px(664))
        self._sides = QHBoxLayout(both)
        self._sides.setContentsMargins(0, 0, 0, 0)
        self._sides.addWidget(self._left())
        self._sides.addWidget(self._right(), 1)
        self._column.addWidget(both, 100)
        self._column.addStretch(1)
        self.drop_zone.progress.cancelled.connect(self._cancel)
        self.watch("jobs", self._show_work)
        self._fill_recent()
        self._show_work()
        self._arrange(self.width())
        # In one part: it is what the window opens on.
        yield from ()

    # ------------------------------------------------------------------ building

    def _left(self) -> QWidget:
        side = QWidget()
        self._left_side = side
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(8))
        column.addWidget(Label("Your data", 14, 600))
        self.drop_zone = DropZone()
        """The drop zone with its button."""
        self.drop_zone.choose.connect(lambda: self.run_action.emit("file.open"))
        column.addWidget(self.drop_zone, 1)
        self._recent_box = QWidget()
        box = QVBoxLayout(self._recent_box)
        box.setContentsMargins(0, px(8), 0, 0)
        box.setSpacing(px(8))
        head = QHBoxLayout()
        head.addWidget(Label("Recent", 14, 600), 1)
        head.addWidget(
            LinkButton("Clear", "Empty the recent list; the files stay.", clicked=self._clear)
        )
        box.addLayout(head)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(px(8))
        box.addLayout(self._recent)
        column.addWidget(self._recent_box)
        return side

    def _right(self) -> QWidget:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(8))
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Label("Samples", 14, 600))
        head.addWidget(Label("real data, each opens a working experiment", 12, 400, "second"), 1)
        self.gallery = LinkButton(
            "More in the gallery…",
            "Real data of the libraries, made streams with known drift, and sets to be fetched.",
            clicked=lambda: self.run_action.emit("file.gallery"),
        )
        """Opens the gallery."""
        head.addWidget(self.gallery)
        column.addLayout(head)
        self._grid = QGridLayout()
        self._grid.setSpacing(px(16))
        self.cards = [SampleCard(sample) for sample in self._samples]
        """The sample cards, in order."""
        for card in self.cards:
            card.clicked.connect(lambda _=False, chosen=card.sample: self.open_sample.emit(chosen))
        column.addLayout(self._grid, 1)
        column.addSpacing(px(8))
        self.new_here = NewHere()
        """The card for newcomers."""
        first = self._samples[0].id
        self.new_here.start.connect(lambda: self.open_ready.emit(first))
        column.addWidget(self.new_here)
        return side

    # ------------------------------------------------------------------ arranging

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.complete:
            self._arrange(event.size().width())

    def _arrange(self, width: int) -> None:
        wide = width >= px(_WIDE)
        side = px(64 if wide else 40)
        self._column.setContentsMargins(side, px(30 if wide else 20), side, px(24))
        self._sides.setSpacing(px(32 if wide else 24))
        self._left_side.setFixedWidth(min(px(432 if wide else 372), width // 3))
        columns = 3 if wide and len(self.cards) > 2 else 2
        if self._grid.columnCount() != columns or self._grid.count() == 0:
            for place, card in enumerate(self.cards):
                self._grid.addWidget(card, place // columns, place % columns)
            for place in range(columns):
                self._grid.setColumnStretch(place, 1)

    def shown(self) -> None:
        self._fill_recent()
        self._fill_banners()

    def status(self) -> list[str]:
        return [f"version {__version__}", "works offline"]

    # ------------------------------------------------------------------ work

    def _show_work(self) -> None:
        job = self._work()
        self.drop_zone.show_work(
            job.title if job is not None else "",
            job.fraction if job is not None else None,
            cancelling=job is not None and job.cancelling,
        )

    def _work(self) -> Job | None:
        """Return what is waited for: not a reading whose first rows are in use."""
        job = self.session.job_of("open", "deploy")
        return None if job is not None and job.usable else job

    def _cancel(self) -> None:
        job = self._work()
        if job is not None:
            self.session.cancel(job)

    # ------------------------------------------------------------------ recent files

    def recent_rows(self) -> list[RecentRow]:
        """Return the rows of the recent list as shown."""
        items = (self._recent.itemAt(place) for place in range(self._recent.count()))
        return [w for item in items if item and isinstance(w := item.widget(), RecentRow)]

    def _fill_recent(self) -> None:
        for row in self.recent_rows():
            self._recent.removeWidget(row)
            row.hide()
            row.deleteLater()
        items = settings().recent[:_SHOWN]
        for item in items:
            row = RecentRow(item)
            row.opened.connect(self._open_recent)
            row.forgotten.connect(settings().forget_recent, Qt.ConnectionType.QueuedConnection)
            self._recent.addWidget(row)
        self._recent_box.setVisible(bool(items))

    def _open_recent(self, path: str) -> None:
        if names_data(path):
            self.open_files.emit([Path(path)])
            return
        notifications().warning(
            f"{quote(Path(path).name)} is not there any more. Open it from where it is now.",
            action="Take it off the list",
            run=lambda: settings().forget_recent(path),
        )
        self.run_action.emit("file.open")

    def _clear(self) -> None:
        before = settings().clear_recent()
        notifications().post(
            Notice(
                "info",
                f"The recent list of {count_text(len(before))} files was emptied.",
                action="Undo",
                run=lambda: settings().restore_recent(before),
            )
        )

    # ------------------------------------------------------------------ unsaved work

    def banners(self) -> list[Banner]:
        """Return the offers of unsaved work as shown."""
        items = (self._banners.itemAt(place) for place in range(self._banners.count()))
        return [w for item in items if item and isinstance(w := item.widget(), Banner)]

    def _fill_banners(self) -> None:
        for banner in self.banners():
            self._banners.removeWidget(banner)
            banner.hide()
            banner.deleteLater()
        gone = {found.id for found in self._discarded}
        found = [one for one in self.session.recoverable() if one.id not in gone]
        self._banners.setContentsMargins(0, px(14) if found else 0, 0, 0)
        for one in found[:_MOST_BANNERS]:
            self._banners.addWidget(self._offer(one))

    def _offer(self, found: Recoverable) -> Banner:
        moment = datetime.fromtimestamp(found.when, UTC).isoformat()
        where = (
            ""
            if found.position is None
            else f" The stream was at row {count_text(found.position)}."
        )
        return Banner(
            "info",
            f"{quote(found.title)} was not saved ({when_text(moment)}).{where}",
            [
                ("Open it again", "Go on where it was left.", lambda: self._recover(found)),
                (
                    "Discard",
                    "Delete this unsaved work when the window closes.",
                    lambda: self._discard(found),
                ),
            ],
            title="Unsaved work",
        )

    def _recover(self, found: Recoverable) -> None:
        self.session.recover(found)

    def _discard(self, found: Recoverable) -> None:
        self._discarded.append(found)
        self._fill_banners()
        notifications().post(
            Notice(
                "info",
                f"The unsaved work on {quote(found.title)} is discarded when the window closes.",
                action="Undo",
                run=lambda: self._keep(found),
            )
        )

    def _keep(self, found: Recoverable) -> None:
        self._discarded = [one for one in self._discarded if one.id != found.id]
        self._fill_banners()

    def take_down(self) -> None:
        super().take_down()
        self._stop_listening()
        for found in self._discarded:
            self.session.discard(found)
        self._discarded.clear()
