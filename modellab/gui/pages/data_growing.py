"""The line of the Data page that tells of data which are still being read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from modellab.gui.kit import ElidedLabel, Label, LinkButton, PlainButton, count_text, duration_text
from modellab.gui.kit.bars import QuietBar
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.session import Session


class GrowingBanner(QWidget):
    """Says which rows are in use and how far the reading is; takes what came, or stops it.

    Where reading ended before the end of the file, it says that and offers to read on.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._used = ElidedLabel("", 13, 500)
        self._far = Label("", 12, 400, "second")
        self._bar = QuietBar()
        self._bar.setAccessibleName("Rows read")
        self.take = LinkButton(
            "Use what is read",
            "Let the data set be all rows that are read by now. It is done without asking when a "
            "replay nears the end of what is there, and when all is read.",
            clicked=session.growth.use_rows,
        )
        self.stop = PlainButton(
            "Stop reading",
            "Read no further: the rows read so far stay the data set. It can be read on later.",
            clicked=self._stop,
        )
        self.on = PlainButton(
            "Read on", "Read the file to its end after all.", clicked=session.growth.read_on
        )
        top = QHBoxLayout()
        top.setSpacing(px(10))
        top.addWidget(self._used, 1)
        top.addWidget(self._far)
        top.addWidget(self.take)
        column = QVBoxLayout()
        column.setSpacing(px(5))
        column.addLayout(top)
        column.addWidget(self._bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(12))
        row.addLayout(column, 1)
        row.addWidget(self.stop)
        row.addWidget(self.on)
        self.hide()

    def text(self) -> str:
        """Return what is said."""
        return f"{self._used.text()} {self._far.text()}".strip()

    def refresh(self) -> None:
        """Show the state of the reading."""
        growth, data = self._session.growth, self._session.data
        reading = growth.reading
        partial = data is not None and not data.whole
        self.setVisible(reading or partial)
        if data is None or not (reading or partial):
            return
        for widget in (self._bar, self.stop):
            widget.setVisible(reading)
        self.on.setVisible(not reading)
        self.take.setVisible(reading and growth.waiting_rows > 0)
        rows = count_text(data.n_rows)
        if not reading:
            self._used.setText(growth.problem or f"These are the first {rows} rows of the file.")
            self._far.setText("")
            return
        self._used.setText(f"First {rows} rows: use them as they are; reading goes on.")
        job = growth.job
        share = growth.fraction
        left = job.seconds_left() if job is not None else None
        rest = f" \N{MIDDLE DOT} {duration_text(left)} left" if left is not None else ""
        self._far.setText(growth.words() + rest)
        self._bar.set_share(share)
        stopping = job is not None and job.cancelling
        self.stop.set_text("Stopping\N{HORIZONTAL ELLIPSIS}" if stopping else "Stop reading")
        self.stop.setEnabled(not stopping)

    def _stop(self) -> None:
        job = self._session.growth.job
        if job is not None:
            self._session.cancel(job)
