"""Writing the data set out: as what, with what care, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from modellab.gui.kit import (
    Label,
    LabeledField,
    PlainButton,
    PrimaryButton,
    SegmentedControl,
    ToggleSwitch,
    count_text,
)
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.session import Session

_FILTERS = {"csv": "CSV (*.csv)", "parquet": "Parquet (*.parquet)"}


class ExportDialog(QDialog):
    """Parquet or CSV; formulas made harmless on request; what was set aside apart."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setWindowTitle("Export the data")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        data = session.data
        rows, bad = (data.n_rows, data.bad_rows) if data is not None else (0, 0)
        self.format = SegmentedControl(
            "Format",
            [
                ("parquet", "Parquet", "Small and fast; keeps the kinds of columns."),
                ("csv", "CSV", "Text that every program reads."),
            ],
        )
        self.neutralise = ToggleSwitch(
            "No cell is a formula",
            "Put an apostrophe before every text that begins with = + - @, a tab or a carriage "
            "return: a spreadsheet would take it for a formula.",
        )
        self.bad_rows = ToggleSwitch(
            "Rows that were set aside, in a file of their own",
            "Write them too, with line and reason, beside the file (…bad_rows.csv).",
        )
        self.save = PrimaryButton("Choose where…", "Choose the file to write.", clicked=self.ask)
        self.cancel = PlainButton("Cancel", "Write nothing.", clicked=self.reject)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(px(20), px(16), px(20), px(14))
        outer.setSpacing(px(12))
        outer.addWidget(Label("Export the data", 16, 600))
        outer.addWidget(
            Label(
                f"All {count_text(rows)} rows with their kinds as they are set. Missing values are "
                "empty; times are in UTC.",
                13,
                400,
                "second",
                wrap=True,
            )
        )
        outer.addWidget(self.format, 0, Qt.AlignmentFlag.AlignLeft)
        self.safe = LabeledField("No cell is a formula", self.neutralise, beside=True)
        outer.addWidget(self.safe)
        self.apart = LabeledField(
            f"The {count_text(bad)} rows that were set aside, in a file of their own",
            self.bad_rows,
            beside=True,
        )
        outer.addWidget(self.apart)
        # Only now: a widget without a parent that is made visible opens as a window.
        self.apart.setVisible(bad > 0)
        outer.addStretch(1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        outer.addLayout(row)
        for key in ("parquet", "csv"):
            self.format.button(key).clicked.connect(lambda _on=False, k=key: self.show_format(k))
        self.show_format("parquet")
        self.resize(px(520), px(300))

    def show_format(self, key: str) -> None:
        """Choose the format; only text can hold formulas."""
        self.format.set_current(key)
        self.safe.setVisible(key == "csv")

    def ask(self) -> QFileDialog:
        """Ask for the file."""
        ending = self.format.current()
        dialog = QFileDialog(self, "Export the data")
        dialog.finished.connect(dialog.deleteLater)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters([_FILTERS[ending]])
        dialog.setDefaultSuffix(ending)
        data = self.session.data
        if data is not None:
            name = Path(data.name.replace("::", "-").replace("/", "-")).name
            dialog.selectFile(f"{name.split('.')[0] or 'data'}-export.{ending}")
        dialog.fileSelected.connect(lambda chosen: self.write(Path(chosen)))
        dialog.open()
        return dialog

    def write(self, path: Path) -> None:
        """Write the file, and close."""
        csv = self.format.current() == "csv"
        self.session.export_data(
            path,
            neutralise=csv and self.neutralise.isChecked(),
            bad_rows=self.bad_rows.isChecked(),
        )
        self.accept()
