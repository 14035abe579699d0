"""Pickles of models, however deeply their parts are nested.

Only this program's own processes read them back; nothing that comes from elsewhere is unpickled.
"""

from __future__ import annotations

import pickle
import sys
import threading
from typing import Any

STACK_BYTES = 512 * 2**20
DEPTH = 1_000_000

_one_at_a_time = threading.Lock()


def dumps(value: Any) -> bytes:
    """Pickle a value.

    River's search trees over a column that only grows are as deep as the column is long: they are
    pickled in a thread with a larger stack.
    """
    try:
        return pickle.dumps(value, protocol=5)
    except RecursionError:
        return _dumps_deep(value)


def _dumps_deep(value: Any) -> bytes:
    found: list[bytes] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(pickle.dumps(value, protocol=5))
        except BaseException as error:  # noqa: BLE001 (raised again in the calling thread)
            failed.append(error)

    with _one_at_a_time:
        limit, size = sys.getrecursionlimit(), threading.stack_size(STACK_BYTES)
        sys.setrecursionlimit(DEPTH)
        try:
            thread = threading.Thread(target=work, name="deep pickle")
            thread.start()
            thread.join()
        finally:
            sys.setrecursionlimit(limit)
            threading.stack_size(size)
    if failed:
        raise failed[0]
    return found[0]


def loads(state: bytes) -> Any:
    """Read back what `dumps` made."""
    return pickle.loads(state)
