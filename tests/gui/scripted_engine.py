"""An engine of a few lines that speaks the protocol: for tests of the session and the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modellab.data.notes import Note, Remedy
from modellab.data.profile import ColumnProfile, TopValue
from modellab.data.profile_parts import Histogram
from modellab.evaluation import testing_values as v
from modellab.experiment import Experiment, Intervention
from modellab.lanes import with_default_lanes
from modellab.replay.protocol import (
    Ack,
    AddLane,
    BadRowsPage,
    CancelJob,
    ColumnSummary,
    Command,
    CurveDelta,
    DataSummary,
    Deploy,
    Deployed,
    EventRecord,
    Fork,
    Inject,
    Intervene,
    JobDone,
    JobFailed,
    LaneNews,
    OpenData,
    ParameterNews,
    ProfileData,
    ProfileSummary,
    ReadBadRows,
    ReadRows,
    RemoveFault,
    Rollback,
    RowsPage,
    Seek,
    Telemetry,
    TrainingResult,
    TrainModel,
    WriteResults,
    Written,
    pack,
)

N_ROWS = 1000
HOUR_NS = 3_600_000_000_000


@dataclass
class Died:
    """Stands for the client's own message of that meaning."""

    reason: str = "it was killed"


def result_of(value: msgspec.Struct) -> dict[str, Any]:
    return msgspec.to_builtins(value)


def summary(paths: list[str]) -> DataSummary:
    kinds = {"when": "time", "price": "number", "day": "category", "class": "category"}
    return DataSummary(
        name=paths[0].rsplit("/", 1)[-1],
        paths=paths,
        format="CSV",
        size_bytes=123_456,
        n_rows=N_ROWS,
        fingerprint="f" * 64,
        columns=[ColumnSummary(n, k, "said by the script") for n, k in kinds.items()],
        bad_rows=2,
        warnings=[],
        guessed_target="class",
        guessed_target_reason="it is the last column and has two values",
        guessed_time="when",
        read_seconds=0.2,
        memory_bytes=1_000_000,
        memory_budget=4_000_000_000,
    )


class ScriptedEngine:
    """Answers every command at once, as the real engine would.

    `answers` takes a function per command type that gives the replies instead of the usual ones;
    `held` types are acknowledged but their jobs do not end until `finish` is called.
    """

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.replies: list[Any] = []
        self.telemetry: Telemetry | None = None
        self.alive = False
        self.held: set[type] = set()
        self.waiting: dict[int, Command] = {}
        self.position = 0
        self.lane_settings: dict[str, dict[str, Any]] = {}
        self.answers: dict[type, Callable[[Any, int], list[Any]]] = {}
        self.results: dict[type, msgspec.Struct] = {}
        """What jobs of a type give instead of the usual."""
        self.fail_to_start = False
        self._next = 1

    # -- what the session calls
    def start(self) -> None:
        if self.fail_to_start:
            raise OSError("no process can be started")
        self.alive = True

    def stop(self) -> None:
        self.alive = False

    def send(self, command: Command) -> int:
        number = self._next
        self._next += 1
        command = msgspec.structs.replace(command, id=number)
        self.sent.append(command)
        kind = type(command)
        if kind in self.answers:
            self.replies.extend(self.answers[kind](command, number))
        elif isinstance(command, CancelJob):
            self.replies.append(Ack(id=number))
            if self.waiting.pop(command.job, None) is not None:
                self.replies.append(
                    JobFailed(id=command.job, sentence="Cancelled.", cancelled=True)
                )
        else:
            self.replies.append(self.ack(command, number))
            if kind in self.held:
                self.waiting[number] = command
            else:
                self.end(command, number)
        return number

    def poll(self) -> list[Any]:
        taken, self.replies = self.replies, []
        return taken

    def next_telemetry(self) -> Telemetry | None:
        taken, self.telemetry = self.telemetry, None
        return taken

    # -- what tests call
    def last(self, kind: type) -> Any:
        return [c for c in self.sent if isinstance(c, kind)][-1]

    def count(self, kind: type) -> int:
        return sum(isinstance(c, kind) for c in self.sent)

    def finish(self) -> None:
        for number, command in list(self.waiting.items()):
            del self.waiting[number]
            self.end(command, number)

    def die(self) -> None:
        self.alive = False
        self.replies.append(Died())

    # -- the script
    def ack(self, command: Command, number: int) -> Ack:
        entry = None
        if isinstance(command, Intervene):
            entry = Intervention(position=self.position, lane=command.lane, set=command.set)
        elif isinstance(command, Fork):
            entry = Intervention(position=self.position, lane=command.lane, fork=command.name)
        elif isinstance(command, Rollback):
            entry = Intervention(position=self.position, lane=command.lane, rollback=command.to)
        fault = None
        if isinstance(command, Inject):
            start = max(command.fault.start, self.position)
            fault = msgspec.structs.replace(command.fault, start=start)
        return Ack(id=number, position=self.position, entry=entry, fault=fault)

    def end(self, command: Command, number: int) -> None:
        value = self.result(command)
        if value is not None:
            self.replies.append(JobDone(id=number, result=result_of(value)))

    def result(self, command: Command) -> msgspec.Struct | None:
        if type(command) in self.results:
            return self.results[type(command)]
        if isinstance(command, OpenData):
            return summary(command.paths)
        if isinstance(command, ProfileData):
            return profile(command.experiment)
        if isinstance(command, ReadRows):
            cells = [
                [str(i), None, f"<b>{i}</b>", "up"]
                for i in range(command.start, min(command.stop, N_ROWS))
            ]
            return RowsPage(start=command.start, cells=cells)
        if isinstance(command, ReadBadRows):
            rows = [("a.csv", 17, "too many fields", "1,2,3"), ("a.csv", 90, "too few", "1")]
            return BadRowsPage(start=command.start, total=2, rows=rows)
        if isinstance(command, TrainModel):
            return TrainingResult(
                learner=command.learner,
                title=command.learner.kind.replace("_", " ").capitalize(),
                report=report(profile(command.experiment).task),
                fit_seconds=0.5,
                rows=160,
                features=7,
                warnings=[],
            )
        if isinstance(command, Deploy):
            return self.deployed(command)
        if isinstance(command, WriteResults):
            Path(command.folder).mkdir(parents=True, exist_ok=True)
            (Path(command.folder) / "summary.json").write_text("{}")
            return Written(folder=command.folder, files=["summary.json"])
        if isinstance(command, AddLane | Seek | RemoveFault):
            return Written(folder="", files=[])
        return None

    def deployed(self, command: Deploy) -> Deployed:
        rows = profile(command.experiment).train_rows
        experiment = with_default_lanes(
            command.experiment, "classification", stream_rows=N_ROWS - rows, span_ns=0
        )
        self.position = command.position or rows
        return Deployed(
            experiment=experiment,
            baselines=["Majority class", "No change"],
            train_rows=rows,
            stop=N_ROWS,
            n_rows=N_ROWS,
            position=self.position,
            times_ns=times(),
            fit_seconds=0.1,
            encoded={"scaled": ["price", "day=1"]},
            warnings=[],
        )


def times() -> list[int]:
    return [*(i * HOUR_NS for i in range(0, N_ROWS - 37, 37)), (N_ROWS - 1) * HOUR_NS]


def profile(experiment: Experiment) -> ProfileSummary:
    train = experiment.split.train
    rows = int(train * N_ROWS) if isinstance(train, float) and train < 1 else int(train)
    number = experiment.data.target == "price"
    return ProfileSummary(
        columns=[msgspec.to_builtins(c) for c in column_profiles(experiment)],
        notes=[msgspec.to_builtins(n) for n in notes()],
        task="regression" if number else "classification",
        classes=[] if number else ["down", "up"],
        train_rows=rows,
        test_rows=int(rows * experiment.split.test),
        n_rows=N_ROWS,
        times_ns=times(),
    )


def column_profiles(experiment: Experiment) -> list[ColumnProfile]:
    wave = [None if i == 5 else float(np.sin(i / 9)) for i in range(160)]
    usual: dict[str, Any] = {"reason": "said by the script", "rows": N_ROWS, "course": wave}
    kinds = experiment.data.kinds
    top = [TopValue("up", 580, 0.58), TopValue("down", 420, 0.42)]
    week = [TopValue(str(i), 140, 0.14) for i in range(7)]
    bars = Histogram([1, 5, 9, 4], [0.0, 1.0, 2.0, 3.0, 4.0])
    hours = Histogram([250] * 4, [0.0, 900_000.0, 1_800_000.0, 2_700_000.0, 3_600_000.0])
    return [
        ColumnProfile(
            "when", "time", missing=0, missing_share=0.0, distinct=N_ROWS, distinct_exact=False,
            minimum=0.0, maximum=3_596_400.0, histogram=hours, course_what="mean time",
            first_change=1, **usual,
        ),
        ColumnProfile(
            "price", "number", missing=40, missing_share=0.04, distinct=960, distinct_exact=True,
            minimum=-3.5, maximum=12.25, histogram=bars, course_what="mean", first_change=1,
            **usual,
        ),
        ColumnProfile(
            "day", kinds.get("day", "category"), missing=0, missing_share=0.0, distinct=7,
            distinct_exact=True, top=week, course_what="share of “1”", first_change=700, **usual,
        ),
        ColumnProfile(
            "class", "category", missing=0, missing_share=0.0, distinct=2, distinct_exact=True,
            top=top, course_what="share of “up”", first_change=1, **usual,
        ),
    ]  # fmt: skip


def notes() -> list[Note]:
    ignore = Remedy("ignore", "Ignore “day”", {"columns": ["day"]})
    move = Remedy("move_split", "Move the split to row 875", {"train": 875})
    rows = [Remedy("show_bad_rows", "Show rows"), Remedy("save_bad_rows", "Save as CSV")]
    kind = Remedy("kind", "Use it as a number", {"column": "day", "kind": "number"})
    return [
        Note("constant_in_training:700", "warning", "1 column never varies in training",
             "“day” holds one value until row 700.", ["day"], [move, ignore]),
        Note("bad_rows", "warning", "2 rows could not be read", "Lines 17, 90.", [], rows),
        Note("unsorted", "warning", "Rows are not in order of time", "Row 5 is earlier.", ["when"],
             [Remedy("sort", "Sort by time")]),
        Note("kind:day", "info", "“day” may be a number", "It looks like one.", ["day"], [kind]),
        Note("repeat", "info", "Labels repeat", "85 % equal the one before."),
    ]  # fmt: skip


def report(task: str = "classification", error: float = 0.2) -> dict[str, Any]:
    """A test report with all of its parts, of plain numbers."""
    if task == "classification":
        own = {"accuracy": 1 - error, "error": error, "roc_auc": 0.81, "log_loss": 0.5}
        base = {"accuracy": 0.6, "error": 0.4, "roc_auc": None, "log_loss": None}
        parts: dict[str, Any] = {
            "confusion": v.Confusion(["down", "up"], [[40, 10], [30, 80]]),
            "roc": [v.Curve("up", [0.0, 0.2, 1.0], [0.0, 0.7, 1.0], 0.81)],
            "precision_recall": [v.Curve("up", [0.0, 0.5, 1.0], [1.0, 0.8, 0.6], 0.77)],
            "calibration": v.Calibration(
                "up",
                [
                    v.CalibrationBin(0.1, 0.2, 90, 0.15, 0.2),
                    v.CalibrationBin(0.8, 0.9, 70, 0.85, 0.7),
                ],
                0.06,
            ),
        }  # fmt: skip
        worst = [v.WorstRow(170, "up", "down", 3.5, 0.03), v.WorstRow(161, "down", "up", 2.5, 0.08)]
        names, metric = ("Majority class", "No change"), "error"
    else:
        own = {"mae": 2.5, "rmse": 3.5, "r2": 0.4, "bias": -0.1}
        base = {"mae": 4.0, "rmse": 5.0, "r2": -0.1, "bias": 0.2}
        parts = {
            "residuals": v.Residuals(
                v.Histogram([-5.0, 0.0, 5.0], [70, 90], 1, 2), [(0.05, -4.0), (0.95, 4.5)],
                [165, 170, 180], [1.0, 2.0, 3.0], [1.5, 1.0, 3.2],
            )
        }  # fmt: skip
        worst = [v.WorstRow(170, 9.0, 1.0, 8.0)]
        names, metric = ("Running mean", "Last value"), "mae"
    scores = [v.NamedScores("Model", False, own), *(v.NamedScores(n, True, base) for n in names)]
    slices = [
        v.ColumnSlices(
            "day",
            "category",
            [v.Slice("1", 90, 0.1, 0.05, 0.2), v.Slice("2", 70, 0.4, 0.3, 0.5)],
            0.2,
        ),
        v.ColumnSlices("price", "number", [v.Slice("up to 3", 160, 0.2, 0.15, 0.25)], 0.0),
    ]  # fmt: skip
    made = v.TestReport(
        task=task,  # type: ignore[arg-type]
        classes=["down", "up"] if task == "classification" else [],
        start=160,
        stop=200,
        rows=160,
        scored=160,
        unlabelled=0,
        unanswered=0,
        metric=metric,  # type: ignore[arg-type]
        value=own[metric],
        scores=scores,
        importance=[v.Importance("price", 0.1, 0.02), v.Importance("day", -0.01, 0.01)],
        importance_rows=160,
        importance_repeats=5,
        coefficients=[v.Weight("price", 1.2), v.Weight("day=1", -0.4)],
        slices=slices,
        worst=worst,
        model_bytes=2048,
        **parts,
    )
    return msgspec.to_builtins(made)


def curve(start: int, stop: int, from_index: int = 0, width: int = 10) -> CurveDelta:
    at = np.arange(start, stop, width)
    values = np.linspace(0.4, 0.2, len(at))
    return CurveDelta(
        width=width,
        from_index=from_index,
        start=pack(at),
        mean=pack(values),
    )


def lane_news(name: str, *, error: float | None = 0.25, baseline: bool = False, **rest: Any) -> Any:
    values: dict[str, Any] = {
        "name": name,
        "baseline": baseline,
        "status": "",
        "error": error,
        "cumulative": 0.3,
        "updates": 5,
        "retrains": 0,
        "redeploys": 0,
        "cpu_predict": 0.1,
        "cpu_learn": 0.2,
        "cpu_fit": 0.3,
        "model_bytes": 1000,
        "cost": 12.0,
        "settings": {"learning_rate": 0.05, "every": 1, "frozen": False},
        "rates": None,
        "curves": {"error": curve(200, 300)},
    }
    return LaneNews(**{**values, **rest})


def telemetry(position: int, lanes: list[LaneNews], *, reset: bool = False, **rest: Any) -> Any:
    values: dict[str, Any] = {
        "sequence": 1,
        "state": "playing",
        "position": position,
        "train_rows": 200,
        "stop": N_ROWS,
        "time_ns": position * HOUR_NS,
        "rows_per_second": 500.0,
        "memory_mb": 90.0,
        "busy": "",
        "lanes": lanes,
        "parameters": None,
        "events": [],
        "events_from": 0,
        "curves_reset": reset,
    }
    return Telemetry(**{**values, **rest})


def parameters(lane: str, positions: list[int], from_index: int = 0) -> ParameterNews:
    at = np.asarray(positions, np.int64)
    return ParameterNews(
        lane=lane,
        names=["price", "day=1"],
        from_index=from_index,
        positions=pack(at),
        values=pack(np.stack([at * 0.1, at * -0.1], axis=1).astype(float)),
    )


def event(position: int, lane: str = "Retrained", kind: str = "retrain") -> EventRecord:
    return EventRecord(position=position, lane=lane, kind=kind, text=f"{kind} at {position}")
