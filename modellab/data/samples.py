"""The bundled samples: real data, each opening as a working experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from modellab.errors import DataError, nearest, quote
from modellab.experiment import DataSpec, Experiment, SplitSpec
from modellab.paths import resources

if TYPE_CHECKING:
    from pathlib import Path


class Sample(msgspec.Struct, frozen=True):
    """A bundled sample as the gallery shows it.

    Attributes
    ----------
    id
        Its name for programs and the command line.
    title, story, tag
        A heading, one sentence on what happens in it, and one word for its drift.
    rows
        Number of rows.
    task
        What is predicted.
    target
        The target column.
    spark
        A small curve over the file's months, from the data: what `spark_unit` says.
    spark_unit
        What the curve shows.
    """

    id: str
    title: str
    story: str
    tag: str
    rows: int
    task: Literal["classification", "regression"]
    target: str
    spark: tuple[float, ...]
    spark_unit: str


_FILE = "flights.parquet"
_FLIGHTS_TRAIN = 0.08
"""January: the first models are trained in seconds, and eleven months are left to replay."""


def _folder() -> Path:
    return resources() / "samples"


def _load() -> dict[str, Sample]:
    facts: dict[str, Any] = msgspec.json.decode((_folder() / "samples.json").read_bytes())
    flights = facts["flights"]
    samples = (
        Sample(
            id="flights",
            title="Late flights",
            story="Will it arrive more than 15 minutes late? Storms and holidays change the odds.",
            tag="seasonal",
            rows=flights["rows"],
            task="classification",
            target="late",
            spark=tuple(flights["late_by_month"]),
            spark_unit="share of late arrivals by month of 2013",
        ),
        Sample(
            id="flights_delay",
            title="Flight delays",
            story="How many minutes late will it arrive? Summer and December are not like spring.",
            tag="seasonal",
            rows=flights["rows"],
            task="regression",
            target="arr_delay",
            spark=tuple(flights["delay_by_month"]),
            spark_unit="mean arrival delay in minutes by month of 2013",
        ),
    )
    return {sample.id: sample for sample in samples}


SAMPLES: dict[str, Sample] = _load()
"""All samples by id, in the gallery's order."""


def sample(sample_id: str) -> Sample:
    """Return a sample by its id; raises `DataError` if there is none."""
    try:
        return SAMPLES[sample_id]
    except KeyError:
        like = nearest(sample_id, SAMPLES) or next(iter(SAMPLES))
        raise DataError(
            f"There is no sample {quote(sample_id)}. Did you mean {quote(like)}?"
        ) from None


def sample_path(sample_id: str) -> Path:
    """Return the data file of a sample; raises `DataError` if there is no such sample."""
    sample(sample_id)
    path = _folder() / _FILE
    if not path.is_file():
        raise DataError(
            f"The bundled sample {quote(path.name)} is missing: install the program again."
        )
    return path


def sample_experiment(sample_id: str) -> Experiment:
    """Return the experiment that a sample opens with.

    Both predict from what is known before departure: the departure delay is left out (take it from
    ``data.ignore`` to see what it is worth), and so is the other target.
    """
    chosen = sample(sample_id)
    outcomes = ("dep_delay", "arr_delay", "late")
    return Experiment(
        data=DataSpec(
            path=str(sample_path(sample_id)),
            target=chosen.target,
            time="time",
            ignore=[name for name in outcomes if name != chosen.target],
        ),
        split=SplitSpec(train=_FLIGHTS_TRAIN),
    )
