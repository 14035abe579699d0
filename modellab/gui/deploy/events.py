"""The list of events: what happened when; a click shows the place, a retrain shows its test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from modellab.experiment import ScheduledPolicy
from modellab.gui.deploy.event_details import EventDetails
from modellab.gui.deploy.lines import EVENT_KINDS, story
from modellab.gui.deploy.words import event_line, event_text, lane_style, task_of
from modellab.gui.kit import Card, IconButton, Label, count_text, describe, tip_text
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.plots.parts import MARK_WORDS, MarkKind, paint_mark
from modellab.gui.plots.text import font
from modellab.gui.theme import px, theme

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.replay.protocol import EventRecord

EVENT_ROLE = int(Qt.ItemDataRole.UserRole)
COLOUR_ROLE = EVENT_ROLE + 1
LINE_ROLE = EVENT_ROLE + 2
ROW = 25
_KINDS_TIP = "Choose which kinds of events are listed."
_NOTHING = "Alarms, retrains, switches, faults and what you change appear here."


class EventModel(QAbstractListModel):
    """Events, newest first, of all lanes or of one."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._events: list[EventRecord] = []
        self._key: object = None
        self._taken = 0
        self.lane = ""
        self.left_out: frozenset[MarkKind] = frozenset()
        """Kinds that the person does not want to see."""
        self.present: dict[MarkKind, int] = {}
        """How many there are of each kind, of the lane or lanes chosen."""

    def update_events(self) -> bool:
        """Take what is new; returns whether anything changed."""
        live = self._session.deployment
        told = story(live) if live is not None else None
        events = told.events if told is not None else []
        key = (id(live), told.generation if told is not None else 0, self.lane, self.left_out)
        again = key != self._key or len(events) < self._taken
        if again:
            self._key, self._taken, self.present = key, 0, {}
        elif len(events) == self._taken:
            return False
        wanted = []
        for event in events[self._taken :]:
            if self.lane and event.lane not in (self.lane, ""):
                continue
            kind = EVENT_KINDS.get(event.kind, "warning")
            self.present[kind] = self.present.get(kind, 0) + 1
            if kind not in self.left_out:
                wanted.append(event)
        self._taken = len(events)
        wanted.reverse()
        if again:
            if wanted == self._events:
                return False
            self.beginResetModel()
            self._events = wanted
            self.endResetModel()
        elif wanted:
            # At the top, so that a selection below stays where it is.
            self.beginInsertRows(QModelIndex(), 0, len(wanted) - 1)
            self._events[:0] = wanted
            self.endInsertRows()
        return bool(again or wanted)

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
            return f"Row {count_text(event.position)}, {event.lane or 'all lanes'}: {text}"
        if role == EVENT_ROLE:
            return event
        if role == Qt.ItemDataRole.ToolTipRole:
            whose = event.lane or "all lanes"
            return tip_text(f"Row {count_text(event.position)} · {whose}\n{text}")
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


class EventsCard(Card):
    """The card under the inspector."""

    row_chosen = Signal(object)
    """The row of the event that was chosen."""

    def __init__(self, session: Session, *, parent: QWidget | None = None) -> None:
        self.filter = ChoiceField(
            "Events of", "Show the events of one lane only.", [("", "All lanes")]
        )
        self.kinds = IconButton(
            "funnel-simple",
            "Kinds of events",
            _KINDS_TIP,
            size=28,
            clicked=lambda: self._open_kinds(),
        )
        super().__init__("Events", " ", [self.filter, self.kinds], parent=parent)
        self.session = session
        self.body.setContentsMargins(px(6), 0, px(6), px(6))
        self.model = EventModel(session, self)
        self.list = EventList(self.model)
        self.empty = Label(_NOTHING, 12, 400, "second", wrap=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.empty.setContentsMargins(px(10), 0, px(10), 0)
        self.body.addWidget(self.empty)
        self.body.addWidget(self.list, 1)
        self.filter.chosen.connect(self._filter_chosen)
        self.list.clicked.connect(self._chosen)
        self.list.selectionModel().currentChanged.connect(lambda index, _: self._chosen(index))
        self.list.activated.connect(self.open_details)
        self._names: list[str] = []
        self._everything = 0
        self.setMinimumHeight(px(130))
        self.show_events()

    def _filter_chosen(self, lane: str) -> None:
        self.model.lane = lane
        self.show_events()

    # ------------------------------------------------------------------ kinds

    def kinds_menu(self) -> QMenu:
        """Return the kinds that there are, each with a tick, and how many."""
        menu = QMenu(self)
        every = menu.addAction("All kinds")
        every.setEnabled(bool(self.model.left_out))
        every.triggered.connect(lambda: self.leave_out(frozenset()))
        menu.addSeparator()
        kinds = [k for k in MARK_WORDS if k in self.model.present or k in self.model.left_out]
        for kind in kinds:
            count = self.model.present.get(kind, 0)
            words = f"{count_text(count)} {MARK_WORDS[kind][count != 1]}"
            entry = menu.addAction(words)
            entry.setCheckable(True)
            entry.setChecked(kind not in self.model.left_out)
            entry.toggled.connect(lambda on, kind=kind: self._kind_toggled(kind, on))
        return menu

    def _open_kinds(self) -> None:
        menu = self.kinds_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.kinds.mapToGlobal(QPoint(0, self.kinds.height())))

    def _kind_toggled(self, kind: MarkKind, on: bool) -> None:
        self.leave_out(self.model.left_out - {kind} if on else self.model.left_out | {kind})

    def leave_out(self, kinds: frozenset[MarkKind]) -> None:
        """Show all events but those of these kinds."""
        self.model.left_out = kinds
        words = ", ".join(MARK_WORDS[k][1] for k in MARK_WORDS if k in kinds)
        tip = f"{_KINDS_TIP}\nNot shown: {words}." if words else _KINDS_TIP
        describe(self.kinds, "Kinds of events", tip)
        self.kinds.set_icon("funnel-simple-bold" if kinds else "funnel-simple")
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
        everything = sum(self.model.present.values())
        self.empty.setText(_NOTHING if not everything else "All events are left out by the filter.")
        words = count_text(count) if count == everything else f"{count} of {everything}"
        if changed or everything != self._everything:
            self._everything = everything
            self.set_subtitle(words if everything else " ")
