"""What databases have in common: a table or a query named behind the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUERY = re.compile(r"\s*(select|with|values|from)\b.*\s", re.IGNORECASE | re.DOTALL)


def as_query(inner: str) -> str:
    """Return what is named behind a file if it is a query, else nothing: it is a table's name."""
    return inner.strip().rstrip(";") if _QUERY.match(inner) else ""


def choose_table(path: Path, wanted: str, tables: Sequence[str]) -> str:
    """Return the table that is meant.

    Raises
    ------
    DataError
        If there is no such table, none at all, or several and none was named.
    """
    name = quote(path.name)
    if not tables:
        raise DataError(f"{name} is a database without a table.")
    listed = ", ".join(quote(table, 40) for table in tables[:10])
    listed += f" and {len(tables) - 10} more" if len(tables) > 10 else ""
    if wanted:
        if wanted not in tables:
            raise DataError(f"{name} has no table {quote(wanted)}: its tables are {listed}.")
        return wanted
    if len(tables) > 1:
        raise DataError(
            f"{name} has several tables: choose one by adding its name, as in "
            f"{quote(f'{path.name}::{tables[0]}', 100)} (its tables are {listed})."
        )
    return tables[0]


def database_warning(path: Path, endings: Sequence[str]) -> list[str]:
    """Return a sentence if a log beside the database shows that it is in use."""
    for ending in endings:
        log = Path(f"{path}{ending}")
        if log.is_file() and log.stat().st_size:
            return [
                f"There is a log {quote(log.name)} beside {quote(path.name)}: another program may "
                "still be writing to the database."
            ]
    return []
