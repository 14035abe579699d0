"""The session's looks at files that are not open, the gallery, and exports: no Qt, no reading."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab.data.endings import PART_ENDINGS
from modellab.errors import quote
from modellab.experiment import ReadingSpec
from modellab.gui.session_core import struct_of
from modellab.gui.session_replay import ReplayPart
from modellab.replay.data_protocol import (
    CompareColumns,
    Compared,
    ExportData,
    FetchSample,
    HeadPage,
    ListParts,
    MakeStream,
    PartsFound,
    PreviewFile,
    PreviewPart,
    SampleReady,
)
from modellab.replay.protocol import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modellab.data.compare import Comparison
    from modellab.data.parts import Parts
    from modellab.data.preview import Preview
    from modellab.experiment import Experiment
    from modellab.gui.session_jobs import Job
    from modellab.replay.protocol import DataSummary, ProfileSummary


_DOUBTFUL = 0.02
"""Above this share of rows set aside, how a text was read is doubtful."""


class LookPart(ReplayPart):
    """Asks the engine to look; whoever asks is called back."""

    data: DataSummary | None
    profile: ProfileSummary | None
    profile_stale: bool
    _comparison: dict[str, Comparison] = {}  # noqa: RUF012 - replaced whole, never changed
    _compared: object = None
    _comparing: object = None

    ask_reading: Callable[[list[str], ReadingSpec], object] | None = None
    """Set by the window: asks how files are to be read."""
    ask_part: Callable[[Parts, Callable[[str], None]], object] | None = None
    """Set by the window: asks which part of a file is meant, and hands on its name."""

    def preview_file(
        self,
        path: str,
        reading: ReadingSpec,
        done: Callable[[Preview], None],
        failed: Callable[[str], None],
    ) -> Job:
        """Look at the first rows of a file, read as `reading` says."""
        from modellab.data.preview import Preview

        return self.start_job(
            PreviewFile(path=path, reading=reading),
            "preview",
            "Looking at the first rows",
            quiet=True,
            on_done=lambda result: done(struct_of(Preview, result)),
            on_failed=_unless_cancelled(failed),
        )

    def preview_part(
        self, path: str, done: Callable[[HeadPage], None], failed: Callable[[str], None]
    ) -> Job:
        """Read the first rows of a part of a file, or of a query."""
        return self.start_job(
            PreviewPart(path=path),
            "preview",
            "Looking at the first rows",
            quiet=True,
            on_done=lambda result: done(struct_of(HeadPage, result)),
            on_failed=_unless_cancelled(failed),
        )

    def choose_part(self, path: str, chosen: Callable[[str], None]) -> None:
        """Ask which part of a file is meant, where it has several; `chosen` gets path and part."""
        name = Path(path).name

        def listed(result: dict[str, Any]) -> None:
            found = _parts_of(result)
            if found is None or self.ask_part is None:
                self.tell("info", f"{quote(name)} holds one table only.")
            else:
                self.ask_part(found, chosen)

        self.start_job(ListParts(path=path), "open", f"Looking into {name}", on_done=listed)

    def _with_part(self, places: Sequence[Path], open_them: Callable[[Path], None]) -> bool:
        """Ask for the part of a file first, where it may have several; whether it is asked for."""
        if self.ask_part is None or len(places) != 1 or not _may_have_parts(places[0]):
            return False
        place = places[0]

        def listed(result: dict[str, Any]) -> None:
            found = _parts_of(result)
            filled = [p for p in found.parts if p.rows != 0] if found is not None else []
            if found is None or self.ask_part is None or len(filled) + found.more < 2:
                open_them(place)
            else:
                self.ask_part(found, lambda path: open_them(Path(path)))

        # What cannot be looked into says why when it is opened.
        self.start_job(
            ListParts(path=str(place)),
            "open",
            f"Looking into {place.name}",
            on_done=listed,
            on_failed=lambda _sentence, _detail, cancelled: None if cancelled else open_them(place),
        )
        self.topics.publish("data")
        return True

    # ------------------------------------------------------------------ how it was read

    def _ask_reading(self, places: Sequence[Path | str], reading: ReadingSpec | None) -> None:
        if self.ask_reading is not None:
            self.ask_reading([str(place) for place in places], reading or ReadingSpec())

    def _doubt(self, data: DataSummary) -> None:
        """Offer to say how a text is read where what was found out is hardly right."""
        lost = data.bad_rows / max(1, data.n_rows + data.bad_rows)
        if data.format != "CSV" or self.ask_reading is None:
            return
        if len(data.columns) == 1:
            why = "only one column was found"
        elif lost > _DOUBTFUL:
            why = f"{lost:.0%} of its rows cannot be read"
        else:
            return
        self.tell(
            "warning",
            f"{quote(data.name)} is perhaps read wrongly: {why}.",
            action="How was it read?",
            run=lambda: self._ask_reading(data.paths, self.reading),
        )

    @property
    def reading(self) -> ReadingSpec:
        """What the person said about how texts are written."""
        return self.experiment.data.reading if self.experiment is not None else ReadingSpec()

    # ------------------------------------------------------------------ comparison

    @property
    def comparison(self) -> dict[str, Comparison]:
        """Columns in the training window and after it, by name; empty until they are known."""
        return self._comparison if self._compared == self._comparable() else {}

    def _comparable(self) -> object:
        """What a comparison depends on; None while there is nothing to compare."""
        experiment, profile = self.experiment, self.profile
        if experiment is None or profile is None or self.profile_stale or profile.error:
            return None
        data = (self.data.fingerprint, self.data.n_rows) if self.data is not None else None
        return (data, experiment.data, experiment.split)

    def ask_comparison(self) -> None:
        """Have the columns compared, unless that is done or under way."""
        wanted = self._comparable()
        if wanted is None or self._compared == wanted or self._comparing == wanted:
            return
        assert self.experiment is not None
        running = self.job_of("compare")
        if running is not None:
            self.cancel(running)
        self._comparing = wanted

        def done(result: dict[str, Any]) -> None:
            from modellab.data.compare import Comparison

            if self._comparing == wanted:
                found = struct_of(Compared, result).columns
                self._comparison = {c["name"]: struct_of(Comparison, c) for c in found}
                self._compared, self._comparing = wanted, None
                self.topics.publish("profile")

        def failed(sentence: str, detail: str, cancelled: bool) -> None:
            if self._comparing == wanted:
                # Not asked for again and again; the profile says what is wrong.
                self._comparison, self._compared, self._comparing = {}, wanted, None

        self.start_job(
            CompareColumns(experiment=self.experiment),
            "compare",
            "Comparing the columns",
            quiet=True,
            on_done=done,
            on_failed=failed,
        )

    # ------------------------------------------------------------------ gallery

    def _open_ready(self, experiment: Experiment) -> None:
        raise NotImplementedError

    def open_gallery(self, item: str, title: str) -> Job:
        """Have a data set of the gallery ready, fetched if need be, and open it."""
        job = self._ready(FetchSample(sample=item), f"Getting {title}")
        job.again = lambda: self.open_gallery(item, title)
        return job

    def open_made(self, command: MakeStream, title: str) -> Job:
        """Make a stream with known drift, and open it."""
        job = self._ready(command, f"Making {title}")
        job.again = lambda: self.open_made(command, title)
        return job

    def _ready(self, command: FetchSample | MakeStream, title: str) -> Job:
        return self.start_job(
            command,
            "sample",
            title,
            on_done=lambda result: self._open_ready(struct_of(SampleReady, result).experiment),
        )

    # ------------------------------------------------------------------ export

    def export_data(self, path: str | Path, *, neutralise: bool, bad_rows: bool) -> Job:
        """Write the open data set as Parquet or CSV."""

        def written(result: dict[str, Any]) -> None:
            names = struct_of(Written, result).files
            self.tell("info", f"Written: {', '.join(quote(name) for name in names)}.")

        kinds = dict(self.experiment.data.kinds) if self.experiment is not None else {}
        return self.start_job(
            ExportData(path=str(path), kinds=kinds, neutralise=neutralise, bad_rows=bad_rows),
            "export",
            f"Writing {Path(path).name}",
            on_done=written,
        )


def _unless_cancelled(failed: Callable[[str], None]) -> Callable[[str, str, bool], None]:
    def told(sentence: str, _detail: str, cancelled: bool) -> None:
        if not cancelled:
            failed(sentence)

    return told


def _parts_of(result: dict[str, Any]) -> Parts | None:
    from modellab.data.parts import Parts

    raw = struct_of(PartsFound, result).parts
    return None if raw is None else struct_of(Parts, raw)


def _may_have_parts(path: Path) -> bool:
    return "::" not in path.name and path.name.lower().endswith(PART_ENDINGS)
