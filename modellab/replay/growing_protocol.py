"""Messages about data whose import goes on: what of it can be used already."""

from __future__ import annotations

from typing import Any

from modellab.replay.protocol_base import Command, Reply


class UseRows(Command):
    """Job (quick): let the data set be all rows that are read by now -> `DataSummary`."""


class GrowReplay(Command):
    """Job: let the replay go on over all rows of the data set that is open now -> `Deployed`.

    Its results are then those of a replay that had all these rows from its beginning. It fails,
    with the replay as it was, where later rows make another data set of it.
    """


class RowsReady(Reply):
    """While `OpenData` goes on: the first `rows` rows are there, of about `expected`.

    `summary`: a `DataSummary` of the rows that are the engine's data set from now on, given once:
    when there are first rows.
    """

    id: int
    rows: int
    expected: int
    summary: dict[str, Any] | None = None


GrowingCommand = UseRows | GrowReplay
COMMANDS = (UseRows, GrowReplay)
