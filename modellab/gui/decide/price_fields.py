"""The prices, as numbers that can be typed: the verdict follows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal

from modellab.gui.decide import words
from modellab.gui.decide.terms import explain
from modellab.gui.kit import Card, Label, LabeledField, LinkButton, NumberField, describe
from modellab.gui.theme import px

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from modellab.experiment import PriceSpec

LARGEST = 1e12


class PriceFieldsCard(Card):
    """Four prices in the person's own currency."""

    changed = Signal(str, float)
    """The person entered another price: which, and its value."""
    decide_asked = Signal()
    """Lanes shall decide by these prices from here on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Prices", "in your own currency", parent=parent)
        self.fields: dict[str, NumberField] = {}
        for price, (title, _short) in words.PRICE_WORDS.items():
            field = NumberField(title, explain(f"price_{price}"), maximum=LARGEST, log=True)
            field.setFixedWidth(px(112))
            field.committed.connect(lambda value, p=price: self.changed.emit(p, value))
            self.fields[price] = field
            self.body.addWidget(LabeledField(title, field, beside=True))
        self.note = Label("", 12, 400, "second", wrap=True)
        """What changing prices does not change."""
        self.note.hide()
        self.body.addWidget(self.note)
        self.decide = LinkButton(
            "Decide by these from here on",
            "From the present row on, these lanes weigh errors and retrains at these prices. What "
            "they decided before stays.",
            clicked=self.decide_asked.emit,
        )
        self.decide.hide()
        self.body.addWidget(self.decide)
        self.body.addStretch(1)

    def set_prices(self, prices: PriceSpec, reason: str | None) -> None:
        """Show the prices of the moment; `reason` says why they cannot be changed."""
        for price, field in self.fields.items():
            if not field.hasFocus() or field.number() != getattr(prices, price):
                field.set_number(getattr(prices, price))
            field.setEnabled(reason is None)
            told = explain(f"price_{price}")
            title = words.PRICE_WORDS[price][0]
            describe(field, title, told if reason is None else f"{told}\n{reason}")

    def set_note(self, lanes: list[str], why_not: str | None = None) -> None:
        """Say which lanes decide by the former prices; `why_not`: why that cannot be changed."""
        self.note.setVisible(bool(lanes))
        self.decide.setVisible(bool(lanes) and why_not is None)
        if not lanes:
            return
        names = " and ".join(lanes)
        many = len(lanes) > 1
        decides = f"{names} decide{'' if many else 's'} when to retrain by the former prices."
        if why_not is not None:
            them = "them" if many else "it"
            decides = f"{names} decided when to retrain by the former prices. Deploy anew to let "
            decides += f"{them} decide by these."
        self.note.setText(decides)
