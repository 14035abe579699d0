"""The session's data part: opening files and experiments, profile, rows, and facts about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.endings import PACKED_ENDINGS, TEXT_ENDINGS
from modellab.data.places import is_pattern, names_data
from modellab.errors import LabError, quote
from modellab.experiment import DataSpec, Experiment, ReadingSpec, SplitSpec, replace
from modellab.gui import session_kept as kept
from modellab.gui import session_saving as saving
from modellab.gui.session_core import Client, struct_of
from modellab.gui.session_deployment import row_at, time_at
from modellab.gui.session_growing import GrowthState, first_use, first_window
from modellab.gui.session_looks import LookPart
from modellab.replay.protocol import (
    BadRowsPage,
    DataSummary,
    OpenData,
    ProfileData,
    ProfileSummary,
    ReadBadRows,
    ReadRows,
    RowsPage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modellab.gui.session_saving import Recoverable
    from modellab.gui.session_training import Training
    from modellab.learners.base import TaskKind

EXPERIMENT_SUFFIXES = (".toml", ".mlab")


@dataclass
class Opening:
    """What is to become of data once they are read."""

    experiment: Experiment | None
    path: Path | None
    sample: str | None
    trainings: list[Training]
    recovered: Recoverable | None = None
    reread: bool = False
    reading: ReadingSpec | None = None
    """How the person said that data alone are read."""
    places: list[str] | None = None
    """What was asked for, where it is a folder or a pattern and not its files."""
    moved: bool = False
    """The person said where the data are now: the file on disk does not know yet."""
    shown: bool = False
    """The first rows are in use already."""

    @property
    def named(self) -> Path | None:
        """What the experiment is called: its file, or what was unsaved; None for data alone."""
        if self.path is None and self.recovered is not None:
            return Path(self.recovered.title)
        return self.path


class DataPart(LookPart):
    """Opens data and experiments and knows what is in them."""

    growth: GrowthState

    def __init__(
        self, client_factory: Callable[[], Client] | None = None, *, workers: int = 1
    ) -> None:
        super().__init__(client_factory)
        self.workers = workers
        self.experiment: Experiment | None = None
        self.data: DataSummary | None = None
        self.profile: ProfileSummary | None = None
        self.profile_stale = False
        self.target_guessed = False
        self.sample: str | None = None
        self.trainings: list[Training] = []
        self.chosen: Training | None = None
        self.path: Path | None = None
        self._kept: Experiment | None = None
        self._kept_trainings: list[int] = []
        self._autosave = saving.Autosave()
        self.wanted_row: int | None = None
        """A row that the Data page is to show."""
        self._profile_wanted = False
        self._next_training = 1
        self._opening: Opening | None = None
        self._missed: set[str] = set()
        self._detected: dict[str, str] = {}
        self._detected_of: DataSummary | None = None

    # ------------------------------------------------------------------ told by `Session`

    @property
    def dirty(self) -> bool:
        """Whether there is something that is in no file yet."""
        raise NotImplementedError

    def autosave(self) -> bool:
        """Keep the unsaved work."""
        raise NotImplementedError

    def recover(self, session: Recoverable | str | None = None) -> None:
        """Open an unsaved session again."""
        raise NotImplementedError

    def _recovered(self, found: Recoverable) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------------ facts

    @property
    def title(self) -> str:
        """What the window's title says: the file's name, or the data's."""
        if self.path is not None:
            return self.path.name
        return self.data.name if self.data is not None else ""

    @property
    def task_kind(self) -> TaskKind:
        """``classification`` or ``regression``; by the profile, else by the target's kind."""
        if self.profile is not None and self.profile.task:
            return "regression" if self.profile.task == "regression" else "classification"
        if self.experiment is None or self.data is None:
            return "classification"
        return (
            "regression"
            if self.kind_of(self.experiment.data.target) == "number"
            else ("classification")
        )

    def _why_no_data_set(self) -> str | None:
        known = self.profile if not self.profile_stale else None
        return known.error if known is not None else None

    def kind_of(self, column: str) -> str | None:
        """Kind of a column, as set or as detected; None when there is no such column."""
        if self.experiment is not None and column in self.experiment.data.kinds:
            return self.experiment.data.kinds[column]
        if self._detected_of is not self.data:
            # Asked for every column at once: a wide file must not be searched for each of them.
            self._detected_of = self.data
            columns = self.data.columns if self.data is not None else []
            self._detected = {c.name: c.kind for c in columns}
        return self._detected.get(column)

    def role_of(self, column: str) -> str:
        """Role of a column: ``feature``, ``target``, ``time`` or ``ignored``."""
        if self.experiment is None:
            return "feature"
        data = self.experiment.data
        if column == data.target:
            return "target"
        if column == data.time:
            return "time"
        return "ignored" if column in data.ignore else "feature"

    @property
    def n_rows(self) -> int:
        """Rows of the data set (0 before data are open)."""
        return self.data.n_rows if self.data is not None else 0

    @property
    def train_rows(self) -> int:
        """Rows of the training window as set now, as near as is known before the profile."""
        if self.experiment is None:
            return 0
        train = self.experiment.split.train
        if isinstance(train, str):
            return self.profile.train_rows if self.profile is not None else 0
        if isinstance(train, float) and 0 < train < 1:
            return int(train * self.n_rows)
        return min(int(train), self.n_rows)

    @property
    def stream_rows(self) -> int:
        """Rows after the training window."""
        return max(0, self.n_rows - self.train_rows)

    def _stream_facts(self) -> tuple[str, int, int]:
        start, stop = self.time_at(self.train_rows), self.time_at(self.n_rows - 1)
        span = stop - start if start is not None and stop is not None else 0
        return self.task_kind, self.stream_rows, span

    def time_at(self, row: int) -> int | None:
        """Event time (ns since 1970, UTC) near `row`; None without a time column."""
        if self.profile is None or not self.profile.times_ns:
            return None
        return time_at(np.asarray(self.profile.times_ns, np.int64), self.n_rows, row)

    def row_at(self, time_ns: int) -> int | None:
        """Return the row near an event time; None without a time column, or out of order."""
        if self.profile is None or not self.profile.times_ns:
            return None
        times = np.asarray(self.profile.times_ns, np.int64)
        if np.any(np.diff(times) < 0):
            return None
        return row_at(times, self.n_rows, time_ns)

    # ------------------------------------------------------------------ opening

    def open_paths(self, files: Sequence[str | Path], reading: ReadingSpec | None = None) -> None:
        """Open data files (as one data set), or an experiment; what is open stays until then.

        A file of several sheets or tables is asked about first. `reading`: how texts are written.
        """
        places = [Path(p).expanduser().absolute() for p in files]
        if not places:
            return
        experiments = [p for p in places if p.suffix.lower() in EXPERIMENT_SUFFIXES]
        if experiments and len(places) > 1:
            self.tell("warning", "Open one experiment at a time, apart from data files.")
            return
        if experiments:
            self.open_experiment(experiments[0])
            return
        opening = Opening(None, None, None, [], reading=reading)
        if not self._with_part(places, lambda place: self._open([place], opening)):
            self._open(places, opening)

    def _open_ready(self, experiment: Experiment) -> None:
        self._open(
            [Path(path) for path in experiment.data.paths], Opening(experiment, None, None, [])
        )

    def open_sample(self, sample: str) -> None:
        """Open a bundled sample with its own target and split."""
        from modellab.data.samples import sample_path

        try:
            place = Path(sample_path(sample))
        except LabError as error:
            self.tell("error", error.sentence, detail=error.detail)
            return
        self._open([place], Opening(None, None, sample, []))

    def open_experiment(self, path: str | Path, data: Sequence[str | Path] | None = None) -> None:
        """Open a saved experiment; `data` says where its data are now, if they were moved."""
        place = Path(path).expanduser().absolute()
        try:
            experiment = saving.read_experiment(place)
        except LabError as error:
            self.tell("error", error.sentence, detail=error.detail)
            return
        trainings: list[Training] = []
        if place.suffix.lower() == ".mlab":
            trainings, wrong = kept.read_trainings(place, experiment)
            if wrong is not None:
                self.tell("warning", wrong.sentence, detail=wrong.detail)
        self._open_with(experiment, Opening(experiment, place, None, trainings), data)

    def _open_with(
        self, experiment: Experiment, opening: Opening, data: Sequence[str | Path] | None = None
    ) -> None:
        if data:
            places = [str(Path(p).absolute()) for p in data]
            value: str | list[str] = places[0] if len(places) == 1 else places
            experiment = replace(experiment, data=replace(experiment.data, path=value))
            opening.trainings = kept.moved(opening.trainings, value)
            opening.moved = True
        opening.experiment = experiment
        self._open([Path(p) for p in experiment.data.paths], opening)

    def _open(self, places: list[Path], opening: Opening) -> None:
        running = self.job_of("open")
        if running is not None:
            self.cancel(running)
        spec = opening.experiment.data if opening.experiment is not None else None
        command = OpenData(
            paths=[str(p) for p in places],
            kinds=dict(spec.kinds) if spec is not None else {},
            sort_by=spec.time if spec is not None and spec.sort else None,
            reading=spec.reading if spec is not None else opening.reading or ReadingSpec(),
            growing=first_use(opening),
        )
        self._opening = opening
        if any(is_pattern(place) or place.is_dir() for place in places):
            opening.places = [str(place) for place in places]
        shown = places[0].name if len(places) == 1 else f"{len(places)} files"
        job = self.start_job(
            command,
            "open",
            f"Reading {shown}",
            on_done=lambda result: self._opened(struct_of(DataSummary, result), opening),
            on_failed=lambda *told: self._open_failed(opening, places, *told),
        )
        job.again = lambda: self._open(places, opening)
        job.on_news = lambda news: self.growth.rows_ready(job, opening, news)
        job.usable = opening.shown
        self.topics.publish("data")

    def _open_failed(
        self, opening: Opening, places: list[Path], sentence: str, detail: str, cancelled: bool
    ) -> None:
        if self._opening is opening:
            self._opening = None
        if opening.shown:
            self.growth.stopped(sentence, detail, cancelled)
        elif not cancelled:
            gone = [p for p in places if not names_data(p)]
            if gone and opening.named is not None:
                self.tell(
                    "error",
                    f"The data of {quote(opening.named.name)} are not at {quote(gone[0])} any "
                    "more. Choose where they are now.",
                    detail=sentence,
                    action="Locate…",
                    run=lambda: self._ask_locate(opening),
                )
            elif self._may_be_text(places, opening):
                self.tell(
                    "error",
                    sentence,
                    detail=detail,
                    action="Say how to read it…",
                    run=lambda: self._ask_reading(places, opening.reading),
                )
            else:
                self.tell("error", sentence, detail=detail)
        self.topics.publish("data")

    def _may_be_text(self, places: list[Path], opening: Opening) -> bool:
        """Whether data alone could be read if the person said how their text is written."""
        texts = (*TEXT_ENDINGS, *PACKED_ENDINGS)
        return (
            self.ask_reading is not None
            and opening.experiment is None
            and all(p.is_file() and p.name.lower().endswith(texts) for p in places)
        )

    locate: Callable[[Path], Sequence[str | Path] | None] | None = None
    """Set by the window: asks the person where the data of an experiment file are."""

    def _ask_locate(self, opening: Opening) -> None:
        if self.locate is None or opening.named is None or opening.experiment is None:
            return
        found = self.locate(opening.named)
        if found:
            self._open_with(opening.experiment, opening, found)

    def _opened(self, data: DataSummary, opening: Opening) -> None:
        if self._opening is opening:
            self._opening = None
        if opening.shown:
            self.growth.ended(data)
            return
        if opening.reread:
            self.data = data
            self._fit_columns(data)
            self.topics.publish("data")
            self._ask_profile()
            return
        self._leave()
        self.data, self.profile, self._missed = data, None, set()
        self.sample, self.path = opening.sample, opening.path
        if opening.experiment is not None:
            self.experiment, self.target_guessed = opening.experiment, False
        else:
            self.experiment = self._default_experiment(data, opening)
            self.target_guessed = opening.sample is None
        unsaved = opening.recovered is not None or opening.moved
        self._kept = None if unsaved else self.experiment
        self.trainings = list(opening.trainings)
        self._kept_trainings = [t.id for t in self.trainings]
        self._next_training = max((t.id for t in self.trainings), default=0) + 1
        self.chosen = self.trainings[-1] if self.trainings else None
        self.deployment, self.interrupted, self._live_learner = None, None, None
        self._undo.forget()
        if opening.recovered is not None:
            self._recovered(opening.recovered)
        self._doubt(data)
        for topic in ("data", "experiment", "trainings", "deployment", "profile"):
            self.topics.publish(topic)
        self._ask_profile()

    def _fit_columns(self, data: DataSummary) -> None:
        """Let the experiment name columns that are there, now that the file is read otherwise."""
        experiment = self.experiment
        names = {column.name for column in data.columns}
        if experiment is None or experiment.data.target in names:
            return
        time = experiment.data.time if experiment.data.time in names else data.guessed_time
        target = data.guessed_target
        spec = replace(
            experiment.data,
            target=target,
            time=time if time != target else None,
            ignore=[name for name in experiment.data.ignore if name in names and name != target],
            kinds={name: kind for name, kind in experiment.data.kinds.items() if name in names},
        )
        self.target_guessed = True
        self._set_experiment(replace(experiment, data=spec))

    def _leave(self) -> None:
        """Leave the present experiment: what was not saved is kept and can be had back."""
        if self.dirty and self.experiment is not None:
            self.autosave()
            left, title = self._autosave.id, self.title
            self._autosave.begin_anew()
            self.tell(
                "info",
                f"The unsaved work on {quote(title)} was kept.",
                action="Go back to it",
                run=lambda: self.recover(left),
            )
        else:
            self._autosave.remove()

    def _default_experiment(self, data: DataSummary, opening: Opening) -> Experiment:
        paths = opening.places or list(data.paths)
        path: str | list[str] = paths[0] if len(paths) == 1 else paths
        if opening.sample is not None:
            from modellab.data.samples import sample_experiment

            return sample_experiment(opening.sample)
        target, time_column = data.guessed_target, data.guessed_time
        return Experiment(
            data=DataSpec(
                path=path,
                target=target,
                time=time_column if time_column != target else None,
                reading=opening.reading or ReadingSpec(),
            ),
            split=SplitSpec() if data.whole else SplitSpec(train=first_window(data.n_rows)),
        )

    def check_files(self) -> None:
        """Tell, once, that a data file is no longer where it was (called now and then)."""
        if self.data is None:
            return
        gone = {path for path in self.data.paths if not names_data(path)}
        for path in sorted(gone - self._missed):
            self.tell(
                "warning",
                f"{quote(Path(path).name)} is no longer where it was. Model Lab goes on with what "
                "it has read; put the file back before this experiment is opened again.",
            )
        self._missed = gone

    # ------------------------------------------------------------------ profile and rows

    def _ask_profile(self) -> None:
        """Have the data profiled; while one profile is being made, only the newest wish waits."""
        if self.experiment is None:
            return
        self.profile_stale = True
        running = self.job_of("profile")
        if running is not None:
            self._profile_wanted = True
            self.cancel(running)
            return
        self._profile_wanted = False
        self.start_job(
            ProfileData(experiment=self.experiment),
            "profile",
            "Looking at the columns",
            on_done=self._profiled,
            on_failed=self._profile_failed,
        )
        self.topics.publish("profile")

    def _profiled(self, result: dict[str, Any]) -> None:
        if self._profile_wanted:
            self._ask_profile()
            return
        self.profile = struct_of(ProfileSummary, result)
        self.profile_stale = False
        self.growth.profiled(self.profile)
        self.topics.publish("profile")

    def _profile_failed(self, sentence: str, detail: str, cancelled: bool) -> None:
        if self._profile_wanted:
            self._ask_profile()
            return
        self.profile_stale = False
        if not cancelled:
            self.tell("error", sentence, detail=detail)
        self.topics.publish("profile")

    def read_rows(self, start: int, stop: int, callback: Callable[[RowsPage | None], None]) -> None:
        """Read cells of rows ``[start, stop)`` (at most 1,000); None when they cannot be read."""
        self.start_job(
            ReadRows(start=start, stop=stop),
            "rows",
            "Reading rows",
            quiet=True,
            on_done=lambda result: callback(struct_of(RowsPage, result)),
            on_failed=lambda *_told: callback(None),
        )

    def show_row(self, row: int) -> None:
        """Ask for a row to be shown on the Data page."""
        self.wanted_row = row
        self.topics.publish("data")

    def read_bad_rows(
        self, start: int, stop: int, callback: Callable[[BadRowsPage | None], None]
    ) -> None:
        """Read rows that were set aside; None when they cannot be read."""
        self.start_job(
            ReadBadRows(start=start, stop=stop),
            "bad rows",
            "Reading rows that were set aside",
            quiet=True,
            on_done=lambda result: callback(struct_of(BadRowsPage, result)),
            on_failed=lambda *_told: callback(None),
        )

    def save_bad_rows(self, path: str | Path) -> None:
        """Write all rows that were set aside to a CSV file."""
        place = Path(path)
        self.start_job(
            ReadBadRows(start=0, stop=0, save_to=str(place)),
            "bad rows",
            "Saving rows that were set aside",
            on_done=lambda _result: self.tell("info", f"Saved as {quote(place.name)}."),
        )

    # ------------------------------------------------------------------ engine

    def _tell_of_revival(self, detail: str) -> None:
        text, action, run = self._revived()
        if self.interrupted is not None:
            self._offer_to_continue(text, detail)
        else:
            self.tell("error" if action else "warning", text, detail=detail, action=action, run=run)

    def _offer_to_continue(self, text: str, detail: str = "", *, kind: str = "warning") -> None:
        lost = self.interrupted
        if lost is None:
            return
        self.tell(
            kind,
            f"{text} The replay was at row {lost.position:,}.",
            detail=detail,
            action=f"Continue from row {lost.position:,}",
            run=self.continue_replay,
        )

    def _after_revival(self, reason: str) -> None:
        if self.data is None or self.experiment is None:
            self._tell_of_revival(reason)
            return
        spec = self.experiment.data

        def back(result: dict[str, Any]) -> None:
            self.growth.came_back(struct_of(DataSummary, result))
            if self.profile is None or self.profile_stale:
                self._ask_profile()
            self._tell_of_revival(reason)

        def gone(sentence: str, detail: str, cancelled: bool) -> None:
            if not cancelled:
                self.tell(
                    "error",
                    f"The engine stopped and was started again, but not its data: {sentence}",
                    detail=detail,
                    action="Try again",
                    run=lambda: self._after_revival(reason),
                )

        self.start_job(
            OpenData(
                paths=list(spec.paths),
                kinds=dict(spec.kinds),
                sort_by=spec.time if spec.sort else None,
                reading=spec.reading,
            ),
            "open",
            "Starting the engine again",
            on_done=back,
            on_failed=gone,
        )
