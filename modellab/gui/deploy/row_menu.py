"""The menu of a row: what can be done at a place of the plots or of the timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu

from modellab.gui.deploy.rollback_dialog import why_no_rollback
from modellab.gui.kit import count_text, one_line, tip_text
from modellab.gui.theme import icon as themed_icon

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.gui.pages.deploy import DeployPage


def row_menu(page: DeployPage, row: int) -> QMenu:
    """Return what can be done at `row` of the replay."""
    session, live, lane = page.session, page.session.deployment, page.selected_lane()
    menu = QMenu(page)
    menu.setToolTipsVisible(True)
    where = count_text(row)
    past = live is not None and live.train_rows <= row < live.position
    steady = page.why_no_replay()
    not_past = None if past else "Only rows that were replayed."
    entries: list[tuple[str, str, str, Callable[[], object], str | None]] = [
        (
            f"Roll {one_line(lane) or 'a lane'} back to here, row {where}".replace("&", "&&"),
            "arrow-counter-clockwise",
            "Its model becomes again what it was at this row; the stream goes on.",
            lambda: session.roll_back(lane, row),
            (why_no_rollback(session, lane) if lane else "Select a lane first.") or not_past,
        ),
        (
            f"Go back to row {where}",
            "rewind",
            "The whole replay goes there, exactly as if it had just got there.",
            lambda: session.seek(row),
            steady or not_past,
        ),
        (
            "Compare with this row",
            "push-pin",
            "A second cursor stays here: the readout tells differences to it.",
            lambda: page.plots.view.pin(row),
            not_past,
        ),
        (
            "What if something goes wrong…",
            "lightning",
            "Let a fault loose, from the next row on.",
            page.open_faults,
            steady,
        ),
    ]
    for title, picture, tip, act, why in entries:
        entry = menu.addAction(themed_icon(picture, "second"), title)
        entry.setToolTip(tip_text(f"{tip}\n{why or ''}".strip()))
        entry.setEnabled(why is None)
        entry.triggered.connect(lambda _=False, act=act: act())
    return menu
