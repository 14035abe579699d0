"""The command line: the same engine without a window, and the way into the window.

Exit status: 0 done; 1 a failure, told in one sentence on standard error; 2 a wrong command line or
experiment file; 130 interrupted. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer

from modellab import __version__
from modellab.errors import Cancelled, ExperimentError, LabError, LearnerError

FAILED, WRONG, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="modellab",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Train a model, deploy it on the rows that follow, and watch how it holds up.\n\n"
        "modellab [FILE]... opens the window with data files or an experiment "
        "(see modellab open --help)."
    ),
    epilog="With --debug anywhere, a failure shows where in the program it happened.",
)


class Theme(StrEnum):
    """Looks of the window."""

    system = "system"
    light = "light"
    dark = "dark"


class Page(StrEnum):
    """Pages that a sample can be opened on."""

    data = "data"
    deploy = "deploy"


Command = TypeVar("Command", bound=Callable[..., None])


def _to_a_pipe(command: Command) -> Command:
    """End well when the reader of our output has seen enough (``modellab learners | head``)."""

    @functools.wraps(command)
    def guarded(*arguments: Any, **named: Any) -> None:
        try:
            try:
                command(*arguments, **named)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            # Nothing more can be flushed, at the exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    return cast("Command", guarded)


@app.callback(invoke_without_command=True)
def _group(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    smoke: Annotated[
        bool,
        typer.Option("--smoke-test", help="Do the main job once, in a temporary folder, and exit."),
    ] = False,
) -> None:
    if version:
        typer.echo(f"Model Lab {__version__}")
        raise typer.Exit
    if smoke:
        from modellab.cli.smoke import smoke_test

        raise typer.Exit(smoke_test())


@app.command("open")
@_to_a_pipe
def open_window(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Data files (one data set), or one experiment."),
    ] = None,
    sample: Annotated[
        str | None, typer.Option(help="Open a bundled sample: flights, flights_delay.")
    ] = None,
    page: Annotated[
        Page | None,
        typer.Option(help="Page to open a sample on; deploy: with its default lanes, ready."),
    ] = None,
    theme: Annotated[Theme | None, typer.Option(help="Looks, this time only.")] = None,
) -> None:
    """Open the window. The word open may be left out."""
    from modellab.cli.window import open_in_window

    raise typer.Exit(
        open_in_window(
            files or [],
            sample=sample,
            page=None if page is None else page.value,
            theme=None if theme is None else theme.value,
            commands=_COMMANDS,
        )
    )


@app.command()
@_to_a_pipe
def generate(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="sea, hyperplane, agrawal, led, random_rbf, stagger, sine or friedman.",
        ),
    ],
    rows: Annotated[int, typer.Option(help="How many rows.")] = 20_000,
    drift: Annotated[
        str, typer.Option(help="none, abrupt, gradual, incremental or recurring.")
    ] = "abrupt",
    at: Annotated[
        str | None, typer.Option(help="Rows where it changes, such as 5000,9000.")
    ] = None,
    width: Annotated[
        int | None, typer.Option(help="Rows that a gradual or incremental change takes.")
    ] = None,
    noise: Annotated[float, typer.Option(help="Share of wrong classes, 0 to 0.5.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 1,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Parquet file to write.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a made stream whose drift is known, and an experiment that plays it."""
    from modellab.cli.generate import generate as made

    made(
        kind,
        rows=rows,
        drift=drift,
        at=at,
        width=width,
        noise=noise,
        seed=seed,
        output=output,
        force=force,
    )


_Read = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        metavar="KEY=VALUE",
        help="How a text file is written: delimiter, quote, decimal, encoding, comment, header "
        "or missing, such as delimiter=tab.",
    ),
]


@app.command()
@_to_a_pipe
def new(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A data file, a folder of them, or a glob.")
    ],
    target: Annotated[str, typer.Option(help="Column to predict.")],
    time: Annotated[str | None, typer.Option(help="Column of event times.")] = None,
    train: Annotated[
        str | None,
        typer.Option(help="Training window: a fraction, a number of rows, a date-time, or 0."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; - for standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    read: _Read = None,
) -> None:
    """Write an experiment file with the detected kinds and the default lanes."""
    from modellab.cli.data import write_new

    write_new(
        data, target=target, time=time, train=train, output=output, force=force, read=read or []
    )


@app.command()
@_to_a_pipe
def run(
    experiment: Annotated[
        Path, typer.Argument(metavar="EXPERIMENT", help="An experiment: a .toml or .mlab file.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for the results.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting, such as replay.chunk_rows=100."
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes that compute lanes; changes no number.")
    ] = 1,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="Write every prediction to the results (--out).")
    ] = False,
    hindsight: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            metavar="N",
            help="Find the best schedule of retrains in hindsight, of N possible positions.",
        ),
    ] = None,
    sensitivity: Annotated[
        bool,
        typer.Option("--sensitivity", help="Replay again with bad data: how much do lanes suffer?"),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON instead of a table.")
    ] = False,
) -> None:
    """Replay an experiment without a window."""
    from modellab.cli.run import run_file

    raise typer.Exit(
        run_file(
            experiment,
            out=out,
            changes=changes or [],
            workers=workers,
            predictions=predictions,
            hindsight=hindsight,
            sensitivity=sensitivity,
            quiet=quiet,
            as_json=as_json,
        )
    )


_PRICE = {"min": 0.0, "max": 1e15, "metavar": "PRICE"}


@app.command()
@_to_a_pipe
def verdict(
    results: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of results: what run --out wrote.")
    ],
    error: Annotated[
        float | None, typer.Option("--price-error", help="What one error costs.", **_PRICE)
    ] = None,
    retrain: Annotated[
        float | None, typer.Option("--price-retrain", help="What one retrain costs.", **_PRICE)
    ] = None,
    cpu_hour: Annotated[
        float | None,
        typer.Option("--price-cpu-hour", help="What an hour of compute costs.", **_PRICE),
    ] = None,
    downtime_hour: Annotated[
        float | None,
        typer.Option("--price-downtime-hour", help="What an hour of downtime costs.", **_PRICE),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdict as JSON instead of a table.")
    ] = False,
) -> None:
    """Say which policy to deploy, from a folder of results; with other prices, if given."""
    from modellab.cli.verdict import show_verdict

    prices = {
        "error": error,
        "retrain": retrain,
        "cpu_hour": cpu_hour,
        "downtime_hour": downtime_hour,
    }
    given = {key: value for key, value in prices.items() if value is not None}
    show_verdict(results, prices=given, as_json=as_json)


@app.command()
@_to_a_pipe
def profile(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A data file, a folder of them, or a glob.")
    ],
    target: Annotated[
        str | None, typer.Option(help="Column to predict (else the guessed one).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    read: _Read = None,
) -> None:
    """Show what the Data page shows: columns, kinds, missing values, what is worth knowing."""
    from modellab.cli.data import show_profile

    show_profile(data, target=target, as_json=as_json, read=read or [])


@app.command()
@_to_a_pipe
def export(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A data file, a folder of them, or a glob.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File to write: .parquet or .csv.")
    ],
    neutralise: Annotated[
        bool,
        typer.Option(
            "--neutralise",
            help="CSV: put an apostrophe before cells that a spreadsheet would take for a formula.",
        ),
    ] = False,
    bad_rows: Annotated[
        bool,
        typer.Option("--bad-rows", help="Also write the rows that were set aside, beside it."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    read: _Read = None,
) -> None:
    """Write a data set as Parquet or CSV, whatever its format."""
    from modellab.cli.data import export_file

    export_file(
        data,
        output,
        neutralise=neutralise,
        bad_rows=bad_rows,
        force=force,
        read=read or [],
    )


@app.command()
@_to_a_pipe
def learners(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the catalogue of learners: tasks, what each supports, settings with their ranges."""
    from modellab.cli.learners import show_learners

    show_learners(as_json=as_json)


@app.command()
@_to_a_pipe
def doctor() -> None:
    """Tell what a bug report needs: versions, display, cores, memory, compiled parts, folders."""
    from modellab.cli.doctor import show_doctor

    raise typer.Exit(show_doctor())


@app.command()
@_to_a_pipe
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results and the picture.")],
    sample: Annotated[str, typer.Option(help="The bundled sample.")] = "flights",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as with run."),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=0, max=256, help="Processes that compute lanes; 0: one for each core."),
    ] = 0,
) -> None:
    """Replay a bundled sample with the default lanes and take a picture of the Deploy page."""
    from modellab.cli.run import run_demo

    raise typer.Exit(
        run_demo(
            out,
            sample=sample,
            changes=changes or [],
            workers=workers or min(os.cpu_count() or 1, 4),
        )
    )


_COMMANDS = tuple(
    found.name or found.callback.__name__
    for found in app.registered_commands
    if found.callback is not None
)
_OF_THE_GROUP = ("-h", "--help", "--version", "--smoke-test")


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
    if not given or given[0] not in (*_COMMANDS, *_OF_THE_GROUP):
        given = ["open", *given]
    return _guarded(lambda: _call(given), debug)


def _call(arguments: list[str]) -> int:
    try:
        app(args=arguments, prog_name="modellab")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
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
