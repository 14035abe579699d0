"""The gallery: real data that is here, streams that are made, data sets that are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from modellab.data.fetching import recorded
from modellab.data.gallery import GALLERY, Item, gallery_folder, is_here
from modellab.data.synthetic import KINDS
from modellab.gui.data.stream_form import StreamForm
from modellab.gui.kit import (
    Banner,
    DataTable,
    Label,
    PlainButton,
    PrimaryButton,
    ProgressLine,
    SegmentedControl,
    count_text,
    size_text,
)
from modellab.gui.pages.text_model import TextModel
from modellab.gui.theme import px
from modellab.replay.data_protocol import MakeStream

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.gui.session_jobs import Job

SHIPPED = [found for found in GALLERY.values() if found.remote is None]
REMOTE = [found for found in GALLERY.values() if found.remote is not None]
MADE = list(KINDS.values())
_TASKS = {"classification": "a class", "regression": "a number"}
_WAYS = {
    "here": ("Real data", "Shipped with the libraries: opens at once."),
    "made": ("Made streams", "Streams whose drift is known to the row."),
    "fetched": ("To be fetched", "Larger sets that are downloaded when you ask for one."),
}


class GalleryDialog(QDialog):
    """A list at the left, what the chosen one is at the right."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._job: Job | None = None
        self.setWindowTitle("Gallery")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.way = SegmentedControl(
            "What is listed", [(key, title, tip) for key, (title, tip) in _WAYS.items()]
        )
        self.table = DataTable("Data sets", "Choose one of them.")
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._list = TextModel(("Data set", "Rows", "Predicts"), self)
        self.table.setModel(self._list)
        self.table.set_widths([200, 90, 90], stretch=0)
        self.title = Label("", 16, 600, wrap=True)
        self.story = Label("", 13, 400, wrap=True)
        self.facts = Label("", 13, 400, "second", wrap=True)
        self.form = StreamForm()
        self.form.changed.connect(self._enable)
        self.problem = Banner("error", "")
        self.problem.hide()
        self.progress = ProgressLine()
        self.progress.cancelled.connect(self._cancel)
        self.ok = PrimaryButton("Open", "Open it on the Data page.", clicked=self.open_it)
        self.cancel = PlainButton("Close", "Close this window.", clicked=self.reject)
        self._build()
        for key in _WAYS:
            self.way.button(key).clicked.connect(lambda _on=False, k=key: self.show_way(k))
        self.table.selectionModel().currentRowChanged.connect(lambda *_rows: self._show())
        self.table.doubleClicked.connect(lambda _index: self.open_it())
        self._stop = session.subscribe("jobs", self._show_job)
        self.finished.connect(self._ended)
        self.show_way("here")
        self.table.setFocus()

    def _build(self) -> None:
        right = QWidget()
        side = QVBoxLayout(right)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(px(8))
        for widget in (self.title, self.story, self.facts):
            side.addWidget(widget)
        side.addSpacing(px(8))
        side.addWidget(self.form)
        side.addStretch(1)
        side.addWidget(self.problem)
        side.addWidget(self.progress)
        # Only now: a widget without a parent that is made visible opens as a window.
        self.progress.hide()
        both = QHBoxLayout()
        both.setSpacing(px(24))
        self.table.setFixedWidth(px(430))
        both.addWidget(self.table)
        both.addWidget(right, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(px(20), px(16), px(20), px(14))
        outer.setSpacing(px(12))
        outer.addWidget(self.way, 0, Qt.AlignmentFlag.AlignLeft)
        outer.addLayout(both, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.ok)
        outer.addLayout(row)
        self.resize(px(980), px(560))

    # ------------------------------------------------------------------ what is chosen

    def show_way(self, key: str) -> None:
        """List the data that are here, the streams, or what can be fetched."""
        self.way.set_current(key)
        if key == "made":
            rows = [[kind.title, "any", _TASKS[kind.task]] for kind in MADE]
        else:
            rows = [
                [found.title, count_text(found.rows), _TASKS[found.task]]
                for found in (SHIPPED if key == "here" else REMOTE)
            ]
        self._list.set_rows(rows, right={1})
        self.form.setVisible(key == "made")
        self.select(0)
        self._show()

    def select(self, row: int) -> None:
        """Choose a line of the list."""
        self.table.selectionModel().setCurrentIndex(
            self._list.index(row, 0),
            QItemSelectionModel.SelectionFlag.ClearAndSelect
            | QItemSelectionModel.SelectionFlag.Rows,
        )

    def _item(self) -> Item | None:
        way, at = self.way.current(), self.table.currentIndex().row()
        found = {"here": SHIPPED, "fetched": REMOTE}.get(way, [])
        return found[at] if 0 <= at < len(found) else None

    def _show(self) -> None:
        at = self.table.currentIndex().row()
        found = self._item()
        if self.way.current() == "made" and 0 <= at < len(MADE):
            kind = MADE[at]
            self.title.setText(kind.title)
            self.story.setText(kind.story)
            rules = "rules without end" if kind.concepts >= 1000 else f"{kind.concepts} rules"
            self.facts.setText(f"Predicts {_TASKS[kind.task]}; {rules}.")
            self.form.set_kind(kind.kind)
        elif found is not None:
            self.title.setText(found.title)
            self.story.setText(found.story)
            self.facts.setText(_facts(found))
        self._enable()

    def _enable(self) -> None:
        way = self.way.current()
        working = self._job is not None and self._job.running
        reason = "Something is being got ready." if working else None
        if reason is None and way == "made":
            reason = self.form.problem()
        found = self._item()
        fetch = found is not None and not is_here(found)
        text = "Make and open" if way == "made" else "Fetch and open" if fetch else "Open"
        tip = "Open it on the Data page."
        self.ok.set_text(text, tip)
        self.ok.set_reason(reason, tip)

    # ------------------------------------------------------------------ doing it

    def open_it(self) -> None:
        """Have what is chosen ready, and open it; the window closes once it is ready."""
        if not self.ok.isEnabled():
            return
        self.problem.hide()
        found = self._item()
        if found is not None:
            self._job = self.session.open_gallery(found.id, found.title)
        elif self.way.current() == "made":
            spec = self.form.spec()
            command = MakeStream(
                kind=spec.kind,
                rows=spec.rows,
                drift=spec.drift,
                at=list(spec.at),
                width=spec.width,
                noise=spec.noise,
                seed=spec.seed,
            )
            self._job = self.session.open_made(command, KINDS[spec.kind].title)
        self._show_job()

    def _show_job(self) -> None:
        job = self._job
        if job is None:
            return
        if job.running:
            if not self.progress.active():
                self.progress.start(job.title)
            self.progress.set_progress(job.fraction, job.text or job.title)
        else:
            self.progress.finish()
            self._job = None
            if job.state == "done":
                self.accept()
                return
            self.problem.set_text(job.sentence)
            self.problem.setVisible(job.state == "failed")
        self._enable()

    def _cancel(self) -> None:
        if self._job is not None:
            self.session.cancel(self._job)

    def _ended(self, _result: int) -> None:
        self._stop()
        if self._job is not None and self._job.running:
            self.session.cancel(self._job)


def _facts(found: Item) -> str:
    size = f"{count_text(found.rows)} rows, {found.columns} columns"
    told = [f"{size}; predicts {_TASKS[found.task]}."]
    if found.remote is None:
        told.append(f"Shipped with {found.origin}.")
    elif is_here(found):
        told.append("Was fetched before: it opens at once, if it still is what it was.")
        known = recorded(found.remote, gallery_folder())
        if known:
            told.append(f"Its checksum (SHA-256) begins with {known[:16]}.")
    else:
        host = urlsplit(found.remote.url).hostname
        told.append(f"{size_text(found.remote.size)} unpacked, from {host}.")
        told.append(
            "Its publisher tells its size but no checksum: the size is checked, and the checksum "
            "is recorded when it is fetched first; what comes later must have the same."
            if found.remote.sha256 is None
            else "Its size and checksum are checked."
        )
        told.append("It is kept; everything else works without a connection.")
    return " ".join(told)
