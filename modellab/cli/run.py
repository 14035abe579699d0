"""``modellab run`` and ``modellab demo``: replays without a window."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab.errors import Cancelled, ExperimentError, LabError, quote
from modellab.replay.process import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modellab.cli.show import RunBar
    from modellab.experiment import Experiment
    from modellab.replay.hindsight_lanes import FindHindsight
    from modellab.replay.run import RunResult
    from modellab.verdict.values import Hindsight, Verdict

INTERRUPTED = 130
TROUBLES_SHOWN = 5


def run_file(
    path: Path,
    *,
    out: Path | None,
    changes: list[str],
    workers: int,
    predictions: bool,
    hindsight: int | None,
    sensitivity: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Replay an experiment file; return the exit status.

    `hindsight`: number of possible positions on which to find the best schedule of retrains.
    `sensitivity`: replay again with faults.

    Raises
    ------
    LabError
        With the sentence of what went wrong.
    """
    limit_threads()
    if predictions and out is None:
        raise ExperimentError("--predictions needs --out DIR to write to.")
    experiment, base = read_experiment(path)
    experiment, later = _changed(experiment, changes)
    result, verdict = _replay(
        experiment, base, out=out, workers=workers, predictions=predictions, quiet=quiet,
        prepared=later, hindsight=hindsight, sensitivity=sensitivity,
    )  # fmt: skip
    _show(result, verdict, out, quiet=quiet, as_json=as_json)
    return _status(result, out)


def read_experiment(path: Path) -> tuple[Experiment, Path]:
    """Read a ``.toml`` or ``.mlab`` file; return the experiment and what its paths start from."""
    base = path.absolute().parent
    if path.suffix.lower() == ".mlab":
        from modellab.export.mlab import read_mlab

        return read_mlab(path), base
    from modellab.experiment_file import load

    return load(path), base


def _changed(
    experiment: Experiment, changes: list[str]
) -> tuple[Experiment, Callable[[Experiment], Experiment] | None]:
    """Make the changes; those of lanes wait for the default lanes where the file lists none."""
    from modellab.experiment_file import set_value

    waiting = []
    for text in changes:
        if text.strip().startswith("lane.") and not experiment.lane:
            waiting.append(text)
        else:
            experiment = set_value(experiment, text)
    if not waiting:
        return experiment, None

    def later(complete: Experiment) -> Experiment:
        for text in waiting:
            complete = set_value(complete, text)
        return complete

    return experiment, later


def _replay(
    experiment: Experiment,
    base: Path,
    *,
    out: Path | None,
    workers: int,
    predictions: bool,
    quiet: bool,
    lines: bool = False,
    prepared: Callable[[Experiment], Experiment] | None = None,
    hindsight: int | None = None,
    sensitivity: bool = False,
) -> tuple[RunResult, Verdict]:
    from modellab.cli.show import RunBar
    from modellab.export.results import PREDICTIONS, write_results
    from modellab.export.verdicts import judge_result
    from modellab.learners.catalogue import entry
    from modellab.replay.run import run_experiment

    for lane in experiment.lane:
        entry(lane.learner)  # a misspelt learner is told before any data are read
    file = None
    if out is not None:
        _make_folder(out)
        (out / PREDICTIONS).unlink(missing_ok=True)
        file = out / PREDICTIONS if predictions else None
    found: list[Hindsight] = []
    with interruptible() as cancel, RunBar(quiet, lines) as bar:
        result = run_experiment(
            experiment,
            base=base,
            workers=workers,
            progress=bar.update,
            predictions=file,
            cancel=cancel,
            prepared=_with_hindsight(prepared, hindsight),
            find=_finder(found),
        )
        rise = None
        if sensitivity and not result.interrupted:
            rise = _sensitivity(result, bar, cancel)
        verdict = judge_result(
            result, hindsight=found[-1] if found else None, sensitivity=rise
        )  # fmt: skip
        if out is not None:
            write_results(result, out, verdict=verdict)
    return result, verdict


def _with_hindsight(
    prepared: Callable[[Experiment], Experiment] | None, grid: int | None
) -> Callable[[Experiment], Experiment] | None:
    """Also add a lane of the hindsight optimum; its positions are found when it is deployed."""
    if grid is None:
        return prepared

    def added(complete: Experiment) -> Experiment:
        from modellab.verdict.hindsight import with_hindsight_lane

        return with_hindsight_lane(complete if prepared is None else prepared(complete), grid)

    return added


def _finder(found: list[Hindsight]) -> FindHindsight:
    """Find hindsight optima, and keep what was found for the verdict."""

    def find(context: Any, learner: Any, **how: Any) -> Hindsight:
        from modellab.verdict.hindsight import find_hindsight

        found.append(find_hindsight(context, learner, **how))
        return found[-1]

    return find


def _sensitivity(
    result: RunResult, bar: RunBar, cancel: threading.Event
) -> dict[str, dict[str, float]]:
    from modellab.replay.run import RunProgress
    from modellab.verdict.sensitivity import measure

    def told(done: float, total: float, text: str = "") -> None:
        if cancel.is_set():
            raise Cancelled
        bar.update(RunProgress("sensitivity", done, total, text))

    try:
        return measure(result.experiment, result.store, progress=told)
    except Cancelled:
        return {}  # what was replayed is told all the same


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"The folder {quote(folder, 200)} cannot be made: {error.strerror or error}."
        ) from error


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Ctrl+C (and a polite end from outside) sets the event; a second one ends at once."""
    cancel = threading.Event()

    def stop(_number: int, _frame: Any) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    wanted = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(
    result: RunResult, verdict: Verdict, out: Path | None, *, quiet: bool, as_json: bool
) -> None:
    from modellab.cli import show
    from modellab.cli.verdict import print_verdict

    if as_json:
        from modellab.export.results import summary

        show.write_json(summary(result, verdict))
        return
    if quiet:
        return
    console = show.out()
    console.print(show.lanes_table(result))
    replayed = result.position - result.train_rows
    rate = replayed / result.seconds if result.seconds > 0 else 0.0
    console.print(
        f"{_rows(replayed)} replayed after {_rows(result.train_rows)} of training, "
        f"in {result.seconds:.1f} s ({rate:,.0f} rows per second)."
    )
    for sentence in _notes(result):
        console.print(show.plain(sentence))
    print_verdict(console, verdict)
    if out is not None:
        console.print(show.plain(f"Results: {out}"))


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _notes(result: RunResult) -> list[str]:
    """What should be known of the data, and the first of what went wrong in lanes."""
    notes = [f"Note: {sentence}" for sentence in result.warnings]
    troubles = [(name, event) for name, event in result.events if event.kind == "warning"]
    notes += [
        f"Lane {quote(name)} at row {event.position:,}: {event.text}"
        for name, event in troubles[:TROUBLES_SHOWN]
    ]
    if len(troubles) > TROUBLES_SHOWN:
        notes.append(f"... and {len(troubles) - TROUBLES_SHOWN:,} more, all in events.jsonl.")
    return notes


def _status(result: RunResult, out: Path | None) -> int:
    if not result.interrupted:
        return 0
    where = " What was done so far is written." if out is not None else ""
    sys.stderr.write(f"modellab: Interrupted at row {result.position:,}.{where}\n")
    return INTERRUPTED


def run_demo(out: Path, *, sample: str, changes: list[str], workers: int) -> int:
    """Replay a bundled sample with the default lanes, and picture it; return the exit status."""
    limit_threads()
    from modellab.cli import show
    from modellab.data.samples import sample_experiment
    from modellab.experiment_file import save
    from modellab.experiment_paths import rebase

    experiment, later = _changed(sample_experiment(sample), changes)
    result, verdict = _replay(
        experiment,
        Path.cwd(),
        out=out,
        workers=workers,
        predictions=False,
        quiet=False,
        lines=True,
        prepared=later,
    )
    save(rebase(result.experiment, None, out), out / "experiment.toml")
    _show(result, verdict, out, quiet=False, as_json=False)
    if result.interrupted:
        return _status(result, out)
    picture = out / "deploy.png"
    try:
        from modellab.gui.shots import deploy_picture

        deploy_picture(result.experiment, out, picture)
    except Cancelled:
        raise
    except (LabError, ImportError, OSError) as error:
        # The numbers are there all the same; the picture needs Qt's system libraries.
        sys.stderr.write(f"modellab: No picture could be made: {error}\n")
        return 1
    show.out().print(show.plain(f"Picture of the Deploy page: {picture}"))
    return 0
