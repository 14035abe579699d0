"""The door to pyarrow: imported on first use, and free of its stubs.

The published type stubs reject much of what pyarrow accepts (any array type in a compute call), so
Arrow values are `Any` to the type checker; the names below say what is meant.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Array: TypeAlias = Any
DataType: TypeAlias = Any
RecordBatch: TypeAlias = Any
Table: TypeAlias = Any


def arrow() -> tuple[Any, Any]:
    """Return the modules `pyarrow` and `pyarrow.compute`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pa, pc
