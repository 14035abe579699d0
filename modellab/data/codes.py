"""Which columns of the ordinal view hold codes of categories, and how many codes there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.data.categories import HASH_COLUMNS, CategoryColumn, HashedColumn
from modellab.data.encoding import BooleanColumn, NumberColumn, TimeColumn, column_from_state

if TYPE_CHECKING:
    from modellab.data.encoder import Encoder
    from modellab.data.encoding import ColumnEncoder


def category_codes(encoder: Encoder) -> tuple[int, ...]:
    """Return, for each column of the ordinal view, 0 for a number, else how many codes it has.

    The codes are 0 to n - 1, by falling frequency in the training window; any other number is a
    category that was not there. Booleans, and the columns that say what was missing, have 2.
    """
    found: list[int] = []
    for state in encoder.state()["columns"]:
        found += _codes(column_from_state(state))
    return tuple(found)


def _codes(column: ColumnEncoder) -> list[int]:
    width = len(column.names("ordinal"))
    if isinstance(column, (NumberColumn, TimeColumn)) and column.missing:
        return [0] * (width - 1) + [2]
    if isinstance(column, CategoryColumn):
        return [max(len(column.levels) + (column.missing_rank is not None), 2)]
    if isinstance(column, HashedColumn):
        return [HASH_COLUMNS]
    if isinstance(column, BooleanColumn):
        return [2] * width
    return [0] * width
