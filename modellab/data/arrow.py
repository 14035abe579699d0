"""The door to pyarrow: imported on first use, and free of its stubs.

The published type stubs reject much of what pyarrow accepts (any array type in a compute call), so
Arrow values are `Any` to the type checker; the names below say what is meant.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from threading import get_ident
from typing import Any, TypeAlias

Array: TypeAlias = Any
DataType: TypeAlias = Any
RecordBatch: TypeAlias = Any
Table: TypeAlias = Any

_POOL = "ARROW_DEFAULT_MEMORY_POOL"


@cache
def arrow() -> tuple[Any, Any]:
    """Return the modules `pyarrow` and `pyarrow.compute`."""
    # It keeps memory at hand that the default gives back to the system after a hundredth of a
    # second and gets again page by page: two fifths of the time that reading Parquet took. Nor
    # does it reserve a gigabyte of addresses. The name is read when the library is loaded.
    chosen = _POOL in os.environ
    if sys.platform == "linux" and not chosen:
        os.environ[_POOL] = "jemalloc"
    import pyarrow as pa
    import pyarrow.compute as pc

    if not chosen:
        with suppress(NotImplementedError):  # not there on Windows
            pa.set_memory_pool(pa.jemalloc_memory_pool())
    _spare_pandas(pa)
    return pa, pc


def _spare_pandas(pa: Any) -> None:
    """Keep pyarrow from importing pandas to make its first array of a list.

    That would be half of the time until a file's first rows are seen. It asks once whether pandas
    can be imported, and imports it all the same when a data frame is really wanted.
    """
    if "pandas" in sys.modules:
        return
    refusal = _Refusal()
    sys.meta_path.insert(0, refusal)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(refusal)


class _Refusal:
    """Finds no pandas, for this thread alone."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse pandas, leave everything else to others."""
        if name == "pandas" and get_ident() == self._thread:
            raise ModuleNotFoundError(name, name=name)
