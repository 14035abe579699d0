"""Which rows the live plots show: it follows the head until the person moves it (no Qt)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Span = Literal["all", "10k", "2k"]
SPAN_ROWS = {"10k": 10_000, "2k": 2_000}
LEAST_ROWS = 20.0
"""Rows that are always shown, so that the first ones do not fill the width."""
FIRST_ROWS = 100.0


class ViewRange:
    """The x range that all plots of the stack share.

    Attributes
    ----------
    low, high
        First and last visible row.
    follow
        Whether the live head is kept in sight.
    span
        How much is shown while following.
    hover
        The row under the shared crosshair; None when there is none.
    pinned
        A second cursor that stays where it was put, for differences; None when there is none.
    """

    def __init__(self) -> None:
        self.start, self.head, self.stop = 0, 0, 1
        self.low, self.high = 0.0, FIRST_ROWS
        self.follow = True
        self.span: Span = "all"
        self.hover: int | None = None
        self.pinned: int | None = None
        self.room = 0.2
        """Share of the width that is kept free right of the head, for labels."""
        self._listeners: list[Callable[[], None]] = []

    def listen(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever the range or a cursor changed."""
        self._listeners.append(callback)

    def _tell(self) -> None:
        for callback in self._listeners:
            callback()

    def set_stream(self, start: int, head: int, stop: int) -> bool:
        """Tell where the stream begins, is, and ends; returns whether the range moved."""
        self.start, self.head, self.stop = start, head, stop
        if self.hover is not None and not start <= self.hover <= head:
            self.hover = None
        if self.pinned is not None and not start <= self.pinned <= head:
            self.pinned = None
        return self.follow and self._to_head()

    def set_room(self, share: float) -> None:
        """Keep `share` of the width free right of the head."""
        if abs(share - self.room) > 1e-3:
            self.room = share
            if self.follow and self._to_head():
                self._tell()

    def set_span(self, span: Span) -> None:
        """Show this much, and follow the head again."""
        self.span = span
        self.set_follow(True)

    def set_follow(self, follow: bool) -> None:
        """Follow the head, or stay."""
        self.follow = follow
        if follow:
            self._to_head()
        self._tell()

    def _to_head(self) -> bool:
        rows = SPAN_ROWS.get(self.span)
        low = float(self.start if rows is None else max(self.start, self.head - rows))
        shown = max(self.head - low, FIRST_ROWS)
        high = low + shown / (1.0 - self.room)
        if (low, high) == (self.low, self.high):
            return False
        self.low, self.high = low, high
        return True

    def zoom(self, factor: float, centre: float) -> None:
        """Show `factor` times as many rows, `centre` staying where it is; ends following."""
        wide = (self.high - self.low) * factor
        most = (self.stop - self.start) * 1.6 + FIRST_ROWS
        wide = min(max(wide, LEAST_ROWS), most)
        share = (centre - self.low) / (self.high - self.low)
        self.place(centre - share * wide, centre + (1 - share) * wide)

    def pan(self, rows: float) -> None:
        """Move by `rows`; ends following."""
        self.place(self.low + rows, self.high + rows)

    def place(self, low: float, high: float) -> None:
        """Show rows `low` to `high`; ends following. Something of the stream stays in sight."""
        wide = max(high - low, LEAST_ROWS)
        low = min(max(low, self.start - 0.8 * wide), max(self.start, self.head) - 0.05 * wide)
        self.low, self.high = low, low + wide
        self.follow = False
        self._tell()

    def bring_into_sight(self, row: int) -> None:
        """Move the range so that `row` is visible, if it is not."""
        if not self.low <= row <= self.high:
            wide = self.high - self.low
            self.place(row - wide / 2, row + wide / 2)

    def set_hover(self, row: int | None) -> None:
        """Put the shared crosshair at `row`."""
        if row is not None:
            row = min(max(row, self.start), self.head)
        if row != self.hover:
            self.hover = row
            self._tell()

    def pin(self, row: int | None) -> None:
        """Put the second cursor at `row`, or take it away."""
        if row != self.pinned:
            self.pinned = row
            self._tell()
