"""Where the program begins: ``python -m modellab``, the window's launcher, and frozen builds.

Worker processes are told apart before anything heavy, or Qt, is imported.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modellab.replay.services import Services


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    if sys.argv[1:2] == ["--worker"]:
        return _work(sys.argv[2:])
    from modellab.cli import main as command_line

    return command_line()


def _work(arguments: list[str]) -> int:
    from modellab.replay.process import die_with_parent, limit_threads

    limit_threads()
    kind = arguments[0] if arguments else ""
    if kind in ("task", "host", "duckdb"):
        die_with_parent()  # the engine itself always listens, so it sees its input close
    if kind == "engine":
        from modellab.replay.engine import main as engine

        return engine(_services())
    if kind == "task":
        from modellab.replay.task import main as task

        _end(task(_services))
    if kind == "host":
        from modellab.replay.host_worker import main as host

        _end(host())
    if kind == "duckdb":
        from modellab.data.duckdb_inside import main as duckdb

        _end(duckdb())
    print(f"There is no worker {kind!r}.", file=sys.stderr)  # noqa: T201
    return 2


def _end(status: int) -> None:
    """End at once: a worker has nothing to tidy up, and unloading its libraries takes a while."""
    sys.stderr.flush()
    os._exit(status)


def _services() -> Services:
    """Make what workers are given of the rooms above theirs, which they may not import."""
    from modellab.verdict.services import Services as Made

    return Made()


if __name__ == "__main__":
    sys.exit(main())
