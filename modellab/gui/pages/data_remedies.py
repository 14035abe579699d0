"""The notes of the profile with what their links do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from modellab.gui.pages import data_edits as edits
from modellab.gui.pages.data_notes import NoteView

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.gui.pages.data_edits import Edit
    from modellab.gui.session import Session

TIPS = {
    "ignore": "Do not use these columns. Can be undone.",
    "move_split": "End the training window there. Can be undone.",
    "sort": "Put the rows in the order of the time column. Can be undone.",
    "kind": "Read the column as something else. Can be undone.",
    "show_bad_rows": "Show the rows, with line and reason.",
    "save_bad_rows": "Write the rows to a CSV file.",
}
KEEP_TIP = "Leave it as it is and hide this note."


class Host(Protocol):
    """The page, as far as remedies need it."""

    kept_notes: set[str]

    def apply(self, edit: Edit, merge: str = "") -> None:
        """Take over an edit."""
        ...

    def show_bad_rows(self) -> None:
        """Open the viewer of rows that were set aside."""
        ...

    def keep_note(self, note_id: str) -> None:
        """Hide a note."""
        ...


def note_views(session: Session, host: Host) -> list[NoteView]:
    """Return the notes to show, in the profile's order, without those that were dismissed."""
    if session.profile is None:
        return []
    views = []
    for note in session.profile.notes:
        # The guess has a line of its own above the columns.
        if note["id"] == "target" or note["id"] in host.kept_notes:
            continue
        views.append(_view(note, session, host))
    return views


def _view(note: dict[str, Any], session: Session, host: Host) -> NoteView:
    kind = "rows" if note["id"] == "bad_rows" else str(note["severity"])
    actions: list[tuple[str, str, Callable[[], object]]] = []
    for remedy in note["remedies"]:
        act = _act(str(remedy["id"]), dict(remedy["payload"]), session, host)
        actions.append((str(remedy["title"]), TIPS[remedy["id"]], act))
    if actions and note["id"] != "bad_rows":
        name = str(note["id"])
        actions.append(("Keep", KEEP_TIP, lambda: host.keep_note(name)))
    return NoteView(kind, str(note["title"]), str(note["text"]), tuple(actions))


def _act(what: str, payload: dict[str, Any], session: Session, host: Host) -> Callable[[], object]:
    def change() -> None:
        experiment, data = session.experiment, session.data
        if experiment is None or data is None:
            return
        if what == "ignore":
            host.apply(edits.without(experiment, payload["columns"]))
        elif what == "move_split":
            host.apply(edits.with_split(experiment, int(payload["train"])))
        elif what == "sort":
            host.apply(edits.with_sort(experiment, True))
        elif what == "kind":
            column = payload["column"]
            detected = next((c.kind for c in data.columns if c.name == column), "")
            host.apply(edits.with_kind(experiment, column, payload["kind"], detected))

    if what == "show_bad_rows":
        return host.show_bad_rows
    if what == "save_bad_rows":
        return lambda: ask_save_bad_rows(session, host if isinstance(host, QWidget) else None)
    return change


def ask_save_bad_rows(session: Session, parent: QWidget | None) -> None:
    """Ask where to write the rows that were set aside, and write them."""
    name = Path(session.data.name).stem if session.data is not None else "data"
    dialog = QFileDialog(parent, "Save the rows that were set aside", f"{name} set aside.csv")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(["CSV (*.csv)"])
    dialog.setDefaultSuffix("csv")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(session.save_bad_rows)
    dialog.open()
