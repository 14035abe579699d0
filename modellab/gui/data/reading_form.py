"""The settings of how a text is read: each is found out unless the person says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListView, QVBoxLayout, QWidget

from modellab.data.convert import MISSING_TEXTS
from modellab.experiment import ReadingSpec
from modellab.experiment_reading import (
    DELIMITER_WORDS,
    ENCODINGS,
    MAX_MISSING,
    THOUSANDS_WORDS,
)
from modellab.gui.kit import Label, LabeledField, LinkButton, PlainButton, count_text, describe
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.theme import px

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.data.preview import Preview

AUTO, OTHER = "auto", "other"
_THOUSANDS = [
    ("none", "nothing  1234"), ("comma", "comma  1,234"), ("point", "point  1.234"),
    ("blank", "blank  1 234"), ("apostrophe", "apostrophe  1'234"),
]  # fmt: skip
_NAMES = {sign: word for word, sign in DELIMITER_WORDS.items()}
_SIGN_NAMES = {sign: word for word, sign in THOUSANDS_WORDS.items()}
_SIGNS = {",": ",", ";": ";", "|": "|", ":": ":", "^": "^", "~": "~"}


def delimiter_text(sign: str) -> str:
    """Return a delimiter in words, with the sign where it can be seen."""
    word = _NAMES.get(sign)
    if word is not None:
        return f"{word}  {_SIGNS[sign]}" if sign in _SIGNS else word
    return "".join(c if c.isprintable() else f"character {ord(c)}" for c in sign)


class ChoiceOrText(QWidget):
    """A choice that ends with *another…*, which a text field beside it then takes."""

    changed = Signal()

    def __init__(
        self, name: str, tip: str, options: Sequence[tuple[str, str]], *, longest: int
    ) -> None:
        super().__init__()
        self._options = list(options)
        self.choice = ChoiceField(name, tip)
        self.text = QLineEdit()
        self.text.setMaxLength(longest)
        self.text.setFixedWidth(px(72))
        describe(self.text, f"{name}: another", tip)
        self.choice.chosen.connect(self._chosen)
        self.text.textEdited.connect(lambda _text: self.changed.emit())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.choice, 1)
        row.addWidget(self.text)
        self.text.hide()
        self.setFocusProxy(self.choice)
        self.set_found("")

    def set_found(self, found: str) -> None:
        """Say what is found out where nothing is chosen."""
        auto = f"found out: {found}" if found else "found out"
        options = [(AUTO, auto), *self._options, (OTHER, "another…")]
        self.choice.set_options(options, self.choice.current() or AUTO)

    def value(self) -> str | None:
        """Return what was chosen; None: to be found out."""
        key = self.choice.current()
        if key == AUTO:
            return None
        return self.text.text() if key == OTHER else key

    def set_value(self, value: str | None) -> None:
        """Show a choice, without a signal."""
        known = value is None or value in dict(self._options)
        self.choice.set_current(AUTO if value is None else value if known else OTHER)
        self.text.setText("" if known else str(value))
        self.text.setVisible(not known)

    def _chosen(self, key: str) -> None:
        self.text.setVisible(key == OTHER)
        if key == OTHER:
            self.text.setFocus()
            if not self.text.text():
                return  # nothing is said yet
        self.changed.emit()


class ReadingForm(QWidget):
    """All settings, in the order of how often they are wrong."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.delimiter = ChoiceOrText(
            "Between cells",
            "What stands between two cells of a row (delimiter).",
            [(sign, delimiter_text(sign)) for sign in DELIMITER_WORDS.values()],
            longest=8,
        )
        self.header = ChoiceField("First row", "Whether the first row holds the columns' names.")
        self.decimal = ChoiceField("Decimal sign", "How numbers are written.")
        self.thousands = ChoiceField(
            "Between thousands", "The sign that large numbers are written with; it is left out."
        )
        self.encoding = ChoiceOrText(
            "Letters",
            "How letters are written as bytes (character encoding).",
            [(name, name) for name in ENCODINGS],
            longest=30,
        )
        self.quote = ChoiceOrText(
            "Around cells",
            "The quotation mark around cells that hold delimiters or line ends.",
            [('"', "double quotes"), ("'", "single quotes"), ("", "no marks")],
            longest=1,
        )
        self.comment = ChoiceOrText(
            "Lines left out begin with",
            "Lines that begin so are comments, not rows.",
            [("", "none are"), ("#", "#"), ("%", "%"), ("//", "//")],
            longest=8,
        )
        for field in (self.delimiter, self.encoding, self.quote, self.comment):
            field.changed.connect(self.changed)
        for choice in (self.header, self.decimal, self.thousands):
            choice.chosen.connect(lambda _key: self.changed.emit())
        self._missing: list[str] | None = None
        self._words = QStandardItemModel(self)
        self._words.itemChanged.connect(self._ticked)
        self.words = QListView()
        self.words.setModel(self._words)
        self.words.setUniformItemSizes(True)
        self.words.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        describe(
            self.words,
            "Words for missing values",
            "Texts that stand for no value, with the cells that hold them. Empty cells are always "
            "missing.",
        )
        self.words.setMinimumHeight(px(84))
        self.usual = LinkButton(
            "The usual words",
            "Take the usual words for missing values again: NA, null, NaN and the like.",
            clicked=self._take_usual,
        )
        self.word = QLineEdit()
        self.word.setPlaceholderText("Another word")
        self.word.setMaxLength(200)
        describe(self.word, "Another word for missing", "A text that stands for no value, as -999.")
        self.word.returnPressed.connect(self._add_word)
        self.add = PlainButton("Add", "Take this word as missing.", clicked=self._add_word)
        self._filling = False
        self._build()
        self.show_found(None)

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(7))
        self.fields = {
            "delimiter": LabeledField("&Between cells", self.delimiter),
            "header": LabeledField("&First row", self.header),
            "decimal": LabeledField("&Decimal sign", self.decimal),
            "thousands": LabeledField("Between &thousands", self.thousands),
            "encoding": LabeledField("&Letters (encoding)", self.encoding),
            "quote": LabeledField("&Around cells", self.quote),
            "comment": LabeledField("Lines left &out begin with", self.comment),
        }
        for field in self.fields.values():
            column.addWidget(field)
        head = QHBoxLayout()
        title = Label("Words for missing values", 12, 400, "second")
        title.setBuddy(self.words)
        head.addWidget(title, 1)
        head.addWidget(self.usual)
        column.addLayout(head)
        column.addWidget(self.words, 1)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.word, 1)
        row.addWidget(self.add)
        column.addLayout(row)

    # ------------------------------------------------------------------ values

    def reading(self) -> ReadingSpec:
        """Return what is chosen (not yet checked)."""
        header = self.header.current()
        decimal, thousands = self.decimal.current(), self.thousands.current()
        return ReadingSpec(
            delimiter=self.delimiter.value(),
            quote=self.quote.value(),
            decimal=None if decimal == AUTO else decimal,
            encoding=self.encoding.value(),
            comment=self.comment.value(),
            header=None if header == AUTO else header == "yes",
            missing=None if self._missing is None else list(self._missing),
            thousands=None if thousands == AUTO else thousands,
        )

    def set_reading(self, reading: ReadingSpec) -> None:
        """Show what was said, without a signal."""
        self.delimiter.set_value(reading.separator)
        self.quote.set_value(reading.mark)
        self.encoding.set_value(reading.encoding)
        self.comment.set_value(reading.comment)
        self.decimal.set_current(reading.decimal or AUTO)
        self.header.set_current(AUTO if reading.header is None else ("no", "yes")[reading.header])
        said = None if reading.grouping is None else _SIGN_NAMES[reading.grouping]
        self.thousands.set_current(said or AUTO)
        self._missing = None if reading.missing is None else list(reading.missing)
        self.usual.setVisible(self._missing is not None)

    def show_found(self, found: Preview | None) -> None:
        """Say what was found out of a file, and which words for missing values it holds."""
        told = self.reading() if self.header.count() else ReadingSpec()
        said = "" if found is None else delimiter_text(found.delimiter)
        self.delimiter.set_found(said if told.delimiter is None else "")
        encoding = "" if found is None or told.encoding is not None else found.encoding
        self.encoding.set_found(encoding)
        marks = {'"': "double quotes", "'": "single quotes", "": ""}
        quote = "" if found is None or told.quote is not None else marks.get(found.quote, "")
        self.quote.set_found(quote)
        comment = "" if found is None or told.comment is not None else found.comment or "none are"
        self.comment.set_found(comment)
        header, decimal = self.header.current() or AUTO, self.decimal.current() or AUTO
        names = "" if found is None or told.header is not None else (
            ": holds the names" if found.header else ": is data"
        )  # fmt: skip
        self.header.set_options(
            [(AUTO, f"found out{names}"), ("yes", "holds the names"), ("no", "is data")], header
        )
        sign = "" if found is None or told.decimal is not None else (
            ": comma" if found.decimal == "," else ": point"
        )  # fmt: skip
        self.decimal.set_options(
            [(AUTO, f"found out{sign}"), (".", "point  1.5"), (",", "comma  1,5")], decimal
        )
        between = "" if found is None or told.thousands is not None else (
            f": {_SIGN_NAMES[found.thousands]}" if found.thousands else ": nothing"
        )  # fmt: skip
        self.thousands.set_options(
            [(AUTO, f"found out{between}"), *_THOUSANDS], self.thousands.current() or AUTO
        )
        if found is None:
            return
        for key in ("delimiter", "quote", "comment"):
            self.fields[key].setEnabled(found.delimited)
        self.fields["header"].setEnabled(found.delimited or found.format in ("Excel", "ODS"))
        self.fields["encoding"].setEnabled(bool(found.encoding))
        self._fill_words(found)

    def _fill_words(self, found: Preview) -> None:
        self._filling = True
        self._words.clear()
        for word in found.missing:
            cells = "1 cell" if word.cells == 1 else f"{count_text(word.cells)} cells"
            item = QStandardItem(f"{word.text}   ·   {cells}")
            item.setData(word.text)
            item.setCheckable(True)
            item.setSizeHint(QSize(0, px(24)))
            item.setCheckState(Qt.CheckState.Checked if word.used else Qt.CheckState.Unchecked)
            self._words.appendRow(item)
        self._filling = False

    # ------------------------------------------------------------------ words for missing values

    def _own(self) -> list[str]:
        if self._missing is None:
            self._missing = [text for text in MISSING_TEXTS if text]
        return self._missing

    def _ticked(self, item: QStandardItem) -> None:
        if self._filling:
            return
        text = str(item.data())
        own = self._own()
        if item.checkState() == Qt.CheckState.Checked:
            if text not in own:
                own.append(text)
        elif text in own:
            own.remove(text)
        self._told()

    def _add_word(self) -> None:
        text = self.word.text().strip()
        if not text:
            return
        own = self._own()
        if text not in own and len(own) < MAX_MISSING:
            own.append(text)
        self.word.clear()
        self._told()

    def _take_usual(self) -> None:
        self._missing = None
        self._told()

    def _told(self) -> None:
        self.usual.setVisible(self._missing is not None)
        self.changed.emit()
