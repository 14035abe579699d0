"""The list of events: what happened when; a click shows the place, a retrain shows its test."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from modellab.experiment import ScheduledPolicy
from modellab.gui.deploy.lines import EVENT_KINDS, own_events
from modellab.gui.deploy.words import (
    error_text,
    event_line,
    event_text,
    lane_style,
    task_of,
    value_words,
)
from modellab.gui.kit import Card, Label, count_text, describe, tip_text
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.plots.live_paint import font
from modellab.gui.plots.parts import paint_mark
from modellab.gui.theme import px, theme

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.replay.protocol import EventRecord

EVENT_ROLE = int(Qt.ItemDataRole.UserRole)
COLOUR_ROLE = EVENT_ROLE + 1
LINE_ROLE = EVENT_ROLE + 2
ROW = 25


class EventModel(QAbstractListModel):
    """Events, newest first, of all lanes or of one."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._events: list[EventRecord] = []
        self.lane = ""

    def update_events(self) -> bool:
        """Take what is new; returns whether anything changed."""
        live = self._session.deployment
        found = [] if live is None else own_events(live)
        wanted = [e for e in reversed(found) if not self.lane or e.lane in (self.lane, "")]
        if wanted == self._events:
            return False
        added = len(wanted) - len(self._events)
        if added > 0 and wanted[added:] == self._events:
            # At the top, so that a selection below stays where it is.
            self.beginInsertRows(QModelIndex(), 0, added - 1)
            self._events = wanted
            self.endInsertRows()
        else:
            self.beginResetModel()
            self._events = wanted
            self.endResetModel()
        return True

    def event_at(self, row: int) -> EventRecord:
        """Return the event in line `row`."""
        return self._events[row]

    def _needs_name(self, event: EventRecord) -> bool:
        """Whether the sign and the words leave open whose event it is."""
        live = self._session.deployment
        if live is None or event.kind not in ("retrain", "reject"):
            return True
        policies = [lane.spec.policy for lane in live.lanes.values()]
        return sum(isinstance(policy, ScheduledPolicy) for policy in policies) > 1

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._events)

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if not index.isValid():
            return None
        event = self._events[index.row()]
        text = event_text(event)
        if role == Qt.ItemDataRole.DisplayRole:
            return f"Row {count_text(event.position)}, {event.lane}: {text}"
        if role == EVENT_ROLE:
            return event
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_text(f"Row {count_text(event.position)} · {event.lane}\n{text}")
        if role == LINE_ROLE:
            named = not self.lane and self._needs_name(event)
            return event_line(event, task_of(self._session), lane=named)
        if role == COLOUR_ROLE:
            live = self._session.deployment
            lane = live.lanes.get(event.lane) if live is not None else None
            return lane_style(lane)[0] if lane is not None else theme().second
        return None


class EventDelegate(QStyledItemDelegate):
    """Paints sign, row and text of an event."""

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(100, px(ROW))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        tokens = theme()
        event: EventRecord = index.data(EVENT_ROLE)
        rect: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        state = option.state
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.setPen(Qt.PenStyle.NoPen)
            chosen = state & QStyle.StateFlag.State_Selected
            painter.setBrush(QColor(tokens.selected if chosen else tokens.sub))
            painter.drawRoundedRect(rect.adjusted(2, 1, -2, -1), 5, 5)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(tokens.link), 1.5))
            painter.drawRoundedRect(rect.adjusted(2, 1, -2, -1), 5, 5)
        middle = rect.center().y() + 1
        kind = EVENT_KINDS.get(event.kind, "warning")
        paint_mark(painter, kind, QPointF(rect.left() + px(14), middle), index.data(COLOUR_ROLE), 9)
        painter.setFont(font(12))
        painter.setPen(QColor(tokens.second))
        metrics = painter.fontMetrics()
        wide = metrics.horizontalAdvance("000,000")
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        number = QRect(rect.left() + px(24), rect.top(), wide, rect.height())
        painter.drawText(number, int(right), count_text(event.position))
        words = index.data(LINE_ROLE)
        place = QRect(number.right() + px(10), rect.top(), 0, rect.height())
        place.setRight(rect.right() - px(6))
        painter.setPen(QColor(tokens.text))
        painter.drawText(
            place, int(left), metrics.elidedText(words, Qt.TextElideMode.ElideRight, place.width())
        )
        painter.restore()


class EventList(QListView):
    """The list itself."""

    def __init__(self, model: EventModel) -> None:
        super().__init__()
        describe(
            self,
            "Events",
            "What happened, newest first. Choosing one shows its row in the plots; Enter or a "
            "double click on a retrain shows how the new model was tested.",
        )
        self.setToolTip("")
        self.setModel(model)
        self.setItemDelegate(EventDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setFrameShape(self.Shape.NoFrame)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)


class EventDetails(QDialog):
    """All that is known of an event: for a retrain, how the new model was tested."""

    _WORDS: ClassVar[dict[str, str]] = {
        "retrain": "Retrain number",
        "rows": "Rows trained on",
        "first_row": "From row",
        "last_row": "To row",
        "test_rows": "Rows tested on",
        "new_error": "Error of the new model",
        "old_error": "Error of the running model",
        "deployed": "Serves",
    }

    def __init__(self, event: EventRecord, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Row {count_text(event.position)}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(20), px(18), px(20), px(16))
        column.setSpacing(px(12))
        column.addWidget(Label(f"{event.lane} at row {count_text(event.position)}", 16, 600))
        column.addWidget(Label(event_text(event), 13, 400, "second", wrap=True))
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(24))
        grid.setVerticalSpacing(px(6))
        task = task_of(session)
        for line, (name, value) in enumerate(event.values.items()):
            title = self._WORDS.get(name, name.replace("_", " ").capitalize())
            grid.addWidget(Label(title, 13, 400, "second"), line, 0)
            if name.endswith("_error"):
                text = error_text(value, task)
            elif isinstance(value, int) and not isinstance(value, bool):
                text = count_text(value)
            else:
                text = "–" if value is None else value_words(value)
            if name == "deployed":
                text = "yes" if value else "no, the old model was kept"
            shown = Label(text, 13, 600)
            shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(shown, line, 1)
        column.addLayout(grid)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self.setMinimumWidth(px(340))


class EventsCard(Card):
    """The card under the inspector."""

    row_chosen = Signal(object)
    """The row of the event that was chosen."""

    def __init__(self, session: Session, *, parent: QWidget | None = None) -> None:
        self.filter = ChoiceField(
            "Events of", "Show the events of one lane only.", [("", "All lanes")]
        )
        super().__init__("Events", " ", [self.filter], parent=parent)
        self.session = session
        self.body.setContentsMargins(px(6), 0, px(6), px(6))
        self.model = EventModel(session, self)
        self.list = EventList(self.model)
        self.empty = Label(
            "Retrains, redeploys and what you change appear here.", 12, 400, "second", wrap=True
        )
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.empty.setContentsMargins(px(10), 0, px(10), 0)
        self.body.addWidget(self.empty)
        self.body.addWidget(self.list, 1)
        self.filter.chosen.connect(self._filter_chosen)
        self.list.clicked.connect(self._chosen)
        self.list.selectionModel().currentChanged.connect(lambda index, _: self._chosen(index))
        self.list.activated.connect(self.open_details)
        self._names: list[str] = []
        self.setMinimumHeight(px(130))
        self.show_events()

    def _filter_chosen(self, lane: str) -> None:
        self.model.lane = lane
        self.show_events()

    def _chosen(self, index: QModelIndex) -> None:
        event = index.data(EVENT_ROLE)
        if event is not None:
            self.row_chosen.emit(event.position)

    def open_details(self, index: QModelIndex) -> EventDetails | None:
        """Show all that is known of an event."""
        event = index.data(EVENT_ROLE)
        if event is None:
            return None
        dialog = EventDetails(event, self.session, self.window())
        dialog.open()
        return dialog

    def show_lanes(self) -> None:
        """Offer the lanes that there are now."""
        live = self.session.deployment
        names = [] if live is None else [n for n, v in live.lanes.items() if not v.baseline]
        if names != self._names:
            self._names = names
            now = self.filter.current()
            options = [("", "All lanes"), *((n, n) for n in names)]
            self.filter.set_options(options, now if now in names else "")
            if now not in names and now:
                self._filter_chosen("")

    def show_events(self) -> None:
        """Show what is new."""
        changed = self.model.update_events()
        count = self.model.rowCount()
        self.empty.setVisible(count == 0)
        self.list.setVisible(count > 0)
        if changed:
            self.set_subtitle(count_text(count) if count else " ")
