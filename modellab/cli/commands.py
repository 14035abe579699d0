"""The commands: what each takes, and which module does it.

A command's arguments are declared only when it is the one that was named.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_PRICE = 1e15


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is a line of usage and one sentence."""

    def error(self, message: str) -> NoReturn:
        """End with status 2 and say what is wrong with the command line."""
        sentence = message[:1].upper() + message[1:]
        self.exit(2, f"{self.format_usage()}{sentence}. See {self.prog} --help.\n")


@dataclass(frozen=True)
class Command:
    """One command.

    Parameters
    ----------
    story
        What it does; the first sentence stands in the list of commands.
    takes
        Declares its arguments.
    work
        Does it; returns the exit status, None for 0.
    """

    story: str
    takes: Callable[[Parser], None]
    work: Callable[[argparse.Namespace], int | None]


def _whole(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not from {least} to {most}")
        return value

    number.__name__ = "whole number"
    return number


def _price(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= _MOST_PRICE:
        raise argparse.ArgumentTypeError(f"{text} is not a price from 0 to 1e15")
    return value


_price.__name__ = "price"


def _switch(parser: Parser, *names: str, help: str) -> None:
    parser.add_argument(*names, action="store_true", help=help)


def _data(parser: Parser) -> None:
    parser.add_argument(
        "data", metavar="DATA", type=Path, help="A data file, a folder of them, or a glob."
    )


def _output(parser: Parser, story: str, *, required: bool = False) -> None:
    parser.add_argument("-o", "--output", metavar="PATH", type=Path, required=required, help=story)


def _read(parser: Parser) -> None:
    parser.add_argument(
        "--read",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="How a text file is written: delimiter, quote, decimal, encoding, comment, header or "
        "missing, such as delimiter=tab. May be given again.",
    )


def _changes(parser: Parser, story: str) -> None:
    parser.add_argument(
        "--set", dest="changes", metavar="KEY=VALUE", action="append", default=[], help=story
    )


# ---------------------------------------------------------------------- open


def _open_takes(parser: Parser) -> None:
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        type=Path,
        help="Data files (one data set), or one experiment.",
    )
    parser.add_argument("--sample", help="Open a bundled sample: flights, flights_delay.")
    parser.add_argument(
        "--page",
        choices=("data", "deploy"),
        help="Page to open a sample on; deploy: with its default lanes, ready.",
    )
    parser.add_argument(
        "--theme", choices=("system", "light", "dark"), help="Looks, this time only."
    )


def _open(given: argparse.Namespace) -> int:
    from modellab.cli.window import open_in_window

    return open_in_window(
        given.files,
        sample=given.sample,
        page=given.page,
        theme=given.theme,
        commands=tuple(COMMANDS),
    )


# ---------------------------------------------------------------------- data


def _generate_takes(parser: Parser) -> None:
    parser.add_argument(
        "kind",
        metavar="KIND",
        help="sea, hyperplane, agrawal, led, random_rbf, stagger, sine or friedman.",
    )
    parser.add_argument("--rows", type=int, default=20_000, help="How many rows (20,000).")
    parser.add_argument(
        "--drift",
        default="abrupt",
        help="none, abrupt, gradual, incremental or recurring (abrupt).",
    )
    parser.add_argument("--at", help="Rows where it changes, such as 5000,9000.")
    parser.add_argument(
        "--width", type=int, help="Rows that a gradual or incremental change takes."
    )
    parser.add_argument(
        "--noise", type=float, default=0.0, help="Share of wrong classes, 0 to 0.5 (0)."
    )
    parser.add_argument("--seed", type=int, default=1, help="Of everything random (1).")
    _output(parser, "Parquet file to write.")
    _switch(parser, "--force", help="Replace files that are there.")


def _generate(given: argparse.Namespace) -> None:
    from modellab.cli.generate import generate

    generate(
        given.kind,
        rows=given.rows,
        drift=given.drift,
        at=given.at,
        width=given.width,
        noise=given.noise,
        seed=given.seed,
        output=given.output,
        force=given.force,
    )


def _new_takes(parser: Parser) -> None:
    _data(parser)
    parser.add_argument("--target", required=True, help="Column to predict.")
    parser.add_argument("--time", help="Column of event times.")
    parser.add_argument(
        "--train", help="Training window: a fraction, a number of rows, a date-time, or 0."
    )
    _output(parser, "File to write; - for standard output.")
    _switch(parser, "--force", help="Replace a file that is there.")
    _read(parser)


def _new(given: argparse.Namespace) -> None:
    from modellab.cli.data import write_new

    write_new(
        given.data,
        target=given.target,
        time=given.time,
        train=given.train,
        output=given.output,
        force=given.force,
        read=given.read,
    )


def _profile_takes(parser: Parser) -> None:
    _data(parser)
    parser.add_argument("--target", help="Column to predict (else the guessed one).")
    _switch(parser, "--json", help="Print JSON.")
    _read(parser)


def _profile(given: argparse.Namespace) -> None:
    from modellab.cli.data import show_profile

    show_profile(given.data, target=given.target, as_json=given.json, read=given.read)


def _export_takes(parser: Parser) -> None:
    _data(parser)
    _output(parser, "File to write: .parquet or .csv.", required=True)
    _switch(
        parser,
        "--neutralise",
        help="CSV: put an apostrophe before cells that a spreadsheet would take for a formula.",
    )
    _switch(
        parser, "--bad-rows", help="Also write the rows that were set aside, beside the output."
    )
    _switch(parser, "--force", help="Replace files that are there.")
    _read(parser)


def _export(given: argparse.Namespace) -> None:
    from modellab.cli.data import export_file

    export_file(
        given.data,
        given.output,
        neutralise=given.neutralise,
        bad_rows=given.bad_rows,
        force=given.force,
        read=given.read,
    )


# ---------------------------------------------------------------------- replay


def _run_takes(parser: Parser) -> None:
    parser.add_argument(
        "experiment", metavar="EXPERIMENT", type=Path, help="An experiment: a .toml or .mlab file."
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="Folder for the results.")
    _changes(parser, "Change a setting, such as replay.chunk_rows=100. May be given again.")
    parser.add_argument(
        "--workers",
        type=_whole(1, 256),
        default=1,
        help="Processes that compute lanes (1); changes no number.",
    )
    _switch(parser, "--predictions", help="Write every prediction to the results (--out).")
    parser.add_argument(
        "--hindsight",
        metavar="N",
        type=_whole(1, 1000),
        help="Find the best schedule of retrains in hindsight, of N possible positions.",
    )
    _switch(parser, "--sensitivity", help="Replay again with bad data: how much do lanes suffer?")
    _switch(parser, "-q", "--quiet", help="Say nothing but errors.")
    _switch(parser, "--json", help="Print the summary as JSON instead of a table.")


def _run(given: argparse.Namespace) -> int:
    from modellab.cli.run import run_file

    return run_file(
        given.experiment,
        out=given.out,
        changes=given.changes,
        workers=given.workers,
        predictions=given.predictions,
        hindsight=given.hindsight,
        sensitivity=given.sensitivity,
        quiet=given.quiet,
        as_json=given.json,
    )


_PRICES = {
    "error": "What one error costs.",
    "retrain": "What one retrain costs.",
    "cpu_hour": "What an hour of compute costs.",
    "downtime_hour": "What an hour of downtime costs.",
}


def _verdict_takes(parser: Parser) -> None:
    parser.add_argument(
        "results", metavar="DIR", type=Path, help="A folder of results: what run --out wrote."
    )
    for name, story in _PRICES.items():
        option = f"--price-{name.replace('_', '-')}"
        parser.add_argument(option, dest=name, metavar="PRICE", type=_price, help=story)
    _switch(parser, "--json", help="Print the verdict as JSON instead of a table.")


def _verdict(given: argparse.Namespace) -> None:
    from modellab.cli.verdict import show_verdict

    prices = {name: getattr(given, name) for name in _PRICES}
    told = {name: price for name, price in prices.items() if price is not None}
    show_verdict(given.results, prices=told, as_json=given.json)


def _demo_takes(parser: Parser) -> None:
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        required=True,
        help="Folder for the results and the picture.",
    )
    parser.add_argument("--sample", default="flights", help="The bundled sample (flights).")
    _changes(parser, "Change a setting, as with run. May be given again.")
    parser.add_argument(
        "--workers",
        type=_whole(0, 256),
        default=0,
        help="Processes that compute lanes; 0: one for each core (0).",
    )


def _demo(given: argparse.Namespace) -> int:
    from modellab.cli.run import run_demo

    workers = given.workers or min(os.cpu_count() or 1, 4)
    return run_demo(given.out, sample=given.sample, changes=given.changes, workers=workers)


# ---------------------------------------------------------------------- facts


def _learners(given: argparse.Namespace) -> None:
    from modellab.cli.learners import show_learners

    show_learners(as_json=given.json)


def _doctor(_given: argparse.Namespace) -> int:
    from modellab.cli.doctor import show_doctor

    return show_doctor()


COMMANDS = {
    "open": Command("Open the window. The word open may be left out.", _open_takes, _open),
    "generate": Command(
        "Write a made stream whose drift is known, and an experiment that plays it.",
        _generate_takes,
        _generate,
    ),
    "new": Command(
        "Write an experiment file with the detected kinds and the default lanes.", _new_takes, _new
    ),
    "run": Command("Replay an experiment without a window.", _run_takes, _run),
    "verdict": Command(
        "Say which policy to deploy, from a folder of results; with other prices, if given.",
        _verdict_takes,
        _verdict,
    ),
    "profile": Command(
        "Show what the Data page shows: columns, kinds, missing values, what is worth knowing.",
        _profile_takes,
        _profile,
    ),
    "export": Command(
        "Write a data set as Parquet or CSV, whatever its format.", _export_takes, _export
    ),
    "learners": Command(
        "List the catalogue of learners: tasks, what each supports, settings with their ranges.",
        lambda parser: _switch(parser, "--json", help="Print JSON."),
        _learners,
    ),
    "doctor": Command(
        "Tell what a bug report needs: versions, display, cores, memory, compiled parts, folders.",
        lambda _parser: None,
        _doctor,
    ),
    "demo": Command(
        "Replay a bundled sample with the default lanes and take a picture of the Deploy page.",
        _demo_takes,
        _demo,
    ),
}
"""All commands, in the order in which help lists them."""
