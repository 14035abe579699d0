"""The messages about data that are not open: looks at files, samples, exports (all are jobs)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from modellab.experiment import Experiment, Kind, LearnerSpec, ReadingSpec
from modellab.replay.protocol_base import Command


class PreviewFile(Command):
    """Job (quick): the first rows of a file, read so -> `modellab.data.preview.Preview`."""

    path: str
    reading: ReadingSpec = ReadingSpec()
    rows: int = 100


class ListParts(Command):
    """Job (quick): sheets, tables or members of a file -> `PartsFound`."""

    path: str


class PreviewPart(Command):
    """Job (quick): the first rows of a part of a file, or of a query -> `HeadPage`."""

    path: str
    rows: int = 20


class ExportData(Command):
    """Job: write all rows of the open data as Parquet or CSV -> `Written`.

    `kinds`: as which kinds; `neutralise`: no cell may be taken for a formula (CSV); `bad_rows`:
    what was set aside is written beside it.
    """

    path: str
    kinds: dict[str, Kind] = {}
    neutralise: bool = False
    bad_rows: bool = False


class MakeStream(Command):
    """Job: make a stream with known drift -> `SampleReady`."""

    kind: str
    rows: int
    drift: Literal["none", "abrupt", "gradual", "incremental", "recurring"]
    at: list[int] = []
    width: int = 2000
    noise: float = 0.0
    seed: int = 1


class FetchSample(Command):
    """Job: have a sample of the gallery ready, downloaded if need be -> `SampleReady`."""

    sample: str


class CompareColumns(Command):
    """Job: every column in the training window and after it -> `Compared`."""

    experiment: Experiment


class MapRates(Command):
    """Job: the error of 64 learning rates over the training window -> `RatesMapped`."""

    experiment: Experiment
    learner: LearnerSpec


class RatesMapped(msgspec.Struct):
    """Result of `MapRates`: mean error of each rate over `rows` rows (not finite: it diverged)."""

    rates: list[float]
    errors: list[float]
    best: float | None
    rows: int


class Compared(msgspec.Struct):
    """Result of `CompareColumns`: a `modellab.data.compare.Comparison` for each column."""

    columns: list[dict[str, Any]]


class PartsFound(msgspec.Struct):
    """Result of `ListParts`: a `modellab.data.parts.Parts`; None for a file of one table."""

    parts: dict[str, Any] | None


class HeadPage(msgspec.Struct):
    """Result of `PreviewPart`."""

    columns: list[str]
    rows: list[list[str | None]]


class SampleReady(msgspec.Struct):
    """Result of `MakeStream` and `FetchSample`: the experiment that it opens with."""

    experiment: Experiment


DataCommand = (
    PreviewFile
    | ListParts
    | PreviewPart
    | CompareColumns
    | ExportData
    | MakeStream
    | FetchSample
    | MapRates
)
COMMANDS = (
    PreviewFile,
    ListParts,
    PreviewPart,
    CompareColumns,
    ExportData,
    MakeStream,
    FetchSample,
    MapRates,
)
