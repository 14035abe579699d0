"""The command line: the same engine without a window, and the way into the window.

Exit status: 0 done; 1 a failure, told in one sentence on standard error; 2 a wrong command line or
experiment file; 130 interrupted. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from modellab import __version__
from modellab.cli.commands import COMMANDS, Parser
from modellab.errors import Cancelled, ExperimentError, LabError, LearnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAILED, WRONG, INTERRUPTED = 1, 2, 130

STORY = "Train a model, deploy it on the rows that follow, and watch how it holds up."
_OF_THE_GROUP = ("-h", "--help", "--version", "--smoke-test")


def _help() -> str:
    """Return what there is to know of the program as a whole."""
    wide = max(map(len, COMMANDS)) + 2
    listed = "\n".join(f"  {name:<{wide}}{command.story}" for name, command in COMMANDS.items())
    return f"""usage: modellab [FILE]...
       modellab COMMAND [OPTION]... [ARGUMENT]...

{STORY}

modellab [FILE]... opens the window with data files or an experiment (see modellab open --help).

commands:
{listed}

options:
  -h, --help    Show this and exit; after a command, what it takes.
  --version     Print the version and exit.
  --smoke-test  Do the main job once, in a temporary folder, and exit.

With --debug anywhere, a failure shows where in the program it happened.
"""


def _any_text() -> None:
    """Make every column name printable: pipes and files get UTF-8, an old terminal what it can."""
    for stream in (sys.stdout, sys.stderr):
        known = str(getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "")
        if known == "utf8" or not isinstance(stream, io.TextIOWrapper):
            continue
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status."""
    _any_text()
    given = list(sys.argv[1:] if arguments is None else arguments)
    own = given[: given.index("--")] if "--" in given else given
    debug = "--debug" in own
    if debug:
        given.remove("--debug")
    if not given or given[0] not in (*COMMANDS, *_OF_THE_GROUP):
        given = ["open", *given]
    return _guarded(lambda: _to_a_pipe(lambda: _call(given)), debug)


def _call(arguments: list[str]) -> int:
    """Do what a command line says."""
    name, rest = arguments[0], arguments[1:]
    if name in ("-h", "--help"):
        sys.stdout.write(_help())
        return 0
    if name == "--version":
        sys.stdout.write(f"Model Lab {__version__}\n")
        return 0
    if name == "--smoke-test":
        from modellab.cli.smoke import smoke_test

        return smoke_test()
    command = COMMANDS[name]
    parser = Parser(f"modellab {name}", description=command.story, allow_abbrev=False)
    command.takes(parser)
    try:
        # Options between files are read only by the one, words after ``--`` only by the other.
        told = parser.parse_args(rest) if "--" in rest else parser.parse_intermixed_args(rest)
    except SystemExit as ended:  # help was shown, or a complaint
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return command.work(told) or 0


def _to_a_pipe(work: Callable[[], int]) -> int:
    """End well when the reader of our output has seen enough (``modellab learners | head``)."""
    try:
        try:
            return work()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Nothing more can be flushed, at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _guarded(work: Callable[[], int], debug: bool) -> int:
    """Turn what goes wrong into one sentence and a status."""
    try:
        return work()
    except (KeyboardInterrupt, Cancelled):
        return _tell("Interrupted.", INTERRUPTED)
    except (ExperimentError, LearnerError) as error:
        if debug:
            raise
        return _tell(error.sentence, WRONG)
    except LabError as error:
        if debug:
            raise
        return _tell(error.sentence, FAILED)
    except Exception as error:  # told in one sentence; --debug shows the place
        if debug:
            raise
        from modellab.replay.failure import as_sentence

        return _tell(f"{as_sentence(error)} Add --debug to see where.", FAILED)


def _tell(sentence: str, status: int) -> int:
    sys.stderr.write(f"modellab: {sentence}\n")
    return status
