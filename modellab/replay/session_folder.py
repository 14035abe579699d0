"""The folder of a deployment: its journal on disk, beside the checkpoints.

Every line of ``journal.jsonl`` is one thing that happened, in the order in which it was
acknowledged. Together with the newest checkpoint it brings a replay back after the engine died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from modellab.experiment import (
    Experiment,
    Fault,
    Intervention,
    LaneSpec,
    PriceSpec,
    replace,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "journal.jsonl"


class JournalLine(msgspec.Struct, omit_defaults=True):
    """One thing that was done; the first line is the experiment as it was deployed.

    `fault_removed` is the number that the fault had then; `rows` are those of the data set from
    then on.
    """

    experiment: Experiment | None = None
    intervention: Intervention | None = None
    added: LaneSpec | None = None
    removed: str | None = None
    fault: Fault | None = None
    fault_removed: int | None = None
    prices: PriceSpec | None = None
    rows: int | None = None


class Restored(msgspec.Struct):
    """What a journal brings back.

    `experiment` has the prices that it was deployed with; `prices` are the last ones set; `rows`
    are those that the data set had (None: it is not known).
    """

    experiment: Experiment
    prices: PriceSpec
    rows: int | None = None


class SessionFolder:
    """Writes and reads the journal in a folder.

    Parameters
    ----------
    folder
        Made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / NAME

    def begin(self, experiment: Experiment, rows: int | None = None) -> None:
        """Begin the journal anew with the experiment as it is deployed, on so many rows."""
        self._path.write_bytes(_line(JournalLine(experiment=experiment, rows=rows)))

    def append(self, line: JournalLine) -> None:
        """Add a line; it has left this process when this returns."""
        with self._path.open("ab") as file:
            file.write(_line(line))

    def restored(self, given: Experiment) -> Restored | None:
        """`given` with the lanes, interventions and faults of the journal.

        None when there is no journal, or it is of another experiment, so that its checkpoints are
        of no use.
        """
        lines = self._lines()
        if not lines or lines[0].experiment is None:
            return None
        found = lines[0].experiment
        if _kept(found) != _kept(given):
            return None
        prices, rows = found.prices, lines[0].rows
        for line in lines[1:]:
            found = _applied(found, line)
            prices = line.prices or prices
            rows = line.rows or rows
        experiment: Experiment = replace(
            given,
            lane=found.lane,
            intervention=found.intervention,
            fault=found.fault,
            prices=found.prices,
        )
        return Restored(experiment, prices, rows)

    def _lines(self) -> list[JournalLine]:
        try:
            text = self._path.read_bytes()
        except OSError:
            return []
        lines = []
        for raw in text.split(b"\n"):
            if not raw:
                continue
            try:
                lines.append(msgspec.json.decode(raw, type=JournalLine))
            except msgspec.MsgspecError:
                break  # cut off in the middle by the end of the process: never acknowledged
        return lines


def _line(line: JournalLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _kept(experiment: Experiment) -> dict[str, Any]:
    """What must be the same for checkpoints to be of use; the files may have moved."""
    bare = replace(experiment, lane=[], intervention=[], fault=[], prices=PriceSpec())
    raw: dict[str, Any] = msgspec.to_builtins(bare)
    raw["data"].pop("path")
    return raw


def _applied(experiment: Experiment, line: JournalLine) -> Experiment:
    lanes, journal = list(experiment.lane), list(experiment.intervention)
    faults = list(experiment.fault)
    if line.added is not None:
        lanes.append(line.added)
    if line.removed is not None:
        lanes = [lane for lane in lanes if lane.name != line.removed]
        journal = [e for e in journal if line.removed not in (e.lane, e.fork)]
    if line.intervention is not None:
        made = line.intervention
        at = sum(1 for entry in journal if entry.position <= made.position)
        journal.insert(at, made)
    if line.fault is not None:
        faults.append(line.fault)
    if line.fault_removed is not None and line.fault_removed < len(faults):
        faults.pop(line.fault_removed)
    return replace(experiment, lane=lanes, intervention=journal, fault=faults)  # type: ignore[no-any-return]
