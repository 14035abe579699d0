"""Preferences: every change takes effect at once; each can be set back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from modellab.data import leases
from modellab.gui.kit.buttons import LinkButton, PlainButton, PrimaryButton, SegmentedControl
from modellab.gui.kit.fields import LabeledField, NumberField
from modellab.gui.kit.frames import Rule
from modellab.gui.kit.text import Label, describe, size_text
from modellab.gui.settings import Preferences
from modellab.gui.theme import px
from modellab.gui.updates import why_not_address

if TYPE_CHECKING:
    from modellab.gui.settings import Settings


class _Row(QWidget):
    """One preference: what it is, what it does, its control."""

    def __init__(self, title: str, text: str, control: QWidget) -> None:
        super().__init__()
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(Label(title, 13, 600))
        self.text = Label(text, 12, 400, "second", wrap=True)
        words.addWidget(self.text)
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), px(11), px(16), px(11))
        row.setSpacing(px(24))
        row.addLayout(words, 1)
        row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)


class PreferencesDialog(QDialog):
    """What the person chooses for all experiments."""

    def __init__(self, store: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Preferences")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFixedWidth(px(620))
        self._store = store
        chosen = store.preferences
        self.theme = SegmentedControl(
            "Theme",
            [
                ("system", "System", "Light or dark, as the system is."),
                ("light", "Light", "Dark writing on light ground."),
                ("dark", "Dark", "Light writing on dark ground."),
            ],
            current=chosen.theme,
            changed=lambda key: store.change(theme=key),
        )
        self.text_size = SegmentedControl(
            "Text size",
            [
                (f"{scale:g}", f"{scale * 100:.0f} %", f"Text at {scale:.0%} of its usual size.")
                for scale in (0.9, 1.0, 1.1, 1.25, 1.5)
            ],
            changed=lambda key: store.change(text_scale=float(key)),
        )
        self._memory = psutil.virtual_memory().total
        self.memory = NumberField(
            "Memory for training",
            "Data sets that need more are trained in chunks, by learners that can.",
            value=chosen.memory_share * 100,
            minimum=2,
            maximum=90,
            unit="%",
            committed=self._set_memory,
        )
        self.workers = NumberField(
            "Processes for lanes",
            "Lanes written in Python run side by side in so many processes. No number changes.",
            value=chosen.workers,
            minimum=1,
            maximum=max(1, min(64, os.cpu_count() or 1)),
            committed=lambda value: store.change(workers=round(value)),
        )
        self.clear = PlainButton(
            "Clear now",
            "Remove the stores of data sets that are not open; they are made again when needed.",
            clicked=self._clear,
        )
        self.updates = QLineEdit(chosen.update_address)
        self.updates.setPlaceholderText("https://…")
        self.updates.setMaxLength(2000)
        describe(
            self.updates,
            "Address for updates",
            "Where “Check for updates” in the Help menu reads whether there is a newer version.",
        )
        self.updates.editingFinished.connect(self._set_address)
        self._updates_field = LabeledField(
            "Address for updates",
            self.updates,
            hint="Empty: off. Read only when you ask, in the Help menu; nothing is sent.",
        )
        self._memory_row = _Row("Memory for training", "", self.memory)
        self._cache_row = _Row("Kept data", "", self.clear)
        rows = [
            _Row("Theme", "Colours of the window and of the plots.", self.theme),
            _Row("Text size", "On top of what the system asks for.", self.text_size),
            self._memory_row,
            _Row(
                "Processes for lanes",
                "From the next deployment on. More than the computer has cores brings nothing.",
                self.workers,
            ),
            self._cache_row,
        ]
        updates = QVBoxLayout()
        updates.setContentsMargins(px(16), px(11), px(16), px(11))
        updates.addWidget(self._updates_field)
        frame = QFrame()
        frame.setProperty("kind", "card")
        column = QVBoxLayout(frame)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(0)
        for place, row in enumerate(rows):
            if place:
                column.addWidget(Rule())
            column.addWidget(row)
        column.addWidget(Rule())
        column.addLayout(updates)
        usual = LinkButton(
            "Usual values", "Set everything here back to what it was at first.", clicked=self._usual
        )
        close = PrimaryButton("Close", "Close the preferences.", clicked=self.accept)
        foot = QHBoxLayout()
        foot.addWidget(usual)
        foot.addStretch(1)
        foot.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(frame)
        layout.addLayout(foot)
        self._show()
        self._measure()

    def _show(self) -> None:
        chosen = self._store.preferences
        self.theme.set_current(chosen.theme)
        nearest = min((0.9, 1.0, 1.1, 1.25, 1.5), key=lambda s: abs(s - chosen.text_scale))
        self.text_size.set_current(f"{nearest:g}")
        self.memory.set_number(chosen.memory_share * 100)
        self.workers.set_number(chosen.workers)
        self.updates.setText(chosen.update_address)
        self._updates_field.set_error("")
        share = size_text(self._memory * chosen.memory_share)
        self._memory_row.text.setText(
            f"{share} of {size_text(self._memory)}, from the next start of Model Lab on."
        )

    def _set_memory(self, percent: float) -> None:
        self._store.change(memory_share=percent / 100)
        self._show()

    def _set_address(self) -> None:
        address = self.updates.text().strip()
        wrong = why_not_address(address)
        self._updates_field.set_error(wrong or "")
        if wrong is None:
            self._store.change(update_address=address)

    def _usual(self) -> None:
        usual = Preferences()
        self._store.change(**{name: getattr(usual, name) for name in usual.__struct_fields__})
        self._show()

    def _measure(self) -> None:
        used = size_text(leases.used_bytes())
        self._cache_row.text.setText(f"{used} of disk, for data sets that were opened.")

    def _clear(self) -> None:
        leases.clear()
        self._measure()
