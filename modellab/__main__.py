"""Where the program begins: ``python -m modellab``, the window's launcher, and frozen builds.

Worker processes are told apart before anything heavy, or Qt, is imported.
"""

from __future__ import annotations

import os
import sys


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
    if kind in ("task", "host"):
        die_with_parent()  # the engine itself always listens, so it sees its input close
    if kind == "engine":
        from modellab.replay.engine import main as engine

        return engine(_write_results)
    if kind == "task":
        from modellab.replay.task import main as task

        _end(task())
    if kind == "host":
        from modellab.replay.host_worker import main as host

        _end(host())
    print(f"There is no worker {kind!r}.", file=sys.stderr)  # noqa: T201
    return 2


def _end(status: int) -> None:
    """End at once: a worker has nothing to tidy up, and unloading its libraries takes a while."""
    sys.stderr.flush()
    os._exit(status)


def _write_results(*arguments: object, **named: object) -> list[str]:
    """Write a results folder: given to the engine, which may not import the rooms above it."""
    from modellab.export.results import write_results

    return write_results(*arguments, **named)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
